"""Foreign orders that our book adopts: of the account, no strategy, by `foreign_orders: adopt`.

Theory of operation. An order that somebody placed at the broker without us is told by the broker's
stream and by its list, and from then on is an order of the book like any other: it counts in the
account's worst cases, its fills are booked, it is compared and asked for (by the broker's id, from
which ours is derived), and a halt of its symbol or of the account cancels it. It is judged by no
check, because it works already; one that passes a limit is told of, and while it does, the limit
lets nothing but reductions through. It has no time-out, is in no rate and no score, and moves no
strategy's profit (`giving_way`).

What it had filled when it was first seen is in our positions already, or is not: nobody tells. So
it waits for a comparison. Where the broker holds just that much more than we do, it is booked: two
of the broker's records against our gap are the proof, as in `drop_copy`. Where nothing differs
twice, it was in. Until then it explains nothing.

Bounded: at most `FOREIGN_ORDERS_MAX` work, and of so many what had filled waits. What is beyond is
left, as is what cannot be read; people are told.
"""

from typing import Final

from fuseboard.core import nearness
from fuseboard.core.book import NEVER_THERE, Order
from fuseboard.core.checks.proposal import Proposal
from fuseboard.core.checks.table import WORST_CASE
from fuseboard.core.closes import reserves
from fuseboard.core.exposure import MARKET_WORST_NANOS, worst_price_nanos
from fuseboard.core.foreign_state import Unplaced
from fuseboard.core.halting import publish_postures
from fuseboard.core.market import Instrument
from fuseboard.core.orders import take_fill
from fuseboard.core.outgoing import cancel, publish, read_account
from fuseboard.core.state import FOREIGN_ORDERS_MAX, INSTRUMENTS_MAX, State, Turn
from fuseboard.core.throttles import Ring
from fuseboard.vocabulary.foreign_inputs import ForeignTerms
from fuseboard.vocabulary.identifiers import (
    foreign_order_id,
    is_foreign_order_id,
    symbol_scope,
)
from fuseboard.vocabulary.inputs import (
    UNNAMED,
    BrokerPosition,
    ForeignOrderSeen,
    OrderRequested,
    PositionsSeen,
)
from fuseboard.vocabulary.market_effects import WatchSymbol
from fuseboard.vocabulary.money import NANOS, text_from_nanos
from fuseboard.vocabulary.orders import Intent, OrderStatus, Severity, Side
from fuseboard.vocabulary.reasons import Reason

ADOPT: Final = "adopt"
AGREED_TWICE: Final = 2
"""The first comparison after an order was seen may be older than its last fill."""
PRICED_EVERY_NS: Final = NANOS // 4
LIMITS_TOLD_EVERY_NS: Final = 60 * NANOS
NUMBERS_MAX: Final = 10**15 * NANOS


def adopts(turn: Turn) -> bool:
    """Whether the policy in force adopts foreign orders."""
    return turn.policy.reconciliation.foreign_orders == ADOPT


def known(turn: Turn, fact: ForeignOrderSeen) -> bool:
    """Whether it was adopted before; one that we were told is not there works again."""
    order = turn.state.book.orders.get(foreign_order_id(fact.broker_order_id))
    if order is None:
        return False
    if order.status in NEVER_THERE and (fact.terms is None or fact.terms.ended is None):
        turn.state.book.reopen(order)
        publish(turn, order)
    return True


def hindrance(turn: Turn, fact: ForeignOrderSeen) -> str:
    """Why an order cannot be adopted, in words; empty when it can."""
    state, terms = turn.state, fact.terms
    if fact.side is None or terms is None or fact.symbol == UNNAMED:
        return "it is of a kind that is not adopted, or cannot be read"
    prices = (terms.limit_price_nanos, terms.stop_price_nanos)
    sizes = (fact.quantity_nanos, *(price for price in prices if price is not None))
    if any(size is None or not 0 < size < NUMBERS_MAX for size in sizes):
        return "its numbers cannot be"
    if fact.symbol not in state.instruments and len(state.instruments) >= INSTRUMENTS_MAX:
        return f"{INSTRUMENTS_MAX} symbols are known already"
    if sum(map(is_foreign_order_id, state.book.working)) >= FOREIGN_ORDERS_MAX:
        return f"{FOREIGN_ORDERS_MAX} foreign orders are adopted already"
    return ""


