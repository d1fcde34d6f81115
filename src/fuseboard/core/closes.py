"""What a plan closes, a close's size and price, and what a plan says at its end."""

from typing import Final

from fuseboard.core.book import Order
from fuseboard.core.legs import Leg, Plan, began_boot_ns
from fuseboard.core.liquidity.asked import tier_now
from fuseboard.core.outgoing import cancel
from fuseboard.core.state import State, Turn
from fuseboard.vocabulary import closes
from fuseboard.vocabulary.closes import close_time_in_force
from fuseboard.vocabulary.evidence_effects import PublishPlan, RecordPlan
from fuseboard.vocabulary.identifiers import wire_id
from fuseboard.vocabulary.inputs import UNNAMED
from fuseboard.vocabulary.liquidity import Tier
from fuseboard.vocabulary.money import NANOS, text_from_nanos
from fuseboard.vocabulary.orders import Intent, OrderType, Severity, Side

ONGOING_STAGES: Final = ("cancelling", "closing")
UNREAD: Final = "unreadable position"
"""The source of discrepancies that are positions which cannot be read."""
LEFT_SAID_MAX: Final = 10
"""How many leftovers a page names; chat services refuse a message of some thousand characters."""
DONE_STAGES: Final = ("flat", "left")
UNCONFIRMED_NS_MAX: Final = 60 * NANOS
"""How long a plan waits for its cancels to be confirmed before it ends without them."""


def ongoing(state: State, trip: str) -> bool:
    """Whether a trip's plan is still at work."""
    plan = state.plans.get(trip)
    return plan is not None and plan.stage in ONGOING_STAGES


def reserves(state: State, symbol: str) -> bool:
    """Whether a plan is closing this symbol, or will when what it cancels is final.

    An order that was let in while it cancels would rest against the position and keep it open.
    """
    for plan in state.plans.values():
        if plan.stage == "cancelling":
            if symbol in symbols_of(state, plan):
                return True
        elif plan.stage == "closing":
            leg = plan.legs.get(symbol)
            if leg is not None and leg.stage not in DONE_STAGES:
                return True
    return False


def strategy_of(plan: Plan) -> str:
    """The strategy whose positions a plan closes; empty when it closes everybody's."""
    return plan.scope.removeprefix("strategy:") if plan.scope.startswith("strategy:") else ""


def symbols_of(state: State, plan: Plan) -> list[str]:
    """The symbols that are held in a plan's scope now."""
    held = [each for each in state.book.held(strategy=strategy_of(plan)) if each not in plan.kept]
    if plan.scope.startswith("symbol:"):
        return [symbol for symbol in held if symbol == plan.scope.removeprefix("symbol:")]
    return held


def to_close(state: State, plan: Plan) -> list[str]:
    """The same with those that cannot be read at the broker: whether they are held is not known."""
    symbols = symbols_of(state, plan)
    if plan.stage == "closing":
        unread = unread_symbols(state)
        named = [each for each in unread if each != UNNAMED and each not in symbols]
        symbols += [
            each
            for each in named
            if each not in plan.kept and closes_symbol(state, plan.scope, each)
        ]
    return symbols


def closes_symbol(state: State, scope: str, symbol: str) -> bool:
    """Whether a plan of this scope closes what the broker holds of a symbol."""
    if scope.startswith("strategy:"):
        name = scope.removeprefix("strategy:")
        return state.book.strategy(name).position(symbol).quantity_nanos != 0
    return not scope.startswith("symbol:") or symbol == scope.removeprefix("symbol:")


def own_is_flat(state: State, plan: Plan, symbol: str) -> bool:
    """Whether a strategy's plan has nothing left, though others may hold the symbol."""
    strategy = strategy_of(plan)
    return bool(strategy) and state.book.strategy(strategy).position(symbol).quantity_nanos == 0


def unseen_nanos(state: State, symbol: str, side: Side) -> int:
    """What works against a position and may be unknown to the broker when it was asked."""
    return sum(
        order.remaining_nanos()
        for order in state.book.working_orders(symbol=symbol)
        if order.side is side and order.broker_order_id is None
    )


