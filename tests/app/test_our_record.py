"""What a person sees while no gateway runs is our record, with its time; or why there is none."""

import subprocess
import sys
from contextlib import closing

import pytest

from fuseboard.app.kept_journal import keep_journal
from fuseboard.control.state_directory import Identity, StateDirectory
from fuseboard.halts.block import Slot
from fuseboard.halts.register import HaltsRegister
from fuseboard.lab.demo import DemoOptions, run_demo
from fuseboard.policy.starter import default_policy_text
from fuseboard.vocabulary.effects import LatchHalt
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE
from fuseboard.vocabulary.inputs import Moment
from fuseboard.vocabulary.postures import HaltLevel
from fuseboard.vocabulary.reasons import Reason
from tests.app.command_line import CommandLine

KILL = LatchHalt(
    scope=ACCOUNT_SCOPE,
    level=HaltLevel.KILL,
    reason=Reason.OPERATOR,
    trip="",
    halt_epoch=1,
    detail="",
)


@pytest.fixture
def held(fuseboard: CommandLine) -> CommandLine:
    """The state of a gateway that was killed while positions were held."""
    records = run_demo(DemoOptions(scene="normal", ticks=20), lambda _line: None).records
    state = StateDirectory(fuseboard.state)
    state.path.mkdir()
    keep_journal(state.journal_file, records)
    HaltsRegister.create(state.register_file)
    state.policy_file.write_text(default_policy_text())
    state.finish(Identity(instance="demo0000", account="demo", created_ns=1))
    return fuseboard


def test_orders_and_positions_without_a_gateway_are_said_to_be_our_record(
    held: CommandLine,
) -> None:
    first = "gateway not running: our record of 2026-01-05 15:00:02 UTC, not the broker's"
    for words, count in (("orders", 3), ("positions", 4)):
        said = held.on_state(words).out.splitlines()
        assert (said[0], len(said)) == (first, 1 + 1 + count), said
        as_json = held.on_state(words, "--json")
        assert (as_json.err, len(as_json.json())) == (f"{first}\n", count)
    status = held.on_state("status").out.splitlines()
    at = status.index(f"recorded  {first.partition(': ')[2]}")
    assert status[at + 1 : at + 3] == ["orders    3 working", "positions 200 AAPL, 160 TSLA"]
    assert held.on_state("status", "--json").json()["recorded_wall_ns"] // 10**9 == 1_767_625_202


WAY_ON = (
    "orders may still work at the broker: cancel there; then `fuseboard restore`,"
    " see docs/runbook.md"
)


@pytest.mark.parametrize("damage", ["flipped", "absent", "head"])
def test_a_journal_that_cannot_be_read_shows_the_register_and_the_way_on(
    held: CommandLine, damage: str
) -> None:
    journal = held.state / "journal.db"
    assert held.on_state("halt", "--operator", "Ada", "--reason", "storm").code == 0
    if damage == "absent":
        journal.unlink()
    elif damage == "head":
        (held.state / "journal.db.head").unlink()
    else:
        whole = bytearray(journal.read_bytes())
        whole[whole.rindex(b"demo-3")] ^= 1
        journal.write_bytes(whole)
    done = held.on_state("status")
    lines = done.out.splitlines()
    assert (done.code, done.err, lines[-1]) == (1, "", WAY_ON)
    assert lines[:2] == [
        "posture   HALTED",
        "gateway   not running, and it does not start: its journal cannot be read",
    ]
    assert "register  account: HALT (operator), operator: Ada: storm" in lines
    assert any(line.startswith("history   ") and "Ada: storm" in line for line in lines)
    (why,) = [line for line in lines if line.startswith("journal   ")]
    assert str(journal) in why
    assert not [line for line in lines if line.startswith(("orders  ", "positions", "recorded"))]
    for words in (("orders",), ("positions", "--json")):
        said = held.refused(*words, "--state", held.state)
        assert str(journal) in said
        assert said.endswith(WAY_ON)
    assert held.on_state("status", "--json").json()["journal_lost"] == why.removeprefix(
        "journal   "
    )
    with closing(HaltsRegister(held.state / "halts.register", Slot.OPERATOR)) as register:
        register.latch(KILL, Moment(1, 1))
    assert held.on_state("status").out.startswith("posture   KILLED\n")


def test_without_its_journal_a_state_is_halted_also_where_the_register_holds_nothing(
    held: CommandLine,
) -> None:
    (held.state / "journal.db").unlink()
    lines = held.on_state("status").out.splitlines()
    assert lines[0] == "posture   HALTED"
    assert "register  holds no halt" in lines
    (held.state / "halts.register").write_bytes(b"short")
    assert "register  a block of it cannot be read" in held.on_state("status").out


def test_a_start_without_its_journal_is_refused_with_the_way_on(
    held: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALPACA_API_KEY", "PK")
    monkeypatch.setenv("ALPACA_SECRET_KEY", "s")
    (held.state / "journal.db.head").unlink()
    run = [sys.executable, "-m", "fuseboard", "run", "--state", str(held.state), "--port", "0"]
    ended = subprocess.run(run, capture_output=True, text=True, timeout=60, check=False)
    said = ended.stderr.strip()  # its own process: what it locked ends with it
    assert (ended.returncode, said.count("\n")) == (1, 0), said
    assert said.startswith(f"fuseboard run: {held.state / 'journal.db'}: "), said
    assert said.endswith(WAY_ON)
