"""One gateway a broker account on one machine, whatever state directory or user it has.

The lock is a listening socket in Linux's abstract namespace (unix(7)), named by a hash of the
broker's address and the key's id. The kernel lets go of it when its process is gone, however that
ended; children do not inherit it; and whoever is refused learns who holds it. Machines, and
containers with a network of their own, are told apart by foreign orders instead.
"""

import errno
import hashlib
import os
import socket
import struct
import time
from typing import Final
from urllib.parse import urlsplit

SPACE: Final = "fuseboard-account"
ATTEMPTS_MAX: Final = 100
"""A process that was killed a moment ago may still be going."""
_PAUSE_S: Final = 0.02
_CREDENTIALS: Final = struct.Struct("3i")
_HERE: Final = ("localhost", "::1", "127.0.0.1")
_PORTS: Final = {"http": 80, "https": 443}


class AccountTaken(Exception):
    """Another process has this account; `pid` is its process id, 0 when it is not known."""

    def __init__(self, pid: int) -> None:
        super().__init__(f"process {pid} has it")
        self.pid = pid


def account_name(base_url: str, key_id: str) -> str:
    """The name of a broker's account on this machine: the same for each spelling of an address."""
    parts = urlsplit(base_url)
    host = (parts.hostname or "").rstrip(".")
    host = _HERE[-1] if host in _HERE else host
    port = parts.port or _PORTS.get(parts.scheme, 0)
    return hashlib.sha256(f"{host}:{port}\n{key_id}".encode()).hexdigest()[:32]


def take_account(name: str, attempts_max: int = ATTEMPTS_MAX) -> socket.socket:
    """Become the one gateway of an account until the socket is closed. Raises `AccountTaken`,
    and `OSError` when the system refuses for a reason of its own.

    Nothing is ever accepted: who connects learns the holder from the kernel and goes.
    """
    address = f"\0{SPACE}-{name}"
    for attempt in range(attempts_max):
        held = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            held.bind(address)
            held.listen(1)
        except OSError as error:
            held.close()
            if error.errno != errno.EADDRINUSE:
                raise
            time.sleep(_PAUSE_S if attempt < attempts_max - 1 else 0)
        else:
            assert not os.get_inheritable(held.fileno()), "a child would keep the account"
            return held
    raise AccountTaken(_holder(address))


def _holder(address: str) -> int:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.setblocking(False)
        try:
            asking.connect(address)
            told = asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        except OSError:
            return 0
    return int(_CREDENTIALS.unpack(told)[0])