def take_in(turn: Turn, fact: ForeignOrderSeen) -> Order:
    """Adopt a working order: nothing hinders it. What it has filled waits for a comparison."""
    state, terms = turn.state, fact.terms
    assert terms is not None, "the caller looked"
    order = _order_of(turn, fact, terms)
    state.book.add(order)
    filled_nanos = min(terms.filled_quantity_nanos, order.quantity_nanos)
    if filled_nanos > 0:
        attos = filled_nanos * (terms.filled_price_nanos or order.worst_price_nanos)
        state.book.count(order, -1)
        order.filled_quantity_nanos, order.filled_attos = filled_nanos, attos
        state.book.count(order, 1)
        order.status = OrderStatus.PARTIALLY_FILLED
        _wait_for_comparison(
            turn, order.order_id, Unplaced(quantity_nanos=filled_nanos, attos=attos)
        )
    state.quiet_since_read = False
    publish(turn, order, "new")
    if state.reconciled:
        nearness.moved(turn)
    if not order.worst_price_nanos:
        state.foreign.unpriced[order.order_id] = None
        publish_postures(turn)
        text = f"{order.symbol}: no price is known of what the adopted foreign order"
        text = f"{text} {order.wire_id} may cost: reductions only until one is, or it ends"
        turn.alert(Severity.WARNING, Reason.UNVALUED, text)
        turn.wake(turn.boot_ns + PRICED_EVERY_NS)
    return order


def note_ended(turn: Turn, fact: ForeignOrderSeen) -> None:
    """One that is final was never in our book: a comparison says whether what it filled is."""
    terms = fact.terms
    if terms is None or hindrance(turn, fact) or terms.filled_quantity_nanos <= 0:
        return
    if not turn.state.foreign.may_be_missing(terms.ended_wall_ns):
        return  # it would explain a difference that is real
    order = _order_of(turn, fact, terms)
    if order.order_id in turn.state.foreign.unplaced:
        return
    order.status = terms.ended or OrderStatus.FILLED
    filled_nanos = terms.filled_quantity_nanos
    attos = filled_nanos * (terms.filled_price_nanos or order.worst_price_nanos)
    unplaced = Unplaced(quantity_nanos=filled_nanos, attos=attos, ended=order)
    _wait_for_comparison(turn, order.order_id, unplaced)


def _wait_for_comparison(turn: Turn, order_id: str, unplaced: Unplaced) -> None:
    state, waiting = turn.state, turn.state.foreign.unplaced
    if len(waiting) >= FOREIGN_ORDERS_MAX:  # it shows as a difference
        del waiting[next(iter(waiting))]
    waiting[order_id] = unplaced
    state.compare_asked = True
    if state.reconciled and not state.uncompared_boot_ns:
        read_account(turn, positions=True)


def _order_of(turn: Turn, fact: ForeignOrderSeen, terms: ForeignTerms) -> Order:
    assert fact.side is not None, "the caller looked"
    assert fact.quantity_nanos is not None, "the caller looked"
    state = turn.state
    instrument = state.instruments.get(fact.symbol)
    if instrument is None:
        instrument = state.instruments[fact.symbol] = Instrument()
    turn.out.append(WatchSymbol(symbol=fact.symbol))
    order = Order(
        order_id=foreign_order_id(fact.broker_order_id),
        wire_id=fact.wire_id,
        client_order_id=fact.wire_id,
        strategy="",
        symbol=fact.symbol,
        side=fact.side,
        order_type=terms.order_type,
        time_in_force=terms.time_in_force,
        quantity_nanos=fact.quantity_nanos,
        limit_price_nanos=terms.limit_price_nanos,
        stop_price_nanos=terms.stop_price_nanos,
        extended_hours=terms.extended_hours,
        intent=_intent(state, fact.symbol, fact.side, fact.quantity_nanos),
        worst_price_nanos=0,
        created_ns=turn.wall_ns,
        updated_ns=turn.wall_ns,
        status=OrderStatus.WORKING,
        broker_order_id=fact.broker_order_id,
    )
    order.worst_price_nanos = _worst_price_nanos(order, instrument)
    return order


def _intent(state: State, symbol: str, side: Side, quantity_nanos: int) -> Intent:
    """REDUCE only when proven, by the account's book; it is in no strategy's."""
    if state.plans and reserves(state, symbol):
        return Intent.OPEN
    at = state.book.account.positions.get(symbol)
    if at is None or symbol in state.positions_apart:
        return Intent.OPEN
    return Intent.REDUCE if quantity_nanos <= at.reducible_nanos(side) else Intent.OPEN


