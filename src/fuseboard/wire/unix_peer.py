"""Which process connected to a Unix socket, as the kernel says."""

import asyncio
import socket
import struct
from typing import Final

_CREDENTIALS: Final = struct.Struct("3i")


def unix_peer(transport: asyncio.Transport) -> str:
    """`unix:PID:UID` of who connected, as it was then; `unix` where the system does not tell."""
    option = getattr(socket, "SO_PEERCRED", None)
    known = transport.get_extra_info("socket")
    if option is None or known is None:
        return "unix"
    with socket.fromfd(known.fileno(), socket.AF_UNIX, socket.SOCK_STREAM) as same:
        told = same.getsockopt(socket.SOL_SOCKET, option, _CREDENTIALS.size)
    pid, uid, _gid = _CREDENTIALS.unpack(told)
    return f"unix:{pid}:{uid}"
