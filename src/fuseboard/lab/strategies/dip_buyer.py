"""Dip-buyer: buys what has fallen, again and again on the way down, and rests a sale above."""

from collections.abc import Sequence

from msgspec import Struct

from fuseboard.lab.strategies.sizing import (
    is_good,
    part_of,
    price_above,
    quantity_for,
    time_in_force,
)
from fuseboard.lab.strategy import End, Fill, Intent, Place, Quote, Terms, Trade
from fuseboard.vocabulary.orders import OrderType, Side


class DipBuyerParameters(Struct, frozen=True, kw_only=True):
    """Fractions in nano-units."""

    dip_nanos: int = 4_000_000
    """It buys when the ask is so far under the highest since it last asked for a buy: 0.4 %."""
    stake_nanos: int = 60_000_000
    """The value of one buy, of the equity at the beginning: 6 %."""
    target_nanos: int = 10_000_000
    """Where what it bought is offered, above what it paid: 1 %."""


class DipBuyer:
    """See the module. It never gives up: what limits it is the account, or the gate."""

    def __init__(self, terms: Terms, parameters: DipBuyerParameters) -> None:
        self._terms = terms
        self._parameters = parameters
        self._highest_nanos: dict[str, int] = {}
        self._bought: dict[str, int] = {}
        """What each buy that works has been filled: the sale follows when it is over."""
        self._spent_attos: dict[str, int] = {}
        self._count = 0

    def on_quote(self, quote: Quote) -> Sequence[Intent]:
        """Buy a dip."""
        if not is_good(quote):
            return ()
        symbol, ask_nanos = quote.symbol, quote.ask_nanos
        highest_nanos = max(self._highest_nanos.get(symbol, 0), ask_nanos)
        self._highest_nanos[symbol] = highest_nanos
        if ask_nanos > highest_nanos - part_of(highest_nanos, self._parameters.dip_nanos):
            return ()
        self._highest_nanos[symbol] = ask_nanos
        stake_nanos = part_of(self._terms.equity_nanos, self._parameters.stake_nanos)
        quantity_nanos = quantity_for(self._terms, value_nanos=stake_nanos, price_nanos=ask_nanos)
        if quantity_nanos == 0:
            return ()
        own_id = self._next_id("buy")
        self._bought[own_id] = self._spent_attos[own_id] = 0
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
        """Once a buy is filled, offer it higher."""
        if fill.own_id not in self._bought:
            return ()
        self._bought[fill.own_id] += fill.quantity_nanos
        self._spent_attos[fill.own_id] += fill.quantity_nanos * fill.price_nanos
        return self._offered(fill.own_id, fill.symbol) if fill.whole else ()

    def on_end(self, end: End) -> Sequence[Intent]:
        """A buy that ended with a part filled: offer that part."""
        return self._offered(end.own_id, end.symbol) if end.own_id in self._bought else ()

    def _offered(self, buy: str, symbol: str) -> Sequence[Intent]:
        quantity_nanos, spent_attos = self._bought.pop(buy), self._spent_attos.pop(buy)
        if quantity_nanos == 0:
            return ()
        paid_nanos = -(-spent_attos // quantity_nanos)
        wanted_nanos = paid_nanos + part_of(paid_nanos, self._parameters.target_nanos)
        return (
            Place(
                own_id=self._next_id("sell"),
                symbol=symbol,
                side=Side.SELL,
                quantity_nanos=quantity_nanos,
                order_type=OrderType.LIMIT,
                time_in_force=time_in_force(self._terms),
                limit_price_nanos=price_above(self._terms, wanted_nanos),
            ),
        )

    def _next_id(self, what: str) -> str:
        self._count += 1
        return f"dip-{what}-{self._count}"
