"""Trips, halts and resets: how scopes tighten, and the only ways they loosen.

Tightening writes the register first (`LatchHalt` overtakes the disk) and raises the halt epoch, so
that no exposure-raising order that was decided before can still leave. Loosening is the other way
round: the reset is durable in the journal before `ClearHalt` reaches the register.
"""

from typing import Final

from fuseboard.core import plan
from fuseboard.core.book import Order
from fuseboard.core.closes import ongoing
from fuseboard.core.fuses.drawdown import DrawdownFuse, counted_within_a_day
from fuseboard.core.fuses.latch import Latch
from fuseboard.core.fuses.machine import FuseEvent, FuseState, Outcome, Transition
from fuseboard.core.outgoing import cancel, read_account
from fuseboard.core.state import State, Turn
from fuseboard.vocabulary.actions import Action
from fuseboard.vocabulary.effects import (
    AnswerOperator,
    ClearHalt,
    LatchHalt,
    PublishPosture,
    RaiseAlert,
    RecordTransition,
)
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE
from fuseboard.vocabulary.inputs import OperatorHaltRequested, OperatorResetRequested
from fuseboard.vocabulary.money import nanos_from_attos, shown_money, shown_percent
from fuseboard.vocabulary.orders import Intent, OrderType, Severity, Side
from fuseboard.vocabulary.postures import HaltLevel, Posture
from fuseboard.vocabulary.reasons import SENTENCES, Reason

LATCHES_MAX: Final = 1_000
_STOPS: Final = (OrderType.STOP, OrderType.STOP_LIMIT)


def apply(
    turn: Turn,
    fuse: DrawdownFuse | Latch,
    event: FuseEvent,
    *,
    operator: str = "",
    reason: str = "",
) -> Transition | None:
    """Move a fuse by the table and leave the evidence; None when the table changes nothing."""
    row = fuse.move(event)
    if isinstance(row, Outcome):
        return None
    numbers = (0, 0, 0, 0)
    if isinstance(fuse, DrawdownFuse):
        numbers = (
            nanos_from_attos(fuse.equity_attos),
            nanos_from_attos(fuse.mark_attos),
            fuse.drawdown_nanos(),
            fuse.rule.limit_nanos,
        )
    turn.out.append(
        RecordTransition(
            fuse=fuse.name,
            scope=fuse.scope,
            before=row.before.value,
            event=row.event.value,
            after=row.after.value,
            generation=fuse.generation,
            operator=operator,
            reason=reason,
            equity_nanos=numbers[0],
            mark_nanos=numbers[1],
            drawdown_nanos=numbers[2],
            limit_nanos=numbers[3],
            policy=turn.state.policy_digest,
        )
    )
    return row


def trip(turn: Turn, fuse: DrawdownFuse, *, why: str = "") -> None:
    """The drawdown fuse trips: latch, cancel, page, and begin its plan. Once per arming.

    `why` is said where the present numbers are not what tripped it.
    """
    assert fuse.watching(), f"{fuse.name} cannot trip in {fuse.state}"
    drawdown, limit = shown_percent(fuse.drawdown_nanos()), shown_percent(fuse.rule.limit_nanos)
    equity = shown_money(nanos_from_attos(fuse.equity_attos))
    mark = shown_money(nanos_from_attos(fuse.mark_attos))
    detail = f"drawdown {drawdown} of {mark} (limit {limit}), equity {equity}"
    detail = f"{why}; now {detail}" if why else detail
    flattens = fuse.rule.action is Action.FLATTEN
    level = HaltLevel.FLATTEN if flattens else HaltLevel.HALT
    _latch_register(turn, fuse.scope, level, Reason.DRAWDOWN, fuse.trip(), detail)
    apply(turn, fuse, FuseEvent.BREACHED, reason=Reason.DRAWDOWN.value)
    fuse.tripped_boot_ns = turn.boot_ns
    fuse.trips_wall_ns = [*counted_within_a_day(fuse.trips_wall_ns, turn.wall_ns), turn.wall_ns]
    if not flattens:
        apply(turn, fuse, FuseEvent.HALT_ASKED, reason=Reason.DRAWDOWN.value)
    if len(fuse.trips_wall_ns) > fuse.rule.trips_a_day_max:
        apply(turn, fuse, FuseEvent.KILL_ASKED, reason=Reason.TRIPS_EXHAUSTED.value)
    publish_postures(turn)
    orders = cancel_scope(turn, fuse.scope, keep_stops=not flattens)
    _page(turn, fuse.scope, Reason.DRAWDOWN, f"{fuse.name} tripped: {detail}")
    turn.wake(turn.boot_ns + fuse.rule.cooldown_ns)
    if flattens:
        plan.begin(turn, trip=fuse.trip(), scope=fuse.scope, orders=orders)


