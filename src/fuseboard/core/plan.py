"""The liquidation plan: cancel, confirm, close; each close once; never through zero.

Theory of operation. A trip begins one plan, named by the trip's id. First every working order of
the scope but the stops that reduce is cancelled; when each is final, or the policy's wait is over,
each symbol that is held becomes a leg. Its stops go just before its close (`stops`). A leg asks the
broker (`ReadLeg`) for its position, for what already works against it, and for the close's own id.
Only the answer sizes the close: the position less what works against it (law 4). The close's id is
derived from (trip, symbol, attempt), so a restart asks for the same id and finds it instead of
sending it again (law 3). An attempt n + 1 starts only when n is final. A close is a limit order
that may trade a collar beyond the quote; one that is not filled in time is cancelled, and the leg
reads again, for as long as `trying` lets it. The plan ends when every leg is flat, or is left with
the reason why, which pages a person; and not before each order that it cancelled is final, because
that may still fill.

What was read is stale as soon as an order of ours in that symbol moves (`Position.moves`): then the
leg reads again. Orders that the broker may not show yet count against the position, and while a
leg is open nobody else may reduce its symbol (`reserves`): the plan is what exits.

An ended plan stays known until its arming is reset: a fill that comes later opens it again under
the same trip, with the next attempts. A plan's authority is its own (law 14): halts and postures
do not touch it, only `freeze` does. Nothing is read or sent before the books are compared.
"""

from typing import Final

from fuseboard.core import broker_latches, leaving, standing, stops, trying
from fuseboard.core.book import Order
from fuseboard.core.closes import (
    DONE_STAGES,
    ONGOING_STAGES,
    UNCONFIRMED_NS_MAX,
    close_order,
    finish,
    legs_are_done,
    own_is_flat,
    strategy_of,
    symbols_of,
    to_close,
    unread_symbols,
    unseen_nanos,
    waits_for_liquidity,
    work,
)
from fuseboard.core.legs import Leg, Plan
from fuseboard.core.measures.recording import note_error
from fuseboard.core.outgoing import cancel, find, submit
from fuseboard.core.state import Turn
from fuseboard.vocabulary.closes import protective_side
from fuseboard.vocabulary.effects import ReadLeg
from fuseboard.vocabulary.evidence_effects import RecordPlan
from fuseboard.vocabulary.identifiers import close_client_order_id, wire_id
from fuseboard.vocabulary.inputs import LegRead, LegReadFailed, OrderSent
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import TERMINAL_STATUSES, OrderStatus, Side, TimeInForce
from fuseboard.vocabulary.reasons import Reason

READ_AGAIN_NS: Final = NANOS
READS_MAX: Final = 60
"""Reads of one attempt before a leg is left: other orders keep working against the position."""


def begin(
    turn: Turn,
    *,
    trip: str,
    scope: str,
    reason: Reason,
    orders: list[Order],
    kept: dict[str, str] | None = None,
) -> None:
    """Begin a plan whose orders have just been cancelled. `kept`: what it leaves alone, and why."""
    assert trip not in turn.state.plans, f"{trip} already has a plan"
    plan = Plan(
        trip=trip,
        scope=scope,
        stage="cancelling",
        began_boot_ns=turn.boot_ns,
        deadline_boot_ns=turn.boot_ns + turn.policy.execution.cancel_wait_ns,
        orders={order.order_id: None for order in orders},
        kept=kept or {},
        reason=reason,
    )
    turn.state.plans[trip] = plan
    turn.out.append(RecordPlan(trip=trip, stage="cancelling", orders=len(orders)))
    turn.wake(plan.deadline_boot_ns)
    if not plan.orders:
        _close(turn, plan)


def _close(turn: Turn, plan: Plan) -> None:
    """Leave the cancelling stage, once the books are compared: a leg for each symbol held now."""
    if not turn.state.reconciled:
        return
    plan.stage = "closing"
    plan.deadline_boot_ns = turn.boot_ns + UNCONFIRMED_NS_MAX
    symbols, late = tuple(to_close(turn.state, plan)), len(plan.orders)
    turn.out.append(RecordPlan(trip=plan.trip, stage="closing", orders=late, symbols=symbols))
    stops.take_outgrown(turn, plan)
    for symbol in symbols:
        _read(turn, plan, plan.legs.setdefault(symbol, Leg(symbol=symbol)))
    broker_latches.closing(turn, plan)
    _end_if_done(turn, plan)


def _ids(turn: Turn, plan: Plan, leg: Leg) -> tuple[str, str]:
    """The close's client order id and our order id, from (trip, symbol, attempt)."""
    client = close_client_order_id(trip=plan.trip, symbol=leg.symbol, attempt=leg.attempt)
    return client, turn.ids.order_id("", client)


