"""Reads Binance's book depth in bands of a percent, a CSV of one day, until a side freezes.

A snapshot, every half minute or so, tells what stands within 1 to 5 percent of the middle on each
side: size and value, summed. A band less the one before it is a level, at its average price. The
record has no best bid and ask: its first level is the average of a whole percent, so that the quote
made of it, labelled derived, is far wider than the market was. Depth is what the tape is good for.

The bid side of 10 October 2025 freezes at 15:30:42 UTC, before that day's crash, while the ask side
goes on: the sides cross. The tape ends before the first snapshot whose sides cross, and says so;
what stands after it in the file is never read.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Final

from msgspec import Struct, structs

from fuseboard.feeds.tapes.families import TapeFamily, TapeName, found_by
from fuseboard.feeds.tapes.findings import FindingKind, Findings
from fuseboard.feeds.tapes.measuring import measured
from fuseboard.feeds.tapes.rows import nanos_of, rows_of, wrong
from fuseboard.feeds.tapes.tape import Tape, TapeEvent, TapeKind, TapeLevels, TapeQuote
from fuseboard.feeds.tapes.times import utc_ns
from fuseboard.vocabulary.money import NANOS

HEADER: Final = "timestamp,percentage,depth,notional,weighted_avg_price"
FIELDS: Final = 5
GAP_NS: Final = 30 * NANOS
"""Between two snapshots, by the format."""
BIDS: Final = ("-1", "-2", "-3", "-4", "-5")
ASKS: Final = ("1", "2", "3", "4", "5")


class Band(Struct, frozen=True, gc=False):
    """One row: all that stands up to a percentage; size and value in nano-units."""

    at_ns: int
    row: int
    percentage: str
    size_nanos: int
    value_nanos: int


def depth_bands(path: Path) -> Tape:
    """The tape of SYMBOL-bookDepth-YYYY-MM-DD.csv. Raises `TapeUnreadable`."""
    symbol = path.name.partition("-")[0]

    def events(found: Findings) -> Iterator[TapeEvent]:
        return _quotes(path, symbol, found)

    measures = measured((quote.at_ns for quote in events(Findings())), sampled=True)
    return Tape(
        name=path.name.removesuffix(".csv").lower(),
        describes=(
            f"recorded depth of {symbol} in five bands of 1 %, each a level at its average price,"
            " with quotes made of the first; until its sides cross"
        ),
        kind=TapeKind.CRYPTO,
        symbols=(symbol,),
        cadence=structs.replace(measures.cadence, known_gap_ns=GAP_NS),
        session=measures.session,
        prior_close_nanos={},
        read=lambda: events(Findings()),
        read_noting=events,
    )


def _quotes(path: Path, symbol: str, found: Findings) -> Iterator[TapeQuote]:
    for at_ns, bands in groupby(_bands(path, found), key=lambda band: band.at_ns):
        told = {band.percentage: band for band in bands}
        found.row = min(band.row for band in told.values())  # the next snapshot's first was read
        if sorted(told) != sorted((*BIDS, *ASKS)):
            found.note(FindingKind.LEFT_OUT, at_ns, f"{symbol}: a snapshot of {len(told)} bands")
            continue
        bids, asks = _levels(told, BIDS), _levels(told, ASKS)
        if not bids or not asks:
            says = f"{symbol}: a snapshot whose bands do not lie one behind the other"
            found.note(FindingKind.LEFT_OUT, at_ns, says)
            continue
        if bids[0][0] >= asks[0][0]:
            says = f"{symbol}: the sides cross, one of them is frozen: nothing is read from here on"
            found.note(FindingKind.LEFT_OUT, at_ns, says)
            return
        yield TapeQuote(
            symbol=symbol,
            at_ns=at_ns,
            bid_nanos=bids[0][0],
            ask_nanos=asks[0][0],
            bid_size_nanos=bids[0][1],
            ask_size_nanos=asks[0][1],
            derived=True,
            bids=bids,
            asks=asks,
        )


def _levels(told: dict[str, Band], side: tuple[str, ...]) -> TapeLevels:
    """The side's levels, the best first; none where its sums and averages are no book."""
    levels: list[tuple[int, int]] = []
    size_nanos = value_nanos = 0
    away = 1 if side is ASKS else -1
    for percentage in side:
        band = told[percentage]
        own_nanos = band.size_nanos - size_nanos
        if own_nanos <= 0:
            return ()
        price_nanos = (band.value_nanos - value_nanos) * NANOS // own_nanos
        if price_nanos <= 0 or (levels and (price_nanos - levels[-1][0]) * away <= 0):
            return ()
        levels.append((price_nanos, own_nanos))
        size_nanos, value_nanos = band.size_nanos, band.value_nanos
    return tuple(levels)


def _bands(path: Path, at: Findings) -> Iterator[Band]:
    for stamp, percentage, size, value, _ in rows_of(path, at, fields=FIELDS, header=HEADER):
        try:  # one row of the record has a space before its time
            moment = datetime.strptime(stamp.strip(), "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
        except ValueError as error:
            raise wrong(at, "a time such as 2025-10-10 15:30:42", stamp) from error
        yield Band(
            utc_ns(moment),
            at.row,
            percentage,
            nanos_of(size, "a size", at),
            nanos_of(value, "a value", at),
        )


BTCUSDT: Final = TapeName(
    name="depth-bands-btcusdt-2025-10-10",
    says="BTCUSDT futures, depth in bands of 1 %, until 15:30, before the cascade",
    file="crypto_2025_10_10/BTCUSDT-bookDepth-2025-10-10.csv",
)
FAMILY: Final = TapeFamily(
    names=(BTCUSDT,),
    path="depth-bands:PATH/SYMBOL-bookDepth-YYYY-MM-DD.csv",
    reads=f"a CSV of {HEADER}",
    tape=found_by(depth_bands, name=BTCUSDT, prefix="depth-bands:"),
)
