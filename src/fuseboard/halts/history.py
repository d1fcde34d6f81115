"""The register's history: each latch and each clearing, chained, readable when all is down.

A SQLite file of its own (WAL, full sync), appended to by whichever process changed the register.
It is evidence, not authority: the register is written first, and a history that cannot be written
never holds back a latch. `HaltsHistory.note` only queues; its thread writes.
"""

import hashlib
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
from msgspec import Struct, structs

from fuseboard.vocabulary.inputs import Moment
from fuseboard.vocabulary.postures import HaltLevel
from fuseboard.vocabulary.reasons import Reason

LATCHED: Final = "latched"
CLEARED: Final = "cleared"
QUEUE_CHANGES_MAX = 1_000
BUSY_SECONDS_MAX = 5.0
GENESIS = hashlib.sha256(b"fuseboard halts history\n").digest()
_DATABASE_ENDS = ("", "-wal", "-shm")
_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS changes(sequence INTEGER PRIMARY KEY, line BLOB NOT NULL,"
    " chain BLOB NOT NULL)"
)


class HistoryDamaged(Exception):
    """The history cannot be read, or is not what was written."""


class HaltChange(Struct, frozen=True, kw_only=True):
    """One change of the register: `latched` or `cleared`, by whom, why, when."""

    what: str
    slot: str
    scope: str
    level: HaltLevel
    reason: Reason
    trip: str
    halt_epoch: int
    detail: str
    operator: str
    moment: Moment
    writer: str = ""
    """Whose slot was written; empty in what older releases wrote."""
    counter: int = 0
    """That slot's highest count of writes then."""


class HaltsHistory:
    """Writes the history from a thread of its own.

    `failures` counts changes that are not in the file, and `failure` says why the last one is
    not: whoever shows the state of the node shows this too.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.failures = 0
        self.failure = ""
        self._queue: queue.Queue[HaltChange | None] = queue.Queue(QUEUE_CHANGES_MAX)
        self._thread = threading.Thread(target=self._run, name="halts history", daemon=True)
        self._thread.start()

    def note(self, change: HaltChange) -> None:
        """Queue a change; never blocks, never raises."""
        try:
            self._queue.put_nowait(change)
        except queue.Full:
            self._failed("too many changes wait for the disk")

    def close(self) -> None:
        """Write what is queued and stop."""
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join()

    def _run(self) -> None:
        while (change := self._queue.get()) is not None:
            try:
                if change.reason is Reason.HISTORY_DAMAGED and not verify_history(self.path)[0]:
                    set_aside(self.path)  # the account is halted for it by now
                append(self.path, change)
            except (sqlite3.Error, OSError) as error:
                self._failed(str(error))

    def _failed(self, why: str) -> None:
        self.failures += 1
        self.failure = why


def append(path: Path, change: HaltChange) -> None:
    """Append one change durably; any process may. Makes the file when there is none.

    Raises `sqlite3.Error`.
    """
    line = msgspec.json.encode(change)
    with closing(sqlite3.connect(path, isolation_level=None, timeout=BUSY_SECONDS_MAX)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
        database.execute("PRAGMA fullfsync=ON")
        database.execute("BEGIN IMMEDIATE")
        database.execute(_SCHEMA)
        last = database.execute(
            "SELECT sequence, chain FROM changes ORDER BY sequence DESC LIMIT 1"
        ).fetchone()
        sequence, chain = (0, GENESIS) if last is None else last
        if not isinstance(sequence, int) or not isinstance(chain, bytes):
            raise sqlite3.DatabaseError("the history's last change is damaged")
        values = (sequence + 1, line, hashlib.sha256(chain + line).digest())
        database.execute("INSERT INTO changes VALUES(?, ?, ?)", values)
        database.execute("COMMIT")


def noting(path: Path) -> Callable[[HaltChange], None]:
    """Appends at once; it is evidence, and never holds back a latch."""

    def note(change: HaltChange) -> None:
        with suppress(sqlite3.Error, OSError):
            append(path, change)

    return note


def create_history(path: Path) -> None:
    """Make an empty history, durably, where there is none. Raises `sqlite3.Error`."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=BUSY_SECONDS_MAX)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
        database.execute("PRAGMA fullfsync=ON")
        database.execute(_SCHEMA)


def set_aside(path: Path) -> Path:
    """Put a damaged history aside, whole; where it is now. Raises `OSError`."""
    aside = path.with_name(f"{path.name}.damaged-{time.time_ns()}")
    for end in _DATABASE_ENDS:
        file = path.with_name(path.name + end)
        if file.exists():
            file.replace(aside.with_name(aside.name + end))
    return aside


