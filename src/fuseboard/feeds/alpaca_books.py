"""The order books of one connection: a full one first, then changes, kept as Alpaca tells them.

The stream numbers nothing, so a change that is lost cannot be seen: whatever gives reason to doubt
a book (a message that makes no sense or is older than the one before, a connection that is gone)
forgets it, and nothing is told of it before the next full one.
"""

from heapq import nlargest, nsmallest
from typing import Any, Final

from msgspec import Struct

from fuseboard.feeds.alpaca_facts import Message, amount_of, at_ns_of, symbol_of
from fuseboard.vocabulary.market_inputs import BookSeen
from fuseboard.wire.alpaca_values import nanos_rounded

LEVELS_TOLD_MAX: Final = 10
"""Of each side, the best: what a `BookSeen` holds."""
LEVELS_KEPT_MAX: Final = 1_000
"""Of each side. Beyond it the worse half is let go: the book looks thinner, never deeper."""
LEVELS_A_MESSAGE_MAX: Final = 5_000
"""Of each side; a larger message is refused."""
RENEWALS_MAX: Final = 10
"""How often the book of one symbol is asked for anew within one connection."""


class Book(Struct):
    """One symbol's book: the size at each price."""

    bids: dict[int, int] = {}
    asks: dict[int, int] = {}
    event_ns: int = 0


class Books:
    """The books of the symbols of one stream."""

    def __init__(self) -> None:
        self._books: dict[str, Book] = {}
        self._doubted: dict[str, None] = {}
        self._renewals: dict[str, int] = {}

    def take(self, message: Message) -> BookSeen | None:
        """What a book is after a message; None for a change of one that is not known.

        Raises `KeyError` or `ValueError` for nonsense, and forgets the book.
        """
        symbol = symbol_of(message)
        book = self._books.pop(symbol, None)
        try:
            book = _after(book, message)
        except (KeyError, ValueError):
            self._doubted[symbol] = None
            raise
        if book is None:
            return None
        self._books[symbol] = book
        return BookSeen(
            symbol=symbol,
            bids=_best(book.bids, of_bids=True, levels_max=LEVELS_TOLD_MAX),
            asks=_best(book.asks, of_bids=False, levels_max=LEVELS_TOLD_MAX),
            event_ns=book.event_ns,
        )

    def doubted(self) -> list[str]:
        """Each symbol whose book was forgotten since the last call and is to be asked for anew."""
        renewed = []
        for symbol in self._doubted:
            asked = self._renewals.get(symbol, 0)
            if asked < RENEWALS_MAX:
                self._renewals[symbol] = asked + 1
                renewed.append(symbol)
        self._doubted.clear()
        return renewed

    def forget(self) -> None:
        """The connection is gone, and every book with it."""
        self._books.clear()
        self._doubted.clear()
        self._renewals.clear()


def _after(book: Book | None, message: Message) -> Book | None:
    """A book with a message's changes, or a full one; raises as `Books.take`."""
    full, at_ns = message.get("r", False), at_ns_of(message["t"])
    bids, asks = _levels(message, "b"), _levels(message, "a")
    if type(full) is not bool:
        raise ValueError(f"{full!r} does not say whether a book is full")
    if full:
        book = Book(event_ns=at_ns)
    elif book is None:
        return None
    if at_ns < book.event_ns:
        raise ValueError(f"a change of a book at {at_ns} came after one at {book.event_ns}")
    book.event_ns = at_ns
    book.bids = _changed(book.bids, bids, of_bids=True)
    book.asks = _changed(book.asks, asks, of_bids=False)
    return book


def _levels(message: Message, key: str) -> dict[int, int]:
    """Price and size of each level that a message names; the last word on a price counts."""
    given: object = message.get(key) or []
    if not isinstance(given, list) or len(given) > LEVELS_A_MESSAGE_MAX:
        raise ValueError(f"{key} is not a list of at most {LEVELS_A_MESSAGE_MAX} levels")
    levels: dict[int, int] = {}
    for level in given:
        if type(level) is not dict:
            raise ValueError(f"{str(level)[:40]!r} is not a level")
        price_nanos, size_nanos = amount_of(level["p"]), _size_of(level["s"])
        if price_nanos == 0:
            raise ValueError("a level has no price")
        levels[price_nanos] = size_nanos
    return levels


def _size_of(value: Any) -> int:
    nanos = nanos_rounded(value)
    if nanos < 0:
        raise ValueError(f"a size of {value!r} is negative")
    return nanos


def _changed(side: dict[int, int], levels: dict[int, int], *, of_bids: bool) -> dict[int, int]:
    for price_nanos, size_nanos in levels.items():
        if size_nanos:
            side[price_nanos] = size_nanos
        else:
            side.pop(price_nanos, None)
    if len(side) <= LEVELS_KEPT_MAX:
        return side
    return dict(_best(side, of_bids=of_bids, levels_max=LEVELS_KEPT_MAX // 2))


def _best(side: dict[int, int], *, of_bids: bool, levels_max: int) -> tuple[tuple[int, int], ...]:
    best = nlargest if of_bids else nsmallest
    return tuple((price_nanos, side[price_nanos]) for price_nanos in best(levels_max, side))
