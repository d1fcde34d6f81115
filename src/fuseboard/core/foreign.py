"""Orders at the broker that are not in our book: a stranger's, or a sign of a twin."""

from typing import Final

from fuseboard.core.halting import latch_scope
from fuseboard.core.orders import at_broker
from fuseboard.core.state import FOREIGN_ORDERS_MAX, Turn
from fuseboard.vocabulary.effects import CancelOrder
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE
from fuseboard.vocabulary.inputs import ForeignOrderSeen
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Severity
from fuseboard.vocabulary.postures import HaltLevel
from fuseboard.vocabulary.reasons import Reason

FOREIGN_ALERT_EVERY_NS: Final = 60 * NANOS


def foreign_order_seen(turn: Turn, fact: ForeignOrderSeen) -> None:
    """An order that is not in our book: with our prefix it is a twin or a rollback, and we halt."""
    state = turn.state
    known = state.book.orders.get(fact.wire_id[-36:])
    if known is not None:
        if known.closed():  # it works although we believe that it is final
            at_broker(turn, known, fact.broker_order_id)
            turn.out.append(
                CancelOrder(order_id=known.order_id, broker_order_id=fact.broker_order_id)
            )
        return
    if fact.broker_order_id in state.foreign_orders:
        return
    if len(state.foreign_orders) >= FOREIGN_ORDERS_MAX:
        del state.foreign_orders[next(iter(state.foreign_orders))]
    state.foreign_orders[fact.broker_order_id] = None
    text = f"{fact.symbol}: order {fact.wire_id} at the broker is not in our book"
    if fact.ours_by_prefix:
        latch_scope(turn, ACCOUNT_SCOPE, HaltLevel.HALT, Reason.FOREIGN_ORDER, detail=text)
        return
    last_ns = state.foreign_alert_boot_ns
    if last_ns is not None and turn.boot_ns - last_ns < FOREIGN_ALERT_EVERY_NS:
        return
    state.foreign_alert_boot_ns = turn.boot_ns
    text = f"{text}; it was not placed through the gateway"
    turn.alert(Severity.WARNING, Reason.FOREIGN_ORDER, text)
