"""Market maker: rests a bid under the middle and an offer above it, within a bound of inventory.

It is long or flat, since most brokers let nobody open both sides of a symbol at once: flat it has
a bid only, at its bound an offer only. An order whose price is no longer right is cancelled, and
the next one placed when that is confirmed.
"""

from collections.abc import Sequence

from msgspec import Struct

from fuseboard.lab.strategies.sizing import (
    is_good,
    part_of,
    price_above,
    price_below,
    quantity_for,
    time_in_force,
)
from fuseboard.lab.strategy import Cancel, End, Fill, Intent, Place, Quote, Terms, Trade
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import OrderType, Side


class MarketMakerParameters(Struct, frozen=True, kw_only=True):
    """Fractions in nano-units, times in ns."""

    half_spread_nanos: int = 500_000
    """How far from the middle it quotes: 5 basis points."""
    requote_nanos: int = 300_000
    """A quote so far from where it should be is replaced: 3 basis points."""
    stake_nanos: int = 50_000_000
    """The value of one quote, of the equity at the beginning: 5 %."""
    inventory_nanos: int = 250_000_000
    """What it holds of one symbol at most, of the equity at the beginning: 25 %."""
    patience_ns: int = NANOS
    """After an order that was denied or rejected a side waits so long before the next."""


class _Quoted(Struct):
    """One side of one symbol."""

    own_id: str = ""
    price_nanos: int = 0
    leaving: bool = False
    not_before_ns: int = 0


class MarketMaker:
    """See the module."""

    def __init__(self, terms: Terms, parameters: MarketMakerParameters) -> None:
        self._terms = terms
        self._parameters = parameters
        self._position_nanos = dict.fromkeys(terms.symbols, 0)
        self._quoted = {
            (symbol, side): _Quoted() for symbol in terms.symbols for side in (Side.BUY, Side.SELL)
        }
        self._count = 0

    def on_quote(self, quote: Quote) -> Sequence[Intent]:
        """Quote both sides anew where the middle has moved; withdraw under a bad quote."""
        symbol = quote.symbol
        bid, ask = self._quoted[symbol, Side.BUY], self._quoted[symbol, Side.SELL]
        if not is_good(quote):
            return (*self._withdrawn(bid), *self._withdrawn(ask))
        middle_nanos = quote.middle_nanos
        half_nanos = part_of(middle_nanos, self._parameters.half_spread_nanos)
        bid_nanos = price_below(self._terms, middle_nanos - half_nanos)
        ask_nanos = price_above(self._terms, middle_nanos + half_nanos)
        held_nanos = self._position_nanos[symbol]
        equity_nanos = self._terms.equity_nanos
        room_nanos = part_of(equity_nanos, self._parameters.inventory_nanos)
        room_nanos -= held_nanos * middle_nanos // NANOS
        stake_nanos = part_of(equity_nanos, self._parameters.stake_nanos)
        value_nanos = min(stake_nanos, max(room_nanos, 0))
        buys_nanos = quantity_for(self._terms, value_nanos=value_nanos, price_nanos=bid_nanos)
        sells_nanos = min(
            held_nanos,
            quantity_for(self._terms, value_nanos=stake_nanos, price_nanos=ask_nanos),
        )
        if room_nanos < stake_nanos // 2:
            buys_nanos = 0
        return (
            *self._followed(bid, symbol, Side.BUY, bid_nanos, buys_nanos, quote.at_ns),
            *self._followed(ask, symbol, Side.SELL, ask_nanos, sells_nanos, quote.at_ns),
        )

    def on_trade(self, trade: Trade) -> Sequence[Intent]:
        """Trades say nothing to it."""
        del trade
        return ()

    def on_fill(self, fill: Fill) -> Sequence[Intent]:
        """Keep the inventory."""
        self._position_nanos[fill.symbol] = fill.position_nanos
        quoted = self._quoted[fill.symbol, fill.side]
        if fill.whole and quoted.own_id == fill.own_id:
            quoted.own_id, quoted.leaving = "", False
        return ()

    def on_end(self, end: End) -> Sequence[Intent]:
        """A side is free again; after a refusal it waits."""
        for side in (Side.BUY, Side.SELL):
            quoted = self._quoted[end.symbol, side]
            if quoted.own_id == end.own_id:
                quoted.own_id, quoted.leaving = "", False
                if end.how in ("denied", "rejected"):
                    quoted.not_before_ns = end.at_ns + self._parameters.patience_ns
        return ()

    def _followed(
        self,
        quoted: _Quoted,
        symbol: str,
        side: Side,
        price_nanos: int,
        quantity_nanos: int,
        at_ns: int,
    ) -> Sequence[Intent]:
        """One side: leave it, cancel it, or place it."""
        if quoted.own_id:
            off_nanos = abs(quoted.price_nanos - price_nanos)
            if off_nanos <= part_of(price_nanos, self._parameters.requote_nanos):
                return ()
            return self._withdrawn(quoted)
        if quantity_nanos <= 0 or at_ns < quoted.not_before_ns:
            return ()
        self._count += 1
        quoted.own_id, quoted.price_nanos = f"maker-{side.value}-{self._count}", price_nanos
        return (
            Place(
                own_id=quoted.own_id,
                symbol=symbol,
                side=side,
                quantity_nanos=quantity_nanos,
                order_type=OrderType.LIMIT,
                time_in_force=time_in_force(self._terms),
                limit_price_nanos=price_nanos,
            ),
        )

    def _withdrawn(self, quoted: _Quoted) -> Sequence[Intent]:
        if not quoted.own_id or quoted.leaving:
            return ()
        quoted.leaving = True
        return (Cancel(own_id=quoted.own_id),)
