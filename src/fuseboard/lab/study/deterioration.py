"""When a tape's market deteriorated and when that was over: from its prices and spreads alone.

The rule is the same for every tape, and was fixed before anything was measured. It knows no score,
tier, order or account.

- A symbol's *price* is the middle of its last quote that is two-sided, not crossed and at most 5 %
  wide; while there is none such, its last trade. One point a second at most: the second's last.
- A *fall* is from the highest point of the 30 minutes before to a point that is lower. The deepest
  fall of the tape is the symbol's, if it is 3 % or more; else the symbol did not fall.
- A *wide stretch* begins with a spread of more than five times the median of the 30 minutes before
  (ten points at least, ten minutes at least) and more than 0.2 % of the middle; it lasts until a
  spread that is neither, and counts if that is more than 10 s and three points later. A side that
  is missing is the widest spread there is. Quotes that are derived from prices have none.
- Deterioration *begins* at the peak of the deepest fall, or with the first wide stretch of the 30
  minutes before its trough, whichever is earlier. That is hindsight: at a peak nothing is to be
  seen. It is *visible* from the first point 1 % under the peak on, or from such a stretch on.
- It *ends* with the first point that has made good half of the fall, half an hour after the trough
  at the latest. Of several symbols that fell the first beginning counts and the last end, of those
  whose time overlaps with the one that fell deepest.
"""

import hashlib
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
from msgspec import Struct

from fuseboard.feeds.tapes.tape import Tape, TapeQuote, TapeTrade
from fuseboard.lab.spelling import spelled
from fuseboard.lab.valuing import Valuing
from fuseboard.vocabulary.money import NANOS

WINDOW_NS: Final = 1_800 * NANOS
FALL_NANOS_MIN: Final = 30_000_000
VISIBLE_NANOS: Final = 10_000_000
WIDE_TIMES: Final = 5
WIDE_NANOS_MIN: Final = 2_000_000
WIDE_NS_MIN: Final = 10 * NANOS
WIDE_POINTS_MIN: Final = 3
MEDIAN_POINTS_MIN: Final = 10
MEDIAN_NS_MIN: Final = 600 * NANOS

Point = tuple[int, int]
"""A time and a price in nano-units, or a spread as a fraction of the middle in nano-units."""


class Fall(Struct, frozen=True, kw_only=True):
    """From a peak to a lower point; prices in nano-units."""

    peak_ns: int
    peak_nanos: int
    trough_ns: int
    trough_nanos: int

    @property
    def depth_nanos(self) -> int:
        """Of the peak, rounded down."""
        return (self.peak_nanos - self.trough_nanos) * NANOS // self.peak_nanos


class Deterioration(Struct, frozen=True, kw_only=True):
    """Of one symbol that fell."""

    symbol: str
    fall: Fall
    began_ns: int
    visible_ns: int
    ended_ns: int


class TapeJudged(Struct, frozen=True, kw_only=True):
    """A tape by the rule. Times are 0 where nothing fell."""

    name: str
    describes: str
    symbols: tuple[str, ...]
    quotes: int
    trades: int
    open_ns: int
    close_ns: int
    digest: str
    """Hex SHA-256 of its events."""
    deepest_nanos: int
    """The deepest fall within 30 minutes of any symbol, however small."""
    fell: tuple[Deterioration, ...]
    began_ns: int = 0
    visible_ns: int = 0
    ended_ns: int = 0


def judged(tape: Tape, name: str) -> TapeJudged:
    """One pass over a tape, then the rule. Raises `TapeUnreadable`."""
    tape = spelled(tape)
    seen = {symbol: _Seen() for symbol in tape.symbols}
    hashed, encode = hashlib.sha256(), msgspec.msgpack.Encoder().encode
    quotes = trades = 0
    for event in tape.read():
        hashed.update(encode(event))
        at = seen[event.symbol]
        if type(event) is TapeQuote:
            quotes += 1
            at.on_quote(event)
        elif type(event) is TapeTrade:
            trades += 1
            at.on_trade(event)
    falls = [(symbol, at, deepest_fall(at.prices.all())) for symbol, at in seen.items()]
    fell = tuple(
        _deterioration(symbol, at, fall)
        for symbol, at, fall in falls
        if fall is not None and fall.depth_nanos >= FALL_NANOS_MIN
    )
    began_ns, visible_ns, ended_ns = _together(fell)
    return TapeJudged(
        name=name,
        describes=tape.describes,
        symbols=tape.symbols,
        quotes=quotes,
        trades=trades,
        open_ns=tape.session.open_ns,
        close_ns=tape.session.close_ns,
        digest=hashed.hexdigest(),
        deepest_nanos=max((fall.depth_nanos for _, _, fall in falls if fall), default=0),
        fell=fell,
        began_ns=began_ns,
        visible_ns=visible_ns,
        ended_ns=ended_ns,
    )


def deepest_fall(prices: Sequence[Point]) -> Fall | None:
    """The deepest fall from the highest point of the window before; None where none is lower."""
    highest: deque[Point] = deque()
    deepest: Fall | None = None
    for at_ns, price in prices:
        while highest and highest[0][0] < at_ns - WINDOW_NS:
            highest.popleft()
        while highest and highest[-1][1] <= price:
            highest.pop()
        highest.append((at_ns, price))
        peak_ns, peak = highest[0]
        if peak <= price:
            continue
        if deepest is None or (peak - price) * deepest.peak_nanos > peak * (
            deepest.peak_nanos - deepest.trough_nanos
        ):
            deepest = Fall(peak_ns=peak_ns, peak_nanos=peak, trough_ns=at_ns, trough_nanos=price)
    return deepest


