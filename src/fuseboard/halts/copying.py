"""Copies of the register and of its history while their writers are at work."""

import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from fuseboard.halts.block import REGISTER_BYTES, Judgement, judged
from fuseboard.halts.history import BUSY_SECONDS_MAX, HistoryDamaged, address_of
from fuseboard.halts.register import READ_PAUSE_SECONDS, READS_MAX


class RegisterDamaged(Exception):
    """A register's image is not one that a sound register can have."""


def register_image(path: Path) -> tuple[bytes, Judgement]:
    """A sound register's bytes and what they say. Raises `RegisterDamaged`, `OSError`."""
    for _ in range(READS_MAX):  # a writer may be half done
        image = path.read_bytes()
        if len(image) == REGISTER_BYTES:
            judgement = judged(image)
            if not judgement.damaged:
                return image, judgement
        time.sleep(READ_PAUSE_SECONDS)
    raise RegisterDamaged(f"the halts register {path} is damaged")


def copied_history(source: Path, target: Path) -> None:
    """Copy a history durably, as one file. Raises `HistoryDamaged`, `OSError`."""
    try:
        address = address_of(source, "ro")
        with (
            closing(sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS_MAX)) as original,
            closing(sqlite3.connect(target, isolation_level=None)) as copy,
        ):
            original.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.Error as error:
        raise HistoryDamaged(f"{source} cannot be copied: {error}") from error
    with target.open("rb") as file:
        os.fsync(file.fileno())
