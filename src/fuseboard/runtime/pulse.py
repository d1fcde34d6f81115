"""The loop's own heartbeat, for the guardian and for systemd: written by a turn of the loop, never
beside it, so that a loop that hangs falls silent.

A turn costs one look at the clock; ten times a second it also costs one small write.
"""

import os
from collections.abc import Callable
from typing import Final

from fuseboard.halts.heartbeats import (
    Beat,
    Heart,
    HeartbeatFile,
    Phase,
    boot_ns,
    process_seen,
)
from fuseboard.halts.systemd import ALIVE
from fuseboard.runtime.disk_wait import DiskWait

BEAT_EVERY_NS: Final = 100_000_000
BEAT_EVERY_S: Final = BEAT_EVERY_NS / 1_000_000_000


class Pulse:
    """Beats for one run. `durable`, `intake` and `oldest_call_age_ns` are asked at each beat.

    `disk` is told how far the journal is behind. A beat that cannot be written is counted in
    `failed` and said by silence: the guardian acts.
    """

    def __init__(
        self,
        file: HeartbeatFile,
        *,
        run_ns: int,
        durable: Callable[[], int],
        intake: Callable[[], int],
        oldest_call_age_ns: Callable[[], int],
        notify: Callable[[str], None] = lambda _words: None,
        disk: DiskWait | None = None,
    ) -> None:
        self.failed = 0
        self._file = file
        self._run_ns = run_ns
        self._durable = durable
        self._waiting = intake
        self._oldest_call_age_ns = oldest_call_age_ns
        self._notify = notify
        self._disk = disk
        self._pid = os.getpid()
        seen = process_seen(self._pid)
        self._start_ticks = 0 if seen is None else seen.start_ticks
        self._iteration = 0
        self._due_ns = 0
        self._sequence = 0

    def turned(self, sequence: int) -> None:
        """The loop has turned: beat, if it is time."""
        self._iteration += 1
        now_ns = boot_ns()
        if now_ns < self._due_ns:
            return
        self._due_ns = now_ns + BEAT_EVERY_NS
        self._sequence = sequence
        if self._disk is not None:
            self._disk.look(sequence, self._durable(), now_ns)
        self._write(Phase.RUNNING, now_ns)
        self._notify(ALIVE)

    def say(self, phase: Phase) -> None:
        """Beat at once, with a phase in which the loop does not turn any more."""
        self._iteration += 1
        self._write(phase, boot_ns())

    def _write(self, phase: Phase, now_ns: int) -> None:
        beat = Beat(
            phase,
            self._pid,
            self._start_ticks,
            self._run_ns,
            now_ns,
            self._iteration,
            self._sequence,
            self._durable(),
            self._oldest_call_age_ns(),
            self._waiting(),
        )
        try:
            self._file.write(Heart.GATEWAY, beat)
        except OSError:
            self.failed += 1