def close_order(
    turn: Turn, plan: Plan, leg: Leg, *, ids: tuple[str, str], side: Side, quantity_nanos: int
) -> Order:
    """The close of this attempt; `ids` are the client's order id and ours."""
    client_order_id, order_id = ids
    price_nanos = close_price_nanos(turn, leg, side)
    at_once = price_nanos is not None and not leg.rests and not leg.rests_only
    return Order(
        order_id=order_id,
        wire_id=wire_id(instance=turn.state.instance, order_id=order_id),
        client_order_id=client_order_id,
        strategy=strategy_of(plan),
        symbol=leg.symbol,
        side=side,
        order_type=OrderType.MARKET if price_nanos is None else OrderType.LIMIT,
        time_in_force=close_time_in_force(leg.symbol, quantity_nanos, at_once=at_once),
        quantity_nanos=quantity_nanos,
        limit_price_nanos=price_nanos,
        stop_price_nanos=None,
        extended_hours=False,
        intent=Intent.PLAN,
        worst_price_nanos=price_nanos or 0,
        created_ns=turn.wall_ns,
        updated_ns=turn.wall_ns,
        trip=plan.trip,
    )


def close_price_nanos(turn: Turn, leg: Leg, side: Side) -> int | None:
    """This attempt's, on the price's own step; None: no price known."""
    instrument = turn.state.instruments.get(leg.symbol)
    if instrument is None:
        return None
    quoted = instrument.bid_nanos if side is Side.SELL else instrument.ask_nanos
    # A trade beside excluded quotes is believed as marks are: one bad print prices nothing.
    start_nanos = instrument.mark_nanos if instrument.excluded else quoted
    start_nanos = start_nanos or quoted or instrument.mark_nanos
    if start_nanos <= 0:
        return None
    return closes.close_price_nanos(
        leg.symbol,
        start_nanos,
        side,
        first_nanos=_first_collar_nanos(turn, leg.symbol),
        most_nanos=turn.policy.execution.close_collar_nanos_max,
        tries=leg.tries,
        rests=leg.rests,
    )


def _first_collar_nanos(turn: Turn, symbol: str) -> int:
    """The policy's own, and where liquidity is measured at least that of the symbol's tier."""
    own_nanos = turn.policy.execution.close_collar_nanos
    at = turn.state.liquidity.get(symbol)
    if turn.liquidity is None or at is None:
        return own_nanos
    return max(own_nanos, turn.liquidity.exit_collars_nanos[tier_now(turn, symbol, at)])


def waits_for_liquidity(turn: Turn, plan: Plan, leg: Leg) -> bool:
    """Whether a leg had better not sell into an empty book yet; it does not wait for ever."""
    at = turn.state.liquidity.get(leg.symbol)
    if turn.liquidity is None or at is None or tier_now(turn, leg.symbol, at) is not Tier.EMERGENCY:
        return False
    wait_ns = turn.liquidity.rules.emergency.exit_wait_ns
    return turn.boot_ns < began_boot_ns(plan, leg) + wait_ns


def left_of(state: State, plan: Plan) -> tuple[str, ...]:
    """What a plan leaves open, in words: positions, and orders that may still fill."""
    without_why = "is being closed" if plan.stage in ONGOING_STAGES else "frozen"
    return (
        tuple(
            f"{leg.symbol} {text_from_nanos(_held_nanos(state, plan, leg))}"
            f" {leg.why or without_why}"
            for leg in plan.legs.values()
            if leg.stage != "flat"
        )
        + _not_begun(state, plan)
        + tuple(
            f"{symbol} {text_from_nanos(_booked_nanos(state, plan, symbol))} {why}"
            for symbol, why in plan.kept.items()
            if _booked_nanos(state, plan, symbol)
        )
        + tuple(f"order {order_id} is not known to be cancelled" for order_id in plan.orders)
        + _unread_of(state, plan)
    )


def _held_nanos(state: State, plan: Plan, leg: Leg) -> int:
    """What a leg leaves: as the broker was last read, where nothing moved since; else our book's,
    which took the broker's positions over when the plan began.
    """
    if leg.left_nanos and leg.moves == state.book.account.position(leg.symbol).moves:
        return leg.left_nanos
    return _booked_nanos(state, plan, leg.symbol)


def _booked_nanos(state: State, plan: Plan, symbol: str) -> int:
    strategy = strategy_of(plan)
    if strategy:
        return state.book.strategy(strategy).position(symbol).quantity_nanos
    return state.book.account.position(symbol).quantity_nanos


