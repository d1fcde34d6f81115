"""Working-order hygiene: a strategy's order that works for too long is cancelled.

Only where the policy gives a time-out (`execution.order_settings.timeout`). It counts in boot time
from when the broker is known to hold the order. Stops wait for their price by nature, and a plan's
closes have their own time. The cancel is repeated until the broker confirms that the order is final
(`outgoing.cancel_again`); an order whose submit has no answer is asked for, never sent again.
"""

from typing import Final

from fuseboard.core.book import Order
from fuseboard.core.outgoing import cancel
from fuseboard.core.state import State, Turn
from fuseboard.vocabulary.orders import Intent, OrderType

_STOPS: Final = (OrderType.STOP, OrderType.STOP_LIMIT)


def began_to_work(turn: Turn, order: Order) -> None:
    """The broker holds the order from now on."""
    timeout_ns = turn.policy.execution.order_timeout_ns
    if timeout_ns is None or order.intent is Intent.PLAN or order.order_type in _STOPS:
        return
    deadlines = turn.state.order_deadlines
    if order.order_id not in deadlines:
        due_boot_ns = deadlines[order.order_id] = turn.boot_ns + timeout_ns
        turn.wake(due_boot_ns)


def cancel_overdue(turn: Turn) -> None:
    """Cancel what works beyond its time; deadlines of orders that ended are forgotten."""
    state = turn.state
    if not state.order_deadlines:
        return
    book = state.book
    kept: dict[str, int] = {}
    for order_id, due_boot_ns in state.order_deadlines.items():
        order = book.orders.get(order_id)
        if order is None or order.closed():
            continue
        if turn.boot_ns < due_boot_ns:
            kept[order_id] = due_boot_ns
        elif not order.cancel_wanted:
            cancel(turn, order)
    state.order_deadlines = kept


def next_deadline(state: State) -> int:
    """When the first order is overdue; 0 when none has a time-out."""
    return min(state.order_deadlines.values(), default=0)
