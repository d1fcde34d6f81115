"""The journal's writer: a thread that commits whatever is queued, and says how far it is durable.

Records are encoded and hashed in the caller's thread, where that costs about 4 microseconds a
record and no waiting. Done in the writer's thread the same work contends for the interpreter lock
with a busy loop: measured, the median from append to durable was ten times longer. What is left to
the thread is one statement per commit, which waits for the disk without holding the lock. A
process that runs a busy loop beside it sets `sys.setswitchinterval(2e-4)`; with the default of
5 ms every commit waits that long to get the lock back.

A commit that fails is never retried: what it held is not acknowledged, `failed` is called once,
and nothing is written afterwards.
"""

import fcntl
import os
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from fuseboard.journal.file import (
    Connect,
    Database,
    Head,
    JournalDamaged,
    JournalLocked,
    chained,
    connected,
    head_path_of,
    head_text,
    open_for_writing,
    read_head,
    read_meta,
    require_file,
)
from fuseboard.journal.reader import checked_record, commit_at_or_before, head_of
from fuseboard.journal.snapshots import Snapshot, store
from fuseboard.vocabulary.doors import FileCalls
from fuseboard.vocabulary.records import Record, encoded_record

QUEUE_RECORDS_MAX = 20_000
COMMIT_RECORDS_MAX = 1_000
SNAPSHOTS_KEPT_MAX = 3


class JournalFull(Exception):
    """More records wait for the disk than the queue holds; nothing of the call was taken."""


class JournalFailed(Exception):
    """A commit failed or the journal is closed: nothing more is taken."""


class _Batch(NamedTuple):
    first_sequence: int
    last_sequence: int
    body: bytes
    chain: bytes


class _Stop:
    """The last thing in the queue."""


class Commits(Protocol):
    """What runs the writer's turns, one after the other: each is told whether to wait for work."""

    def queued(self) -> None:
        """Something more is in the queue: another turn is due."""

    def join(self) -> None:
        """Return once a turn has said that there will be no further one."""


class CommitThread:
    """Runs the turns in a thread of their own; a turn waits for the queue by itself."""

    def __init__(self, turn: Callable[[bool], bool]) -> None:
        self._turn = turn
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def queued(self) -> None:
        """Nothing to do: the thread waits at the queue."""

    def join(self) -> None:
        """Wait for the thread."""
        self._thread.join()

    def _run(self) -> None:
        while self._turn(True):
            pass


