"""Reads Lean's zips of one US share: a day of one-second quotes and trades, or daily bars.

Prices are dollars x 10,000, times are New York's: milliseconds since midnight, or a day. A row
tells a second, or a day, from its time on. Of a second's quotes the last one is told, at the end of
the second, as recorded: the highs and lows of both sides happened at times that the row does not
tell. A second's trades become prints as `bars.py` says; their volume is the record's, unadjusted.
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from pathlib import Path
from typing import Final

from fuseboard.feeds.tapes.bars import Bar, BarTape, prints_of, session_of, tape_of_bars
from fuseboard.feeds.tapes.families import TapeFamily, TapeName, found_by
from fuseboard.feeds.tapes.findings import Findings
from fuseboard.feeds.tapes.rows import integer_of, merged, rows_of, wrong
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
from fuseboard.feeds.tapes.times import SECOND_NS, day_ns_of_text, new_york_ns
from fuseboard.vocabulary.money import NANOS

PRICE_NANOS: Final = NANOS // 10_000
MILLISECOND_NS: Final = 1_000_000
QUOTE_FIELDS: Final = 11
BAR_FIELDS: Final = 6
OPENS, CLOSES = time(4), time(20)
"""Lean keeps the hours before and after the exchange's too."""
GAP_NS_MAX: Final = 60 * SECOND_NS
DAY_NS: Final = 86_400 * SECOND_NS
DAYS_GAP_NS_MAX: Final = 5 * DAY_NS


def seconds_of(quotes: Path) -> Tape:
    """The tape of `second_SYMBOL_YYYYMMDD_quote.zip` and its `_trade.zip` beside it."""
    symbol, day = _told_by_name(quotes)
    trades = quotes.with_name(quotes.name.replace("_quote.zip", "_trade.zip"))
    midnight_ns = new_york_ns(day, time(12)) - day_ns_of_text("12:00")

    def events(found: Findings) -> Iterator[TapeEvent]:
        of_quotes, of_trades = Findings(), Findings()
        return merged(
            found,
            (_quotes(quotes, symbol, midnight_ns, of_quotes), of_quotes),
            (_trades(trades, symbol, midnight_ns, of_trades, found), of_trades),
        )

    return Tape(
        name=f"lean-{symbol.lower()}-{day.isoformat()}",
        describes=f"recorded quotes of {symbol}, one a second, and its trades by the second",
        kind=TapeKind.US_EQUITY,
        symbols=(symbol,),
        cadence=Cadence(typical_gap_ns=SECOND_NS, largest_gap_ns=GAP_NS_MAX, sampled=True),
        session=Session(
            open_ns=new_york_ns(day, OPENS), close_ns=new_york_ns(day, CLOSES) + SECOND_NS
        ),
        prior_close_nanos={},
        read=lambda: events(Findings()),
        read_noting=events,
    )


def daily_of(path: Path) -> Tape:
    """The tape of `daily_SYMBOL.zip`, or `SYMBOL.zip` as Lean names it."""
    symbol = path.stem.removeprefix("daily_").upper()
    session = session_of(_days(path, symbol, Findings()), path)

    return tape_of_bars(
        BarTape(
            name=f"lean-{symbol.lower()}-daily",
            describes=f"recorded daily bars of {symbol}, unadjusted",
            kind=TapeKind.US_EQUITY,
            symbols=(symbol,),
            typical_gap_ns=DAY_NS,
            gap_ns_max=DAYS_GAP_NS_MAX,
            session=session,
            step_nanos=NANOS // 100,
            rows=lambda found: ([bar] for bar in _days(path, symbol, found)),
        )
    )


def _told_by_name(path: Path) -> tuple[str, date]:
    parts = path.name.split("_")
    shape = "second_SYMBOL_YYYYMMDD_quote.zip"
    if len(parts) != 4 or parts[0] != "second" or parts[3] != "quote.zip":
        raise TapeUnreadable(f"{path.name} is not named as {shape}, with its trades beside it")
    try:
        return parts[1].upper(), datetime.strptime(parts[2], "%Y%m%d").date()  # noqa: DTZ007
    except ValueError as error:
        raise TapeUnreadable(f"{path.name} is not named as {shape}: {error}") from error


