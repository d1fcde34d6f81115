"""Commands without a gateway: what they do, what they say, and one sentence for each refusal."""

import fcntl
import os
import pwd
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from fuseboard.app.halt_apart import UNCHECKED
from fuseboard.app.kept_journal import keep_journal
from fuseboard.guardian.orders import Place
from fuseboard.halts.block import Slot
from fuseboard.halts.heartbeats import Beat, Heart, HeartbeatFile, Phase, boot_ns, process_seen
from fuseboard.halts.register import HaltsRegister
from fuseboard.journal.reader import lines
from fuseboard.journal.reader import records as read_journal
from fuseboard.policy.starter import default_policy_text
from fuseboard.vocabulary.inputs import NodeStarted
from fuseboard.vocabulary.records import Record, decoded_record
from tests.app.command_line import CommandLine


@pytest.fixture
def made(fuseboard: CommandLine) -> CommandLine:
    assert fuseboard.on_state("init").code == 0
    return fuseboard


# --- init ----------------------------------------------------------------------------------------


def test_init_makes_what_a_gateway_needs_for_its_owner_only(fuseboard: CommandLine) -> None:
    mask = os.umask(0o022)
    try:
        done = fuseboard.on_state("init", "--account", "paper")
        assert os.umask(0o022) == 0o022, "the mask is put back"
    finally:
        os.umask(mask)
    assert "instance" in done.out
    assert "'paper'" in done.out
    found = {at.name: at.stat().st_mode & 0o777 for at in fuseboard.state.iterdir()}
    assert set(found.values()) == {0o600}
    assert set(found) == {
        "halts.db",
        "halts.register",
        "instance.json",
        "journal.db",
        "journal.db.head",
        "policy.yaml",
    }
    assert (fuseboard.state / "policy.yaml").read_text() == default_policy_text()


def test_init_takes_a_policy_or_keeps_the_one_that_lies_there(fuseboard: CommandLine) -> None:
    chosen = fuseboard.folder / "mine.yaml"
    chosen.write_text("name: mine\n")
    assert fuseboard.on_state("init", "--policy", chosen).code == 0
    assert (fuseboard.state / "policy.yaml").read_text() == "name: mine\n"
    other = fuseboard.folder / "other"
    other.mkdir()
    (other / "policy.yaml").write_text("name: kept\n")
    assert fuseboard("init", "--state", other).code == 0
    assert (other / "policy.yaml").read_text() == "name: kept\n"


def test_a_lost_register_is_made_again_halted(made: CommandLine) -> None:
    (made.state / "halts.register").unlink()
    assert "fuseboard init" in made.refused("run", "--state", made.state)
    assert made.on_state("status", "--json").json()["posture"] == "HALTED"
    assert "halted until a named person" in made.on_state("init").out
    with closing(HaltsRegister(made.state / "halts.register", Slot.GATEWAY)) as register:
        assert register.halted()
    assert made.on_state("status", "--json").json()["posture"] == "HALTED"
    assert "already holds state" in made.refused("init", "--state", made.state)


# --- status, and a halt while nothing runs -----------------------------------------------------


def test_a_fresh_state_is_open_and_not_running(made: CommandLine) -> None:
    told = made.on_state("status").out.splitlines()
    assert told[:3] == [
        "posture   HALTED: no gateway runs; the next start compares the books, then OPEN",
        "gateway   not running: this is what its next start begins with",
        "next      `fuseboard run`",
    ]
    status = made.on_state("status", "--json").json()
    assert (status["running"], status["posture"], status["postures"]) == (False, "OPEN", [])
    empty = "gateway not running: our record is empty, and not the broker's\n"
    assert made.on_state("orders").out == f"{empty}no working orders\n"
    assert made.on_state("positions").out == f"{empty}no positions\n"
    assert made.on_state("orders", "--json") == (0, "[]\n", empty)
    assert made.on_state("positions", "--json").json() == []


