"""A copy of a journal while its writer is at work.

SQLite's own backup copies one snapshot of the database in one step: with WAL it holds up neither
the writer nor readers, only checkpoints wait. The copy is one file without a WAL beside it, so that
it can be read where nothing can be written, and its head file names its own end.
"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from fuseboard.journal.file import Head, JournalDamaged, adopt_head, open_for_reading
from fuseboard.journal.reader import head_of


def copied_journal(source: Path, target: Path) -> Head:
    """Copy a journal with its head file, durably; where the copy ends.

    Raises `JournalAbsent`, `JournalDamaged`, `OSError`.
    """
    with closing(open_for_reading(source)) as original:
        assert isinstance(original, sqlite3.Connection), "SQLite's own connection on this disk"
        try:
            with closing(sqlite3.connect(target, isolation_level=None)) as copy:
                original.backup(copy)
                copy.execute("PRAGMA journal_mode=DELETE")
        except sqlite3.Error as error:
            raise JournalDamaged(f"{source} cannot be copied: {error}") from error
    with target.open("rb") as file:
        os.fsync(file.fileno())
    with closing(open_for_reading(target)) as database:
        head = head_of(database)
    adopt_head(target, head)
    return head
