"""The journal's files: a SQLite database and, beside it, a small head file.

`PATH` holds one row per commit: the lines of its records and the chain value after the last one.
The chain is h(i) = SHA-256(h(i-1) || line(i)), from a genesis made of the journal's own meta, so
that damage to any record is found and located.

`PATH.head` holds the last sequence known to be durable, with its chain value. It is written after
each commit, without a sync of its own: it may lag behind the database, never run ahead of it. A
chain alone cannot show that its own end is missing (a lost WAL, a restored copy); the head can.
Its lock also keeps a second writer out. POSIX drops SQLite's own locks when any descriptor of the
database file is closed, so nothing here but SQLite ever opens the database.
"""

import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import msgspec

SCHEMA_VERSION = 1
APPLICATION_ID = 0x46757365
"""`Fuse` in ASCII: what `file` and SQLite's own tools see."""
BUSY_SECONDS_MAX = 5.0
HEAD_SUFFIX = ".head"
CHAIN_BYTES = 32
HEAD_BYTES = 128

SCHEMA = {
    "meta": "CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "commits": (
        "CREATE TABLE commits(first_sequence INTEGER PRIMARY KEY, last_sequence INTEGER NOT NULL,"
        " body BLOB NOT NULL, chain BLOB NOT NULL)"
    ),
    "snapshots": (
        "CREATE TABLE snapshots(sequence INTEGER PRIMARY KEY, chain BLOB NOT NULL,"
        " digest TEXT NOT NULL, release TEXT NOT NULL, policy_digest TEXT NOT NULL,"
        " checksum BLOB NOT NULL, body BLOB NOT NULL)"
    ),
}


class JournalAbsent(Exception):
    """There is no journal at the path."""


class JournalExists(Exception):
    """There is a journal, or the head of a lost one, where a new one was to be made."""


class JournalLocked(Exception):
    """Another writer holds the journal."""


class JournalDamaged(Exception):
    """The journal cannot be trusted from `sequence` on; None: not at one place."""

    def __init__(self, what: str, sequence: int | None = None) -> None:
        at = "" if sequence is None else f" (at sequence {sequence})"
        super().__init__(f"{what}{at}")
        self.what = what
        self.sequence = sequence


class Meta(msgspec.Struct, frozen=True):
    """What a journal says of itself; its canonical text is the chain's genesis."""

    schema_version: int
    instance: str
    created_ns: int


class Head(NamedTuple):
    """A place in the chain: a sequence and the chain value after it."""

    sequence: int
    chain: bytes


class Rows(Protocol):
    """What a statement gave."""

    def fetchone(self) -> Any:
        """The next row; None when there is none."""

    def fetchall(self) -> list[Any]:
        """All rows that are left."""

    def __iter__(self) -> Iterator[Any]:
        """The rows one by one."""


class Database(Protocol):
    """A SQLite connection as the journal uses one; it raises `sqlite3.Error`."""

    def execute(self, sql: str, parameters: Sequence[Any] = ..., /) -> Rows:
        """Run one statement."""

    def close(self) -> None:
        """Let go of the file."""


Connect = Callable[[Path, str], Database]
"""Opens the database at a path in SQLite's mode `ro` or `rw`: the machine's disk, or another."""


def connected(path: Path, mode: str) -> Database:
    """A connection to a database that exists, on the machine's disk. Raises `sqlite3.Error`."""
    return sqlite3.connect(
        _address_of(path, mode),
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=BUSY_SECONDS_MAX,
    )


def _address_of(path: Path, mode: str) -> str:
    """SQLite's address of a database that exists. On a file system that nothing can be written to,
    one without a WAL is read as it stands: SQLite could not make the files that it else needs.
    """
    whole = not path.with_name(path.name + "-wal").exists()
    frozen = whole and os.statvfs(path.parent).f_flag & os.ST_RDONLY
    return f"{path.resolve().as_uri()}?{'immutable=1' if frozen else f'mode={mode}'}"


def genesis_of(meta: Meta) -> bytes:
    """The chain value before the first record."""
    return hashlib.sha256(b"fuseboard journal\n" + msgspec.json.encode(meta)).digest()


def chained(chain: bytes, line: bytes) -> bytes:
    """The chain value after one more line."""
    return hashlib.sha256(chain + line).digest()


def create_journal(path: Path, instance: str, created_ns: int) -> None:
    """Make an empty journal, complete or not at all. Raises `JournalExists`."""
    head_path = head_path_of(path)
    if path.exists():
        raise JournalExists(f"{path} exists; a journal is never overwritten")
    if head_path.exists() and read_head(path).sequence > 0:
        raise JournalExists(f"{head_path} belongs to a journal that is gone; restore or move it")
    meta = Meta(SCHEMA_VERSION, instance, created_ns)
    unfinished = path.with_name(path.name + ".new")
    unfinished.unlink(missing_ok=True)
    with closing(sqlite3.connect(unfinished, isolation_level=None)) as database:
        _become_durable(database)
        database.execute(f"PRAGMA application_id={APPLICATION_ID}")
        database.execute("BEGIN IMMEDIATE")
        for statement in SCHEMA.values():
            database.execute(statement)
        rows = {key: str(value) for key, value in msgspec.structs.asdict(meta).items()}
        database.executemany("INSERT INTO meta VALUES(?, ?)", rows.items())
        database.execute("COMMIT")
    _write_new_head(path, Head(0, genesis_of(meta)))
    try:
        os.link(unfinished, path)
    except FileExistsError as error:
        raise JournalExists(f"{path} exists; a journal is never overwritten") from error
    finally:
        unfinished.unlink()
    _sync_directory(path.parent)


