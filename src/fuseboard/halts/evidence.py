"""What a register's history knows of it, weighed at a start: is either of them an older copy?

The register is written first and its history after it, by whoever wrote. So a history that knows a
later write than the register shows means that the register was put back. One that knows less lost
its last lines with a crash, or is itself an older copy when it lacks more than a crash takes.
"""

from pathlib import Path
from typing import Final, NamedTuple

from fuseboard.halts.block import BLOCKS_PER_SLOT, SLOTS, Slot
from fuseboard.halts.history import HaltChange, history_end
from fuseboard.halts.register import HaltsRegister
from fuseboard.vocabulary.inputs import LatchedScope, Moment
from fuseboard.vocabulary.postures import HaltLevel
from fuseboard.vocabulary.reasons import Reason

BEHIND_MAX: Final = 32
"""So many writes a crash may take out of a history; a longer gap is a copy, or was cut off."""


class Weighed(NamedTuple):
    """What a start tells of register and history; empty texts where all is well."""

    latched: tuple[LatchedScope, ...]
    """What the register holds and, where that cannot be read or is older than its history, what
    that holds too.
    """
    unreadable: bool
    register_doubt: str
    history_doubt: str
    behind: dict[Slot, int]
    """By slot, how many writes the history does not know."""


def weigh(register: HaltsRegister, history: Path) -> Weighed:
    """Read the history, let the register be judged by it, and say what both hold.

    From now on this register object is halted by what is older than its history knows; its file is
    not written. Reading the history rolls back in its file what a killed writer had begun.
    """
    ends = history_end(history)
    known = {slot: ends.counters.get(slot.name.lower(), 0) for slot in SLOTS}
    history_doubt = f"{history.name}: {ends.damage}" if ends.damage else ""
    counters = register.counters()  # after the history, which is written after it
    if not history.exists() and any(count > BLOCKS_PER_SLOT for count in counters.values()):
        history_doubt = f"{history.name} is missing"
    register.remember(known)
    latched, unreadable = register.at_start()
    older = [slot for slot in SLOTS if counters.get(slot, 0) < known[slot]]
    behind = {
        slot: counters[slot] - known[slot]
        for slot in SLOTS
        if known[slot] and counters.get(slot, 0) > known[slot]
    }
    gap = max(behind.values(), default=0)
    if gap > BEHIND_MAX and not history_doubt:
        history_doubt = f"{history.name} lacks the last {gap} writes of the register"
    if not older:
        return Weighed(latched, unreadable, "", history_doubt, behind)
    names = [slot.name.lower() for slot in older]
    lost = [_as_scope(at) for at in ends.left if at.slot in names]
    held = [(at.scope, at.level) for at in latched]
    latched += tuple(at for at in lost if (at.scope, at.level) not in held)
    slots = "slots of " if len(names) > 1 else "slot of "
    doubt = f"the {slots}{' and '.join(names)} ended later in its history ({history.name})"
    return Weighed(latched, unreadable, "" if unreadable else doubt, history_doubt, behind)


def found(slot: Slot, behind: int, counter: int, moment: Moment) -> HaltChange:
    """The line that says in a history how many before it are not there."""
    return HaltChange(
        what="found",
        slot=slot.name.lower(),
        scope="",
        level=HaltLevel.HALT,
        reason=Reason.HISTORY_DAMAGED,
        trip="",
        halt_epoch=0,
        detail=f"{behind} writes of this slot before this line are not in this history",
        operator="",
        moment=moment,
        writer=slot.name.lower(),
        counter=counter,
    )


def _as_scope(change: HaltChange) -> LatchedScope:
    return LatchedScope(
        scope=change.scope,
        level=change.level,
        reason=change.reason,
        trip=change.trip,
        halt_epoch=change.halt_epoch,
    )
