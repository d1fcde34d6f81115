"""Reads LOBSTER: the full book of one NASDAQ stock, a zip of messages and the book after each.

Row i of the orderbook file is the book after message i. Prices are dollars x 10,000, times are
seconds after midnight in New York. An execution becomes a trade and then the book after it; its
direction is that of the resting order, so the aggressor is the other side. Executions of hidden
orders (type 5) are told likewise; crosses (type 6) have no aggressor. A level that is not there
holds a price of 9999999999 and no size: it is left away; a book without a side is a quote whose
side is 0. Of halts (type 7) the record tells beginning and end, not why.
"""

from collections.abc import Iterator
from datetime import date, time
from pathlib import Path
from typing import Final

from fuseboard.feeds.tapes.families import TapeFamily, TapeName, found_by
from fuseboard.feeds.tapes.findings import Findings
from fuseboard.feeds.tapes.measuring import measured
from fuseboard.feeds.tapes.rows import integer_of, members_of, one_of, rows_of, wrong
from fuseboard.feeds.tapes.tape import (
    Session,
    Tape,
    TapeEvent,
    TapeHalt,
    TapeKind,
    TapeLevels,
    TapeQuote,
    TapeTrade,
    TapeUnreadable,
)
from fuseboard.feeds.tapes.times import SECOND_NS, day_ns_of_text, new_york_ns
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Side

PRICE_NANOS: Final = NANOS // 10_000
MESSAGE_FIELDS: Final = 6
FIELDS_PER_LEVEL: Final = 4
LEVELS_MAX: Final = 200
NO_LEVEL: Final = ("9999999999", "-9999999999")
MESSAGES: Final = "_message_"
BOOKS: Final = "_orderbook_"
VISIBLE_EXECUTION, HIDDEN_EXECUTION, CROSS, HALT = "4", "5", "6", "7"
TYPES: Final = ("1", "2", "3", VISIBLE_EXECUTION, HIDDEN_EXECUTION, CROSS, HALT)
HALTED, QUOTING, RESUMED = "-1", "0", "1"
HALT_TOLD: Final = (HALTED, QUOTING, RESUMED)
"""Where a price would be: that trading halts, that quoting begins again, that trading does."""
AGGRESSOR: Final = {"1": Side.SELL, "-1": Side.BUY}
"""By the direction of the resting order."""


def lobster(path: Path) -> Tape:
    """The tape of one zip. Raises `TapeUnreadable` when it is missing or not of this shape."""
    symbol, day, opens, closes, levels = _told_by_name(path)
    midnight_ns = new_york_ns(day, time(12)) - day_ns_of_text("12:00")

    def times() -> Iterator[int]:
        at = Findings()
        for row in rows_of(path, at, fields=MESSAGE_FIELDS, member=MESSAGES):
            yield midnight_ns + _seconds_ns(row[0], at)

    def events(found: Findings) -> Iterator[TapeEvent]:
        return _events(path, found, symbol=symbol, midnight_ns=midnight_ns, levels=levels)

    return Tape(
        name=f"lobster-{symbol.lower()}-{day.isoformat()}",
        describes=f"recorded NASDAQ book of {symbol}, {levels} levels, and its trades",
        kind=TapeKind.US_EQUITY,
        symbols=(symbol,),
        cadence=measured(times(), sampled=False).cadence,
        session=Session(
            open_ns=midnight_ns + opens * 1_000_000, close_ns=midnight_ns + closes * 1_000_000
        ),
        prior_close_nanos={},
        read=lambda: events(Findings()),
        read_noting=events,
    )


def _told_by_name(path: Path) -> tuple[str, date, int, int, int]:
    """Symbol, day, first and last ms after midnight, levels: from the message file's name."""
    shape = "SYMBOL_YYYY-MM-DD_STARTMS_ENDMS_message_LEVELS.csv"
    for name in members_of(path):
        parts = name.rpartition("/")[2].removesuffix(".csv").split("_")
        if MESSAGES not in name or len(parts) != 6:
            continue
        at = Findings()
        at.file = f"{path.name}, member {name}"
        opens, closes, levels = (integer_of(parts[i], shape, at) for i in (2, 3, 5))
        try:
            day = date.fromisoformat(parts[1])
        except ValueError as error:
            raise wrong(at, shape, name) from error
        if not (0 < levels <= LEVELS_MAX and 0 <= opens < closes <= 86_400_000):
            raise wrong(at, f"{shape} with at most {LEVELS_MAX} levels", name)
        return parts[0], day, opens, closes, levels
    raise TapeUnreadable(f"{path} is no LOBSTER zip: no member is named {shape}")


