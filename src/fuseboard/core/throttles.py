"""Throttles: how often things may happen, as rings of times that are bounded by their limits.

A ring is as long as the policy can ask it to be. A dynamic limit only looks at fewer of the newest
times, so that what was counted before is still there when it lets go.

An order that opens counts in its strategy's rate and, where several trade, in the account's; one
that is denied for its posture or its rate does not, so that a limit is a rate that can be kept.
What a strategy asks beyond the account's rate still counts in its own: a runaway strategy reaches
its own rate also behind a busy account. Cancels count as messages and are never held back.

An execution is an order's first fill: an order that fills in thirty parts is one execution.
"""

from dataclasses import dataclass, field
from typing import Final

from msgspec import Struct

from fuseboard.core.book import Order
from fuseboard.policy.limits import NEAR_CLEAR_PERCENT, NEAR_PERCENT, Limits

EXECUTION_RINGS_MAX: Final = 10_000
RECENT_ORDERS_MAX: Final = 100_000
"""Orders in the duplicate window; with so many, the next order that opens is denied."""
MESSAGES_MAX: Final = 10_000
"""Messages that are counted where the policy sets no limit and a condition asks."""


def near_from(most: int) -> int:
    """The least count that is near a limit: 80 % of it."""
    return -(-NEAR_PERCENT * most // 100)


def near_clear_from(most: int) -> int:
    """The least count that is not yet well below a limit: 75 % of it."""
    return -(-NEAR_CLEAR_PERCENT * most // 100)


@dataclass(slots=True)
class Ring:
    """The times of the last events, as a ring: bounded by the widest limit it measures."""

    times_boot_ns: list[int] = field(default_factory=list)
    at: int = 0
    """Where the oldest stands once the ring is as long as it gets."""

    def full(self, most: int, window_ns: int, boot_ns: int) -> bool:
        """Whether the window already holds as many events as the limit allows.

        The limit may be less than the ring is long: the newest times decide.
        """
        times = self.times_boot_ns
        if len(times) < most:
            return False
        if not most:
            return True
        return boot_ns - times[self.at - most] < window_ns

    def newest_boot_ns(self, nth: int) -> int:
        """When the nth newest event was; there are as many."""
        return self.times_boot_ns[self.at - nth]

    def count(self, times_max: int, boot_ns: int) -> None:
        """Count one event in a ring of this length."""
        times = self.times_boot_ns
        if len(times) < times_max:
            times.append(boot_ns)
        elif times:
            times[self.at] = boot_ns
            self.at = (self.at + 1) % times_max

    def follow(self, times_max: int) -> None:
        """Another length: keep the newest times, in order."""
        if len(self.times_boot_ns) == times_max:
            return
        in_order = self.times_boot_ns[self.at :] + self.times_boot_ns[: self.at]
        self.times_boot_ns = in_order[max(0, len(in_order) - times_max) :]
        self.at = 0

    def within(self, window_ns: int, boot_ns: int) -> int:
        """How many of the events lie within a window that ends now; for showing and measures."""
        return sum(boot_ns - at < window_ns for at in self.times_boot_ns)


class RingLengths(Struct, frozen=True, gc=False):
    """How many times a policy can ask each ring for, whatever dynamic limits hold."""

    orders: int
    messages: int
    executions: int
    """0: nothing limits them."""


class RateNear(Struct):
    """A rate that has come near its limit and was said to."""

    said_boot_ns: int
    quiet: bool = False
    """Whether its count was well below since."""


class OrderNear(Struct):
    """A limit of one order alone that one was said to be near, and when one last was, boot time."""

    least: int
    most: int
    """The least and the most it was when it was said: what lies between is no news."""
    said_boot_ns: int
    near_boot_ns: int


@dataclass(slots=True)
class Throttles:
    """Every ring and counter of one account; all of it is in the snapshot."""

    rates: dict[str, Ring] = field(default_factory=dict)
    """By strategy, of those that have a ledger: bounded as they are."""
    account: Ring | None = None
    """None while a single strategy trades: then its own ring is the account's."""
    messages: Ring = field(default_factory=Ring)
    daily_orders: int = 0
    """Orders accepted since the session began."""
    executions: dict[str, Ring] = field(default_factory=dict)
    """By strategy, symbol and side, least recently used first."""
    recent: dict[str, int] = field(default_factory=dict)
    """What was accepted in the duplicate window and when, oldest first."""
    near: dict[str, RateNear] = field(default_factory=dict)
    """By field of `Limits`, strategy and what else tells rates apart: see `core.rates`."""

    def rate_of(self, strategy: str) -> Ring:
        """The ring of a strategy; with the second one the account gets a ring of its own."""
        found = self.rates.get(strategy)
        if found is None:
            if self.account is None and self.rates:
                (first,) = self.rates.values()
                self.account = Ring(list(first.times_boot_ns), first.at)
            found = self.rates[strategy] = Ring()
        return found

    def follow(self, limits: Limits, lengths: RingLengths) -> None:
        """Other limits or another policy: every ring is as long as the policy needs it."""
        for ring in self.rates.values():
            ring.follow(lengths.orders)
        if self.account is not None:
            self.account.follow(lengths.orders)
        self.messages.follow(lengths.messages)
        if not lengths.executions:
            self.executions = {}
        for ring in self.executions.values():
            ring.follow(lengths.executions)
        if limits.duplicate_window_ns is None:
            self.recent = {}

    def executed(self, order: Order, limits: Limits, times_max: int, boot_ns: int) -> bool:
        """Count an order's first fill; whether its strategy has now repeated itself too often.

        Then what was counted for this strategy is forgotten: a person who re-arms it begins anew.
        """
        key = f"{order.strategy}\n{order.symbol}\n{order.side.value}"
        ring = self.executions.pop(key, None) or Ring()
        self.executions[key] = ring  # the most recently used stands last
        while len(self.executions) > EXECUTION_RINGS_MAX:
            del self.executions[next(iter(self.executions))]
        ring.count(times_max, boot_ns)
        most = (
            limits.repeated_executions_max
        )  # None: only a dynamic limit does, which does not hold
        if most is None or not ring.full(most, limits.repeated_executions_window_ns, boot_ns):
            return False
        own = [name for name in self.executions if name.startswith(f"{order.strategy}\n")]
        for name in own:
            del self.executions[name]
        return True

    def remember(self, like: str, window_ns: int, boot_ns: int) -> None:
        """Remember an accepted order's likeness for as long as another would be a duplicate."""
        recent = self.recent
        if like in recent:
            del recent[like]  # the newest stands last
        recent[like] = boot_ns
        while recent:
            oldest = next(iter(recent))
            if boot_ns - recent[oldest] < window_ns:
                break
            del recent[oldest]

    def session_rolled(self) -> None:
        """A session began: the daily count starts again."""
        self.daily_orders = 0


def messages_max(limits: Limits) -> int:
    """How many times of messages are judged: one more than is allowed, the one that is judged."""
    return MESSAGES_MAX if limits.messages_max is None else limits.messages_max + 1


def likeness(order: Order) -> str:
    """What two orders of one strategy share when one is the other's duplicate."""
    side, kind = order.side._value_, order.order_type._value_  # `.value` is a call for each
    return (
        f"{order.strategy}\n{order.symbol}\n{side}\n{kind}"
        f"\n{order.quantity_nanos}\n{order.limit_price_nanos}\n{order.stop_price_nanos}"
    )