class JournalWriter:
    """Appends to one journal; the only writer, in this process or any other.

    `durable(sequence)` is called from the writer's thread after each commit; everything up to
    `sequence` is then on the disk. `failed(error)` is called from it at most once. Both must be
    safe to call from another thread and must not block. `connect`, `files` and `commits` put the
    same work on another disk and in another order.

    Raises `JournalAbsent`, `JournalLocked`, and `JournalDamaged` when the journal does not end at
    (`last_sequence`, `last_chain`), where recovery ended.
    """

    def __init__(
        self,
        path: Path,
        *,
        last_sequence: int,
        last_chain: bytes,
        durable: Callable[[int], None],
        failed: Callable[[BaseException], None],
        release: str = "",
        queue_records_max: int = QUEUE_RECORDS_MAX,
        commit_records_max: int = COMMIT_RECORDS_MAX,
        snapshots_kept_max: int = SNAPSHOTS_KEPT_MAX,
        connect: Connect = connected,
        files: FileCalls = os,
        commits: Callable[[Callable[[bool], bool]], Commits] = CommitThread,
    ) -> None:
        self._files = files
        self._durable = durable
        self._failed = failed
        self._release = release
        self._queue_records_max = queue_records_max
        self._commit_records_max = commit_records_max
        self._snapshots_kept_max = snapshots_kept_max
        self._appended = Head(last_sequence, last_chain)
        self._durable_sequence = last_sequence
        self._snapshot_waits = False
        self._refusal: str | None = None
        self._queue: queue.SimpleQueue[_Batch | Snapshot | _Stop] = queue.SimpleQueue()
        self._head_file = _locked_head(path)
        try:
            self._database = open_for_writing(path, connect)
            try:
                self._boot_ns = _checked_end(self._database, path, self._appended)
            except BaseException:
                self._database.close()
                raise
        except BaseException:
            os.close(self._head_file)
            raise
        self._commits = commits(self._turn)

    def append(self, records: Sequence[Record]) -> None:
        """Queue records for the next commit, in order, without gaps; never waits for the disk.

        Raises `JournalFull` (nothing is taken) and, after a failure or `close`, `JournalFailed`.
        """
        if self._refusal is not None:
            raise JournalFailed(self._refusal)
        if not records:
            return
        sequence, chain = self._appended
        if sequence + len(records) - self._durable_sequence > self._queue_records_max:
            raise JournalFull(f"{self._queue_records_max} records wait for the disk")
        boot_ns = self._boot_ns
        lines: list[bytes] = []
        for record in records:
            sequence += 1
            assert record.sequence == sequence, f"record {record.sequence} is not {sequence}"
            assert record.moment.boot_ns >= boot_ns, f"boot time goes back at {sequence}"
            boot_ns = record.moment.boot_ns
            line = encoded_record(record)
            chain = chained(chain, line)
            lines.append(line)
        self._boot_ns = boot_ns
        first_sequence = self._appended.sequence + 1
        self._appended = Head(sequence, chain)
        self._put(_Batch(first_sequence, sequence, b"\n".join(lines), chain))

    def snapshot(
        self, sequence: int, state: bytes, digest: str, *, policy_digest: str = ""
    ) -> bool:
        """Store the state after the last appended record, once that is durable.

        False: skipped, because the one before still waits for the disk. Raises `JournalFailed`.
        """
        if self._refusal is not None:
            raise JournalFailed(self._refusal)
        assert sequence == self._appended.sequence > 0, "a snapshot is of the last appended record"
        if self._snapshot_waits:
            return False
        self._snapshot_waits = True
        self._put(
            Snapshot(
                sequence=sequence,
                chain=self._appended.chain,
                digest=digest,
                release=self._release,
                policy_digest=policy_digest,
                body=state,
            )
        )
        return True

    def close(self) -> None:
        """Commit what is queued, stop, and release the journal. Once is enough; twice is fine."""
        if self._refusal is None:
            self._refusal = "the journal is closed"
            self._put(_Stop())
        self._commits.join()
        if self._head_file >= 0:
            self._database.close()
            os.close(self._head_file)
            self._head_file = -1

    def _put(self, item: "_Batch | Snapshot | _Stop") -> None:
        self._queue.put(item)
        self._commits.queued()

    def _turn(self, waits: bool) -> bool:
        """Write what is queued, and wait for it if told to; whether there may be a further turn.

        Whatever ends the turns other than `close` is a failure, and is said once.
        """
        failure: BaseException | None = JournalFailed("the journal's thread ended")
        goes_on = False
        try:
            goes_on = self._write_next(waits)
            failure = None
        except (sqlite3.Error, OSError) as error:
            failure = error
        finally:
            if failure is not None:
                self._refusal = f"a commit failed: {failure}"
                self._failed(failure)
        return goes_on

    def _write_next(self, waits: bool) -> bool:
        """Write one commit of what is queued; False when it was told to stop."""
        try:
            taken = self._queue.get(block=waits)
        except queue.Empty:
            return True
        other = self._commit_from(taken) if isinstance(taken, _Batch) else taken
        if isinstance(other, Snapshot):
            store(self._database, other, kept_max=self._snapshots_kept_max)
            self._snapshot_waits = False
        return not isinstance(other, _Stop)

    def _commit_from(self, batch: _Batch) -> Snapshot | _Stop | None:
        """Commit this batch and all that wait behind it, up to the limit or the next other item,
        which is returned.
        """
        last, bodies = batch, [batch.body]
        other: Snapshot | _Stop | None = None
        while last.last_sequence - batch.first_sequence + 1 < self._commit_records_max:
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                break
            if not isinstance(item, _Batch):
                other = item
                break
            assert item.first_sequence == last.last_sequence + 1, "batches follow each other"
            last = item
            bodies.append(item.body)
        # One statement is one transaction: begin and commit apart would take the lock thrice.
        self._database.execute(
            "INSERT INTO commits VALUES(?, ?, ?, ?)",
            (batch.first_sequence, last.last_sequence, b"\n".join(bodies), last.chain),
        )
        self._durable_sequence = last.last_sequence
        self._durable(last.last_sequence)
        self._files.pwrite(self._head_file, head_text(Head(last.last_sequence, last.chain)), 0)
        return other


def _locked_head(path: Path) -> int:
    """A descriptor of the head file with its lock, which dies with the process."""
    require_file(path)
    try:
        descriptor = os.open(head_path_of(path), os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        raise JournalDamaged(f"the head file cannot be opened: {error}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise JournalLocked(f"another writer holds {path}") from error
    return descriptor


def _checked_end(database: Database, path: Path, expected: Head) -> int:
    """The boot time of the last record, once the journal ends exactly where it should."""
    read_meta(database)
    head, written = head_of(database), read_head(path)
    if head != expected or written.sequence > head.sequence:
        raise JournalDamaged(
            f"the journal ends at {head.sequence}, recovery ended at {expected.sequence},"
            f" the head file says {written.sequence}",
            head.sequence,
        )
    last = commit_at_or_before(database, head.sequence)
    return 0 if last is None else checked_record(last.lines[-1], head.sequence).moment.boot_ns