def test_the_file_halt_is_in_the_status_of_what_the_next_start_begins_with(
    made: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = made.state / "HALT"
    file.write_text("storm")
    lines = made.on_state("status").out.splitlines()
    assert lines[0] == "posture   HALTED"
    reset = "`fuseboard reset --operator NAME --reason TEXT`"
    assert f"next      `fuseboard run`, then `rm {file}`, then {reset}" in lines
    assert f"file      {file} halts the account while it is there" in lines
    said = made.refused("reset", "--operator", "Ada", "--reason", "x", "--state", made.state)
    assert said.endswith(f"beside which no reset is taken: `rm {file}`")
    monkeypatch.chdir(made.folder)
    whole = f"`rm {file}`"
    assert whole in made("status", "--state", made.state.name).out, "from any folder"
    beside = made("reset", "--operator", "Ada", "--reason", "x", "--state", made.state.name)
    assert whole in beside.err
    file.unlink()
    assert made.on_state("status").out.startswith(
        "posture   HALTED: no gateway runs; the next start compares the books, then OPEN\n"
    )


def test_without_a_gateway_the_status_says_whether_a_guardian_lives(made: CommandLine) -> None:
    assert "guardian  none runs" in made.on_state("status").out.splitlines()
    seen = process_seen(os.getpid())
    assert seen is not None
    with closing(HeartbeatFile(Place(made.state).heartbeat_file)) as file:
        for phase, says in ((Phase.RUNNING, f"runs (pid {os.getpid()})"), (Phase.STOPPED, "none")):
            file.write(Heart.GUARDIAN, Beat(phase, os.getpid(), seen.start_ticks, 1, boot_ns(), 1))
            assert f"guardian  {says}" in made.on_state("status").out


@pytest.mark.parametrize("level", ["halt", "flatten", "kill", "freeze"])
def test_a_halt_without_a_gateway_is_in_the_register_and_in_the_status(
    made: CommandLine, level: str
) -> None:
    done = made.on_state("halt", "--operator", "Ada", "--reason", "storm", "--level", level)
    assert (done.code, done.err) == (0, "")
    assert ("`fuseboard rescue` now" in done.out) == (level == "flatten")
    status = made.on_state("status", "--json").json()
    assert status["posture"] == ("KILLED" if level == "kill" else "HALTED")
    assert status["register"] == [f"account: {level.upper()} (operator), operator: Ada: storm"]
    with closing(HaltsRegister(made.state / "halts.register", Slot.GATEWAY)) as register:
        assert register.halts("anybody", "ANY")
        (latched,) = register.latched()
        assert (latched.level.name, latched.wall_ns > 0) == (level.upper(), True)


def test_a_halt_of_one_scope_leaves_the_others(made: CommandLine) -> None:
    assert made.on_state("halt", "--operator", "Ada", "--scope", "strategy:a").code == 0
    status = made.on_state("status", "--json").json()
    assert status["posture"] == "OPEN"
    assert [(at["scope"], at["posture"]) for at in status["postures"]] == [("strategy:a", "HALTED")]
    with closing(HaltsRegister(made.state / "halts.register", Slot.GATEWAY)) as register:
        assert register.halts("a", "X")
        assert not register.halts("b", "X")


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("--operator", "Ada", "--scope", "dusk:1"), "none of account, strategy:NAME"),
        (("--operator", "Ada", "--reason", "x" * 501), "longer than 500 characters"),
        (("--operator", "A\x1bda"), "cannot be printed"),
    ],
)
def test_a_halt_that_is_refused_latches_nothing(
    made: CommandLine, words: tuple[str, ...], what: str
) -> None:
    done = made.on_state("halt", *words)
    assert done.code == 1
    assert what in done.out
    as_json = made.on_state("halt", "--json", *words)
    assert (as_json.code, as_json.json()["accepted"]) == (1, False)
    assert made.on_state("status", "--json").json()["register"] == []


def test_a_halt_without_a_name_is_the_unix_users_and_a_scope_is_not_looked_up(
    made: CommandLine,
) -> None:
    done = made.on_state("halt", "--scope", "strategy:alpa", "--json")
    assert done.code == 0
    me = f"unix user {pwd.getpwuid(os.getuid()).pw_name}"
    assert done.json()["note"] == f"{UNCHECKED}; no --operator NAME was given: recorded as {me!r}"
    (latched,) = made.on_state("status", "--json").json()["register"]
    assert latched.startswith("strategy:alpa: HALT")
    assert f"{me}: no reason given" in latched
    plainly = made.on_state("halt", "--operator", "Ada").out
    assert "NOTE" not in plainly
    assert "\nNOTE: no --operator" in made.on_state("halt").out