def _not_begun(state: State, plan: Plan) -> tuple[str, ...]:
    """What a plan that was frozen before its first close had not come to."""
    if plan.stage != "frozen":
        return ()
    return tuple(
        f"{symbol} {text_from_nanos(_booked_nanos(state, plan, symbol))} frozen"
        for symbol in symbols_of(state, plan)
        if symbol not in plan.legs
    )


def unread_subject(symbol: str) -> str:
    """What a discrepancy is known by that is a position which cannot be read."""
    return f"{UNREAD} {symbol}"


def unread_symbols(state: State) -> list[str]:
    """What the last comparison could not read at the broker."""
    return [
        at.subject.removeprefix(f"{UNREAD} ")
        for at in state.discrepancies.values()
        if at.source == UNREAD
    ]


def _unread_of(state: State, plan: Plan) -> tuple[str, ...]:
    """What a plan could not close, because it cannot be read, and our book does not hold it."""
    return tuple(
        f"{symbol} cannot be read at the broker"
        for symbol in unread_symbols(state)
        if symbol not in plan.legs
        and symbol not in plan.kept
        and (symbol == UNNAMED or closes_symbol(state, plan.scope, symbol))
    )


def work(turn: Turn, leg: Leg, order: Order) -> None:
    """The leg's close is at the broker, or on its way: it has the time of a close."""
    leg.stage, leg.order_id = "working", order.order_id
    leg.deadline_boot_ns = turn.boot_ns + turn.policy.execution.close_wait_ns
    leg.holds_boot_ns = leg.deadline_boot_ns + turn.policy.execution.cancel_wait_ns
    turn.wake(leg.deadline_boot_ns)


def _as_it_stands(turn: Turn, plan: Plan) -> RecordPlan:
    return RecordPlan(
        trip=plan.trip,
        stage=plan.stage,
        symbols=tuple(plan.legs),
        cancelled=plan.cancelled,
        closed=plan.closed,
        errors=plan.errors,
        duration_ns=turn.boot_ns - plan.began_boot_ns,
        left=left_of(turn.state, plan),
    )


def show(turn: Turn) -> None:
    """Fill the views of a gateway that starts: plans at work, frozen ones, and what others left."""
    for plan in turn.state.plans.values():
        turn.out.append(PublishPlan(plan=_as_it_stands(turn, plan)))


def finish(turn: Turn, plan: Plan, stage: str) -> None:
    """A plan ends, or is frozen: say what it did and what is left."""
    plan.stage = stage
    record = _as_it_stands(turn, plan)
    left = record.left
    turn.out.append(record)
    text = f"the liquidation of {plan.trip} is {stage}: "
    named = "; ".join(left[:LEFT_SAID_MAX])
    if len(left) > LEFT_SAID_MAX:
        named += f"; and {len(left) - LEFT_SAID_MAX} more: `fuseboard status` lists all"
    text += f"left open, for a person to close: {named}" if left else "everything is flat"
    severity = Severity.PAGE if left else Severity.WARNING
    turn.alert(severity, plan.reason, text, plan.scope)


def freeze(turn: Turn, scope: str) -> list[str]:
    """A person stops the plans of a scope, their closes too; the trips that were frozen."""
    frozen = [
        plan
        for plan in turn.state.plans.values()
        if plan.stage in ONGOING_STAGES and scope in {"account", plan.scope}
    ]
    for plan in frozen:
        for order in turn.state.book.working_orders():
            if order.trip == plan.trip:
                cancel(turn, order)
        finish(turn, plan, "frozen")
    return [plan.trip for plan in frozen]


def legs_are_done(plan: Plan) -> bool:
    """Whether every leg is flat or left."""
    return all(leg.stage in DONE_STAGES for leg in plan.legs.values())


def next_deadline(state: State) -> int:
    """The earliest time at which a plan wants to be woken; 0 when none does."""
    if not state.reconciled:
        return 0  # `resume` follows
    wanted: list[int] = []
    for plan in state.plans.values():
        waits_for_cancels = plan.stage == "closing" and plan.orders and legs_are_done(plan)
        if plan.stage == "cancelling" or waits_for_cancels:
            wanted.append(plan.deadline_boot_ns)
        if plan.stage == "closing":
            wanted.extend(leg.deadline_boot_ns for leg in plan.legs.values())
    return min((at for at in wanted if at), default=0)
