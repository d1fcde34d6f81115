"""Reads sampled trades with the best bid and ask, one parquet file a symbol, one chosen day.

The files' rows are shuffled, their times are New York wall time, quote sizes are round lots of 100
shares, trade sizes are shares. Each row becomes a quote and then the trade that was joined to it.
About one trade in a thousand is in the file, so the volume of the tape means nothing. As the rows
have to be sorted, a symbol's whole file is read at once, and the events of the day are kept.
"""

from collections.abc import Iterator, Sequence
from datetime import date, time
from decimal import ROUND_HALF_UP, Decimal
from heapq import merge
from pathlib import Path
from typing import Any, Final

from fuseboard.feeds.tapes.families import TapeFamily, TapeName
from fuseboard.feeds.tapes.findings import FindingKind, Findings
from fuseboard.feeds.tapes.measuring import measured_cadence
from fuseboard.feeds.tapes.tape import (
    Cadence,
    Session,
    Tape,
    TapeEvent,
    TapeKind,
    TapeQuote,
    TapeTrade,
    TapeUnreadable,
)
from fuseboard.feeds.tapes.times import day_ns_of_text, day_of_text, new_york_ns
from fuseboard.vocabulary.money import NANOS

ROUND_LOT = 100
COLUMNS = ("index", "bid-price", "bid-volume", "ask-price", "ask-volume", "trade-price")
_NANO = Decimal(1).scaleb(-9)
PREFIX: Final = "us-equity-"
SYMBOLS: Final = ("AAPL", "IBM", "JPM", "MSFT", "PG", "XOM")


def us_equity_nbbo(folder: Path, *, day: date, symbols: Sequence[str]) -> Tape:
    """The tape of one day. Raises `TapeUnreadable` when a file, the day or pyarrow is missing."""
    events: dict[str, list[TapeEvent]] = {}
    without: list[tuple[str, int]] = []
    prior_close: dict[str, int] = {}
    known_gap_ns = 0
    for symbol in symbols:
        rows = _rows(folder / f"{symbol}.parquet")
        of_day = _rows_of_day(rows, day)
        whole = [(at_ns, row) for at_ns, row in of_day if None not in row.values()]
        without += [(symbol, at_ns) for at_ns, row in of_day if None in row.values()]
        events[symbol] = _events_of(symbol, whole, folder)
        close = _last_price_before(rows, day)
        if close is not None:
            prior_close[symbol] = close
        known_gap_ns = max(known_gap_ns, _gap_before_ns(rows, day))
    each_cadence = [
        measured_cadence((event.at_ns for event in each), sampled=True) for each in events.values()
    ]
    # The declared cadence is that of the slowest symbol: a rule that holds for it holds for all.
    cadence = Cadence(
        typical_gap_ns=max(each.typical_gap_ns for each in each_cadence),
        largest_gap_ns=max(each.largest_gap_ns for each in each_cadence),
        sampled=True,
        known_gap_ns=known_gap_ns,
    )

    def read(found: Findings) -> Iterator[TapeEvent]:
        found.file = folder.name
        for symbol, at_ns in without:
            found.note(FindingKind.LEFT_OUT, at_ns, f"{symbol}: a row without all of its fields")
        return merge(*events.values(), key=lambda event: event.at_ns)

    return Tape(
        name=f"us-equity-{day.isoformat()}",
        describes="recorded US equity trades with the joined best bid and ask, a sample of ~0.1 %",
        kind=TapeKind.US_EQUITY,
        symbols=tuple(symbols),
        cadence=cadence,
        session=Session(open_ns=new_york_ns(day, time(9, 30)), close_ns=new_york_ns(day, time(16))),
        prior_close_nanos=prior_close,
        read=lambda: read(Findings()),
        read_noting=read,
    )


def _rows(path: Path) -> list[dict[str, Any]]:
    """All rows, sorted by time; prices as the shortest text of the stored binary numbers.

    A field that is not there is None. Raises `TapeUnreadable`.
    """
    try:
        import pyarrow as arrow
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise TapeUnreadable(
            "this tape is a parquet file: install the extra with `pip install fuseboard[parquet]`"
        ) from error
    if not path.is_file():
        raise TapeUnreadable(f"there is no tape file {path}")
    try:
        table = parquet.read_table(path, columns=[*COLUMNS, "trade-volume"])
    except (OSError, arrow.ArrowException) as error:
        expected = ", ".join([*COLUMNS, "trade-volume"])
        raise TapeUnreadable(f"{path} is no parquet file with {expected}: {error}") from error
    for position, field in enumerate(table.schema):
        table = table.set_column(position, field.name, table.column(position).cast(arrow.string()))
    rows: list[dict[str, Any]] = table.to_pylist()
    timed = [row for row in rows if row["index"] is not None]
    if len(timed) != len(rows):
        raise TapeUnreadable(f"{path} has {len(rows) - len(timed)} rows without a time in `index`")
    timed.sort(key=lambda row: row["index"])
    return timed


