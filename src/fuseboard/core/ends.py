"""What became of orders of which people were told while their end was not known: said once.

Two kinds: what a halt found begun and unanswered, and what works after it had been given up. What
a page says of them is what the broker answered, never what was asked of it.
"""

from collections.abc import Iterable
from typing import Final

from fuseboard.core.book import Order
from fuseboard.core.halted import OpenEnd
from fuseboard.core.state import Turn
from fuseboard.vocabulary.money import NANOS, text_from_nanos
from fuseboard.vocabulary.orders import OrderStatus, Severity
from fuseboard.vocabulary.reasons import Reason

SETTLED_NS: Final = 2 * NANOS
"""When a halt is settled at the latest: what is answered until then was listed nowhere."""
_ENDS: Final = {
    OrderStatus.NOT_SENT: "never arrived at the broker",
    OrderStatus.REJECTED: "was refused by the broker",
    OrderStatus.CANCELED: "is cancelled",
}


def begun(turn: Turn, orders: Iterable[Order]) -> None:
    """A halt cancels these: whoever halted is told which of them are not answered."""
    for order in orders:
        doubtful = order.status is OrderStatus.IN_DOUBT
        if doubtful or order.status is OrderStatus.SUBMITTING:
            told = f"in doubt at halt {turn.state.halt_epoch}"
            open_end = OpenEnd(told=told, begun_boot_ns=turn.boot_ns, listed=doubtful)
            turn.state.open_ends.setdefault(order.order_id, open_end)


def doubtful(turn: Turn, order: Order) -> None:
    """Nobody knows whether the order arrived: where it was begun at a halt, it is listed there."""
    open_end = turn.state.open_ends.get(order.order_id)
    if open_end is not None:
        open_end.listed = True


def given_up_too_early(turn: Turn, order: Order, was: str) -> None:
    """An order works that people were told is not there: said now, and what becomes of it later."""
    told = f"which worked after it had been {was}"
    turn.state.open_ends[order.order_id] = OpenEnd(told=told, begun_boot_ns=0, listed=True)
    text = f"{order.symbol}: order {order.wire_id} works after it had been {was}: its cancel is"
    turn.alert(Severity.PAGE, Reason.NEVER_ARRIVED, f"{text} asked for")


def ended(turn: Turn, order: Order) -> None:
    """The order is final: say it where people wait for it; a page where it filled."""
    open_end = turn.state.open_ends.pop(order.order_id, None)
    if open_end is None:
        return
    if not open_end.listed and turn.boot_ns - open_end.begun_boot_ns < SETTLED_NS:
        return
    filled_nanos = order.filled_quantity_nanos
    how = _ENDS.get(order.status, f"is {order.status.value}")
    if filled_nanos:
        filled, size = text_from_nanos(filled_nanos), text_from_nanos(order.quantity_nanos)
        done = f"{order.side.value} {filled} of {size} filled"
        how = done if order.status is OrderStatus.FILLED else f"{how} after {done}"
    severity = Severity.PAGE if filled_nanos else Severity.INFO
    text = f"{order.symbol}: order {order.wire_id}, {open_end.told}: {how}"
    turn.alert(severity, Reason.OUTCOME_LATE, text)
