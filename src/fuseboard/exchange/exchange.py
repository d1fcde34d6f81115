"""The exchange itself: requests in, order events out; pure, deterministic, without a clock.

Every call carries the time, which never goes back. Quotes, prints and halts come in through
`on_quote`, `on_trade` and `on_halt`; requests through `submit`, `cancel` and `replace`; `advance`
lets time pass. An order reaches the book `latency_ns` after its request and sees only what the tape
showed by then. What happened is drained with `events()` and recorded, entry by entry, through
`record`.
"""

import heapq
from collections.abc import Callable

from msgspec import structs

from fuseboard.exchange import ledger
from fuseboard.exchange.account import Account, AccountView, PositionView, fee_nanos
from fuseboard.exchange.book import SymbolBook
from fuseboard.exchange.calendar import MarketHours
from fuseboard.exchange.config import ExchangeConfig
from fuseboard.exchange.halts import Halts, StatusTold
from fuseboard.exchange.orders import Against, Fill, Order, OrderEvent, Refusal, Status, Ticket
from fuseboard.exchange.rules import (
    MALFORMED,
    Terms,
    account_terms,
    already_final,
    forbidden,
    shape_refusal,
    unknown,
    unprocessable,
)
from fuseboard.exchange.scribe import Scribe, seeded_id
from fuseboard.feeds.tapes.tape import TapeHalt, TapeKind, TapeQuote, TapeTrade
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Side, TimeInForce

ORDERS_MAX = 1_000_000
EVENTS_UNDRAINED_MAX = 100_000


