"""A journal of what was played in this process, written as it goes, for `verify` and `replay`."""

import time
from pathlib import Path
from typing import Final

from fuseboard.control.state_directory import StateRefused
from fuseboard.journal.file import create_journal
from fuseboard.journal.reader import anchor
from fuseboard.journal.writer import JournalFull, JournalWriter
from fuseboard.runtime.build import build
from fuseboard.vocabulary.inputs import NodeStarted
from fuseboard.vocabulary.records import Record

BATCH_RECORDS_MAX: Final = 1_000
WAIT_S: Final = 0.005
WAITS_MAX: Final = 12_000
"""A disk that takes nothing for a minute is given up."""


def refuse_journal(path: Path) -> None:
    """Refuse a file that a journal cannot be written to. Raises `StateRefused`."""
    if not path.parent.is_dir():
        raise StateRefused(f"there is no folder {path.parent} for the journal")
    if path.exists():
        raise StateRefused(f"{path} exists: a journal is never overwritten, choose another name")


class KeptJournal:
    """Writes records to a new file, in the order they come. The file begins with the first one.

    Raises `StateRefused`: at once when the file cannot be, later when the disk fails.
    """

    def __init__(self, path: Path) -> None:
        refuse_journal(path)
        self._path = path
        self._batch: list[Record] = []
        self._writer: JournalWriter | None = None
        self._failures: list[BaseException] = []

    def keep(self, record: Record) -> None:
        """One more record."""
        self._batch.append(record)
        if len(self._batch) >= BATCH_RECORDS_MAX:
            self._write()

    def close(self) -> None:
        """Write what is left, and wait for the disk."""
        if self._batch:
            self._write()
        if self._writer is not None:
            self._writer.close()
        self._refuse_after_failure()

    def _write(self) -> None:
        if self._writer is None:
            self._writer = self._begun()
        for _ in range(WAITS_MAX):
            self._refuse_after_failure()
            try:
                self._writer.append(self._batch)
            except JournalFull:
                time.sleep(WAIT_S)
            else:
                self._batch = []
                return
        raise StateRefused(f"the disk does not take the journal {self._path}")

    def _begun(self) -> JournalWriter:
        create_journal(self._path, _instance(self._batch), self._batch[0].moment.wall_ns)
        sequence, chain = anchor(self._path)
        return JournalWriter(
            self._path,
            last_sequence=sequence,
            last_chain=bytes.fromhex(chain),
            durable=lambda sequence: None,
            failed=self._failures.append,
            release=build(),
        )

    def _refuse_after_failure(self) -> None:
        if self._failures:
            raise StateRefused(
                f"the journal {self._path} could not be written: {self._failures[0]}"
            )


def _instance(records: list[Record]) -> str:
    """Whose journal it is: the first node that started says so."""
    started = (at.input for at in records if isinstance(at.input, NodeStarted))
    return next(started).instance


def keep_journal(path: Path, records: list[Record]) -> None:
    """Write all records to a new file. Raises `StateRefused`."""
    kept = KeptJournal(path)
    for record in records:
        kept.keep(record)
    kept.close()
