"""A journal becomes a kernel again, or is refused; and what an operator sees of it meanwhile."""

from pathlib import Path

import pytest
from msgspec import structs

from fuseboard.app.kept_journal import keep_journal
from fuseboard.app.offline import offline_status
from fuseboard.control.state_directory import Identity, StateDirectory
from fuseboard.halts.register import HaltsRegister
from fuseboard.journal.file import JournalDamaged
from fuseboard.lab.demo import DemoOptions, run_demo
from fuseboard.policy.policy import canonical_text, digest_of, policy_from_canonical
from fuseboard.runtime.build import build
from fuseboard.runtime.recovery import restored
from fuseboard.vocabulary.effects import RaiseAlert
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE
from fuseboard.vocabulary.inputs import NodeStarted, PolicyAdopted
from fuseboard.vocabulary.reasons import Reason
from fuseboard.vocabulary.records import Record


def crashed(*, release: str = build()) -> list[Record]:
    """A crash demo's records, as a gateway of a release would have written them."""
    records = run_demo(DemoOptions(scene="crash", ticks=20), lambda _line: None).records
    return [
        structs.replace(record, input=structs.replace(record.input, release=release))
        if isinstance(record.input, NodeStarted)
        else record
        for record in records
    ]


def with_a_wrong_alert(records: list[Record]) -> tuple[list[Record], int]:
    """One recorded effect is another than what follows; and where."""
    for at, record in enumerate(records):
        if any(isinstance(effect, RaiseAlert) for effect in record.effects):
            effects = tuple(
                structs.replace(effect, code=Reason.OPERATOR)
                if isinstance(effect, RaiseAlert)
                else effect
                for effect in record.effects
            )
            changed = structs.replace(record, effects=effects)
            return [*records[:at], changed, *records[at + 1 :]], record.sequence
    raise AssertionError("a crash raises an alert")


def test_a_journal_becomes_the_kernel_that_wrote_it(tmp_path: Path) -> None:
    records = crashed()
    keep_journal(tmp_path / "j", records)
    came_back = restored(tmp_path / "j")
    again = restored(tmp_path / "j")
    assert came_back.kernel.digest() == again.kernel.digest()
    assert came_back.recovered.last_sequence == len(records)


def test_decisions_of_this_release_that_do_not_follow_are_damage(tmp_path: Path) -> None:
    forged, where = with_a_wrong_alert(crashed())
    keep_journal(tmp_path / "j", forged)
    with pytest.raises(JournalDamaged, match="do not follow") as damage:
        restored(tmp_path / "j")
    assert damage.value.sequence == where


def test_decisions_of_another_release_are_folded_without_comparing(tmp_path: Path) -> None:
    forged, _ = with_a_wrong_alert(crashed(release="0.0.1"))
    keep_journal(tmp_path / "j", forged)
    assert restored(tmp_path / "j").recovered.last_sequence == len(forged)


def test_a_looser_policy_that_another_release_took_unasked_is_in_force(tmp_path: Path) -> None:
    records = crashed(release="0.0.1")
    last, (first, *_) = records[-1], (at.input for at in records)
    assert isinstance(first, PolicyAdopted)
    text = canonical_text(structs.replace(policy_from_canonical(first.text), losses=()))
    adopted = PolicyAdopted(text=text, digest=digest_of(text), operator="start")
    looser = structs.replace(last, sequence=last.sequence + 1, input=adopted, effects=())
    keep_journal(tmp_path / "j", [*records, looser])
    assert restored(tmp_path / "j").kernel.policy_digest() == digest_of(text)


def test_a_record_that_the_kernel_cannot_take_is_damage_at_its_place(tmp_path: Path) -> None:
    records = crashed()
    last = records[-1]
    other = NodeStarted(instance="other000", account="demo", release=build())
    stranger = structs.replace(last, sequence=last.sequence + 1, input=other, effects=())
    keep_journal(tmp_path / "j", [*records, stranger])
    with pytest.raises(JournalDamaged, match="cannot be folded") as damage:
        restored(tmp_path / "j")
    assert damage.value.sequence == last.sequence + 1


@pytest.fixture
def after_a_trip(tmp_path: Path) -> StateDirectory:
    """The state of a gateway that tripped, flattened and went away."""
    state = StateDirectory(tmp_path / "state")
    state.path.mkdir()
    keep_journal(state.journal_file, crashed())
    HaltsRegister.create(state.register_file)
    state.finish(Identity(instance="demo0000", account="demo", created_ns=1))
    return state


def test_what_is_latched_in_the_journal_is_shown_while_nothing_runs(
    after_a_trip: StateDirectory,
) -> None:
    status = offline_status(after_a_trip)
    assert (status.running, status.posture) == (False, "HALTED")
    (why,) = status.postures
    assert (why.scope, why.reason) == (ACCOUNT_SCOPE, Reason.DRAWDOWN.value)
    assert {fuse.fuse: fuse.state for fuse in status.fuses} == {
        "drawdown:account": "COOLING_DOWN",
        "latch:account": "HALTED",  # a new register, which knows less than the journal
    }
    assert status.positions == ()
    assert status.durable_sequence > 50
    assert status.register == ()


def test_looking_changes_nothing(after_a_trip: StateDirectory) -> None:
    before = after_a_trip.register_file.read_bytes()
    first = offline_status(after_a_trip)
    second = offline_status(after_a_trip)
    assert structs.replace(first, measured=second.measured) == second
    assert after_a_trip.register_file.read_bytes() == before
    assert restored(after_a_trip.journal_file).recovered.last_sequence == first.durable_sequence
