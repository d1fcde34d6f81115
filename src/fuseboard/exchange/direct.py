"""The simulated exchange in this process, as a `Broker` and a `Feed`: no socket, no waiting."""

from collections.abc import Callable, Sequence

from fuseboard.brokers.foreign_facts import facts_of_end, facts_of_fill
from fuseboard.exchange.activities import PAGE_MAX, Activity
from fuseboard.exchange.exchange import Exchange
from fuseboard.exchange.halts import LEVEL_OF, RESUMED, StatusTold
from fuseboard.exchange.orders import Order, OrderEvent, Refusal, Status, Ticket
from fuseboard.feeds.tapes.tape import TapeQuote, TapeTrade, shown_levels
from fuseboard.vocabulary.copy_inputs import Execution, ExecutionsSeen
from fuseboard.vocabulary.doors import BrokerFact
from fuseboard.vocabulary.effects import CancelOrder, FindOrder, ReadLeg, SubmitOrder
from fuseboard.vocabulary.foreign_inputs import ForeignTerms
from fuseboard.vocabulary.identifiers import is_fuseboard_wire_id, order_id_of_wire_id
from fuseboard.vocabulary.inputs import (
    AccountSeen,
    BrokerPosition,
    BrokerStreamChanged,
    CancelRefused,
    FillReported,
    ForeignOrderSeen,
    LegRead,
    OrderEnded,
    OrderNotSent,
    OrderSent,
    OrderWorking,
    PositionsSeen,
    SubmitOutcome,
)
from fuseboard.vocabulary.market_inputs import (
    BookSeen,
    MarketFact,
    QuoteSeen,
    TradeSeen,
    TradingHalted,
    TradingResumed,
)
from fuseboard.vocabulary.orders import OrderStatus, Side
from fuseboard.vocabulary.reasons import Reason
from fuseboard.vocabulary.restored_inputs import OrdersSinceSeen, PastOrder

_STATUS = {
    Status.PENDING_NEW: OrderStatus.WORKING,
    Status.NEW: OrderStatus.WORKING,
    Status.PARTIALLY_FILLED: OrderStatus.PARTIALLY_FILLED,
    Status.PENDING_CANCEL: OrderStatus.WORKING,
    Status.FILLED: OrderStatus.FILLED,
    Status.CANCELED: OrderStatus.CANCELED,
    Status.EXPIRED: OrderStatus.EXPIRED,
    Status.REPLACED: OrderStatus.CANCELED,
}


