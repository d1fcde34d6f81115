"""Replacing orders: cancel, confirm, and only then the new order. No moment knows two of them.

A broker's own replacement has a moment in which nobody knows which of the two orders works, and
in which both may fill. So the kernel makes a replacement of parts whose outcomes it knows:

1. `ReplaceRequested`: the new order is judged by the same table as any other, with the old one
   set aside. Denied: the old one stays as it was. Accepted: the old one is cancelled, and until
   it is final it counts as the larger and the dearer of the two, because either may fill.
2. The old order is final. If it was our cancel that ended it, the new order is judged again, with
   the numbers of that moment, and sent for what the old one has not filled. Else it is rejected.

A waiting replacement is never sent late: a halt, a cancel of either order, a restart, or
`REPLACEMENT_WAIT_NS_MAX` end it. See `docs/adr/0009-replacing-is-cancel-confirm-submit.md`.
"""

from typing import Final

from fuseboard.core import judging, order_limits, orders, rates, waiting
from fuseboard.core.book import Order
from fuseboard.core.checks.proposal import ALLOWED, Finding, Proposal
from fuseboard.core.checks.table import WORST_CASE, judge_but
from fuseboard.core.exposure import worst_price_nanos
from fuseboard.core.liquidity.shaping import note_taken
from fuseboard.core.market import Instrument
from fuseboard.core.measures.recording import expected_price_nanos
from fuseboard.core.outgoing import cancel, publish, submit
from fuseboard.core.state import Turn
from fuseboard.core.succession import Succession
from fuseboard.vocabulary.effects import AnswerCancel, AnswerDenied, AnswerOrder
from fuseboard.vocabulary.inputs import (
    CancelRequested,
    FillReported,
    OrderEnded,
    OrderNotSent,
    OrderRequested,
    OrderSent,
    ReplaceRequested,
)
from fuseboard.vocabulary.money import NANOS, text_from_nanos
from fuseboard.vocabulary.orders import Intent, OrderStatus, OrderType, Severity, Side
from fuseboard.vocabulary.reasons import SENTENCES, Reason

REPLACEMENTS_WAITING_MAX: Final = 1_000
REPLACEMENT_WAIT_NS_MAX: Final = 10 * NANOS
_REPLACEABLE: Final = (OrderStatus.WORKING, OrderStatus.PARTIALLY_FILLED)
_STOPS: Final = (OrderType.STOP, OrderType.STOP_LIMIT)
_COUNTED_SKIPS: Final = ("order_rate", "messages", "daily_orders", "duplicate")
"""What a replacement was counted in when it was accepted: it is not judged by these again."""
_CALMER_SKIPS: Final = (
    "duplicate",
    "restricted_list",
    "permissions",
    "quote",
    "price_collar",
    "price_floor",
    "order_quantity",
    "liquidity",
    "session",
    "self_match",
    "liquidity_tier",
)
"""What cannot be worse in an order that is no larger and no keener than the one it replaces.

Not what counts orders: it is one more order at the broker, and cancelling is always free.
"""
_SMALLER_SKIPS: Final = (
    *_CALMER_SKIPS,
    "order_value",
    *WORST_CASE,
)
"""What cannot be worse in one that is, besides, worth no more."""


# --- the request ---------------------------------------------------------------------------------


def replace_requested(turn: Turn, fact: ReplaceRequested) -> None:
    """Judge a replacement; accept it and cancel the old order, deny it, or answer a repeat."""
    if turn.gate.counts_messages:
        judging.message_counted(turn, fact.strategy)
    book = turn.state.book
    old = book.orders.get(fact.order_id)
    new_id = turn.ids.order_id(fact.strategy, fact.client_order_id)
    known = book.orders.get(new_id)
    if known is not None:
        _repeated(turn, fact, known, old)
        return
    if judging.is_spent(turn.state, new_id):
        _deny(turn, fact, Reason.CLIENT_ORDER_ID_REUSED)
        return
    if old is None or old.strategy != fact.strategy or old.intent is Intent.PLAN:
        _deny(turn, fact, Reason.ORDER_UNKNOWN)
        return
    hindrance = _hindrance(old, fact)
    if hindrance:
        _deny(turn, fact, Reason.ORDER_NOT_REPLACEABLE, message=hindrance)
        return
    new = _proposed(turn, fact, old, new_id)
    refusal = judging.refusal(turn, _as_request(new))
    if refusal is Reason.ALLOWED and len(book.waiting) >= REPLACEMENTS_WAITING_MAX:
        refusal = Reason.WORKING_ORDERS_FULL
    if refusal is not Reason.ALLOWED:
        _deny(turn, fact, refusal)
        return
    book.count(old, -1)
    # It takes the old one's place among the working orders.
    proposal, finding, ran = _judged(turn, new, old, ("working_orders",))
    if finding is ALLOWED:
        _reserve(new, old)
    book.count(old, 1)
    if finding is ALLOWED:
        _accept(turn, fact, old, proposal)
    else:
        _deny(turn, fact, finding.reason, ran, finding)
        judging.denial_counted(turn, proposal, finding)


