"""Ends the gateway and sees it dead, by a handle that cannot name another process."""

import os
import select
import signal
from typing import Final

from fuseboard.halts.heartbeats import Beat, process_seen

DEAD_S_MAX: Final = 5.0


def killed(beat: Beat) -> str:
    """Kill the process of a beat and wait until it is dead; empty when it is, else why not.

    A process id that belongs to somebody else by now is left alone: then the gateway is dead.
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
        dead, _, _ = select.select([handle], [], [], DEAD_S_MAX)
    except ProcessLookupError:
        return ""
    except OSError as error:
        return f"process {beat.pid} cannot be killed: {error.strerror}"
    finally:
        os.close(handle)
    return "" if dead else f"process {beat.pid} is still there {DEAD_S_MAX:g} s after its kill"
