"""Reads a raw capture of Binance futures: differences of the book, its top, trades, a snapshot.

A line is the receiver's clock in ns, a space, and the message as it came. The tape's clock is the
exchange's transaction time (`T`, ms UTC): the receiver's is behind it, so that events would seem to
come from the future. The streams are not in one order: an event may be late by `LATE_NS_MAX`.

The book is `depth_book.py`'s. The top (`bookTicker`) comes more often and has the same update ids:
where it is newer than the book it stands before the book's levels, which it may hide and never
crosses. Before the snapshot, and after a difference is missing, a quote has no levels. What does
not fit together is counted: a missing difference (`left_out`), a top that the book does not have
at the same update (`disagrees`), a crossed book (`crossed`).
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from msgspec import DecodeError, Struct, ValidationError, field
from msgspec.json import Decoder

from fuseboard.feeds.tapes.depth_book import Change, DepthBook
from fuseboard.feeds.tapes.families import TapeFamily, TapeName, found_by
from fuseboard.feeds.tapes.findings import FindingKind, Findings
from fuseboard.feeds.tapes.measuring import measured
from fuseboard.feeds.tapes.rows import integer_of, lines_of, nanos_of, wrong
from fuseboard.feeds.tapes.tape import (
    Tape,
    TapeEvent,
    TapeKind,
    TapeLevels,
    TapeQuote,
    TapeTrade,
    TapeUnreadable,
    Tolerances,
)
from fuseboard.vocabulary.orders import Side

LEVELS: Final = 10
LATE_NS_MAX: Final = 1_000_000_000
MILLISECOND_NS: Final = 1_000_000
BUFFERED_MAX: Final = 10_000
Pairs = tuple[tuple[str, str], ...]


class Difference(Struct, tag_field="e", tag="depthUpdate", gc=False):
    """What changed in the book from update `first_id` to `last_id`."""

    symbol: str = field(name="s")
    time_ms: int = field(name="T")
    first_id: int = field(name="U")
    last_id: int = field(name="u")
    before_id: int = field(name="pu")
    bids: Pairs = field(name="b")
    asks: Pairs = field(name="a")


class Top(Struct, tag_field="e", tag="bookTicker", gc=False):
    """The best of both sides at update `last_id`."""

    symbol: str = field(name="s")
    time_ms: int = field(name="T")
    last_id: int = field(name="u")
    bid: str = field(name="b")
    bid_size: str = field(name="B")
    ask: str = field(name="a")
    ask_size: str = field(name="A")


class Print(Struct, tag_field="e", tag="trade", gc=False):
    """A trade. `buyer_made`: the buyer's order rested, so the seller was the aggressor."""

    symbol: str = field(name="s")
    time_ms: int = field(name="T")
    price: str = field(name="p")
    size: str = field(name="q")
    buyer_made: bool = field(name="m")


class Line(Struct, gc=False):
    """A message of a stream in `data`, or a snapshot of the book."""

    data: Difference | Top | Print | None = None
    snapshot_id: int = field(name="lastUpdateId", default=0)
    time_ms: int = field(name="T", default=0)
    bids: Pairs = ()
    asks: Pairs = ()


_DECODER: Final = Decoder(Line)


def binance_depth(path: Path) -> Tape:
    """The tape of one capture. Raises `TapeUnreadable` when missing or not of this shape."""
    symbols: dict[str, None] = {}

    def times() -> Iterator[int]:
        for line in _lines(path, Findings()):
            if line.data is not None:
                symbols[line.data.symbol] = None
            yield (line.data or line).time_ms * MILLISECOND_NS

    measures = measured(times(), sampled=False)
    if len(symbols) != 1:
        raise TapeUnreadable(f"{path} tells of {', '.join(symbols)}: a capture has one symbol")
    symbol = next(iter(symbols))

    def events(found: Findings) -> Iterator[TapeEvent]:
        reader = _Reader(symbol, found)
        for line in _lines(path, found):
            yield from reader.events_of(line)

    return Tape(
        name=path.name.removesuffix(".gz"),
        describes=f"recorded Binance futures book of {symbol}, {LEVELS} levels, and its trades",
        kind=TapeKind.CRYPTO,
        symbols=(symbol,),
        cadence=measures.cadence,
        session=measures.session,
        prior_close_nanos={},
        read=lambda: events(Findings()),
        read_noting=events,
        tolerances=Tolerances(late_ns_max=LATE_NS_MAX),
    )


def _lines(path: Path, at: Findings) -> Iterator[Line]:
    for text in lines_of(path, at):
        received, _, message = text.partition(" ")
        integer_of(received, "the receiver's clock in ns, then a space and a message", at)
        try:
            line = _DECODER.decode(message)
        except (ValidationError, DecodeError) as error:
            raise wrong(at, f"a message of depth, top or trade ({error})", message) from error
        if line.data is None and not line.snapshot_id:
            raise wrong(at, "a message with `data`, or a snapshot with `lastUpdateId`", message)
        yield line