def _seconds_ns(text: str, at: Findings) -> int:
    """Nanoseconds; decimals beyond the ninth are a binary number's rounding and cut off."""
    whole, _, part = text.partition(".")
    seconds = integer_of(whole, "seconds after midnight", at)
    decimals = integer_of(part or "0", "decimals of a second", at)
    if decimals < 0:
        raise wrong(at, "seconds after midnight", text)
    return seconds * SECOND_NS + int(part[:9].ljust(9, "0"))


def _events(
    path: Path, found: Findings, *, symbol: str, midnight_ns: int, levels: int
) -> Iterator[TapeEvent]:
    of_books = Findings()
    messages = rows_of(path, found, fields=MESSAGE_FIELDS, member=MESSAGES)
    books = rows_of(path, of_books, fields=levels * FIELDS_PER_LEVEL, member=BOOKS)
    before: list[str] | None = None
    for message in messages:
        book = next(books, None)
        if book is None:
            raise wrong(found, "a row of the orderbook file for each message", "no more of them")
        at_ns = midnight_ns + _seconds_ns(message[0], found)
        kind = message[1]
        if kind not in TYPES:
            raise wrong(found, "a message type of 1 to 7", kind)
        if kind == HALT:
            told = one_of(message[4], HALT_TOLD, "what a halt's message tells", found)
            if told != QUOTING:
                yield TapeHalt(symbol=symbol, at_ns=at_ns, resumes=told == RESUMED, reason="")
            continue
        if kind in (VISIBLE_EXECUTION, HIDDEN_EXECUTION, CROSS):
            yield TapeTrade(
                symbol=symbol,
                at_ns=at_ns,
                price_nanos=integer_of(message[4], "a price", found) * PRICE_NANOS,
                size_nanos=integer_of(message[3], "a size", found) * NANOS,
                aggressor=None if kind == CROSS else AGGRESSOR.get(message[5]),
            )
        if book != before:
            before = book
            yield _quote(symbol, at_ns, book, of_books)
    if next(books, None) is not None:
        raise wrong(of_books, "as many rows as messages", "more of them")


def _quote(symbol: str, at_ns: int, book: list[str], at: Findings) -> TapeQuote:
    asks = _levels(book[0::4], book[1::4], at)
    bids = _levels(book[2::4], book[3::4], at)
    bid_nanos, bid_size_nanos = bids[0] if bids else (0, 0)
    ask_nanos, ask_size_nanos = asks[0] if asks else (0, 0)
    return TapeQuote(
        symbol=symbol,
        at_ns=at_ns,
        bid_nanos=bid_nanos,
        ask_nanos=ask_nanos,
        bid_size_nanos=bid_size_nanos,
        ask_size_nanos=ask_size_nanos,
        bids=bids,
        asks=asks,
    )


def _levels(prices: list[str], sizes: list[str], at: Findings) -> TapeLevels:
    return tuple(
        [
            (integer_of(price, "a price", at) * PRICE_NANOS, integer_of(size, "a size", at) * NANOS)
            for price, size in zip(prices, sizes, strict=True)
            if price not in NO_LEVEL
        ]
    )


AMZN: Final = TapeName(
    name="lobster-amzn-2012-06-21",
    says="AMZN, NASDAQ's book of five levels and trades, a normal day",
    file="lobster_2012_06_21/LOBSTER_SampleFile_AMZN_2012-06-21_5.zip",
)
FAMILY: Final = TapeFamily(
    names=(AMZN,),
    path="lobster:PATH.zip",
    reads="a LOBSTER zip",
    tape=found_by(lobster, name=AMZN, prefix="lobster:"),
)