def _hindrance(old: Order, fact: ReplaceRequested) -> str:
    """Why an order cannot be replaced now, in words; empty when it can."""
    if old.closed():
        return f"it is already {old.status.value}"
    if old.status not in _REPLACEABLE:
        return "the broker has not confirmed it yet: try again when it has"
    if old.succession is not None and old.succession.replaced_by:
        return "it is being replaced: replace the new order once it works"
    if old.cancel_wanted:
        return "it is being cancelled"
    size_nanos = old.quantity_nanos if fact.quantity_nanos is None else fact.quantity_nanos
    if size_nanos <= old.filled_quantity_nanos:
        return f"{text_from_nanos(old.filled_quantity_nanos)} of it are filled already"
    if (
        size_nanos == old.quantity_nanos
        and fact.limit_price_nanos in (None, old.limit_price_nanos)
        and fact.stop_price_nanos in (None, old.stop_price_nanos)
        and fact.time_in_force in (None, old.time_in_force)
    ):
        return "nothing of it would change: name another quantity, price or time in force"
    return ""


def _proposed(turn: Turn, fact: ReplaceRequested, old: Order, new_id: str) -> Order:
    """The new order: what the request names, else what the old one has, less what that filled."""
    total_nanos = old.quantity_nanos if fact.quantity_nanos is None else fact.quantity_nanos
    limit_nanos, stop_nanos = fact.limit_price_nanos, fact.stop_price_nanos
    return Order(
        order_id=new_id,
        wire_id=turn.ids.wire_prefix + new_id,
        client_order_id=fact.client_order_id,
        strategy=fact.strategy,
        symbol=old.symbol,
        side=old.side,
        order_type=old.order_type,
        time_in_force=fact.time_in_force or old.time_in_force,
        quantity_nanos=total_nanos - old.filled_quantity_nanos,
        limit_price_nanos=old.limit_price_nanos if limit_nanos is None else limit_nanos,
        stop_price_nanos=old.stop_price_nanos if stop_nanos is None else stop_nanos,
        extended_hours=old.extended_hours,
        intent=Intent.OPEN,
        worst_price_nanos=0,
        created_ns=turn.wall_ns,
        updated_ns=turn.wall_ns,
        succession=Succession(
            replaces=old.order_id, total_nanos=total_nanos, asked_boot_ns=turn.boot_ns
        ),
    )


def _reserve(new: Order, old: Order) -> None:
    """Let the old order, which is set aside, count for the new one too from now on."""
    succession = old.succession = old.succession or Succession()
    succession.replaced_by = new.order_id
    succession.reserved_nanos = new.quantity_nanos + old.filled_quantity_nanos
    succession.reserved_price_nanos = new.worst_price_nanos


def _accept(turn: Turn, fact: ReplaceRequested, old: Order, proposal: Proposal) -> None:
    state, new = turn.state, proposal.order
    judging.accepted(turn, new, turn.active.limits)
    rates.order_counted(turn, new)
    skips = _cannot_worsen(new, old)
    order_limits.passed(turn, new, proposal.instrument, proposal.limits, skips)
    state.book.wait(new)
    cancel(turn, old)
    publish(turn, new)
    publish(turn, old, "pending_replace")
    turn.out.append(AnswerOrder(request=fact.request, order_id=new.order_id))


def _repeated(turn: Turn, fact: ReplaceRequested, known: Order, old: Order | None) -> None:
    """The client order id is taken: by this very replacement, or by another order."""
    succession = known.succession
    if old is not None and succession is not None and succession.replaces == fact.order_id:
        again = _proposed(turn, fact, old, known.order_id)
        assert again.succession is not None
        same = (
            again.succession.total_nanos == succession.total_nanos
            and again.limit_price_nanos == known.limit_price_nanos
            and again.stop_price_nanos == known.stop_price_nanos
            and again.time_in_force is known.time_in_force
        )
        if same:
            answer = AnswerOrder(request=fact.request, order_id=known.order_id, repeated=True)
            turn.out.append(answer)
            return
    _deny(turn, fact, Reason.CLIENT_ORDER_ID_REUSED)


