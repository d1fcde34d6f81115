"""A disk that loses what was not synced, beneath the real SQLite and the real halts register.

The files stand in a directory and are read from there: that is the operating system's cache. What
has reached the platter is kept beside it, with every write since the last sync. When power is
lost, each of those writes is kept, dropped or torn at a sector, by the seed; after a mere kill all
of them are kept. The machine comes up in a new directory, so nothing that an old connection still
does reaches it. A sector is written whole; a file that was made by `init` is durable.
"""

import errno
import os
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any, Final

import apsw
from msgspec import Struct

from fuseboard.simulation.crashes import Crashed, Doors

SECTOR_BYTES: Final = 512
CHECKPOINT_PAGES: Final = (4, 16, 1000)


class _Stored(Struct):
    """One file: what the platter holds, what was written since, and how long it now is."""

    durable: bytearray
    unsynced: list[tuple[int, bytes | None]]
    """(offset, bytes); None for a truncation to the offset."""
    length: int


class Faults(Struct):
    """What is wrong with the disk now."""

    full: bool = False
    sync_fails: bool = False
    write_fails: bool = False


class Disk:
    """One machine's state directory. `close` at the end of the world."""

    def __init__(self, name: str, doors: Doors, chance: Random, home: Path) -> None:
        self.faults = Faults()
        self._doors = doors
        self._chance = chance
        self._home = home
        self._stored: dict[str, _Stored] = {}
        self.life = 0
        self._connections: list[Connection] = []
        self.directory = self._new_directory()
        self._vfs = _Vfs(f"fuseboard-{name}-{id(self)}", self)

    def adopt(self) -> None:
        """What stands in the directory now is on the platter: `init` has made it."""
        for path in sorted(self.directory.iterdir()):
            raw = path.read_bytes()
            self._stored[path.name] = _Stored(bytearray(raw), [], len(raw))

    def lose(self, *, power: bool) -> None:
        """The machine died: come up in a new directory, with what the disk has kept."""
        fate = self._chance.choice(("all", "none", "some", "some")) if power else "all"
        self.faults = Faults()
        self.life += 1
        old, self.directory = self.directory, self._new_directory()
        for name in sorted(self._stored):
            stored = self._stored[name]
            if power:
                for offset, raw in stored.unsynced:
                    _apply(stored.durable, offset, self._kept_of(raw, fate))
                stored.unsynced.clear()
                stored.length = len(stored.durable)
                (self.directory / name).write_bytes(stored.durable)
            else:
                (self.directory / name).write_bytes((old / name).read_bytes())
        self._close_connections()

    def connect(self, path: Path, mode: str) -> "Connection":
        """A journal's `Connect`: the same SQLite statements on this disk."""
        flags = apsw.SQLITE_OPEN_READONLY if mode == "ro" else apsw.SQLITE_OPEN_READWRITE
        try:
            opened = apsw.Connection(os.fspath(path), flags=flags, vfs=self._vfs.vfs_name)
        except apsw.Error as error:
            raise sqlite3.OperationalError(str(error)) from error
        connection = Connection(opened, self._doors)
        if mode == "rw":
            pages = self._chance.choice(CHECKPOINT_PAGES)
            connection.execute(f"PRAGMA wal_autocheckpoint={pages}")
            self._connections.append(connection)
        return connection

    def fail(self, kind: str) -> None:
        """From now on something is wrong with it: the name of a field of `Faults`."""
        setattr(self.faults, kind, True)

    def close(self) -> None:
        """Let go of everything."""
        self.life += 1
        self.directory = self._home  # what the last connections tidy up is nobody's any more
        self._close_connections()
        self._vfs.unregister()

    # --- FileCalls, for the register and the journal's head --------------------------------------

    def pwrite(self, descriptor: int, raw: bytes, offset: int, /) -> int:
        """Write in place; a full disk takes it, because nothing has to grow."""
        name = _name_of(descriptor)
        self._doors.at(f"{name} write")
        if self.faults.write_fails and self._chance.random() < 0.5:
            raise OSError(errno.EIO, "the disk failed")
        if self.faults.full and offset + len(raw) > self._stored[name].length:
            raise OSError(errno.ENOSPC, "the disk is full")
        length = os.pwrite(descriptor, raw, offset)
        self.written(name, offset, raw)
        return length

    def fdatasync(self, descriptor: int, /) -> None:
        """What was written is on the platter, unless the disk fails or the power goes."""
        name = _name_of(descriptor)
        self._doors.at(f"{name} sync")
        if self.faults.sync_fails:
            raise OSError(errno.EIO, "the disk failed")
        self.synced(name)
        self._doors.at(f"{name} synced")

    # --- what the files beneath SQLite say --------------------------------------------------------

    def is_of_this_life(self, life: int) -> bool:
        """Whether a file was opened since the machine came up."""
        return life == self.life

    def opened(self, name: str) -> int:
        """A file is opened; the life it belongs to."""
        if name and name not in self._stored:
            self._stored[name] = _Stored(bytearray(), [], 0)
        return self.life

    def written(self, name: str, offset: int, raw: bytes) -> None:
        """The operating system has these bytes; the platter does not."""
        stored = self._stored[name]
        stored.unsynced.append((offset, raw))
        stored.length = max(stored.length, offset + len(raw))

    def truncated(self, name: str, length: int) -> None:
        """A file is shorter, in the cache."""
        stored = self._stored[name]
        stored.unsynced.append((length, None))
        stored.length = length

    def synced(self, name: str) -> None:
        """All of a file is on the platter."""
        stored = self._stored[name]
        for offset, raw in stored.unsynced:
            _apply(stored.durable, offset, [(0, raw)])
        stored.unsynced.clear()

    def deleted(self, name: str) -> None:
        """A file is gone."""
        self._stored.pop(name, None)

    def length_of(self, name: str) -> int:
        """How long a file now is."""
        return self._stored[name].length

    def door(self, name: str) -> None:
        """A door beneath SQLite: a crash there is an I/O error to SQLite, and `Crashed` above."""
        try:
            self._doors.at(name)
        except Crashed as crash:
            raise apsw.IOError(str(crash)) from crash

    def _kept_of(self, raw: bytes | None, fate: str) -> list[tuple[int, bytes | None]]:
        """What of one unsynced write reached the platter: pieces as (offset within it, bytes)."""
        if fate == "some":
            fate = self._chance.choice(("all", "none", "torn"))
        if fate == "none":
            return []
        if fate == "all" or raw is None:
            return [(0, raw)]
        sectors = range(0, len(raw), SECTOR_BYTES)
        kept = [at for at in sectors if self._chance.random() < 0.5]
        return [(at, raw[at : at + SECTOR_BYTES]) for at in kept]

    def _new_directory(self) -> Path:
        return Path(tempfile.mkdtemp(dir=self._home))

    def _close_connections(self) -> None:
        for connection in self._connections:
            connection.abandon()
        self._connections.clear()