def _time_ns(text: str, midnight_ns: int, at: Findings) -> int:
    millisecond = integer_of(text, "milliseconds since midnight", at)
    if not 0 <= millisecond <= 86_400_000:
        raise wrong(at, "milliseconds since midnight, at most a day", text)
    return midnight_ns + millisecond * MILLISECOND_NS


def _price(text: str, at: Findings) -> int:
    return integer_of(text, "a price x 10,000", at) * PRICE_NANOS


def _quotes(path: Path, symbol: str, midnight_ns: int, at: Findings) -> Iterator[TapeQuote]:
    for row in rows_of(path, at, fields=QUOTE_FIELDS):
        bid_nanos, bid_size = _side(row[4], row[5], at)
        ask_nanos, ask_size = _side(row[9], row[10], at)
        yield TapeQuote(
            symbol=symbol,
            at_ns=_time_ns(row[0], midnight_ns, at) + SECOND_NS - 1,
            bid_nanos=bid_nanos,
            ask_nanos=ask_nanos,
            bid_size_nanos=bid_size,
            ask_size_nanos=ask_size,
        )


def _side(price: str, size: str, at: Findings) -> tuple[int, int]:
    """A price and its size; a side that is not there is empty in the record."""
    if not price:
        return 0, 0
    return _price(price, at), integer_of(size, "a size", at) * NANOS


def _trades(
    path: Path, symbol: str, midnight_ns: int, at: Findings, found: Findings
) -> Iterator[TapeTrade]:
    for row in rows_of(path, at, fields=BAR_FIELDS):
        opens_ns = _time_ns(row[0], midnight_ns, at)
        yield from prints_of(_bar(symbol, opens_ns, opens_ns + SECOND_NS, row[1:], at), found)


def _bar(symbol: str, opens_ns: int, ends_ns: int, row: Sequence[str], at: Findings) -> Bar:
    return Bar(
        symbol=symbol,
        opens_ns=opens_ns,
        ends_ns=ends_ns,
        open_nanos=_price(row[0], at),
        high_nanos=_price(row[1], at),
        low_nanos=_price(row[2], at),
        close_nanos=_price(row[3], at),
        volume_nanos=integer_of(row[4], "a volume", at) * NANOS,
    )


def _days(path: Path, symbol: str, at: Findings) -> Iterator[Bar]:
    for row in rows_of(path, at, fields=BAR_FIELDS):
        try:
            day = datetime.strptime(row[0], "%Y%m%d 00:00").date()  # noqa: DTZ007
        except ValueError as error:
            raise wrong(at, "a day such as 20200318 00:00", row[0]) from error
        opens_ns, ends_ns = new_york_ns(day, time(9, 30)), new_york_ns(day, time(16))
        yield _bar(symbol, opens_ns, ends_ns, row[1:], at)


def _named(typed: str, data: Path) -> Tape | None:
    return _seconds(typed, data) or _daily(typed, data)


SPY: Final = TapeName(
    name="lean-spy-2013-10-07",
    says="SPY, quotes and trades by the second, a calm day, 04:00 to 20:00",
    file="us_equity_calm_2013/second_spy_20131007_quote.zip",
)
SPY_DAILY: Final = TapeName(
    name="lean-spy-daily",
    says="SPY, daily bars 1998 to 2021, unadjusted",
    file="us_equity_calm_2013/daily_spy.zip",
)
_seconds: Final = found_by(seconds_of, name=SPY, prefix="lean-seconds:")
_daily: Final = found_by(daily_of, name=SPY_DAILY, prefix="lean-daily:")
FAMILY: Final = TapeFamily(
    names=(SPY, SPY_DAILY),
    path="lean-seconds:PATH/second_SYMBOL_YYYYMMDD_quote.zip or lean-daily:PATH/SYMBOL.zip",
    reads="Lean's zips",
    tape=_named,
)
