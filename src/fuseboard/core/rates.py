"""Soft limits of rates: one alert when what a window counts comes to 80 % of what it may hold.

Only an event can bring a count up, so each count is looked at when it is counted, and no burst is
missed between two judgements. That costs an ordinary order nothing: the quick pass compares with
the soft limit where it would compare with the limit, and leaves what reaches it to the table; who
comes from there is looked at here.

A rate is said once, and again only after its count was well below (75 %, seen by the clock while
anything is near) and a minute has passed: for each rate and strategy at most one alert a minute.
What jumps to its limit without an event in between, because a policy lowered it or because it is
so small that four fifths of it are all of it, trips or is denied, and that is said in its place.
"""

from typing import Final

from msgspec import Struct

from fuseboard.core.book import Order
from fuseboard.core.nearness import JUDGED_EVERY_NS
from fuseboard.core.state import Turn
from fuseboard.core.throttles import RateNear, Ring, near_clear_from, near_from
from fuseboard.policy.keys import KEYS
from fuseboard.policy.limits import MINUTE_NS, Limits
from fuseboard.policy.shown import duration
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE, strategy_scope
from fuseboard.vocabulary.money import shown_share
from fuseboard.vocabulary.orders import Intent, Severity
from fuseboard.vocabulary.reasons import Reason

SAID_EVERY_NS: Final = MINUTE_NS
NEAR_MAX: Final = 1_000
"""Rates that are known to be near; of more the one that was said first may be said again."""
ORDERS: Final = "order_rate_max"
MESSAGES: Final = "messages_max"
EXECUTIONS: Final = "repeated_executions_max"
WINDOWS: Final = {
    ORDERS: "order_rate_window_ns",
    MESSAGES: "messages_window_ns",
    EXECUTIONS: "repeated_executions_window_ns",
}
"""Every rate of `Limits`, and the field that says in what time."""


class _Rate(Struct, frozen=True, gc=False):
    """One rate of one strategy, or of the account where `strategy` is empty."""

    field: str
    strategy: str
    what: str = ""
    """Of executions: the symbol and the side."""

    def key(self) -> str:
        return f"{self.field}\n{self.strategy}\n{self.what}"

    def limit(self, limits: Limits) -> tuple[int, int]:
        """How many in what time; 0 where nothing limits it."""
        return getattr(limits, self.field) or 0, getattr(limits, WINDOWS[self.field])

    def ring(self, turn: Turn) -> Ring | None:
        """Its times; None where nothing was counted, or no longer is."""
        throttles = turn.state.throttles
        if self.field == MESSAGES:
            return throttles.messages
        if self.field == EXECUTIONS:
            return throttles.executions.get(f"{self.strategy}\n{self.what}")
        return throttles.rates.get(self.strategy) if self.strategy else throttles.account


def order_counted(turn: Turn, order: Order) -> None:
    """An order that opens was counted, or denied for its rate: look at its rates."""
    if order.intent is Intent.OPEN:
        _look(turn, _Rate(ORDERS, order.strategy), order.strategy)
        if turn.state.throttles.account is not None:
            _look(turn, _Rate(ORDERS, ""), order.strategy)


def message_counted(turn: Turn, strategy: str) -> None:
    """A message of a strategy was counted: look at the rate of all messages."""
    _look(turn, _Rate(MESSAGES, ""), strategy)


def executed(turn: Turn, order: Order) -> None:
    """An order's first fill was counted and did not disable its strategy."""
    what = f"{order.symbol}\n{order.side.value}"
    _look(turn, _Rate(EXECUTIONS, order.strategy, what), order.strategy)


def judge_when_due(turn: Turn) -> None:
    """Time passed: what is well below its limit may be said again, a minute after it was."""
    near = turn.state.throttles.near
    for key, known in list(near.items()):
        known.quiet = known.quiet or not _busy(turn, key)
        if known.quiet and turn.boot_ns - known.said_boot_ns >= SAID_EVERY_NS:
            del near[key]


def next_deadline(turn: Turn) -> int:
    """When a rate that is near may be well below its limit; 0 when none is near."""
    due_boot_ns = 0
    for key, known in turn.state.throttles.near.items():
        at_boot_ns = known.said_boot_ns + SAID_EVERY_NS if known.quiet else _busy(turn, key)
        at_boot_ns = max(at_boot_ns, turn.boot_ns + JUDGED_EVERY_NS)
        due_boot_ns = min(due_boot_ns or at_boot_ns, at_boot_ns)
    return due_boot_ns


def node_started(turn: Turn) -> None:
    """A restart, by a clock that may be another: what was said then counts as said now at most."""
    for known in turn.state.throttles.near.values():
        known.said_boot_ns = min(known.said_boot_ns, turn.boot_ns)


def _busy(turn: Turn, key: str) -> int:
    """Until when a rate is not well below its limit if nothing more comes; 0: it is already."""
    rate = _Rate(*key.split("\n", 2))
    most, window_ns = rate.limit(turn.active.limits)
    ring = rate.ring(turn)
    if ring is None or not most or not ring.full(near_clear_from(most), window_ns, turn.boot_ns):
        return 0
    return ring.newest_boot_ns(near_clear_from(most)) + window_ns


def _look(turn: Turn, rate: _Rate, strategy: str) -> None:
    """Say that a rate is near its limit, if it is and was not said; `strategy` brought it there."""
    limits, boot_ns = turn.active.limits, turn.boot_ns
    most, window_ns = rate.limit(limits)
    ring = rate.ring(turn)
    if ring is None or not most or not ring.full(near_from(most), window_ns, boot_ns):
        return
    near, key = turn.state.throttles.near, rate.key()
    known = near.get(key)
    if known is not None and not known.quiet:
        return
    of_strategy = f"{rate.field}\n{rate.strategy}\n"
    for other, at in near.items():
        if boot_ns - at.said_boot_ns < SAID_EVERY_NS and other.startswith(of_strategy):
            return
    near.pop(key, None)
    near[key] = RateNear(boot_ns)
    if len(near) > NEAR_MAX:
        del near[next(iter(near))]
    text = _said(limits, rate, strategy, ring.within(window_ns, boot_ns))
    scope = strategy_scope(rate.strategy) if rate.strategy else ACCOUNT_SCOPE
    turn.alert(Severity.INFO, Reason.LIMIT_NEAR, text, scope)
    turn.wake(next_deadline(turn))


def _said(limits: Limits, rate: _Rate, strategy: str, count: int) -> str:
    """Who, how many of what in which time, of how many, by which line of the policy."""
    most, window_ns = rate.limit(limits)
    who, last = rate.strategy, ""
    if not who:
        who, last = "all strategies", f", the last by {strategy}"
    if rate.field == EXECUTIONS:
        symbol, _, side = rate.what.partition("\n")
        what, then = f"executions of {symbol} {side}", "at it the strategy is halted"
    elif rate.field == MESSAGES:
        what, then = "messages", "above it orders are denied"
    else:
        kills = rate.strategy and limits.order_rate_kills
        then = "above it the strategy is killed" if kills else "above it orders are denied"
        what = "orders"
    share = shown_share(count, most)
    key = KEYS[Limits][rate.field]
    return (
        f"{who}: {count} {what} within {duration(window_ns)}{last}, {share} of the limit {most}"
        f" ({key}): near; {then}"
    )
