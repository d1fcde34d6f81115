"""The guardian's closes become orders of ours: what it did while we were dead is in our book.

Theory of operation. The guardian, and a person's rescue in its place, writes each close down before
it sends it, and by whom. A start takes those
that are new into the book as orders in doubt, of the account and of their trip; they are looked for
at the broker like every other order before the books are compared, and what they filled moves the
ledgers of who held it. So a position that the guardian closed is no difference. What it did not
write down, or what its clock hides, stays one: a person looks then. One that still works is
cancelled: nobody would drive it. The guardian counts a trip's attempts from the first: an attempt
of ours that the broker never held is in doubt again where the guardian sent a close by its id.
Whenever the broker's positions are taken as they stand, they have in them what was closed until
then (`counted`): no later start takes it again.
"""

from fuseboard.core.book import NEVER_THERE, Order
from fuseboard.core.outgoing import publish
from fuseboard.core.state import Turn
from fuseboard.vocabulary.guardian_inputs import NAMED, GuardianClose, Sender
from fuseboard.vocabulary.orders import Intent, OrderStatus, OrderType, Severity
from fuseboard.vocabulary.reasons import Reason


def node_started(turn: Turn, closes: tuple[GuardianClose, ...]) -> None:
    """Take in the closes that were sent since the last that a start took.

    A book that was never compared has nothing that they could have closed: the broker's positions,
    which it takes as they stand, have them in already.
    """
    state = turn.state
    before_wall_ns = state.guardian_closes_wall_ns
    taken: dict[Sender, dict[str, None]] = {}
    for close in closes:
        if close.at_wall_ns <= before_wall_ns:
            continue
        state.guardian_closes_wall_ns = max(state.guardian_closes_wall_ns, close.at_wall_ns)
        if not state.ever_reconciled:
            continue
        known = state.book.orders.get(close.order_id)
        if known is None:
            _take(turn, close)
        elif known.status in NEVER_THERE:
            _take_again(turn, known, close)
        else:
            continue
        taken.setdefault(close.sent_by, {})[close.symbol] = None
    for sender, symbols in taken.items():
        code = Reason.OPERATOR if sender is Sender.RESCUE else Reason.GUARDIAN
        text = f"{NAMED[sender]} closed {', '.join(symbols)} while no gateway ran: its orders are"
        text = f"{text} looked for at the broker and count in our book"
        turn.alert(Severity.WARNING, code, text)


def counted(turn: Turn) -> None:
    """The broker's positions were taken as they stand: what the guardian closed is in them."""
    state = turn.state
    state.guardian_closes_wall_ns = max(state.guardian_closes_wall_ns, turn.wall_ns)


def _take_again(turn: Turn, order: Order, close: GuardianClose) -> None:
    """An attempt of ours that the broker never held: the guardian sent it, as it is in `close`."""
    order.side, order.quantity_nanos = close.side, close.quantity_nanos
    order.order_type = _type_of(close)
    order.time_in_force = close.time_in_force
    order.limit_price_nanos = close.limit_price_nanos
    order.worst_price_nanos = close.limit_price_nanos or 0
    order.broker_order_id = None
    turn.state.book.reopen(order)
    order.status, order.cancel_wanted = OrderStatus.IN_DOUBT, True
    publish(turn, order)


def _type_of(close: GuardianClose) -> OrderType:
    return OrderType.MARKET if close.limit_price_nanos is None else OrderType.LIMIT


def _take(turn: Turn, close: GuardianClose) -> None:
    price_nanos = close.limit_price_nanos
    order = Order(
        order_id=close.order_id,
        wire_id=close.wire_id,
        client_order_id=close.client_order_id,
        strategy="",
        symbol=close.symbol,
        side=close.side,
        order_type=_type_of(close),
        time_in_force=close.time_in_force,
        quantity_nanos=close.quantity_nanos,
        limit_price_nanos=price_nanos,
        stop_price_nanos=None,
        extended_hours=False,
        intent=Intent.PLAN,
        worst_price_nanos=price_nanos or 0,
        created_ns=close.at_wall_ns,
        updated_ns=close.at_wall_ns,
        status=OrderStatus.IN_DOUBT,
        cancel_wanted=True,
        trip=close.trip,
    )
    turn.state.book.add(order)
    publish(turn, order)