class _Reader:
    """One pass: the book, the differences that wait for a snapshot, the newest top."""

    def __init__(self, symbol: str, found: Findings) -> None:
        self._symbol = symbol
        self._found = found
        self._book = DepthBook()
        self._waiting: list[Difference] = []
        self._top: tuple[int, Change, Change] | None = None
        self._shown: tuple[TapeLevels, TapeLevels] = ((), ())
        self._quoted_ns = 0

    def events_of(self, line: Line) -> Iterator[TapeEvent]:
        """What one line tells."""
        message = line.data
        if message is None:
            bids, asks = self._pairs(line.bids), self._pairs(line.asks)
            self._book.load(line.snapshot_id, bids, asks)
            waiting, self._waiting = self._waiting, []
            for difference in waiting:
                self._follow(difference)
            yield from self._quote(line.time_ms)
        elif isinstance(message, Print):
            yield TapeTrade(
                symbol=message.symbol,
                at_ns=message.time_ms * MILLISECOND_NS,
                price_nanos=nanos_of(message.price, "a price", self._found),
                size_nanos=nanos_of(message.size, "a size", self._found),
                aggressor=Side.SELL if message.buyer_made else Side.BUY,
            )
        elif isinstance(message, Top):
            bid, ask = self._pairs(
                ((message.bid, message.bid_size), (message.ask, message.ask_size))
            )
            if self._top is None or message.last_id > self._top[0]:
                self._top = (message.last_id, bid, ask)
                yield from self._quote(message.time_ms)
        elif self._follow(message):
            yield from self._quote(message.time_ms)

    def _follow(self, difference: Difference) -> bool:
        """Apply a difference; whether the book is known and newer by it."""
        book, found = self._book, self._found
        if not book.last_id:
            self._waiting.append(difference)
            if len(self._waiting) > BUFFERED_MAX:
                raise wrong(found, f"a snapshot after at most {BUFFERED_MAX} differences", "none")
            return False
        follows = book.follows(difference.first_id, difference.last_id, difference.before_id)
        if follows is None:
            return False
        if not follows:
            at_ns = difference.time_ms * MILLISECOND_NS
            said = f"follows update {difference.before_id}, the book is at {book.last_id}"
            found.note(FindingKind.LEFT_OUT, at_ns, f"{self._symbol}: a difference {said}")
            book.forget()
            return False
        book.change(difference.last_id, self._pairs(difference.bids), self._pairs(difference.asks))
        self._compare(difference)
        return True

    def _compare(self, difference: Difference) -> None:
        """The top that was told for the book's very update has to be the book's."""
        top = self._top
        if top is None or top[0] != self._book.last_id:
            return
        bids, asks = self._book.best(1)
        if (bids, asks) != (top[1:2], top[2:3]):
            said = f"{self._symbol}: the book has {bids} x {asks}, the top {top[1]} x {top[2]}"
            self._found.note(FindingKind.DISAGREES, difference.time_ms * MILLISECOND_NS, said)

    def _quote(self, time_ms: int) -> Iterator[TapeQuote]:
        """The quote that stands now, where it is another one; its time never goes back."""
        at_ns = max(time_ms * MILLISECOND_NS, self._quoted_ns)
        levels = self._levels()
        if levels == self._shown:
            return
        self._shown, self._quoted_ns = levels, at_ns
        bids, asks = levels
        bid_nanos, bid_size_nanos = bids[0] if bids else (0, 0)
        ask_nanos, ask_size_nanos = asks[0] if asks else (0, 0)
        known = bool(self._book.last_id)
        yield TapeQuote(
            symbol=self._symbol,
            at_ns=at_ns,
            bid_nanos=bid_nanos,
            ask_nanos=ask_nanos,
            bid_size_nanos=bid_size_nanos,
            ask_size_nanos=ask_size_nanos,
            bids=bids if known else (),
            asks=asks if known else (),
        )

    def _levels(self) -> tuple[TapeLevels, TapeLevels]:
        if self._top is None or self._top[0] <= self._book.last_id:
            return self._book.best(LEVELS)
        _, bid, ask = self._top
        bids, asks = self._book.best(LEVELS - 1, bid[0], ask[0])
        return ((bid,) if bid[1] else ()) + bids, ((ask,) if ask[1] else ()) + asks

    def _pairs(self, pairs: Sequence[tuple[str, str]]) -> list[Change]:
        at = self._found
        return [
            (nanos_of(price, "a price", at), nanos_of(size, "a size", at)) for price, size in pairs
        ]


BTCUSDT: Final = TapeName(
    name="binance-btcusdt-2024-08-08",
    says="BTCUSDT futures, raw depth, top of book and trades, 5.7 minutes of a calm day",
    file="binance_l2_2024_08_08/usdm_btcusdt_20240808.gz",
)
FAMILY: Final = TapeFamily(
    names=(BTCUSDT,),
    path="binance-depth:PATH.gz",
    reads="lines of local ns, a space, and a message of Binance's futures streams",
    tape=found_by(binance_depth, name=BTCUSDT, prefix="binance-depth:"),
)
