"""What clients read: orders, positions, postures, the account. Fed by effects at the durable mark.

Nothing here is asked for permission; it only shows. A plan's orders belong to no strategy and are
not kept. After a restart the app applies the recorded effects again, in order.
"""

from collections.abc import Callable
from typing import TypeAlias

from fuseboard.gateway.order_list import OrderFilter, plain_symbol, selected
from fuseboard.vocabulary.effects import (
    Effect,
    PublishEquity,
    PublishOrder,
    PublishPosition,
    PublishPosture,
    SubmitOrder,
)
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE, strategy_scope
from fuseboard.vocabulary.inputs import AccountSeen, OrderRequested, PositionsSeen
from fuseboard.vocabulary.market_inputs import QuoteSeen, TradeSeen
from fuseboard.vocabulary.orders import TERMINAL_STATUSES, Intent, OrderStatus, Side
from fuseboard.vocabulary.postures import Posture
from fuseboard.vocabulary.reasons import Reason

ViewFact: TypeAlias = AccountSeen | PositionsSeen | QuoteSeen | TradeSeen


class StrategyOrders:
    """The orders of one strategy: all open ones, and the last `closed_orders_max` closed.

    What was published last is shown, whatever was shown before: the kernel is right.
    """

    def __init__(self, closed_orders_max: int) -> None:
        self._closed_orders_max = closed_orders_max
        self._orders: dict[str, PublishOrder] = {}  # by age
        self._open: dict[str, None] = {}  # by age
        self._closed: dict[str, None] = {}  # by the time they closed
        self._by_client_id: dict[str, str] = {}

    def put(self, order: PublishOrder) -> None:
        """The order as it now is."""
        order_id = order.order_id
        self._orders[order_id] = order
        self._by_client_id[order.client_order_id] = order_id
        if order.status in TERMINAL_STATUSES:
            self._open.pop(order_id, None)
            self._closed[order_id] = None
            if len(self._closed) > self._closed_orders_max:
                self._drop(next(iter(self._closed)))
        else:
            self._closed.pop(order_id, None)
            self._open[order_id] = None

    def get(self, order_id: str) -> PublishOrder | None:
        """An order by our id."""
        return self._orders.get(order_id)

    def by_client_id(self, client_order_id: str) -> PublishOrder | None:
        """An order by the strategy's own id."""
        return self._orders.get(self._by_client_id.get(client_order_id, ""))

    def open(self) -> list[PublishOrder]:
        """Every order that is not final, oldest first."""
        return [self._orders[order_id] for order_id in self._open]

    def listed(self, wanted: OrderFilter) -> list[PublishOrder]:
        """The orders that pass the filter."""
        if wanted.status == "open":
            return selected(self.open(), wanted)
        if wanted.status == "closed":
            closed = (o for o in self._orders.values() if o.order_id in self._closed)
            return selected(closed, wanted)
        return selected(self._orders.values(), wanted)

    def _drop(self, order_id: str) -> None:
        del self._closed[order_id]
        order = self._orders.pop(order_id)
        if self._by_client_id.get(order.client_order_id) == order_id:
            del self._by_client_id[order.client_order_id]


