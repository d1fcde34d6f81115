"""A process that holds the broker's key keeps its environment and memory to itself.

Linux shows both to the other processes of a user (`/proc/PID/environ`, `ptrace`), unless the
process is not *dumpable*. Programs that it starts are dumpable again.
"""

import ctypes
import sys
from typing import Final

PR_SET_DUMPABLE: Final = 4


def hide_this_process() -> bool:
    """Make this process unreadable to its own user's others; False where that is not known how."""
    if sys.platform != "linux":
        return False
    failed: int = ctypes.CDLL(None, use_errno=True).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    return failed == 0
