"""Trying again: what of a close's end is a fault, how far and how soon the next goes, until when.

Theory of operation. A close takes what there is within its collar and ends; what it did not get
then rests at the market's own price for the time of a close, and the next one takes again (ADR
0018). What the market answers, nothing or a part, is no failure: the leg asks again, until it is
flat or `close_within` is over. The time counts from the plan's beginning, and anew from what kept
the market from being asked: an exchange's halt, no way to the broker, a restart, a person who asks
again. A close that was to take and got nothing doubles the next one's collar around the quote of
its moment, up to `close_collar_max`; one that got a part does not: the market trades there. The
longer a market gives nothing, the less often it is asked; `ATTEMPTS_MAX` closes are spread over
`close_within`, and each has to come through the request budget. People are told once that it takes
long, while it goes on. In the end, what is left is listed and paged, and a person asks again: a
machine that sells into whatever comes hours later does not know why it should (ADR 0014).

Where a part of a share is closed, or the broker refuses to trade at once, a close is both: it takes
as far as its collar, and what is left of it rests there. One of these that it refuses as well shows
that the shape was not what it refused: the next is to trade at once again.

What the broker answers is another thing: `close_attempts` closes in a row that it refused, or ended
by itself, are the last, because whatever is wrong there a person has to see to.
"""

from typing import Final

from fuseboard.core.legs import Leg, Plan
from fuseboard.core.state import Turn
from fuseboard.policy.shown import duration
from fuseboard.vocabulary import trying as closes
from fuseboard.vocabulary.money import text_from_nanos
from fuseboard.vocabulary.orders import OrderStatus, Severity
from fuseboard.vocabulary.trying import FAULTS, NOT_TAKEN, PAUSE_NS

ATTEMPTS_MAX: Final = 960
"""Closes of one leg: who goes on with a trip steps over the ids of all that went before."""
ATTEMPTS_FREE: Final = 120
"""So many may follow each other as they like; the others are spread over `close_within`."""
WHY_CHARS_MAX: Final = 200
"""Of what is said of a read that failed: pages repeat it."""


def answered(
    turn: Turn,
    plan: Plan,
    leg: Leg,
    *,
    status: OrderStatus,
    filled_nanos: int,
    taken_back: bool,
    at_once: bool,
) -> int:
    """Count a close that the broker took or refused, as `vocabulary.trying.answered` says; when the
    next attempt may start.
    """
    faults = leg.faults
    next_boot_ns = closes.answered(
        leg,
        status,
        filled_nanos,
        now_ns=turn.boot_ns,
        since_ns=_since_boot_ns(plan, leg),
        taken_back=taken_back,
        at_once=at_once,
    )
    leg.reads, leg.why = 0, FAULTS if leg.faults > faults else ""
    if leg.why or status is OrderStatus.FILLED:
        return next_boot_ns
    return max(next_boot_ns, _spread_boot_ns(turn, plan, leg))


def not_sent(turn: Turn, plan: Plan, leg: Leg) -> int:
    """A close did not reach the broker, which is no fault to count; when the next may start."""
    leg.reads, leg.why = 0, "its close does not reach the broker"
    time_again(turn, leg)
    return max(turn.boot_ns + PAUSE_NS, _spread_boot_ns(turn, plan, leg))


def was_read(leg: Leg) -> None:
    """The broker answered."""
    leg.reads += 1
    if leg.unread_boot_ns:
        leg.unread_boot_ns, leg.why = 0, leg.read_why


def not_read(turn: Turn, plan: Plan, leg: Leg, detail: str) -> None:
    """The broker could not be read, which is no time of the market's: paged once if that lasts."""
    time_again(turn, leg)
    if not leg.unread_boot_ns:
        leg.read_why = leg.why
    leg.why = detail[:WHY_CHARS_MAX] or "no reason given"
    # A machine that was started anew counts from there.
    leg.unread_boot_ns = min(leg.unread_boot_ns or turn.boot_ns, turn.boot_ns)
    at_most_ns = should_ns(turn)
    if plan.told_unread or turn.boot_ns < leg.unread_boot_ns + at_most_ns:
        return
    plan.told_unread = True
    text = (
        f"the liquidation of {plan.trip} takes long: {leg.symbol} could not be read at the broker"
        f" for {duration(at_most_ns)}, and nothing closes it: {leg.why};"
        " it asks again until it can be read, or a person freezes it"
    )
    turn.alert(Severity.PAGE, plan.reason, text, plan.scope)


def _since_boot_ns(plan: Plan, leg: Leg) -> int:
    return leg.since_boot_ns or plan.began_boot_ns


def _spread_boot_ns(turn: Turn, plan: Plan, leg: Leg) -> int:
    """When the next attempt may start at the earliest, so that their numbers last."""
    every_ns = turn.policy.execution.close_within_ns // (ATTEMPTS_MAX - ATTEMPTS_FREE)
    return plan.began_boot_ns + (leg.attempt - ATTEMPTS_FREE) * every_ns


def time_again(turn: Turn, leg: Leg) -> None:
    """Something else than the market kept it waiting: its time counts from now."""
    leg.since_boot_ns = turn.boot_ns


def all_again(turn: Turn, leg: Leg) -> None:
    """A leg begins once more, with everything but the numbers of its closes."""
    leg.tries = leg.faults = leg.reads = leg.unread_boot_ns = 0
    leg.chunk = leg.rests = leg.rests_only = False
    time_again(turn, leg)


def why_over(turn: Turn, plan: Plan, leg: Leg) -> str:
    """Why a leg that could close now is left; empty: it goes on. A part is never the last close."""
    rules = turn.policy.execution
    if leg.faults >= rules.close_attempts_max:
        return FAULTS
    if leg.attempt > ATTEMPTS_MAX:
        return f"not closed by {ATTEMPTS_MAX} attempts"
    is_late = turn.boot_ns >= _since_boot_ns(plan, leg) + rules.close_within_ns
    if is_late and leg.turns and not leg.chunk:
        return f"the market did not take it within {duration(rules.close_within_ns)}"
    return ""


def should_ns(turn: Turn) -> int:
    """How long a plan takes before people are told."""
    rules = turn.policy.execution
    should_ns = rules.close_attempts_max * rules.close_wait_ns
    return should_ns if turn.liquidity is None else should_ns + turn.liquidity.exit_within_ns


def tell_if_late(turn: Turn, plan: Plan, leg: Leg) -> None:
    """Page once that a plan takes longer than it should, while it goes on."""
    rules = turn.policy.execution
    if plan.told or turn.boot_ns < _since_boot_ns(plan, leg) + should_ns(turn):
        return
    plan.told = True
    why = leg.why or (NOT_TAKEN if leg.turns else _not_sent_yet(turn))
    text = (
        f"the liquidation of {plan.trip} takes long: {leg.symbol}"
        f" {text_from_nanos(leg.left_nanos)} is still open, {why};"
        f" it goes on until {duration(rules.close_within_ns)} are over, or a person freezes it"
    )
    turn.alert(Severity.PAGE, plan.reason, text, plan.scope)


def _not_sent_yet(turn: Turn) -> str:
    """The market was asked for nothing: what kept its first close from being sent."""
    limit = turn.policy.execution.requests_a_minute
    return (
        "no close of it could be sent yet: what works against it is not final, or cancels and reads"
        f" wait for the request limit ({limit} a minute)"
    )
