"""Snapshots: the kernel's state at a sequence, so that a restart reads only what came after."""

import hashlib
import sqlite3
from collections.abc import Iterator

from msgspec import Struct

from fuseboard.journal.file import Database, JournalDamaged
from fuseboard.journal.reader import commit_at_or_before

_INSERT = "INSERT OR REPLACE INTO snapshots VALUES(?, ?, ?, ?, ?, ?, ?)"
_PRUNE = (
    "DELETE FROM snapshots WHERE sequence NOT IN"
    " (SELECT sequence FROM snapshots ORDER BY sequence DESC LIMIT ?)"
)
_NEWEST = "SELECT sequence FROM snapshots ORDER BY sequence DESC LIMIT 100"
_ONE = (
    "SELECT sequence, chain, digest, release, policy_digest, checksum, body"
    " FROM snapshots WHERE sequence = ?"
)


class Snapshot(Struct, frozen=True, kw_only=True):
    """The state after `sequence`: its bytes, its digest, and the release that can read it."""

    sequence: int
    chain: bytes
    digest: str
    release: str
    policy_digest: str
    body: bytes


def checksum_of(snapshot: Snapshot) -> bytes:
    """SHA-256 over every field."""
    head = (
        f"{snapshot.sequence}\n{snapshot.chain.hex()}\n{snapshot.digest}\n{snapshot.release}\n"
        f"{snapshot.policy_digest}\n"
    )
    return hashlib.sha256(head.encode() + snapshot.body).digest()


def store(database: Database, snapshot: Snapshot, *, kept_max: int) -> None:
    """Store a snapshot and drop all but the newest `kept_max`, in one transaction."""
    values = (
        snapshot.sequence,
        snapshot.chain,
        snapshot.digest,
        snapshot.release,
        snapshot.policy_digest,
        checksum_of(snapshot),
        snapshot.body,
    )
    database.execute("BEGIN IMMEDIATE")
    database.execute(_INSERT, values)
    database.execute(_PRUNE, (kept_max,))
    database.execute("COMMIT")


def snapshots(database: Database) -> Iterator[Snapshot | JournalDamaged]:
    """Every stored snapshot, newest first; a damaged one as the damage."""
    try:
        sequences = [row[0] for row in database.execute(_NEWEST)]
    except sqlite3.Error as error:
        yield JournalDamaged(f"the snapshots cannot be read: {error}")
        return
    for sequence in sequences:
        snapshot = _read(database, sequence)
        if snapshot is not None:
            yield snapshot


def _read(database: Database, sequence: int) -> Snapshot | JournalDamaged | None:
    """None: pruned by the writer since it was listed."""
    try:
        row = database.execute(_ONE, (sequence,)).fetchone()
    except sqlite3.Error as error:
        return JournalDamaged(f"the snapshot cannot be read: {error}", sequence)
    if row is None:
        return None
    kinds = (int, bytes, str, str, str, bytes, bytes)
    if not all(isinstance(value, kind) for value, kind in zip(row, kinds, strict=True)):
        return JournalDamaged("the snapshot's columns are not what they should be", sequence)
    found, chain, digest, release, policy_digest, checksum, body = row
    snapshot = Snapshot(
        sequence=found,
        chain=chain,
        digest=digest,
        release=release,
        policy_digest=policy_digest,
        body=body,
    )
    if checksum_of(snapshot) != checksum:
        return JournalDamaged("the snapshot's checksum is wrong", sequence)
    return snapshot


def is_of_this_chain(database: Database, snapshot: Snapshot) -> bool:
    """Whether a commit ends exactly where the snapshot was taken, with the same chain value."""
    commit = commit_at_or_before(database, snapshot.sequence)
    return (
        commit is not None
        and commit.last_sequence == snapshot.sequence
        and commit.chain == snapshot.chain
    )
