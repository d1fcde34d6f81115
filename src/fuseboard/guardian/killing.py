"""Ends the gateway and sees it dead, by a handle that cannot name another process.

A process that was killed is there as long as one of its threads waits for a disk that hangs. What
was killed runs no more of its program, whatever it waits for: such a one counts as dead.
"""

import os
import select
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from fuseboard.halts.heartbeats import STAT_FIELD_STATE, Beat, process_seen

DEAD_S_MAX: Final = 5.0
SLOW_S: Final = 2.0
"""A death that takes longer is told meanwhile: who pages has five seconds (RTS 6 Art. 16)."""
LOOK_S: Final = 0.2
_RUNS_NO_MORE: Final = (b"Z", b"X", b"D")
"""States of a killed process's threads (proc(5)): ended, or in a wait that no signal ends."""


def killed(beat: Beat, is_slow: Callable[[], None] = lambda: None) -> str:
    """Kill the process of a beat and wait until it is dead; empty when it is, else why not.

    `is_slow` is called once where that takes longer than `SLOW_S`. A process id that belongs to
    somebody else by now is left alone: then the gateway is dead.
    """
    try:
        handle = os.pidfd_open(beat.pid)
    except ProcessLookupError:
        return ""
    except OSError as error:
        return f"process {beat.pid} cannot be held: {error.strerror}"
    try:
        seen = process_seen(beat.pid)
        if seen is None or seen.start_ticks != beat.start_ticks or beat.pid == os.getpid():
            return ""
        # Also a stopped process dies of this at once; SIGCONT finds nobody.
        signal.pidfd_send_signal(handle, signal.SIGKILL)
        began_s = time.monotonic()
        dead = is_told = False
        while not dead and time.monotonic() < began_s + DEAD_S_MAX:
            if not is_told and time.monotonic() >= began_s + SLOW_S:
                is_told = True
                is_slow()
            dead = bool(select.select([handle], [], [], LOOK_S)[0]) or runs_no_more(beat.pid)
    except ProcessLookupError:
        return ""
    except OSError as error:
        return f"process {beat.pid} cannot be killed: {error.strerror}"
    finally:
        os.close(handle)
    return "" if dead else f"process {beat.pid} is still there {DEAD_S_MAX:g} s after its kill"


def runs_no_more(pid: int) -> bool:
    """Whether each thread of a process that was killed has ended, or waits for a device."""
    try:
        stats = [file.read_bytes() for file in Path(f"/proc/{pid}/task").glob("*/stat")]
    except OSError:  # one of them ended just now: look again
        return False
    return bool(stats) and all(
        stat.rpartition(b")")[2].split()[STAT_FIELD_STATE] in _RUNS_NO_MORE for stat in stats
    )
