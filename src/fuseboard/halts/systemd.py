"""Telling systemd that a process is ready, and alive: the gateway by its turns, the guardian by its
looks.
"""

import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

SOCKET_NAME: Final = "NOTIFY_SOCKET"
READY: Final = "READY=1"
ALIVE: Final = "WATCHDOG=1"
STOPPING: Final = "STOPPING=1"


def longer(seconds: int) -> str:
    """That a start takes so much longer, from now on."""
    return f"EXTEND_TIMEOUT_USEC={seconds * 1_000_000}"


def systemd_notify(environment: Mapping[str, str]) -> Callable[[str], None]:
    """How to tell systemd (sd_notify(3)) that we are ready or alive; says nothing elsewhere."""
    address = environment.get(SOCKET_NAME, "")
    if not address.startswith(("/", "@")):
        return lambda _words: None
    name = "\0" + address[1:] if address.startswith("@") else address

    def notify(words: str) -> None:
        with (
            suppress(OSError),  # systemd misses it and restarts us: that is its purpose
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as door,
        ):
            door.setblocking(False)
            door.sendto(words.encode(), name)

    return notify
