"""A second opinion on limits: keeps every order by itself, and adds everything up each time."""

from fractions import Fraction

from msgspec import Struct

from fuseboard.policy.limits import Limits
from fuseboard.policy.policy import Policy
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Side


class Kept(Struct):
    """One order; the price is the worst it was judged at."""

    order_id: str
    symbol: str
    side: Side
    open: Fraction
    price: Fraction
    filled: Fraction = Fraction(0)


class LimitsShadow:
    """Money and quantities as exact fractions; nothing is kept as a total."""

    def __init__(self, policy: Policy, *, cash: int, multiplier: int) -> None:
        self.policy = policy
        self.cash = Fraction(cash)
        self.multiplier = multiplier
        self.orders: list[Kept] = []
        self.held: dict[str, Fraction] = {}
        self.marks: dict[str, Fraction] = {}
        self.asks: dict[str, Fraction] = {}
        self.times_ns: list[int] = []
        self.accepted = 0

    def quoted(self, symbol: str, bid_nanos: int, ask_nanos: int) -> None:
        self.marks[symbol] = Fraction((bid_nanos + ask_nanos) // 2, NANOS)
        self.asks[symbol] = Fraction(ask_nanos, NANOS)

    def submitted(self, effect: fx.SubmitOrder) -> Kept:
        limit = effect.limit_price_nanos
        ask = self.asks[effect.symbol]
        if effect.side is Side.SELL:
            price = max(Fraction(limit or 0, NANOS), ask)
        elif limit is not None:
            price = Fraction(limit, NANOS)
        else:
            price = ask * (1 + Fraction(1, 10))
        size = Fraction(effect.quantity_nanos, NANOS)
        order = Kept(effect.order_id, effect.symbol, effect.side, size, price)
        self.orders.append(order)
        self.accepted += 1
        return order

    def filled(self, order: Kept, quantity: Fraction, price: Fraction) -> None:
        sign = 1 if order.side is Side.BUY else -1
        order.open -= quantity
        order.filled += quantity
        self.held[order.symbol] = self.held.get(order.symbol, Fraction(0)) + sign * quantity
        self.cash -= sign * quantity * price

    def working(self) -> list[Kept]:
        return [order for order in self.orders if order.open > 0]

    # --- judging ---------------------------------------------------------------------------------

    def equity(self) -> Fraction:
        return self.cash + sum(held * self.marks[symbol] for symbol, held in self.held.items())

    def worst(self, symbol: str) -> Fraction:
        """The greatest value reachable when one side fills whole, its cheapest orders first."""
        held, mark = self.held.get(symbol, Fraction(0)), self.marks[symbol]
        worst = abs(held * mark)
        for side, sign in ((Side.BUY, 1), (Side.SELL, -1)):
            closing = max(Fraction(0), -sign * held)
            reached = max(Fraction(0), sign * held) * mark
            of_side = [o for o in self.working() if o.symbol == symbol and o.side is side]
            for order in sorted(of_side, key=lambda at: at.price):
                closes = min(closing, order.open)
                closing -= closes
                reached += (order.open - closes) * order.price
            worst = max(worst, reached)
        return worst

    def exceeded(self, order: Kept) -> list[str]:
        """The limits that do not hold, now that this order is among the others."""
        limits, equity = self.policy.limits, self.equity()
        worst = {symbol: self.worst(symbol) for symbol in self.marks}
        gross = sum(worst.values())
        sector = self.policy.sectors.get(order.symbol)
        of_sector = sum(at for symbol, at in worst.items() if self._sector(symbol) == sector)
        net = sum(held * self.marks[symbol] for symbol, held in self.held.items())
        highest = net + sum(o.open * o.price for o in self.working() if o.side is Side.BUY)
        lowest = net - sum(o.open * o.price for o in self.working() if o.side is Side.SELL)
        symbols = [s for s in self.marks if self.held.get(s) or self._orders(s)]
        found = {
            "order_quantity": order.open > _of(limits, "order_quantity_nanos_max", Fraction(1)),
            "order_value": order.open * order.price
            > _of(limits, "order_value_nanos_max", Fraction(1)),
            "position_value": worst[order.symbol]
            > _of(limits, "position_value_nanos_max", Fraction(1)),
            "position_fraction": worst[order.symbol]
            > _of(limits, "position_fraction_nanos_max", equity),
            "sector": sector is None
            or of_sector > _of(limits, "sector_fraction_nanos_max", equity),
            "positions": len(symbols) > (limits.positions_max or 0),
            "gross": gross > _of(limits, "gross_exposure_nanos_max", equity),
            "net_high": highest > _of(limits, "net_exposure_nanos_max", equity),
            "net_low": lowest < _of(limits, "net_exposure_nanos_min", equity),
            "leverage": gross > _of(limits, "leverage_nanos_max", equity),
            "buying_power": gross > self.multiplier * equity,
            "maintenance": equity < _of(limits, "maintenance_margin_nanos_min", Fraction(gross)),
            "working": len(self.working()) > limits.working_orders_max,
            "daily": self.accepted > (limits.daily_orders_max or 0),
        }
        return [name for name, is_exceeded in found.items() if is_exceeded]

    def _sector(self, symbol: str) -> str | None:
        return self.policy.sectors.get(symbol)

    def _orders(self, symbol: str) -> bool:
        return any(order.symbol == symbol for order in self.working())


def _of(limits: Limits, name: str, whole: Fraction) -> Fraction:
    """A limit in nano-units of `whole`."""
    value = getattr(limits, name)
    assert value is not None, f"the property's policy sets {name}"
    return Fraction(value, NANOS) * whole
