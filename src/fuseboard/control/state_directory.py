"""The state directory: where one instance keeps what must survive, and who may write in it.

`instance.json` names the instance; `lock` is held by the running gateway and is not inherited by
its children. Only `fuseboard init` makes a state directory: a directory that vanished must not come
back un-halted by itself.
"""

import fcntl
import os
import secrets
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from fuseboard.vocabulary.identifiers import checked_instance

_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz0123456789"


class StateRefused(Exception):
    """The state directory cannot be used; the message says what to do."""


class Identity(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose state this is."""

    instance: str
    account: str
    created_ns: int


class StateDirectory:
    """The paths of one state directory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.identity_file = path / "instance.json"
        self.policy_file = path / "policy.yaml"
        self.journal_file = path / "journal.db"
        self.register_file = path / "halts.register"
        self.history_file = path / "halts.db"
        self.keys_file = path / "keys.json"
        self.lock_file = path / "lock"
        self.socket_file = path / "control.sock"
        self.gateway_file = path / "gateway.json"
        self.exchange_file = path / "exchange.json"
        self.exchange_ledger_file = path / "exchange-ledger.jsonl"
        self.log_file = path / "fuseboard.log"

    def identity(self) -> Identity:
        """Who owns this directory; raises `StateRefused` when there is no usable state in it."""
        try:
            raw = self.identity_file.read_bytes()
        except FileNotFoundError:
            raise StateRefused(
                f"there is no state in {self.path}: make it with"
                f" `fuseboard init --state {self.path}`"
            ) from None
        try:
            identity = msgspec.json.decode(raw, type=Identity)
            checked_instance(identity.instance)
        except (msgspec.MsgspecError, ValueError) as error:
            raise StateRefused(
                f"{self.identity_file} is damaged ({error}): restore it from a backup; a new"
                " identity would not recognise the orders of the old one"
            ) from error
        return identity

    def create(self, *, account: str, now_ns: int) -> Identity:
        """Make the directory and its identity; refuses to touch an existing one."""
        if self.identity_file.exists():
            raise StateRefused(f"{self.path} already holds state: nothing was changed")
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        instance = "".join(secrets.choice(_ALPHABET) for _ in range(8))
        return Identity(instance=instance, account=account, created_ns=now_ns)

    def write_identity(self, identity: Identity) -> None:
        """The last step of `init`: until it is there, the directory is not usable."""
        write_atomically(self.identity_file, msgspec.json.encode(identity))

    def must_have_register(self) -> None:
        """Raise `StateRefused` without a halts register: nothing may trade that cannot be halted.

        One that is damaged serves: it halts, and a latch mends it.
        """
        if not self.register_file.exists():
            raise StateRefused(
                f"the halts register {self.register_file} is missing: make a new one, halted, with"
                f" `fuseboard init --state {self.path}`, then run and reset it by name"
            )

    def lock(self) -> int:
        """Become the one gateway of this directory; the descriptor holds the lock until it closes.

        Raises `StateRefused` when another gateway runs.
        """
        descriptor = os.open(self.lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise StateRefused(
                f"another gateway runs on {self.path}: see `fuseboard status --state {self.path}`"
            ) from None
        return descriptor

    def is_running(self) -> bool:
        """Whether a gateway holds the lock right now."""
        try:
            descriptor = os.open(self.lock_file, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file as a whole, durably, readable by its owner only."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    temporary.replace(path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
