"""An exchange that runs: a tape played into it by a clock, and whoever listens told.

`catch_up` brings the exchange to the clock's time, event by event in the tape's order. It is
called before each request, so that a request sees all that the tape showed by then and nothing
later, and by `play`, so that time passes when nobody asks. One event loop owns it: nothing here is
thread-safe.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from fuseboard.exchange.clock import TapeClock
from fuseboard.exchange.config import ExchangeConfig
from fuseboard.exchange.dividends import Dividends
from fuseboard.exchange.exchange import Exchange
from fuseboard.exchange.halts import StatusTold
from fuseboard.exchange.history import MINUTE_NS, MINUTES_KEPT_MAX, Bar, SymbolHistory
from fuseboard.exchange.orders import OrderEvent
from fuseboard.feeds.tapes.tape import Tape, TapeEvent, TapeHalt, TapeQuote, TapeTrade

LEDGER_LINES_MAX = 2_000_000
TURN_S_MIN = 0.001
TURN_S_MAX = 0.02
NumberedTrade = tuple[int, TapeTrade]
MarketEvent = TapeQuote | NumberedTrade | tuple[str, Bar] | StatusTold
"""A quote, a numbered trade, a symbol's completed minute bar, or its halt or resumption."""


class RunningExchange:
    """Owns the exchange, its tape, its clock, its history and the lines of its ledger."""

    def __init__(
        self,
        tape: Tape,
        config: ExchangeConfig,
        clock: TapeClock,
        record: Callable[[bytes], None] | None = None,
    ) -> None:
        self.tape = tape
        self.clock = clock
        self.ledger_lines: list[bytes] = []
        self.history = {symbol: SymbolHistory() for symbol in tape.symbols}
        self.equity: deque[tuple[int, int]] = deque(maxlen=MINUTES_KEPT_MAX)
        """(tape time, equity in nano-units) once a minute."""
        self.on_orders: Callable[[Sequence[OrderEvent]], None] = lambda _events: None
        self.on_market: Callable[[Sequence[MarketEvent]], None] = lambda _events: None
        self._record_further = record
        self.exchange = Exchange(config, start_ns=clock.now_ns(), record=self._record)
        self.dividends = Dividends(config.dividends, held=self._held, pay=self._pay)
        self._events = tape.read()
        self._next = next(self._events, None)

    @property
    def tape_ended(self) -> bool:
        """Whether the whole tape was played; the last quotes stay, the clock goes on."""
        return self._next is None

    def catch_up(self) -> int:
        """Bring the exchange to the clock's time, tell the listeners, and return that time."""
        now_ns = max(self.clock.now_ns(), self.exchange.now_ns)
        seen: list[MarketEvent] = []
        while self._next is not None and self._next.at_ns <= now_ns:
            self._pay_due(self._next.at_ns)
            self._take(self._next, seen)
            self._next = next(self._events, None)
        self._pay_due(now_ns)
        self.exchange.advance(now_ns)
        self._sample_equity(now_ns)
        if seen:
            self.on_market(seen)
        self.tell_orders()
        return now_ns

    def halt(self, symbol: str, *, reason: str = "", level: int = 0) -> list[StatusTold]:
        """Halt a symbol, or the market by a level, now, and tell it. As `Halts.halt`."""
        now_ns = self.catch_up()
        told = self.exchange.halts.halt(now_ns, symbol, reason=reason, level=level)
        self.on_market(told)
        return told

    def resume(self, symbol: str) -> list[StatusTold]:
        """Resume a halted symbol, or all, tell it, and let what rests there trade."""
        now_ns = self.catch_up()
        told = self.exchange.halts.resume(now_ns, symbol)
        self.on_market(told)
        for each in told:
            self.exchange.match_again(each.symbol)
        self.tell_orders()
        return told

    def tell_orders(self) -> None:
        """Tell the listener what happened to orders since it was last told."""
        events = self.exchange.events()
        if events:
            self.on_orders(events)

    async def play(self) -> None:
        """Let time pass until cancelled."""
        while True:
            self.catch_up()
            await asyncio.sleep(self._turn_s())

    def _take(self, event: TapeEvent, seen: list[MarketEvent]) -> None:
        if isinstance(event, TapeHalt):
            seen += self.exchange.on_halt(event)
            return
        history = self.history[event.symbol]
        if isinstance(event, TapeQuote):
            self.exchange.on_quote(event)
            history.add_quote(event)
            seen.append(event)
            return
        self.exchange.on_trade(event)
        complete = history.add_trade(event)
        if complete is not None:
            seen.append((event.symbol, complete))
        seen.append(history.trades[-1])

    def _pay_due(self, now_ns: int) -> None:
        """What is due of dividends happens at its time, before what the tape shows then."""
        while (due_ns := self.dividends.next_due_ns()) is not None and due_ns <= now_ns:
            self.exchange.advance(max(due_ns, self.exchange.now_ns))
            self.dividends.advance(due_ns)

    def _held(self, symbol: str) -> int:
        found = [at.quantity_nanos for at in self.exchange.positions() if at.symbol == symbol]
        return sum(found)

    def _pay(self, amount_nanos: int, symbol: str) -> None:
        self.exchange.move_cash(amount_nanos, symbol)

    def _turn_s(self) -> float:
        """How long until something is due, within bounds."""
        known = (self.exchange.next_due_ns(), self.dividends.next_due_ns())
        due = [event_ns for event_ns in known if event_ns is not None]
        if self._next is not None:
            due.append(self._next.at_ns)
        wait_ns = self.clock.wall_ns_until(min(due)) if due else None
        if wait_ns is None:
            return TURN_S_MAX
        return min(max(wait_ns / 1_000_000_000, TURN_S_MIN), TURN_S_MAX)

    def _sample_equity(self, now_ns: int) -> None:
        minute_ns = now_ns // MINUTE_NS * MINUTE_NS
        if not self.equity or self.equity[-1][0] < minute_ns:
            self.equity.append((minute_ns, self.exchange.account().equity_nanos))

    def _record(self, line: bytes) -> None:
        if len(self.ledger_lines) >= LEDGER_LINES_MAX:
            raise OverflowError(f"the ledger has more than {LEDGER_LINES_MAX} lines")
        self.ledger_lines.append(line)
        if self._record_further is not None:
            self._record_further(line)
