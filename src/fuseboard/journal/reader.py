"""Reading a journal: what is read is verified against the chain before it is handed out.

Every read is short (a few commits at a time), so a reader of any length never holds back the
writer's checkpoints; rows are only ever appended, so the pieces fit together.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import msgspec

from fuseboard.journal.file import (
    CHAIN_BYTES,
    Connect,
    Database,
    Head,
    JournalDamaged,
    chained,
    connected,
    genesis_of,
    open_for_reading,
    read_meta,
)
from fuseboard.vocabulary.records import Record, decoded_record

READ_COMMITS_MAX = 32
_COLUMNS = "SELECT first_sequence, last_sequence, body, chain FROM commits"
_ONWARD = f"{_COLUMNS} WHERE first_sequence >= ? ORDER BY first_sequence LIMIT {READ_COMMITS_MAX}"
_AT_OR_BEFORE = f"{_COLUMNS} WHERE first_sequence <= ? ORDER BY first_sequence DESC LIMIT 1"
_SEQUENCE_MAX = 2**63 - 1


class Commit(NamedTuple):
    """One row, its bounds and types checked; its chain is checked by whoever reads on."""

    first_sequence: int
    last_sequence: int
    lines: list[bytes]
    chain: bytes


def lines(
    path: Path,
    from_sequence: int = 1,
    to_sequence: int | None = None,
    *,
    connect: Connect = connected,
) -> Iterator[bytes]:
    """The records' lines as written, from one sequence on, the chain verified on the way.

    Ends at `to_sequence` if given, else at the last record there is when it gets there. Raises
    `JournalAbsent`, `JournalDamaged`.
    """
    assert from_sequence >= 1, "sequences start at 1"
    with closing(open_for_reading(path, connect)) as database:
        start = start_of(database, from_sequence)
        sequence = start.sequence
        for commit in verified_commits(database, start):
            for line in commit.lines:
                sequence += 1
                if to_sequence is not None and sequence > to_sequence:
                    return
                if sequence >= from_sequence:
                    yield line


def records(
    path: Path,
    from_sequence: int = 1,
    to_sequence: int | None = None,
    *,
    connect: Connect = connected,
) -> Iterator[Record]:
    """The records from one sequence on, verified. Raises as `lines` does."""
    found = lines(path, from_sequence, to_sequence, connect=connect)
    for sequence, line in enumerate(found, from_sequence):
        yield checked_record(line, sequence)


def anchor(path: Path) -> tuple[int, str]:
    """The last sequence and the chain value after it, in hex, for a person to write down."""
    with closing(open_for_reading(path)) as database:
        head = head_of(database)
    return head.sequence, head.chain.hex()


def head_of(database: Database) -> Head:
    """The end of the chain as stored, not verified; the genesis when there is no record."""
    commit = commit_at_or_before(database, _SEQUENCE_MAX)
    if commit is None:
        return Head(0, genesis_of(read_meta(database)))
    return Head(commit.last_sequence, commit.chain)


def start_of(database: Database, from_sequence: int) -> Head:
    """The end of the last commit before the one that holds `from_sequence`."""
    genesis = Head(0, genesis_of(read_meta(database)))
    holder = commit_at_or_before(database, from_sequence)
    if holder is None:
        return genesis
    if holder.last_sequence < from_sequence:
        return Head(holder.last_sequence, holder.chain)
    before = commit_at_or_before(database, holder.first_sequence - 1)
    return genesis if before is None else Head(before.last_sequence, before.chain)


def verified_commits(database: Database, start: Head) -> Iterator[Commit]:
    """All commits after `start`, without gaps, each proven by the chain."""
    sequence, chain = start
    while True:
        try:
            rows = database.execute(_ONWARD, (sequence + 1,)).fetchall()
        except (sqlite3.Error, OverflowError) as error:
            raise JournalDamaged(f"the file cannot be read: {error}", sequence + 1) from error
        for row in rows:
            commit = _checked_row(row, sequence + 1)
            for line in commit.lines:
                chain = chained(chain, line)
            if chain != commit.chain:
                raise JournalDamaged(
                    f"the chain is broken in the commit {commit.first_sequence} to"
                    f" {commit.last_sequence}",
                    commit.first_sequence,
                )
            sequence = commit.last_sequence
            yield commit
        if not rows:
            return


def commit_at_or_before(database: Database, sequence: int) -> Commit | None:
    """The commit that starts at or last before a sequence; not verified against the chain."""
    try:
        row = database.execute(_AT_OR_BEFORE, (sequence,)).fetchone()
    except sqlite3.Error as error:
        raise JournalDamaged(f"the file cannot be read: {error}", sequence) from error
    return None if row is None else _checked_row(row, None)


def checked_record(line: bytes, sequence: int) -> Record:
    """The record of a line, which must be the one of this sequence."""
    try:
        record = decoded_record(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise JournalDamaged(f"the record cannot be decoded: {error}", sequence) from error
    if record.sequence != sequence:
        raise JournalDamaged(f"the record calls itself {record.sequence}", sequence)
    return record


def _checked_row(row: tuple[object, ...], expected: int | None) -> Commit:
    first, last, body, chain = row
    if not isinstance(first, int) or not isinstance(last, int):
        raise JournalDamaged("a commit's bounds are not numbers", expected)
    if expected is not None and first != expected:
        raise JournalDamaged(f"the next commit starts at {first}, not at {expected}", expected)
    if not isinstance(body, bytes) or not isinstance(chain, bytes) or len(chain) != CHAIN_BYTES:
        raise JournalDamaged("a commit's body or chain is not bytes of its length", first)
    body_lines = body.split(b"\n")
    if first < 1 or last - first + 1 != len(body_lines):
        raise JournalDamaged(f"the commit {first} to {last} holds {len(body_lines)} records", first)
    return Commit(first, last, body_lines, chain)
