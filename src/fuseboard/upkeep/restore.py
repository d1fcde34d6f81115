"""`fuseboard restore`: a state comes back from a backup, halted, and says so at its next start.

What goes back in time is the journal alone. The halts register stays where it is, and is latched
before anything else is touched; keys, policy and the register's history stay too, because what
revoked, tightened or halted since the backup must not come undone. Of these the backup gives only
what is absent or cannot be read. A restore that was broken off leaves a state that nothing starts
on, and is begun again. Each file that is replaced is kept aside.
"""

import argparse
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from fuseboard.control.asked import (
    OPERATOR_CHARACTERS_MAX,
    REASON_CHARACTERS_MAX,
    AskedRefused,
    one_line,
)
from fuseboard.control.operator_keys import OperatorKeys
from fuseboard.control.saying import say, say_json
from fuseboard.control.state_directory import StateDirectory, StateRefused
from fuseboard.gateway.keys import Keys, KeysUnreadable
from fuseboard.guardian.orders import Place
from fuseboard.guardian.process import GuardianRefused, guardian_lock
from fuseboard.halts.block import REGISTER_BYTES, Slot, judged
from fuseboard.halts.copying import RegisterDamaged, register_image
from fuseboard.halts.heartbeats import Heart, HeartbeatFile, Phase
from fuseboard.halts.history import history_end, noting, verify_history
from fuseboard.halts.register import HaltsRegister
from fuseboard.halts.whole_file import sync_folder, write_atomically
from fuseboard.journal.file import JournalAbsent, JournalDamaged
from fuseboard.journal.reader import anchor
from fuseboard.journal.recovery import recover
from fuseboard.journal.verification import verify
from fuseboard.rescue.journal import done_runs, read_lines
from fuseboard.runtime.clock import machine_boot_ns
from fuseboard.upkeep.backup import backups_of
from fuseboard.upkeep.backup_files import (
    BackupUnusable,
    Manifest,
    must_be_proven,
    read_manifest,
    restore_into,
)
from fuseboard.vocabulary.effects import LatchHalt
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE
from fuseboard.vocabulary.inputs import Moment
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.postures import HaltLevel
from fuseboard.vocabulary.reasons import Reason
from fuseboard.vocabulary.restored_inputs import Restored

STAGING_NAME: Final = ".restoring"
ASIDE_NAME: Final = "replaced"
OTHERS_SHOWN_MAX: Final = 3
SYSTEMD_STOP: Final = "systemctl stop fuseboard-guardian fuseboard"
"""Of `packaging/systemd/`: both, since each starts by itself and the gateway wants the guardian."""


def command_restore(options: argparse.Namespace) -> int:
    """Bring a state back from a backup, halted. Raises `BackupUnusable`, `StateRefused`."""
    try:
        operator = one_line("the operator's name", options.operator, OPERATOR_CHARACTERS_MAX)
        reason = one_line("the reason", options.reason, REASON_CHARACTERS_MAX)
    except AskedRefused as refused:
        raise StateRefused(str(refused)) from refused
    if not operator or not reason:
        raise StateRefused("a restore needs a name and why: --operator NAME --reason TEXT")
    backup: Path = options.source.resolve()
    manifest = _readable(backup)
    state = StateDirectory(options.state)
    with _nobody_else(state):
        done = _Restore(state, backup, manifest)
        done.prepare()
        given_up = done.given_up()
        if given_up and not options.give_up_records:
            raise StateRefused(
                f"the journal in {state.path} is sound and holds {given_up} records that the backup"
                " does not: start it as it is with `fuseboard run`; to give them up all the same,"
                " add --give-up-records"
            )
        done.bring_back(operator, reason)
    _tell(options, done, given_up)
    return 0


