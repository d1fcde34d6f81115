"""Overrides: one order of one strategy may pass one check (RTS 6 Art. 15(6)).

One named person asks, a second verifies, both are journaled. An override names strategy, symbol,
side, the largest quantity, the check and, for `PRICED`, the worst price; the first order that fits
it, and that nothing else denies, uses it up. It expires by itself. Posture, reconciliation, rates
and what cannot be understood at all are never overridden: the row that denies says whether it may
be (`Row.overridable`), whatever other rows bear its name.
"""

from typing import Final

from fuseboard.core.checks.active import ALLOWED, Finding, Row
from fuseboard.core.checks.proposal import Proposal
from fuseboard.core.exposure import MARKET_WORST_NANOS
from fuseboard.core.state import Override, Turn
from fuseboard.vocabulary.evidence_effects import RecordOverride
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.operator_inputs import OverrideRequested, OverrideVerified
from fuseboard.vocabulary.orders import Side
from fuseboard.vocabulary.people import KEY_VIA, same_name, same_person

OVERRIDES_MAX: Final = 100
PRICED: Final = ("price_collar", "order_value")
"""Checks that bound what an order can cost: who lets one pass has to say what it may cost then."""


def override_requested(turn: Turn, fact: OverrideRequested) -> None:
    """A named person asks that one order may pass one check; another one has to verify it."""
    state = turn.state
    expire(turn)
    refused = _refusal(turn, fact)
    if refused:
        turn.answer(fact.request, accepted=False, message=refused)
        return
    state.overrides_asked += 1
    name = f"o{state.overrides_asked}"
    override = state.overrides[name] = Override(
        override=name,
        strategy=fact.strategy,
        symbol=fact.symbol,
        side=fact.side,
        quantity_nanos_max=fact.quantity_nanos_max,
        check=fact.check,
        expires_boot_ns=turn.boot_ns + fact.expires_ns,
        asked_by=fact.operator.strip(),
        reason=fact.reason.strip(),
        worst_price_nanos=fact.worst_price_nanos,
        asked_via=fact.via,
    )
    _record(turn, override, "requested")
    message = f"{name} is asked for: a second person verifies it with `override verify {name}`"
    turn.answer(fact.request, accepted=True, message=message)


def _refusal(turn: Turn, fact: OverrideRequested) -> str:
    """Why an override cannot be asked for; empty when it can."""
    if not fact.operator.strip():
        return "an override needs your name: --operator NAME"
    if not fact.reason.strip():
        return "an override needs a reason: --reason TEXT"
    if not fact.strategy or not fact.symbol or fact.quantity_nanos_max <= 0:
        return "an override names a strategy, a symbol and a quantity above zero"
    most_ns = turn.policy.resets.override_ns_max
    if not 0 < fact.expires_ns <= most_ns:
        return f"an override lasts at most {most_ns // 1_000_000_000} s under this policy"
    allowed = [row.name for row in turn.active.opening_rows if row.overridable]
    if fact.check not in allowed:
        return f"{fact.check!r} cannot be overridden: only {', '.join(allowed)}"
    if fact.worst_price_nanos is None:
        if fact.check in PRICED:
            return f"an override of {fact.check} names the worst price: --worst-price PRICE"
    elif fact.worst_price_nanos <= 0:
        return "the worst price of an override is above zero"
    if len(turn.state.overrides) >= OVERRIDES_MAX:
        return f"{OVERRIDES_MAX} overrides are open: wait until some have expired"
    return ""


def override_verified(turn: Turn, fact: OverrideVerified) -> None:
    """A second, different person verifies an override: from now on an order may use it."""
    expire(turn)
    message = _unverified(turn, fact)
    accepted = not message
    if accepted:
        override = turn.state.overrides[fact.override]
        override.verified_by = fact.operator.strip()
        _record(turn, override, "verified")
        message = f"{override.override} holds for one order until it expires"
    turn.answer(fact.request, accepted=accepted, message=message)


