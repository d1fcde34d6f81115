"""A backup is whole, proven and named, or it is not there and somebody is told."""

import json
import random
import threading
import time
from pathlib import Path

import pytest

from fuseboard.alerts.outward import COMMAND_NAME
from fuseboard.control.state_directory import StateDirectory
from fuseboard.journal.copying import copied_journal
from fuseboard.journal.verification import verify
from fuseboard.upkeep import backup
from fuseboard.upkeep.backup import UNFINISHED, backups_of, pruned, taken
from fuseboard.upkeep.backup_files import BackupUnusable, read_manifest
from tests.app.command_line import CommandLine
from tests.app.lived import halt, live


@pytest.fixture
def state(fuseboard: CommandLine) -> StateDirectory:
    assert fuseboard.on_state("init").code == 0
    made = StateDirectory(fuseboard.state)
    live(made, halt("strategy:alpha"))
    return made


def names(folder: Path) -> list[str]:
    """What a person sees there."""
    return sorted(each.name for each in folder.iterdir() if not each.name.startswith("."))


def test_a_backup_holds_all_that_a_start_needs_and_says_what(
    fuseboard: CommandLine, state: StateDirectory
) -> None:
    fuseboard("keys", "--state", state.path, "new", "alpha")
    done = fuseboard.on_state("backup", "--json")
    assert done.code == 0, done
    said = done.json()
    made, manifest = Path(said["backup"]), said["manifest"]
    assert made.parent == state.path / "backups"
    assert (manifest["last_sequence"], manifest["verified"]) == (3, True)
    assert len(manifest["latched"]) == 1
    assert "strategy:alpha HALT operator" in manifest["latched"][0]
    kept = {each["name"] for each in manifest["files"]}
    assert kept >= {"journal.db", "journal.db.head", "halts.register", "halts.db", "keys.json"}
    assert kept >= {"instance.json", "policy.yaml"}
    assert not kept & {"lock", "journal.db-wal", "journal.db-shm"}
    assert sorted(each.name for each in made.rglob("*")) == sorted([*kept, "manifest.json"])
    assert not [each for each in made.rglob("*") if each.stat().st_mode & 0o077]
    assert "verified by restoring it" in fuseboard.on_state("backup").out


def test_a_journal_that_is_being_written_is_copied_up_to_one_moment(state: StateDirectory) -> None:
    until, ends = threading.Event(), []

    def write() -> None:
        while not until.is_set():
            ends.append(live(state, *[halt("symbol:AAPL")] * 20))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        made = [taken(state, state.path / "b")[1] for _ in range(4)]
    finally:
        until.set()
        writer.join()
    assert ends
    assert made[0].last_sequence < made[-1].last_sequence
    for path, manifest in backups_of(state.path / "b", state.identity().instance):
        assert verify(path / "journal.db", (manifest.last_sequence, manifest.chain)).ok
        with pytest.raises(FileNotFoundError):
            (path / "journal.db-wal").stat()


@pytest.mark.parametrize("what", ["journal.db", "halts.register", "halts.db", "keys.json"])
def test_a_state_that_is_damaged_gives_no_backup_and_pages(
    what: str,
    fuseboard: CommandLine,
    state: StateDirectory,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    told = tmp_path / "told.jsonl"
    script = tmp_path / "tell.sh"
    script.write_text(f"#!/bin/sh\ncat >> {told}\n")
    script.chmod(0o700)
    monkeypatch.setenv(COMMAND_NAME, str(script))
    file = state.path / what
    if file.exists():
        body = bytearray(file.read_bytes())
        for at in random.Random(1).sample(range(100, len(body)), 40):
            body[at] ^= 0x41
        file.write_bytes(body)
    else:
        file.write_text("{")
    done = fuseboard("backup", "--state", state.path, "--to", tmp_path / "b")
    assert done.code == 1
    assert f"the backup of {state.path} to {tmp_path / 'b'} failed" in done.err
    assert names(tmp_path / "b") == []
    assert not list((tmp_path / "b").glob(f"{UNFINISHED}*"))
    alert = json.loads(told.read_text())
    assert (alert["severity"], alert["code"]) == ("page", "backup")


def test_what_was_damaged_while_it_was_copied_is_found_by_the_trial(
    state: StateDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:

    def lying(source: Path, target: Path) -> object:
        head = copied_journal(source, target)
        body = bytearray(target.read_bytes())
        at = body.index(b"PolicyAdopted")
        body[at] ^= 1
        target.write_bytes(body)
        return head

    monkeypatch.setattr(backup, "copied_journal", lying)
    with pytest.raises(BackupUnusable, match=r"journal\.db: the chain is broken"):
        taken(state, state.path / "b")
    assert names(state.path / "b") == []


def test_a_backup_that_was_killed_leaves_nothing_and_two_do_not_run_at_once(
    state: StateDirectory,
) -> None:
    folder = state.path / "b"
    left = folder / f"{UNFINISHED}1" / "calendars"
    left.mkdir(parents=True)
    taken(state, folder)
    assert not left.exists()
    with backup._alone(folder), pytest.raises(BackupUnusable, match="another backup"):
        taken(state, folder)


def test_retention_gives_up_the_oldest_and_never_the_newest_or_anybody_elses(
    state: StateDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, day_ns = state.path / "b", 24 * 3600 * 10**9
    instance = state.identity().instance
    for number in range(6):
        monkeypatch.setattr(time, "time_ns", lambda at=number: (1_000 + at) * day_ns)
        taken(state, folder)
    (folder / f"{instance}-notes").mkdir()
    (folder / "other000-20200101T000000Z-000000000001").mkdir()
    every = [path.name for path, _ in backups_of(folder, instance)]
    assert len(every) == 6
    made = folder / every[5]
    assert pruned(made, instance, copies=None, days=3) == every[:2]
    assert pruned(made, instance, copies=2, days=None) == every[2:4]
    assert pruned(made, instance, copies=1, days=1) == every[4:5]
    assert pruned(made, instance, copies=1, days=1) == []
    other = "other000-20200101T000000Z-000000000001"
    assert names(folder) == sorted([every[5], f"{instance}-notes", other])


def test_after_a_clock_that_was_ahead_the_new_backup_stays_and_those_of_the_future_go_first(
    state: StateDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, day_ns = state.path / "b", 24 * 3600 * 10**9
    instance = state.identity().instance
    made = []
    for day in (1_000, 1_030, 1_031, 1_001):
        monkeypatch.setattr(time, "time_ns", lambda at=day: at * day_ns)
        made.append(taken(state, folder)[0])
    first, ahead, further, now = made
    assert pruned(now, instance, copies=3, days=1) == [ahead.name]
    assert pruned(now, instance, copies=2, days=None) == [further.name]
    assert pruned(now, instance, copies=1, days=None) == [first.name]
    assert names(folder) == [now.name]


@pytest.mark.parametrize("name", ["../keys.json", "/etc/passwd", "a/../../b"])
def test_a_manifest_cannot_name_what_is_not_in_the_backup(name: str, state: StateDirectory) -> None:
    made, _ = taken(state, state.path / "b")
    file = made / "manifest.json"
    file.write_text(file.read_text().replace('"journal.db"', json.dumps(name)))
    with pytest.raises(BackupUnusable, match="outside the backup"):
        read_manifest(made)
