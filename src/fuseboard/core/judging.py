"""Orders are judged: refused when they cannot be, else by the table of checks; then sent or denied.

What a denial leads to beside its answer is here too: a strategy that asks above its rate is killed
(the Knight case), and an order that two people let pass a check is judged again without it.
"""

from typing import Final

from fuseboard.core import dynamic, order_limits, overrides, rates, roster
from fuseboard.core.book import Order
from fuseboard.core.checks.proposal import ALLOWED, Finding, Proposal
from fuseboard.core.checks.quick import worst_if_passed
from fuseboard.core.checks.table import judge
from fuseboard.core.closes import reserves
from fuseboard.core.exposure import intent_of, worst_price_nanos
from fuseboard.core.halting import latch_scope
from fuseboard.core.holdings import reduces_at_broker
from fuseboard.core.liquidity.shaping import note_taken, shaped
from fuseboard.core.liquidity.watching import judge_now
from fuseboard.core.market import Instrument
from fuseboard.core.measures.recording import expected_price_nanos
from fuseboard.core.measures.symbols import order_asked
from fuseboard.core.outgoing import admit, submit
from fuseboard.core.state import INSTRUMENTS_MAX, State, Turn
from fuseboard.core.throttles import likeness
from fuseboard.policy.limits import Limits
from fuseboard.vocabulary.effects import AnswerDenied, AnswerOrder
from fuseboard.vocabulary.identifiers import strategy_scope
from fuseboard.vocabulary.inputs import OrderRequested
from fuseboard.vocabulary.market_effects import WatchSymbol
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Intent, OrderStatus, OrderType, Side
from fuseboard.vocabulary.postures import HaltLevel, Posture
from fuseboard.vocabulary.reasons import SENTENCES, Reason

_NUMBERS_MAX: Final = 10**15 * NANOS
_ALLOWED: Final = Reason.ALLOWED
_LIMIT: Final = OrderType.LIMIT
_STOP: Final = OrderType.STOP
_STOP_LIMIT: Final = OrderType.STOP_LIMIT
_OPEN: Final = Intent.OPEN
_UNTIGHTENED: Final = Posture.OPEN
_SUBMITTING: Final = OrderStatus.SUBMITTING
_UNCOUNTED: Final = (
    Reason.NOT_RECONCILED,
    Reason.POSTURE_REDUCE_ONLY,
    Reason.POSTURE_HALTED,
    Reason.POSTURE_KILLED,
)
"""Denials of orders that are in no rate: the scope is closed to them anyway."""


def order_requested(turn: Turn, fact: OrderRequested) -> None:
    """Judge an order; submit it, deny it, or answer a repeat with the order it already is."""
    state = turn.state
    if turn.gate.counts_messages:
        message_counted(turn, fact.strategy)
    order_id = turn.ids.order_id(fact.strategy, fact.client_order_id)
    known = state.book.orders.get(order_id)
    if known is not None:
        _repeated(turn, fact, known)
        return
    if (state.book.forgotten or state.spent_ids) and is_spent(state, order_id):
        _deny(turn, fact, Finding(Reason.CLIENT_ORDER_ID_REUSED))
        return
    refused = refusal(turn, fact)
    if refused is not _ALLOWED:
        _deny(turn, fact, Finding(refused))
        return
    if fact.strategy not in state.book.strategies:
        admit(turn, fact.strategy)
        roster.follow(turn)  # rules for each strategy are for this one, too
    instrument = state.instruments.get(fact.symbol)
    if instrument is None:
        if len(state.instruments) >= INSTRUMENTS_MAX:
            _deny(turn, fact, Finding(Reason.UNSUPPORTED))
            return
        instrument = state.instruments[fact.symbol] = Instrument()
        turn.out.append(WatchSymbol(symbol=fact.symbol))
    order = order_of(turn, fact, order_id, instrument)
    tiers = turn.liquidity
    at = None if tiers is None else judge_now(turn, tiers, fact.symbol)
    limits, worst_attos, like = turn.active.limits, None, ""
    if order.intent is _OPEN:
        if limits.duplicate_window_ns is not None:
            like = likeness(order)
        worst_attos = worst_if_passed(turn, order, instrument, at, like)
    is_quick = worst_attos is not None
    if worst_attos is None:
        proposal = _by_table(turn, fact, order, instrument)
        if proposal is None:
            return
        limits, worst_attos = proposal.limits, proposal.symbol_worst_attos
    accepted(turn, order, limits, like)
    if not is_quick:  # what passes quickly is below its rates' soft limits, and its tier keeps it
        rates.order_counted(turn, order)
        if tiers is not None:
            worst_attos = shaped(turn, tiers, order, instrument, worst_attos)
        order_limits.passed(turn, order, instrument, limits)
    elif turn.near_order is order:
        order_limits.passed_quickly(turn, order, instrument, limits)
    if turn.watchlist.scores_fills:
        order.expected_price_nanos = expected_price_nanos(order, instrument)
    submit(turn, order, worst_attos)
    if at is not None and order.intent is _OPEN:
        note_taken(turn, order, at, instrument)
    if turn.dynamics and (turn.gate.moved_by_orders or not state.dynamic_boot_ns):
        dynamic.judge(turn, by_order=True)


