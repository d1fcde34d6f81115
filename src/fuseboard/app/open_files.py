"""Room for every connection that the gateway's limits allow, in files and sockets."""

import resource
from typing import Final

OPEN_FILES_WANTED: Final = 4_096
"""Connections of strategies and operators (1,152), their streams, the broker's, the journal."""


def allow_open_files(wanted: int = OPEN_FILES_WANTED) -> bool:
    """Raise this process's own limit of open files; False where the system forbids so many.

    Most systems start a program with 1,024: a bot that leaks sockets would use them up before the
    gateway's own limit closes idle connections, and then nobody could connect at all.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return True
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return allowed >= wanted