def _tell(options: argparse.Namespace, done: "_Restore", given_up: int) -> None:
    manifest = done.manifest
    if options.json:
        say_json(
            {
                "state": str(done.state.path),
                "backup": str(done.backup),
                "last_sequence": manifest.last_sequence,
                "given_up": given_up,
                "from_backup": done.from_backup,
                "replaced": str(done.aside),
            }
        )
        return
    taken = datetime.fromtimestamp(manifest.taken_ns // NANOS, UTC)
    say(f"restored {done.state.path} from {done.backup.name}, taken {taken:%Y-%m-%d %H:%M:%S} UTC")
    lost = f"{given_up} later ones are given up" if given_up else "no later one could be read"
    say(f"{manifest.last_sequence} records; {lost}; what was replaced is in {done.aside}")
    say(f"from the backup: {', '.join(done.from_backup)}")
    say("the account is HALTED. Start it with `fuseboard run`: it compares its books with the")
    say("broker's and asks for every order since. Then review, and `fuseboard reset` by name")


def restored_since(state: StateDirectory, told_wall_ns: int) -> Restored | None:
    """The restore that no start has told the kernel yet, whose newest is `told_wall_ns`; what was
    told is forgotten. Raises `StateRefused`.
    """
    untold = untold_restore(state, told_wall_ns)
    if untold is None:
        state.restored_file.unlink(missing_ok=True)
    return untold


def untold_restore(state: StateDirectory, told_wall_ns: int) -> Restored | None:
    """The same for who only looks. Raises `StateRefused`."""
    try:
        restored = msgspec.json.decode(state.restored_file.read_bytes(), type=Restored)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        raise StateRefused(
            f"{state.restored_file} is damaged ({error}): run `fuseboard restore` again"
        ) from error
    return restored if restored.at_wall_ns > told_wall_ns else None


def _readable(backup: Path) -> Manifest:
    """The manifest; a refusal names other backups that lie beside this one."""
    try:
        return read_manifest(backup)
    except BackupUnusable as refused:
        instance = backup.name.partition("-")[0]
        others = [path for path, _ in backups_of(backup.parent, instance) if path != backup]
        newest = ", ".join(str(path) for path in reversed(others[-OTHERS_SHOWN_MAX:]))
        raise BackupUnusable(f"{refused}{f'; there are {newest}' if newest else ''}") from refused


@contextmanager
def _nobody_else(state: StateDirectory) -> Iterator[None]:
    """Hold the gateway's and the guardian's lock. Raises `StateRefused` when either is held."""
    if state.path.exists() and not state.path.is_dir():
        raise StateRefused(f"{state.path} is not a directory: choose another with --state DIR")
    state.path.mkdir(mode=0o700, parents=True, exist_ok=True)
    mask = os.umask(0o077)
    gateway = state.lock()
    try:
        try:
            guardian = guardian_lock(state.path)
        except GuardianRefused:
            raise StateRefused(
                f"a guardian watches {state.path}: {_guardians_end(state)}, then restore"
            ) from None
        try:
            yield
        finally:
            os.close(guardian)
    finally:
        os.close(gateway)
        os.umask(mask)


def _guardians_end(state: StateDirectory) -> str:
    """How to stop the guardian; before that, what to wait for while it is needed at the broker."""
    place = Place(state.path)
    with closing(HeartbeatFile(place.heartbeat_file)) as file:
        gateway, guardian = file.read(Heart.GATEWAY), file.read(Heart.GUARDIAN)
    acts = guardian is not None and guardian.phase is Phase.ACTING
    if gateway is not None and gateway.phase is not Phase.STOPPED:
        acts = acts or gateway.run_ns not in done_runs(read_lines(place.journal_file))
    first = "it has nothing more to do at the broker: stop it"
    if acts:
        first = f"wait until {place.journal_file.name} ends with a new `done`, then stop it"
    by_hand = "" if guardian is None else f" with `kill {guardian.pid}`"
    return f"{first}{by_hand} (under systemd, which starts it again, with `{SYSTEMD_STOP}`)"


class _Restore:
    """One restore: `prepare` reads and proves, `bring_back` changes the state."""

    def __init__(self, state: StateDirectory, backup: Path, manifest: Manifest) -> None:
        self.state = state
        self.backup = backup
        self.manifest = manifest
        self.from_backup: list[str] = []
        stamp = datetime.fromtimestamp(time.time_ns() // NANOS, UTC)
        self.aside = state.path / ASIDE_NAME / f"{stamp:%Y%m%dT%H%M%SZ}"
        self._staging = state.path / STAGING_NAME

    def prepare(self) -> None:
        """Copy the backup beside the state and prove it; whose it is must agree."""
        present = self._present_instance()
        if present not in ("", self.manifest.instance):
            raise StateRefused(
                f"{self.state.path} is the state of instance {present}, the backup is of"
                f" {self.manifest.instance}: choose another with --state DIR"
            )
        shutil.rmtree(self._staging, ignore_errors=True)
        self._staging.mkdir(mode=0o700)
        try:
            restore_into(self.backup, self.manifest, self._staging)
            must_be_proven(self._staging, self.manifest)
        except BackupUnusable as refused:
            shutil.rmtree(self._staging, ignore_errors=True)
            if str(self.backup) in str(refused):
                raise
            raise BackupUnusable(
                f"the backup {self.backup} is damaged: {refused}: use another backup"
            ) from refused

    def _present_instance(self) -> str:
        """Whose state is there; empty where that cannot be read."""
        try:
            return self.state.read_identity().instance
        except StateRefused:
            return ""

    def given_up(self) -> int:
        """How many records a sound present journal holds that the backup does not."""
        file = self.state.journal_file
        try:
            moment = recover(file).last_moment
        except (JournalAbsent, JournalDamaged):
            return 0
        if not verify(file).ok:
            return 0
        ends_at, chain = anchor(file)
        kept, proof = self.manifest.last_sequence, self.manifest.chain
        if (ends_at, chain) == (kept, proof):
            return 0
        if verify(file, (kept, proof)).ok:
            return ends_at - kept
        if verify(self._staging / file.name, (ends_at, chain)).ok:
            return 0  # it is the older one: the backup goes on from it
        # Two histories of one instance.
        is_newer = moment is not None and moment.wall_ns > self.manifest.last_wall_ns
        return ends_at if is_newer else 0

    # --- changing the state ----------------------------------------------------------------------

    def bring_back(self, operator: str, reason: str) -> None:
        """Halt, then replace. Raises `RegisterUnwritable`, `OSError`; begin it again after that."""
        now_ns = time.time_ns()
        restored = Restored(
            backup=self.backup.name,
            operator=operator,
            reason=reason,
            at_wall_ns=max(now_ns, self.manifest.taken_ns + 1),
            last_wall_ns=max(self.manifest.last_wall_ns, 1),
        )
        is_new = not self.state.identity_file.exists()
        known = self._known_latches()  # before a damaged history of ours is set aside
        self._keep_history()
        self._halt(restored, known)
        write_atomically(self.state.unrestored_file, msgspec.json.encode(restored))
        self._set_aside_database(self.state.journal_file)
        self.state.statistics_file.unlink(missing_ok=True)  # counted from the other journal
        # Where a state is, an absent note of what we latched at the broker means that we lifted
        # it: an older note would lift what a person latched there since.
        lifted = () if is_new else (Place(self.state.path).latches_file.name,)
        for kept in self.manifest.files:
            if kept.name not in lifted:
                self._take(kept.name)
        write_atomically(self.state.restored_file, msgspec.json.encode(restored))
        shutil.rmtree(self._staging, ignore_errors=True)
        sync_folder(self.state.path)
        self.state.unrestored_file.unlink()
        sync_folder(self.state.path)

    def _keep_history(self) -> None:
        """The register's history stays where it is good, else the backup's goes on from its end."""
        history = self.state.history_file
        if history.exists() and not verify_history(history)[0]:
            self._set_aside_database(history)
        self._take(history.name)

    def _halt(self, restored: Restored, known: list[LatchHalt]) -> None:
        """Latch the register where it is; one that is not sound is made anew with all that is
        known to have been latched.
        """
        moment = Moment(machine_boot_ns(), restored.at_wall_ns)
        detail = f"restored from {restored.backup} by {restored.operator}: {restored.reason}"
        latches = [_halt_of(ACCOUNT_SCOPE, HaltLevel.HALT, Reason.RESTORED, "", detail)]
        file = self.state.register_file
        try:
            register_image(file)
        except (RegisterDamaged, OSError):
            latches += known
            file = self.state.path / "halts.restored"
            file.unlink(missing_ok=True)
            HaltsRegister.create(file)
        note = noting(self.state.history_file)
        with closing(HaltsRegister(file, Slot.OPERATOR, told=note)) as register:
            for latch in latches:
                register.latch(latch, moment)
        if file != self.state.register_file:
            self._set_aside(self.state.register_file)
            file.replace(self.state.register_file)
            sync_folder(self.state.path)
            self.from_backup.append("(a new halts register)")

    def _known_latches(self) -> list[LatchHalt]:
        """By what can still be read of the register and its history, and by the backup's register,
        which is sound.
        """
        found = [
            _halt_of(at.scope, at.level, at.reason, at.trip, at.detail)
            for at in history_end(self.state.history_file).left
        ]
        for folder in (self.state.path, self._staging):
            image = b""
            with suppress(OSError):
                image = (folder / self.state.register_file.name).read_bytes()
            if len(image) == REGISTER_BYTES:
                found += [
                    _halt_of(at.scope, at.level, at.reason, at.trip, at.detail)
                    for at in judged(image).latched
                ]
        return found

    def _set_aside_database(self, file: Path) -> None:
        """With what SQLite keeps beside it, which would be taken for the new one's."""
        for end in ("", "-wal", "-shm"):
            self._set_aside(file.with_name(file.name + end))

    def _set_aside(self, file: Path) -> None:
        if file.exists():
            self.aside.mkdir(mode=0o700, parents=True, exist_ok=True)
            file.replace(self.aside / file.name)

    def _take(self, name: str) -> None:
        """Take a file from the backup unless a good one of ours is there."""
        staged, ours = self._staging / name, self.state.path / name
        if not staged.exists() or self._stays(ours):
            return
        self._set_aside(ours)
        ours.parent.mkdir(mode=0o700, exist_ok=True)
        staged.replace(ours)
        self.from_backup.append(name)

    def _stays(self, ours: Path) -> bool:
        """Whether a present file is good: only what is absent or unreadable is replaced."""
        if ours.name.startswith(self.state.journal_file.name) or not ours.exists():
            return False
        try:
            if ours == self.state.identity_file:
                self.state.read_identity()
            elif ours == self.state.keys_file:
                Keys(ours)
            elif ours == self.state.operators_file:
                OperatorKeys(ours).listed()
            elif ours.suffix == ".json":
                msgspec.json.decode(ours.read_bytes())
            elif ours.suffix == ".yaml":
                return bool(ours.read_text().strip())
        except (KeysUnreadable, OSError, StateRefused, UnicodeDecodeError, msgspec.DecodeError):
            return False
        return True


def _halt_of(scope: str, level: HaltLevel, reason: Reason, trip: str, detail: str) -> LatchHalt:
    return LatchHalt(
        scope=scope, level=level, reason=reason, trip=trip, halt_epoch=0, detail=detail
    )
