"""Statistics over a restart: a file has what was counted up to a record, the journal has the rest.

The file is written at a start, with each snapshot and at an orderly stop; what came after it is
counted again from the records, by the same board that counts while the gateway runs. Where the file
is absent, damaged or of another history, the journal alone is counted. Statistics decide nothing:
where they cannot be had, counting begins anew and says since when.
"""

import logging
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Final

import msgspec
from msgspec import Struct

from fuseboard.control.board import Board
from fuseboard.control.state_directory import StateDirectory
from fuseboard.control.statistics import Counting, counting_from
from fuseboard.halts.whole_file import write_atomically
from fuseboard.journal.file import JournalAbsent, JournalDamaged
from fuseboard.journal.reader import records
from fuseboard.vocabulary.effects import RaiseAlert

VERSION: Final = 1
FILE_BYTES_MAX: Final = 64 << 20
RECOUNTED_RECORDS_MAX: Final = 100_000
"""Twice what comes between two snapshots: more is not read before a start."""

WAITING_MAX: Final = 1
"""Counts that wait to be written: a newer one takes the place of an older."""

log = logging.getLogger(__name__)


class Kept(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the file holds."""

    version: int
    instance: str
    sequence: int
    """The last record that is counted."""
    counting: Counting


class KeptStatistics:
    """The statistics of one gateway run: what earlier runs counted, and where to keep it."""

    def __init__(self, state: StateDirectory, last_sequence: int, *, wall_ns: int) -> None:
        """`last_sequence` is the journal's; `wall_ns` when counting begins if it begins anew."""
        self._file = state.statistics_file
        self._instance = state.identity().instance
        self._writer = ThreadPoolExecutor(1, "statistics")
        self._lock = Lock()
        self._waiting: deque[bytes] = deque(maxlen=WAITING_MAX)
        self._is_writing = False
        kept = self._read(last_sequence)
        self.counting = _recounted(state.journal_file, kept, last_sequence, wall_ns)
        self.save(last_sequence)

    def save(self, sequence: int) -> None:
        """Keep what is counted: up to this record. It is written beside; a failure is logged.

        What waits for a slow disk is the newest count alone.
        """
        kept = Kept(
            version=VERSION, instance=self._instance, sequence=sequence, counting=self.counting
        )
        with self._lock:
            self._waiting.append(msgspec.json.encode(kept))
            if not self._is_writing:
                self._is_writing = True
                self._writer.submit(self._write)

    def close(self) -> None:
        """Wait until the newest count is written."""
        self._writer.shutdown()

    def _read(self, last_sequence: int) -> Kept | None:
        """What the file holds of this journal; None where it is of another, or none at all."""
        try:
            with self._file.open("rb") as file:
                kept = msgspec.json.decode(file.read(FILE_BYTES_MAX), type=Kept)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError) as error:
            log.warning("the statistics cannot be read: %s", error)
            return None
        ours = kept.version == VERSION and kept.instance == self._instance
        return kept if ours and kept.sequence <= last_sequence else None

    def _write(self) -> None:
        """Write what waits until nothing does."""
        while True:
            with self._lock:
                if not self._waiting:
                    self._is_writing = False
                    return
                raw = self._waiting.popleft()
            try:
                write_atomically(self._file, raw)
            except OSError as error:
                log.warning("the statistics cannot be written: %s", error)


def _recounted(journal: Path, kept: Kept | None, last_sequence: int, wall_ns: int) -> Counting:
    """What was kept and what the records after it say; anew where there are too many of these."""
    sequence = 0 if kept is None else kept.sequence
    if last_sequence - sequence > RECOUNTED_RECORDS_MAX:
        return counting_from(wall_ns)
    counting, now_ns = None if kept is None else kept.counting, [wall_ns]
    board: Board | None = None if counting is None else Board(lambda: now_ns[0], counting)
    try:
        for record in records(journal, sequence + 1, last_sequence):
            now_ns[0] = record.moment.wall_ns
            board = board or Board(lambda: now_ns[0])
            for effect in record.effects:
                if isinstance(effect, RaiseAlert):
                    board.page(effect.severity.value, effect.code.value, effect.scope, effect.text)
                else:
                    board.apply(effect)
    except (JournalAbsent, JournalDamaged) as error:
        log.warning("the statistics cannot be counted from the journal: %s", error)
        return counting_from(wall_ns)
    if board is None:
        return counting_from(wall_ns)
    board.counting.now = {}  # what an earlier run heard is not the present
    return board.counting