def _deny(
    turn: Turn,
    fact: ReplaceRequested,
    reason: Reason,
    ran: tuple[str, ...] = (),
    finding: Finding = ALLOWED,
    message: str = "",
) -> None:
    old = None if turn.liquidity is None else turn.state.book.orders.get(fact.order_id)
    turn.out.append(
        AnswerDenied(
            request=fact.request,
            strategy=fact.strategy,
            reason=reason,
            checks=ran,
            observed=finding.observed,
            limit=finding.limit,
            message=message or SENTENCES[reason],
            symbol=old.symbol if old is not None and old.strategy == fact.strategy else "",
        )
    )


# --- judging -------------------------------------------------------------------------------------


def _judged(
    turn: Turn, new: Order, old: Order, skips: tuple[str, ...]
) -> tuple[Proposal, Finding, tuple[str, ...]]:
    """Judge the new order while nothing of the old one counts; sets its intent and worst price.

    While the old order is not final, its worst case is that of the larger and dearer of the two.
    """
    state = turn.state
    new.intent = judging.intent_now(state, _as_request(new))
    instrument = state.instruments.get(new.symbol, Instrument())
    new.worst_price_nanos = _worst_price_nanos(new, old, instrument)
    size_nanos, price_nanos = new.quantity_nanos, new.worst_price_nanos
    if not old.closed():
        size_nanos = max(size_nanos, old.remaining_nanos())
        price_nanos = max(price_nanos, old.worst_price_nanos)
    proposal = judging.proposed(turn, new, instrument)
    position = proposal.position
    proposal.counted_attos = counted_attos = size_nanos * price_nanos
    worst_attos = position.worst_with_attos(new.side, size_nanos, price_nanos, counted_attos)
    proposal.gross_worst_attos += worst_attos - proposal.symbol_worst_attos
    proposal.symbol_worst_attos = worst_attos
    skips = (*skips, *_cannot_worsen(new, old))
    if turn.overhears is not None:
        turn.overhears(proposal, skips)
    return proposal, *judge_but(proposal, skips)


def _as_request(order: Order) -> OrderRequested:
    """The order as if it were asked for by itself, in the size that is left of it."""
    return OrderRequested(
        request=0,
        strategy=order.strategy,
        client_order_id=order.client_order_id,
        symbol=order.symbol,
        side=order.side,
        order_type=order.order_type,
        time_in_force=order.time_in_force,
        quantity_nanos=order.quantity_nanos,
        limit_price_nanos=order.limit_price_nanos,
        stop_price_nanos=order.stop_price_nanos,
        extended_hours=order.extended_hours,
    )


def _worst_price_nanos(new: Order, old: Order, instrument: Instrument) -> int:
    """The price it is judged at; what is calmer than the old order keeps the price of that one."""
    request = _as_request(new)
    if not _is_calmer(new, old):
        return worst_price_nanos(request, instrument)
    own_nanos = worst_price_nanos(request, Instrument())
    if new.side is Side.BUY and new.limit_price_nanos is not None:
        return own_nanos
    return max(own_nanos, old.worst_price_nanos)


def _cannot_worsen(new: Order, old: Order) -> tuple[str, ...]:
    """The checks that a calmer order skips: denying it would leave the bolder one working."""
    if old.intent is not Intent.OPEN or not _is_calmer(new, old):
        return ()
    return _SMALLER_SKIPS if new.worst_price_nanos <= old.worst_price_nanos else _CALMER_SKIPS


def _is_calmer(new: Order, old: Order) -> bool:
    """No larger, no keener, not triggered sooner, and for as long as the old order."""
    if new.quantity_nanos > old.remaining_nanos() or new.time_in_force is not old.time_in_force:
        return False
    sign = 1 if new.side is Side.BUY else -1
    keener_nanos = (new.limit_price_nanos or 0) - (old.limit_price_nanos or 0)
    later_nanos = (new.stop_price_nanos or 0) - (old.stop_price_nanos or 0)
    return sign * keener_nanos <= 0 <= sign * later_nanos


# --- what becomes of the old order ---------------------------------------------------------------


def order_sent(turn: Turn, fact: OrderSent) -> None:
    """The broker's answer, or what was found there; an order may be final by it."""
    orders.order_sent(turn, fact)
    _old_moved(turn, fact.order_id)