class DirectBroker:
    """One account at an exchange in this process; `pump` delivers what happened there.

    `pump` is given where several listen to one exchange: whoever drains its events for all of them
    asks each the `facts_of` them. `hears` is told each event before it is delivered.
    """

    def __init__(
        self,
        exchange: Exchange,
        instance: str,
        now_ns: Callable[[], int],
        *,
        pump: Callable[[], None] | None = None,
        hears: Callable[[OrderEvent], None] | None = None,
    ) -> None:
        self._exchange = exchange
        self._instance = instance
        self._now_ns = now_ns
        self._pump_for_all = pump
        self._hears = hears
        self._deliver: Callable[[BrokerFact], None] | None = None

    async def start(self, deliver: Callable[[BrokerFact], None]) -> None:
        """Deliver from now on."""
        self._deliver = deliver
        self._exchange.events()
        deliver(BrokerStreamChanged(connected=True))

    async def stop(self) -> None:
        """Deliver nothing more."""
        self._deliver = None

    def pump(self) -> None:
        """Deliver the order events since the last call."""
        if self._pump_for_all is not None:
            self._pump_for_all()
            return
        for event in self._exchange.events():
            if self._hears is not None:
                self._hears(event)
            for fact in self.facts_of(event):
                if self._deliver is not None:
                    self._deliver(fact)

    async def submit(self, order: SubmitOrder, still_allowed: Callable[[], bool]) -> SubmitOutcome:
        """Send one order, if it is still allowed."""
        if not still_allowed():
            return OrderNotSent(order_id=order.order_id, reason=Reason.HALT_EPOCH)
        taken = self._exchange.submit(
            self._now_ns(),
            Ticket(
                client_order_id=order.wire_id,
                symbol=order.symbol,
                side=order.side,
                order_type=order.order_type,
                time_in_force=order.time_in_force,
                quantity_nanos=order.quantity_nanos,
                limit_price_nanos=order.limit_price_nanos,
                stop_price_nanos=order.stop_price_nanos,
                extended_hours=order.extended_hours,
            ),
        )
        self.pump()
        if isinstance(taken, Refusal):
            return OrderNotSent(
                order_id=order.order_id,
                reason=Reason.BROKER_REJECTED,
                http_status=taken.http_status,
                broker_code=taken.code,
                message=taken.message,
            )
        return _sent(order.order_id, taken)

    async def cancel(self, order: CancelOrder) -> CancelRefused | None:
        """Cancel one order by the exchange's id."""
        assert order.broker_order_id is not None, "the outlet cancels by the broker's id"
        taken = self._exchange.cancel(self._now_ns(), order.broker_order_id)
        self.pump()
        if isinstance(taken, Refusal):
            reason = Reason.ORDER_NOT_CANCELABLE
            return CancelRefused(order_id=order.order_id, reason=reason, message=taken.message)
        return None

    async def cancel_all(self) -> Sequence[str]:
        """Cancel every order that works."""
        now_ns = self._now_ns()
        ids = [order.order_id for order in self._exchange.open_orders()]
        refused = [isinstance(self._exchange.cancel(now_ns, each), Refusal) for each in ids]
        self.pump()
        return [each for each, left in zip(ids, refused, strict=True) if not left]

    async def find(self, order: FindOrder) -> SubmitOutcome:
        """Look for an order by its wire id; a foreign one by the exchange's."""
        found = self._exchange.order_by_client_order_id(order.wire_id)
        if order.broker_order_id:
            found = self._exchange.orders_by_id.get(order.broker_order_id)
        if found is None:
            return OrderNotSent(order_id=order.order_id, reason=Reason.NEVER_ARRIVED)
        return _sent(order.order_id, found)

    async def read_leg(self, leg: ReadLeg) -> LegRead:
        """Position, what works against it, and the close itself."""
        position_nanos = sum(
            at.quantity_nanos for at in self._exchange.positions() if at.symbol == leg.symbol
        )
        reducing = Side.SELL if position_nanos > 0 else Side.BUY
        against_nanos = sum(
            order.remaining_nanos
            for order in self._exchange.open_orders()
            if order.ticket.symbol == leg.symbol and order.ticket.side is reducing
        )
        found = self._exchange.order_by_client_order_id(leg.wire_id)
        return LegRead(
            trip=leg.trip,
            symbol=leg.symbol,
            attempt=leg.attempt,
            position_nanos=position_nanos,
            against_nanos=against_nanos,
            found=None if found is None else _sent(leg.order_id, found),
        )

    async def account(self) -> AccountSeen:
        """The account's figures."""
        view = self._exchange.account()
        return AccountSeen(
            cash_nanos=view.cash_nanos,
            equity_nanos=view.equity_nanos,
            last_equity_nanos=view.last_equity_nanos,
            multiplier=view.multiplier,
            shorting_enabled=view.shorting_enabled,
        )

    async def positions(self, *, timed: bool = False) -> PositionsSeen:
        """All positions."""
        return PositionsSeen(
            after_broker_ns=self._exchange.now_ns if timed else 0,
            positions=tuple(
                BrokerPosition(
                    symbol=at.symbol,
                    quantity_nanos=at.quantity_nanos,
                    average_price_nanos=at.average_price_nanos,
                    price_nanos=at.mark_nanos,
                )
                for at in self._exchange.positions()
            ),
        )

    async def executions(self, after: str | None) -> ExecutionsSeen:
        """The account's executions after an id, or its newest page."""
        activities = self._exchange.activities
        if after is None:
            page = activities.page(kinds=("FILL",))[::-1]
        else:
            page = activities.page(kinds=("FILL",), token=after, ascending=True)
        return ExecutionsSeen(
            after=after,
            newest=page[-1].id if page else after or "",
            executions=tuple(_execution(each) for each in page),
            more=after is not None and len(page) == PAGE_MAX,
        )

    async def foreign_orders(self, known: Callable[[str], bool]) -> Sequence[ForeignOrderSeen]:
        """Working orders that `known` does not know."""
        return [
            _foreign(order)
            for order in self._exchange.open_orders()
            if not known(order.ticket.client_order_id)
        ]

    async def foreign_since(self, _wall_ns: int) -> Sequence[ForeignOrderSeen]:
        """Foreign orders that ended after a part was filled, newest first."""
        ended = [it for it in self._exchange.orders_by_id.values() if it.is_final]
        seen = [_foreign(order) for order in reversed(ended) if order.filled_nanos]
        return [order for order in seen if order.terms is not None]

    async def orders_since(self, wall_ns: int) -> OrdersSinceSeen:
        """All orders with a Fuseboard's prefix, newest first: its clock is a tape's."""
        return OrdersSinceSeen(
            orders=tuple(
                PastOrder(
                    wire_id=order.ticket.client_order_id,
                    broker_order_id=order.order_id,
                    symbol=order.ticket.symbol,
                )
                for order in reversed(self._exchange.orders_by_id.values())
                if is_fuseboard_wire_id(order.ticket.client_order_id)
            )
        )

    def facts_of(self, event: OrderEvent) -> tuple[BrokerFact, ...]:
        """An order event as its gateway hears of it; nothing of another gateway's order."""
        order = event.order
        order_id = order_id_of_wire_id(self._instance, order.ticket.client_order_id)
        if order_id is not None:
            return (_fact_of(order_id, event),)
        if is_fuseboard_wire_id(order.ticket.client_order_id):
            return ()
        seen = _foreign(order)
        if event.fill is not None:
            fill = event.fill
            return facts_of_fill(
                seen,
                quantity_nanos=fill.quantity_nanos,
                price_nanos=fill.price_nanos,
                final=order.is_final,
            )
        return facts_of_end(seen, _STATUS[order.status]) if order.is_final else (seen,)


