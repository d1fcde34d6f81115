"""What a strategy is told of one slice: per symbol one quote and one trade, in order of arrival."""

from fuseboard.feeds.tapes.tape import TapeQuote, TapeTrade
from fuseboard.lab.strategy import Quote, Trade


class _Quotes:
    __slots__ = ("count", "high", "last", "low")

    def __init__(self, quote: TapeQuote) -> None:
        self.last = quote
        self.low, self.high = quote.bid_nanos, quote.ask_nanos
        self.count = 1


class _Trades:
    __slots__ = ("count", "high", "last", "low")

    def __init__(self, trade: TapeTrade) -> None:
        self.last = trade
        self.low = self.high = trade.price_nanos
        self.count = 1


class Conflating:
    """Conflates as the intake does: the last, the extremes, the count."""

    def __init__(self) -> None:
        self._quotes: dict[str, _Quotes] = {}
        self._trades: dict[str, _Trades] = {}

    def quote(self, quote: TapeQuote) -> None:
        """One more quote."""
        at = self._quotes.get(quote.symbol)
        if at is None:
            self._quotes[quote.symbol] = _Quotes(quote)
            return
        at.last = quote
        at.count += 1
        if quote.bid_nanos < at.low:
            at.low = quote.bid_nanos
        if quote.ask_nanos > at.high:
            at.high = quote.ask_nanos

    def trade(self, trade: TapeTrade) -> None:
        """One more trade."""
        at = self._trades.get(trade.symbol)
        if at is None:
            self._trades[trade.symbol] = _Trades(trade)
            return
        at.last = trade
        at.count += 1
        if trade.price_nanos < at.low:
            at.low = trade.price_nanos
        elif trade.price_nanos > at.high:
            at.high = trade.price_nanos

    def taken(self, at_ns: int) -> tuple[list[Trade], list[Quote]]:
        """What there is to tell now; then there is nothing."""
        trades = [_trade(at, at_ns) for at in self._trades.values()]
        quotes = [_quote(at, at_ns) for at in self._quotes.values()]
        self._trades.clear()
        self._quotes.clear()
        return trades, quotes


def _quote(at: _Quotes, at_ns: int) -> Quote:
    last = at.last
    return Quote(
        symbol=last.symbol,
        at_ns=at_ns,
        bid_nanos=last.bid_nanos,
        ask_nanos=last.ask_nanos,
        bid_size_nanos=last.bid_size_nanos,
        ask_size_nanos=last.ask_size_nanos,
        bid_low_nanos=at.low,
        ask_high_nanos=at.high,
        count=at.count,
    )


def _trade(at: _Trades, at_ns: int) -> Trade:
    last = at.last
    return Trade(
        symbol=last.symbol,
        at_ns=at_ns,
        price_nanos=last.price_nanos,
        size_nanos=last.size_nanos,
        low_nanos=at.low,
        high_nanos=at.high,
        count=at.count,
    )
