"""What operators may ask, and what is acceptable: the same with a gateway and without one."""

from datetime import datetime
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct

from fuseboard.policy.policy import canonical_text, policy_from_canonical
from fuseboard.vocabulary.catalogue import MEASURES, SCALE
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE, TAG_KINDS
from fuseboard.vocabulary.inputs import MeasureReported, PolicyAdopted
from fuseboard.vocabulary.money import NANOS, NumberRefused, nanos_from_text
from fuseboard.vocabulary.operator_inputs import (
    CashMoved,
    DividendSaid,
    OperatorHaltRequested,
    OperatorResetRequested,
)
from fuseboard.vocabulary.postures import HaltLevel

OPERATOR_CHARACTERS_MAX: Final = 100
SCOPE_CHARACTERS_MAX: Final = 100
REASON_CHARACTERS_MAX: Final = 500
HALTS_MAX: Final = 2**63
DIVIDENDS_ZONE: Final = ZoneInfo("America/New_York")
FIRST_YEAR: Final = 1970
LAST_YEAR: Final = 2200
SYMBOL_KIND: Final = "symbol"
SCOPE_KINDS: Final = ("strategy", SYMBOL_KIND, *TAG_KINDS)
SCOPES_SAID: Final = ", ".join([ACCOUNT_SCOPE, *(f"{kind}:NAME" for kind in SCOPE_KINDS)])
LEVELS: Final = {level.name.lower(): level for level in HaltLevel}

FREEZE: Final = HaltLevel.FREEZE.name.lower()
"""The one level that ends a protection: it takes who may loosen, and a reason."""


class AskedRefused(ValueError):
    """What was asked is not acceptable; the message says what to change."""


class HaltAsked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /v1/halt`."""

    operator: str
    reason: str = ""
    scope: str = ACCOUNT_SCOPE
    level: str = "halt"


class ResetAsked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /v1/reset`."""

    operator: str = ""
    reason: str = ""
    scope: str = ACCOUNT_SCOPE
    rebase: bool = False
    seen_halt: int | None = None
    """`halt_epoch` of the status that its author saw: what was halted later refuses the reset."""


class CashAsked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /v1/cash`: a deposit (positive) or a withdrawal, in account currency."""

    operator: str
    amount: str
    why: str


class DividendAsked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /v1/dividend`: the rate of a share in account currency, dates of New York.

    A rate of 0 takes back what was said.
    """

    operator: str
    symbol: str
    rate: str
    ex_date: str
    payable: str
    why: str


class MeasureAsked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /v1/measure`: a plain number in the catalogue's unit, and its date."""

    name: str
    value: str
    event_ns: int
    symbol: str = ""


