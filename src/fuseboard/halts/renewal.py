"""A file that cannot be a halts register any more: set aside, and made again with what is known.

Nothing can be latched in a file of another length, so whoever starts on it stops at once, for ever.
The new one is halted, and holds in each slot what the history says is latched there and what can
still be read of the old one. It counts on from where the history knows each slot to have been.
"""

import os
import stat
import time
from collections.abc import Iterable
from contextlib import closing, suppress
from pathlib import Path

from fuseboard.halts.block import (
    BLOCKS_PER_SLOT,
    REGISTER_BYTES,
    SLOTS,
    Latched,
    Slot,
    judged,
    new_image,
)
from fuseboard.halts.history import HaltChange, history_end, noting
from fuseboard.halts.register import HaltsRegister
from fuseboard.halts.whole_file import sync_folder
from fuseboard.vocabulary.effects import LatchHalt
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE
from fuseboard.vocabulary.inputs import Moment
from fuseboard.vocabulary.postures import HaltLevel
from fuseboard.vocabulary.reasons import Reason


def why_no_register(path: Path) -> str:
    """Why nothing can be latched in what is there, in words; empty where it serves.

    One that is damaged serves: it halts, and a latch mends it. Raises `FileNotFoundError`.
    """
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        return "it is no file"
    if found.st_size != REGISTER_BYTES:
        return f"it has {found.st_size} bytes in the place of {REGISTER_BYTES}"
    return ""


def renewed(path: Path, history: Path, moment: Moment, why: str) -> Path | None:
    """Make the register again, halted from its first byte; where the old one is now, if there was.

    Nobody else may be at work on it. Raises `OSError`, `RegisterUnwritable`.
    """
    unfinished = path.with_name("halts.renewed")
    unfinished.unlink(missing_ok=True)
    ends = history_end(history)
    held = [*_legible(path), *_of_history(ends.left)]
    counters = {slot: ends.counters.get(slot.name.lower(), 0) for slot in SLOTS}
    HaltsRegister.create(unfinished, new_image(held, counters))
    halt = LatchHalt(
        scope=ACCOUNT_SCOPE,
        level=HaltLevel.HALT,
        reason=Reason.REGISTER_UNREADABLE,
        trip="",
        halt_epoch=moment.wall_ns,  # no count of halts, and so no reset before it, reaches it
        detail=f"the register was made again: {why}",
    )
    with closing(HaltsRegister(unfinished, Slot.OPERATOR, told=noting(history))) as register:
        register.latch(halt, moment)
    aside = None
    if os.path.lexists(path):
        aside = path.with_name(f"{path.name}.damaged-{time.time_ns()}")
        path.rename(aside)
    unfinished.rename(path)
    sync_folder(path.parent)
    return aside


def _legible(path: Path) -> tuple[Latched, ...]:
    """What can be read of a file of any length, as far as a register would reach."""
    image = b""
    with suppress(OSError), path.open("rb") as file:
        image = file.read(REGISTER_BYTES)
    judgement = judged(image.ljust(REGISTER_BYTES, b"\0"))
    return tuple(latch for latch in judgement.latched if latch.wall_ns > 0)


def _of_history(left: Iterable[HaltChange]) -> list[Latched]:
    by_name = {slot.name.lower(): slot for slot in SLOTS}
    return [
        Latched(
            slot=by_name.get(change.slot, Slot.OPERATOR),
            counter=max(change.counter, BLOCKS_PER_SLOT),
            scope=change.scope,
            level=change.level,
            reason=change.reason,
            trip=change.trip,
            halt_epoch=change.halt_epoch,
            detail=change.detail,
            wall_ns=max(change.moment.wall_ns, 1),
        )
        for change in left
    ]
