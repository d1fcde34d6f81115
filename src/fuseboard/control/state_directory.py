"""The state directory: where one instance keeps what must survive, and who may write in it.

`instance.json` names the instance; `lock` is held by the running gateway and is not inherited by
its children. Only `fuseboard init` makes a state directory: a directory that vanished must not come
back un-halted by itself. While `init` is at work, `init.unfinished` stands beside what it makes: an
`init` that was interrupted is begun anew, and nothing that it did not make itself is ever removed.
"""

import fcntl
import os
import secrets
import time
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from fuseboard.halts.whole_file import write_atomically
from fuseboard.vocabulary.identifiers import checked_instance

_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz0123456789"
ACCOUNT_CHARACTERS_MAX: Final = 64
LOCK_ATTEMPTS_MAX: Final = 20
"""Who only looks whether a gateway runs holds the lock for a moment: a start tries again."""
_LOCK_PAUSE_S: Final = 0.01


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
        self.operators_file = path / "operators.json"
        self.watchlists_file = path / "watchlists.json"
        self.statistics_file = path / "statistics.json"
        self.halt_file = path / "HALT"
        self.lock_file = path / "lock"
        self.socket_file = path / "control.sock"
        self.gateway_file = path / "gateway.json"
        self.exchange_file = path / "exchange.json"
        self.exchange_ledger_file = path / "exchange-ledger.jsonl"
        self.log_file = path / "fuseboard.log"
        self.restored_file = path / "restored.json"
        self.unrestored_file = path / "restore.unfinished"
        self._unfinished_file = path / "init.unfinished"

    def identity(self) -> Identity:
        """Who owns this directory; raises `StateRefused` when there is no usable state in it."""
        if self.unrestored_file.exists():
            raise StateRefused(
                f"a restore into {self.path} was broken off: run `fuseboard restore` again, with"
                " the same backup or another"
            )
        return self.read_identity()

    def read_identity(self) -> Identity:
        """The same, also where a restore was broken off."""
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

    def begin(self, *, account: str, now_ns: int) -> Identity:
        """Begin `init`: the directory, and the identity that `finish` will write.

        Raises `StateRefused` where there is state already, whole or in part.
        """
        if self.path.exists() and not self.path.is_dir():
            raise StateRefused(f"{self.path} is not a directory: choose another with --state DIR")
        if self.identity_file.exists():
            raise StateRefused(f"{self.path} already holds state: nothing was changed")
        if not account.isprintable() or not 0 < len(account) <= ACCOUNT_CHARACTERS_MAX:
            raise StateRefused(f"--account is a name of at most {ACCOUNT_CHARACTERS_MAX} letters")
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self._unfinished_file.exists():
            for left in self._made_by_init():
                left.unlink(missing_ok=True)
        self._must_be_vacant()
        write_atomically(self._unfinished_file, b"")
        instance = "".join(secrets.choice(_ALPHABET) for _ in range(8))
        return Identity(instance=instance, account=account, created_ns=now_ns)

    def finish(self, identity: Identity) -> None:
        """The last step of `init`: until it is there, the directory is not usable."""
        write_atomically(self.identity_file, msgspec.json.encode(identity))
        self._unfinished_file.unlink(missing_ok=True)

    def _made_by_init(self) -> list[Path]:
        """What `init` makes besides the policy, whole or half done."""
        names = (self.journal_file.name, self.register_file.name, self.history_file.name)
        return [file for name in names for file in self.path.glob(f"{name}*")]

    def _must_be_vacant(self) -> None:
        """State without its identity is somebody's: an `init` must not put it to new use."""
        kept = (self.journal_file, self.register_file, self.history_file, self.keys_file)
        found = [file.name for file in kept if file.exists()]
        if found:
            raise StateRefused(
                f"{self.path} holds {', '.join(found)} without {self.identity_file.name}: restore"
                " that from a backup, or choose another directory with --state DIR"
            )

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
        for attempt in range(LOCK_ATTEMPTS_MAX):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(_LOCK_PAUSE_S if attempt < LOCK_ATTEMPTS_MAX - 1 else 0)
            else:
                return descriptor
        os.close(descriptor)
        raise StateRefused(
            f"another gateway runs on {self.path}: see `fuseboard status --state {self.path}`"
        )

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
