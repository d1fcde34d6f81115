"""The world of one seed: its time, its market, the exchange, and whatever else happens when.

Everything that is not a gateway lives here and goes on while gateways are dead. Time is the
exchange's: nanoseconds since the start, which machines see through clocks of their own. All chance
comes from the seed, one stream of it for each purpose, so that a change in one place leaves the
other streams as they were.
"""

import heapq
from collections.abc import Callable
from random import Random
from typing import Final

from fuseboard.exchange.config import ExchangeConfig
from fuseboard.exchange.exchange import Exchange
from fuseboard.exchange.orders import OrderEvent
from fuseboard.feeds.tapes.tape import TapeKind, TapeQuote, TapeTrade
from fuseboard.vocabulary.money import NANOS

SECOND_NS: Final = NANOS
MILLI_NS: Final = NANOS // 1_000
START_WALL_NS: Final = 1_767_625_200 * NANOS
"""5 January 2026, 10:00 in New York: the market is open."""
SYMBOLS: Final = ("AAA", "BBB")
EQUITY_NANOS: Final = 100_000 * NANOS
TICK_NS: Final = 500 * MILLI_NS
HAPPENINGS_MAX: Final = 200_000
CENT_NANOS: Final = NANOS // 100


class World:
    """Time, market and exchange; an `Agenda` for the event loop."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.now_ns = 0
        self.ledger: list[bytes] = []
        self.prices = dict.fromkeys(SYMBOLS, 100 * NANOS)
        self.listeners: list[Callable[[OrderEvent], None]] = []
        self.watchers: list[Callable[[TapeQuote, TapeTrade], None]] = []
        self.happened = 0
        self._agenda: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0
        self._still = False
        self._drift_nanos = 0
        """What every price loses at a tick, as a fraction."""
        self._market = self.chance("market")
        self.exchange = Exchange(
            ExchangeConfig(
                kind=TapeKind.US_EQUITY,
                symbols=SYMBOLS,
                cash_nanos=EQUITY_NANOS,
                latency_ns=self._market.choice((0, 2, 20)) * MILLI_NS,
                seed=seed,
            ),
            start_ns=START_WALL_NS,
            record=self.ledger.append,
        )
        self._tick()

    def chance(self, purpose: str) -> Random:
        """The seed's chance for one purpose."""
        return Random(f"{self.seed} {purpose}")  # noqa: S311 - repeatable on purpose

    def wall_ns(self) -> int:
        """The true time of day, which the exchange lives by."""
        return START_WALL_NS + self.now_ns

    # --- time ------------------------------------------------------------------------------------

    def after(self, delay_ns: int, happen: Callable[[], None]) -> None:
        """Let something happen a little later."""
        assert delay_ns >= 0
        assert len(self._agenda) < HAPPENINGS_MAX, "the world has too much to do"
        self._count += 1
        heapq.heappush(self._agenda, (self.now_ns + delay_ns, self._count, happen))

    def due_in_ns(self) -> int | None:
        """How long until the next thing happens."""
        due_ns = self._agenda[0][0] if self._agenda else None
        at_exchange = self.exchange.next_due_ns()
        if at_exchange is not None:
            at_exchange -= START_WALL_NS
            due_ns = at_exchange if due_ns is None else min(due_ns, at_exchange)
        return None if due_ns is None else max(0, due_ns - self.now_ns)

    def leap_ns(self) -> int:
        """Every timer is met."""
        return 0

    def pass_ns(self, passed_ns: int) -> None:
        """Time passes: what is due happens, in order."""
        self.now_ns += passed_ns
        self.exchange.advance(self.wall_ns())
        self.pump()
        while self._agenda and self._agenda[0][0] <= self.now_ns:
            _, _, happen = heapq.heappop(self._agenda)
            self.happened += 1
            happen()

    def pass_until(self, at_ns: int) -> None:
        """Let time pass without any gateway."""
        while self.now_ns < at_ns:
            due_ns = self.due_in_ns()
            left_ns = at_ns - self.now_ns
            self.pass_ns(left_ns if due_ns is None else min(due_ns, left_ns))

    # --- the market ------------------------------------------------------------------------------

    def crash_market(self, ticks: int, fall_nanos: int) -> None:
        """From now on prices fall by this fraction at each of so many ticks."""
        self._drift_nanos = fall_nanos
        self.after(ticks * TICK_NS, self._calm_market)

    def pump(self) -> None:
        """Tell everybody who listens what happened at the exchange."""
        for event in self.exchange.events():
            for listener in self.listeners:
                listener(event)

    def hold_market(self) -> None:
        """From now on prices stand still, and there is always enough on both sides."""
        self._still = True

    def _calm_market(self) -> None:
        self._drift_nanos = 0

    def _tick(self) -> None:
        for symbol in SYMBOLS:
            step_nanos = self._market.randrange(-3_000_000, 3_000_001) - self._drift_nanos
            if self._still:
                step_nanos = 0
            price = self.prices[symbol] * (NANOS + step_nanos) // NANOS
            price = max(price // CENT_NANOS * CENT_NANOS, 5 * NANOS)
            self.prices[symbol] = price
            self._show(symbol, price)
        self.pump()
        self.after(TICK_NS, self._tick)

    def _show(self, symbol: str, price_nanos: int) -> None:
        at_ns = self.wall_ns()
        size_nanos = (5_000 if self._still else self._market.choice((5, 50, 500))) * NANOS
        quote = TapeQuote(
            symbol=symbol,
            at_ns=at_ns,
            bid_nanos=price_nanos - CENT_NANOS,
            ask_nanos=price_nanos + CENT_NANOS,
            bid_size_nanos=size_nanos,
            ask_size_nanos=size_nanos,
        )
        trade = TapeTrade(
            symbol=symbol, at_ns=at_ns, price_nanos=price_nanos, size_nanos=size_nanos
        )
        self.exchange.on_quote(quote)
        self.exchange.on_trade(trade)
        for watcher in self.watchers:
            watcher(quote, trade)