def latch_scope(
    turn: Turn, scope: str, level: HaltLevel, reason: Reason, *, detail: str, operator: str = ""
) -> Latch:
    """Halt or kill a scope by its latch; what works is cancelled, and for `FLATTEN` closed."""
    state = turn.state
    latch = state.latches.get(scope)
    if latch is None and len(state.latches) >= LATCHES_MAX:
        scope = ACCOUNT_SCOPE  # too many scopes: the tighter one serves
        latch = state.latches.get(scope)
    if latch is None:
        latch = state.latches[scope] = Latch(name=f"latch:{scope}", scope=scope)
    _latch_register(turn, scope, level, reason, latch.trip(), detail)
    event = FuseEvent.KILL_ASKED if level is HaltLevel.KILL else FuseEvent.HALT_ASKED
    if not latch.latched() or level is HaltLevel.KILL:
        latch.reason = reason
    apply(turn, latch, event, operator=operator, reason=f"{reason.value}: {detail}")
    publish_postures(turn)
    orders = cancel_scope(turn, scope, keep_stops=level is HaltLevel.HALT)
    _page(turn, scope, reason, f"{scope} {level.name}: {detail}")
    if level is HaltLevel.FLATTEN and latch.trip() in state.plans:
        plan.ask_again(turn, latch.trip(), orders)
    elif level is HaltLevel.FLATTEN:
        plan.begin(turn, trip=latch.trip(), scope=scope, orders=orders)
    return latch


def _latch_register(
    turn: Turn, scope: str, level: HaltLevel, reason: Reason, trip_name: str, detail: str
) -> None:
    turn.state.halt_epoch += 1
    turn.out.append(
        LatchHalt(
            scope=scope,
            level=level,
            reason=reason,
            trip=trip_name,
            halt_epoch=turn.state.halt_epoch,
            detail=detail,
        )
    )


def _page(turn: Turn, scope: str, code: Reason, text: str) -> None:
    turn.out.append(RaiseAlert(severity=Severity.PAGE, code=code, scope=scope, text=text))


def cancel_scope(turn: Turn, scope: str, *, keep_stops: bool) -> list[Order]:
    """Cancel what works in a scope, but for a plan's closes and, on a halt, reducing stops."""
    strategy = scope.removeprefix("strategy:") if scope.startswith("strategy:") else ""
    symbol = scope.removeprefix("symbol:") if scope.startswith("symbol:") else ""
    orders: list[Order] = []
    kept_nanos: dict[tuple[str, str], int] = {}
    for order in turn.state.book.working_orders(strategy=strategy, symbol=symbol):
        if order.intent is Intent.PLAN:
            continue
        if keep_stops and order.order_type in _STOPS and _still_reduces(turn, order, kept_nanos):
            continue
        orders.append(order)
    for order in orders:
        cancel(turn, order)
    return orders


def _still_reduces(turn: Turn, order: Order, kept_nanos: dict[tuple[str, str], int]) -> bool:
    """Whether a stop, with the stops kept so far, is still smaller than what it protects."""
    book = turn.state.book
    held_nanos = book.account.position(order.symbol).quantity_nanos
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


