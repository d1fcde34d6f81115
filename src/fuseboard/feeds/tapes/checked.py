"""Checks of every tape, in one place: time order and sanity, of each event as it is read.

A record is passed on as it is, with its bad quotes and wild prints: whoever protects money has to
meet them. They are counted by kind, with the first example. What cannot be passed on is left out
and counted: a price or a size that is not positive, a price without a size.

Fatal (`TapeUnreadable`, with file and line): an event older than one before it by more than the
tape's `late_ns_max` (one that is less late is put in its place), more than `WAITING_EVENTS_MAX`
events inside that time, levels that are not best first or do not begin with the quote, and a
symbol that the tape does not name.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from heapq import heappop, heappush
from typing import Final

from msgspec import structs

from fuseboard.feeds.tapes.findings import FindingKind, Findings, TapeChecked
from fuseboard.feeds.tapes.tape import Tape, TapeEvent, TapeLevels, TapeQuote, TapeTrade
from fuseboard.feeds.tapes.tape import TapeUnreadable as Unreadable
from fuseboard.feeds.tapes.times import SECOND_NS
from fuseboard.vocabulary.money import text_from_nanos

WAITING_EVENTS_MAX: Final = 100_000
GAP_OF_TYPICAL: Final = 100
GAP_NS_MIN: Final = 30 * SECOND_NS


def checked(tape: Tape) -> Tape:
    """The same tape, its events checked as they are read."""

    def noting(found: Findings) -> Iterator[TapeEvent]:
        sane = _Sanity(tape, found).judged(_read(tape, found))
        return _in_order(sane, tape, found)

    return structs.replace(tape, read=lambda: noting(Findings()), read_noting=noting)


def findings_of(tape: Tape) -> TapeChecked:
    """Read a whole checked tape and tell what was found. Raises `TapeUnreadable`."""
    found = Findings()
    for _ in _read(tape, found):
        pass
    return found.told()


def _read(tape: Tape, found: Findings) -> Iterator[TapeEvent]:
    return tape.read() if tape.read_noting is None else tape.read_noting(found)


def _in_order(events: Iterator[TapeEvent], tape: Tape, found: Findings) -> Iterator[TapeEvent]:
    """The events by time, the ones of one time as they came."""
    late_ns_max = tape.tolerances.late_ns_max
    waiting: list[tuple[int, int, TapeEvent]] = []
    newest_ns = 0
    for number, event in enumerate(events):
        at_ns = event.at_ns
        if at_ns < newest_ns:
            if at_ns < newest_ns - late_ns_max:
                raise Unreadable(_too_late(found, at_ns, newest_ns, late_ns_max))
            found.note(FindingKind.LATE, at_ns, f"by {shown_span(newest_ns - at_ns)}")
        else:
            newest_ns = at_ns
        if not late_ns_max:
            yield event
            continue
        heappush(waiting, (at_ns, number, event))
        while waiting[0][0] <= newest_ns - late_ns_max:
            yield heappop(waiting)[2]
        if len(waiting) > WAITING_EVENTS_MAX:
            span = shown_span(late_ns_max)
            raise Unreadable(f"{found.place()}: more than {WAITING_EVENTS_MAX} events in {span}")
    while waiting:
        yield heappop(waiting)[2]


class _Sanity:
    """What is remembered of one pass: per symbol its last time, last print and recorded quote."""

    def __init__(self, tape: Tape, found: Findings) -> None:
        self._tape = tape
        self._found = found
        self._last_ns = dict.fromkeys(tape.symbols, tape.session.open_ns)
        self._last_print: dict[str, int] = {}
        self._last_quote: dict[str, TapeQuote] = {}
        wide_ns = max(GAP_OF_TYPICAL * tape.cadence.typical_gap_ns, GAP_NS_MIN)
        self._gap_ns_max = tape.tolerances.gap_ns_max or wide_ns

    def judged(self, events: Iterator[TapeEvent]) -> Iterator[TapeEvent]:
        """The events that can be passed on."""
        found = self._found
        for event in events:
            if type(event) is TapeQuote:
                if not self._quote_is_whole(event):
                    continue
                found.quotes += 1
            elif type(event) is TapeTrade:
                if not self._trade_is_whole(event):
                    continue
                found.trades += 1
            else:
                found.halts += 1
            self._look_at_time(event)
            yield event

    def _look_at_time(self, event: TapeEvent) -> None:
        found, session, at_ns = self._found, self._tape.session, event.at_ns
        before_ns = self._last_ns.get(event.symbol)
        if before_ns is None:
            names = ", ".join(self._tape.symbols)
            raise Unreadable(f"{found.place()}: {event.symbol!r} is not on this tape: {names}")
        if at_ns - before_ns > self._gap_ns_max:
            said = f"{event.symbol}: nothing for {shown_span(at_ns - before_ns)} before it"
            found.note(FindingKind.GAP, at_ns, said)
        if not session.open_ns <= at_ns <= session.close_ns:
            found.note(FindingKind.OUTSIDE, at_ns, event.symbol)
        if at_ns > before_ns:
            self._last_ns[event.symbol] = at_ns
        if not found.first_ns:
            found.first_ns = at_ns
        if at_ns > found.last_ns:
            found.last_ns = at_ns

    def _quote_is_whole(self, quote: TapeQuote) -> bool:
        found = self._found
        bid, ask = quote.bid_nanos, quote.ask_nanos
        bid_size, ask_size = quote.bid_size_nanos, quote.ask_size_nanos
        if bid > 0 and ask > 0 and bid_size > 0 and ask_size > 0:
            if bid >= ask:
                kind = FindingKind.CROSSED if bid > ask else FindingKind.LOCKED
                found.note(kind, quote.at_ns, _shown_quote(quote))
        elif (bid, bid_size) == (0, 0) or (ask, ask_size) == (0, 0):
            if min(bid, bid_size, ask, ask_size) < 0 or (not bid) != (not bid_size):
                return self._left_out(quote, _shown_quote(quote))
            if (not ask) != (not ask_size):
                return self._left_out(quote, _shown_quote(quote))
            found.note(FindingKind.ONE_SIDED, quote.at_ns, _shown_quote(quote))
        else:
            return self._left_out(quote, _shown_quote(quote))
        if quote.bids or quote.asks:
            self._must_be_levels(quote.bids, bid, bid_size, -1)
            self._must_be_levels(quote.asks, ask, ask_size, 1)
        if not quote.derived:
            self._last_quote[quote.symbol] = quote
        return True

    def _must_be_levels(self, levels: TapeLevels, price: int, size: int, away: int) -> None:
        """A side's levels begin with the quote and get worse, none without a size."""
        if not levels and not price:
            return
        before = 0 if away > 0 else levels[0][0] + 1 if levels else 0
        for level_price, level_size in levels:
            if (level_price - before) * away <= 0 or level_size <= 0 or level_price <= 0:
                raise Unreadable(f"{self._found.place()}: levels are not best first: {levels}")
            before = level_price
        if not levels or levels[0] != (price, size):
            raise Unreadable(f"{self._found.place()}: the levels do not begin with the quote")

    def _trade_is_whole(self, trade: TapeTrade) -> bool:
        price = trade.price_nanos
        if price <= 0 or trade.size_nanos <= 0:
            size = text_from_nanos(trade.size_nanos)
            return self._left_out(trade, f"a print of {size} at {text_from_nanos(price)}")
        before = self._last_print.get(trade.symbol, price)
        if abs(price - before) * 100 > before * self._tape.tolerances.jump_percent:
            said = f"{trade.symbol}: {text_from_nanos(price)} after {text_from_nanos(before)}"
            self._found.note(FindingKind.JUMP, trade.at_ns, said)
        self._last_print[trade.symbol] = price
        quote = self._last_quote.get(trade.symbol)
        if quote is not None and (price < quote.bid_nanos or 0 < quote.ask_nanos < price):
            said = f"{text_from_nanos(price)} where {_shown_quote(quote)}"
            self._found.note(FindingKind.BEYOND_QUOTE, trade.at_ns, said)
        return True

    def _left_out(self, event: TapeEvent, says: str) -> bool:
        self._found.note(FindingKind.LEFT_OUT, event.at_ns, f"{event.symbol}: {says}")
        return False


