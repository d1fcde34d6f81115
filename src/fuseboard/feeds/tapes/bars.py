"""Bars of any period become prints, and quotes derived around them.

A bar tells four prices and not their order. The prints are its open, then the high and the low,
then its close; a bar that closes below its open shows the high first, any other the low first.
That is the order in which the price moves least: nothing is invented but which came first. A
falling bar thus falls from its high, the adverse case of who holds. They come at the start of the
bar, a third and two thirds into it, and a nanosecond before its end; a bar of one price is one
print, at its end. Each print is a quarter of the volume, the close has the rest.

A bar without volume has no prints and no quotes: nothing traded, or the record has a hole. A quote
is as wide as the tape says (`spread_basis_points`), around the last print, and is labelled derived.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from fuseboard.feeds.tapes.derived_quotes import quote_around
from fuseboard.feeds.tapes.findings import FindingKind, Findings
from fuseboard.feeds.tapes.tape import (
    Cadence,
    Session,
    Tape,
    TapeEvent,
    TapeHalt,
    TapeKind,
    TapeTrade,
    TapeUnreadable,
    Tolerances,
)

SPREAD_BASIS_POINTS: Final = 2
"""Chosen: what liquid shares and coins are quoted at on a calm day, order of magnitude."""


class Bar(Struct, frozen=True, kw_only=True, gc=False):
    """One bar of one symbol: prices and volume in nano-units, from `opens_ns` until `ends_ns`."""

    symbol: str
    opens_ns: int
    ends_ns: int
    open_nanos: int
    high_nanos: int
    low_nanos: int
    close_nanos: int
    volume_nanos: int

    def holds(self) -> bool:
        """Whether the low is the lowest and the high the highest of the four."""
        return (
            self.low_nanos <= min(self.open_nanos, self.close_nanos)
            and max(self.open_nanos, self.close_nanos) <= self.high_nanos
            and self.opens_ns < self.ends_ns
        )


BarRow = Sequence[Bar | TapeHalt]
"""What one row of a record tells: bars of one period, halts."""


class BarTape(Struct, frozen=True, kw_only=True):
    """What a reader of bars knows of its tape; `rows` reads them."""

    name: str
    describes: str
    kind: TapeKind
    symbols: tuple[str, ...]
    typical_gap_ns: int
    gap_ns_max: int
    session: Session
    step_nanos: int
    rows: Callable[[Findings], Iterator[BarRow]]
    prior_close_nanos: dict[str, int] = {}
    spread_basis_points: int = SPREAD_BASIS_POINTS
    jump_percent: int = 10


def session_of(bars: Iterable[Bar], path: Path) -> Session:
    """From the first bar's beginning to the last one's end. Raises `TapeUnreadable` for none."""
    first = last = None
    for bar in bars:
        first, last = first or bar, bar
    if first is None or last is None:
        raise TapeUnreadable(f"{path} has no bars")
    return Session(open_ns=first.opens_ns, close_ns=last.ends_ns)


def tape_of_bars(told: BarTape) -> Tape:
    """The tape of bars."""

    def events(found: Findings) -> Iterator[TapeEvent]:
        for row in told.rows(found):
            yield from _events_of(row, found, told)

    wide = f"{told.spread_basis_points} basis points"
    return Tape(
        name=told.name,
        describes=f"{told.describes}; prints are its bars' prices, quotes derived, {wide} wide",
        kind=told.kind,
        symbols=told.symbols,
        cadence=Cadence(
            typical_gap_ns=told.typical_gap_ns, largest_gap_ns=told.gap_ns_max, sampled=True
        ),
        session=told.session,
        prior_close_nanos=told.prior_close_nanos,
        read=lambda: events(Findings()),
        read_noting=events,
        tolerances=Tolerances(gap_ns_max=told.gap_ns_max, jump_percent=told.jump_percent),
    )


def prints_of(bar: Bar, found: Findings) -> list[TapeTrade]:
    """The prints of a bar; none where it has no volume or contradicts itself, which is noted."""
    if not bar.volume_nanos:
        found.note(FindingKind.LEFT_OUT, bar.opens_ns, f"{bar.symbol}: a bar without volume")
        return []
    if not bar.holds():
        says = f"{bar.symbol}: a bar whose low and high do not hold its open and close"
        found.note(FindingKind.LEFT_OUT, bar.opens_ns, says)
        return []
    if bar.low_nanos == bar.high_nanos:
        return [_print(bar, bar.ends_ns - 1, bar.close_nanos, bar.volume_nanos)]
    third_ns = (bar.ends_ns - bar.opens_ns) // 3
    quarter_nanos = bar.volume_nanos // 4
    turns = (bar.low_nanos, bar.high_nanos)
    if bar.close_nanos < bar.open_nanos:
        turns = (bar.high_nanos, bar.low_nanos)
    return [
        _print(bar, bar.opens_ns, bar.open_nanos, quarter_nanos),
        _print(bar, bar.opens_ns + third_ns, turns[0], quarter_nanos),
        _print(bar, bar.opens_ns + 2 * third_ns, turns[1], quarter_nanos),
        _print(bar, bar.ends_ns - 1, bar.close_nanos, bar.volume_nanos - 3 * quarter_nanos),
    ]


def _print(bar: Bar, at_ns: int, price_nanos: int, size_nanos: int) -> TapeTrade:
    return TapeTrade(
        symbol=bar.symbol, at_ns=at_ns, price_nanos=price_nanos, size_nanos=max(size_nanos, 1)
    )


def _events_of(row: BarRow, found: Findings, told: BarTape) -> Iterator[TapeEvent]:
    prints: list[TapeTrade] = []
    for each in row:
        if isinstance(each, TapeHalt):
            yield each
        else:
            prints += prints_of(each, found)
    if len(row) > 1:
        prints.sort(key=lambda each: each.at_ns)
    for trade in prints:
        yield trade
        yield quote_around(
            trade, spread_basis_points=told.spread_basis_points, step_nanos=told.step_nanos
        )