def _read(turn: Turn, plan: Plan, leg: Leg) -> None:
    leg.deadline_boot_ns, leg.waits_for = 0, ""
    if standing.stands(turn, leg):
        standing.stand(turn, leg)
        return
    broker_latches.trade_again(turn)
    leg.stage, leg.asked_boot_ns = "reading", turn.boot_ns
    leg.moves = turn.state.book.account.position(leg.symbol).moves
    _, order_id = _ids(turn, plan, leg)
    turn.out.append(
        ReadLeg(
            trip=plan.trip,
            symbol=leg.symbol,
            attempt=leg.attempt,
            order_id=order_id,
            wire_id=wire_id(instance=turn.state.instance, order_id=order_id),
        )
    )


def leg_read(turn: Turn, fact: LegRead) -> None:
    """The broker answered: the leg is flat, is already being closed, waits, or is closed now."""
    plan = turn.state.plans.get(fact.trip)
    leg = plan.legs.get(fact.symbol) if plan else None
    if plan is None or leg is None or leg.stage != "reading" or leg.attempt != fact.attempt:
        return
    if plan.stage != "closing":
        return
    trying.was_read(leg)
    leg.left_nanos = fact.position_nanos
    account = turn.state.book.account
    if leg.reads > READS_MAX:
        _leave(turn, plan, leg, leg.why or "other orders keep working against it")
    elif fact.found is not None:
        _found(turn, plan, leg, fact)
    elif leg.moves != account.position(leg.symbol).moves:
        _read(turn, plan, leg)  # an order of ours moved since the question: the answer is stale
    elif own_is_flat(turn.state, plan, leg.symbol):
        _flat(turn, plan, leg)
    elif why := leaving.out_of_reach(turn.state, plan, leg, fact.position_nanos):
        _leave(turn, plan, leg, why)
    elif fact.position_nanos == 0:
        _gone(turn, plan, leg)
    elif why := trying.why_over(turn, plan, leg):
        _leave(turn, plan, leg, why)
    else:
        if not turn.state.stands_still(leg.symbol):
            trying.tell_if_late(turn, plan, leg)
        _size_and_send(turn, plan, leg, fact)
    _end_if_done(turn, plan)


def _flat(turn: Turn, plan: Plan, leg: Leg) -> None:
    stops.take(turn, plan, leg.symbol)
    leg.stage, leg.left_nanos, leg.why = "flat", 0, ""
    plan.closed += 1


def _gone(turn: Turn, plan: Plan, leg: Leg) -> None:
    """The broker holds nothing; while our books still do, a report is on its way: look again."""
    if leg.symbol in symbols_of(turn.state, plan):
        leg.why = "our books hold it, the broker does not"
        turn.state.compare_asked |= leg.symbol in unread_symbols(turn.state)
        _wait(turn, leg)
    else:
        _flat(turn, plan, leg)


def _found(turn: Turn, plan: Plan, leg: Leg, fact: LegRead) -> None:
    """This attempt is already at the broker: it is never sent again."""
    assert fact.found is not None, "the caller checked"
    order = turn.state.book.orders.get(fact.found.order_id)
    if order is None and fact.found.status in TERMINAL_STATUSES:
        _next_attempt(turn, plan, leg)  # the guardian went on with this trip while we were dead
    elif order is None:
        _leave(turn, plan, leg, "a close with our id is at the broker but not in our book")
    elif order.closed() or fact.found.status in TERMINAL_STATUSES:
        if not order.closed():
            find(turn, order)
        _count(turn, plan, leg, order, fact.found)
    else:
        work(turn, leg, order)
        find(turn, order)


def _size_and_send(turn: Turn, plan: Plan, leg: Leg, fact: LegRead) -> None:
    if standing.stands(turn, leg):
        standing.stand(turn, leg)
        return
    if leaving.waits_for_market(turn, plan, leg):
        _wait(turn, leg, leaving.look_boot_ns(turn, leg))
        return
    if waits_for_liquidity(turn, plan, leg):
        leg.reads, leg.why = 0, "the book is empty"
        _wait(turn, leg)
        return
    lags = leaving.reading_lags(turn, leg, fact.position_nanos)
    if lags or leaving.waits(turn, plan, leg):
        _wait(turn, leg)
        return
    if stops.take(turn, plan, leg.symbol):
        stops.wait(turn, leg)
        return
    position_nanos = abs(fact.position_nanos)
    side = protective_side(fact.position_nanos)
    hidden_nanos = unseen_nanos(turn.state, leg.symbol, side)
    open_nanos = max(0, position_nanos - fact.against_nanos - hidden_nanos)
    strategy = strategy_of(plan)
    if strategy:
        own = turn.state.book.strategy(strategy).position(leg.symbol)
        open_nanos = min(open_nanos, own.reducible_nanos(side))
    assert 0 <= open_nanos <= position_nanos, "a close may not be larger than the position"
    if open_nanos > 0:
        _send(turn, plan, leg, side=side, open_nanos=open_nanos)
    else:
        _wait(turn, leg)


