"""Key pairs: which strategy a caller is. Secrets are shown once; only a digest is kept.

A secret is 256 random bits, so one SHA-256 is as good as a slow hash and fast enough for each
request. The file is replaced whole, is readable by its owner only, and is read again when another
process (`fuseboard keys`) changed it. A file that cannot be read makes every stored key unknown.
"""

import fcntl
import hashlib
import hmac
import logging
import os
import re
import secrets
import string
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from msgspec import Struct

from fuseboard.halts.whole_file import write_atomically

KEY_ID_LENGTH = 20
KEYS_MAX = 10_000
KEY_FILE_BYTES_MAX = 4 * 1024 * 1024
CHECK_EVERY_NS = 1_000_000_000

_ALPHABET = string.ascii_uppercase + string.digits
_STRATEGY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", re.ASCII)
_UNKNOWN = "0" * 64

log = logging.getLogger(__name__)


class KeysUnreadable(Exception):
    """The key file exists and is not a key file of ours that only its owner can read."""


class StrategyNameRefused(ValueError):
    """A name that no strategy can have; the message says which ones can."""


class KeyLine(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One key pair as kept: never the secret."""

    key_id: str
    strategy: str
    digest: str
    created_ns: int
    ephemeral: bool = False


class _KeyFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    version: int
    keys: tuple[KeyLine, ...]


class Keys:
    """The key pairs of one gateway: those in the file, and ephemeral ones in memory only.

    `path` None keeps everything in memory. Raises `KeysUnreadable` when the file is there and bad.
    """

    def __init__(self, path: Path | None, clock_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._path = path
        self._clock_ns = clock_ns
        self._stored: dict[str, KeyLine] = {}
        self._ephemeral: dict[str, KeyLine] = {}
        self._seen: tuple[int, int, int] | None = None
        self._check_at_ns = 0
        if path is not None:
            self._seen = _signature(path)
            self._stored = _read(path)

    def mint(self, strategy: str) -> tuple[str, str]:
        """A new stored pair `(key_id, secret)`; the secret is not to be had again."""
        line, secret = _new_pair(strategy, ephemeral=False)
        self._change(lambda keys: keys | {line.key_id: line})
        return line.key_id, secret

    def add_ephemeral(self, strategy: str) -> tuple[str, str]:
        """A new pair that lives as long as this process: for a bot that we launch ourselves."""
        if len(self._ephemeral) >= KEYS_MAX:
            raise ValueError(f"more than {KEYS_MAX} ephemeral key pairs")
        line, secret = _new_pair(strategy, ephemeral=True)
        self._ephemeral[line.key_id] = line
        return line.key_id, secret

    def revoke(self, key_id: str) -> bool:
        """Forget a pair; False when there was none."""
        if self._ephemeral.pop(key_id, None) is not None:
            return True
        self._refresh(now=True)
        if key_id not in self._stored:
            return False
        self._change(lambda keys: {k: line for k, line in keys.items() if k != key_id})
        return True

    def listed(self) -> tuple[KeyLine, ...]:
        """Every pair that is valid now, without secrets."""
        self._refresh(now=True)
        return (*self._stored.values(), *self._ephemeral.values())

    def strategy_of(self, key_id: str, secret: str) -> str | None:
        """The strategy of a pair; the same work is done for an id that nobody has."""
        line = self._line(key_id)
        expected = _UNKNOWN if line is None else line.digest
        matches = hmac.compare_digest(_digest(key_id, secret), expected)
        return line.strategy if matches and line is not None else None

    def is_live(self, key_id: str) -> bool:
        """Whether the pair still exists: a session that outlived its key is closed."""
        return self._line(key_id) is not None

    def _line(self, key_id: str) -> KeyLine | None:
        self._refresh(now=False)
        line = self._ephemeral.get(key_id) or self._stored.get(key_id)
        if line is None:
            self._refresh(now=True)  # 401 is final to a client, and a pair may be a moment old
            line = self._stored.get(key_id)
        return line

    def _refresh(self, *, now: bool) -> None:
        """Read the file again if it changed; at most once in `CHECK_EVERY_NS` unless `now`."""
        if self._path is None or (not now and self._clock_ns() < self._check_at_ns):
            return
        self._check_at_ns = self._clock_ns() + CHECK_EVERY_NS
        seen = _signature(self._path)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self._stored = _read(self._path)
        except KeysUnreadable:
            self._stored = {}
            log.exception("the key file cannot be read: every stored key is refused")

    def _change(self, change: Callable[[dict[str, KeyLine]], dict[str, KeyLine]]) -> None:
        if self._path is None:
            self._stored = change(self._stored)
            return
        with _exclusive(self._path):
            changed = change(_read(self._path))
            if len(changed) > KEYS_MAX:
                raise ValueError(f"more than {KEYS_MAX} key pairs")
            _write(self._path, changed)
            self._seen = _signature(self._path)
            self._stored = changed


def _new_pair(strategy: str, *, ephemeral: bool) -> tuple[KeyLine, str]:
    if _STRATEGY.fullmatch(strategy) is None:
        raise StrategyNameRefused(
            f"strategy {strategy[:70]!r}: up to 64 letters, digits, '.', '_' and '-', "
            "beginning with a letter or digit"
        )
    key_id = "PK" + "".join(secrets.choice(_ALPHABET) for _ in range(KEY_ID_LENGTH - 2))
    secret = secrets.token_urlsafe(32)
    line = KeyLine(
        key_id=key_id,
        strategy=strategy,
        digest=_digest(key_id, secret),
        created_ns=time.time_ns(),
        ephemeral=ephemeral,
    )
    return line, secret


def _digest(key_id: str, secret: str) -> str:
    text = f"fuseboard-key\n{key_id}\n{secret}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _signature(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def _read(path: Path) -> dict[str, KeyLine]:
    """The stored pairs; none when there is no file."""
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & 0o077:
                raise KeysUnreadable(f"{path} can be read by others: chmod 600 it")
            raw = file.read(KEY_FILE_BYTES_MAX + 1)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise KeysUnreadable(f"{path}: {error}") from error
    if len(raw) > KEY_FILE_BYTES_MAX:
        raise KeysUnreadable(f"{path} is larger than {KEY_FILE_BYTES_MAX} bytes")
    try:
        held = msgspec.json.decode(raw, type=_KeyFile)
    except msgspec.DecodeError as error:
        raise KeysUnreadable(f"{path} is not a key file: {error}") from error
    if held.version != 1:
        raise KeysUnreadable(f"{path} has version {held.version}, this release reads version 1")
    return {line.key_id: line for line in held.keys}


def _write(path: Path, keys: dict[str, KeyLine]) -> None:
    write_atomically(path, msgspec.json.encode(_KeyFile(version=1, keys=tuple(keys.values()))))


@contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    """One process changes the file at a time; the lock lives beside it, never replaced."""
    lock = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
