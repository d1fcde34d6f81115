"""What people ask for: halts, and resets, the only way a latch loosens.

A reset is durable in the journal before `ClearHalt` reaches the register. The calendar's own
reset, of fuses that the policy names, goes the same way (`reset_by_calendar`).
"""

from shlex import quote
from typing import Final

from fuseboard.core import consent, cooldowns, freezing, recovering, roster, scopes
from fuseboard.core.closes import ongoing
from fuseboard.core.doubts import doubtful
from fuseboard.core.fuses.confirmation import counted_within_a_day
from fuseboard.core.fuses.latch import Latch
from fuseboard.core.fuses.machine import FuseEvent, FuseState
from fuseboard.core.fuses.rule import RuleFuse
from fuseboard.core.halting import Tripping, apply, latch_scope, publish_postures, settle, trip
from fuseboard.core.measures.recording import forget
from fuseboard.core.rearming import accept_difference, arm_again, clear, fuses_of
from fuseboard.core.rebasing import rebased_text
from fuseboard.core.reset_counts import kept, next_reset_wall_ns, resets_a_day_max
from fuseboard.core.state import Turn
from fuseboard.core.trading_halts import halts_scope, let_on_by_person
from fuseboard.vocabulary.actions import ResetRule
from fuseboard.vocabulary.identifiers import (
    ACCOUNT_SCOPE,
    is_tag_scope,
    strategy_scope,
)
from fuseboard.vocabulary.operator_inputs import OperatorHaltRequested, OperatorResetRequested
from fuseboard.vocabulary.postures import HaltLevel
from fuseboard.vocabulary.reasons import SENTENCES, Reason
from fuseboard.vocabulary.wall_time import shown_utc

NOT_COMPARED: Final = "the books are not compared with the broker's since this halt yet"
"""How the refusal begins that only waits for the broker."""
_STOPPED_BY_ITSELF: Final = (
    FuseState.TRIGGERED,
    FuseState.COOLING_DOWN,
    FuseState.REDUCE_ONLY,
    FuseState.HALTED,
)
"""Where the calendar may reset a fuse; TRIGGERED, once it has settled."""


def operator_halt_requested(turn: Turn, fact: OperatorHaltRequested) -> None:
    """A person halts, flattens, kills or freezes a scope. Tightening is not refused for a name:
    not for that of an operator who gives none, nor for a scope that nothing bears, which is said.
    """
    if not scopes.is_scope(fact.scope):
        message = (
            f"{fact.scope!r} is no scope: use account,"
            f" {', '.join(f'{it}:NAME' for it in scopes.SCOPE_KINDS)}"
        )
        turn.answer(fact.request, accepted=False, message=message)
        return
    turn.state.halt_epoch = max(turn.state.halt_epoch, fact.register_epoch)
    note = scopes.unknown(turn, fact.scope)
    operator = fact.operator.strip() or "somebody"
    detail = f"{operator}: {fact.reason or 'no reason given'}"
    if fact.level is HaltLevel.FREEZE:
        scopes_frozen = _scopes_of(turn, fact.scope)
        frozen = [trip for at in scopes_frozen for trip in freezing.froze(turn, at, operator)]
        settle(turn)
        detail = f"{detail}; frozen plans: {', '.join(frozen) or 'none'}"
    whom = ""
    if is_tag_scope(fact.scope):
        whom = _halt_tag(turn, fact, detail, operator)
    else:
        latch_scope(turn, fact.scope, fact.level, fact.code, detail=detail, operator=operator)
    message = f"{fact.scope}: {fact.level.name} accepted{whom}"
    turn.answer(fact.request, accepted=True, message=message, note=note)


def _scopes_of(turn: Turn, scope: str) -> list[str]:
    """The scope, and for a tag those of the strategies that have it."""
    members = [strategy_scope(name) for name, tags in turn.gate.tags.items() if scope in tags]
    return [scope, *members]


def _halt_tag(turn: Turn, fact: OperatorHaltRequested, detail: str, operator: str) -> str:
    """Halt a tag: its latch holds for strategies that get the tag later too. Who has it, in words.

    Closing and killing are each strategy's own, with a latch and a reset of its own.
    """
    members = [name for name, tags in turn.gate.tags.items() if fact.scope in tags]
    if fact.level in (HaltLevel.FLATTEN, HaltLevel.KILL):
        for name in members:
            scope = strategy_scope(name)
            latch_scope(turn, scope, fact.level, fact.code, detail=detail, operator=operator)
    level = HaltLevel.HALT if fact.level is HaltLevel.FLATTEN else fact.level
    latch_scope(turn, fact.scope, level, fact.code, detail=detail, operator=operator)
    return f" for {', '.join(members) or 'no strategy of the present policy'}"


