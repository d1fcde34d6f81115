"""Inputs that feeds of market data tell. Prices and sizes are nano-units, times nanoseconds."""

from typing import Final, TypeAlias

from fuseboard.vocabulary.fact import Fact

LACKS: Final = ("sizes", "trades", "spread")
"""What a feed may say that it does not give: sizes of quotes, all trades (none, or a sample), the
prices at which a book stood (its quotes are made around trades).
"""


class QuoteSeen(Fact, frozen=True, tag=True):
    """Quotes of one symbol, conflated: the last, the lowest bid, the highest ask, and how many."""

    symbol: str
    bid_nanos: int
    ask_nanos: int
    bid_size_nanos: int
    ask_size_nanos: int
    event_ns: int
    bid_low_nanos: int
    ask_high_nanos: int
    count: int = 1
    standing: bool = False
    """Read when we began to watch: it stands since its time, which is no delay."""


class BookSeen(Fact, frozen=True, tag=True):
    """The book of one symbol, conflated: the last, and how many. It prices and values nothing.

    `bids` and `asks` are pairs of price and size, the best first, ten of each side at most.
    """

    symbol: str
    bids: tuple[tuple[int, int], ...]
    asks: tuple[tuple[int, int], ...]
    event_ns: int
    count: int = 1


class TradeSeen(Fact, frozen=True, tag=True):
    """Trades of one symbol, conflated: the last, the lowest, the highest, and how many."""

    symbol: str
    price_nanos: int
    size_nanos: int
    event_ns: int
    low_nanos: int
    high_nanos: int
    count: int = 1


class TradeWithdrawn(Fact, frozen=True, tag=True):
    """A trade that was told is taken back: cancelled, in error, or corrected.

    `corrected_nanos` is its right price, 0 when it never took place.
    """

    symbol: str
    price_nanos: int
    event_ns: int
    corrected_nanos: int = 0


class FeedHeard(Fact, frozen=True, tag=True):
    """A feed of market data is alive: it said something, if only a pong. At most once a second.

    From the first one on, a feed that is not heard is dead, and everything it feeds is stale.
    """

    feed: str
    real_time: bool = True
    """Whether the times of its messages are the present; a tape's tell nothing of delay."""
    lacks: tuple[str, ...] = ()
    """Words of `LACKS`: what liquidity cannot be measured by."""


class TradingHalted(Fact, frozen=True, tag=True):
    """An exchange halted trading in a symbol; empty: in the whole market.

    `level` 1 to 3: by the market-wide circuit breaker (NYSE rule 7.12), told through this symbol.
    """

    symbol: str
    code: str
    """The exchange's own words for status and reason, such as `P LUDP`."""
    event_ns: int
    level: int = 0


class TradingResumed(Fact, frozen=True, tag=True):
    """An exchange resumed trading in a symbol; empty: in the whole market."""

    symbol: str
    code: str
    event_ns: int


MarketFact: TypeAlias = (
    QuoteSeen | BookSeen | TradeSeen | TradeWithdrawn | FeedHeard | TradingHalted | TradingResumed
)
"""What a feed of market data says."""
