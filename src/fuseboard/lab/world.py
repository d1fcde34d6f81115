"""One trial's world: the tape in slices, the exchange, the strategy; time is the tape's.

Theory of operation. Time moves to the end of the next slice that holds something. Then, in order:

1. what followed from the slice before is written down (`Chronicle.sample`);
2. the slice's events reach the exchange, each at its own time, and the desk's feed;
3. what happened to orders at the exchange is delivered to the desk;
4. the strategy is told what became of its orders *before* this slice ended, then the slice's
   trades and quotes, conflated; what it wants goes to the desk at the slice's end.

So nobody sees what has not happened, an answer takes at least a slice, and the gate and no gate
differ in nothing but the gate. Between two slices time may stop because the gate's loop wants to
be woken: then the events until there are shown, and the strategy waits for its slice.
"""

from collections.abc import Callable, Sequence

from fuseboard.exchange.exchange import Exchange
from fuseboard.feeds.tapes.tape import TapeEvent, TapeHalt, TapeQuote, TapeTrade
from fuseboard.lab.chronicle import Chronicle
from fuseboard.lab.conflating import Conflating
from fuseboard.lab.desk import Desk
from fuseboard.lab.liquidating import Liquidating
from fuseboard.lab.signals import Signals
from fuseboard.lab.slices import Slices
from fuseboard.lab.strategy import Fill, Intent, Place

Progress = Callable[[int], None]
"""Told the tape's time, once a slice."""


class World:
    """See the module. `over` says that the tape and what followed from it are played."""

    def __init__(
        self,
        *,
        slices: Slices,
        exchange: Exchange,
        desk: Desk,
        signals: Signals,
        chronicle: Chronicle,
        liquidating: Liquidating,
        began_ns: int,
        progress: Progress,
    ) -> None:
        self.over = False
        self._slices = slices
        self._exchange = exchange
        self._desk = desk
        self._signals = signals
        self._chronicle = chronicle
        self._liquidating = liquidating
        self._progress = progress
        self._now_ns = began_ns
        self._slice_ended_ns = began_ns
        self._conflating = Conflating()
        self._last_ns: int | None = None

    def due_ns(self) -> int | None:
        """When a slice next ends in which something happens; None once it is over."""
        if self.over:
            return None
        event_ns = self._slices.next_end_ns
        if event_ns is None and self._last_ns is None:
            # One more, for what follows from the last events.
            self._last_ns = self._slices.end_after(self._now_ns)
        due_ns = self._last_ns if event_ns is None else event_ns
        assert due_ns is not None
        if self._desk.outcomes:
            due_ns = min(due_ns, self._slices.end_after(self._now_ns))
        order_ns = self._exchange.next_due_ns()
        if order_ns is not None:
            order_ns = max(order_ns, self._now_ns + 1)
            due_ns = min(due_ns, self._slices.end_after(order_ns - 1))
        return due_ns

    def pass_to(self, now_ns: int) -> None:
        """Time has passed, to the end of a slice or to some moment before that."""
        due_ns = self.due_ns()
        assert due_ns is not None, "it is over"
        assert self._now_ns <= now_ns <= due_ns, "no slice is jumped over"
        if self._slice_ended_ns == self._now_ns:
            self._chronicle.sample(self._now_ns)
        self._now_ns = now_ns
        self._show_until(now_ns)
        if now_ns < due_ns:
            return
        self._slice_ended_ns = now_ns
        outcomes, self._desk.outcomes = self._desk.outcomes, []
        self._exchange.advance(now_ns)
        self._desk.pump()
        for outcome in outcomes:
            if isinstance(outcome, Fill):
                self._want(self._signals.on_fill(outcome))
            else:
                self._want(self._signals.on_end(outcome))
        trades, quotes = self._conflating.taken(now_ns)
        for trade in trades:
            self._want(self._signals.on_trade(trade))
        for quote in quotes:
            self._want(self._signals.on_quote(quote))
        self._progress(now_ns)
        if now_ns == self._last_ns:
            self.over = True

    def end(self) -> int:
        """After everything has settled: the last sample; the time of the end."""
        self._desk.pump()
        self._chronicle.sample(self._now_ns)
        return self._now_ns

    def _show_until(self, now_ns: int) -> None:
        """The tape's events before a time, to everybody."""
        exchange, desk, chronicle = self._exchange, self._desk, self._chronicle
        conflating, liquidating = self._conflating, self._liquidating
        events = 0
        for event in self._slices.until(now_ns):
            events += 1
            if type(event) is TapeQuote:
                exchange.on_quote(event)
                desk.show_quote(event)
                chronicle.on_quote(event)
                conflating.quote(event)
                liquidating.on_quote(event)
            elif type(event) is TapeTrade:
                exchange.on_trade(event)
                desk.show_trade(event)
                chronicle.on_trade(event)
                conflating.trade(event)
            else:
                self._show_halt(event)
        chronicle.events += events

    def _show_halt(self, event: TapeEvent) -> None:
        assert isinstance(event, TapeHalt), f"a tape tells no {type(event).__name__}"
        for told in self._exchange.on_halt(event):
            self._desk.show_status(told)
            kind = "resume" if event.resumes else "halt"
            self._chronicle.note(event.at_ns, kind, symbol=event.symbol, text=told.reason)

    def _want(self, intents: Sequence[Intent]) -> None:
        for intent in intents:
            if isinstance(intent, Place):
                self._desk.place(intent, self._now_ns)
            else:
                self._desk.cancel(intent, self._now_ns)