def publish_postures(turn: Turn) -> None:
    """Recompute each scope's posture and what asks for it: the tightest; show what changed."""
    state = turn.state
    asked: dict[str, tuple[Posture, Reason]] = {}

    def ask(scope: str, posture: Posture, reason: Reason) -> None:
        if posture > asked.get(scope, (Posture.OPEN, reason))[0]:
            asked[scope] = (posture, reason)

    for fuse in state.drawdowns.values():
        unconfirmed = fuse.unconfirmed and not fuse.latched()
        ask(
            fuse.scope,
            fuse.posture(),
            Reason.DRAWDOWN_UNCONFIRMED if unconfirmed else Reason.DRAWDOWN,
        )
    for latch in state.latches.values():
        ask(latch.scope, latch.posture(), latch.reason)
    if not state.reconciled:
        ask(ACCOUNT_SCOPE, Posture.HALTED, Reason.NOT_RECONCILED)
    if state.equity_disagreements > 1:
        ask(ACCOUNT_SCOPE, Posture.REDUCE_ONLY, Reason.EQUITY_JUMP)
    if state.ever_reconciled and not state.stream_connected:
        ask(ACCOUNT_SCOPE, Posture.REDUCE_ONLY, Reason.BROKER_UNREACHABLE)
    for scope in [*asked, *(known for known in state.postures if known not in asked)]:
        posture, reason = asked.get(scope, (Posture.OPEN, Reason.ALLOWED))
        shown = state.postures.get(scope, Posture.OPEN)
        if posture is shown and reason is state.halting_reasons.get(scope, reason):
            continue
        if posture is Posture.OPEN:
            del state.postures[scope]
            state.halting_reasons.pop(scope, None)
        else:
            state.postures[scope] = posture
            state.halting_reasons[scope] = reason
        turn.out.append(PublishPosture(scope=scope, posture=posture, reason=reason))


def settle(turn: Turn) -> None:
    """Let fuses whose plan has ended and whose cooldown has elapsed cool down."""
    state = turn.state
    for fuse in state.drawdowns.values():
        if fuse.state is not FuseState.TRIGGERED or ongoing(state, fuse.trip()):
            continue
        due_boot_ns = fuse.tripped_boot_ns + fuse.rule.cooldown_ns
        if turn.boot_ns >= due_boot_ns:
            apply(turn, fuse, FuseEvent.SETTLED)
            publish_postures(turn)
        else:
            turn.wake(due_boot_ns)


def operator_halt_requested(turn: Turn, fact: OperatorHaltRequested) -> None:
    """A person halts, flattens, kills or freezes a scope. Tightening is not refused for a name."""
    if not _is_scope(fact.scope):
        message = f"{fact.scope!r} is no scope: use account, strategy:NAME or symbol:NAME"
        _answer(turn, fact.request, accepted=False, message=message)
        return
    turn.state.halt_epoch = max(turn.state.halt_epoch, fact.register_epoch)
    operator = fact.operator.strip() or "somebody"
    detail = f"{operator}: {fact.reason or 'no reason given'}"
    if fact.level is HaltLevel.FREEZE:
        frozen = plan.freeze(turn, fact.scope)
        settle(turn)
        detail = f"{detail}; frozen plans: {', '.join(frozen) or 'none'}"
    latch_scope(turn, fact.scope, fact.level, Reason.OPERATOR, detail=detail, operator=operator)
    _answer(turn, fact.request, accepted=True, message=f"{fact.scope}: {fact.level.name} accepted")


def _is_scope(scope: str) -> bool:
    kind, colon, name = scope.partition(":")
    return scope == ACCOUNT_SCOPE or (kind in {"strategy", "symbol"} and bool(colon and name))


def operator_reset_requested(turn: Turn, fact: OperatorResetRequested) -> None:
    """A named person, with a reason, loosens every latched fuse of a scope, or is told why not."""
    refusal = _reset_refusal(turn, fact)
    if refusal:
        _answer(turn, fact.request, accepted=False, message=refusal)
        return
    fuses = _fuses_of(turn.state, fact.scope)
    event = FuseEvent.REBASED if fact.rebase else FuseEvent.RESET
    recovering = False
    for fuse in fuses:
        if not fuse.latched() and not fact.rebase:
            continue
        fuse.resets_wall_ns = counted_within_a_day(fuse.resets_wall_ns, turn.wall_ns)
        if fuse.latched():
            fuse.resets_wall_ns.append(turn.wall_ns)
        row = apply(turn, fuse, event, operator=fact.operator, reason=fact.reason)
        if row is None:
            continue
        recovering = recovering or row.after is FuseState.RECOVERY
        if row.after is not FuseState.RECOVERY:
            _arm_again(turn.state, fuse)
    state = turn.state
    if recovering:
        publish_postures(turn)
        read_account(turn, positions=True)
        _answer(turn, fact.request, accepted=True, message="recovery started: comparing the books")
        return
    if fact.scope == ACCOUNT_SCOPE and state.equity_disagreements:
        _accept_cash(turn)
    _clear(turn, fact.scope, operator=fact.operator, reason=fact.reason)
    publish_postures(turn)
    _answer(turn, fact.request, accepted=True, message=f"{fact.scope}: reset by {fact.operator}")
    _trip_again_if_breached(turn, fact.scope)


