"""Closing positions: `DELETE /v2/positions`. A close is a market order like any other.

It goes through the same intake and the same checks. Its size is never more than what the strategy
holds less every order of the strategy that already works against the position, those included that
are not answered yet; so two closes at once cannot turn a position round.
"""

import asyncio
import uuid

from msgspec import Struct

from fuseboard.gateway.limits import GatewayLimits
from fuseboard.gateway.orders import OrderDesk, Outcome
from fuseboard.gateway.symbols import SymbolWatch
from fuseboard.gateway.views import Views
from fuseboard.vocabulary.effects import PublishPosition
from fuseboard.vocabulary.inputs import OrderRequested
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import OrderType, Side, TimeInForce

SETTLE_LOOK_S = 0.01
WHOLE_PERCENT_NANOS = 100 * NANOS


class CloseAsked(Struct, frozen=True, kw_only=True):
    """How much of a position: a quantity, a percentage (1 % = 10^9), or neither for all of it."""

    quantity_nanos: int | None = None
    percentage_nanos: int | None = None


class Held(Struct, frozen=True, kw_only=True):
    """Why a close is not possible: what it asked for is held by working orders."""

    symbol: str
    asked_nanos: int
    existing_nanos: int
    held_nanos: int


class ClosingDesk:
    """Turns closes of one strategy's positions into orders that reduce them."""

    def __init__(
        self, *, orders: OrderDesk, views: Views, symbols: SymbolWatch, limits: GatewayLimits
    ) -> None:
        self._orders = orders
        self._views = views
        self._symbols = symbols
        self._limits = limits

    async def close(
        self, position: PublishPosition, asked: CloseAsked, client_order_id: str
    ) -> Outcome | Held | None:
        """Close as much as was asked. None: nothing is held any more, or the share rounds to 0.

        A repeat (an order with this id is known or on its way) is answered with that order.
        """
        strategy, symbol = position.strategy, position.symbol
        known = self._views.order_by_client_id(strategy, client_order_id)
        if known is not None:
            return known
        repeated = self._orders.asked(strategy, client_order_id)
        if repeated is not None:
            return await self._orders.finish(self._orders.begin(repeated))
        await self._symbols.ready(symbol)
        # From here to `begin` nothing waits: what is held cannot change in between.
        now = self._views.position(strategy, symbol)
        if now is None:
            return None
        side = Side.SELL if now.quantity_nanos > 0 else Side.BUY
        existing = abs(now.quantity_nanos)
        crypto = "/" in symbol
        quantity = _quantity(existing, asked, crypto=crypto)
        if quantity <= 0:
            return None
        held = self._held_nanos(strategy, symbol, side)
        if quantity > existing - held:
            return Held(
                symbol=symbol, asked_nanos=quantity, existing_nanos=existing, held_nanos=held
            )
        order = OrderRequested(
            request=0,
            strategy=strategy,
            client_order_id=client_order_id,
            symbol=symbol,
            side=side,
            order_type=OrderType.MARKET,
            time_in_force=TimeInForce.GTC if crypto else TimeInForce.DAY,
            quantity_nanos=quantity,
        )
        return await self._orders.finish(self._orders.begin(order))

    async def close_all(
        self, strategy: str, client_order_id: str, *, cancel_orders: bool
    ) -> list[tuple[PublishPosition, Outcome | Held | None]]:
        """Close every position of the strategy, cancelling its open orders first if asked.

        Each close has an id derived from `client_order_id` and its symbol.
        """
        if cancel_orders:
            await self._cancel_and_settle(strategy)
        positions = self._views.positions(strategy)
        space = uuid.UUID(client_order_id)
        outcomes = await asyncio.gather(
            *(
                self.close(each, CloseAsked(), str(uuid.uuid5(space, each.symbol)))
                for each in positions
            )
        )
        return list(zip(positions, outcomes, strict=True))

    async def _cancel_and_settle(self, strategy: str) -> None:
        """Cancel everything; return when it is final, or after `settle_wait_s`."""
        cancelled = await self._orders.cancel_all(strategy)
        loop = asyncio.get_running_loop()
        until_s = loop.time() + self._limits.settle_wait_s
        while loop.time() < until_s:
            if not any(o.order_id in cancelled for o in self._views.open_orders(strategy)):
                return
            await asyncio.sleep(SETTLE_LOOK_S)

    def _held_nanos(self, strategy: str, symbol: str, side: Side) -> int:
        """What shown and still unanswered orders may trade on this side of the symbol."""
        unanswered = sum(
            order.quantity_nanos
            for order in self._orders.pending(strategy)
            if order.symbol == symbol
            and order.side is side
            and self._views.order_by_client_id(strategy, order.client_order_id) is None
        )
        return self._views.held_nanos(strategy, symbol, side) + unanswered


def _quantity(existing_nanos: int, asked: CloseAsked, *, crypto: bool) -> int:
    """The quantity asked for. A share of whole shares is a whole number of them, rounded down."""
    if asked.quantity_nanos is not None:
        return asked.quantity_nanos
    if asked.percentage_nanos is None:
        return existing_nanos
    share = existing_nanos * asked.percentage_nanos // WHOLE_PERCENT_NANOS
    whole = existing_nanos % NANOS == 0 and not crypto
    return share - share % NANOS if whole else share
