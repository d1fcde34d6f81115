"""What a backup holds: its files, its manifest, and the proof that a start could use them.

A backup is a folder with the files of a state directory under their own names and `manifest.json`.
It gets its name by one rename when all of it is on the disk, so what has the name is whole.
"""

import hashlib
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from fuseboard.control.operator_keys import OperatorKeys
from fuseboard.control.policy_file import loaded_policy
from fuseboard.control.state_directory import StateDirectory, StateRefused
from fuseboard.gateway.keys import Keys, KeysUnreadable
from fuseboard.guardian.orders import Place
from fuseboard.halts.copying import RegisterDamaged, register_image
from fuseboard.halts.history import verify_history
from fuseboard.halts.whole_file import sync_folder, write_atomically
from fuseboard.journal.file import JournalAbsent, JournalDamaged
from fuseboard.journal.verification import verify
from fuseboard.policy.yaml_text import PolicyRefused
from fuseboard.runtime.recovery import restored

FORMAT: Final = 1
MANIFEST_NAME: Final = "manifest.json"
MANIFEST_BYTES_MAX: Final = 4_000_000
FILES_MAX: Final = 2_000
CHUNK_BYTES: Final = 1 << 20
FOLDERS: Final = ("calendars", "drills")


class BackupUnusable(Exception):
    """A backup cannot be made, or one that was made cannot be used; the message says what to do."""


class KeptFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file of a backup."""

    name: str
    bytes: int
    sha256: str


class Manifest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a backup is of. Times are wall time, nanoseconds since 1970."""

    format: int
    release: str
    instance: str
    account: str
    taken_ns: int
    last_sequence: int
    """Of the journal; 0 when it is empty."""
    chain: str
    """The chain's value after it, in hex."""
    last_wall_ns: int
    """When the last record was made; 0 when there is none."""
    halt_epoch: int
    latched: tuple[str, ...]
    """What the halts register held, a line each."""
    verified: bool
    """Whether it was restored for trial and read as a start reads it."""
    files: tuple[KeptFile, ...]


def plain_files(state: StateDirectory) -> list[str]:
    """The files that are copied as they are, of those that are there: relative names, in order."""
    place = Place(state.path)
    known = (
        *(state.identity_file, state.policy_file, state.keys_file, state.operators_file),
        *(state.watchlists_file, place.orders_file, place.journal_file),
        *(place.latches_file, state.path / "guardian.reported"),
    )
    found = [file.name for file in known if file.is_file()]
    beside: list[str] = []
    with suppress(PolicyRefused, StateRefused):  # one that cannot be read is copied all the same
        loaded_policy(state.policy_file, used=beside)
    found += [name for name in beside if (state.path / name).is_file() and name not in found]
    for folder in FOLDERS:
        below = sorted((state.path / folder).glob("*")) if (state.path / folder).is_dir() else []
        found += [f"{folder}/{file.name}" for file in below if file.is_file()]
    if len(found) > FILES_MAX:
        raise BackupUnusable(f"{state.path} holds more than {FILES_MAX} files to keep")
    return found


def kept_file(folder: Path, name: str) -> KeptFile:
    """A file's size and digest. Raises `OSError`."""
    digest, size = hashlib.sha256(), 0
    with (folder / name).open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
    return KeptFile(name=name, bytes=size, sha256=digest.hexdigest())


def copy_file(source: Path, target: Path) -> None:
    """Copy a file durably, readable by its owner only. Raises `OSError`."""
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with source.open("rb") as original, os.fdopen(descriptor, "wb") as copy:
        while chunk := original.read(CHUNK_BYTES):
            copy.write(chunk)
        copy.flush()
        os.fsync(copy.fileno())


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """The last file of a backup. Raises `OSError`."""
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
    write_atomically(folder / MANIFEST_NAME, text)


def read_manifest(folder: Path) -> Manifest:
    """What a backup says of itself. Raises `BackupUnusable`."""
    file = folder / MANIFEST_NAME
    try:
        with file.open("rb") as opened:
            manifest = msgspec.json.decode(opened.read(MANIFEST_BYTES_MAX), type=Manifest)
    except FileNotFoundError:
        raise BackupUnusable(f"{folder} is no backup: it has no {MANIFEST_NAME}") from None
    except (OSError, msgspec.MsgspecError) as error:
        raise BackupUnusable(f"{file} is damaged ({error}): use another backup") from error
    if manifest.format != FORMAT:
        raise BackupUnusable(
            f"{folder} is of format {manifest.format}, this release reads {FORMAT}"
        )
    for kept in manifest.files:
        parts = Path(kept.name).parts
        if not parts or ".." in parts or Path(kept.name).is_absolute():
            raise BackupUnusable(f"{file} names a file outside the backup: use another backup")
    return manifest


def restore_into(backup: Path, manifest: Manifest, folder: Path) -> None:
    """Copy a backup's files into an empty folder, each compared with its digest after the copy.

    Raises `BackupUnusable` for the first that is not what was written.
    """
    for kept in manifest.files:
        target = folder / kept.name
        try:
            copy_file(backup / kept.name, target)
            found = kept_file(folder, kept.name)
        except OSError as error:
            raise BackupUnusable(
                f"the backup {backup} is damaged: {kept.name} cannot be copied"
                f" ({error.strerror}): use another backup"
            ) from error
        if found != kept:
            raise BackupUnusable(
                f"the backup {backup} is damaged: {kept.name} is not what was written"
                f" ({_difference(found, kept)}): use another backup"
            )
    sync_folder(folder)


def _difference(found: KeptFile, kept: KeptFile) -> str:
    if found.bytes != kept.bytes:
        return f"{found.bytes} bytes, {kept.bytes} were written"
    return f"its {kept.bytes} bytes have another checksum"


def must_be_proven(folder: Path, manifest: Manifest) -> None:
    """Read all that a start would read, in a folder that nobody uses.

    The journal's chain to the manifest's end, every record after the newest snapshot derived anew,
    the register, its history, the keys. Raises `BackupUnusable` with what is wrong.
    """
    state = StateDirectory(folder)
    try:
        identity = state.identity()
        verdict = verify(state.journal_file, (manifest.last_sequence, manifest.chain))
        if not verdict.ok:
            raise BackupUnusable(f"{state.journal_file.name}: {verdict.what}")
        instance = restored(state.journal_file).recovered.instance
        register_image(state.register_file)
        Keys(state.keys_file)
        OperatorKeys(state.operators_file).listed()
    except (JournalAbsent, JournalDamaged, RegisterDamaged, KeysUnreadable, StateRefused) as wrong:
        raise BackupUnusable(str(wrong)) from wrong
    if instance != identity.instance:
        raise BackupUnusable(f"the journal is of another instance, {instance}")
    good, _, what = verify_history(state.history_file)
    if not good:
        raise BackupUnusable(f"{state.history_file.name}: {what}")
