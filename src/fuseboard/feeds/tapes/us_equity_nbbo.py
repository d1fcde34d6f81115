"""Reads sampled trades with the best bid and ask, one parquet file a symbol, a day or a month.

The files' rows are shuffled, their times are New York wall time, quote sizes are round lots of 100
shares, trade sizes are shares. Each row becomes a quote and then the trade that was joined to it.
About one trade in a thousand is in the file, so the volume of the tape means nothing. As the rows
have to be sorted, a symbol's whole file is read at once, and the events of the days are kept.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, time
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
    Tolerances,
)
from fuseboard.feeds.tapes.times import (
    NEW_YORK,
    SECOND_NS,
    day_ns_of_text,
    day_of_text,
    new_york_ns,
)
from fuseboard.vocabulary.money import NANOS

ROUND_LOT = 100
DAYS_BETWEEN_NS: Final = 5 * 86_400 * SECOND_NS
"""Over a long weekend, in a month."""
COLUMNS = ("index", "bid-price", "bid-volume", "ask-price", "ask-volume", "trade-price")
_NANO = Decimal(1).scaleb(-9)
PREFIX: Final = "us-equity-"
SYMBOLS: Final = ("AAPL", "IBM", "JPM", "MSFT", "PG", "XOM")


def us_equity_nbbo(folder: Path, *, when: str, symbols: Sequence[str]) -> Tape:
    """The tape of a day, `2010-05-06`, or of a month, `2010-05`.

    Raises `TapeUnreadable` when a file, the day or pyarrow is missing, `ValueError` for no day.
    """
    single = len(when) != len("2010-05")
    day = day_of_text(when if single else f"{when}-01")
    when = day.isoformat() if single else when
    events: dict[str, list[TapeEvent]] = {}
    without: list[tuple[str, int]] = []
    prior_close: dict[str, int] = {}
    known_gap_ns = 0
    for symbol in symbols:
        rows = _rows(folder / f"{symbol}.parquet")
        chosen = _rows_of(rows, when)
        whole = [(at_ns, row) for at_ns, row in chosen if None not in row.values()]
        without += [(symbol, at_ns) for at_ns, row in chosen if None in row.values()]
        events[symbol] = _events_of(symbol, whole, folder, "on that day" if single else "then")
        close = _last_price_before(rows, when)
        if close is not None:
            prior_close[symbol] = close
        known_gap_ns = max(known_gap_ns, _gap_before_ns(rows, when))
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

    ends = [each[end].at_ns for each in events.values() for end in (0, -1)]
    first, last = (datetime.fromtimestamp(at(ends) // NANOS, NEW_YORK).date() for at in (min, max))
    return Tape(
        name=f"{PREFIX}{when}",
        describes="recorded US equity trades with the joined best bid and ask, a sample of ~0.1 %",
        kind=TapeKind.US_EQUITY,
        symbols=tuple(symbols),
        cadence=cadence,
        session=Session(
            open_ns=new_york_ns(first, time(9, 30)), close_ns=new_york_ns(last, time(16))
        ),
        prior_close_nanos=prior_close,
        read=lambda: read(Findings()),
        read_noting=read,
        tolerances=Tolerances() if single else Tolerances(gap_ns_max=DAYS_BETWEEN_NS),
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


def _rows_of(rows: list[dict[str, Any]], when: str) -> list[tuple[int, dict[str, Any]]]:
    """The rows of a day or a month, each with its time."""
    chosen = [row for row in rows if row["index"].startswith(when)]
    midnights = {
        day: new_york_ns(day_of_text(day), time(12)) - day_ns_of_text("12:00")
        for day in dict.fromkeys(row["index"].partition("T")[0] for row in chosen)
    }
    timed = []
    for row in chosen:
        day, _, wall = row["index"].partition("T")
        timed.append((midnights[day] + day_ns_of_text(wall), row))
    return timed


def _events_of(
    symbol: str, rows: list[tuple[int, dict[str, Any]]], folder: Path, when: str
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
        raise TapeUnreadable(f"{folder / symbol}.parquet has no rows {when}")
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


def _last_price_before(rows: list[dict[str, Any]], when: str) -> int | None:
    """The last trade price of the last recorded day before: the rows are sorted."""
    before = None
    for row in rows:
        if row["index"] >= when:
            break
        if row["trade-price"] is not None:
            before = row
    return None if before is None else _price_nanos(before["trade-price"])


def _gap_before_ns(rows: list[dict[str, Any]], when: str) -> int:
    """The typical gap of the last recorded day before; 0 where it has fewer than two rows."""
    before = next((row["index"][:10] for row in reversed(rows) if row["index"] < when), None)
    if before is None:
        return 0
    times_ns = [at_ns for at_ns, _ in _rows_of(rows, before)]
    if len(set(times_ns)) < 2:
        return 0
    return measured_cadence(times_ns, sampled=True).typical_gap_ns


def _named(typed: str, data: Path) -> Tape | None:
    base, _, detail = typed.partition(":")
    if base.startswith(PREFIX):
        symbols = tuple(detail.split(",")) if detail else SYMBOLS
        when = base.removeprefix(PREFIX)
        return us_equity_nbbo(data / "us_equity_nbbo_2010", when=when, symbols=symbols)
    if base.endswith(".parquet"):
        path = Path(base)
        return us_equity_nbbo(path.parent, when=detail, symbols=(path.stem,))
    return None


FAMILY: Final = TapeFamily(
    names=(
        TapeName(
            name=f"{PREFIX}2010-05-06",
            says=f"the flash crash; any day or month of 2010; :SYMBOL,... of {', '.join(SYMBOLS)}",
            file="us_equity_nbbo_2010/AAPL.parquet",
        ),
    ),
    path="PATH/SYMBOL.parquet:YYYY-MM[-DD]",
    reads="a parquet file of sampled trades with bid and ask",
    tape=_named,
)
