"""Who is on the other end of the operators' socket: people, not the strategies they supervise.

The kernel tells the id of the process that connected (`SO_PEERCRED`). A supervised strategy runs
below a keeper that adopts its orphans, so whatever it starts has the keeper among its ancestors. A
process that has ended meanwhile cannot be looked at: it is refused too.
"""

from pathlib import Path
from typing import Final

from fuseboard.vocabulary.people import USER_VIA

ANCESTORS_MAX: Final = 256
_PROCESSES: Final = Path("/proc")


def process_of(peer: str) -> int | None:
    """The process id in a request's `peer`; None where the system does not tell it."""
    kind, pid, _user = [*peer.split(":"), "", ""][:3]
    return int(pid) if kind == "unix" and pid.isdecimal() and int(pid) > 0 else None


def user_of(peer: str) -> str:
    """By what the person on the socket is known: `user:UID`; empty where the system tells none."""
    kind, _pid, user = [*peer.split(":"), "", ""][:3]
    return f"{USER_VIA}{user}" if kind == "unix" and user.isdecimal() else ""


def refusal(pid: int | None, keeper: int | None) -> str:
    """Why a process may not use the operators' socket; empty when it may.

    `keeper` is the process that keeps the supervised strategy, None when none is supervised.
    """
    if keeper is None:
        return ""
    if pid is None:
        return "the system does not tell which process this is"
    ancestor = pid
    for _ in range(ANCESTORS_MAX):
        if ancestor == keeper:
            return f"process {pid} belongs to the supervised strategy"
        if ancestor <= 1:
            return ""
        parent = _parent_of(ancestor)
        if parent is None:
            return f"process {pid} cannot be looked at: it, or one that started it, has ended"
        ancestor = parent
    return f"process {pid} has more than {ANCESTORS_MAX} ancestors"


def _parent_of(pid: int) -> int | None:
    try:
        stat = (_PROCESSES / str(pid) / "stat").read_bytes()
    except OSError:
        return None
    return int(stat.rpartition(b")")[2].split()[1])  # the name before it may hold anything
