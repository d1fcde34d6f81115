"""Recovery: the newest good snapshot and the verified records after it."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from fuseboard.journal.file import (
    Connect,
    JournalDamaged,
    adopt_head,
    connected,
    genesis_of,
    head_path_of,
    open_for_reading,
    read_head,
    read_meta,
    require_file,
)
from fuseboard.journal.reader import checked_record, commit_at_or_before, head_of, records
from fuseboard.journal.snapshots import Snapshot, is_of_this_chain, snapshots
from fuseboard.journal.verification import verify
from fuseboard.vocabulary.inputs import Moment
from fuseboard.vocabulary.records import Record


@dataclass(frozen=True, slots=True)
class Recovered:
    """Where a restart begins. Nothing is proven before `tail` has been read to its end."""

    instance: str
    snapshot: Snapshot | None
    tail: Iterator[Record]
    """The records after the snapshot up to `last_sequence`; raises `JournalDamaged` at damage."""
    last_sequence: int
    last_chain: bytes
    last_moment: Moment | None
    """The moment of the last record; None when there is none."""
    refused: tuple[str, ...]
    """Snapshots that were not used, and why: each is worth an alert."""


def recover(path: Path, *, release: str | None = None, connect: Connect = connected) -> Recovered:
    """What a restart needs. With `release`, only a snapshot of that release is used.

    The head file must agree. Raises `JournalAbsent`, `JournalDamaged`.
    """
    require_file(path)
    head_written = read_head(path)
    with closing(open_for_reading(path, connect)) as database:
        meta = read_meta(database)
        head = head_of(database)
        if head_written.sequence > head.sequence:
            raise JournalDamaged(
                f"the journal ends at {head.sequence}, but {head_path_of(path)} says that"
                f" {head_written.sequence} was durable: its end is lost or it was rolled back",
                head.sequence + 1,
            )
        written = commit_at_or_before(database, head_written.sequence)
        chain_there = genesis_of(meta) if written is None else written.chain
        if chain_there != head_written.chain:
            raise JournalDamaged("the head file is of another history", head_written.sequence)
        chosen: Snapshot | None = None
        refused: list[str] = []
        for candidate in snapshots(database):
            if isinstance(candidate, JournalDamaged):
                refused.append(str(candidate))
            elif release is not None and candidate.release != release:
                refused.append(
                    f"the snapshot at {candidate.sequence} is of release {candidate.release}"
                )
            elif not is_of_this_chain(database, candidate):
                refused.append(f"the snapshot at {candidate.sequence} is not of this chain")
            else:
                chosen = candidate
                break
        last = commit_at_or_before(database, head.sequence)
        moment = None if last is None else checked_record(last.lines[-1], head.sequence).moment
    return Recovered(
        instance=meta.instance,
        snapshot=chosen,
        tail=records(
            path, 1 if chosen is None else chosen.sequence + 1, head.sequence, connect=connect
        ),
        last_sequence=head.sequence,
        last_chain=head.chain,
        last_moment=moment,
        refused=tuple(refused),
    )


def adopt(path: Path, anchor: tuple[int, str]) -> None:
    """Accept a journal whose head file is lost, because a person holds its anchor.

    The whole journal must verify and end exactly there. Raises `JournalDamaged`.
    """
    verdict = verify(path, anchor=anchor, against_head=False)
    if not verdict.ok or verdict.records != anchor[0]:
        raise JournalDamaged(f"not adopted: {verdict.what}", verdict.first_bad_sequence)
    with closing(open_for_reading(path)) as database:
        adopt_head(path, head_of(database))
