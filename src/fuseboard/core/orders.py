"""What becomes of orders that were decided: cancels, outcomes and fills move the book."""

from typing import Final

from fuseboard.core import (
    disconnects,
    dividends,
    drop_copy,
    ends,
    holdings,
    hygiene,
    plan,
    rates,
    valuation,
)
from fuseboard.core.book import NEVER_THERE, Order
from fuseboard.core.giving_way import give_way
from fuseboard.core.halting import latch_scope
from fuseboard.core.measures.recording import note_error, note_fill, note_submitted
from fuseboard.core.outgoing import (
    cancel,
    find,
    publish,
    publish_positions,
    read_account,
)
from fuseboard.core.state import Turn
from fuseboard.policy.shown import duration
from fuseboard.vocabulary.effects import (
    AnswerCancel,
    AnswerDenied,
    AnswerOrder,
)
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE, is_foreign_order_id, strategy_scope
from fuseboard.vocabulary.inputs import (
    CancelRefused,
    CancelRequested,
    FillReported,
    OrderEnded,
    OrderNotSent,
    OrderSent,
    OrderUnknown,
    OrderWorking,
)
from fuseboard.vocabulary.orders import (
    TERMINAL_STATUSES,
    Intent,
    OrderStatus,
    Severity,
    Side,
)
from fuseboard.vocabulary.postures import HaltLevel
from fuseboard.vocabulary.reasons import SENTENCES, Reason

_NOBODYS_ERROR: Final = (Reason.ANNIHILATED, Reason.HALT_EPOCH, Reason.CLIENT_ORDER_ID_REUSED)
"""Why an order was not sent that is no error of the way to the broker."""


def cancel_requested(turn: Turn, fact: CancelRequested) -> None:
    """Cancel a strategy's own order; never throttled, never blocked."""
    order = turn.state.book.orders.get(fact.order_id)
    if order is None or order.strategy != fact.strategy or order.intent is Intent.PLAN:
        reason = Reason.ORDER_UNKNOWN
    elif order.closed():
        reason = Reason.ORDER_NOT_CANCELABLE
    else:
        reason = Reason.ALLOWED
        cancel(turn, order)
    turn.out.append(AnswerCancel(request=fact.request, order_id=fact.order_id, reason=reason))


def order_sent(turn: Turn, fact: OrderSent) -> None:
    """The broker holds the order, perhaps already filled or final."""
    order = turn.state.book.orders.get(fact.order_id)
    if order is None:
        return
    at_broker(turn, order, fact.broker_order_id, ended=fact.status in TERMINAL_STATUSES)
    _filled_up_to(turn, order, fact.filled_quantity_nanos, fact.filled_price_nanos)
    if fact.status in TERMINAL_STATUSES and not order.closed():
        _ended(turn, order, fact.status)
    _answered(turn, order)
    _resolved(turn, order)


def order_working(turn: Turn, fact: OrderWorking) -> None:
    """The broker's stream says the order works."""
    order = turn.state.book.orders.get(fact.order_id)
    if order is not None:
        at_broker(turn, order, fact.broker_order_id)
        _answered(turn, order)


def at_broker(turn: Turn, order: Order, broker_order_id: str, *, ended: bool = False) -> None:
    """Learn the broker's id; an order that was only on its way now works."""
    given_up = order.status in NEVER_THERE and order.broker_order_id is None and not ended
    if given_up:
        _given_up_too_early(turn, order)
    elif order.closed():
        return
    learned = order.broker_order_id is None
    if learned:
        turn.state.book.account.position(order.symbol).moves += 1
        note_submitted(turn, order, rejected=False)
        hygiene.began_to_work(turn, order)
    order.broker_order_id = broker_order_id
    if order.status is OrderStatus.SUBMITTING or order.status is OrderStatus.IN_DOUBT:
        order.status = OrderStatus.WORKING
        publish(turn, order, "new")
    if order.cancel_wanted and not ended and (learned or given_up):
        cancel(turn, order)


def _given_up_too_early(turn: Turn, order: Order) -> None:
    """It was refused, or never to arrive, and it works: it counts again, and has to go."""
    was = "refused" if order.status is OrderStatus.REJECTED else "given up"
    turn.state.book.reopen(order)
    order.cancel_wanted = True
    publish(turn, order)
    ends.given_up_too_early(turn, order, was)


