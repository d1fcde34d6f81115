"""A Unix socket's address holds 107 bytes; a state directory's path may be longer."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

ADDRESS_BYTES_MAX: Final = 107


@contextmanager
def addressable(socket: Path) -> Iterator[Path]:
    """A name for the socket that fits into an address, good for bind or connect meanwhile."""
    if len(os.fsencode(socket)) <= ADDRESS_BYTES_MAX:
        yield socket
        return
    folder = os.open(socket.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield Path(f"/proc/self/fd/{folder}") / socket.name
    finally:
        os.close(folder)