def open_for_writing(path: Path, connect: Connect = connected) -> Database:
    """A connection whose commits are durable when they return. Raises `JournalAbsent`."""
    database = _opened(path, "rw", connect)
    try:
        _become_durable(database)
    except sqlite3.Error as error:
        database.close()
        raise JournalDamaged(f"the file cannot be opened for writing: {error}") from error
    return database


def open_for_reading(path: Path, connect: Connect = connected) -> Database:
    """A read-only connection; a writer may be at work. Raises `JournalAbsent`."""
    return _opened(path, "ro", connect)


def require_file(path: Path) -> None:
    """Raises `JournalAbsent` when there is no file."""
    if not path.is_file():
        raise JournalAbsent(f"there is no journal at {path}")


def read_meta(database: Database) -> Meta:
    """The meta, once schema and meta are exactly as made. Raises `JournalDamaged`."""
    try:
        tables = dict(database.execute("SELECT name, sql FROM sqlite_master ORDER BY rowid"))
        rows = dict(database.execute("SELECT key, value FROM meta LIMIT 10"))
        application_id = database.execute("PRAGMA application_id").fetchone()[0]
    except sqlite3.Error as error:
        raise JournalDamaged(f"the file is not a readable journal: {error}") from error
    if tables != SCHEMA or application_id != APPLICATION_ID:
        raise JournalDamaged("the tables are not a journal's")
    try:
        meta = msgspec.convert(rows, Meta, strict=False)
    except msgspec.ValidationError as error:
        raise JournalDamaged(f"the meta makes no sense: {error}") from error
    again = {key: str(value) for key, value in msgspec.structs.asdict(meta).items()}
    if rows != again:
        raise JournalDamaged("the meta makes no sense: it holds more than it should")
    if meta.schema_version != SCHEMA_VERSION:
        raise JournalDamaged(f"schema version {meta.schema_version} is not {SCHEMA_VERSION}")
    return meta


def head_path_of(path: Path) -> Path:
    """Where the head file of a journal is."""
    return path.with_name(path.name + HEAD_SUFFIX)


def head_text(head: Head) -> bytes:
    """The head file's one line, of constant length, with a checksum."""
    body = f"{head.sequence:020d} {head.chain.hex()}"
    check = hashlib.sha256(body.encode()).hexdigest()[:32]
    text = f"{body} {check}".ljust(HEAD_BYTES - 1) + "\n"
    assert len(text) == HEAD_BYTES, "the head file's line has one length"
    return text.encode()


def read_head(path: Path) -> Head:
    """The head file of a journal. Raises `JournalDamaged`, also when it is absent."""
    head_path = head_path_of(path)
    try:
        raw = head_path.read_bytes()
        words = raw.decode("ascii").split()
        head = Head(int(words[0]), bytes.fromhex(words[1]))
        sound = head_text(head) == raw
    except FileNotFoundError as error:
        raise JournalDamaged(f"{head_path} is absent: the journal's end is not proven") from error
    except (OSError, ValueError, IndexError) as error:
        raise JournalDamaged(f"{head_path} is damaged: {error}") from error
    if not sound:
        raise JournalDamaged(f"{head_path} is damaged: its checksum is wrong")
    return head


def adopt_head(path: Path, head: Head) -> None:
    """Make the head file again, for a journal that a person has verified up to `head`."""
    _write_new_head(path, head)
    _sync_directory(path.parent)


def _write_new_head(path: Path, head: Head) -> None:
    head_path = head_path_of(path)
    unfinished = head_path.with_name(head_path.name + ".new")
    with unfinished.open("wb") as file:
        file.write(head_text(head))
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(head_path)


def _opened(path: Path, mode: str, connect: Connect) -> Database:
    require_file(path)
    try:
        return connect(path, mode)
    except sqlite3.Error as error:
        raise JournalDamaged(f"{path} cannot be opened: {error}") from error


def _become_durable(database: Database) -> None:
    """WAL, and a sync before each commit returns; `fullfsync` asks the same of macOS."""
    mode = database.execute("PRAGMA journal_mode=WAL").fetchone()[0]
    database.execute("PRAGMA synchronous=FULL")
    database.execute("PRAGMA fullfsync=ON")
    level = database.execute("PRAGMA synchronous").fetchone()[0]
    if (mode, level) != ("wal", 2):
        raise JournalDamaged(f"SQLite refuses WAL with full sync here: {mode}, {level}")


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