def _apply(durable: bytearray, offset: int, pieces: list[tuple[int, bytes | None]]) -> None:
    for at, raw in pieces:
        if raw is None:
            del durable[offset:]
            continue
        start = offset + at
        if len(durable) < start:
            durable.extend(bytes(start - len(durable)))
        durable[start : start + len(raw)] = raw


def _name_of(descriptor: int) -> str:
    place = os.readlink(f"/proc/self/fd/{descriptor}")  # noqa: PTH115 - at every write, no Path
    return place.rpartition("/")[2]


class Connection:
    """An apsw connection with the manners of `sqlite3`: rows at once, and its errors."""

    def __init__(self, opened: apsw.Connection, doors: Doors) -> None:
        self._opened = opened
        self._doors = doors

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> "FoundRows":
        """Run one statement. Raises `sqlite3.Error`, and `Crashed` when the machine died in it."""
        try:
            return FoundRows(list(self._opened.execute(sql, parameters)))
        except apsw.FullError as error:
            self._unless_dead(error)
            raise sqlite3.OperationalError(f"database or disk is full: {error}") from error
        except apsw.Error as error:
            self._unless_dead(error)
            raise sqlite3.OperationalError(f"{type(error).__name__}: {error}") from error

    def close(self) -> None:
        """Close, as the node does when it stops in order."""
        try:
            self._opened.close()
        except apsw.Error as error:
            # SQLite ignores that a reader cannot lock the file to tidy up; apsw raises it.
            self._unless_dead(error)

    def abandon(self) -> None:
        """Close what a dead machine left open: nobody reads its directory any more."""
        self._opened.close(True)

    def _unless_dead(self, error: apsw.Error) -> None:
        if self._doors.dead:
            raise Crashed("in the middle of a statement") from error


class FoundRows:
    """The rows of one statement."""

    def __init__(self, rows: list[Any]) -> None:
        self._rows = rows
        self._next = 0

    def fetchone(self) -> Any:
        """The next row; None when there is none."""
        if self._next >= len(self._rows):
            return None
        self._next += 1
        return self._rows[self._next - 1]

    def fetchall(self) -> list[Any]:
        """All rows that are left."""
        left, self._next = self._rows[self._next :], len(self._rows)
        return left

    def __iter__(self) -> Iterator[Any]:
        return iter(self.fetchall())


class _Vfs(apsw.VFS):
    """Opens the real files through the system's VFS, and tells the disk what is done to them."""

    def __init__(self, name: str, disk: Disk) -> None:
        self.vfs_name = name
        self._disk = disk
        super().__init__(name=name, base="")

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - SQLite's name
        """Open one file."""
        return _File(name, flags, self._disk)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        """Delete one file; at once durable."""
        lives = Path(filename).parent == self._disk.directory
        if lives:
            self._disk.door("delete")
        super().xDelete(filename, syncdir)
        if lives:
            self._disk.deleted(Path(filename).name)


class _File(apsw.VFSFile):
    """One open file beneath SQLite."""

    def __init__(self, name: Any, flags: list[int], disk: Disk) -> None:
        path = name if isinstance(name, str) or name is None else name.filename()
        self._name = Path(path).name if path else ""
        self._disk = disk
        super().__init__("", name, flags)
        self._life = disk.opened(self._name)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        """Write into the cache."""
        if not self._lives():
            return
        self._disk.door(f"{self._name} write")
        if self._disk.faults.write_fails:
            raise apsw.IOError("the disk failed")
        if self._disk.faults.full and offset + len(data) > self._disk.length_of(self._name):
            raise apsw.FullError("the disk is full")
        super().xWrite(data, offset)
        self._disk.written(self._name, offset, bytes(data))

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        """Shorten in the cache."""
        if self._lives():
            self._disk.door(f"{self._name} truncate")
            super().xTruncate(newsize)
            self._disk.truncated(self._name, newsize)

    def xSync(self, flags: int) -> None:  # noqa: N802
        """Bring what was written to the platter."""
        del flags
        if not self._lives():
            return
        self._disk.door(f"{self._name} sync")
        if self._disk.faults.sync_fails:
            raise apsw.IOError("the disk failed")
        self._disk.synced(self._name)
        self._disk.door(f"{self._name} synced")

    def _lives(self) -> bool:
        return bool(self._name) and self._disk.is_of_this_life(self._life)
