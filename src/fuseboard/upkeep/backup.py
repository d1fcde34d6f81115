"""`fuseboard backup`: a copy of the state, taken while the gateway runs, proven by restoring it.

The journal is copied before the register: a halt that comes in between is in the copy, a reset that
comes in between is not, and what only one of the two holds halts (`core/startup.py`).
"""

import argparse
import fcntl
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from fuseboard.alerts.console import ConsolePager
from fuseboard.alerts.outward import OutwardPager, outward_pagers
from fuseboard.control.saying import say, say_json
from fuseboard.control.state_directory import (
    Identity,
    StateDirectory,
    StateRefused,
)
from fuseboard.halts.copying import RegisterDamaged, copied_history, register_image
from fuseboard.halts.history import HistoryDamaged
from fuseboard.halts.whole_file import sync_folder, write_atomically
from fuseboard.journal.copying import copied_journal
from fuseboard.journal.file import JournalAbsent, JournalDamaged, head_path_of
from fuseboard.journal.recovery import recover
from fuseboard.runtime.build import build
from fuseboard.upkeep.backup_files import (
    FORMAT,
    BackupUnusable,
    Manifest,
    copy_file,
    kept_file,
    must_be_proven,
    plain_files,
    read_manifest,
    restore_into,
    write_manifest,
)
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Severity
from fuseboard.vocabulary.reasons import Reason

FOLDER_NAME: Final = "backups"
NEWEST_NAME: Final = "backup-newest.json"
"""In the state directory: what the gateway knows of its newest backup, without looking there."""
UNFINISHED: Final = ".unfinished-"
REMOVED: Final = ".removed-"
BACKUPS_MAX: Final = 20_000
NICE: Final = 10
"""How far a scheduled backup stands back behind the gateway for the processor."""
_DAY_NS: Final = 24 * 3600 * 1_000_000_000
_FAILURES: Final = (
    BackupUnusable,
    HistoryDamaged,
    JournalAbsent,
    JournalDamaged,
    OSError,
    RegisterDamaged,
    StateRefused,
    sqlite3.Error,
)


class Newest(Struct, frozen=True, kw_only=True):
    """The newest scheduled backup, by who made it. `taken_ns` is wall time, since 1970."""

    folder: str
    name: str
    taken_ns: int


def command_backup(options: argparse.Namespace) -> int:
    """Take one backup; a failure leaves nothing behind that looks like one, and pages."""
    state = StateDirectory(options.state)
    folder = options.to or state.path / FOLDER_NAME
    if options.scheduled:
        os.nice(NICE)
    try:
        made, manifest = taken(state, folder, verify=not options.unverified)
        if options.scheduled:
            newest = Newest(folder=str(folder), name=made.name, taken_ns=manifest.taken_ns)
            write_atomically(state.path / NEWEST_NAME, msgspec.json.encode(newest))
    except _FAILURES as failure:
        text = f"the backup of {state.path} to {folder} failed: {failure}"
        if not options.scheduled:  # else the gateway, which reads the message, pages
            _page(text)
        raise BackupUnusable(text) from failure
    removed = pruned(made, manifest.instance, copies=options.copies, days=options.retention_days)
    if options.json:
        say_json({"backup": str(made), "manifest": manifest, "removed": removed})
        return 0
    say(f"backup {made}")
    proof = "not verified" if options.unverified else "verified by restoring it"
    size = sum(kept.bytes for kept in manifest.files)
    say(
        f"{manifest.last_sequence} records, {len(manifest.latched)} latches,"
        f" {len(manifest.files)} files, {size} bytes; {proof}"
    )
    for name in removed:
        say(f"removed {name}, by the policy's retention")
    return 0


def taken(state: StateDirectory, folder: Path, *, verify: bool = True) -> tuple[Path, Manifest]:
    """Make a backup in a folder: where it is, and what it holds. Raises one of `_FAILURES`."""
    identity = state.identity()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    mask = os.umask(0o077)
    try:
        with _alone(folder):
            unfinished = folder / f"{UNFINISHED}{os.getpid()}"
            unfinished.mkdir(mode=0o700)
            try:
                manifest = _written(state, identity, unfinished, verify=verify)
                made = folder / _name(manifest)
                unfinished.rename(made)
            except BaseException:
                shutil.rmtree(unfinished, ignore_errors=True)
                raise
            sync_folder(folder)
    finally:
        os.umask(mask)
    return made, manifest


