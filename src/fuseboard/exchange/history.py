"""What the tape has shown so far: recent quotes and trades, minute bars, equity by the minute."""

from collections import deque
from collections.abc import Iterable

from msgspec import Struct, structs

from fuseboard.feeds.tapes.tape import TapeQuote, TapeTrade

EVENTS_KEPT_MAX = 10_000
"""Of each symbol's quotes, and of its trades."""
MINUTES_KEPT_MAX = 5_000
MINUTE_NS = 60_000_000_000


class Bar(Struct, kw_only=True):
    """Trades of one span of time. `value_attos` is their price x size, for the average price."""

    at_ns: int
    open_nanos: int
    high_nanos: int
    low_nanos: int
    close_nanos: int
    volume_nanos: int
    value_attos: int
    trades: int

    @property
    def average_price_nanos(self) -> int | None:
        """Volume-weighted, rounded half up; None without volume."""
        if self.volume_nanos == 0:
            return None
        return (2 * self.value_attos + self.volume_nanos) // (2 * self.volume_nanos)


class SymbolHistory:
    """One symbol's past."""

    def __init__(self) -> None:
        self.quotes: deque[TapeQuote] = deque(maxlen=EVENTS_KEPT_MAX)
        self.trades: deque[tuple[int, TapeTrade]] = deque(maxlen=EVENTS_KEPT_MAX)
        """With the number of the trade, from 1."""
        self.bars: deque[Bar] = deque(maxlen=MINUTES_KEPT_MAX)
        self._trades_seen = 0

    def add_quote(self, quote: TapeQuote) -> None:
        """Remember a quote, without the levels behind it: thousands are kept."""
        if quote.bids or quote.asks:
            quote = structs.replace(quote, bids=(), asks=())
        self.quotes.append(quote)

    def add_trade(self, trade: TapeTrade) -> Bar | None:
        """Remember a trade; returns the minute's bar that it completes, if any."""
        self._trades_seen += 1
        self.trades.append((self._trades_seen, trade))
        minute_ns = trade.at_ns // MINUTE_NS * MINUTE_NS
        new = Bar(
            at_ns=minute_ns,
            open_nanos=trade.price_nanos,
            high_nanos=trade.price_nanos,
            low_nanos=trade.price_nanos,
            close_nanos=trade.price_nanos,
            volume_nanos=trade.size_nanos,
            value_attos=trade.price_nanos * trade.size_nanos,
            trades=1,
        )
        if self.bars and self.bars[-1].at_ns == minute_ns:
            self.bars[-1] = joined([self.bars[-1], new], at_ns=minute_ns)
            return None
        complete = self.bars[-1] if self.bars else None
        self.bars.append(new)
        return complete


def joined(bars: Iterable[Bar], *, at_ns: int) -> Bar:
    """One bar of several, given in time order."""
    parts = list(bars)
    return Bar(
        at_ns=at_ns,
        open_nanos=parts[0].open_nanos,
        high_nanos=max(part.high_nanos for part in parts),
        low_nanos=min(part.low_nanos for part in parts),
        close_nanos=parts[-1].close_nanos,
        volume_nanos=sum(part.volume_nanos for part in parts),
        value_attos=sum(part.value_attos for part in parts),
        trades=sum(part.trades for part in parts),
    )
