"""A restore goes back in time with the journal alone, never past a halt, and comes up halted."""

import json
import os
import shutil
import sqlite3
from contextlib import closing
from itertools import product
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fuseboard.control.operator_keys import OperatorKeys
from fuseboard.control.state_directory import StateDirectory, StateRefused
from fuseboard.gateway.keys import Keys
from fuseboard.guardian.orders import Place
from fuseboard.guardian.process import guardian_lock
from fuseboard.halts.block import Slot, offset_of
from fuseboard.halts.heartbeats import Beat, Heart, HeartbeatFile, Phase
from fuseboard.halts.history import changes, verify_history
from fuseboard.halts.register import HaltsRegister
from fuseboard.journal.reader import anchor, records
from fuseboard.journal.verification import verify
from fuseboard.rescue.journal import GuardianJournal
from fuseboard.upkeep.backup import taken
from fuseboard.upkeep.restore import SYSTEMD_STOP, restored_since
from fuseboard.vocabulary.inputs import NodeStarted
from fuseboard.vocabulary.postures import HaltLevel
from tests.app.command_line import CommandLine, Done
from tests.app.lived import halt, live
from tests.conftest import PROFILE

WHO = ("--operator", "ann", "--reason", "disk died")


class Disaster:
    """A state, a backup of it, and what happened since: two halts that the backup lacks."""

    def __init__(self, fuseboard: CommandLine) -> None:
        self.fuseboard = fuseboard
        assert fuseboard.on_state("init").code == 0
        self.state = StateDirectory(fuseboard.state)
        self.key = Keys(self.state.keys_file).mint("alpha")[0]
        OperatorKeys(self.state.operators_file).mint("ann", "admin")
        live(self.state, halt("strategy:alpha"))
        self.backup, self.manifest = taken(self.state, fuseboard.folder / "backups")
        self.ends_at = live(self.state, halt("symbol:AAPL"), halt("strategy:beta", HaltLevel.KILL))

    def restore(self, *more: str | Path, who: tuple[str, ...] = WHO) -> Done:
        return self.fuseboard.on_state("restore", self.backup, *who, *more)

    def lose(self, *names: str) -> None:
        for name in names:
            for file in self.state.path.glob(f"{name}*"):
                file.unlink()

    def latched(self) -> dict[str, str]:
        """Each scope that is latched, with its level."""
        with closing(HaltsRegister(self.state.register_file, Slot.OPERATOR)) as register:
            return {at.scope: at.level.name for at in register.latched()}

    def image(self) -> dict[str, bytes]:
        """Every byte of the state, but of locks and what is read through them."""
        skip = ("lock", "guardian.lock", "heartbeats", "journal.db-shm", "journal.db-wal")
        found = [each for each in self.state.path.rglob("*") if each.is_file()]
        return {str(each): each.read_bytes() for each in found if each.name not in skip}


@pytest.fixture
def it(fuseboard: CommandLine) -> Disaster:
    return Disaster(fuseboard)


EVERY = {
    "account": "HALT",
    "strategy:alpha": "HALT",
    "symbol:AAPL": "HALT",
    "strategy:beta": "KILL",
}


def test_a_lost_journal_comes_back_halted_with_every_halt_since(it: Disaster) -> None:
    it.lose("journal.db")
    done = it.restore()
    assert done.code == 0, done
    assert "the account is HALTED" in done.out
    assert anchor(it.state.journal_file) == (it.manifest.last_sequence, it.manifest.chain)
    assert it.latched() == EVERY
    assert [at.reason.value for at in changes(it.state.history_file)][-1] == "restored"
    shown = it.fuseboard.on_state("status", "--json").json()
    assert (shown["posture"], shown["running"]) == ("HALTED", False)
    live(it.state)
    started = [at.input for at in records(it.state.journal_file) if at.sequence > 3]
    (node,) = [fact for fact in started if isinstance(fact, NodeStarted)]
    assert node.restored is not None
    assert (node.restored.operator, node.restored.reason) == ("ann", "disk died")
    live(it.state)
    assert not it.state.restored_file.exists()
    assert it.fuseboard.on_state("replay").code == 0
    shown = it.fuseboard.on_state("status", "--json").json()
    postures = {at["scope"]: at["posture"] for at in shown["postures"]}
    assert postures == {
        "account": "HALTED",
        "strategy:alpha": "HALTED",
        "symbol:AAPL": "HALTED",
        "strategy:beta": "KILLED",
    }