def _written(
    state: StateDirectory, identity: Identity, unfinished: Path, *, verify: bool
) -> Manifest:
    taken_ns = time.time_ns()
    head = copied_journal(state.journal_file, unfinished / state.journal_file.name)
    names = [state.journal_file.name, head_path_of(state.journal_file).name]
    if state.history_file.exists():
        copied_history(state.history_file, unfinished / state.history_file.name)
        names.append(state.history_file.name)
    image, judgement = register_image(state.register_file)
    write_atomically(unfinished / state.register_file.name, image)
    names.append(state.register_file.name)
    for name in plain_files(state):
        copy_file(state.path / name, unfinished / name)
        names.append(name)
    moment = recover(unfinished / state.journal_file.name).last_moment
    manifest = Manifest(
        format=FORMAT,
        release=build(),
        instance=identity.instance,
        account=identity.account,
        taken_ns=taken_ns,
        last_sequence=head.sequence,
        chain=head.chain.hex(),
        last_wall_ns=0 if moment is None else moment.wall_ns,
        halt_epoch=judgement.halt_epoch,
        latched=tuple(latch.line() for latch in judgement.latched),
        verified=verify,
        files=tuple(kept_file(unfinished, name) for name in names),
    )
    if verify:
        _restored_for_trial(unfinished, manifest)
    write_manifest(unfinished, manifest)
    for each in sorted({(unfinished / name).parent for name in names}):
        sync_folder(each)
    return manifest


def _restored_for_trial(unfinished: Path, manifest: Manifest) -> None:
    """Restore into a folder of its own, and read there all that a start would read."""
    trial = unfinished / "trial"
    trial.mkdir(mode=0o700)
    try:
        restore_into(unfinished, manifest, trial)
        must_be_proven(trial, manifest)
    finally:
        shutil.rmtree(trial)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One backup at a time in a folder; what one that was killed left there is removed.

    Raises `BackupUnusable` while another is at work.
    """
    descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupUnusable(f"another backup is being written to {folder}") from None
        for left in (*folder.glob(f"{UNFINISHED}*"), *folder.glob(f"{REMOVED}*")):
            shutil.rmtree(left, ignore_errors=True)
        yield
    finally:
        os.close(descriptor)


def _name(manifest: Manifest) -> str:
    """Names sort by time, to the millisecond: under the lock no two are of the same."""
    taken = datetime.fromtimestamp(manifest.taken_ns // NANOS, UTC)
    milliseconds = manifest.taken_ns // 1_000_000 % 1_000
    return f"{manifest.instance}-{taken:%Y%m%dT%H%M%S}.{milliseconds:03d}Z"


def backups_of(folder: Path, instance: str) -> list[tuple[Path, Manifest]]:
    """The backups of an instance in a folder, oldest first; what cannot be read is left out."""
    found: list[tuple[Path, Manifest]] = []
    for each in sorted(folder.glob(f"{instance}-*"))[-BACKUPS_MAX:]:
        with suppress(BackupUnusable):
            found.append((each, read_manifest(each)))
    return sorted(found, key=lambda row: row[1].taken_ns)


def pruned(made: Path, instance: str, *, copies: int | None, days: int | None) -> list[str]:
    """Remove what retention gives up, never the one that was just made: the names.

    A clock that was ahead dated backups in our future: of these nobody knows how old they are, so
    they make room first. Raises `OSError`.
    """
    now_ns = time.time_ns()
    others = [row for row in backups_of(made.parent, instance) if row[0].name != made.name]
    others.sort(key=lambda row: row[1].taken_ns <= now_ns)  # stable: else oldest first
    oldest_ns = 0 if days is None else now_ns - days * _DAY_NS
    kept_from = 0 if copies is None else max(0, len(others) + 1 - copies)
    gone = [
        path
        for number, (path, manifest) in enumerate(others)
        if number < kept_from or manifest.taken_ns < oldest_ns
    ]
    for path in gone:
        doomed = path.with_name(f"{REMOVED}{path.name}")
        path.rename(doomed)  # half removed it must not look like a backup
        shutil.rmtree(doomed, ignore_errors=True)
    return [path.name for path in gone]


def _page(text: str) -> None:
    """Tell people outside, by what the environment names, and on this terminal."""
    doors: list[ConsolePager | OutwardPager] = [ConsolePager(), *outward_pagers(os.environ)]
    for door in doors:
        door.page(Severity.PAGE.value, Reason.BACKUP.value, ACCOUNT_SCOPE, text)
    for door in doors:
        door.close()
