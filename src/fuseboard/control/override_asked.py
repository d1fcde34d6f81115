"""Overrides as operators ask for them: bodies of `POST /v1/override` and `/v1/override-verify`."""

from msgspec import Struct

from fuseboard.control.asked import (
    OPERATOR_CHARACTERS_MAX,
    REASON_CHARACTERS_MAX,
    SCOPE_CHARACTERS_MAX,
    AskedRefused,
    one_line,
)
from fuseboard.policy.units import Refused, duration_ns
from fuseboard.vocabulary.money import NumberRefused, nanos_from_text
from fuseboard.vocabulary.operator_inputs import OverrideRequested, OverrideVerified
from fuseboard.vocabulary.orders import Side


class OverrideAsked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One order that may pass one check; the quantity is the largest, `expires` a duration.

    `worst_price` is the most a buy may pay or the least a sell may get; empty: none is named.
    """

    operator: str = ""
    reason: str = ""
    strategy: str
    symbol: str
    side: str
    quantity: str
    check: str
    expires: str = "1m"
    worst_price: str = ""


class VerifyAsked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A second person's verification."""

    operator: str = ""
    override: str


def override_of(asked: OverrideAsked, request: int) -> OverrideRequested:
    """The fact of an override that was asked for. Raises `AskedRefused`."""
    sides = {side.value: side for side in Side}
    if asked.side not in sides:
        raise AskedRefused(f"side {asked.side[:20]!r} is none of {', '.join(sides)}")
    try:
        quantity_nanos = nanos_from_text(asked.quantity)
        expires_ns = duration_ns(asked.expires)
        worst_price_nanos = nanos_from_text(asked.worst_price) if asked.worst_price else None
    except (NumberRefused, Refused) as refusal:
        raise AskedRefused(str(refusal)) from refusal
    return OverrideRequested(
        request=request,
        operator=one_line("the operator's name", asked.operator, OPERATOR_CHARACTERS_MAX),
        reason=one_line("the reason", asked.reason, REASON_CHARACTERS_MAX),
        strategy=one_line("the strategy", asked.strategy, SCOPE_CHARACTERS_MAX),
        symbol=one_line("the symbol", asked.symbol, SCOPE_CHARACTERS_MAX),
        side=sides[asked.side],
        quantity_nanos_max=quantity_nanos,
        check=one_line("the check", asked.check, SCOPE_CHARACTERS_MAX),
        expires_ns=expires_ns,
        worst_price_nanos=worst_price_nanos,
    )


def verification_of(asked: VerifyAsked, request: int) -> OverrideVerified:
    """The fact of a verification. Raises `AskedRefused`."""
    return OverrideVerified(
        request=request,
        operator=one_line("the operator's name", asked.operator, OPERATOR_CHARACTERS_MAX),
        override=one_line("the override", asked.override, SCOPE_CHARACTERS_MAX),
    )
