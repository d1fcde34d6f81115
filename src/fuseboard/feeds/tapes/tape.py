"""What a tape is: a named, self-describing, repeatable sequence of quotes, trades and halts.

Prices and sizes are nano-units, times are UTC nanoseconds since 1970. A tape declares its cadence,
because how old a quote may be depends on how often the tape was sampled.
"""

from collections.abc import Callable, Iterator
from enum import Enum
from typing import TypeAlias

from msgspec import Struct, structs

from fuseboard.feeds.tapes.findings import Findings
from fuseboard.vocabulary.orders import Side


class TapeUnreadable(ValueError):
    """A tape could not be found or read; the message says what to do."""


class TapeKind(Enum):
    """Which market's rules hold for the tape's symbols."""

    US_EQUITY = "us_equity"
    CRYPTO = "crypto"


class Cadence(Struct, frozen=True, kw_only=True):
    """How often a symbol's events come. `sampled`: events are missing by construction.

    `known_gap_ns`: the typical gap as it could be known before the tape's first event: of the last
    day recorded before it, 0 where there is none; None: `typical_gap_ns` is the format's own.
    """

    typical_gap_ns: int
    largest_gap_ns: int
    sampled: bool
    known_gap_ns: int | None = None

    def known_before_ns(self) -> int:
        """The typical gap that was known before the tape began; 0: none."""
        return self.typical_gap_ns if self.known_gap_ns is None else self.known_gap_ns


class Tolerances(Struct, frozen=True, kw_only=True):
    """What the checks of a tape let pass, see `checked.py`.

    `late_ns_max`: how much older than one before it an event may be; it is put in its place.
    `gap_ns_max`: the longest silence of a symbol that is none to speak of; 0: a hundred typical
    gaps, at least half a minute. `jump_percent`: how far a print may be from the one before it.
    """

    late_ns_max: int = 0
    gap_ns_max: int = 0
    jump_percent: int = 10


class Session(Struct, frozen=True, kw_only=True):
    """The hours the tape covers: from its first possible event to its last."""

    open_ns: int
    close_ns: int


TapeLevels: TypeAlias = tuple[tuple[int, int], ...]
LEVELS_SHOWN_MAX = 10
"""Of each side: what a feed of books tells, however many a tape has."""


class TapeQuote(Struct, frozen=True, kw_only=True, gc=False):
    """The best bid and ask of one symbol. `derived`: made from trades, not recorded.

    `bids` and `asks` are the levels of the book, pairs of price and size, the best first, where the
    tape tells them: the first is then the quote. Empty: the tape tells the best of each side only.
    """

    symbol: str
    at_ns: int
    bid_nanos: int
    ask_nanos: int
    bid_size_nanos: int
    ask_size_nanos: int
    derived: bool = False
    bids: TapeLevels = ()
    asks: TapeLevels = ()


class TapeTrade(Struct, frozen=True, kw_only=True, gc=False):
    """One print. `aggressor` is the taker's side, None where the record does not tell."""

    symbol: str
    at_ns: int
    price_nanos: int
    size_nanos: int
    aggressor: Side | None = None


class TapeHalt(Struct, frozen=True, kw_only=True, gc=False):
    """Trading of one symbol halts, or `resumes`; `reason` is the exchange's code for why."""

    symbol: str
    at_ns: int
    resumes: bool = False
    reason: str = "LUDP"


TapeEvent = TapeQuote | TapeTrade | TapeHalt


class Tape(Struct, frozen=True, kw_only=True):
    """A tape. `read` starts a new pass over its events, in time order, each time it is called.

    `describes` says in one sentence what the events are: recorded, sampled, derived,
    reconstructed or invented. `prior_close_nanos` holds what is known of the prior session.
    `read_noting` is the same pass, which keeps what it is given at the row that it reads.
    """

    name: str
    describes: str
    kind: TapeKind
    symbols: tuple[str, ...]
    cadence: Cadence
    session: Session
    prior_close_nanos: dict[str, int]
    read: Callable[[], Iterator[TapeEvent]]
    read_noting: Callable[[Findings], Iterator[TapeEvent]] | None = None
    tolerances: Tolerances = Tolerances()

    def between(self, session: Session) -> "Tape":
        """The part of the tape inside the hours given (both ends included).

        The quotes and halts that stand when the hours begin are repeated then, so that no symbol is
        without.
        """

        def cut(events: Iterator[TapeEvent]) -> Iterator[TapeEvent]:
            standing: dict[str, TapeQuote] = {}
            halted: dict[str, TapeHalt] = {}
            for event in events:
                if event.at_ns > session.close_ns:
                    return
                if event.at_ns >= session.open_ns:
                    yield from standing.values()
                    yield from halted.values()
                    standing.clear()
                    halted.clear()
                    yield event
                elif isinstance(event, TapeQuote):
                    standing[event.symbol] = structs.replace(event, at_ns=session.open_ns)
                elif isinstance(event, TapeHalt):
                    halted.pop(event.symbol, None)
                    if not event.resumes:
                        halted[event.symbol] = structs.replace(event, at_ns=session.open_ns)

        noting = self.read_noting
        return structs.replace(
            self,
            session=session,
            read=lambda: cut(self.read()),
            read_noting=None if noting is None else lambda found: cut(noting(found)),
        )


def shown_levels(quote: TapeQuote) -> tuple[TapeLevels, TapeLevels]:
    """Bids and asks as a feed of books tells them, `LEVELS_SHOWN_MAX` at most, the best first.

    A side of which the tape tells only the best has that; one that nobody is on is empty.
    """
    bids, asks = quote.bids, quote.asks
    if not bids and quote.bid_nanos and quote.bid_size_nanos:
        bids = ((quote.bid_nanos, quote.bid_size_nanos),)
    if not asks and quote.ask_nanos and quote.ask_size_nanos:
        asks = ((quote.ask_nanos, quote.ask_size_nanos),)
    return bids[:LEVELS_SHOWN_MAX], asks[:LEVELS_SHOWN_MAX]
