"""Small files that are replaced whole: after a crash there is the old one or the new one."""

import os
import secrets
from pathlib import Path


def write_whole(path: Path, raw: bytes) -> None:
    """Replace a file by these bytes, durably, readable by its owner only. Raises `OSError`."""
    new = path.with_name(f"{path.name}.{secrets.token_hex(4)}.new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
