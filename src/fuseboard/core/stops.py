"""Stops while a scope is tightened: they protect until the very close that replaces them.

Theory of operation. A halt and the first sweep of a flatten keep the stops that still reduce, taken
together, what their strategy and the account hold. In a halt they stay. A liquidation takes those
of its scope away symbol by symbol, when the broker has told the position and nothing (an exchange's
halt, an empty book, another plan's turn) keeps the leg from closing: it cancels them, waits until
they are final or the policy's wait for cancels is over, and reads again. Until a stop is final it
works against the position, so the close is for what is left beside it (law 4); one that fills is a
fill like any other. A stop that a fill, or the end of its leg, leaves without a position goes too.

A kill keeps nothing: it disconnects the strategies that look after their stops, and what a fault of
ours has sized may be wrong.
"""

from typing import Final

from fuseboard.core import waiting
from fuseboard.core.book import Book, Order
from fuseboard.core.closes import ONGOING_STAGES, UNCONFIRMED_NS_MAX, strategy_of
from fuseboard.core.legs import Leg, Plan
from fuseboard.core.outgoing import cancel
from fuseboard.core.state import Turn
from fuseboard.vocabulary.orders import Intent, OrderType, Side
from fuseboard.vocabulary.reasons import Reason

STOPS: Final = "stops"
"""What a leg waits for while its stops are cancelled."""
NOT_GONE: Final = "its stops are not known to be cancelled"
STOP_TYPES: Final = (OrderType.STOP, OrderType.STOP_LIMIT)


def protects(book: Book, order: Order, kept_nanos: dict[tuple[str, str], int]) -> bool:
    """Whether it is a stop that, with those kept so far, is not larger than what it protects."""
    return order.order_type in STOP_TYPES and reduces(book, order, kept_nanos)


def stops_first(orders: list[Order]) -> list[Order]:
    """The same orders, those that protect before those that only leave."""
    return sorted(orders, key=lambda order: order.order_type not in STOP_TYPES)


def reduces(book: Book, order: Order, kept_nanos: dict[tuple[str, str], int]) -> bool:
    """Whether an order, with those kept so far, is not larger than what it reduces."""
    held_nanos = book.account.position(order.symbol).quantity_nanos
    own_nanos = held_nanos
    if order.strategy:  # a foreign one protects what the account holds
        own_nanos = book.strategy(order.strategy).position(order.symbol).quantity_nanos
    if order.side is Side.BUY:
        held_nanos, own_nanos = -held_nanos, -own_nanos
    remaining_nanos = order.remaining_nanos()
    kept = kept_nanos.get(("", order.symbol), 0) + remaining_nanos
    kept_own = kept_nanos.get((order.strategy, order.symbol), 0) + remaining_nanos
    if kept > held_nanos or kept_own > own_nanos:
        return False
    kept_nanos["", order.symbol], kept_nanos[order.strategy, order.symbol] = kept, kept_own
    return True


def _in_scope(orders: list[Order], plan: Plan) -> list[Order]:
    """Of these, the stops in a plan's scope that nobody has asked to go yet."""
    symbol = plan.scope.removeprefix("symbol:") if plan.scope.startswith("symbol:") else ""
    return [
        order
        for order in orders
        if order.order_type in STOP_TYPES
        and order.intent is not Intent.PLAN
        and not order.cancel_wanted
        and symbol in {"", order.symbol}
    ]


def take(turn: Turn, plan: Plan, symbol: str) -> bool:
    """Cancel the stops of a plan in a symbol; whether there were any to cancel."""
    book, strategy = turn.state.book, strategy_of(plan)
    for order in _in_scope(book.waiting_orders(strategy=strategy, symbol=symbol), plan):
        waiting.drop(turn, order, Reason.ANNIHILATED)
    taken = _in_scope(book.working_orders(strategy=strategy, symbol=symbol), plan)
    _cancel(turn, plan, taken)
    return bool(taken)


def take_outgrown(turn: Turn, plan: Plan) -> None:
    """Cancel the stops of a plan at work that would now open: what they protected is gone."""
    if plan.stage not in ONGOING_STAGES:
        return
    book, strategy = turn.state.book, strategy_of(plan)
    kept_nanos: dict[tuple[str, str], int] = {}
    stops = _in_scope(book.working_orders(strategy=strategy), plan)
    _cancel(turn, plan, [order for order in stops if not protects(book, order, kept_nanos)])


def _cancel(turn: Turn, plan: Plan, orders: list[Order]) -> None:
    """The plan does not end before they are final, or that has been waited for."""
    for order in orders:
        plan.orders[order.order_id] = None
        cancel(turn, order)
    if orders and plan.stage == "closing":
        plan.deadline_boot_ns = turn.boot_ns + UNCONFIRMED_NS_MAX


def wait(turn: Turn, leg: Leg) -> None:
    """The leg's stops were just cancelled: it goes on when they are final, or late without."""
    leg.stage, leg.waits_for, leg.why = "waiting", STOPS, NOT_GONE
    leg.deadline_boot_ns = turn.boot_ns + turn.policy.execution.cancel_wait_ns
    turn.wake(leg.deadline_boot_ns)


def are_gone(turn: Turn, plan: Plan, order: Order) -> bool:
    """Whether this order, final now, was the last that a leg of the plan has waited for."""
    leg = plan.legs.get(order.symbol)
    if leg is None or plan.stage != "closing" or leg.waits_for != STOPS:
        return False
    working = turn.state.book.working_orders(strategy=strategy_of(plan), symbol=order.symbol)
    if any(other.order_type in STOP_TYPES for other in working):
        return False
    leg.why = ""
    return True
