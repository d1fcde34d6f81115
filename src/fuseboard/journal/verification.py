"""Verification: read everything there is and say whether it is what was written."""

import sqlite3
from contextlib import closing
from pathlib import Path

from msgspec import Struct

from fuseboard.journal.file import (
    Database,
    Head,
    JournalAbsent,
    JournalDamaged,
    chained,
    genesis_of,
    head_path_of,
    open_for_reading,
    read_head,
    read_meta,
)
from fuseboard.journal.reader import checked_record, verified_commits
from fuseboard.journal.snapshots import snapshots


class Verdict(Struct, frozen=True):
    """What a verification found. `records` were read and are good, from the first on."""

    ok: bool
    records: int
    first_bad_sequence: int | None
    what: str


def verify(
    path: Path, anchor: tuple[int, str] | None = None, *, against_head: bool = True
) -> Verdict:
    """Read all of a journal, read-only, while a gateway may be writing.

    Checks bounds, sequences, chain, decoding, that boot time never goes back, snapshots, SQLite's
    own structure, the head file when it is there, and the anchor (sequence, chain in hex) that a
    person wrote down: a lost end is seen only against one of the last two. Never raises for what
    it finds in the file.
    """
    good = 0
    try:
        places = _places_written_down(path if against_head else None, anchor)
        with closing(open_for_reading(path)) as database:
            chain = genesis_of(read_meta(database))
            for found in snapshots(database):
                if isinstance(found, JournalDamaged):
                    raise found
                places.append((Head(found.sequence, found.chain), "a snapshot"))
            chain_at: dict[int, bytes] = {0: chain}
            wanted = {place.sequence for place, _ in places}
            boot_ns = 0
            for commit in verified_commits(database, Head(0, chain)):
                for sequence, line in enumerate(commit.lines, commit.first_sequence):
                    boot_ns = _checked_boot_ns(line, sequence, boot_ns)
                    good = sequence
                if not wanted.isdisjoint(range(commit.first_sequence, commit.last_sequence + 1)):
                    chain_at.update(_chains_of(commit.first_sequence, commit.lines, chain))
                chain = commit.chain
            for place, name in places:
                _check_place(place, name, chain_at, good)
            _check_structure(database)
    except JournalAbsent as absent:
        return Verdict(ok=False, records=0, first_bad_sequence=None, what=str(absent))
    except JournalDamaged as damage:
        return Verdict(ok=False, records=good, first_bad_sequence=damage.sequence, what=damage.what)
    return Verdict(ok=True, records=good, first_bad_sequence=None, what="every record is good")


def _places_written_down(
    path: Path | None, anchor: tuple[int, str] | None
) -> list[tuple[Head, str]]:
    """Read before the records, which therefore reach at least as far."""
    places: list[tuple[Head, str]] = []
    if path is not None and head_path_of(path).exists():
        places.append((read_head(path), "the head file"))
    if anchor is not None:
        try:
            places.append((Head(anchor[0], bytes.fromhex(anchor[1])), "the anchor"))
        except ValueError as error:
            raise JournalDamaged(
                f"the anchor is not a sequence and a hex chain: {error}"
            ) from error
    return places


def _checked_boot_ns(line: bytes, sequence: int, boot_ns_before: int) -> int:
    boot_ns = checked_record(line, sequence).moment.boot_ns
    if boot_ns < boot_ns_before:
        raise JournalDamaged(f"boot time goes back from {boot_ns_before} to {boot_ns}", sequence)
    return boot_ns


def _chains_of(first_sequence: int, body_lines: list[bytes], chain: bytes) -> dict[int, bytes]:
    chains: dict[int, bytes] = {}
    for sequence, line in enumerate(body_lines, first_sequence):
        chain = chained(chain, line)
        chains[sequence] = chain
    return chains


def _check_place(place: Head, name: str, chain_at: dict[int, bytes], good: int) -> None:
    if place.sequence > good:
        raise JournalDamaged(
            f"the journal ends at {good}, but {name} is at {place.sequence}: its end is lost or it"
            " was rolled back",
            good + 1,
        )
    if chain_at.get(place.sequence) != place.chain:
        raise JournalDamaged(f"{name} is of another history", place.sequence)


def _check_structure(database: Database) -> None:
    try:
        found = database.execute("PRAGMA integrity_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        raise JournalDamaged(f"the file cannot be read: {error}") from error
    if found != "ok":
        raise JournalDamaged(f"SQLite finds damage: {found}")
