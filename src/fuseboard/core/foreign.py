"""Orders at the broker that are not in our book: a stranger's, or a sign of a twin."""

from typing import Final

from fuseboard.core import orders, replacing, taking_away, taking_in
from fuseboard.core.halting import latch_scope
from fuseboard.core.orders import at_broker
from fuseboard.core.state import FOREIGN_ORDERS_MAX, Turn
from fuseboard.vocabulary.effects import CancelOrder
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE, foreign_order_id
from fuseboard.vocabulary.inputs import FillReported, ForeignOrderSeen, OrderWorking
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Severity
from fuseboard.vocabulary.postures import HaltLevel
from fuseboard.vocabulary.reasons import Reason

FOREIGN_ALERT_EVERY_NS: Final = 60 * NANOS


def foreign_order_seen(turn: Turn, fact: ForeignOrderSeen) -> None:
    """An order that is not in our book: with our prefix it is a twin or a rollback, and we halt."""
    state = turn.state
    if not fact.ours_by_prefix and _is_adopted(turn, fact):
        return
    known = state.book.orders.get(fact.wire_id[-36:])
    if known is not None:
        if known.closed():  # it works although we believe that it is final
            at_broker(turn, known, fact.broker_order_id)
            turn.out.append(
                CancelOrder(order_id=known.order_id, broker_order_id=fact.broker_order_id)
            )
        return
    if turn.policy.reconciliation.foreign_orders == "cancel" and not fact.ours_by_prefix:
        # Each time that it is seen: a cancel may be lost. A twin's are not ours to take away.
        turn.out.append(CancelOrder(order_id=fact.wire_id, broker_order_id=fact.broker_order_id))
    if fact.broker_order_id in state.foreign_orders:
        return
    _remember(turn, fact.broker_order_id)
    text = f"{fact.symbol}: order {fact.wire_id} at the broker is not in our book"
    if fact.ours_by_prefix:
        latch_scope(turn, ACCOUNT_SCOPE, HaltLevel.HALT, Reason.FOREIGN_ORDER, detail=text)
        return
    cancels = turn.policy.reconciliation.foreign_orders == "cancel"
    done = ": cancelled" if cancels else ""
    if taking_in.adopts(turn):
        done = f": left, not adopted, because {taking_in.hindrance(turn, fact)}"
    _tell(turn, f"{text}; it was not placed through the gateway{done}")


def _is_adopted(turn: Turn, fact: ForeignOrderSeen) -> bool:
    """Adopt a stranger's order where the policy says so; whether nothing else is to be done of it.

    One that has ended is nobody's to cancel or to be told of.
    """
    if taking_in.known(turn, fact):
        order_id = foreign_order_id(fact.broker_order_id)
        taking_away.judge_again(turn, turn.state.book.orders[order_id])
        return True
    ended = fact.terms is not None and fact.terms.ended is not None
    if taking_in.adopts(turn) and ended:
        taking_in.note_ended(turn, fact)
    elif taking_in.adopts(turn) and not taking_in.hindrance(turn, fact):
        order = taking_in.take_in(turn, fact)
        if not taking_away.judge(turn, order):
            text = f"{fact.symbol}: order {fact.wire_id} at the broker was not placed through the"
            _tell(turn, f"{text} gateway: adopted")
        taking_in.tell_limits(turn, order)
        return True
    return ended


def _tell(turn: Turn, text: str) -> None:
    """Say it, at most once a minute."""
    last_ns = turn.state.foreign_alert_boot_ns
    if last_ns is None or turn.boot_ns - last_ns >= FOREIGN_ALERT_EVERY_NS:
        turn.state.foreign_alert_boot_ns = turn.boot_ns
        turn.alert(Severity.WARNING, Reason.FOREIGN_ORDER, text)


def order_working(turn: Turn, fact: OrderWorking) -> None:
    """The stream says that an order works; one of ours that we never sent is a twin's."""
    if _is_known(turn, fact.order_id):
        orders.order_working(turn, fact)
    else:
        _twins(turn, fact.order_id, fact.broker_order_id)


def fill_reported(turn: Turn, fact: FillReported) -> None:
    """The stream says that an order was filled; one of ours that we never sent is a twin's.

    That of a stranger's which is not adopted changes nothing.
    """
    if _is_known(turn, fact.order_id):
        replacing.fill_reported(turn, fact)
    elif fact.order_id != foreign_order_id(fact.broker_order_id):
        _twins(turn, fact.order_id, fact.broker_order_id)


def _is_known(turn: Turn, order_id: str) -> bool:
    return order_id in turn.state.book.orders or order_id in turn.state.spent_ids


def _twins(turn: Turn, order_id: str, broker_order_id: str) -> None:
    """An order of our instance that is not in our book: most likely a copy of our state directory
    trades. One that we have forgotten halts as well: what the book holds without it may be wrong.
    """
    if broker_order_id in turn.state.foreign_orders:
        return
    _remember(turn, broker_order_id)
    why = "another gateway runs on a copy of this state, or the state is an older copy"
    if order_id in turn.state.book.forgotten:
        why = "it was closed long ago, and the broker tells of it again"
    wire_id = f"{turn.ids.wire_prefix}{order_id}"
    text = f"order {wire_id} at the broker has our own prefix and is not in our book: {why}"
    latch_scope(turn, ACCOUNT_SCOPE, HaltLevel.HALT, Reason.FOREIGN_ORDER, detail=text)


def _remember(turn: Turn, broker_order_id: str) -> None:
    known = turn.state.foreign_orders
    if len(known) >= FOREIGN_ORDERS_MAX:
        del known[next(iter(known))]
    known[broker_order_id] = None