def changes(path: Path) -> Iterator[HaltChange]:
    """Every change from the first on, each verified. Raises `HistoryDamaged`.

    No file means no change so far; nor does one that a full disk left without its table.
    """
    if not path.exists():
        return
    chain = GENESIS
    expected = 0
    try:
        # "rw": what a killed writer began is rolled back first. A file that is write-protected is
        # read all the same.
        with closing(sqlite3.connect(address_of(path, "rw"), uri=True)) as database:
            if database.execute("SELECT 1 FROM sqlite_schema").fetchone() is None:
                return
            for row in database.execute("SELECT * FROM changes ORDER BY sequence"):
                sequence, line, stored = row
                expected += 1
                if sequence != expected or not isinstance(line, bytes):
                    raise HistoryDamaged(f"change {expected} is missing or is not bytes")
                chain = hashlib.sha256(chain + line).digest()
                if chain != stored:
                    raise HistoryDamaged(f"the chain is broken at change {expected}")
                yield msgspec.json.decode(line, type=HaltChange)
    except (sqlite3.Error, msgspec.DecodeError) as error:
        raise HistoryDamaged(f"the history cannot be read: {error}") from error


def address_of(path: Path, mode: str) -> str:
    """SQLite's address of a database that exists. On a file system that nothing can be written to,
    one without a WAL is read as it stands: SQLite could not make the files that it else needs.
    """
    whole = not path.with_name(path.name + "-wal").exists()
    frozen = whole and os.statvfs(path.parent).f_flag & os.ST_RDONLY
    return f"{path.resolve().as_uri()}?{'immutable=1' if frozen else f'mode={mode}'}"


class HistoryEnd(NamedTuple):
    """What a history says at its end, or where it is damaged: up to there."""

    left: tuple[HaltChange, ...]
    """What is latched, one change for each slot and scope, oldest first."""
    counters: dict[str, int]
    """By the writer's name, the highest count of writes to its slot."""
    damage: str
    """Why it could not be read further; empty where it is good."""


def history_end(path: Path) -> HistoryEnd:
    """Read a history from its first change to its end, or to its damage."""
    left: dict[tuple[str, str], HaltChange] = {}
    counters: dict[str, int] = {}
    damage = ""
    try:
        for change in changes(path):
            counters[change.writer] = max(counters.get(change.writer, 0), change.counter)
            known = left.pop((change.slot, change.scope), None)
            if change.what == LATCHED:
                left[change.slot, change.scope] = _tighter(known, change)
    except HistoryDamaged as damaged:
        damage = str(damaged)
    return HistoryEnd(tuple(left.values()), counters, damage)


def _tighter(known: HaltChange | None, later: HaltChange) -> HaltChange:
    """Of two halts of a scope the tighter one, as the register keeps it; the later when equal."""
    if known is None or known.level <= later.level:
        return later
    return structs.replace(known, halt_epoch=max(known.halt_epoch, later.halt_epoch))


def verify_history(path: Path, anchor: str = "") -> tuple[bool, int, str]:
    """Whether the history is good, how many changes are, and what is wrong.

    With an anchor (`N:HEX`, as `history_anchor` gave it before) also that its end was not cut off.
    """
    good = 0
    try:
        for _ in changes(path):
            good += 1
        if anchor and not _has(path, anchor):
            return False, good, f"the change that {anchor[:40]} names is not in it: cut off, or new"
    except HistoryDamaged as damage:
        return False, good, str(damage)
    return True, good, "every change is good"


def history_anchor(path: Path) -> str:
    """The last change's number and chain, `N:HEX`; empty without one. Raises `HistoryDamaged`."""
    last = _row(path, "ORDER BY sequence DESC")
    return "" if last is None else f"{last[0]}:{last[1].hex()}"


def _has(path: Path, anchor: str) -> bool:
    sequence, _, chain = anchor.partition(":")
    row = _row(path, f"WHERE sequence = {int(sequence) if sequence.isdecimal() else 0}")
    return row is not None and row[1].hex() == chain


def _row(path: Path, which: str) -> tuple[int, bytes] | None:
    if not path.exists():
        return None
    try:
        with closing(sqlite3.connect(address_of(path, "ro"), uri=True)) as database:
            found: tuple[int, bytes] | None = database.execute(
                f"SELECT sequence, chain FROM changes {which} LIMIT 1"  # noqa: S608 - our words
            ).fetchone()
    except sqlite3.Error as error:
        raise HistoryDamaged(f"the history cannot be read: {error}") from error
    return found
