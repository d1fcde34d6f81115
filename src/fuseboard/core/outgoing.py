"""What the core says about orders to the outside: submit, show, cancel, find."""

from typing import Final

from fuseboard.core.book import Order
from fuseboard.core.measures.recording import note_position
from fuseboard.core.state import Turn
from fuseboard.vocabulary.effects import (
    CancelOrder,
    FindOrder,
    PublishOrder,
    PublishPosition,
    ReadAccount,
    ReadOrdersSince,
    SubmitOrder,
)
from fuseboard.vocabulary.identifiers import is_foreign_order_id
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Intent

CANCEL_AGAIN_NS: Final = NANOS
ACCOUNT_READ_EVERY_NS: Final = 5 * NANOS
_OPEN: Final = Intent.OPEN
_PLAN: Final = Intent.PLAN


def submit(turn: Turn, order: Order, worst_attos: int | None = None) -> None:
    """Take a decided order into the book and send it; `worst_attos` as in `Book.add`."""
    turn.state.book.add(order, worst_attos)
    turn.out.append(
        SubmitOrder(  # by position, as in its declaration: names cost a tenth of the gate
            order.order_id,
            order.wire_id,
            order.symbol,
            order.side,
            order.order_type,
            order.time_in_force,
            order.quantity_nanos,
            order.intent,
            order.intent is _OPEN,
            turn.state.halt_epoch,
            "" if order.intent is _PLAN else order.strategy,
            order.client_order_id,
            order.created_ns,
            order.limit_price_nanos,
            order.stop_price_nanos,
            order.extended_hours,
        )
    )


def shown_strategy(order: Order) -> str:
    """Whose order it is to clients: a plan's close is nobody's, whichever ledger it moves."""
    return "" if order.intent is _PLAN else order.strategy


def publish(
    turn: Turn, order: Order, event: str = "", *, quantity_nanos: int = 0, price_nanos: int = 0
) -> None:
    """Show an order as it now is; `event` is Alpaca's word for what just happened to it."""
    if event:
        order.updated_ns = turn.wall_ns
    ledger = turn.state.book.strategies.get(order.strategy) or turn.state.book.account
    position = ledger.positions.get(order.symbol) if event else None
    succession = order.succession
    turn.out.append(
        PublishOrder(
            order_id=order.order_id,
            wire_id=order.wire_id,
            broker_order_id=order.broker_order_id,
            client_order_id=order.client_order_id,
            strategy=shown_strategy(order),
            symbol=order.symbol,
            side=order.side,
            order_type=order.order_type,
            time_in_force=order.time_in_force,
            quantity_nanos=order.quantity_nanos,
            filled_quantity_nanos=order.filled_quantity_nanos,
            filled_price_nanos=order.filled_price_nanos(),
            status=order.status,
            intent=order.intent,
            created_ns=order.created_ns,
            updated_ns=order.updated_ns,
            limit_price_nanos=order.limit_price_nanos,
            stop_price_nanos=order.stop_price_nanos,
            extended_hours=order.extended_hours,
            event=event,
            fill_quantity_nanos=quantity_nanos,
            fill_price_nanos=price_nanos,
            position_nanos=position.quantity_nanos if position else 0,
            replaces=succession.replaces if succession else "",
            replaced_by=succession.replaced_by if succession else "",
        )
    )


def cancel(turn: Turn, order: Order) -> None:
    """Want an order gone: now if the broker's id is known, else as soon as it is."""
    order.cancel_wanted = True
    turn.out.append(CancelOrder(order_id=order.order_id, broker_order_id=order.broker_order_id))
    if not turn.state.cancel_again_boot_ns:
        turn.state.cancel_again_boot_ns = turn.boot_ns + CANCEL_AGAIN_NS
        turn.wake(turn.state.cancel_again_boot_ns)


def cancel_again(turn: Turn) -> None:
    """Repeat every cancel that is wanted and not yet confirmed; the outlet sends one at a time."""
    wanted = [order for order in turn.state.book.working_orders() if order.cancel_wanted]
    for order in wanted:
        turn.out.append(CancelOrder(order_id=order.order_id, broker_order_id=order.broker_order_id))
    turn.state.cancel_again_boot_ns = turn.boot_ns + CANCEL_AGAIN_NS if wanted else 0


def find(turn: Turn, order: Order) -> None:
    """Ask the broker for an order by its wire id, for a foreign one by the broker's."""
    absent_after_ns = turn.policy.execution.absent_after_ns
    is_foreign = is_foreign_order_id(order.order_id)
    turn.out.append(
        FindOrder(
            order_id=order.order_id,
            wire_id=order.wire_id,
            absent_after_ns=absent_after_ns,
            broker_order_id=(order.broker_order_id or "") if is_foreign else "",
        )
    )


def await_comparison(turn: Turn) -> None:
    """A comparison is asked for: from the first one that is not done on, its absence counts."""
    turn.state.uncompared_boot_ns = turn.state.uncompared_boot_ns or turn.boot_ns


def ask_foreign(turn: Turn) -> None:
    """Ask which foreign orders came, filled and went since the last comparison, and nobody told us.

    As at a start, the books are not compared before the answer.
    """
    state = turn.state
    if not state.lost_since_wall_ns:
        state.lost_since_wall_ns = state.compared_wall_ns or turn.wall_ns
        turn.out.append(ReadOrdersSince(wall_ns=state.lost_since_wall_ns, foreign=True))


def read_account(turn: Turn, *, positions: bool) -> None:
    """Ask for the broker's account; note whether anything could fill in the meantime."""
    state = turn.state
    state.read_boot_ns = turn.boot_ns
    if positions:
        state.compared_boot_ns, state.compare_asked = turn.boot_ns, False
        await_comparison(turn)
    state.quiet_since_read = not state.book.working
    adopts = turn.policy.reconciliation.foreign_orders == "adopt"
    timed = positions and (bool(state.positions_apart) or adopts)
    turn.out.append(ReadAccount(positions=positions, timed=timed))
    turn.wake(turn.boot_ns + ACCOUNT_READ_EVERY_NS)


def publish_positions(turn: Turn, order: Order) -> None:
    """Show the positions that a fill of this order moved: the account's and the holders'."""
    show_position(turn, "", order.symbol)
    book = turn.state.book
    for strategy in (order.strategy,) if order.strategy else tuple(book.strategies):
        if order.symbol in book.strategies[strategy].positions:
            show_position(turn, strategy, order.symbol)


def show_position(turn: Turn, strategy: str, symbol: str) -> None:
    """Show one position as it now is; the account's own when `strategy` is empty."""
    book = turn.state.book
    ledger = book.strategies[strategy] if strategy else book.account
    position = ledger.positions[symbol]
    turn.out.append(
        PublishPosition(
            strategy=strategy,
            symbol=symbol,
            quantity_nanos=position.quantity_nanos,
            average_price_nanos=position.average_price_nanos,
        )
    )


def admit(turn: Turn, strategy: str) -> None:
    """Open the ledger of a strategy. A single one takes over what the account already holds.

    So a bot that is put behind the gateway with open positions can go on to close them.
    """
    book = turn.state.book
    if strategy in book.strategies:
        return
    if book.strategies or len(turn.state.strategies) > 1:
        book.strategy(strategy)
        return
    book.inherit(strategy)
    for symbol in book.strategies[strategy].positions:
        note_position(turn, symbol)
        show_position(turn, strategy, symbol)
