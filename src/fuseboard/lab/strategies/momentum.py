"""Momentum: buys what has risen within a minute, sells it when it has fallen as far."""

from collections import deque
from collections.abc import Sequence

from msgspec import Struct

from fuseboard.lab.strategies.sizing import is_good, part_of, quantity_for, time_in_force
from fuseboard.lab.strategy import End, Fill, Intent, Place, Quote, Terms, Trade
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Side


class MomentumParameters(Struct, frozen=True, kw_only=True):
    """Fractions in nano-units, times in ns."""

    window_ns: int = 60 * NANOS
    """Over which the middle's move is looked at."""
    sample_ns: int = NANOS
    """It remembers one middle in so long at most."""
    rise_nanos: int = 2_000_000
    """It buys after a rise of so much: 0.2 %."""
    fall_nanos: int = 2_000_000
    """It sells all after a fall of so much."""
    stake_nanos: int = 200_000_000
    """The value of one position, of the equity at the beginning: 20 %."""
    patience_ns: int = 10 * NANOS
    """After an order that was denied or rejected it waits so long before the next."""


class Momentum:
    """See the module. One order of a symbol at a time; long or flat."""

    def __init__(self, terms: Terms, parameters: MomentumParameters) -> None:
        self._terms = terms
        self._parameters = parameters
        self._middles: dict[str, deque[tuple[int, int]]] = {}
        self._samples_max = parameters.window_ns // parameters.sample_ns + 2
        self._position_nanos = dict.fromkeys(terms.symbols, 0)
        self._working: dict[str, str] = {}
        self._not_before_ns = dict.fromkeys(terms.symbols, 0)
        self._count = 0

    def on_quote(self, quote: Quote) -> Sequence[Intent]:
        """Follow the move of the last minute."""
        if not is_good(quote):
            return ()
        symbol = quote.symbol
        before_nanos = self._middle_before(quote)
        if symbol in self._working or quote.at_ns < self._not_before_ns[symbol]:
            return ()
        if before_nanos == 0:
            return ()
        moved_nanos, held_nanos = quote.middle_nanos - before_nanos, self._position_nanos[symbol]
        if held_nanos <= 0 and moved_nanos >= part_of(before_nanos, self._parameters.rise_nanos):
            stake_nanos = part_of(self._terms.equity_nanos, self._parameters.stake_nanos)
            quantity_nanos = quantity_for(
                self._terms, value_nanos=stake_nanos, price_nanos=quote.ask_nanos
            )
            return self._ordered(symbol, Side.BUY, quantity_nanos)
        if held_nanos > 0 and -moved_nanos >= part_of(before_nanos, self._parameters.fall_nanos):
            return self._ordered(symbol, Side.SELL, held_nanos)
        return ()

    def on_trade(self, trade: Trade) -> Sequence[Intent]:
        """Trades say nothing to it."""
        del trade
        return ()

    def on_fill(self, fill: Fill) -> Sequence[Intent]:
        """Keep the position."""
        self._position_nanos[fill.symbol] = fill.position_nanos
        if fill.whole and self._working.get(fill.symbol) == fill.own_id:
            del self._working[fill.symbol]
        return ()

    def on_end(self, end: End) -> Sequence[Intent]:
        """Try again, later."""
        self._working.pop(end.symbol, None)
        self._not_before_ns[end.symbol] = end.at_ns + self._parameters.patience_ns
        return ()

    def _middle_before(self, quote: Quote) -> int:
        """The middle a window ago, 0 while it is not known; remembers this one."""
        middles = self._middles.get(quote.symbol)
        if middles is None:
            middles = self._middles[quote.symbol] = deque(maxlen=self._samples_max)
        if not middles or quote.at_ns - middles[-1][0] >= self._parameters.sample_ns:
            middles.append((quote.at_ns, quote.middle_nanos))
        began_ns = quote.at_ns - self._parameters.window_ns
        while len(middles) > 1 and middles[1][0] <= began_ns:
            middles.popleft()
        return middles[0][1] if middles[0][0] <= began_ns else 0

    def _ordered(self, symbol: str, side: Side, quantity_nanos: int) -> Sequence[Intent]:
        if quantity_nanos == 0:
            return ()
        self._count += 1
        own_id = self._working[symbol] = f"momentum-{self._count}"
        return (
            Place(
                own_id=own_id,
                symbol=symbol,
                side=side,
                quantity_nanos=quantity_nanos,
                time_in_force=time_in_force(self._terms),
            ),
        )
