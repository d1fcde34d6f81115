"""Replacements that wait for the order they replace to be final: how their waiting ends unsent."""

from fuseboard.core.book import Order
from fuseboard.core.outgoing import publish
from fuseboard.core.state import Turn
from fuseboard.vocabulary.evidence_effects import RecordReplacement
from fuseboard.vocabulary.orders import OrderStatus
from fuseboard.vocabulary.reasons import Reason


def drop(turn: Turn, order: Order, reason: Reason) -> None:
    """End a replacement before it was sent. Its old order counts as itself again, and still goes.

    Shown as canceled: somebody or something took it back, no check denied it.
    """
    book = turn.state.book
    assert order.succession is not None, f"{order.order_id} replaces nothing"
    old = book.orders.get(order.succession.replaces)
    if old is not None and old.succession is not None and not old.closed():
        book.count(old, -1)
        old.succession.replaced_by = ""
        old.succession.reserved_nanos = old.succession.reserved_price_nanos = 0
        book.count(old, 1)
    end(turn, order, OrderStatus.CANCELED, reason)


def end(
    turn: Turn,
    order: Order,
    status: OrderStatus,
    reason: Reason,
    ran: tuple[str, ...] = (),
    observed: str = "",
    limit: str = "",
) -> None:
    """Make a waiting replacement final, with the evidence of why."""
    assert order.succession is not None, f"{order.order_id} replaces nothing"
    turn.state.book.close(order, status)
    turn.out.append(
        RecordReplacement(
            order_id=order.order_id,
            strategy=order.strategy,
            replaces=order.succession.replaces,
            reason=reason,
            checks=ran,
            observed=observed,
            limit=limit,
        )
    )
    publish(turn, order, status.value)


def drop_all(turn: Turn, reason: Reason, *, strategy: str = "", symbol: str = "") -> None:
    """Drop every waiting replacement, of one strategy or symbol when named."""
    for order in turn.state.book.waiting_orders(strategy=strategy, symbol=symbol):
        drop(turn, order, reason)