def _unverified(turn: Turn, fact: OverrideVerified) -> str:
    """Why somebody cannot verify an override; empty when they can."""
    override = turn.state.overrides.get(fact.override)
    if override is None:
        return f"no override {fact.override!r} is open: see `fuseboard override list`"
    if not fact.operator.strip():
        return "a verification needs your name: --operator NAME"
    if _may_be_who_asked(turn, override, fact):
        message = f"{override.asked_by} asked for it: somebody else has to verify it"
        if same_name(fact.operator, override.asked_by):
            return message
        return f"{message}, and this is {fact.via or 'nobody known'} again: with a key of their own"
    if override.verified_by:
        return f"{override.verified_by} has verified it already"
    return ""


def _may_be_who_asked(turn: Turn, override: Override, fact: OverrideVerified) -> bool:
    """Whether who verifies may be who asked: by name and key; by the unix user where two people
    are asked for, else a name on the local socket is believed.
    """
    rules, via = turn.policy.resets, fact.via
    if rules.two_persons or rules.two_persons_always or via.startswith(KEY_VIA):
        return same_person(override.asked_by, override.asked_via, fact.operator, via)
    return same_name(override.asked_by, fact.operator)


def judged_again(turn: Turn, proposal: Proposal) -> tuple[Finding, tuple[str, ...]]:
    """Judge a denied order, and let it pass each row that a verified override of its own is for.

    They are used up only when nothing else denies it.
    """
    expire(turn)
    used: list[Override] = []
    ran: list[str] = []
    for row in proposal.active.rows(proposal.order.intent):
        if not row.passes(proposal):
            override = fitting(turn, proposal, row, used)
            if override is None:
                return row.found(proposal), (*ran, row.name)
            used.append(override)
        else:
            ran.append(row.name)
    for override in used:
        del turn.state.overrides[override.override]
        _record(turn, override, "used", order_id=proposal.order.order_id)
    return ALLOWED, tuple(ran)


def fitting(turn: Turn, proposal: Proposal, row: Row, used: list[Override]) -> Override | None:
    """The verified override that lets an order pass the row that denies it; None when none does.

    One that is `used` already is for the row that it let pass.
    """
    if not row.overridable:
        return None
    order, spent = proposal.order, [at.override for at in used]
    for override in turn.state.overrides.values():
        if (
            override.verified_by
            and override.check == row.name
            and override.override not in spent
            and override.strategy == order.strategy
            and override.symbol == order.symbol
            and override.side is order.side
            and order.quantity_nanos <= override.quantity_nanos_max
            and _within_price(override, proposal)
        ):
            return override
    return None


def _within_price(override: Override, proposal: Proposal) -> bool:
    """Whether the order can fill at no worse price than the override names."""
    worst_nanos, order = override.worst_price_nanos, proposal.order
    if worst_nanos is None:
        return True
    if order.side is Side.BUY:
        return order.worst_price_nanos <= worst_nanos
    least_nanos = order.limit_price_nanos
    if least_nanos is None:
        start_nanos = proposal.instrument.bid_nanos
        if order.stop_price_nanos is not None:
            start_nanos = min(start_nanos, order.stop_price_nanos)
        least_nanos = start_nanos * (NANOS - MARKET_WORST_NANOS) // NANOS
    return least_nanos >= worst_nanos


def expire(turn: Turn) -> None:
    """Forget the overrides whose time is over."""
    for override in list(turn.state.overrides.values()):
        if turn.boot_ns >= override.expires_boot_ns:
            del turn.state.overrides[override.override]
            _record(turn, override, "expired")


def forget(turn: Turn) -> None:
    """The node started: an override is for the moment in which it was asked for."""
    for override in list(turn.state.overrides.values()):
        del turn.state.overrides[override.override]
        _record(turn, override, "expired")


def _record(turn: Turn, override: Override, stage: str, order_id: str = "") -> None:
    turn.out.append(
        RecordOverride(
            override=override.override,
            stage=stage,
            strategy=override.strategy,
            symbol=override.symbol,
            side=override.side,
            quantity_nanos_max=override.quantity_nanos_max,
            check=override.check,
            asked_by=override.asked_by,
            verified_by=override.verified_by,
            reason=override.reason,
            expires_boot_ns=override.expires_boot_ns,
            order_id=order_id,
            policy=turn.state.policy_digest,
            worst_price_nanos=override.worst_price_nanos,
        )
    )
