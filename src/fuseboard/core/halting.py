"""Trips and halts: how scopes tighten. How they loosen is in `core.resets`.

Tightening writes the register first (`LatchHalt` overtakes the disk) and raises the halt epoch, so
that no exposure-raising order that was decided before can still leave.
"""

from typing import Final, TypeAlias

from fuseboard.core import ends, freezing, plan, waiting
from fuseboard.core.book import Order
from fuseboard.core.closes import ongoing
from fuseboard.core.fuses.confirmation import counted_within_a_day
from fuseboard.core.fuses.drawdown import DrawdownFuse
from fuseboard.core.fuses.latch import Latch
from fuseboard.core.fuses.machine import FuseEvent, FuseState, Outcome, Transition
from fuseboard.core.fuses.rule import RuleFuse
from fuseboard.core.gauges import asked_by_gauges
from fuseboard.core.halted import LastHalt
from fuseboard.core.holdings import take_over
from fuseboard.core.outgoing import cancel, read_account
from fuseboard.core.reset_counts import next_resets
from fuseboard.core.state import Turn
from fuseboard.core.stops import protects, reduces, stops_first
from fuseboard.vocabulary.actions import Action
from fuseboard.vocabulary.effects import LatchHalt, PublishPosture, ReadAccount
from fuseboard.vocabulary.evidence_effects import RecordTransition
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE, is_foreign_order_id, is_tag_scope
from fuseboard.vocabulary.money import nanos_from_attos, shown_money, shown_percent
from fuseboard.vocabulary.orders import Intent, Severity
from fuseboard.vocabulary.postures import HaltLevel, Posture
from fuseboard.vocabulary.reasons import Reason

Tripping: TypeAlias = DrawdownFuse | RuleFuse
"""A fuse that numbers trip."""
LATCHES_MAX: Final = 1_000
_LEVELS: Final = {Action.FLATTEN: HaltLevel.FLATTEN, Action.KILL: HaltLevel.KILL}
_DOES: Final = {
    HaltLevel.HALT: "nothing passes but cancels until it is lifted",
    HaltLevel.FLATTEN: "everything is cancelled and closed, once",
    HaltLevel.KILL: "everything is cancelled and strategies are disconnected",
}
_DOES_REDUCE_ONLY: Final = "only reductions and stops pass until it is lifted"


