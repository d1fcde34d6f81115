"""How far the replay of a gateway's start has come, for who asks while it answers nobody.

The note is a small file that is replaced whole while records advance, and gone when they are at
their end. One that a killed start left is believed of no other process.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from fuseboard.halts.heartbeats import process_seen
from fuseboard.halts.whole_file import write_atomically

NOTE: Final = "replaying.json"
NOTE_BYTES_MAX: Final = 1_000


class _Note(Struct, frozen=True, kw_only=True):
    pid: int
    start_ticks: int
    record: int
    last: int


def note_replay(state: Path, record: int, last: int) -> None:
    """Write that this process has replayed the records up to `record` of `last`."""
    seen = process_seen(os.getpid())
    ticks = 0 if seen is None else seen.start_ticks
    note = _Note(pid=os.getpid(), start_ticks=ticks, record=record, last=last)
    with suppress(OSError):  # a note: what fails for want of a disk says so itself
        write_atomically(state / NOTE, msgspec.json.encode(note))


def forget_replay(state: Path) -> None:
    """The replay is over."""
    with suppress(OSError):
        (state / NOTE).unlink(missing_ok=True)


def replay_says(state: Path) -> str:
    """That a gateway replays its journal and how far it is; empty where none that lives does."""
    try:
        with (state / NOTE).open("rb") as file:
            note = msgspec.json.decode(file.read(NOTE_BYTES_MAX), type=_Note)
    except (OSError, msgspec.MsgspecError):
        return ""
    seen = process_seen(note.pid)
    if seen is None or seen.start_ticks != note.start_ticks:
        return ""
    return (
        f"a gateway that starts (pid {note.pid}) replays its journal,"
        f" record {note.record:,} of {note.last:,}"
    )