def _worst_price_nanos(order: Order, instrument: Instrument) -> int:
    """As for an order that is asked for; without a quote, beyond the mark. 0: nothing is known."""
    request = OrderRequested(
        request=0,
        strategy="",
        client_order_id="",
        symbol=order.symbol,
        side=order.side,
        order_type=order.order_type,
        time_in_force=order.time_in_force,
        quantity_nanos=order.quantity_nanos,
        limit_price_nanos=order.limit_price_nanos,
        stop_price_nanos=order.stop_price_nanos,
    )
    beyond_nanos = -(-instrument.mark_nanos * (NANOS + MARKET_WORST_NANOS) // NANOS)
    return worst_price_nanos(request, instrument) or beyond_nanos


# --- limits ---------------------------------------------------------------------------------------


def price_when_due(turn: Turn) -> None:
    """Value what worked at no known price, where there is one now; say what passes a limit."""
    state = turn.state
    if not state.foreign.unpriced:
        return
    for order_id in list(state.foreign.unpriced):
        order = state.book.orders.get(order_id)
        if order is not None and not order.closed():
            price_nanos = _worst_price_nanos(order, state.instruments[order.symbol])
            if not price_nanos:
                continue
            state.book.count(order, -1)
            order.worst_price_nanos = price_nanos
            state.book.count(order, 1)
            tell_limits(turn, order)
        del state.foreign.unpriced[order_id]
    if state.foreign.unpriced:
        turn.wake(turn.boot_ns + PRICED_EVERY_NS)
    else:
        publish_postures(turn)


def next_deadline(turn: Turn) -> int:
    """When prices are looked for again; 0 when all are known."""
    return turn.boot_ns + PRICED_EVERY_NS if turn.state.foreign.unpriced else 0


def tell_all_limits(turn: Turn) -> None:
    """The books are compared: what was adopted before is held against the limits now."""
    for order in turn.state.book.working_orders():
        if is_foreign_order_id(order.order_id):
            tell_limits(turn, order)


def tell_limits(turn: Turn, order: Order) -> None:
    """Say which limit an adopted order passes at worst, at most once a minute."""
    state = turn.state
    if not state.reconciled or order.closed() or order.intent is not Intent.OPEN:
        return
    told_ns = state.foreign.limits_told_boot_ns
    if told_ns is not None and turn.boot_ns - told_ns < LIMITS_TOLD_EVERY_NS:
        return
    state.book.count(order, -1)
    proposal = _proposed(turn, order)
    rows = [row for row in turn.active.rows(Intent.OPEN) if row.name in WORST_CASE]
    passed = [row.found(proposal) for row in rows if row.passes(proposal) is not True]
    state.book.count(order, 1)
    if not passed:
        return
    state.foreign.limits_told_boot_ns = turn.boot_ns
    first = passed[0]
    text = (
        f"{order.symbol}: with the adopted foreign order {order.wire_id} {first.reason.value} is"
        f" {first.observed} at worst, its limit {first.limit}: only reductions pass"
    )
    turn.alert(Severity.WARNING, Reason.LIMIT_PASSED, text, symbol_scope(order.symbol))


def _proposed(turn: Turn, order: Order) -> Proposal:
    """What is left of an order that is set aside, as if it were asked for now."""
    account, instrument = turn.state.book.account, turn.state.instruments[order.symbol]
    position = account.position(order.symbol)
    left_nanos, price_nanos = order.remaining_nanos(), order.worst_price_nanos
    attos = left_nanos * price_nanos
    worst_attos = position.worst_with_attos(order.side, left_nanos, price_nanos, attos)
    posture, halting_reason = turn.posture("", order.symbol)
    return Proposal(
        order=order,
        turn=turn,
        active=turn.active,
        limits=turn.active.limits,
        posture=posture,
        halting_reason=halting_reason,
        instrument=instrument,
        position=position,
        rate=Ring(),
        value_attos=attos,
        symbol_worst_attos=worst_attos,
        gross_worst_attos=account.worst_attos - position.worst_attos + worst_attos,
        equity_attos=account.equity_attos(),
    )


# --- what had filled before ----------------------------------------------------------------------


def place(turn: Turn, fact: PositionsSeen, differences: list[BrokerPosition]) -> bool:
    """The books are compared: book what had filled where that is all that differs, and forget what
    was in our positions already. Whether anything was booked.
    """
    state = turn.state
    theirs = {at.symbol: at.quantity_nanos for at in differences}
    symbols = dict.fromkeys(_symbol_of(state, order_id) for order_id in state.foreign.unplaced)
    booked = False
    for symbol in symbols:
        waiting = [at for at in state.foreign.unplaced if _symbol_of(state, at) == symbol]
        own_nanos = state.book.account.position(symbol).quantity_nanos
        missing = _missing(state, waiting, theirs.get(symbol, own_nanos) - own_nanos)
        for order_id in missing:
            _book(turn, order_id)
        booked |= bool(missing)
        if not missing and symbol not in theirs:
            _agreed(state, waiting, fact.unread)
    return booked


def _missing(state: State, waiting: list[str], gap_nanos: int) -> list[str]:
    """Of these, what our positions lack, where it is just the gap: what the activity feed tells and
    our book does not have, with all others, or what no comparison was without yet, or the newest.
    """
    told = [order_id for order_id in waiting if _is_told(state, order_id)]
    if told and _sum_nanos(state, told) == gap_nanos:
        return told
    if not gap_nanos:
        return []
    others = [order_id for order_id in waiting if order_id not in told]
    new = [order_id for order_id in others if not state.foreign.unplaced[order_id].agreed]
    newest = (others[-number:] for number in range(1, len(others)))
    for some in (others, new, *newest):
        if some and _sum_nanos(state, [*told, *some]) == gap_nanos:
            return [*told, *some]
    return []


def _is_told(state: State, order_id: str) -> bool:
    """Whether the activity feed tells all of it, and our book has nothing of that."""
    order = _order(state, order_id)
    at = None if order is None else state.copy.apart.get(order.broker_order_id or "")
    if at is None:
        return False
    return at.theirs_nanos - at.ours_nanos == state.foreign.unplaced[order_id].quantity_nanos


def _sum_nanos(state: State, order_ids: list[str]) -> int:
    return sum(_signed_nanos(state, order_id) for order_id in order_ids)


def _agreed(state: State, waiting: list[str], unread: tuple[str, ...]) -> None:
    for order_id in waiting:
        if UNNAMED in unread or _symbol_of(state, order_id) in unread:
            continue
        at = state.foreign.unplaced[order_id]
        at.agreed += 1
        if at.agreed >= AGREED_TWICE:
            del state.foreign.unplaced[order_id]


def _order(state: State, order_id: str) -> Order | None:
    ended = state.foreign.unplaced[order_id].ended
    return ended or state.book.orders.get(order_id)


def _symbol_of(state: State, order_id: str) -> str:
    order = _order(state, order_id)
    return "" if order is None else order.symbol


def _signed_nanos(state: State, order_id: str) -> int:
    order, nanos = _order(state, order_id), state.foreign.unplaced[order_id].quantity_nanos
    if order is None:
        return 0
    return nanos if order.side is Side.BUY else -nanos


def _book(turn: Turn, order_id: str) -> None:
    """Book what an order had filled when it was first seen."""
    state, book = turn.state, turn.state.book
    order = _order(state, order_id)
    at = state.foreign.unplaced.pop(order_id)
    if order is None:
        return
    text = f"{order.symbol}: {order.side.value} {text_from_nanos(at.quantity_nanos)} that foreign"
    text = f"{text} order {order.wire_id} had filled unseen is booked: the broker holds it"
    turn.alert(Severity.INFO, Reason.FOREIGN_ORDER, text)
    if at.ended is not None:
        status, order.status = order.status, OrderStatus.WORKING
        book.add(order)
        take_fill(turn, order, at.quantity_nanos, at.attos, rounded=True)
        if not order.closed():
            book.close(order, status)
            publish(turn, order, status.value)
        return
    works = order.order_id in book.working
    filled_nanos = order.filled_quantity_nanos
    if works:
        book.count(order, -1)
    order.filled_quantity_nanos -= at.quantity_nanos
    order.filled_attos -= at.attos
    if works:
        book.count(order, 1)
    take_fill(turn, order, filled_nanos, at.attos, rounded=True)


# --- policy ---------------------------------------------------------------------------------------


def follow_policy(turn: Turn) -> None:
    """A policy came into force: one that cancels foreign orders cancels what was adopted, too. Any
    other keeps it until it ends: it works, and its fills would be nobody's.
    """
    if turn.policy.reconciliation.foreign_orders != "cancel":
        return
    for order in turn.state.book.working_orders():
        if is_foreign_order_id(order.order_id) and not order.cancel_wanted:
            cancel(turn, order)