def _too_late(found: Findings, at_ns: int, newest_ns: int, late_ns_max: int) -> str:
    allowed = f"by more than {shown_span(late_ns_max)}" if late_ns_max else "on this tape"
    return (
        f"{found.place()}: time goes back from {shown_time(newest_ns)} to {shown_time(at_ns)};"
        f" it may not {allowed}: is the file sorted by time?"
    )


def _shown_quote(quote: TapeQuote) -> str:
    bid, bid_size = text_from_nanos(quote.bid_nanos), text_from_nanos(quote.bid_size_nanos)
    ask, ask_size = text_from_nanos(quote.ask_nanos), text_from_nanos(quote.ask_size_nanos)
    return f"{quote.symbol}: {bid} ({bid_size}) x {ask} ({ask_size})"


def shown_time(at_ns: int) -> str:
    """A time for people, UTC, to the millisecond."""
    whole = datetime.fromtimestamp(at_ns // SECOND_NS, tz=UTC)
    return f"{whole:%Y-%m-%d %H:%M:%S}.{at_ns % SECOND_NS // 1_000_000:03d}"


def shown_span(span_ns: int) -> str:
    """A span for people: `0.110 s`, `820 s`, `3.0 days`."""
    if span_ns >= 86_400 * SECOND_NS:
        tenths = span_ns * 10 // (86_400 * SECOND_NS)
        return f"{tenths // 10}.{tenths % 10} days"
    if span_ns >= 100 * SECOND_NS:
        return f"{span_ns // SECOND_NS} s"
    return f"{span_ns // SECOND_NS}.{span_ns % SECOND_NS // 1_000_000:03d} s"