def apply(
    turn: Turn,
    fuse: Tripping | Latch,
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


def trip(turn: Turn, fuse: Tripping, *, why: str = "") -> None:
    """A fuse trips: latch, cancel, page, and begin its plan when it has one. Once per arming.

    `why` is said where the present numbers are not what tripped it.
    """
    assert fuse.watching(), f"{fuse.name} cannot trip in {fuse.state}"
    action = fuse.rule.action
    code = Reason.DRAWDOWN if isinstance(fuse, DrawdownFuse) else Reason.BREAKER
    detail = f"{why}; now {_numbers(fuse)}" if why else _numbers(fuse)
    level = _LEVELS.get(action, HaltLevel.HALT)
    _latch_register(turn, fuse.scope, level, code, fuse.trip(), detail)
    said = code.value if isinstance(fuse, DrawdownFuse) else f"{code.value}: {detail}"
    apply(turn, fuse, FuseEvent.BREACHED, reason=said)
    fuse.tripped_boot_ns, fuse.tripped_wall_ns = turn.boot_ns, turn.wall_ns
    fuse.trips_boot_ns = [*counted_within_a_day(fuse.trips_boot_ns, turn.boot_ns), turn.boot_ns]
    if level is HaltLevel.HALT:
        asks = FuseEvent.REDUCE_ONLY_ASKED if action is Action.REDUCE_ONLY else FuseEvent.HALT_ASKED
        apply(turn, fuse, asks, reason=code.value)
    if level is HaltLevel.KILL:
        apply(turn, fuse, FuseEvent.KILL_ASKED, reason=code.value)
    elif len(fuse.trips_boot_ns) >= fuse.rule.trips_a_day_max:
        apply(turn, fuse, FuseEvent.KILL_ASKED, reason=Reason.TRIPS_EXHAUSTED.value)
    publish_postures(turn)
    lets_exits_pass = fuse.state is FuseState.REDUCE_ONLY
    orders = cancel_scope(turn, fuse.scope, level, spares_exits=lets_exits_pass)
    ends.begun(turn, orders)
    does = _DOES_REDUCE_ONLY if lets_exits_pass else _DOES[level]
    turn.alert(Severity.PAGE, code, f"{fuse.name} tripped: {detail}; {does}", fuse.scope)
    turn.wake(turn.boot_ns + fuse.rule.cooldown_ns)
    if level is HaltLevel.FLATTEN:
        freezing.thaw(turn.state, fuse.scope)
        take_over(turn, fuse.scope)
        plan.begin(turn, trip=fuse.trip(), scope=fuse.scope, reason=code, orders=orders)
    _compare(turn, fuse.scope)


def _numbers(fuse: Tripping) -> str:
    """The numbers that a fuse judges by, in words."""
    if isinstance(fuse, RuleFuse):
        return fuse.said
    drawdown, limit = shown_percent(fuse.drawdown_nanos()), shown_percent(fuse.rule.limit_nanos)
    equity = shown_money(nanos_from_attos(fuse.equity_attos))
    mark = shown_money(nanos_from_attos(fuse.mark_attos))
    return f"drawdown {drawdown} of {mark} USD (limit {limit}), equity {equity} USD"


def latch_scope(
    turn: Turn, scope: str, level: HaltLevel, reason: Reason, *, detail: str, operator: str = ""
) -> Latch:
    """Halt or kill a scope by its latch; what works is cancelled, and for `FLATTEN` closed.

    With `LATCHES_MAX` scopes latched, another one halts or kills the account, and closes nothing.
    """
    state = turn.state
    latch = state.latches.get(scope)
    if latch is None and len(state.latches) >= LATCHES_MAX:
        detail = f"{detail}; {scope} is one scope too many: the account is halted for it"
        scope = ACCOUNT_SCOPE  # the tighter one serves; nobody asked to close or freeze all of it
        level = level if level is HaltLevel.KILL else HaltLevel.HALT
        latch = state.latches.get(scope)
    if latch is None:
        latch = Latch(name=f"latch:{scope}", scope=scope, generation=state.generation_min)
        state.latches[scope] = latch
    _latch_register(turn, scope, level, reason, latch.trip(), detail)
    event = FuseEvent.KILL_ASKED if level is HaltLevel.KILL else FuseEvent.HALT_ASKED
    if not latch.latched() or level is HaltLevel.KILL:
        latch.reason = reason
    apply(turn, latch, event, operator=operator, reason=f"{reason.value}: {detail}")
    publish_postures(turn)
    orders = cancel_scope(turn, scope, level)
    ends.begun(turn, orders)
    turn.alert(Severity.PAGE, reason, f"{scope} {level.name}: {detail}", scope)
    if level is HaltLevel.FLATTEN:
        freezing.thaw(state, scope)
        take_over(turn, scope)
    if level is HaltLevel.FLATTEN and latch.trip() in state.plans:
        plan.ask_again(turn, latch.trip(), orders)
    elif level is HaltLevel.FLATTEN:
        plan.begin(turn, trip=latch.trip(), scope=scope, reason=reason, orders=orders)
    _compare(turn, scope)
    return latch


def _compare(turn: Turn, scope: str) -> None:
    """Have the books compared after a halt; the account's reset is taken on nothing older, so for
    that the broker is asked at once. For another scope's, while the account trades on, with the
    next reading; before the first comparison since the start with the one after it.
    """
    turn.state.compare_asked = True
    if scope != ACCOUNT_SCOPE:
        return
    asked = any(isinstance(effect, ReadAccount) and effect.positions for effect in turn.out)
    if turn.state.reconciled and not asked:
        read_account(turn, positions=True)


def _latch_register(
    turn: Turn, scope: str, level: HaltLevel, reason: Reason, trip_name: str, detail: str
) -> None:
    turn.state.halt_epoch += 1
    turn.state.last_halts[scope] = LastHalt(turn.state.halt_epoch, detail)
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


def cancel_scope(
    turn: Turn,
    scope: str,
    level: HaltLevel,
    *,
    again: bool = True,
    spares_exits: bool = False,
    spares_foreign: bool = False,
) -> list[Order]:
    """Cancel what works in a scope, but for a plan's closes and, unless killed, reducing stops;
    `again`: also what is being cancelled already; `spares_exits`: not what else reduces either, as
    far as the stops leave something to reduce.

    Replacements that wait are dropped by the same rule: of an order and its replacement, only the
    latter can be kept, because the former is being cancelled already. Not in a flatten: whose plan
    has begun admits no order.
    """
    strategy = scope.removeprefix("strategy:") if scope.startswith("strategy:") else ""
    symbol = scope.removeprefix("symbol:") if scope.startswith("symbol:") else ""
    orders: list[Order] = []
    kept_nanos: dict[tuple[str, str], int] = {}
    book, tags = turn.state.book, turn.gate.tags if is_tag_scope(scope) else None
    spared = reduces if spares_exits else protects
    working = book.working_orders(strategy=strategy, symbol=symbol)
    waiting_orders = book.waiting_orders(strategy=strategy, symbol=symbol)
    if spares_exits:
        working, waiting_orders = stops_first(working), stops_first(waiting_orders)
    for order in working:
        if order.intent is Intent.PLAN or _is_spared(tags, scope, order):
            continue
        if order.cancel_wanted and not again:
            continue
        if spares_foreign and is_foreign_order_id(order.order_id):
            continue
        keeps = level is not HaltLevel.KILL
        if keeps and not order.cancel_wanted and spared(book, order, kept_nanos):
            continue
        orders.append(order)
    for order in orders:
        cancel(turn, order)
    for order in waiting_orders:
        if _is_spared(tags, scope, order):
            continue
        keeps = level is HaltLevel.HALT or level is HaltLevel.FREEZE
        if not (keeps and spared(book, order, kept_nanos)):
            waiting.drop(turn, order, Reason.ANNIHILATED)
    return orders


def _is_spared(tags: dict[str, tuple[str, ...]] | None, scope: str, order: Order) -> bool:
    """Whether the scope is a tag's, and the order of a strategy that does not have it."""
    return tags is not None and scope not in tags.get(order.strategy, ())


def publish_postures(turn: Turn) -> None:
    """Recompute each scope's posture and what asks for it: the tightest; show what changed."""
    state = turn.state
    asked: dict[str, tuple[Posture, Reason]] = {}

    def ask(scope: str, posture: Posture, reason: Reason) -> None:
        if posture > asked.get(scope, (Posture.OPEN, reason))[0]:
            asked[scope] = (posture, reason)

    for fuse in state.tripping():
        unconfirmed = fuse.breach.unconfirmed and not fuse.latched()
        reason = Reason.DRAWDOWN
        if isinstance(fuse, RuleFuse):
            doubtful = fuse.unknown and not fuse.latched()
            reason = Reason.BREAKER_UNKNOWN if doubtful else Reason.BREAKER
        ask(fuse.scope, fuse.posture(), Reason.DRAWDOWN_UNCONFIRMED if unconfirmed else reason)
    for latch in state.latches.values():
        ask(latch.scope, latch.posture(), latch.reason)
    if state.draining:
        ask(ACCOUNT_SCOPE, Posture.HALTED, Reason.DRAINING)
    if not state.reconciled:
        ask(ACCOUNT_SCOPE, Posture.HALTED, Reason.NOT_RECONCILED)
    if state.equity_disagreements > 1:
        ask(ACCOUNT_SCOPE, Posture.REDUCE_ONLY, Reason.EQUITY_JUMP)
    if state.ever_reconciled and not state.stream_connected:
        ask(ACCOUNT_SCOPE, Posture.REDUCE_ONLY, Reason.BROKER_UNREACHABLE)
    for scope, posture, reason in asked_by_gauges(turn):
        ask(scope, posture, reason)
    told, state.next_resets = state.next_resets, next_resets(turn)
    for scope in [*asked, *(known for known in state.postures if known not in asked)]:
        posture, reason = asked.get(scope, (Posture.OPEN, Reason.ALLOWED))
        shown = state.postures.get(scope, Posture.OPEN)
        due_wall_ns = state.next_resets.get(scope, 0)
        is_known = posture is shown and reason is state.halting_reasons.get(scope, reason)
        if is_known and due_wall_ns == told.get(scope, 0):
            continue
        if posture is Posture.OPEN:
            del state.postures[scope]
            state.halting_reasons.pop(scope, None)
        else:
            state.postures[scope] = posture
            state.halting_reasons[scope] = reason
        turn.out.append(
            PublishPosture(
                scope=scope, posture=posture, reason=reason, next_reset_wall_ns=due_wall_ns
            )
        )


def settle(turn: Turn) -> None:
    """Let fuses whose plan has ended and whose cooldown has elapsed cool down."""
    state = turn.state
    for fuse in state.tripping():
        if fuse.state is not FuseState.TRIGGERED or ongoing(state, fuse.trip()):
            continue
        due_boot_ns = fuse.tripped_boot_ns + fuse.rule.cooldown_ns
        if turn.boot_ns >= due_boot_ns:
            apply(turn, fuse, FuseEvent.SETTLED)
            state.compare_asked = True
            publish_postures(turn)
        else:
            turn.wake(due_boot_ns)
