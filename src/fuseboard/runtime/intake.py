"""The one way in: bounded lanes, first to last operator, broker, cancel, time, then the market.

Orders and quotes share the last lane, because a quote that moved across an order would change
what the order is judged by (DESIGN law 10). While they wait, quotes and trades are conflated per
symbol; an order *seals* what waits before it, and later quotes start afresh behind it.

When there is too much:

- orders are refused (`offer` says no), also when `market_facts_max` quotes wait already: without
  a further order there is no further seal, so at most `market_facts_max` + 3 `symbols_max` facts
  of the market ever wait, and no quote is lost or moved for it;
- a symbol beyond `symbols_max` in one seal is refused and counted: a missing quote tightens;
- cancels are refused beyond `cancels_max`, which lies above what the gateway lets wait;
- facts of the broker and of operators, and exchanges' halts, are never refused: reaching their
  bound is a fault of ours, and the loop stops the node.

Everything here happens in the event loop's thread.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from fuseboard.vocabulary import inputs
from fuseboard.vocabulary.copy_inputs import ExecutionsSeen, WorkingSeen
from fuseboard.vocabulary.disconnect_facts import StrategyLost, StrategySeen
from fuseboard.vocabulary.dividend_facts import DividendsSeen
from fuseboard.vocabulary.inputs import (
    Input,
    OrderRequested,
    ReplaceRequested,
    RequestsDenied,
    RequestsThrottled,
)
from fuseboard.vocabulary.market_inputs import (
    BookSeen,
    FeedHeard,
    QuoteSeen,
    TradeSeen,
    TradeWithdrawn,
    TradingHalted,
    TradingResumed,
)
from fuseboard.vocabulary.operator_inputs import (
    CashMoved,
    ControlUsed,
    DividendSaid,
    OperatorHaltRequested,
    OperatorResetRequested,
    OverrideRequested,
    OverrideVerified,
)
from fuseboard.vocabulary.restored_inputs import OrdersSinceSeen

WAITED_NS: Final = 1_000_000
"""A quote, book or trade that stood longer than this in the intake waited for other work: 1 ms."""
_Conflated = QuoteSeen | BookSeen | TradeSeen
_Sealing = (
    OrderRequested
    | ReplaceRequested
    | RequestsThrottled
    | RequestsDenied
    | StrategyLost
    | StrategySeen
)
"""What a strategy asks for, and that it is gone or back: it keeps its place among the quotes."""

OPERATOR: Final = 0
BROKER: Final = 1
CANCEL: Final = 2
TIME: Final = 3
MARKET: Final = 4

LANE_OF: Final[dict[type, int]] = {
    inputs.NodeStarted: OPERATOR,
    inputs.PolicyAdopted: OPERATOR,
    inputs.DrainRequested: OPERATOR,
    inputs.NodeFaulted: OPERATOR,
    OperatorHaltRequested: OPERATOR,
    OperatorResetRequested: OPERATOR,
    ControlUsed: OPERATOR,
    CashMoved: OPERATOR,
    DividendSaid: OPERATOR,
    inputs.MeasureReported: OPERATOR,
    OverrideRequested: OPERATOR,
    OverrideVerified: OPERATOR,
    inputs.OrderSent: BROKER,
    inputs.OrderNotSent: BROKER,
    inputs.OrderUnknown: BROKER,
    inputs.OrderWorking: BROKER,
    inputs.FillReported: BROKER,
    inputs.OrderEnded: BROKER,
    inputs.CancelRefused: BROKER,
    inputs.ForeignOrderSeen: BROKER,
    OrdersSinceSeen: BROKER,
    inputs.AccountSeen: BROKER,
    inputs.BrokerClockSeen: BROKER,
    inputs.SessionRolled: BROKER,
    inputs.TimeOfDayReached: BROKER,
    DividendsSeen: BROKER,
    inputs.PositionsSeen: BROKER,
    ExecutionsSeen: BROKER,
    WorkingSeen: BROKER,
    inputs.LegRead: BROKER,
    inputs.LegReadFailed: BROKER,
    inputs.BrokerStreamChanged: BROKER,
    TradingHalted: BROKER,
    TradingResumed: BROKER,
    FeedHeard: BROKER,
    inputs.CancelRequested: CANCEL,
    inputs.TimeAdvanced: TIME,
    inputs.OrderRequested: MARKET,
    inputs.ReplaceRequested: MARKET,
    inputs.RequestsThrottled: MARKET,
    inputs.RequestsDenied: MARKET,
    StrategyLost: MARKET,
    StrategySeen: MARKET,
    QuoteSeen: MARKET,
    BookSeen: MARKET,
    TradeSeen: MARKET,
    TradeWithdrawn: MARKET,
}


class IntakeLimits(Struct, frozen=True, kw_only=True):
    """How much may wait in each lane."""

    operator_facts_max: int = 1_024
    broker_facts_max: int = 65_536
    cancels_max: int = 16_384
    orders_max: int = 4_096
    symbols_max: int = 4_096
    """Symbols whose quotes may wait within one seal; as many again for trades, and for books."""
    market_facts_max: int = 32_768
    """Waiting quotes and trades beyond which no order is taken, so that no seal is added."""


class Intake:
    """Facts that wait for the loop. `refused` counts what was turned away, `waited` the quotes,
    books and trades taken out later than `WAITED_NS`, by the stopwatch, after the first of those
    that they carry came in.
    """

    def __init__(
        self,
        limits: IntakeLimits | None = None,
        stopwatch_ns: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        self.limits = limits or IntakeLimits()
        self.fault: str | None = None
        self.refused = 0
        self._operator: deque[Input] = deque()
        self._broker: deque[Input] = deque()
        self._cancels: deque[Input] = deque()
        self._time: deque[Input] = deque()
        self._market = _MarketLane(self.limits, stopwatch_ns)
        self._arrived = asyncio.Event()

    def __len__(self) -> int:
        lanes = (self._operator, self._broker, self._cancels, self._time, self._market)
        return sum(len(lane) for lane in lanes)

    def offer(self, fact: Input) -> bool:
        """Let a fact wait; False when it was refused (see the module's docstring).

        `NodeFaulted` is not queued: it is the same as `fail`.
        """
        lane = LANE_OF[type(fact)]
        if lane == MARKET:
            taken = self._market.offer(fact)
        elif lane == BROKER:
            taken = self._certainly("broker", self._broker, fact, self.limits.broker_facts_max)
        elif lane == CANCEL:
            taken = len(self._cancels) < self.limits.cancels_max
            if taken:
                self._cancels.append(fact)
        elif lane == TIME:
            taken = True
            if not self._time:  # two wake-ups that both wait say the same
                self._time.append(fact)
        elif isinstance(fact, inputs.NodeFaulted):
            self.fail(fact.detail)
            taken = True
        else:
            taken = self._certainly(
                "operator", self._operator, fact, self.limits.operator_facts_max
            )
        if taken:
            self._arrived.set()
        else:
            self.refused += 1
        return taken

    def take(self, facts_max: int) -> list[Input]:
        """At most `facts_max` facts, first lane first, in order of arrival within a lane."""
        taken: list[Input] = []
        for lane in (self._operator, self._broker, self._cancels, self._time):
            while lane and len(taken) < facts_max:
                taken.append(lane.popleft())
        self._market.take_into(taken, facts_max)
        return taken

    def take_acts(self, facts_max: int) -> list[Input]:
        """At most `facts_max` of what operators ask for, and of nothing else."""
        return [self._operator.popleft() for _ in range(min(facts_max, len(self._operator)))]

    def fail(self, detail: str) -> None:
        """Report a fault of ours: the loop stops the node at its next turn. The first counts."""
        if self.fault is None:
            self.fault = detail
        self._arrived.set()

    def nudge(self) -> None:
        """Wake the loop although nothing arrived: the disk moved on, or a timer is due."""
        self._arrived.set()

    @property
    def waited(self) -> int:
        """How many of the quotes, books and trades that were taken had waited: contention."""
        return self._market.waited

    async def arrived(self) -> None:
        """Return once something was offered, failed or nudged since the last return."""
        await self._arrived.wait()
        self._arrived.clear()

    def _certainly(self, lane_name: str, lane: deque[Input], fact: Input, facts_max: int) -> bool:
        if len(lane) >= facts_max:
            self.fail(f"the intake's {lane_name} lane holds {facts_max} facts, its maximum")
            return False
        lane.append(fact)
        return True


class _Waiting:
    """A conflated quote, book or trade that waits, replaced in place while its seal is open."""

    __slots__ = ("came_ns", "fact")

    def __init__(self, fact: _Conflated, came_ns: int) -> None:
        self.fact = fact
        self.came_ns = came_ns


class _MarketLane:
    """Orders and conflated quotes in one line; `_open` holds the open seal's by kind and symbol."""

    def __init__(self, limits: IntakeLimits, stopwatch_ns: Callable[[], int]) -> None:
        self.waited = 0
        self._stopwatch_ns = stopwatch_ns
        self._limits = limits
        self._line: deque[_Waiting | _Sealing | TradeWithdrawn] = deque()
        self._orders = 0
        self._open: dict[type[_Conflated], dict[str, _Waiting]] = {
            QuoteSeen: {},
            BookSeen: {},
            TradeSeen: {},
        }

    def __len__(self) -> int:
        return len(self._line)

    def offer(self, fact: Input) -> bool:
        if isinstance(fact, _Sealing):
            return self._offer_order(fact)
        if isinstance(fact, TradeWithdrawn):
            return self._offer_withdrawal(fact)
        assert isinstance(fact, _Conflated)
        waiting_by_symbol = self._open[type(fact)]
        waiting = waiting_by_symbol.get(fact.symbol)
        if waiting is not None:
            waiting.fact = _conflated(waiting.fact, fact)
            return True
        if len(waiting_by_symbol) >= self._limits.symbols_max:
            return False
        waiting = waiting_by_symbol[fact.symbol] = _Waiting(fact, self._stopwatch_ns())
        self._line.append(waiting)
        return True

    def _offer_order(self, order: _Sealing) -> bool:
        market_facts = len(self._line) - self._orders
        if self._orders >= self._limits.orders_max or market_facts >= self._limits.market_facts_max:
            return False
        self._line.append(order)
        self._orders += 1
        # The seal: what waits before the order may not change any more.
        for waiting_by_symbol in self._open.values():
            waiting_by_symbol.clear()
        return True

    def _offer_withdrawal(self, fact: TradeWithdrawn) -> bool:
        """Never conflated; no later trade of its symbol may move before it."""
        if len(self._line) - self._orders >= self._limits.market_facts_max:
            return False
        self._open[TradeSeen].pop(fact.symbol, None)
        self._line.append(fact)
        return True

    def take_into(self, taken: list[Input], facts_max: int) -> None:
        late_ns = self._stopwatch_ns() - WAITED_NS
        while self._line and len(taken) < facts_max:
            first = self._line.popleft()
            if not isinstance(first, _Waiting):
                self._orders -= isinstance(first, _Sealing)
                taken.append(first)
                continue
            fact = first.fact
            open_seal = self._open[type(fact)]
            if open_seal.get(fact.symbol) is first:
                del open_seal[fact.symbol]
            if first.came_ns < late_ns:
                self.waited += 1
            taken.append(fact)


def _conflated(earlier: _Conflated, later: _Conflated) -> _Conflated:
    """The later fact with the extremes and the count of both; of books the later one."""
    if isinstance(later, BookSeen):
        return replace(later, count=earlier.count + later.count)
    if isinstance(later, QuoteSeen):
        assert isinstance(earlier, QuoteSeen)
        return QuoteSeen(
            symbol=later.symbol,
            bid_nanos=later.bid_nanos,
            ask_nanos=later.ask_nanos,
            bid_size_nanos=later.bid_size_nanos,
            ask_size_nanos=later.ask_size_nanos,
            event_ns=later.event_ns,
            bid_low_nanos=min(earlier.bid_low_nanos, later.bid_low_nanos),
            ask_high_nanos=max(earlier.ask_high_nanos, later.ask_high_nanos),
            count=earlier.count + later.count,
        )
    assert isinstance(earlier, TradeSeen)
    assert isinstance(later, TradeSeen)
    return TradeSeen(
        symbol=later.symbol,
        price_nanos=later.price_nanos,
        size_nanos=later.size_nanos,
        event_ns=later.event_ns,
        low_nanos=min(earlier.low_nanos, later.low_nanos),
        high_nanos=max(earlier.high_nanos, later.high_nanos),
        count=earlier.count + later.count,
    )
