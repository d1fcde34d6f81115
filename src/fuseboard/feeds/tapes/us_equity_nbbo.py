"""Reads sampled trades with the best bid and ask, one parquet file a symbol, one chosen day.

The files' rows are shuffled, their times are New York wall time, quote sizes are round lots of 100
shares, trade sizes are shares. Each row becomes a quote and then the trade that was joined to it.
About one trade in a thousand is in the file, so the volume of the tape means nothing.
"""

from collections.abc import Iterator, Sequence
from datetime import date, time
from decimal import ROUND_HALF_UP, Decimal
from heapq import merge
from pathlib import Path
from typing import Any, Final

from fuseboard.feeds.tapes.families import TapeFamily, TapeName
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
    prior_close: dict[str, int] = {}
    for symbol in symbols:
        rows = _rows(folder / f"{symbol}.parquet")
        events[symbol] = _events_of_day(symbol, rows, day)
        close = _last_price_before(rows, day)
        if close is not None:
            prior_close[symbol] = close
    each_cadence = [
        measured_cadence((event.at_ns for event in each), sampled=True) for each in events.values()
    ]
    # The declared cadence is that of the slowest symbol: a rule that holds for it holds for all.
    cadence = Cadence(
        typical_gap_ns=max(each.typical_gap_ns for each in each_cadence),
        largest_gap_ns=max(each.largest_gap_ns for each in each_cadence),
        sampled=True,
    )

    def read() -> Iterator[TapeEvent]:
        return merge(*events.values(), key=lambda event: event.at_ns)

    return Tape(
        name=f"us-equity-{day.isoformat()}",
        describes="recorded US equity trades with the joined best bid and ask, a sample of ~0.1 %",
        kind=TapeKind.US_EQUITY,
        symbols=tuple(symbols),
        cadence=cadence,
        session=Session(open_ns=new_york_ns(day, time(9, 30)), close_ns=new_york_ns(day, time(16))),
        prior_close_nanos=prior_close,
        read=read,
    )


def _rows(path: Path) -> list[dict[str, Any]]:
    """All rows, sorted by time; prices as the shortest text of the stored binary numbers."""
    try:
        import pyarrow as arrow
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise TapeUnreadable(
            "this tape is a parquet file: install the extra with `pip install fuseboard[parquet]`"
        ) from error
    if not path.is_file():
        raise TapeUnreadable(f"there is no tape file {path}")
    table = parquet.read_table(path, columns=[*COLUMNS, "trade-volume"])
    for position, field in enumerate(table.schema):
        table = table.set_column(position, field.name, table.column(position).cast(arrow.string()))
    rows: list[dict[str, Any]] = table.to_pylist()
    whole = [row for row in rows if all(value is not None for value in row.values())]
    whole.sort(key=lambda row: row["index"])
    return whole


def _price_nanos(text: str) -> int:
    """Nano-units of a stored price; averaged prints have more decimals and are rounded."""
    return int(Decimal(text).quantize(_NANO, rounding=ROUND_HALF_UP).scaleb(9))


def _events_of_day(symbol: str, rows: list[dict[str, Any]], day: date) -> list[TapeEvent]:
    midnight_ns = new_york_ns(day, time(12)) - day_ns_of_text("12:00")
    prefix = f"{day.isoformat()}T"
    events: list[TapeEvent] = []
    for row in rows:
        if not row["index"].startswith(prefix):
            continue
        at_ns = midnight_ns + day_ns_of_text(row["index"].removeprefix(prefix))
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
        events += (quote, trade)
    if not events:
        raise TapeUnreadable(f"{symbol} has no rows on {day.isoformat()}")
    return events


def _last_price_before(rows: list[dict[str, Any]], day: date) -> int | None:
    """The last trade price of the last recorded day before `day`: the rows are sorted."""
    before = None
    for row in rows:
        if row["index"] >= day.isoformat():
            break
        before = row
    return None if before is None else _price_nanos(before["trade-price"])


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