def _arm_again(state: State, fuse: DrawdownFuse | Latch) -> None:
    """Begin the next arming: from now on another trip has another id."""
    state.plans.pop(fuse.trip(), None)
    fuse.generation += 1


def _accept_cash(turn: Turn) -> None:
    """A person who resets accepts the broker's cash as it was last read; marks stay."""
    state = turn.state
    state.equity_disagreements = 0
    if not state.book.working:
        state.book.account.cash_attos = state.broker_cash_attos


def _clear(turn: Turn, scope: str, *, operator: str, reason: str) -> None:
    """Clear the register for a scope once none of its fuses is latched."""
    if any(fuse.latched() for fuse in _fuses_of(turn.state, scope)):
        return
    turn.state.cleared_epochs[scope] = turn.state.halt_epoch
    turn.out.append(
        ClearHalt(scope=scope, halt_epoch=turn.state.halt_epoch, operator=operator, reason=reason)
    )


def _trip_again_if_breached(turn: Turn, scope: str) -> None:
    """A reset keeps the mark; if it still breaches, the fuse trips again under a new trip id."""
    for fuse in list(turn.state.drawdowns.values()):
        if fuse.scope == scope and fuse.watching() and fuse.breaches():
            trip(turn, fuse)
    settle(turn)


def _fuses_of(state: State, scope: str) -> list[DrawdownFuse | Latch]:
    return [fuse for fuse in state.fuses() if fuse.scope == scope]


def _reset_refusal(turn: Turn, fact: OperatorResetRequested) -> str:
    """Why a reset is refused; empty when it is not."""
    state = turn.state
    if not fact.operator.strip():
        return "a reset needs the operator's name: --operator NAME"
    if not fact.reason.strip():
        return "a reset needs a reason: --reason TEXT"
    if not state.reconciled:
        return SENTENCES[Reason.NOT_RECONCILED] + ": try again when it has"
    fuses = _fuses_of(state, fact.scope)
    if not fuses:
        return f"nothing is known of scope {fact.scope!r}: see `fuseboard status`"
    latched = [fuse for fuse in fuses if fuse.latched()]
    accepts_cash = fact.scope == ACCOUNT_SCOPE and state.equity_disagreements > 1
    if not latched and not fact.rebase and not accepts_cash:
        return f"{fact.scope} is not halted: there is nothing to reset"
    for fuse in latched:
        if fuse.state is FuseState.TRIGGERED:
            return f"{fuse.name} is still TRIGGERED: wait for its plan and its cooldown to end"
        if ongoing(state, fuse.trip()):
            return f"the plan of {fuse.trip()} is still running"
        most = turn.policy.resets.resets_a_day_max
        if isinstance(fuse, DrawdownFuse):
            most = fuse.rule.resets_a_day_max
        recent = counted_within_a_day(fuse.resets_wall_ns, turn.wall_ns)
        if len(recent) >= most:
            apply(
                turn,
                fuse,
                FuseEvent.RESETS_EXHAUSTED,
                operator=fact.operator,
                reason=Reason.RESETS_EXHAUSTED.value,
            )
            publish_postures(turn)
            return f"{fuse.name} was reset {len(recent)} times in 24 hours (limit {most})"
    return ""


def finish_recoveries(turn: Turn, *, passed: bool) -> None:
    """The comparison that a recovery waits for is done: KILLED fuses re-arm, or stay killed."""
    recovered: dict[str, None] = {}
    for fuse in turn.state.fuses():
        if fuse.state is not FuseState.RECOVERY:
            continue
        if passed and not ongoing(turn.state, fuse.trip()):
            apply(turn, fuse, FuseEvent.RECOVERY_PASSED)
            _arm_again(turn.state, fuse)
            recovered[fuse.scope] = None
        else:
            apply(turn, fuse, FuseEvent.RECOVERY_FAILED)
    for scope in recovered:
        _clear(turn, scope, operator="", reason="recovery passed")
    publish_postures(turn)


def _answer(turn: Turn, request: int, *, accepted: bool, message: str) -> None:
    if request:
        turn.out.append(AnswerOperator(request=request, accepted=accepted, message=message))
