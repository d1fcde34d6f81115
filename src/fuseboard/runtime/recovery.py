"""From the journal back to a kernel: the newest snapshot, and every later record derived anew."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from msgspec import Struct, structs

from fuseboard.core.kernel import Kernel
from fuseboard.journal.file import Connect, JournalDamaged, connected
from fuseboard.journal.recovery import Recovered, recover
from fuseboard.runtime.build import build
from fuseboard.vocabulary.inputs import Input, NodeFaulted, NodeStarted, PolicyAdopted

TOLD_EVERY: Final = 1_000


class Restored(Struct, frozen=True):
    """A kernel as the durable journal leaves it."""

    kernel: Kernel
    recovered: Recovered


def restored(
    journal_file: Path,
    connect: Connect = connected,
    *,
    told: Callable[[int, int], None] = lambda _record, _last: None,
) -> Restored:
    """The kernel of a journal. Raises `JournalDamaged` when a record does not derive again.

    Records of another build are folded without comparing: that build decided them. `told` hears, a
    record in a thousand, which one was replayed and which is the last.
    """
    recovered = recover(journal_file, release=build(), connect=connect)
    snapshot = recovered.snapshot
    kernel = Kernel() if snapshot is None else Kernel.restored(snapshot.body)
    if snapshot is not None and kernel.digest() != snapshot.digest:
        raise JournalDamaged("the snapshot's state is not what its digest says", snapshot.sequence)
    release = build() if snapshot is not None else ""
    for record in recovered.tail:
        if isinstance(record.input, NodeStarted):
            release = record.input.release
        try:
            effects = kernel.step(record.moment, _as_decided(record.input, release))
        except AssertionError as error:
            what = f"the record cannot be folded: {error}"
            raise JournalDamaged(what, record.sequence) from error
        ours = release == build() and not isinstance(record.input, NodeFaulted)
        if ours and effects != record.effects:
            raise JournalDamaged("the recorded effects do not follow", record.sequence)
        if record.sequence % TOLD_EVERY == 0:
            told(record.sequence, recovered.last_sequence)
    return Restored(kernel, recovered)


def _as_decided(fact: Input, release: str) -> Input:
    """An adoption of another release, which may have asked nobody: what it took is in force."""
    if not isinstance(fact, PolicyAdopted) or release in ("", build()):
        return fact
    who = fact.operator.strip() or "nobody"
    return structs.replace(fact, operator=who, reason=fact.reason or f"taken by release {release}")
