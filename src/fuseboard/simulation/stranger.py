"""Somebody who trades at the exchange by hand, past every gateway, under a policy that adopts.

A stranger places, replaces and cancels orders, also while gateways are dead or cut off. The sizes
are small, so that what the gateways cannot have heard of yet stays within the slack of law 6.
"""

from typing import Final

from fuseboard.exchange.orders import Order, Ticket
from fuseboard.simulation.world import CENT_NANOS, MILLI_NS, SYMBOLS, World
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import OrderType, Side, TimeInForce

WIRE: Final = "by-hand"


class Stranger:
    """Acts at the exchange until `ends_ns`; what was asked for there is in `asked`."""

    def __init__(self, world: World, *, ends_ns: int) -> None:
        self.asked = 0
        self.turnover_attos = 0
        """What all of it may come to."""
        self._world = world
        self._ends_ns = ends_ns
        self._chance = world.chance("stranger")
        self._pace_ns = self._chance.choice((300, 700, 1_500)) * MILLI_NS
        world.after(self._chance.randrange(1, 4_000) * MILLI_NS, self._act)

    def _act(self) -> None:
        if self._world.now_ns >= self._ends_ns:
            return
        die = self._chance.randrange(100)
        theirs = [it for it in self._world.exchange.open_orders() if _is_theirs(it)]
        if die < 60 or not theirs:
            self._place()
        elif die < 80:
            self._replace(self._chance.choice(theirs))
        else:
            self._cancel(self._chance.choice(theirs))
        self._world.pump()
        self._world.after(self._chance.randrange(1, 2 * self._pace_ns), self._act)

    def _place(self) -> None:
        symbol, side = self._chance.choice(SYMBOLS), self._chance.choice((Side.BUY, Side.SELL))
        kind = self._chance.choice((OrderType.LIMIT, OrderType.LIMIT, OrderType.MARKET))
        limit_nanos, stop_nanos = self._price(symbol), None
        if self._chance.randrange(6) == 0:
            kind, side = OrderType.STOP, Side.SELL
            stop_nanos = self._world.prices[symbol] * 99 // 100 // CENT_NANOS * CENT_NANOS
        self.asked += 1
        quantity_nanos = self._chance.choice((1, 2, 8, 14)) * NANOS
        self.turnover_attos += quantity_nanos * self._world.prices[symbol]
        self._world.exchange.submit(
            self._world.wall_ns(),
            Ticket(
                client_order_id=f"{WIRE}-{self.asked}",
                symbol=symbol,
                side=side,
                order_type=kind,
                time_in_force=self._chance.choice((TimeInForce.DAY, TimeInForce.GTC)),
                quantity_nanos=quantity_nanos,
                limit_price_nanos=limit_nanos if kind is OrderType.LIMIT else None,
                stop_price_nanos=stop_nanos,
            ),
        )

    def _price(self, symbol: str) -> int:
        price_nanos = self._world.prices[symbol]
        away_nanos = price_nanos * self._chance.randrange(-10, 11) // 1_000
        return (price_nanos + away_nanos) // CENT_NANOS * CENT_NANOS

    def _replace(self, order: Order) -> None:
        """Another size and, of a limit order, another price: the exchange makes a new order."""
        self.asked += 1
        ticket = order.ticket
        quantity_nanos = order.filled_nanos + self._chance.choice((1, 3, 12)) * NANOS
        self.turnover_attos += quantity_nanos * self._world.prices[ticket.symbol]
        limited = ticket.order_type is OrderType.LIMIT
        self._world.exchange.replace(
            self._world.wall_ns(),
            order.order_id,
            client_order_id=f"{WIRE}-{self.asked}",
            quantity_nanos=quantity_nanos,
            limit_price_nanos=self._price(ticket.symbol) if limited else None,
        )

    def _cancel(self, order: Order) -> None:
        self.asked += 1
        self._world.exchange.cancel(self._world.wall_ns(), order.order_id)


def _is_theirs(order: Order) -> bool:
    return order.ticket.client_order_id.startswith(WIRE)