def _by_table(
    turn: Turn, fact: OrderRequested, order: Order, instrument: Instrument
) -> Proposal | None:
    """Judge an order by the table, and as two people let it pass; None: it was denied."""
    proposal = proposed(turn, order, instrument)
    finding, ran = judge(proposal)
    if finding is not ALLOWED and turn.state.overrides:
        finding, ran = overrides.judged_again(turn, proposal)
    if finding is ALLOWED:
        return proposal
    _deny(turn, fact, finding, ran)
    denial_counted(turn, proposal, finding)
    return None


def is_spent(state: State, order_id: str) -> bool:
    """Whether the broker may have had an order of this id that our book does not know."""
    return order_id in state.book.forgotten or order_id in state.spent_ids


def message_counted(turn: Turn, strategy: str) -> None:
    """Count a message of a strategy: an order, a replacement or a cancel."""
    ring, active, boot_ns = turn.state.throttles.messages, turn.active, turn.boot_ns
    ring.count(turn.gate.lengths.messages, boot_ns)
    near, times = active.bounds.message_times_near, ring.times_boot_ns
    if len(times) >= near and ring.full(near, active.limits.messages_window_ns, boot_ns):
        rates.message_counted(turn, strategy)


def refusal(turn: Turn, fact: OrderRequested) -> Reason:
    """What cannot be judged at all; the gateway refuses these too, the kernel trusts nobody."""
    strategies = turn.gate.strategies
    unnamed = bool(strategies) and fact.strategy not in strategies
    if unnamed and fact.strategy not in turn.state.book.strategies:
        return Reason.STRATEGY_UNKNOWN
    limit_nanos, stop_nanos, kind = fact.limit_price_nanos, fact.stop_price_nanos, fact.order_type
    limited = kind is _LIMIT or kind is _STOP_LIMIT
    stopped = kind is _STOP or kind is _STOP_LIMIT
    if limited is (limit_nanos is None) or stopped is (stop_nanos is None):
        return Reason.MALFORMED
    if (
        0 < fact.quantity_nanos < _NUMBERS_MAX
        and (limit_nanos is None or 0 < limit_nanos < _NUMBERS_MAX)
        and (stop_nanos is None or 0 < stop_nanos < _NUMBERS_MAX)
    ):
        # A strategy that a policy no longer names may still close what it holds.
        if fact.closes_only and intent_now(turn.state, fact) is _OPEN:
            return Reason.NOT_A_REDUCTION
        trapped = unnamed and intent_now(turn.state, fact) is _OPEN
        return Reason.STRATEGY_UNKNOWN if trapped else _ALLOWED
    return Reason.MALFORMED


def order_of(turn: Turn, fact: OrderRequested, order_id: str, instrument: Instrument) -> Order:
    """The order that a request asks for."""
    return Order(  # by position, as in its declaration: names cost a tenth of the gate
        order_id,
        turn.ids.wire_prefix + order_id,
        fact.client_order_id,
        fact.strategy,
        fact.symbol,
        fact.side,
        fact.order_type,
        fact.time_in_force,
        fact.quantity_nanos,
        fact.limit_price_nanos,
        fact.stop_price_nanos,
        fact.extended_hours,
        intent_now(turn.state, fact),
        worst_price_nanos(fact, instrument),
        turn.wall_ns,
        turn.wall_ns,
        _SUBMITTING,
        None,
        0,
        0,
        fact.request,
    )


def intent_now(state: State, fact: OrderRequested) -> Intent:
    """What the order is for; while a plan closes the symbol, nothing is left to reduce."""
    if state.plans and reserves(state, fact.symbol):
        return _OPEN
    intent = intent_of(state.book, fact.strategy, fact)
    if state.positions_apart and intent is not _OPEN and fact.symbol in state.positions_apart:
        sells, quantity_nanos = fact.side is Side.SELL, fact.quantity_nanos
        if not reduces_at_broker(state, fact.symbol, sells=sells, quantity_nanos=quantity_nanos):
            return _OPEN
    return intent


