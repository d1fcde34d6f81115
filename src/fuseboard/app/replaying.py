"""A start whose journal is long: people, systemd and who asks for the status are told of it.

After an update no snapshot serves and every record is derived again. Systemd is asked for more time
as long as records advance: a replay that hangs is killed as any start that hangs.
"""

import os
import time
from collections.abc import Callable
from typing import Final

from fuseboard.app.journal_lost import restored_of
from fuseboard.control.state_directory import StateDirectory
from fuseboard.halts.replaying import forget_replay, note_replay
from fuseboard.halts.systemd import longer, systemd_notify
from fuseboard.runtime.recovery import Restored

SAID_EVERY_S: Final = 3.0
START_S: Final = 180
"""`TimeoutStartSec` of the unit: as long is left for what follows the replay."""


class Replaying:
    """Told of records; tells on, each few seconds, so of no replay that is over sooner."""

    def __init__(
        self,
        say: Callable[[str], None],
        *,
        note: Callable[[int, int], None] = lambda _record, _last: None,
        notify: Callable[[str], None] = lambda _words: None,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._say = say
        self._note = note
        self._notify = notify
        self._clock_s = clock_s
        self._said_s = self._began_s = clock_s()
        self._first = 0

    def told(self, record: int, last: int) -> None:
        """The records up to this one are replayed, of `last`."""
        self._first = self._first or record
        now_s = self._clock_s()
        if now_s - self._said_s < SAID_EVERY_S:
            return
        self._said_s = now_s
        self._notify(longer(START_S))
        self._note(record, last)
        a_second = int((record - self._first) / (now_s - self._began_s))
        more = f", {(last - record) // a_second} s more" if a_second else ""
        self._say(f"replaying the journal: record {record:,} of {last:,}{more}")


def replayed(state: StateDirectory, say: Callable[[str], None]) -> Restored:
    """The kernel of a start, told of meanwhile. Raises `JournalLost`."""
    replaying = Replaying(
        say,
        note=lambda record, last: note_replay(state.path, record, last),
        notify=systemd_notify(os.environ),
    )
    try:
        return restored_of(state, replaying.told)
    finally:
        forget_replay(state.path)
