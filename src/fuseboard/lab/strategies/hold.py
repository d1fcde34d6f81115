"""Hold: buys what it is to hold, piece by piece, and never sells."""

from collections.abc import Sequence

from msgspec import Struct

from fuseboard.lab.strategies.sizing import is_good, part_of, quantity_for, time_in_force
from fuseboard.lab.strategy import End, Fill, Intent, Place, Quote, Terms, Trade
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Side


class HoldParameters(Struct, frozen=True, kw_only=True):
    """Fractions of the equity at the beginning, in nano-units."""

    share_nanos: int = 800_000_000
    """What it holds of all symbols together: 80 %, the same value of each."""
    piece_nanos: int = 50_000_000
    """The value of one order at most: 5 %."""
    patience_ns: int = 60 * NANOS
    """After an order that was denied or rejected it waits so long before the next."""


class Hold:
    """See the module."""

    def __init__(self, terms: Terms, parameters: HoldParameters) -> None:
        self._terms = terms
        self._parameters = parameters
        wanted_nanos = part_of(terms.equity_nanos, parameters.share_nanos)
        each_nanos = wanted_nanos // len(terms.symbols)
        self._left_nanos = dict.fromkeys(terms.symbols, each_nanos)
        """Money that is still to be spent on each symbol."""
        self._working: dict[str, str] = {}
        self._not_before_ns = dict.fromkeys(terms.symbols, 0)
        self._closed = False
        self._count = 0

    def on_quote(self, quote: Quote) -> Sequence[Intent]:
        """Buy the next piece at a good quote."""
        symbol = quote.symbol
        if self._closed or symbol in self._working or quote.at_ns < self._not_before_ns[symbol]:
            return ()
        if not is_good(quote):
            return ()
        piece_nanos = part_of(self._terms.equity_nanos, self._parameters.piece_nanos)
        value_nanos = min(self._left_nanos[symbol], piece_nanos)
        price_nanos = quote.ask_nanos
        quantity_nanos = quantity_for(self._terms, value_nanos=value_nanos, price_nanos=price_nanos)
        least_nanos = max(piece_nanos // 10, price_nanos if self._terms.shares else 0)
        if quantity_nanos == 0 or value_nanos < min(least_nanos, piece_nanos):
            return ()  # what is left is too little to order
        self._count += 1
        own_id = self._working[symbol] = f"hold-{self._count}"
        return (
            Place(
                own_id=own_id,
                symbol=symbol,
                side=Side.BUY,
                quantity_nanos=quantity_nanos,
                time_in_force=time_in_force(self._terms),
            ),
        )

    def on_trade(self, trade: Trade) -> Sequence[Intent]:
        """Trades say nothing to it."""
        del trade
        return ()

    def on_fill(self, fill: Fill) -> Sequence[Intent]:
        """So much less is to be spent. What the gate closed is not bought again."""
        if not fill.own_id:
            self._closed = True
            return ()
        spent_nanos = fill.quantity_nanos * fill.price_nanos // NANOS
        self._left_nanos[fill.symbol] = max(self._left_nanos[fill.symbol] - spent_nanos, 0)
        if fill.whole:
            self._working.pop(fill.symbol, None)
        return ()

    def on_end(self, end: End) -> Sequence[Intent]:
        """Try again, later."""
        self._working.pop(end.symbol, None)
        self._not_before_ns[end.symbol] = end.at_ns + self._parameters.patience_ns
        return ()