def test_the_register_that_cannot_be_read_halts_in_the_status(made: CommandLine) -> None:
    (made.state / "halts.register").write_bytes(b"short")
    status = made.on_state("status", "--json").json()
    assert status["posture"] == "HALTED"
    assert status["postures"][0]["reason"] == "register_unreadable"
    said = made.refused("halt", "--operator", "Ada", "--state", made.state)
    assert "was not written" in said


def test_what_needs_a_gateway_says_how_to_start_one(made: CommandLine) -> None:
    for words in (
        ("reset", "--operator", "Ada", "--reason", "x"),
        ("cash", "5", "--operator", "Ada", "--why", "x"),
        ("dividend", "A", "1", "--ex-date", "2026-11-20", "--payable", "2026-12-01"),
        ("top",),
    ):
        said = made.refused(*words, "--state", made.state)
        assert f"Start it with `fuseboard run --state {made.state}`" in said


# --- refusals ------------------------------------------------------------------------------------


def test_a_state_that_is_no_state_is_one_sentence_for_every_command(fuseboard: CommandLine) -> None:
    file = fuseboard.folder / "file"
    file.write_text("x")
    commands: tuple[tuple[str, ...], ...] = (
        ("status",), ("orders",), ("positions",), ("top",), ("run",), ("verify",), ("replay",),
        ("halt", "--operator", "A"), ("reset",), ("cash", "5"), ("keys", "list"),
    )  # fmt: skip
    for words in commands:
        assert "make it with `fuseboard init" in fuseboard.refused(*words, "--state", "nowhere")
        assert "Not a directory" in fuseboard.refused(*words, "--state", file)
    assert "is not a directory" in fuseboard.refused("init", "--state", file)
    assert not (fuseboard.folder / "nowhere").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_directory_that_may_not_be_entered_is_one_sentence(made: CommandLine) -> None:
    made.state.chmod(0)
    try:
        assert "Permission denied" in made.refused("status", "--state", made.state)
    finally:
        made.state.chmod(0o700)


def test_policies_that_are_absent_or_wrong_are_one_sentence(made: CommandLine) -> None:
    wrong = made.folder / "wrong.yaml"
    wrong.write_bytes(b"\xff\xfe")
    for policy, what in (("absent.yaml", "cannot be read"), (str(wrong), "cannot be read")):
        for command in ("init", "run"):
            state = made.folder / "new" if command == "init" else made.state
            assert what in made.refused(command, "--state", state, "--policy", policy)
    wrong.write_text("nmae: x\n")
    assert "nmae" in made.refused("run", "--state", made.state, "--policy", wrong)
    assert not (made.folder / "new").exists(), "what is refused makes nothing"


def test_a_damaged_identity_or_key_file_is_one_sentence(made: CommandLine) -> None:
    (made.state / "keys.json").write_text("{}")
    (made.state / "keys.json").chmod(0o600)
    assert "not a key file" in made.refused("keys", "list", "--state", made.state)
    (made.state / "keys.json").chmod(0o644)
    assert "chmod 600" in made.refused("keys", "list", "--state", made.state)
    (made.state / "instance.json").write_text("{}")
    assert "restore it from a backup" in made.refused("status", "--state", made.state)