def order_not_sent(turn: Turn, fact: OrderNotSent) -> None:
    """The order is not at the broker; nothing takes the place of an order that is lost."""
    orders.order_not_sent(turn, fact)
    _old_moved(turn, fact.order_id)


def fill_reported(turn: Turn, fact: FillReported) -> None:
    """An execution; an order may be final by it, or a late one may take from its successor."""
    orders.fill_reported(turn, fact)
    _old_moved(turn, fact.order_id)


def order_ended(turn: Turn, fact: OrderEnded) -> None:
    """An order is final: what waited for it is sent, or ends too."""
    orders.order_ended(turn, fact)
    _old_moved(turn, fact.order_id)


def cancel_requested(turn: Turn, fact: CancelRequested) -> None:
    """Cancel an order: with an order that is being replaced goes what was to replace it."""
    if turn.gate.counts_messages:
        judging.message_counted(turn, fact.strategy)
    book = turn.state.book
    order = book.orders.get(fact.order_id)
    if order is not None and order.succession is not None and order.strategy == fact.strategy:
        if order.order_id in book.waiting:
            waiting.drop(turn, order, Reason.ANNIHILATED)
            turn.out.append(
                AnswerCancel(request=fact.request, order_id=fact.order_id, reason=Reason.ALLOWED)
            )
            return
        if order.succession.replaced_by in book.waiting:
            waiting.drop(turn, book.orders[order.succession.replaced_by], Reason.ANNIHILATED)
    orders.cancel_requested(turn, fact)


def _old_moved(turn: Turn, order_id: str) -> None:
    book = turn.state.book
    old = book.orders.get(order_id)
    if old is None or old.succession is None:
        return
    new = book.orders.get(old.succession.replaced_by)
    if new is None:
        return
    if new.order_id not in book.waiting:
        _keep_within_total(turn, new, old)
    elif old.closed():
        _succeed(turn, new, old)


def _succeed(turn: Turn, new: Order, old: Order) -> None:
    """The old order is final: send the new one for what is left, if that is still allowed."""
    succession = new.succession
    assert succession is not None, f"{new.order_id} replaces nothing"
    left_nanos = succession.total_nanos - old.filled_quantity_nanos
    if old.status is not OrderStatus.REPLACED or left_nanos <= 0:
        waiting.end(turn, new, OrderStatus.REJECTED, Reason.REPLACED_ENDED)
        return
    if turn.boot_ns - succession.asked_boot_ns > REPLACEMENT_WAIT_NS_MAX:
        waiting.end(turn, new, OrderStatus.CANCELED, Reason.REPLACED_TOO_LATE)
        return
    new.quantity_nanos = left_nanos
    skips: tuple[str, ...] = _COUNTED_SKIPS  # counted when it was accepted
    reduces = judging.intent_now(turn.state, _as_request(new)) is Intent.REDUCE
    if reduces and new.order_type in _STOPS:
        skips = (
            *_COUNTED_SKIPS,
            "posture",
        )  # a halt keeps such stops, and has not dropped this one
    _, finding, ran = _judged(turn, new, old, skips)
    if finding is not ALLOWED:
        waiting.end(
            turn,
            new,
            OrderStatus.REJECTED,
            finding.reason,
            ran,
            finding.observed,
            finding.limit,
        )
        return
    instrument = turn.state.instruments.get(new.symbol)
    if turn.watchlist.scores_fills and instrument is not None:
        new.expected_price_nanos = expected_price_nanos(new, instrument)
    turn.state.book.wait_no_more(new)
    submit(turn, new)
    at = turn.state.liquidity.get(new.symbol)
    if at is not None and instrument is not None and new.intent is Intent.OPEN:
        note_taken(turn, new, at, instrument)
    publish(turn, new)  # its size may have shrunk since it was first shown


def _keep_within_total(turn: Turn, new: Order, old: Order) -> None:
    """A fill of the old order that came late is part of the size too: the new order has to go."""
    assert new.succession is not None, f"{new.order_id} replaces nothing"
    both_nanos = old.filled_quantity_nanos + new.quantity_nanos
    if both_nanos <= new.succession.total_nanos or new.closed() or new.cancel_wanted:
        return
    cancel(turn, new)
    text = f"{old.symbol}: {old.wire_id} filled after it was replaced: {new.wire_id} is cancelled"
    turn.alert(Severity.WARNING, Reason.REPLACED_ENDED, text)