def wide_stretches(spreads: Sequence[Point]) -> list[int]:
    """When each stretch of wide spreads that counts began."""
    before: deque[Point] = deque()
    in_order: list[int] = []
    begun: list[int] = []
    stretch: Point | None = None
    """Since when the present one lasts, and what is wide in it."""
    points = 0
    for at_ns, spread in spreads:
        while before and before[0][0] < at_ns - WINDOW_NS:
            _, old = before.popleft()
            del in_order[bisect_left(in_order, old)]
        if stretch is None:
            wide = _wide(before, in_order, at_ns)
            if wide is not None and spread > wide:
                stretch, points = (at_ns, wide), 1
        else:
            since_ns, wide = stretch
            points += spread > wide
            counts = at_ns - since_ns > WIDE_NS_MIN and points >= WIDE_POINTS_MIN
            if counts and begun[-1:] != [since_ns]:
                begun.append(since_ns)
            if spread <= wide:
                stretch = None
        before.append((at_ns, spread))
        insort(in_order, spread)
    return begun


def _wide(before: "deque[Point]", in_order: list[int], at_ns: int) -> int | None:
    """What is wide now; None while too little is known of what is usual."""
    if len(before) < MEDIAN_POINTS_MIN or at_ns - before[0][0] < MEDIAN_NS_MIN:
        return None
    return max(WIDE_TIMES * in_order[len(in_order) // 2], WIDE_NANOS_MIN)


class _Points:
    """The last value of each second."""

    def __init__(self) -> None:
        self._points: list[Point] = []

    def see(self, at_ns: int, value: int) -> None:
        """One more, not earlier than the last."""
        points = self._points
        if points and points[-1][0] // NANOS == at_ns // NANOS:
            points[-1] = at_ns, value
        else:
            points.append((at_ns, value))

    def all(self) -> Sequence[Point]:
        """In order."""
        return self._points


class _Seen:
    """One symbol's prices and spreads."""

    def __init__(self) -> None:
        self.prices = _Points()
        self.spreads = _Points()
        self._valuing = Valuing(cash_nanos=0, closes={})

    def on_quote(self, quote: TapeQuote) -> None:
        middle_nanos = self._valuing.on_quote(quote)
        if middle_nanos:
            self.prices.see(quote.at_ns, middle_nanos)
        if quote.derived:
            return
        bid_nanos, ask_nanos = quote.bid_nanos, quote.ask_nanos
        if not bid_nanos or not ask_nanos:
            self.spreads.see(quote.at_ns, 2 * NANOS)
        elif bid_nanos <= ask_nanos:
            twice_nanos = bid_nanos + ask_nanos
            self.spreads.see(quote.at_ns, (ask_nanos - bid_nanos) * 2 * NANOS // twice_nanos)

    def on_trade(self, trade: TapeTrade) -> None:
        before = self._valuing.marks.get(trade.symbol)
        self._valuing.on_trade(trade)
        if self._valuing.marks.get(trade.symbol) != before:
            self.prices.see(trade.at_ns, trade.price_nanos)


def _deterioration(symbol: str, seen: _Seen, fall: Fall) -> Deterioration:
    earliest_ns = fall.trough_ns - WINDOW_NS
    stretches = [at_ns for at_ns in wide_stretches(seen.spreads.all()) if at_ns >= earliest_ns]
    wide_ns = stretches[0] if stretches else fall.trough_ns
    low_nanos = fall.peak_nanos - fall.peak_nanos * VISIBLE_NANOS // NANOS
    half_nanos = fall.trough_nanos + (fall.peak_nanos - fall.trough_nanos) // 2
    prices = seen.prices.all()
    low_ns = _first(prices, fall.peak_ns, lambda price: price <= low_nanos) or fall.trough_ns
    good_ns = _first(prices, fall.trough_ns, lambda price: price >= half_nanos)
    latest_ns = min(fall.trough_ns + WINDOW_NS, prices[-1][0])
    return Deterioration(
        symbol=symbol,
        fall=fall,
        began_ns=min(fall.peak_ns, wide_ns),
        visible_ns=min(low_ns, wide_ns),
        ended_ns=min(good_ns or latest_ns, latest_ns),
    )


def _first(prices: Sequence[Point], after_ns: int, holds: Callable[[int], bool]) -> int:
    """When a price of which it holds was first seen after a time; 0 for never."""
    return next((at_ns for at_ns, price in prices if at_ns > after_ns and holds(price)), 0)


def _together(fell: Sequence[Deterioration]) -> tuple[int, int, int]:
    if not fell:
        return 0, 0, 0
    deepest = max(fell, key=lambda each: each.fall.depth_nanos)
    same = [
        each
        for each in fell
        if each.began_ns <= deepest.ended_ns and each.ended_ns >= deepest.began_ns
    ]
    return (
        min(each.began_ns for each in same),
        min(each.visible_ns for each in same),
        max(each.ended_ns for each in same),
    )
