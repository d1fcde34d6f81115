"""Operators' keys for the control API: who calls, and what the role lets them do.

A key is an id and a secret of 256 random bits, shown once; only a digest is kept, so one SHA-256 is
as good as a slow hash. The file is replaced whole and readable by its owner only, and it is read at
each use: a key that was revoked opens nothing any more. One that cannot be read opens nothing.
"""

import fcntl
import hashlib
import hmac
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from fuseboard.control.asked import OPERATOR_CHARACTERS_MAX, AskedRefused, one_line
from fuseboard.control.state_directory import StateRefused
from fuseboard.halts.whole_file import write_atomically

KEYS_MAX: Final = 1_000
KEY_FILE_BYTES_MAX: Final = 1_000_000
_NOBODY: Final = "0" * 64


class Role(IntEnum):
    """What a key lets its holder do; each role may do what those below it may."""

    VIEWER = 1
    """Read."""
    OPERATOR = 2
    """Tighten: halt, report a measure, ask for an override."""
    ADMIN = 3
    """Loosen: reset, freeze a liquidation, say that cash moved, verify an override."""


ROLES: Final = {role.name.lower(): role for role in Role}


class OperatorLine(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One key as kept: never the secret."""

    key_id: str
    name: str
    role: str
    digest: str
    created_ns: int


class _KeyFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    version: int
    operators: tuple[OperatorLine, ...]


class OperatorKeys:
    """The operators' keys in one file. Reading raises `StateRefused` when the file is bad."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def mint(self, name: str, role: str) -> str:
        """A new key `ID.SECRET` for a person; it is not to be had again. Raises `StateRefused`."""
        if role not in ROLES:
            raise StateRefused(f"role {role[:40]!r} is none of {', '.join(ROLES)}")
        try:
            name = one_line("the operator's name", name, OPERATOR_CHARACTERS_MAX)
        except AskedRefused as refusal:
            raise StateRefused(str(refusal)) from refusal
        if not name:
            raise StateRefused("a key belongs to a person: fuseboard operators new NAME --role R")
        key_id, secret = f"OP{secrets.token_hex(8)}", secrets.token_urlsafe(32)
        line = OperatorLine(
            key_id=key_id,
            name=name,
            role=role,
            digest=_digest(key_id, secret),
            created_ns=time.time_ns(),
        )
        with self._exclusive():
            held = self.listed()
            if len(held) >= KEYS_MAX:
                raise StateRefused(f"there are {KEYS_MAX} operators' keys already: revoke some")
            self._write((*held, line))
        return f"{key_id}.{secret}"

    def revoke(self, key_id: str) -> bool:
        """Forget a key; False when there was none."""
        with self._exclusive():
            held = self.listed()
            kept = tuple(line for line in held if line.key_id != key_id)
            if len(kept) == len(held):
                return False
            self._write(kept)
        return True

    def listed(self) -> tuple[OperatorLine, ...]:
        """Every key, without secrets. Raises `StateRefused` when the file cannot be read."""
        try:
            with self._path.open("rb") as file:
                if os.fstat(file.fileno()).st_mode & 0o077:
                    raise StateRefused(f"{self._path} can be read by others: chmod 600 it")
                raw = file.read(KEY_FILE_BYTES_MAX + 1)
            held = msgspec.json.decode(raw, type=_KeyFile)
        except FileNotFoundError:
            return ()
        except (OSError, msgspec.DecodeError) as error:
            raise StateRefused(f"{self._path} is no file of operators' keys: {error}") from error
        if held.version != 1:
            raise StateRefused(f"{self._path} has version {held.version}, this release reads 1")
        return held.operators

    def holder_of(self, key: str) -> OperatorLine | None:
        """Whose key it is; the same work is done for an id that nobody has."""
        key_id, _, secret = key.partition(".")
        try:
            line = next((line for line in self.listed() if line.key_id == key_id), None)
        except StateRefused:
            line = None
        expected = _NOBODY if line is None else line.digest
        matches = hmac.compare_digest(_digest(key_id, secret), expected)
        return line if matches and line is not None and line.role in ROLES else None

    def _write(self, lines: tuple[OperatorLine, ...]) -> None:
        write_atomically(self._path, msgspec.json.encode(_KeyFile(version=1, operators=lines)))

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        """One process changes the file at a time; the lock lives beside it, never replaced."""
        place = self._path.with_name(f"{self._path.name}.lock")
        lock = os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


def _digest(key_id: str, secret: str) -> str:
    text = f"fuseboard-operator\n{key_id}\n{secret}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