def _fact_of(order_id: str, event: OrderEvent) -> BrokerFact:
    """What an event of an order of ours says."""
    order = event.order
    if event.fill is not None:
        return FillReported(
            order_id=order_id,
            broker_order_id=order.order_id,
            quantity_nanos=event.fill.quantity_nanos,
            price_nanos=event.fill.price_nanos,
            filled_quantity_nanos=order.filled_nanos,
            filled_price_nanos=order.average_price_nanos,
            final=order.is_final,
        )
    if order.is_final:
        return OrderEnded(
            order_id=order_id,
            broker_order_id=order.order_id,
            status=_STATUS[order.status],
            filled_quantity_nanos=order.filled_nanos,
            filled_price_nanos=order.average_price_nanos,
        )
    return OrderWorking(order_id=order_id, broker_order_id=order.order_id)


def _foreign(order: Order) -> ForeignOrderSeen:
    ticket = order.ticket
    ours_by_prefix = is_fuseboard_wire_id(ticket.client_order_id)
    terms = ForeignTerms(
        order_type=ticket.order_type,
        time_in_force=ticket.time_in_force,
        limit_price_nanos=ticket.limit_price_nanos,
        stop_price_nanos=ticket.stop_price_nanos,
        extended_hours=ticket.extended_hours,
        filled_quantity_nanos=order.filled_nanos,
        filled_price_nanos=order.average_price_nanos,
        ended=_STATUS[order.status] if order.is_final else None,
        ended_wall_ns=(order.ended_ns or order.filled_ns or 0) if order.is_final else 0,
    )
    return ForeignOrderSeen(
        wire_id=ticket.client_order_id,
        broker_order_id=order.order_id,
        symbol=ticket.symbol,
        ours_by_prefix=ours_by_prefix,
        side=ticket.side,
        quantity_nanos=ticket.quantity_nanos,
        terms=None if ours_by_prefix else terms,
    )


