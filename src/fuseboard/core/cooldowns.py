"""The cooldown of a fuse that tripped: before it has run out nobody resets it, whatever it did.

Counted from the trip in boot time, so that a clock that is set shortens nothing, and by the rule
that is in force now. A latch of a person has none: nothing has tripped.
"""

from typing import TypeAlias

from fuseboard.core.fuses.drawdown import DrawdownFuse
from fuseboard.core.fuses.latch import Latch
from fuseboard.core.fuses.machine import FuseState
from fuseboard.core.fuses.rule import RuleFuse
from fuseboard.core.state import Turn
from fuseboard.policy.rules import reset_waits_ns
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.wall_time import shown_span, shown_utc

Cooling: TypeAlias = DrawdownFuse | RuleFuse | Latch


def left_ns(turn: Turn, fuse: Cooling) -> int:
    """How long nobody may reset this latched fuse yet; 0 when it may be reset."""
    if isinstance(fuse, Latch) or not fuse.latched():
        return 0
    return max(0, fuse.tripped_boot_ns + reset_waits_ns(fuse.rule) - turn.boot_ns)


def due_wall_ns(turn: Turn, fuse: Cooling) -> int:
    """When it has run out, as the wall clock shows then if nobody sets it, in whole seconds; 0
    when it has. That of a plan's fuse is not told: the plan has to end, too.
    """
    left = left_ns(turn, fuse)
    if not left or fuse.state is FuseState.TRIGGERED:
        return 0
    return _whole(turn.wall_ns + left)


def refusal(turn: Turn, fuse: Cooling) -> str:
    """Why a reset is refused, with the time that is left; empty when it has run out."""
    left = left_ns(turn, fuse)
    if not left:
        return ""
    said = shown_span(_whole(left))
    if fuse.state is FuseState.TRIGGERED:
        return f"; the cooldown has {said} left"
    return (
        f"{fuse.name} tripped, and its cooldown has {said} left: reset again from"
        f" {shown_utc(due_wall_ns(turn, fuse))}, or once a policy with a shorter one is adopted by"
        " name: `fuseboard policy adopt FILE --operator NAME --reason TEXT`"
    )


def next_deadline(turn: Turn) -> int:
    """When the next one has run out; 0 when none runs. A plan's fuse settles by itself."""
    due = [
        turn.boot_ns + left
        for fuse in turn.state.tripping()
        if fuse.state is not FuseState.TRIGGERED and (left := left_ns(turn, fuse))
    ]
    return min(due, default=0)


def _whole(ns: int) -> int:
    """Whole seconds, a part of one counted as one."""
    return -(-ns // NANOS) * NANOS