def test_records_of_a_sound_journal_are_given_up_only_when_that_is_said(it: Disaster) -> None:
    before = it.image()
    refused = it.restore()
    assert refused.code == 1
    lost = it.ends_at - it.manifest.last_sequence
    assert f"is sound and holds {lost} records that the backup does not" in refused.err
    assert "--give-up-records" in refused.err
    after = it.image()
    assert all(after[name] == body for name, body in before.items())
    done = it.restore("--give-up-records", "--json")
    assert done.code == 0, done
    said = done.json()
    assert (said["given_up"], said["from_backup"]) == (lost, ["journal.db", "journal.db.head"])
    assert verify(Path(said["replaced"]) / "journal.db").records == it.ends_at
    assert it.latched() == EVERY
    assert it.restore().code == 0, "the same records once more: nothing is given up"


def test_two_histories_of_one_instance_are_not_taken_for_one(it: Disaster) -> None:
    it.lose("journal.db")
    assert it.restore().code == 0
    live(it.state, halt("symbol:TSLA"))
    other, _ = taken(it.state, it.fuseboard.folder / "other")
    it.restore("--give-up-records")
    live(it.state, *[halt("symbol:MSFT")] * 10)
    refused = it.fuseboard.on_state("restore", other, *WHO)
    assert "records that the backup does not" in refused.err


def test_who_and_why_are_asked_for(it: Disaster) -> None:
    it.lose("journal.db")
    for who in ((), WHO[:2], WHO[2:], ("--operator", " ", "--reason", "x")):
        refused = it.restore(who=who)
        assert (refused.code, "needs a name and why" in refused.err) == (1, True)
    assert not it.state.journal_file.exists()


def test_a_state_that_somebody_uses_is_refused(it: Disaster) -> None:
    held = it.state.lock()
    assert "another gateway runs" in it.restore().err
    os.close(held)
    held = guardian_lock(it.state.path)
    assert "a guardian watches" in it.restore().err
    os.close(held)
    assert "records that the backup does not" in it.restore().err


def test_a_guardian_that_is_needed_at_the_broker_is_waited_for_and_else_only_stopped(
    it: Disaster,
) -> None:
    place = Place(it.state.path)
    held = guardian_lock(it.state.path)
    gateways, guardians = (None, Phase.RUNNING, Phase.STOPPED), (Phase.RUNNING, Phase.ACTING)
    for gateway, guardian, last in product(gateways, guardians, ("missed", "done")):
        place.heartbeat_file.unlink(missing_ok=True)
        place.journal_file.unlink(missing_ok=True)
        with closing(HeartbeatFile(place.heartbeat_file)) as file:
            file.write(Heart.GUARDIAN, Beat(guardian, 4711, 1, 9, 1, 1))
            if gateway is not None:
                file.write(Heart.GATEWAY, Beat(gateway, 4710, 1, 8, 1, 1))
        with closing(GuardianJournal(place.journal_file)) as journal:
            journal.write("done", run_ns=7, detail="of the run before")
            journal.write(last, run_ns=8)
        said = it.restore().err
        needed = guardian is Phase.ACTING or (gateway is Phase.RUNNING and last != "done")
        assert (
            "wait until guardian.jsonl ends with a new `done`, then stop it" in said
        ) is needed, said
        assert ("it has nothing more to do at the broker: stop it" in said) is not needed, said
        for way in ("`kill 4711`", "`systemctl stop fuseboard-guardian fuseboard`"):
            assert way in said
    os.close(held)


def test_the_units_that_a_restore_names_are_those_that_are_shipped() -> None:
    units = Path(__file__).resolve().parents[2] / "packaging" / "systemd"
    assert {f"{name}.service" for name in SYSTEMD_STOP.split()[2:]} == {
        file.name for file in units.iterdir()
    }


def test_a_state_of_another_instance_is_refused(it: Disaster, tmp_path: Path) -> None:
    assert it.fuseboard("init", "--state", tmp_path / "other").code == 0
    refused = it.fuseboard("restore", it.backup, "--state", tmp_path / "other", *WHO)
    assert (refused.code, "is the state of instance" in refused.err) == (1, True)


