"""`fuseboard verify` and `replay`: whether the journal is what was written and decided."""

import argparse
import re
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from fuseboard.control.saying import say, say_json
from fuseboard.control.state_directory import StateDirectory, StateRefused
from fuseboard.core.kernel import Kernel
from fuseboard.halts.block import Latched, Slot
from fuseboard.halts.evidence import weigh
from fuseboard.halts.history import history_anchor, verify_history
from fuseboard.halts.register import HaltsRegister
from fuseboard.journal.file import JournalDamaged, require_file
from fuseboard.journal.reader import anchor, lines
from fuseboard.journal.verification import verify
from fuseboard.runtime.replay import replay_lines
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.reasons import Reason

DAMAGED: Final = 1
_ANCHOR: Final = re.compile(r"([0-9]{1,18}):([0-9a-f]{64})", re.ASCII)


def journal_file(options: argparse.Namespace) -> Path:
    """The journal that was named, else the state's. Raises `JournalAbsent`, `StateRefused`."""
    path = _journal_file(options)
    require_file(path)
    return path


def _journal_file(options: argparse.Namespace) -> Path:
    """The same; of a state that lost its journal, where it should be."""
    if options.journal is not None:
        require_file(options.journal)
        return Path(options.journal)
    state = StateDirectory(options.state)
    state.identity()
    return state.journal_file


def command_verify(options: argparse.Namespace) -> int:
    """Check the journal's chain; with an anchor, also that its end was not cut off.

    A state that lost its journal still has the history of its register, which is judged and shown.
    Raises `JournalAbsent` for a journal that was named, and `StateRefused` for what is no anchor.
    """
    path = _journal_file(options)
    held = None if options.anchor is None else _anchor(options.anchor)
    verdict = verify(path, anchor=held)
    ends = ""
    if verdict.ok:
        sequence, digest = anchor(path)
        ends = f"{sequence}:{digest}"
    halts_ok, changes, halts_said, halts_ends = _halts_history(options)
    if options.json:
        say_json(
            {
                "ok": verdict.ok and halts_ok,
                "records": verdict.records,
                "what": verdict.what,
                "first_bad_sequence": verdict.first_bad_sequence,
                "anchor": ends,
                "halts": {
                    "ok": halts_ok,
                    "changes": changes,
                    "what": halts_said,
                    "anchor": halts_ends,
                },
            }
        )
    elif not path.exists():
        say(f"{verdict.what}: nothing of it is judged")
    elif verdict.ok:
        say(f"{verdict.records} records, the chain holds; anchor {ends}")
    else:
        at = verdict.first_bad_sequence
        say(f"damaged{'' if at is None else f' at record {at}'}: {verdict.what}")
        say(f"{verdict.records} records before it are good")
    if not options.json and (changes or not halts_ok):
        said = f"the chain holds; anchor {halts_ends}" if halts_ok else f"not good: {halts_said}"
        say(f"{changes} changes of the halts register, {said}")
    return 0 if verdict.ok and halts_ok else DAMAGED


def _halts_history(options: argparse.Namespace) -> tuple[bool, int, str, str]:
    """The verdict on the register's history; a journal that was named stands for itself.

    It is read first and the register after it, so that a gateway at work is no contradiction.
    """
    if options.journal is not None:
        return True, 0, "not asked", ""
    state = StateDirectory(options.state)
    ok, changes, said = verify_history(state.history_file, options.halts_anchor or "")
    if not ok:
        return False, changes, said, ""
    with closing(HaltsRegister(state.register_file, Slot.OPERATOR)) as register:
        weighed = weigh(register, state.history_file)
        damaged = any(map(_is_damage, register.latched()))
    if damaged:
        return False, changes, f"the register {state.register_file} is absent, short or damaged", ""
    doubt = weighed.register_doubt or weighed.history_doubt
    if doubt:
        return False, changes, f"register and history do not agree: {doubt}", ""
    return True, changes, said, history_anchor(state.history_file)


def _is_damage(latch: Latched) -> bool:
    """Whether it stands for what cannot be read; one that a writer latched for it has a time."""
    return latch.reason is Reason.REGISTER_UNREADABLE and latch.wall_ns == 0


def _anchor(text: str) -> tuple[int, str]:
    match = _ANCHOR.fullmatch(text)
    if match is None:
        raise StateRefused("--anchor is N:HEX, as `fuseboard verify` printed it before")
    return int(match[1]), match[2]


class _Replayed(Struct, frozen=True):
    """What a replay found, as `--json` shows it."""

    ok: bool
    records: int
    digest: str
    records_per_second: int
    first_difference: int | None = None
    what: str = ""
    recorded: str = ""
    derived: str = ""


def command_replay(options: argparse.Namespace) -> int:
    """Derive every decision again."""
    found = _replayed(journal_file(options))
    if options.json:
        say_json(found)
    elif found.ok:
        rate = f"{found.records_per_second:,}"
        say(f"{found.records} records replayed to the same effects ({rate} a second)")
        say(f"state digest {found.digest}")
    else:
        say(f"record {found.first_difference}: {found.what}")
        if found.recorded or found.derived:
            say(f"  recorded {found.recorded}")
            say(f"  derived  {found.derived}")
    return 0 if found.ok else DAMAGED


def _replayed(path: Path) -> _Replayed:
    """The verdict; also of a journal that cannot be read on, or that no kernel can have written.

    Raises `JournalAbsent`, and `JournalDamaged` for a file that is no journal at all.
    """
    kernel = Kernel()
    counted = _Counted(lines(path))
    began_ns = time.perf_counter_ns()
    try:
        verdict = replay_lines(counted, kernel)
    except JournalDamaged as damage:
        if damage.sequence is None and counted.taken == 0:
            raise
        return _Replayed(
            ok=False,
            records=counted.taken,
            digest="",
            records_per_second=0,
            first_difference=damage.sequence,
            what=damage.what,
        )
    except (msgspec.MsgspecError, AssertionError) as error:
        return _Replayed(
            ok=False,
            records=counted.taken - 1,
            digest="",
            records_per_second=0,
            first_difference=counted.taken,
            what=f"the record cannot be replayed: {error}",
        )
    elapsed_ns = max(time.perf_counter_ns() - began_ns, 1)
    difference = verdict.difference
    return _Replayed(
        ok=verdict.ok,
        records=verdict.records,
        digest=kernel.digest(),
        records_per_second=verdict.records * NANOS // elapsed_ns,
        first_difference=None if difference is None else difference.sequence,
        what="" if difference is None else difference.what,
        recorded="" if difference is None else difference.recorded.decode(errors="replace"),
        derived="" if difference is None else difference.derived.decode(errors="replace"),
    )


class _Counted:
    """Lines, and how many of them were taken."""

    def __init__(self, source: Iterator[bytes]) -> None:
        self._source = source
        self.taken = 0

    def __iter__(self) -> Iterator[bytes]:
        for line in self._source:
            self.taken += 1
            yield line