class Exchange:
    """See the module. Raises `ValueError` when time is said to go back."""

    def __init__(
        self, config: ExchangeConfig, *, start_ns: int, record: Callable[[bytes], None]
    ) -> None:
        self.config = config
        self.hours = MarketHours(always=config.kind is TapeKind.CRYPTO)
        self.now_ns = start_ns
        self.orders_by_id: dict[str, Order] = {}
        self.books = {
            symbol: SymbolBook(
                symbol,
                config.prior_close_nanos.get(symbol),
                self._on_fill,
                left_takes=config.left_takes,
            )
            for symbol in config.symbols
        }
        self._by_client_order_id: dict[str, Order] = {}
        self._open: dict[str, dict[str, Order]] = {symbol: {} for symbol in config.symbols}
        self._account = Account(
            cash_nanos=config.cash_nanos,
            multiplier=config.multiplier,
            shorting_enabled=config.shorting_enabled,
            mark=lambda symbol: self.books[symbol].mark_nanos() or 0,
        )
        self._due: list[tuple[int, int, Callable[[Order], None], Order]] = []
        self._due_count = 0
        self._executions = 0
        self._minted = 0
        self._scribe = Scribe(record)
        self.activities = self._scribe.activities
        self._events: list[OrderEvent] = []
        self.halts = Halts(config.symbols, self._write)
        self._write(ledger.AccountOpened, cash_nanos=config.cash_nanos, seed=config.seed)

    # --- the tape and the time -------------------------------------------------------------------

    def on_quote(self, quote: TapeQuote) -> None:
        """The best bid and ask changed, or the levels behind them."""
        self._advance_before(quote.at_ns)
        self.books[quote.symbol].show_quote(quote, self._may_trade)

    def on_trade(self, trade: TapeTrade) -> None:
        """A trade was printed."""
        self._advance_before(trade.at_ns)
        for order in self.books[trade.symbol].print_trade(trade, self._may_trade):
            self._write(ledger.StopTriggered, order_id=order.order_id)
            self._enter(order)

    def on_halt(self, halt: TapeHalt) -> list[StatusTold]:
        """The tape halts a symbol, or resumes it, and what rests there trades; what is told."""
        self._advance_before(halt.at_ns)
        if not halt.resumes:
            return self.halts.halt(halt.at_ns, halt.symbol, reason=halt.reason)
        told = self.halts.resume(halt.at_ns, halt.symbol)
        self.match_again(halt.symbol)
        return told

    def advance(self, now_ns: int) -> None:
        """Let time pass: all that is due up to and including now happens."""
        if now_ns < self.now_ns:
            raise ValueError(f"the exchange's time cannot go back from {self.now_ns} to {now_ns}")
        while self._due and self._due[0][0] <= now_ns:
            due_ns, _, happen, order = heapq.heappop(self._due)
            self.now_ns = max(due_ns, self.now_ns)
            happen(order)
        self.now_ns = now_ns

    def _advance_before(self, now_ns: int) -> None:
        """What is due earlier than the tape's event happens first; what is due with it, after."""
        if now_ns < self.now_ns:
            raise ValueError(f"the tape cannot go back from {self.now_ns} to {now_ns}")
        self.advance(max(now_ns - 1, self.now_ns))
        self.now_ns = now_ns

    # --- requests --------------------------------------------------------------------------------

    def submit(self, now_ns: int, ticket: Ticket) -> Order | Refusal:
        """Take an order in, or say why not. The order returned is a copy as of now."""
        self.advance(now_ns)
        terms = self._terms(ticket)
        if isinstance(terms, Refusal):
            return self._refused("submit", ticket.client_order_id, terms)
        return self._accept(ticket, terms, replaces=None)

    def configure(self, now_ns: int, **latches: bool | None) -> None:
        """Set the owner's latches, `no_shorting` and `suspend_trade`; None leaves one as it is."""
        self.advance(now_ns)
        self._write(ledger.AccountConfigured, **self._account.configured(**latches))

    def cancel(self, now_ns: int, order_id: str) -> Order | Refusal:
        """Take a cancel in: it takes effect after the latency. Repeats are taken and do nothing."""
        self.advance(now_ns)
        order = self.orders_by_id.get(order_id)
        if order is None:
            return self._refused("cancel", order_id, unknown(order_id))
        if order.is_final:
            return self._refused("cancel", order_id, already_final(order))
        if order.status is not Status.PENDING_CANCEL:
            order.status = Status.PENDING_CANCEL
            order.updated_ns = self.now_ns
            self._write(ledger.CancelTaken, order_id=order_id)
            self._after_latency(self._cancel_now, order)
        return structs.replace(order)

    def replace(
        self,
        now_ns: int,
        order_id: str,
        *,
        client_order_id: str,
        quantity_nanos: int | None = None,
        limit_price_nanos: int | None = None,
        stop_price_nanos: int | None = None,
        time_in_force: TimeInForce | None = None,
    ) -> Order | Refusal:
        """Replace a working order by a new one with a new id, for what is not yet filled of it.

        None keeps what the old order has; a quantity counts what the old order has filled.
        """
        self.advance(now_ns)
        old = self.orders_by_id.get(order_id)
        if old is None:
            return self._refused("replace", order_id, unknown(order_id))
        if old.is_final or old.status is Status.PENDING_CANCEL:
            return self._refused("replace", order_id, already_final(old))
        quantity = old.ticket.quantity_nanos if quantity_nanos is None else quantity_nanos
        ticket = structs.replace(
            old.ticket,
            client_order_id=client_order_id,
            quantity_nanos=quantity - old.filled_nanos,
            limit_price_nanos=limit_price_nanos or old.ticket.limit_price_nanos,
            stop_price_nanos=stop_price_nanos or old.ticket.stop_price_nanos,
            time_in_force=time_in_force or old.ticket.time_in_force,
        )
        # The old order makes room for the new one while the new one is judged.
        self._account.release(old, old.remaining_nanos)
        del self._open[old.ticket.symbol][old.order_id]
        terms = self._terms(ticket)
        self._account.engage(old)
        self._open[old.ticket.symbol][old.order_id] = old
        if isinstance(terms, Refusal):
            return self._refused("replace", order_id, terms)
        self._end(old, Status.REPLACED)
        new = self._accept(ticket, terms, replaces=old.order_id)
        old.replaced_by = new.order_id
        return new

    def _terms(self, ticket: Ticket) -> Terms | Refusal:
        if ticket.symbol not in self.books:
            return unprocessable(f'asset "{ticket.symbol}" not found')
        shares = self.config.kind is TapeKind.US_EQUITY
        refusal = shape_refusal(ticket, shares=shares)
        if refusal is not None:
            return refusal
        if ticket.client_order_id in self._by_client_order_id:
            return Refusal(
                http_status=422, code=MALFORMED, message="client_order_id must be unique"
            )
        if len(self.orders_by_id) >= ORDERS_MAX:
            return forbidden(f"the simulated exchange keeps at most {ORDERS_MAX} orders")
        opening_side = None
        for order in self._open[ticket.symbol].values():
            if order.opens:
                opening_side = order.ticket.side
                break
        return account_terms(
            ticket,
            self._account,
            self.books[ticket.symbol],
            opening_side=opening_side,
            shares=shares,
        )

    def _accept(self, ticket: Ticket, terms: Terms, *, replaces: str | None) -> Order:
        number = len(self.orders_by_id) + 1
        order = Order(
            order_id=seeded_id(self.config.seed, "order", number),
            number=number,
            ticket=ticket,
            opens=terms.opens,
            reserve_price_nanos=terms.reserve_price_nanos,
            created_ns=self.now_ns,
            updated_ns=self.now_ns,
            replaces=replaces,
        )
        self.orders_by_id[order.order_id] = order
        self._by_client_order_id[ticket.client_order_id] = order
        self._open[ticket.symbol][order.order_id] = order
        self._account.engage(order)
        self._write(
            ledger.OrderAccepted,
            order_id=order.order_id,
            client_order_id=ticket.client_order_id,
            symbol=ticket.symbol,
            side=ticket.side,
            order_type=ticket.order_type,
            time_in_force=ticket.time_in_force,
            quantity_nanos=ticket.quantity_nanos,
            limit_price_nanos=ticket.limit_price_nanos,
            stop_price_nanos=ticket.stop_price_nanos,
            opens=order.opens,
            replaces=replaces,
        )
        expires_ns = self.hours.day_order_expires_ns(self.now_ns)
        if ticket.time_in_force is TimeInForce.DAY and expires_ns is not None:
            self._schedule(expires_ns, self._expire, order)
        self._after_latency(self._arrive, order)
        return structs.replace(order)

    # --- what happens to orders ------------------------------------------------------------------

    def _after_latency(self, happen: Callable[[Order], None], order: Order) -> None:
        if self.config.latency_ns == 0:
            happen(order)
        else:
            self._schedule(self.now_ns + self.config.latency_ns, happen, order)

    def _schedule(self, due_ns: int, happen: Callable[[Order], None], order: Order) -> None:
        self._due_count += 1
        heapq.heappush(self._due, (due_ns, self._due_count, happen, order))

    def _arrive(self, order: Order) -> None:
        if order.is_final:
            return
        order.arrived_ns = self.now_ns
        self._write(ledger.OrderArrived, order_id=order.order_id)
        if order.status is Status.PENDING_NEW:
            order.status = Status.NEW
        self._tell("new", order)
        book = self.books[order.ticket.symbol]
        if order.waits_for_stop and book.stop_reached(order):
            order.triggered = True
            self._write(ledger.StopTriggered, order_id=order.order_id)
        self._enter(order)

    def _enter(self, order: Order) -> None:
        """Trade what can be traded at once; rest or cancel what is left."""
        book = self.books[order.ticket.symbol]
        if not order.waits_for_stop and self._may_trade(order):
            book.arrive(order)
        if order.is_final:
            return
        if order.ticket.time_in_force in (TimeInForce.IOC, TimeInForce.FOK):
            self._end(order, Status.CANCELED)
        else:
            book.rest(order)

    def _cancel_now(self, order: Order) -> None:
        if not order.is_final:
            self._end(order, Status.CANCELED)

    def _expire(self, order: Order) -> None:
        if not order.is_final:
            self._end(order, Status.EXPIRED)

    def _end(self, order: Order, status: Status) -> None:
        self.books[order.ticket.symbol].remove(order)
        self._account.release(order, order.remaining_nanos)
        del self._open[order.ticket.symbol][order.order_id]
        order.status = status
        order.updated_ns = order.ended_ns = self.now_ns
        self._write(
            ledger.OrderEnded,
            order_id=order.order_id,
            status=status,
            filled_quantity_nanos=order.filled_nanos,
        )
        self._tell(status.value, order)

    def _on_fill(
        self, order: Order, price_nanos: int, quantity_nanos: int, against: Against
    ) -> None:
        """Called by the book for each execution."""
        assert 0 < quantity_nanos <= order.remaining_nanos, "an order fills at most its quantity"
        limit_nanos = order.ticket.limit_price_nanos
        buying = order.ticket.side is Side.BUY
        assert limit_nanos is None or (
            price_nanos <= limit_nanos if buying else price_nanos >= limit_nanos
        ), "a limit order never trades beyond its limit"
        self._executions += 1
        fee = fee_nanos(
            price_nanos=price_nanos,
            quantity_nanos=quantity_nanos,
            per_share_nanos=self.config.fee_per_share_nanos,
            basis_points=self.config.fee_basis_points,
        )
        self._account.release(order, quantity_nanos)
        order.filled_nanos += quantity_nanos
        order.filled_attos += price_nanos * quantity_nanos
        order.updated_ns = self.now_ns
        moved_attos = self._account.apply_fill(
            order, price_nanos=price_nanos, quantity_nanos=quantity_nanos, fee_nanos=fee
        )
        fill = Fill(
            execution_id=seeded_id(self.config.seed, "execution", self._executions),
            price_nanos=price_nanos,
            quantity_nanos=quantity_nanos,
            position_nanos=self._account.quantity_nanos(order.ticket.symbol),
            fee_nanos=fee,
            against=against,
        )
        self._scribe.write_fill(
            self.now_ns, order, fill, moved_attos=moved_attos, cash_attos=self._account.cash_attos
        )
        self._settle_status(order, fill)

    def _settle_status(self, order: Order, fill: Fill) -> None:
        if order.remaining_nanos > 0:
            if order.status is not Status.PENDING_CANCEL:
                order.status = Status.PARTIALLY_FILLED
            self._tell("partial_fill", order, fill)
            return
        order.status = Status.FILLED
        order.filled_ns = self.now_ns
        del self._open[order.ticket.symbol][order.order_id]
        self._write(
            ledger.OrderEnded,
            order_id=order.order_id,
            status=Status.FILLED,
            filled_quantity_nanos=order.filled_nanos,
        )
        self._tell("fill", order, fill)

    def _may_trade(self, order: Order) -> bool:
        if self.halts.stops(order.ticket.symbol):
            return False
        return order.ticket.extended_hours or self.hours.is_open(self.now_ns)

    def match_again(self, symbol: str) -> None:
        """Trading resumed: what rests meets what is displayed."""
        self.books[symbol].show_again(self._may_trade)

    # --- what can be read ------------------------------------------------------------------------

    def events(self) -> list[OrderEvent]:
        """What happened since the last call, in order."""
        drained, self._events = self._events, []
        return drained

    def next_due_ns(self) -> int | None:
        """When something next happens by itself: an arrival, a cancel, an expiry."""
        return self._due[0][0] if self._due else None

    def minted_client_order_id(self) -> str:
        """A client order id for an order that came without one."""
        self._minted += 1
        return seeded_id(self.config.seed, "client", self._minted)

    def move_cash(self, amount_nanos: int, dividend_of: str = "") -> None:
        """Money is paid in, or out when negative: by the owner, else a dividend of a symbol."""
        self._account.cash_attos += amount_nanos * NANOS
        self._write(ledger.CashMoved, amount_nanos=amount_nanos, dividend_of=dividend_of)
        self.activities.cash_moved(self.now_ns, amount_nanos, dividend_of)

    def account(self) -> AccountView:
        """The account's figures at the last trades."""
        return self._account.view()

    def positions(self) -> list[PositionView]:
        """All positions, by symbol."""
        views = []
        for symbol in sorted(self._account.positions):
            position = self._account.positions[symbol]
            mark = self.books[symbol].mark_nanos() or position.average_price_nanos
            views.append(
                PositionView(
                    symbol=symbol,
                    quantity_nanos=position.quantity_nanos,
                    cost_attos=position.cost_attos,
                    average_price_nanos=position.average_price_nanos,
                    mark_nanos=mark,
                    prior_close_nanos=self.books[symbol].prior_close_nanos or mark,
                    available_nanos=self._account.available_nanos(symbol),
                )
            )
        return views

    def orders(self) -> list[Order]:
        """Copies of all orders, oldest first."""
        return [structs.replace(order) for order in self.orders_by_id.values()]

    def open_orders(self) -> list[Order]:
        """Copies of all working orders, oldest first."""
        working = [order for orders in self._open.values() for order in orders.values()]
        return [structs.replace(each) for each in sorted(working, key=lambda o: o.number)]

    def order_by_client_order_id(self, client_order_id: str) -> Order | None:
        """A copy of the order with this client order id."""
        order = self._by_client_order_id.get(client_order_id)
        return None if order is None else structs.replace(order)

    # --- telling ---------------------------------------------------------------------------------

    def _refused(self, request: str, subject: str, refusal: Refusal) -> Refusal:
        self._scribe.write_refusal(self.now_ns, request, subject, refusal)
        return refusal

    def _write(self, kind: Callable[..., ledger.LedgerEntry], **fields: object) -> None:
        self._scribe.write(self.now_ns, kind, **fields)

    def _tell(self, event: str, order: Order, fill: Fill | None = None) -> None:
        if len(self._events) >= EVENTS_UNDRAINED_MAX:
            raise OverflowError(f"more than {EVENTS_UNDRAINED_MAX} order events were not drained")
        self._events.append(
            OrderEvent(event=event, at_ns=self.now_ns, order=structs.replace(order), fill=fill)
        )
