"""Dynamic limits: while a condition over measures holds, limits are tighter; they never loosen.

They are gauges. A condition that holds, or is unknown (law 1), tightens at once; it lets go when it
has been false for as long as the policy says. With several, the tightest value of each limit wins.
What holds is said once, and so is a condition that becomes unknown.
"""

from typing import Final

from fuseboard.core import nearness
from fuseboard.core.checks.active import Dynamic
from fuseboard.core.gate import put_in_force
from fuseboard.core.measures.values import value_of
from fuseboard.core.state import State, Tightened, Turn
from fuseboard.policy.conditions import Verdict
from fuseboard.policy.keys import KEYS
from fuseboard.policy.limits import Limits
from fuseboard.policy.shown import shown
from fuseboard.vocabulary.effects import PublishDynamicLimits
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Severity
from fuseboard.vocabulary.reasons import Reason

JUDGED_EVERY_NS: Final = NANOS
"""How often conditions are judged though nothing happened: rates fall and values age."""


def judge(turn: Turn, *, by_order: bool) -> None:
    """Something happened: judge the conditions that it may have changed."""
    state = turn.state
    if not state.reconciled:
        return
    changed = False
    for dynamic in turn.dynamics:
        if dynamic.by_orders or not by_order:
            changed = _judged(turn, dynamic) or changed
    if changed:
        put_in_force(turn)
        nearness.follow(turn)
        show(turn)
    if not state.dynamic_boot_ns:
        state.dynamic_boot_ns = turn.boot_ns + JUDGED_EVERY_NS
        turn.wake(state.dynamic_boot_ns)


def judge_when_due(turn: Turn) -> None:
    """Time passed: the step's end judges again."""
    state = turn.state
    if state.dynamic_boot_ns and turn.boot_ns >= state.dynamic_boot_ns:
        state.dynamic_boot_ns = 0


def next_deadline(state: State) -> int:
    """When conditions are to be judged though nothing happens; 0 when never."""
    return state.dynamic_boot_ns


def _judged(turn: Turn, dynamic: Dynamic) -> bool:
    """Judge one; whether it began or ceased to hold."""
    state, rule, condition = turn.state, dynamic.rule, dynamic.condition
    values = [value_of(turn, name, ACCOUNT_SCOPE) for name in condition.names]
    verdict = condition.judge(values)
    known = state.dynamic.get(rule.name)
    if verdict is Verdict.FAILS:
        return known is not None and _lets_go(turn, dynamic, known)
    unknown = verdict is Verdict.UNKNOWN
    began = known is None
    if known is None:
        known = state.dynamic[rule.name] = Tightened()
    if began or (unknown and not known.unknown):
        why = f"{condition.text} cannot be told" if unknown else f"{condition.text} holds"
        limits = [f"{KEYS[Limits][at.field]} {shown(at.field, at.value)}" for at in rule.tighten]
        text = f"dynamic limit {rule.name}: {why}; in force now: {', '.join(limits)}"
        turn.alert(Severity.WARNING, Reason.DYNAMIC_LIMIT, text)
    known.unknown, known.false_since_boot_ns = unknown, None
    return began


def _lets_go(turn: Turn, dynamic: Dynamic, known: Tightened) -> bool:
    """Its condition is false: let go when it has been for long enough."""
    known.unknown = False
    if known.false_since_boot_ns is None:
        known.false_since_boot_ns = turn.boot_ns
    if turn.boot_ns - known.false_since_boot_ns < dynamic.rule.clear_after_ns:
        return False
    del turn.state.dynamic[dynamic.rule.name]
    text = f"dynamic limit {dynamic.rule.name}: it no longer holds, its limits are lifted"
    turn.alert(Severity.INFO, Reason.DYNAMIC_LIMIT, text)
    return True


def show(turn: Turn) -> None:
    """Show which dynamic limits hold."""
    turn.out.append(PublishDynamicLimits(names=tuple(turn.state.dynamic)))