def _sent(order_id: str, order: Order) -> OrderSent:
    return OrderSent(
        order_id=order_id,
        broker_order_id=order.order_id,
        status=_STATUS[order.status],
        filled_quantity_nanos=order.filled_nanos,
        filled_price_nanos=order.average_price_nanos,
    )


def _execution(activity: Activity) -> Execution:
    fill = activity.fill
    assert fill is not None, "executions are asked for"
    return Execution(
        execution=activity.id,
        broker_order_id=fill.order_id,
        symbol=fill.symbol,
        side=fill.side,
        quantity_nanos=fill.quantity_nanos,
        price_nanos=fill.price_nanos,
        filled_quantity_nanos=fill.filled_nanos,
        event_ns=activity.at_ns,
    )


class DirectFeed:
    """The tape of an exchange in this process: what is shown there is delivered here."""

    def __init__(self) -> None:
        self._deliver: Callable[[MarketFact], None] | None = None
        self._watched: dict[str, None] = {}
        self._latest: dict[str, QuoteSeen] = {}
        self._latest_book: dict[str, BookSeen] = {}

    async def start(self, deliver: Callable[[MarketFact], None]) -> None:
        """Deliver from now on."""
        self._deliver = deliver

    async def stop(self) -> None:
        """Deliver nothing more."""
        self._deliver = None

    async def watch(self, symbol: str) -> None:
        """Deliver this symbol, beginning with its latest book and quote."""
        if symbol not in self._watched and self._deliver is not None:
            for latest in (self._latest_book.get(symbol), self._latest.get(symbol)):
                if latest is not None:
                    self._deliver(latest)
        self._watched[symbol] = None

    def show_quote(self, quote: TapeQuote) -> None:
        """A quote of the tape; before it its book, where the tape has levels."""
        if quote.bids or quote.asks:
            self._show_book(quote)
        seen = self._latest[quote.symbol] = QuoteSeen(
            symbol=quote.symbol,
            bid_nanos=quote.bid_nanos,
            ask_nanos=quote.ask_nanos,
            bid_size_nanos=quote.bid_size_nanos,
            ask_size_nanos=quote.ask_size_nanos,
            event_ns=quote.at_ns,
            bid_low_nanos=quote.bid_nanos,
            ask_high_nanos=quote.ask_nanos,
        )
        if quote.symbol in self._watched and self._deliver is not None:
            self._deliver(seen)

    def _show_book(self, quote: TapeQuote) -> None:
        bids, asks = shown_levels(quote)
        seen = self._latest_book[quote.symbol] = BookSeen(
            symbol=quote.symbol, bids=bids, asks=asks, event_ns=quote.at_ns
        )
        if quote.symbol in self._watched and self._deliver is not None:
            self._deliver(seen)

    def show_status(self, told: StatusTold) -> None:
        """A halt or a resumption."""
        if told.symbol not in self._watched or self._deliver is None:
            return
        code = f"{told.status} {told.reason}".strip()
        if told.status == RESUMED:
            self._deliver(TradingResumed(symbol=told.symbol, code=code, event_ns=told.at_ns))
            return
        self._deliver(
            TradingHalted(
                symbol=told.symbol,
                code=code,
                event_ns=told.at_ns,
                level=LEVEL_OF.get(told.reason, 0),
            )
        )

    def show_trade(self, trade: TapeTrade) -> None:
        """A trade of the tape."""
        if trade.symbol in self._watched and self._deliver is not None:
            self._deliver(
                TradeSeen(
                    symbol=trade.symbol,
                    price_nanos=trade.price_nanos,
                    size_nanos=trade.size_nanos,
                    event_ns=trade.at_ns,
                    low_nanos=trade.price_nanos,
                    high_nanos=trade.price_nanos,
                )
            )