def order_not_sent(turn: Turn, fact: OrderNotSent) -> None:
    """The order is not at the broker and will not be."""
    order = turn.state.book.orders.get(fact.order_id)
    if order is None or order.closed():
        return
    if order.broker_order_id is not None:  # it was there: what became of it shows in the positions
        text = (
            f"{order.symbol}: the broker no longer knows order {order.wire_id}: books are compared"
        )
        turn.alert(Severity.PAGE, fact.reason, text)
        read_account(turn, positions=True)
    rejected = fact.reason is Reason.BROKER_REJECTED
    if rejected:
        note_submitted(turn, order, rejected=True)
    elif fact.reason not in _NOBODYS_ERROR:
        note_error(turn, order)
    turn.state.book.close(order, OrderStatus.REJECTED if rejected else OrderStatus.NOT_SENT)
    publish(turn, order, "canceled" if fact.reason is Reason.ANNIHILATED else "rejected")
    if order.request:
        turn.out.append(
            AnswerDenied(
                request=order.request,
                strategy=order.strategy,
                reason=fact.reason,
                message=fact.message or SENTENCES[fact.reason],
                http_status=fact.http_status,
                broker_code=fact.broker_code,
            )
        )
        order.request = 0
    _resolved(turn, order)
    ends.ended(turn, order)
    plan.order_closed(turn, order, failed=fact.reason is not Reason.ANNIHILATED)


def order_unknown(turn: Turn, fact: OrderUnknown) -> None:
    """Nobody knows whether the order arrived: ask, and count it as working until it is known."""
    order = turn.state.book.orders.get(fact.order_id)
    if order is None or order.closed():
        return
    if order.status is OrderStatus.SUBMITTING:
        order.status = OrderStatus.IN_DOUBT
        note_error(turn, order)
        publish(turn, order)
    ends.doubtful(turn, order)
    find(turn, order)


def fill_reported(turn: Turn, fact: FillReported) -> None:
    """One execution; the cumulative figure decides what of it is new."""
    order = turn.state.book.orders.get(fact.order_id)
    if order is None:
        return
    at_broker(turn, order, fact.broker_order_id, ended=fact.final)
    if order.filled_quantity_nanos + fact.quantity_nanos == fact.filled_quantity_nanos:
        cost_attos = fact.quantity_nanos * fact.price_nanos
        take_fill(turn, order, fact.filled_quantity_nanos, cost_attos)
    else:
        _filled_up_to(turn, order, fact.filled_quantity_nanos, fact.filled_price_nanos)
    _answered(turn, order)  # whoever waits need not wait for the submit's own outcome


def _filled_up_to(turn: Turn, order: Order, filled_nanos: int, average_nanos: int) -> None:
    """Executions that nobody reported one by one: the average prices say what they cost.

    A broker that rounds its averages may make that nothing; then the average itself counts, and
    without one, the price the order was judged at.
    """
    new_nanos = filled_nanos - order.filled_quantity_nanos
    if new_nanos <= 0:
        return
    cost_attos = filled_nanos * average_nanos - order.filled_attos
    if cost_attos <= 0:
        cost_attos = new_nanos * (average_nanos or order.worst_price_nanos)
    take_fill(turn, order, filled_nanos, cost_attos, rounded=True)


