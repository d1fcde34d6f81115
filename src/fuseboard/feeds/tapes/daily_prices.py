"""Reads daily prices, CSV or gzip CSV: closes of many symbols, or open, high, low, close of one.

A day is 09:30 to 16:00 in New York; early closes are not told. A close alone is one print at the
end of its day. Where the record has no volume a print has a size of one, so that the tape can be
played; sizes mean nothing then. Prices of shares are adjusted for what came later.
"""

from collections.abc import Iterator
from datetime import date, datetime, time
from pathlib import Path
from typing import Final

from msgspec import Struct

from fuseboard.feeds.tapes.bars import Bar, BarRow, BarTape, tape_of_bars
from fuseboard.feeds.tapes.families import TapeFamily, TapeName, path_after
from fuseboard.feeds.tapes.findings import Findings
from fuseboard.feeds.tapes.rows import lines_of, nanos_of, wrong
from fuseboard.feeds.tapes.tape import Session, Tape, TapeKind, TapeUnreadable
from fuseboard.feeds.tapes.times import SECOND_NS, new_york_ns
from fuseboard.vocabulary.money import NANOS

DAY_NS: Final = 86_400 * SECOND_NS
OPENS, CLOSES = time(9, 30), time(16)
GAP_NS_MAX: Final = 5 * DAY_NS
"""Over a long weekend, from close to close; beyond it days are missing, or no market was held."""
STEP_NANOS: Final = NANOS // 1_000
SYMBOLS_MAX: Final = 1_000


class Columns(Struct, frozen=True):
    """Where open, high, low, close and volume stand in a row of one symbol; and how a day looks."""

    prices: tuple[int, int, int, int]
    volume: int | None
    day: str


OF_ONE: Final = {
    "Date,Open,High,Low,Close,Adj Close,Volume": Columns((1, 2, 3, 4), 6, "%m/%d/%Y"),
    "DATE,OPEN,HIGH,LOW,CLOSE": Columns((1, 2, 3, 4), None, "%Y-%m-%d"),
}
OF_MANY: Final = "Date,"
"""How a header of closes begins; the symbols follow."""


def daily_prices(path: Path, *, name: str, symbol: str = "", only: tuple[str, ...] = ()) -> Tape:
    """The tape of a file; `symbol` names what a file of one symbol is of, `only` some of many."""
    header = next(lines_of(path, Findings()), "")
    columns = OF_ONE.get(header)
    symbols = (symbol,) if columns else tuple(header.removeprefix(OF_MANY).split(","))
    if not columns and (not header.startswith(OF_MANY) or len(symbols) > SYMBOLS_MAX):
        known = "; or ".join([*OF_ONE, f"{OF_MANY}SYMBOL,..."])
        raise TapeUnreadable(f"{path.name}, line 1: expected the header {known}")
    unknown = [each for each in only if each not in symbols]
    if unknown:
        raise TapeUnreadable(f"{', '.join(unknown)} is not among {', '.join(symbols)}")

    def rows(found: Findings) -> Iterator[BarRow]:
        lines = lines_of(path, found)
        next(lines)
        for line in lines:
            if columns is None:
                yield _closes(line, symbols, only or symbols, found)
            else:
                yield [_bar(line, symbol, columns, found)]

    first = last = None
    for row in rows(Findings()):
        first, last = first or row[0], row[0]
    if not isinstance(first, Bar) or not isinstance(last, Bar):
        raise TapeUnreadable(f"{path} has no days")
    return tape_of_bars(
        BarTape(
            name=name,
            describes="recorded daily closes" if columns is None else "recorded daily bars",
            kind=TapeKind.US_EQUITY,
            symbols=only or symbols,
            typical_gap_ns=DAY_NS,
            gap_ns_max=GAP_NS_MAX,
            session=Session(open_ns=first.opens_ns, close_ns=last.ends_ns),
            step_nanos=STEP_NANOS,
            rows=rows,
        )
    )


def _day(text: str, shape: str, at: Findings) -> date:
    try:
        return datetime.strptime(text, shape).date()  # noqa: DTZ007 (a date has no zone)
    except ValueError as error:
        raise wrong(at, f"a day as {shape}", text) from error


def _bar(line: str, symbol: str, columns: Columns, at: Findings) -> Bar:
    fields = line.split(",")
    if len(fields) != max(*columns.prices, columns.volume or 0) + 1:
        raise wrong(at, f"{max(*columns.prices, columns.volume or 0) + 1} fields", line)
    day = _day(fields[0], columns.day, at)
    opened, high, low, closed = (nanos_of(fields[i], "a price", at) for i in columns.prices)
    volume = 4 * NANOS if columns.volume is None else nanos_of(fields[columns.volume], "volume", at)
    return Bar(
        symbol=symbol,
        opens_ns=new_york_ns(day, OPENS),
        ends_ns=new_york_ns(day, CLOSES),
        open_nanos=opened,
        high_nanos=high,
        low_nanos=low,
        close_nanos=closed,
        volume_nanos=volume,
    )


def _closes(line: str, symbols: tuple[str, ...], only: tuple[str, ...], at: Findings) -> list[Bar]:
    fields = line.split(",")
    if len(fields) != len(symbols) + 1:
        raise wrong(at, f"{len(symbols) + 1} fields", line)
    day = _day(fields[0], "%Y-%m-%d", at)
    opens_ns, ends_ns = new_york_ns(day, OPENS), new_york_ns(day, CLOSES)
    bars = []
    for symbol, text in zip(symbols, fields[1:], strict=True):
        if symbol not in only:
            continue
        close_nanos = nanos_of(text, "a close", at)
        bars.append(
            Bar(
                symbol=symbol,
                opens_ns=opens_ns,
                ends_ns=ends_ns,
                open_nanos=close_nanos,
                high_nanos=close_nanos,
                low_nanos=close_nanos,
                close_nanos=close_nanos,
                volume_nanos=NANOS,
            )
        )
    return bars


def _named(typed: str, data: Path) -> Tape | None:
    base, _, detail = typed.partition(":")
    only = tuple(detail.split(",")) if detail else ()
    for name, symbol in NAMES.items():
        if base == name.name:
            return daily_prices(data / name.file, name=base, symbol=symbol, only=only)
    path = path_after("daily:", typed)
    if path is None:
        return None
    stem = path.name.partition(".")[0]
    return daily_prices(path, name=stem, symbol=stem.upper())


def _name(name: str, says: str, file: str) -> TapeName:
    return TapeName(name=f"daily-{name}", says=says, file=f"daily/{file}")


NAMES: Final = {
    _name("sp500", "S&P 500, daily closes 1990 to 2022", "sp500_index.csv.gz"): "SP500",
    _name(
        "stocks", "20 shares, daily closes 1990 to 2022; or :SYMBOL,...", "sp500_dataset.csv.gz"
    ): "",
    _name("sp500-ohlcv", "S&P 500, daily bars 1999 to 2018", "arch_sp500_ohlcv.csv.gz"): "SP500",
    _name("nasdaq-ohlcv", "Nasdaq, daily bars 1999 to 2018", "arch_nasdaq_ohlcv.csv.gz"): "NASDAQ",
    _name("vix", "VIX, daily bars 1990 to 2026: an index, not traded", "vix-daily.csv"): "VIX",
}
"""Each with its symbol, where the file does not name it."""
FAMILY: Final = TapeFamily(
    names=tuple(NAMES),
    path="daily:PATH.csv[.gz]",
    reads=f"{OF_MANY}SYMBOL,... of closes; or {'; or '.join(OF_ONE)}",
    tape=_named,
)