def _price_nanos(text: str) -> int:
    """Nano-units of a stored price; averaged prints have more decimals and are rounded."""
    return int(Decimal(text).quantize(_NANO, rounding=ROUND_HALF_UP).scaleb(9))


def _rows_of_day(rows: list[dict[str, Any]], day: date) -> list[tuple[int, dict[str, Any]]]:
    """The rows of a day, each with its time."""
    midnight_ns = new_york_ns(day, time(12)) - day_ns_of_text("12:00")
    prefix = f"{day.isoformat()}T"
    return [
        (midnight_ns + day_ns_of_text(row["index"].removeprefix(prefix)), row)
        for row in rows
        if row["index"].startswith(prefix)
    ]


def _events_of(
    symbol: str, rows: list[tuple[int, dict[str, Any]]], folder: Path
) -> list[TapeEvent]:
    events: list[TapeEvent] = []
    for at_ns, row in rows:
        try:
            events += _quote_and_trade(symbol, at_ns, row)
        except (ValueError, ArithmeticError) as error:
            raise TapeUnreadable(
                f"{folder / symbol}.parquet, row {row['index']}: expected prices and sizes: {error}"
            ) from error
    if not events:
        raise TapeUnreadable(f"{folder / symbol}.parquet has no rows on that day")
    return events


def _quote_and_trade(symbol: str, at_ns: int, row: dict[str, Any]) -> tuple[TapeQuote, TapeTrade]:
    quote = TapeQuote(
        symbol=symbol,
        at_ns=at_ns,
        bid_nanos=_price_nanos(row["bid-price"]),
        ask_nanos=_price_nanos(row["ask-price"]),
        bid_size_nanos=int(row["bid-volume"]) * ROUND_LOT * NANOS,
        ask_size_nanos=int(row["ask-volume"]) * ROUND_LOT * NANOS,
    )
    trade = TapeTrade(
        symbol=symbol,
        at_ns=at_ns,
        price_nanos=_price_nanos(row["trade-price"]),
        size_nanos=int(row["trade-volume"]) * NANOS,
    )
    return quote, trade


def _last_price_before(rows: list[dict[str, Any]], day: date) -> int | None:
    """The last trade price of the last recorded day before `day`: the rows are sorted."""
    before = None
    for row in rows:
        if row["index"] >= day.isoformat():
            break
        if row["trade-price"] is not None:
            before = row
    return None if before is None else _price_nanos(before["trade-price"])


def _gap_before_ns(rows: list[dict[str, Any]], day: date) -> int:
    """The typical gap of the last recorded day before `day`; 0 where it has fewer than two rows."""
    days = (row["index"][:10] for row in reversed(rows) if row["index"] < day.isoformat())
    before = next(days, None)
    if before is None:
        return 0
    times_ns = [at_ns for at_ns, _ in _rows_of_day(rows, day_of_text(before))]
    if len(set(times_ns)) < 2:
        return 0
    return measured_cadence(times_ns, sampled=True).typical_gap_ns


def _named(typed: str, data: Path) -> Tape | None:
    base, _, detail = typed.partition(":")
    if base.startswith(PREFIX):
        symbols = tuple(detail.split(",")) if detail else SYMBOLS
        day = day_of_text(base.removeprefix(PREFIX))
        return us_equity_nbbo(data / "us_equity_nbbo_2010", day=day, symbols=symbols)
    if base.endswith(".parquet"):
        path = Path(base)
        return us_equity_nbbo(path.parent, day=day_of_text(detail), symbols=(path.stem,))
    return None


FAMILY: Final = TapeFamily(
    names=(
        TapeName(
            name=f"{PREFIX}2010-05-06",
            says=f"the flash crash; any day of 2010, and :SYMBOL,... of {', '.join(SYMBOLS)}",
            file="us_equity_nbbo_2010/AAPL.parquet",
        ),
    ),
    path="PATH/SYMBOL.parquet:YYYY-MM-DD",
    reads="a parquet file of sampled trades with bid and ask",
    tape=_named,
)