@pytest.mark.parametrize(
    "words",
    [
        ("run", "--port", "65536"),
        ("run", "--port", "-1"),
        ("run", "--speed", "0"),
        ("run", "--speed", "1e12"),
        ("run", "--speed", "NaN"),
        ("run", "--cash", "-5"),
        ("run", "--dividend", "AAPL:0.25:2010-05-07"),
        ("run", "--dividend", "AAPL:0:2010-05-07:2010-05-12"),
        ("exchange", "--requests-per-minute", "0"),
        ("exchange", "--latency-ms", "x"),
        ("demo", "crash", "--ticks", "9"),
        ("demo", "crash", "--ticks", "100001"),
        ("demo", "crash", "--drawdown", "1"),
        ("demo", "crash", "--drawdown", "0.0000000001"),
        ("demo", "crash", "--cooldown", "3601"),
        ("demo", "slide"),
        ("halt", "--level", "stop"),
        ("status", "--", "command"),
        ("keys",),
        (),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(
    fuseboard: CommandLine, words: tuple[str, ...]
) -> None:
    done = fuseboard(*words)
    assert (done.code, done.out) == (2, "")
    assert "usage: fuseboard" in done.err
    assert "Traceback" not in done.err


def test_the_state_comes_from_the_environment_unless_that_is_empty(
    fuseboard: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FUSEBOARD_STATE", "elsewhere")
    assert "no state in elsewhere" in fuseboard.refused("status")
    monkeypatch.setenv("FUSEBOARD_STATE", "")
    assert "no state in fuseboard-state" in fuseboard.refused("status")


# --- keys ----------------------------------------------------------------------------------------


def test_keys_are_made_listed_and_taken_back(made: CommandLine) -> None:
    assert made.on_state("keys", "list").out == "no keys\n"
    pair = made.on_state("keys", "new", "dip-buyer", "--json").json()
    assert pair["strategy"] == "dip-buyer"
    listed = made("keys", "--state", made.state, "--json", "list").json()
    assert listed == [{"key_id": pair["key_id"], "strategy": "dip-buyer"}]
    assert pair["secret"] not in made.on_state("keys", "list").out
    assert pair["secret"] not in (made.state / "keys.json").read_text()
    assert made.on_state("keys", "revoke", pair["key_id"]).out == f"revoked {pair['key_id']}\n"
    assert "see `fuseboard keys list`" in made.refused(
        "keys", "revoke", pair["key_id"], "--state", made.state
    )
    assert "up to 64 letters" in made.refused("keys", "new", "a b", "--state", made.state)


# --- evidence ------------------------------------------------------------------------------------


@pytest.fixture
def journal(fuseboard: CommandLine) -> Path:
    path = fuseboard.folder / "demo.db"
    assert fuseboard("demo", "crash", "--ticks", "10", "--journal", path).code == 0
    return path


def test_a_demos_journal_verifies_and_replays(fuseboard: CommandLine, journal: Path) -> None:
    verdict = fuseboard("verify", "--journal", journal, "--json").json()
    assert verdict["ok"]
    held = verdict["anchor"]
    assert held.startswith(f"{verdict['records']}:")
    assert f"anchor {held}" in fuseboard("verify", "--journal", journal, "--anchor", held).out
    replayed = fuseboard("replay", "--journal", journal, "--json").json()
    assert (replayed["ok"], replayed["records"]) == (True, verdict["records"])
    assert replayed["records_per_second"] > 0
    assert replayed["digest"] in fuseboard("replay", "--journal", journal).out


def test_an_anchor_of_another_history_is_found_out(fuseboard: CommandLine, journal: Path) -> None:
    held = fuseboard("verify", "--journal", journal, "--json").json()["anchor"]
    number, _, digest = held.partition(":")
    for wrong in (f"{int(number) + 1}:{digest}", f"{number}:{'0' * 64}"):
        done = fuseboard("verify", "--journal", journal, "--anchor", wrong)
        assert done.code == 1
        assert done.out.startswith("damaged at record ")
    for nonsense in ("5", "x:y", f"{number}:{'z' * 64}", f"-1:{digest}"):
        assert "--anchor is N:HEX" in fuseboard.refused(
            "verify", "--journal", journal, f"--anchor={nonsense}"
        )


def changed(journal: Path, old: bytes, new: bytes) -> None:
    """Change a record behind everybody's back, with the chain as it was."""
    with closing(sqlite3.connect(journal)) as database:
        for first, body in database.execute("SELECT first_sequence, body FROM commits").fetchall():
            if old in body:
                database.execute(
                    "UPDATE commits SET body = ? WHERE first_sequence = ?",
                    (body.replace(old, new, 1), first),
                )
        database.commit()


def test_a_changed_record_is_found_by_verify_and_by_replay(
    fuseboard: CommandLine, journal: Path
) -> None:
    changed(journal, b'"TRIGGERED"', b'"UNTRIGGER"')
    for command in ("verify", "replay"):
        done = fuseboard(command, "--journal", journal)
        assert (done.code, done.err) == (1, "")
        assert "chain is broken" in done.out
        as_json = fuseboard(command, "--journal", journal, "--json")
        assert (as_json.code, as_json.json()["ok"]) == (1, False)
    verdict = fuseboard("verify", "--journal", journal, "--json").json()
    assert verdict["first_bad_sequence"] is not None
    assert verdict["anchor"] == ""


def forge(journal: Path, forged: list[Record]) -> None:
    """Other records, in a journal whose chain and head fit them."""
    for name in ("", ".head", "-wal", "-shm"):
        journal.with_name(journal.name + name).unlink(missing_ok=True)
    keep_journal(journal, forged)


def test_a_decision_that_does_not_follow_is_shown_with_what_does(
    fuseboard: CommandLine, journal: Path
) -> None:
    old, new = b'"code":"drawdown"', b'"code":"operator"'
    forge(journal, [decoded_record(line.replace(old, new)) for line in lines(journal)])
    assert fuseboard("verify", "--journal", journal).code == 0, "its chain is its own"
    done = fuseboard("replay", "--journal", journal)
    assert (done.code, done.err) == (1, "")
    said = done.out.splitlines()
    assert said[0].endswith("the effects differ")
    assert new.decode() in said[1]
    assert old.decode() in said[2]
    verdict = fuseboard("replay", "--journal", journal, "--json").json()
    assert (verdict["ok"], verdict["what"]) == (False, "the effects differ")
    assert verdict["records"] == verdict["first_difference"] - 1


def test_a_record_that_no_kernel_can_take_is_a_verdict_not_a_traceback(
    fuseboard: CommandLine, journal: Path
) -> None:
    good = list(read_journal(journal))
    stranger = NodeStarted(instance="other000", account="demo", release="demo")
    forge(journal, [*good, Record(len(good) + 1, good[-1].moment, stranger, ())])
    done = fuseboard("replay", "--journal", journal)
    assert (done.code, done.err) == (1, "")
    assert (
        f"record {len(good) + 1}: the record cannot be replayed: a journal of another" in done.out
    )
    verdict = fuseboard("replay", "--journal", journal, "--json").json()
    assert (verdict["records"], verdict["first_difference"]) == (len(good), len(good) + 1)


def test_a_file_that_is_no_journal_is_refused_and_an_absent_one_too(
    fuseboard: CommandLine,
) -> None:
    (fuseboard.folder / "text").write_text("x" * 5_000)
    for command in ("verify", "replay"):
        said = fuseboard.refused(command, "--journal", fuseboard.folder / "absent")
        assert "there is no journal at" in said
    assert "not a database" in fuseboard.refused("replay", "--journal", fuseboard.folder / "text")
    assert fuseboard("verify", "--journal", fuseboard.folder / "text").code == 1


def test_a_demo_overwrites_nothing_and_says_so_before_it_runs(
    fuseboard: CommandLine, journal: Path
) -> None:
    before = journal.read_bytes()
    assert "never overwritten" in fuseboard.refused("demo", "crash", "--journal", journal)
    assert journal.read_bytes() == before
    assert "no folder" in fuseboard.refused("demo", "crash", "--journal", "absent/j.db")


def test_a_demo_without_a_place_for_its_journal_says_where_it_is(fuseboard: CommandLine) -> None:
    last = fuseboard("demo", "normal", "--ticks", "10").out.splitlines()[-1]
    path = Path(last.split()[1])
    assert path.is_file()
    assert fuseboard("replay", "--journal", path).code == 0
    for left in path.parent.iterdir():
        left.unlink()
    path.parent.rmdir()


def test_nobody_reads_our_lines_is_no_traceback(fuseboard: CommandLine) -> None:
    del fuseboard
    import subprocess
    import sys

    with subprocess.Popen(
        [sys.executable, "-m", "fuseboard", "demo", "normal"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 1


def test_the_lock_of_a_gateway_is_seen_by_looking_at_it_only(made: CommandLine) -> None:
    descriptor = os.open(made.state / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        assert "another gateway runs" in made.refused("run", "--state", made.state)
    finally:
        os.close(descriptor)
