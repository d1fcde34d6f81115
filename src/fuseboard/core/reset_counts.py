"""How often a day a fuse may be reset, when the next reset may be, and what one leaves latched."""

from fuseboard.core import cooldowns
from fuseboard.core.fuses.confirmation import DAY_NS, counted_within_a_day
from fuseboard.core.fuses.drawdown import DrawdownFuse
from fuseboard.core.fuses.latch import Latch
from fuseboard.core.fuses.machine import FuseState
from fuseboard.core.fuses.rule import RuleFuse
from fuseboard.core.state import Turn
from fuseboard.vocabulary.money import NANOS


def resets_a_day_max(turn: Turn, fuse: DrawdownFuse | RuleFuse | Latch) -> int:
    """The policy's limit for this fuse."""
    if isinstance(fuse, Latch):
        return turn.policy.resets.resets_a_day_max
    return fuse.rule.resets_a_day_max


def next_reset_wall_ns(turn: Turn, fuse: DrawdownFuse | RuleFuse | Latch) -> int:
    """When fewer resets than the limit lie within 24 hours again, in whole seconds; 0: now.

    Counted in boot time, and told as what the wall clock shows then if nobody sets it. Where the
    limit is none at all, a day from now.
    """
    most = resets_a_day_max(turn, fuse)
    recent = counted_within_a_day(fuse.resets_boot_ns, turn.boot_ns)
    if len(recent) < most:
        return 0
    leaves_last_boot_ns = [*recent, turn.boot_ns][len(recent) - most]
    due_wall_ns = turn.wall_ns + leaves_last_boot_ns + DAY_NS - turn.boot_ns
    return -(-due_wall_ns // NANOS) * NANOS


def next_resets(turn: Turn) -> dict[str, int]:
    """By scope, when what is latched there may be reset at the earliest; only what may not now."""
    found: dict[str, int] = {}
    for fuse in turn.state.fuses():
        if fuse.latched():
            due_wall_ns = max(next_reset_wall_ns(turn, fuse), cooldowns.due_wall_ns(turn, fuse))
            if due_wall_ns > found.get(fuse.scope, 0):
                found[fuse.scope] = due_wall_ns
    return found


def kept(turn: Turn, scope: str) -> dict[str, int]:
    """The fuses that a reset of the scope leaves REDUCE_ONLY, each with when it may be reset, in
    whole seconds; empty where a reset lifts all or nothing.

    A halt on top of a fuse that still cools down, or was reset too often, would trap exits for as
    long (law 13). Only a plain halt is lifted from it: no plan, no freeze, no kill, whose level
    the register keeps until all of the scope is cleared.
    """
    state = turn.state
    latched = [fuse for fuse in state.fuses() if fuse.scope == scope and fuse.latched()]
    is_plain = all(
        fuse.state in (FuseState.HALTED, FuseState.REDUCE_ONLY) and fuse.trip() not in state.plans
        for fuse in latched
    )
    if not is_plain or scope in state.frozen:
        return {}
    if not any(fuse.state is FuseState.HALTED for fuse in latched):
        return {}
    due = {
        fuse.name: max(next_reset_wall_ns(turn, fuse), cooldowns.due_wall_ns(turn, fuse))
        for fuse in latched
        if fuse.state is FuseState.REDUCE_ONLY
    }
    return {name: due_wall_ns for name, due_wall_ns in due.items() if due_wall_ns}