def operator_reset_requested(turn: Turn, fact: OperatorResetRequested) -> None:
    """A named person, with a reason, loosens every latched fuse of a scope, or is told why not;
    a halt on top of a fuse that stays REDUCE_ONLY is lifted alone.
    """
    staying = {} if fact.rebase else kept(turn, fact.scope)
    refusal = _reset_refusal(turn, fact, staying)
    if refusal:
        turn.answer(fact.request, accepted=False, message=refusal)
        return
    fuses = [fuse for fuse in fuses_of(turn.state, fact.scope) if fuse.name not in staying]
    is_kill = any(fuse.state is FuseState.KILLED for fuse in fuses)
    agreement = consent.agreed(turn, fact, is_kill=is_kill)
    if agreement is None:
        return
    operator, reason = agreement
    let_on_by_person(turn, fact.scope, operator, reason)
    event = FuseEvent.REBASED if fact.rebase else FuseEvent.RESET
    message = f"{fact.scope}: reset by {operator}{_stays(staying)}"
    if fact.rebase:
        halted = "reset and rebased" if any(fuse.latched() for fuse in fuses) else "rebased"
        idle = ", nothing was halted" if halted == "rebased" else ""
        message = f"{fact.scope}: {halted} by {operator}{idle}: {rebased_text(fuses)}"
    is_recovery = False
    for fuse in fuses:
        if not fuse.latched() and not fact.rebase:
            continue
        fuse.resets_boot_ns = counted_within_a_day(fuse.resets_boot_ns, turn.boot_ns)
        if fuse.latched():
            fuse.resets_boot_ns.append(turn.boot_ns)
        row = apply(turn, fuse, event, operator=operator, reason=reason)
        if row is None:
            continue
        if fact.rebase and isinstance(fuse, RuleFuse):
            forget(turn, fuse)
        is_recovery = is_recovery or row.after is FuseState.RECOVERY
        if row.after is not FuseState.RECOVERY:
            arm_again(turn.state, fuse)
    if is_recovery:
        recovering.begin(turn, fact.scope, operator=operator, reason=reason)
        message = f"{fact.scope}: {recovering.STARTED} by {operator}: comparing the books"
        turn.answer(fact.request, accepted=True, message=message)
        return
    if fact.scope == ACCOUNT_SCOPE:
        accept_difference(turn, operator=operator, reason=reason)
    clear(turn, fact.scope, operator=operator, reason=reason)
    roster.retire(turn)
    publish_postures(turn)
    turn.answer(fact.request, accepted=True, message=message)
    _trip_again_if_breached(turn, fact.scope)


def _trip_again_if_breached(turn: Turn, scope: str) -> None:
    """A reset keeps the mark; if it still breaches, the fuse trips again under a new trip id."""
    for fuse in list(turn.state.drawdowns.values()):
        if fuse.scope == scope and fuse.watching() and fuse.breaches() and not doubtful(turn, fuse):
            trip(turn, fuse)
    settle(turn)


def _stays(staying: dict[str, int]) -> str:
    """What a reset left latched, and until when; empty where that is nothing."""
    return "".join(
        f"; {name} stays, only reductions and stops pass: reset again from {shown_utc(due_wall_ns)}"
        for name, due_wall_ns in staying.items()
    )


def _reset_refusal(turn: Turn, fact: OperatorResetRequested, staying: dict[str, int]) -> str:
    """Why a reset that leaves what stays is refused; empty when it is not."""
    state = turn.state
    if not fact.operator.strip():
        return "a reset needs the operator's name: --operator NAME"
    if not fact.reason.strip():
        return "a reset needs a reason: --reason TEXT"
    if fact.halt_file and fact.scope == ACCOUNT_SCOPE:
        remove = f"rm {quote(fact.halt_file)}"
        return f"the file {fact.halt_file} halts the account: `{remove}`, then reset again"
    later = state.last_halts.get(fact.scope)
    if fact.seen_epoch is not None and later is not None and later.halt_epoch > fact.seen_epoch:
        return (
            f"{fact.scope} was halted after you looked (halt {later.halt_epoch}, you saw"
            f" {fact.seen_epoch}): {later.detail}: see `fuseboard status`, then reset again"
        )
    if not state.reconciled or state.lost_since_wall_ns:
        return SENTENCES[Reason.NOT_RECONCILED] + ": try again when it has"
    fuses = fuses_of(state, fact.scope)
    if halts_scope(state, fact.scope) and not any(fuse.latched() for fuse in fuses):
        return ""
    if not fuses:
        return f"nothing is known of scope {fact.scope!r}: see `fuseboard status`"
    latched = [fuse for fuse in fuses if fuse.latched()]
    differs = state.equity_disagreements > 1 or bool(state.discrepancies)
    accepts = fact.scope == ACCOUNT_SCOPE and differs
    if not latched and not fact.rebase and not accepts:
        return f"{fact.scope} is not halted: there is nothing to reset"
    for fuse in latched:
        if fuse.name in staying:
            continue
        if fuse.state is FuseState.TRIGGERED:
            left = cooldowns.refusal(turn, fuse)
            return (
                f"{fuse.name} is still TRIGGERED: wait for its plan and its cooldown to end{left}"
            )
        if fuse.state is FuseState.RECOVERY:
            return f"the recovery of {fact.scope} is under way: `fuseboard status` shows it"
        if ongoing(state, fuse.trip()):
            return f"the plan of {fuse.trip()} is still running"
        cooling = cooldowns.refusal(turn, fuse)
        if cooling:
            return cooling
        exhausted = _exhausted(turn, fuse, operator=fact.operator)
        if exhausted:
            return exhausted
    is_older = later is not None and later.halt_epoch > state.compared_epoch
    if is_older and fact.scope == ACCOUNT_SCOPE:
        return f"{NOT_COMPARED}: {_awaited(turn)}"
    return ""