class Views:
    """Everything that clients read, as last published. `apply` takes an effect or a view fact."""

    def __init__(self, *, closed_orders_max: int, symbols_max: int) -> None:
        self._closed_orders_max = closed_orders_max
        self._symbols_max = symbols_max
        self._orders: dict[str, StrategyOrders] = {}
        self._positions: dict[str, dict[str, PublishPosition]] = {}
        self._postures: dict[str, PublishPosture] = {}
        self._trade_prices: dict[str, int] = {}
        self._other_prices: dict[str, int] = {}
        self._committed: dict[str, int] = {}
        self.committed_attos = 0
        """What open orders that raise exposure may still cost, at limit price or last price."""
        self.account: AccountSeen | None = None
        self.equity: PublishEquity | None = None
        """The account's own equity and cash, once its fuse has a mark."""
        # Bound methods of many types: each takes exactly the type it stands under.
        self._apply: dict[type, Callable[..., None]] = {
            SubmitOrder: self._put_submit,
            PublishOrder: self._put_order,
            PublishPosition: self._put_position,
            PublishPosture: self._put_posture,
            PublishEquity: self._put_equity,
            AccountSeen: self._put_account,
            PositionsSeen: self._put_broker_prices,
            QuoteSeen: self._put_quote,
            TradeSeen: self._put_trade,
        }

    def apply(self, shown: Effect | ViewFact) -> None:
        """Take one effect or fact into the view; what is not shown is ignored."""
        apply = self._apply.get(type(shown))
        if apply is not None:
            apply(shown)

    # --- orders ---------------------------------------------------------------------------------

    def order(self, strategy: str, order_id: str) -> PublishOrder | None:
        """An order of this strategy; None also when it is another's."""
        orders = self._orders.get(strategy)
        return None if orders is None else orders.get(order_id)

    def order_by_client_id(self, strategy: str, client_order_id: str) -> PublishOrder | None:
        """An order of this strategy by the id that the strategy gave it."""
        orders = self._orders.get(strategy)
        return None if orders is None else orders.by_client_id(client_order_id)

    def orders(self, strategy: str, wanted: OrderFilter) -> list[PublishOrder]:
        """The strategy's orders that pass the filter."""
        orders = self._orders.get(strategy)
        return [] if orders is None else orders.listed(wanted)

    def open_orders(self, strategy: str) -> list[PublishOrder]:
        """Every order of the strategy that is not final, oldest first."""
        orders = self._orders.get(strategy)
        return [] if orders is None else orders.open()

    def promise(self, order: PublishOrder) -> None:
        """Show an order whose caller could not be answered yet, unless it is known already."""
        if self.order(order.strategy, order.order_id) is None:
            self._put_order(order)

    # --- positions ------------------------------------------------------------------------------

    def position(self, strategy: str, symbol: str) -> PublishPosition | None:
        """The strategy's position in a symbol, written with or without its slash."""
        held = self._positions.get(strategy, {})
        exact = held.get(symbol)
        if exact is not None:
            return exact
        plain = plain_symbol(symbol)
        return next((p for p in held.values() if plain_symbol(p.symbol) == plain), None)

    def positions(self, strategy: str) -> list[PublishPosition]:
        """The strategy's positions by symbol; those of the whole account for an empty name."""
        held = self._positions.get(strategy, {})
        return [held[symbol] for symbol in sorted(held)]

    def held_nanos(self, strategy: str, symbol: str, side: Side) -> int:
        """How much open orders of the strategy may still trade on one side of a symbol."""
        return sum(
            order.quantity_nanos - order.filled_quantity_nanos
            for order in self.open_orders(strategy)
            if order.symbol == symbol and order.side is side
        )

    def price_nanos(self, symbol: str) -> int | None:
        """The last known price: a trade, else the middle of a quote, a fill, the broker's own."""
        traded = self._trade_prices.get(symbol)
        return self._other_prices.get(symbol) if traded is None else traded

    # --- the account ----------------------------------------------------------------------------

    def posture(self, strategy: str) -> tuple[Posture, Reason]:
        """The tightest posture over the account and the strategy, and why."""
        scopes = (ACCOUNT_SCOPE, strategy_scope(strategy))
        known = [self._postures[scope] for scope in scopes if scope in self._postures]
        if not known:
            return Posture.OPEN, Reason.ALLOWED
        tightest = max(known, key=lambda shown: shown.posture)
        return tightest.posture, tightest.reason

    def is_killed(self, strategy: str) -> bool:
        """Whether the strategy is killed, alone or with the whole account."""
        return self.posture(strategy)[0] >= Posture.KILLED

    # --- taking in ------------------------------------------------------------------------------

    def _put_submit(self, submit: SubmitOrder) -> None:
        known = self.order(submit.strategy, submit.order_id)
        if known is None or not known.wire_id:  # Without a wire id it is only a promise.
            self._put_order(
                first_view(
                    submit,
                    order_id=submit.order_id,
                    wire_id=submit.wire_id,
                    intent=submit.intent,
                    at_ns=submit.created_ns,
                )
            )

    def _put_order(self, order: PublishOrder) -> None:
        if order.fill_price_nanos > 0:
            self._price(self._other_prices, order.symbol, order.fill_price_nanos)
        if not order.strategy:
            return
        self._commit(order)
        orders = self._orders.get(order.strategy)
        if orders is None:
            orders = self._orders[order.strategy] = StrategyOrders(self._closed_orders_max)
        orders.put(order)

    def _commit(self, order: PublishOrder) -> None:
        self.committed_attos -= self._committed.pop(order.order_id, 0)
        if order.intent is Intent.OPEN and order.status not in TERMINAL_STATUSES:
            price = order.limit_price_nanos or order.stop_price_nanos
            left = order.quantity_nanos - order.filled_quantity_nanos
            cost = left * (price or self.price_nanos(order.symbol) or 0)
            self._committed[order.order_id] = cost
            self.committed_attos += cost

    def _put_position(self, position: PublishPosition) -> None:
        held = self._positions.setdefault(position.strategy, {})
        if position.quantity_nanos == 0:
            held.pop(position.symbol, None)
        else:
            held[position.symbol] = position

    def _put_posture(self, shown: PublishPosture) -> None:
        self._postures[shown.scope] = shown

    def _put_equity(self, shown: PublishEquity) -> None:
        if shown.scope == ACCOUNT_SCOPE and shown.mark_nanos:
            self.equity = shown

    def _put_account(self, account: AccountSeen) -> None:
        self.account = account

    def _put_broker_prices(self, seen: PositionsSeen) -> None:
        for position in seen.positions:
            self._price(self._other_prices, position.symbol, position.price_nanos)

    def _put_quote(self, quote: QuoteSeen) -> None:
        if quote.bid_nanos > 0 and quote.ask_nanos > 0:
            middle = (quote.bid_nanos + quote.ask_nanos) // 2
            self._price(self._other_prices, quote.symbol, middle)

    def _put_trade(self, trade: TradeSeen) -> None:
        self._price(self._trade_prices, trade.symbol, trade.price_nanos)

    def _price(self, prices: dict[str, int], symbol: str, price_nanos: int) -> None:
        if symbol not in prices and len(prices) >= self._symbols_max:
            del prices[next(iter(prices))]
        prices[symbol] = price_nanos


def first_view(
    asked: OrderRequested | SubmitOrder, *, order_id: str, wire_id: str, intent: Intent, at_ns: int
) -> PublishOrder:
    """An order that was just decided, or waits for it: what was asked for is all that is known."""
    return PublishOrder(
        order_id=order_id,
        wire_id=wire_id,
        broker_order_id=None,
        client_order_id=asked.client_order_id,
        strategy=asked.strategy,
        symbol=asked.symbol,
        side=asked.side,
        order_type=asked.order_type,
        time_in_force=asked.time_in_force,
        quantity_nanos=asked.quantity_nanos,
        filled_quantity_nanos=0,
        filled_price_nanos=0,
        status=OrderStatus.SUBMITTING,
        intent=intent,
        created_ns=at_ns,
        updated_ns=at_ns,
        limit_price_nanos=asked.limit_price_nanos,
        stop_price_nanos=asked.stop_price_nanos,
        extended_hours=asked.extended_hours,
    )
