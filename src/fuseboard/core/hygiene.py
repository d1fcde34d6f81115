"""Working-order hygiene: a strategy's order that works for too long is cancelled.

Only where the policy gives a time-out: `execution.order_settings.timeout` for every order, and that
of its symbol's liquidity tier for one that opens; the tighter counts. It counts in boot time from
when the broker is known to hold the order, by the tier of that moment. Stops wait for their price
by nature, so theirs counts from their first fill, which proves that they triggered; a plan's closes
have their own time. When a symbol falls into EMERGENCY, what works
there to open is cancelled at once: nothing opens in that tier, and a resting order is what a market
without another side trades against first. The cancel is repeated until the broker confirms that the
order is final (`outgoing.cancel_again`); an order whose submit has no answer is asked for, never
sent again.
"""

from typing import Final

from fuseboard.core.book import Order
from fuseboard.core.outgoing import cancel
from fuseboard.core.state import State, Turn
from fuseboard.vocabulary.identifiers import is_foreign_order_id
from fuseboard.vocabulary.liquidity import Tier
from fuseboard.vocabulary.orders import Intent, OrderType

_STOPS: Final = (OrderType.STOP, OrderType.STOP_LIMIT)


def began_to_work(turn: Turn, order: Order) -> None:
    """The broker holds the order from now on, or a stop was filled for the first time.

    A foreign one has no time-out: who placed it by hand said how long it is good for.
    """
    if is_foreign_order_id(order.order_id):
        return
    timeout_ns = turn.policy.execution.order_timeout_ns
    if turn.liquidity is not None and order.intent is Intent.OPEN:
        of_tier_ns = _of_its_tier(turn, order.symbol)
        timeout_ns = of_tier_ns if timeout_ns is None else min(timeout_ns, of_tier_ns)
    if timeout_ns is None or order.intent is Intent.PLAN or waits_for_its_price(order):
        return
    deadlines = turn.state.order_deadlines
    if order.order_id not in deadlines:
        due_boot_ns = deadlines[order.order_id] = turn.boot_ns + timeout_ns
        turn.wake(due_boot_ns)


def waits_for_its_price(order: Order) -> bool:
    """Whether it is a stop that nobody has seen trigger."""
    return order.order_type in _STOPS and not order.filled_quantity_nanos


def _of_its_tier(turn: Turn, symbol: str) -> int:
    """How long an order that opens may work; where nothing is known, as a symbol begins."""
    assert turn.liquidity is not None, "the caller looked"
    at = turn.state.liquidity.get(symbol)
    return turn.liquidity.timeouts_ns[Tier.CAUTIOUS if at is None else at.gauge.tier]


def cancel_openings(turn: Turn, symbol: str = "") -> None:
    """Nothing may open in this symbol, or in any: what was let in before goes, stops too."""
    for order in turn.state.book.working_orders(symbol=symbol):
        if order.intent is Intent.OPEN and not order.cancel_wanted:
            cancel(turn, order)


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