def _awaited(turn: Turn) -> str:
    """What the comparison that a reset needs waits for, and what to do."""
    if not turn.state.stream_connected:
        return "the broker's order stream is lost; reset again once it is back"
    return (
        "the broker was asked and has not answered, or orders are on their way; reset again in a"
        " moment, and where it stays so see whether the broker answers (`fuseboard status`)"
    )


def _exhausted(turn: Turn, fuse: Tripping | Latch, *, operator: str) -> str:
    """A fuse that was reset too often in 24 hours stays HALTED: say so; empty when it was not."""
    next_wall_ns = next_reset_wall_ns(turn, fuse)
    if not next_wall_ns:
        return ""
    reason = Reason.RESETS_EXHAUSTED.value
    apply(turn, fuse, FuseEvent.RESETS_EXHAUSTED, operator=operator, reason=reason)
    publish_postures(turn)
    times = len(counted_within_a_day(fuse.resets_boot_ns, turn.boot_ns))
    return (
        f"{fuse.name} was reset {times} times in 24 hours (limit {resets_a_day_max(turn, fuse)}):"
        f" the next from {shown_utc(next_wall_ns)}, or once a policy with more resets a day is"
        " adopted by name: `fuseboard policy adopt FILE --operator NAME --reason TEXT`"
    )


def resettable(turn: Turn, *, before_wall_ns: int) -> list[Tripping]:
    """The fuses that a later session's open resets: their rule names it, and they tripped before.

    Only what stopped by itself: not what was killed, nor what was reset too often, nor a person's
    latch, nor while a plan runs, nor once the policy that named the calendar is no longer in force.
    """
    stopped = [
        fuse
        for fuse in turn.state.tripping()
        if fuse.rule.reset is ResetRule.NEXT_TRADING_DAY
        and fuse.state in _STOPPED_BY_ITSELF
        and fuse.tripped_wall_ns < before_wall_ns
        and not fuse.exhausted
        and not ongoing(turn.state, fuse.trip())
    ]
    asked = roster.asked_for(turn) if stopped else {}
    return [fuse for fuse in stopped if fuse.name in asked]


def reset_by_calendar(
    turn: Turn, calendar: str, session: str, *, before_wall_ns: int, only: list[str] | None = None
) -> list[str]:
    """A session is open, by calendar and broker's clock: reset the fuses whose rule names this, of
    `only` these names where there are some. The names of those whose cooldown still runs.

    The same way as a person's reset, by the calendar's name.
    """
    state = turn.state
    operator, reason = f"calendar:{calendar}", f"session {session} opened"
    scopes: dict[str, None] = {}
    cooling: list[str] = []
    for fuse in resettable(turn, before_wall_ns=before_wall_ns):
        if only is not None and fuse.name not in only:
            continue
        if cooldowns.left_ns(turn, fuse) or fuse.state is FuseState.TRIGGERED:
            cooling.append(fuse.name)
            continue
        if _exhausted(turn, fuse, operator=operator):
            continue
        fuse.resets_boot_ns = counted_within_a_day(fuse.resets_boot_ns, turn.boot_ns)
        fuse.resets_boot_ns.append(turn.boot_ns)
        apply(turn, fuse, FuseEvent.RESET, operator=operator, reason=reason)
        arm_again(state, fuse)
        scopes[fuse.scope] = None
    for scope in scopes:
        clear(turn, scope, operator=operator, reason=reason)
    if scopes:
        publish_postures(turn)
    for scope in scopes:
        _trip_again_if_breached(turn, scope)
    return cooling


def show_when_cooled(turn: Turn) -> None:
    """Time passed: what was shown as to be reset later may be reset now."""
    if turn.state.next_resets:
        publish_postures(turn)