def trading_resumed(turn: Turn) -> None:
    """Legs that stood still because of an exchange's halt go on where it has resumed."""
    standing.go_on(turn)
    advance(turn)


def _wait(turn: Turn, leg: Leg, until_boot_ns: int = 0) -> None:
    """Read this leg again a little later, or then."""
    leg.stage = "waiting"
    leg.deadline_boot_ns = until_boot_ns or turn.boot_ns + READ_AGAIN_NS
    turn.wake(leg.deadline_boot_ns)


def _send(turn: Turn, plan: Plan, leg: Leg, *, side: Side, open_nanos: int) -> None:
    client_order_id, order_id = _ids(turn, plan, leg)
    known = turn.state.book.orders.get(order_id)
    if known is not None:
        # We decided it before and the broker does not show it: it may still be on its way.
        if known.closed():
            _next_attempt(turn, plan, leg)
        else:
            work(turn, leg, known)
            find(turn, known)
        return
    quantity_nanos = leaving.quantity_nanos(turn, plan, leg, side=side, open_nanos=open_nanos)
    order = close_order(
        turn, plan, leg, ids=(client_order_id, order_id), side=side, quantity_nanos=quantity_nanos
    )
    work(turn, leg, order)
    leg.turns += 1
    leg.sent_boot_ns = turn.boot_ns
    standing.sent(turn, leg)
    submit(turn, order)


def _next_attempt(turn: Turn, plan: Plan, leg: Leg) -> None:
    leg.attempt += 1
    _read(turn, plan, leg)


def _leave(turn: Turn, plan: Plan, leg: Leg, why: str) -> None:
    stops.take(turn, plan, leg.symbol)
    leg.stage, leg.why = "left", why


def leg_read_failed(turn: Turn, fact: LegReadFailed) -> None:
    """The broker could not be read: ask again, for as long as it takes."""
    plan = turn.state.plans.get(fact.trip)
    leg = plan.legs.get(fact.symbol) if plan else None
    if plan is None or leg is None or leg.stage != "reading" or leg.attempt != fact.attempt:
        return
    plan.errors += 1
    note_error(turn)
    trying.not_read(turn, plan, leg, fact.detail)
    _wait(turn, leg)


def order_closed(turn: Turn, order: Order, *, failed: bool) -> None:
    """An order became final: one fewer to cancel, or a close to follow up."""
    for plan in list(turn.state.plans.values()):
        if order.order_id in plan.orders and plan.stage in ONGOING_STAGES:
            del plan.orders[order.order_id]
            plan.cancelled += order.status is OrderStatus.CANCELED
            plan.cancelled += order.status is OrderStatus.NOT_SENT
            if plan.stage == "cancelling" and not plan.orders:
                _close(turn, plan)
        if stops.are_gone(turn, plan, order):
            _read(turn, plan, plan.legs[order.symbol])
        if order.trip == plan.trip and plan.stage == "closing":
            leg = plan.legs.get(order.symbol)  # none: only the guardian closed it
            if leg and leg.order_id == order.order_id and leg.stage == "working":
                plan.errors += failed
                _after_close(turn, plan, leg, order, failed=failed)
        _end_if_done(turn, plan)


def _after_close(turn: Turn, plan: Plan, leg: Leg, order: Order, *, failed: bool) -> None:
    """Look at the broker again under the next attempt's id; after a failure, not at once.

    Only what the broker took or refused counts: without a way to the broker a leg keeps on.
    """
    sent = order.status is not OrderStatus.NOT_SENT
    if sent and not standing.is_told_of(turn, leg):
        _count(turn, plan, leg, order)
    elif failed:
        at_boot_ns = trying.not_sent(turn, plan, leg)
        leg.attempt += 1
        _wait(turn, leg, at_boot_ns)
    else:
        _next_attempt(turn, plan, leg)


def _count(turn: Turn, plan: Plan, leg: Leg, order: Order, found: OrderSent | None = None) -> None:
    """A close is final: the next attempt follows, at once or when it may."""
    seen = order if found is None else found
    at_boot_ns = trying.answered(
        turn,
        plan,
        leg,
        status=seen.status,
        filled_nanos=seen.filled_quantity_nanos,
        taken_back=order.cancel_wanted,
        at_once=order.time_in_force is TimeInForce.IOC,
    )
    leg.attempt += 1
    standing.answered(turn, leg, filled_nanos=seen.filled_quantity_nanos)
    if seen.status is OrderStatus.FILLED and leg.chunk:  # more is left: nothing to ask for yet
        leaving.wait_for_book(leg)
        _wait(turn, leg)
    elif at_boot_ns <= turn.boot_ns:
        _read(turn, plan, leg)
    else:
        _wait(turn, leg, at_boot_ns)