def proposed(turn: Turn, order: Order, instrument: Instrument) -> Proposal:
    """An order with the numbers that checks read."""
    state = turn.state
    posture, halting_reason = _UNTIGHTENED, _ALLOWED
    if state.postures:
        posture, halting_reason = turn.posture(order.strategy, order.symbol)
    active = turn.active if posture is _UNTIGHTENED else turn.reduced_active
    account = state.book.account
    position = account.positions.get(order.symbol) or account.position(order.symbol)
    quantity_nanos, price_nanos = order.quantity_nanos, order.worst_price_nanos
    value_attos = quantity_nanos * price_nanos
    worst_attos = position.worst_with_attos(order.side, quantity_nanos, price_nanos, value_attos)
    throttles = state.throttles
    return Proposal(  # by position, as in its declaration: names cost a tenth of the gate
        order,
        turn,
        active,
        active.limits,
        posture,
        halting_reason,
        instrument,
        position,
        throttles.rates.get(order.strategy) or throttles.rate_of(order.strategy),
        value_attos,
        worst_attos,
        account.worst_attos - position.worst_attos + worst_attos,
        account.cash_attos + account.value_attos,
        likeness(order) if active.limits.duplicate_window_ns is not None else "",
    )


def accepted(turn: Turn, order: Order, limits: Limits, like: str = "") -> None:
    """Count an order that passed in every throttle; `like` is its likeness where it is known."""
    throttles, boot_ns = turn.state.throttles, turn.boot_ns
    throttles.daily_orders += 1
    if order.intent is _OPEN:
        most = turn.gate.lengths.orders
        throttles.rates[order.strategy].count(most, boot_ns)
        if throttles.account is not None:
            throttles.account.count(most, boot_ns)
    if limits.duplicate_window_ns is not None:
        throttles.remember(like or likeness(order), limits.duplicate_window_ns, boot_ns)


def denial_counted(turn: Turn, proposal: Proposal, finding: Finding) -> None:
    """Count what was denied in its rates, and kill a strategy that asks above its own."""
    if proposal.order.intent is not _OPEN or finding.reason in _UNCOUNTED:
        return
    limits, boot_ns, account = proposal.limits, turn.boot_ns, turn.state.throttles.account
    most, window_ns = limits.order_rate_max, limits.order_rate_window_ns
    too_often = proposal.rate.full(most, window_ns, boot_ns)
    if finding.reason is Reason.ORDER_RATE and too_often:
        if limits.order_rate_kills:
            scope = strategy_scope(proposal.order.strategy)
            detail = f"{finding.observed} orders asked for, at most {finding.limit}"
            latch_scope(turn, scope, HaltLevel.KILL, Reason.ORDER_RATE, detail=detail)
        else:
            rates.order_counted(turn, proposal.order)
        return
    times_max = turn.gate.lengths.orders
    proposal.rate.count(times_max, boot_ns)
    if account is not None and finding.reason is not Reason.ORDER_RATE:
        account.count(times_max, boot_ns)
    if turn.watchlist.rates_of and finding.reason is not Reason.ORDER_RATE:
        order_asked(turn, proposal.order.symbol)
    rates.order_counted(turn, proposal.order)


def _repeated(turn: Turn, fact: OrderRequested, known: Order) -> None:
    asked = known if known.asked is None else known.asked
    same = (
        known.symbol == fact.symbol
        and known.side is fact.side
        and asked.order_type is fact.order_type
        and known.time_in_force is fact.time_in_force
        and asked.quantity_nanos == fact.quantity_nanos
        and asked.limit_price_nanos == fact.limit_price_nanos
        and known.stop_price_nanos == fact.stop_price_nanos
        and known.extended_hours == fact.extended_hours
    )
    if same:
        turn.out.append(AnswerOrder(request=fact.request, order_id=known.order_id, repeated=True))
    else:
        _deny(turn, fact, Finding(Reason.CLIENT_ORDER_ID_REUSED))


def _deny(turn: Turn, fact: OrderRequested, finding: Finding, ran: tuple[str, ...] = ()) -> None:
    turn.out.append(
        AnswerDenied(
            request=fact.request,
            strategy=fact.strategy,
            reason=finding.reason,
            checks=ran,
            observed=finding.observed,
            limit=finding.limit,
            message=finding.message or SENTENCES[finding.reason],
            symbol="" if turn.liquidity is None else fact.symbol,
        )
    )