def take_fill(
    turn: Turn, order: Order, filled_nanos: int, cost_attos: int, *, rounded: bool = False
) -> None:
    """Bring an order up to a cumulative fill; what is new of it cost so much. `rounded`: an average
    price says so.
    """
    book = turn.state.book
    waited = hygiene.waits_for_its_price(order)
    if order.symbol in turn.state.dividends.watched:
        dividends.turn_ex(turn, order.symbol)
    new_nanos = book.fill(order, filled_nanos=filled_nanos, cost_attos=cost_attos)
    if new_nanos == 0:
        return
    if is_foreign_order_id(order.order_id):
        give_way(book, order.symbol, new_nanos if order.side is Side.BUY else -new_nanos)
    turn.state.quiet_since_read = False
    if turn.state.positions_apart:
        holdings.filled(turn.state, order, new_nanos)
    note_fill(turn, order, filled_nanos=new_nanos, cost_attos=cost_attos)
    drop_copy.note_fill(turn, order, filled_nanos=new_nanos, cost_attos=cost_attos, rounded=rounded)
    if order.strategy and turn.gate.lengths.executions:
        _executed(turn, order, new_nanos)
    was_closed = order.closed()
    whole = order.filled_quantity_nanos >= order.quantity_nanos
    if whole and order.status is not OrderStatus.FILLED:
        book.close(order, OrderStatus.FILLED)
    elif not was_closed:
        order.status = OrderStatus.PARTIALLY_FILLED
        if waited:
            hygiene.began_to_work(turn, order)
    publish(
        turn,
        order,
        "fill" if whole else "partial_fill",
        quantity_nanos=new_nanos,
        price_nanos=cost_attos // new_nanos,
    )
    publish_positions(turn, order)
    if order.filled_quantity_nanos > order.quantity_nanos:
        text = f"{order.symbol}: the broker filled more of {order.wire_id} than its size"
        latch_scope(turn, ACCOUNT_SCOPE, HaltLevel.HALT, Reason.POSITION_MISMATCH, detail=text)
    valuation.filled(turn, order.symbol)
    if whole and not was_closed:
        ends.ended(turn, order)
        plan.order_closed(turn, order, failed=False)
    plan.filled(turn)
    if turn.state.lost:
        disconnects.filled(turn, order.symbol)


def _executed(turn: Turn, order: Order, new_nanos: int) -> None:
    """An execution that repeats itself too often disables its strategy (RTS 6 Art. 15(3))."""
    if order.intent is Intent.PLAN or order.filled_quantity_nanos > new_nanos:
        return  # protection is never disabled, and the parts of one order are one execution
    limits = turn.active.limits
    if turn.state.throttles.executed(order, limits, turn.gate.lengths.executions, turn.boot_ns):
        window = duration(limits.repeated_executions_window_ns)
        detail = f"{limits.repeated_executions_max} executions of {order.symbol}"
        detail = f"{detail} {order.side.value} in {window}: a person re-arms the strategy"
        scope = strategy_scope(order.strategy)
        latch_scope(turn, scope, HaltLevel.HALT, Reason.REPEATED_EXECUTIONS, detail=detail)
    elif limits.repeated_executions_max is not None:
        rates.executed(turn, order)


def order_ended(turn: Turn, fact: OrderEnded) -> None:
    """The broker says the order is final; fills that came before count first."""
    order = turn.state.book.orders.get(fact.order_id)
    if order is None:
        return
    if not order.closed():
        order.broker_order_id = fact.broker_order_id
    _filled_up_to(turn, order, fact.filled_quantity_nanos, fact.filled_price_nanos)
    if not order.closed():
        _ended(turn, order, fact.status)
    _answered(turn, order)
    _resolved(turn, order)


def _ended(turn: Turn, order: Order, status: OrderStatus) -> None:
    if status is OrderStatus.REJECTED:
        note_submitted(turn, order, rejected=True)
    if status is OrderStatus.CANCELED and order.succession and order.succession.replaced_by:
        status = OrderStatus.REPLACED
    turn.state.book.close(order, status)
    publish(turn, order, status.value if status is not OrderStatus.FILLED else "fill")
    ends.ended(turn, order)
    plan.order_closed(turn, order, failed=status is OrderStatus.REJECTED)


def _answered(turn: Turn, order: Order) -> None:
    if order.request:
        turn.out.append(AnswerOrder(request=order.request, order_id=order.order_id))
        order.request = 0


def _resolved(turn: Turn, order: Order) -> None:
    """An order that had to be found before the books are compared has been found."""
    unresolved = turn.state.unresolved
    if order.order_id in unresolved:
        del unresolved[order.order_id]
        if not unresolved:
            read_account(turn, positions=True)


def cancel_refused(turn: Turn, fact: CancelRefused) -> None:
    """A cancel did not take: final at the broker (look), or not heard (it is repeated in time)."""
    order = turn.state.book.orders.get(fact.order_id)
    if order is not None and fact.reason is not Reason.ORDER_NOT_CANCELABLE:
        note_error(turn, order)
    if order is not None and not order.closed() and fact.reason is Reason.ORDER_NOT_CANCELABLE:
        find(turn, order)