class PolicyAsked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /v1/policy`: a whole policy as its canonical text, and its digest."""

    text: str
    digest: str
    operator: str = ""
    reason: str = ""


Asked: TypeAlias = HaltAsked | ResetAsked | CashAsked | DividendAsked | MeasureAsked | PolicyAsked


class OperatorAnswer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an operator is told."""

    accepted: bool
    message: str
    settled: bool = False
    """Of a halt: every request that had started is answered, or listed in `in_doubt`."""
    in_doubt: tuple[str, ...] = ()
    """Our ids of orders that may still arrive at the broker; they are being looked for."""
    note: str = ""
    """What is odd about what was accepted: that nothing known bears the name that was given."""


class Settled(Struct, frozen=True, kw_only=True):
    """The answer to `GET /v1/settled`."""

    scope: str
    in_doubt: tuple[str, ...]


def halt_of(asked: HaltAsked, request: int) -> OperatorHaltRequested:
    """The fact of a halt that was asked for. Raises `AskedRefused`."""
    operator = one_line("the operator's name", asked.operator, OPERATOR_CHARACTERS_MAX)
    if not operator:
        raise AskedRefused("a halt needs your name: --operator NAME")
    if asked.level not in LEVELS:
        raise AskedRefused(f"level {asked.level[:40]!r} is none of {', '.join(LEVELS)}")
    reason = one_line("the reason", asked.reason, REASON_CHARACTERS_MAX)
    if asked.level == FREEZE and not reason:
        raise AskedRefused(
            "a freeze stops what closes the positions and leaves them open: it needs a reason,"
            " --reason TEXT"
        )
    return OperatorHaltRequested(
        request=request,
        operator=operator,
        reason=reason,
        scope=checked_scope(asked.scope),
        level=LEVELS[asked.level],
    )


def reset_of(asked: ResetAsked, request: int) -> OperatorResetRequested:
    """The fact of a reset that was asked for; whether it may be is the kernel's to say.

    Raises `AskedRefused`.
    """
    if asked.seen_halt is not None and not 0 <= asked.seen_halt < HALTS_MAX:
        raise AskedRefused("seen_halt is the `halt_epoch` of a status, or left out")
    return OperatorResetRequested(
        request=request,
        operator=one_line("the operator's name", asked.operator, OPERATOR_CHARACTERS_MAX),
        reason=one_line("the reason", asked.reason, REASON_CHARACTERS_MAX),
        scope=checked_scope(asked.scope),
        rebase=asked.rebase,
        seen_epoch=asked.seen_halt,
    )


def cash_of(asked: CashAsked, request: int) -> CashMoved:
    """The fact of a cash movement that was told. Raises `AskedRefused`."""
    operator = one_line("the operator's name", asked.operator, OPERATOR_CHARACTERS_MAX)
    why = one_line("why", asked.why, REASON_CHARACTERS_MAX)
    if not operator or not why:
        raise AskedRefused("a cash movement needs your name and why: --operator NAME --why TEXT")
    try:
        amount_nanos = nanos_from_text(asked.amount)
    except NumberRefused as refusal:
        raise AskedRefused(str(refusal)) from refusal
    if amount_nanos == 0:
        raise AskedRefused("a movement of nothing is none: say how much, such as 5000 or -250.50")
    return CashMoved(request=request, amount_nanos=amount_nanos, why=f"{operator}: {why}")


def dividend_of(asked: DividendAsked, request: int) -> DividendSaid:
    """The fact of a dividend that was told. Raises `AskedRefused`."""
    operator = one_line("the operator's name", asked.operator, OPERATOR_CHARACTERS_MAX)
    why = one_line("why", asked.why, REASON_CHARACTERS_MAX)
    symbol = one_line("the symbol", asked.symbol, SCOPE_CHARACTERS_MAX)
    if not operator or not why or not symbol:
        raise AskedRefused("a dividend needs a symbol, your name and why: --operator, --why")
    try:
        rate_nanos = nanos_from_text(asked.rate)
    except NumberRefused as refusal:
        raise AskedRefused(str(refusal)) from refusal
    if rate_nanos < 0:
        raise AskedRefused(
            "a rate is what a share is paid, such as 0.25; 0 takes back what was said"
        )
    ex_ns, payable_ns = _day_ns(asked.ex_date), _day_ns(asked.payable)
    return DividendSaid(
        request=request,
        symbol=symbol,
        ex_date=asked.ex_date,
        rate_nanos=rate_nanos,
        ex_ns=ex_ns,
        payable_ns=payable_ns,
        why=f"{operator}: {why}",
    )


def _day_ns(text: str) -> int:
    """Wall time at which a date begins in New York, where such dates are of. Raises
    `AskedRefused`.
    """
    try:
        begins = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=DIVIDENDS_ZONE)
    except ValueError as error:
        raise AskedRefused(f"{text[:40]!r} is no date: YYYY-MM-DD") from error
    if not FIRST_YEAR <= begins.year <= LAST_YEAR:
        raise AskedRefused(f"{text[:40]!r} is no date of these days")
    return int(begins.timestamp()) * NANOS


def measure_of(asked: MeasureAsked, request: int) -> MeasureReported:
    """The fact of a measure that was reported. Raises `AskedRefused`."""
    measure = MEASURES.get(asked.name)
    if measure is None:
        raise AskedRefused(f"{asked.name[:40]!r} is no measure: see docs/measures.md")
    try:
        value = nanos_from_text(asked.value) * SCALE[measure.unit] // NANOS
    except NumberRefused as refusal:
        raise AskedRefused(str(refusal)) from refusal
    symbol = one_line("the symbol", asked.symbol, SCOPE_CHARACTERS_MAX)
    return MeasureReported(
        request=request, name=asked.name, value=value, event_ns=asked.event_ns, symbol=symbol
    )


def policy_of(asked: PolicyAsked, request: int) -> PolicyAdopted:
    """The fact of a policy that is to come into force; whether it may is the kernel's to say.

    Raises `AskedRefused` for what is no canonical text.
    """
    try:
        canonical = canonical_text(policy_from_canonical(asked.text))
    except msgspec.DecodeError as error:
        raise AskedRefused(f"this is no policy that this release knows: {error}") from error
    if canonical != asked.text:
        raise AskedRefused("this is not the canonical text of a policy: is it of another release?")
    return PolicyAdopted(
        text=asked.text,
        digest=asked.digest,
        operator=one_line("the operator's name", asked.operator, OPERATOR_CHARACTERS_MAX),
        reason=one_line("the reason", asked.reason, REASON_CHARACTERS_MAX),
        request=request,
    )


def checked_scope(scope: str) -> str:
    """The scope if it is one, a symbol written as orders write it, else `AskedRefused`."""
    kind, _, name = scope.partition(":")
    if kind == SYMBOL_KIND and name.isascii():  # no order's symbol is anything else
        name = name.strip(" ").upper()
        scope = f"{kind}:{name}"
    known = scope == ACCOUNT_SCOPE or (kind in SCOPE_KINDS and name)
    if not known or len(scope) > SCOPE_CHARACTERS_MAX or not scope.isprintable():
        raise AskedRefused(f"scope {scope[:40]!r} is none of {SCOPES_SAID}")
    return scope


def one_line(what: str, text: str, characters_max: int) -> str:
    """One line without control characters: it is journaled, and shown in other people's terminals.

    Raises `AskedRefused`.
    """
    text = text.strip()
    if len(text) > characters_max:
        raise AskedRefused(f"{what} is longer than {characters_max} characters")
    if not text.isprintable():
        raise AskedRefused(f"{what} holds a character that cannot be printed on one line")
    return text