def test_a_machine_that_is_new_gets_everything(it: Disaster, tmp_path: Path) -> None:
    new = StateDirectory(tmp_path / "deep" / "new")
    done = it.fuseboard("restore", it.backup, "--state", new.path, *WHO)
    assert done.code == 0, done
    assert new.identity() == it.state.identity()
    assert [line.key_id for line in Keys(new.keys_file).listed()] == [it.key]
    it.state = new
    assert it.latched() == {"account": "HALT", "strategy:alpha": "HALT"}
    assert (new.path.stat().st_mode & 0o777) == 0o700
    live(new)


@pytest.mark.parametrize("gone", [True, False], ids=["absent", "damaged"])
@pytest.mark.parametrize("history", [True, False], ids=["history", "no history"])
def test_a_lost_register_is_made_again_with_all_that_is_known(
    it: Disaster, gone: bool, history: bool
) -> None:
    it.lose("journal.db")
    if gone:
        it.lose("halts.register")
    else:
        body = bytearray(it.state.register_file.read_bytes())
        body[: len(body) // 3] = os.urandom(len(body) // 3)
        it.state.register_file.write_bytes(body)
    if not history:
        it.state.history_file.write_bytes(b"no database" * 1_000)
    assert it.restore().code == 0
    known = it.latched()
    assert known["account"] == "HALT"
    assert known["strategy:alpha"] == "HALT", "by the backup's register"
    if history:
        assert known == EVERY
    assert verify_history(it.state.history_file)[0]
    live(it.state)


def damage_last_change(history: Path) -> None:
    with closing(sqlite3.connect(history, isolation_level=None)) as database:
        last = "sequence = (SELECT MAX(sequence) FROM changes)"
        database.execute(f"UPDATE changes SET chain = x'00' WHERE {last}")


def test_what_a_damaged_history_of_ours_still_tells_is_latched_again(it: Disaster) -> None:
    it.lose("halts.register")
    damage_last_change(it.state.history_file)
    assert it.restore("--give-up-records").code == 0
    assert it.latched() == {name: EVERY[name] for name in EVERY if name != "strategy:beta"}
    assert verify_history(it.state.history_file)[0]


def test_what_only_the_damaged_register_still_tells_is_latched_again(it: Disaster) -> None:
    body = bytearray(it.state.register_file.read_bytes())
    body[offset_of(Slot.OPERATOR, 0)] ^= 1
    it.state.register_file.write_bytes(body)
    it.state.history_file.write_bytes(b"no database" * 1_000)
    assert it.restore("--give-up-records").code == 0
    assert it.latched() == EVERY


def test_what_only_the_backups_register_tells_is_latched_again(it: Disaster) -> None:
    it.lose("halts.db")
    it.backup, _ = taken(it.state, it.fuseboard.folder / "without history")
    it.lose("halts.register")
    assert it.restore().code == 0
    assert it.latched() == EVERY


def test_what_was_revoked_or_changed_since_stays_so(it: Disaster) -> None:
    keys = Keys(it.state.keys_file)
    keys.revoke(it.key)
    kept = keys.mint("beta")[0]
    it.state.policy_file.write_text("name: tightened\n")
    it.lose("journal.db")
    assert it.restore().code == 0
    assert [line.key_id for line in Keys(it.state.keys_file).listed()] == [kept]
    assert it.state.policy_file.read_text() == "name: tightened\n"


@pytest.mark.parametrize("new", [True, False], ids=["a new machine", "the same state"])
def test_latches_at_the_broker_that_were_lifted_since_the_backup_are_not_ours_to_lift_again(
    it: Disaster, tmp_path: Path, new: bool
) -> None:
    note = Place(it.state.path).latches_file
    note.write_text("{}")
    it.backup, it.manifest = taken(it.state, it.fuseboard.folder / "latched")
    note.unlink()  # lifted; what the broker is told from here on is a person's
    it.lose("journal.db")
    into = StateDirectory(tmp_path / "new") if new else it.state
    done = it.fuseboard("restore", it.backup, "--state", into.path, *WHO)
    assert done.code == 0, done
    assert Place(into.path).latches_file.exists() is new


def test_what_cannot_be_read_comes_from_the_backup_and_is_kept_aside(it: Disaster) -> None:
    it.lose("journal.db")
    for name in ("keys.json", "operators.json", "instance.json"):
        (it.state.path / name).write_text("{")
    it.state.policy_file.write_text("")
    said = it.restore("--json").json()
    bad = ["instance.json", "policy.yaml", "keys.json", "operators.json"]
    assert sorted(said["from_backup"]) == sorted([*bad, "journal.db", "journal.db.head"])
    assert [line.key_id for line in Keys(it.state.keys_file).listed()] == [it.key]
    assert (Path(said["replaced"]) / "keys.json").read_text() == "{"


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_damage_to_a_backup_is_refused_by_the_files_name(
    it: Disaster, data: st.DataObject
) -> None:
    copy = it.fuseboard.folder / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(it.backup, copy)
    name = data.draw(st.sampled_from([kept.name for kept in it.manifest.files]))
    body = bytearray((copy / name).read_bytes())
    at = data.draw(st.integers(0, len(body) - 1))
    act = data.draw(st.sampled_from(["flip", "cut", "remove", "add"]))
    if act == "flip":
        body[at] ^= data.draw(st.integers(1, 255))
    (copy / name).write_bytes(body[:at] if act == "cut" else body + b"x" * (act == "add"))
    if act == "remove":
        (copy / name).unlink()
    before = it.latched()
    refused = it.fuseboard.on_state("restore", copy, *WHO, "--give-up-records")
    assert refused.code == 1
    assert f"the backup {copy} is damaged: {name}" in refused.err
    assert ("have another checksum" in refused.err) == (act == "flip")
    assert (f"{len(body)} were written" in refused.err) == (act in {"cut", "add"})
    assert it.latched() == before
    assert anchor(it.state.journal_file)[0] == it.ends_at


def test_a_manifest_that_lies_about_the_journal_is_found(it: Disaster) -> None:
    file = it.backup / "manifest.json"
    text = json.loads(file.read_text())
    text["last_sequence"] -= 1
    file.write_text(json.dumps(text))
    assert "is damaged: journal.db: the anchor is of another history" in it.restore().err
    file.write_text("{")
    others = taken(it.state, it.fuseboard.folder / "backups")[0]
    said = it.restore().err
    assert "manifest.json is damaged" in said
    assert f"there are {others}" in said
    assert "is no backup" in it.fuseboard.on_state("restore", it.state.path, *WHO).err


STEP = 1 if PROFILE == "soak" else 6


class PowerCut(OSError):
    """The machine goes down here."""


def test_a_restore_that_is_cut_off_anywhere_is_halted_or_not_startable_and_can_be_begun_again(
    it: Disaster, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = it.fuseboard.folder / "whole"
    it.state.register_file.write_bytes(b"\0" * it.state.register_file.stat().st_size)
    (it.state.path / "keys.json").write_text("{")
    shutil.copytree(it.state.path, whole)
    cuts = finished = 0
    while not finished:
        shutil.rmtree(it.state.path)
        shutil.copytree(whole, it.state.path)
        with monkeypatch.context() as patched:
            steps = 0

            def counted(real: object, cut: int = cuts) -> object:
                def step(*given: object, **named: object) -> object:
                    nonlocal steps
                    steps += 1
                    if steps > cut:
                        raise PowerCut(28, "cut")
                    return real(*given, **named)  # type: ignore[operator]

                return step

            for owner, name in ((Path, "replace"), (Path, "unlink"), (os, "pwrite"), (os, "link")):
                patched.setattr(owner, name, counted(getattr(owner, name)))
            finished = it.restore("--give-up-records").code == 0
        cuts += STEP
        if not finished:
            _halted_or_not_startable(it)
            assert it.restore("--give-up-records").code == 0, f"begun again after cut {cuts - STEP}"
        assert it.latched().items() >= {"account": "HALT", "strategy:beta": "KILL"}.items()
        assert it.latched()["strategy:alpha"] == "HALT"
        assert anchor(it.state.journal_file)[0] == it.manifest.last_sequence
        assert restored_since(it.state, 0) is not None
    assert cuts > 20, "the cuts went through the whole of it"


def _halted_or_not_startable(it: Disaster) -> None:
    try:
        it.state.identity()
        it.state.must_have_register()
    except StateRefused:
        return
    assert it.latched()["account"] == "HALT"
    if anchor(it.state.journal_file)[0] != it.ends_at:
        assert restored_since(it.state, 0) is not None