def filled(turn: Turn) -> None:
    """A fill that came after a plan had ended, or after its legs were done, opens it again."""
    for plan in turn.state.plans.values():
        stops.take_outgrown(turn, plan)
        if plan.stage == "ended" and _open_again(turn, plan):
            plan.stage = "closing"
            turn.out.append(RecordPlan(trip=plan.trip, stage="closing", symbols=tuple(plan.legs)))
        _end_if_done(turn, plan)


def ask_again(turn: Turn, trip: str, orders: list[Order]) -> None:
    """A person asks again for what a plan left, or for what was frozen: every leg tries anew."""
    plan = turn.state.plans[trip]
    if plan.stage in ONGOING_STAGES:
        return
    plan.orders.update({order.order_id: None for order in orders})
    plan.told = plan.told_unread = False
    standing.resume(plan)
    for leg in plan.legs.values():
        trying.all_again(turn, leg)
        leg.why = ""
        if leg.stage != "flat":
            leg.stage = "waiting"
            leg.deadline_boot_ns = turn.boot_ns
    if not turn.state.reconciled:  # `resume` goes on with it
        plan.stage = "cancelling"
        turn.out.append(RecordPlan(trip=trip, stage="cancelling", orders=len(plan.orders)))
    _close(turn, plan)
    advance(turn)


def advance(turn: Turn) -> None:
    """Let time do its part: late cancels, closes that did not fill, reads that are due."""
    if not turn.state.reconciled:
        return
    for plan in list(turn.state.plans.values()):
        if plan.stage == "cancelling" and turn.boot_ns >= plan.deadline_boot_ns:
            _close(turn, plan)
        elif plan.stage == "closing":
            for leg in plan.legs.values():
                if leg.deadline_boot_ns and turn.boot_ns >= leg.deadline_boot_ns:
                    _leg_due(turn, plan, leg)
            _end_if_done(turn, plan)


def _leg_due(turn: Turn, plan: Plan, leg: Leg) -> None:
    if leg.stage == "waiting" and standing.still_stands(turn, plan, leg):
        standing.stand(turn, leg)
    elif leg.stage == "waiting" and leaving.still_waits(turn, plan, leg):
        _wait(turn, leg, leaving.look_boot_ns(turn, leg))
    elif leg.stage == "waiting":
        _read(turn, plan, leg)
    elif leg.stage == "working":
        order = turn.state.book.orders.get(leg.order_id)
        assert order is not None, f"{leg.order_id}: a working leg without its order"
        leg.deadline_boot_ns = 0  # from now on the cancel is repeated until the order is final
        if not standing.is_told_of(turn, leg):  # in a halt it rests, and may be filled after
            cancel(turn, order)


def resume(turn: Turn) -> None:
    """After a restart: every leg that is not done asks the broker again, under the same id."""
    broker_latches.ended(turn, again=True)
    for plan in list(turn.state.plans.values()):
        if plan.stage == "cancelling":
            plan.deadline_boot_ns = turn.boot_ns + turn.policy.execution.cancel_wait_ns
            turn.wake(plan.deadline_boot_ns)
            if not plan.orders:
                _close(turn, plan)
        elif plan.stage == "closing":
            plan.deadline_boot_ns = turn.boot_ns + UNCONFIRMED_NS_MAX
            standing.resume(plan)
            for leg in plan.legs.values():
                if leg.stage not in DONE_STAGES:
                    trying.time_again(turn, leg)
                    _read(turn, plan, leg)
            broker_latches.closing(turn, plan, again=True)
            _end_if_done(turn, plan)


def _end_if_done(turn: Turn, plan: Plan) -> None:
    if plan.stage != "closing" or not legs_are_done(plan):
        return
    if _open_again(turn, plan):
        return
    if plan.orders and turn.boot_ns < plan.deadline_boot_ns:
        turn.wake(plan.deadline_boot_ns)
        return
    finish(turn, plan, "ended")
    broker_latches.ended(turn)


def _open_again(turn: Turn, plan: Plan) -> bool:
    """Give each symbol that is held and has no leg, or a flat one, a leg that reads."""
    opened, held = False, symbols_of(turn.state, plan)
    for symbol in to_close(turn.state, plan):
        leg = plan.legs.get(symbol)
        if leg is None:
            leg = plan.legs[symbol] = Leg(symbol=symbol)
        elif leg.stage != "flat" or symbol not in held:
            continue
        else:
            plan.closed -= 1
            trying.all_again(turn, leg)
        _read(turn, plan, leg)
        opened = True
    return opened
