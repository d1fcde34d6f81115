"""A drill says what it tried, with figures; it fails when anything fails; it opens --live."""

import http.client
import json
import os
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from fuseboard.alerts.outward import COMMAND_NAME, WEBHOOK_NAME
from fuseboard.app.live import must_be_ready_for_live
from fuseboard.control.client import GatewayUnreachable
from fuseboard.control.state_directory import StateDirectory, StateRefused
from fuseboard.exchange.ledger import LedgerEntry, OrderAccepted, OrderFilled
from fuseboard.exchange.orders import Against
from fuseboard.policy.loader import read_policy
from fuseboard.policy.policy import Policy
from fuseboard.policy.starter import default_policy_text
from fuseboard.runtime.build import whole_build
from fuseboard.upkeep import drill
from fuseboard.upkeep.drill_sandbox import DrillFailed, Sandbox
from fuseboard.upkeep.drill_steps import Figures, alerts, kill
from fuseboard.vocabulary.orders import OrderType, Side, TimeInForce
from tests.app.command_line import CommandLine

LOADED = read_policy(default_policy_text(), "p")


def without_steps(monkeypatch: pytest.MonkeyPatch, **steps: Any) -> None:
    """Steps that start no processes, in place of the real ones."""
    monkeypatch.setattr(drill, "STEPS", steps)
    monkeypatch.setattr(drill, "_in_sandbox", lambda step, _folder, _policy: step(None))
    monkeypatch.delenv(WEBHOOK_NAME, raising=False)
    monkeypatch.delenv(COMMAND_NAME, raising=False)


def fine(_here: object) -> Figures:
    """It is fine."""
    return {"how long": "0.01 s"}


def broken(_here: object) -> Figures:
    """It is broken."""
    raise DrillFailed("an order was taken twice")


def taking(script: Path, told: Path) -> Path:
    """A command that takes an alert and keeps it."""
    script.write_text(f"#!/bin/sh\ncat > {told}\n")
    script.chmod(0o700)
    return script


@pytest.mark.parametrize(
    "met",
    [
        subprocess.TimeoutExpired(["fuseboard", "init"], 60),
        http.client.BadStatusLine("?"),
        json.JSONDecodeError("no JSON", "?", 0),
        KeyError("market"),
        GatewayUnreachable(""),
        ConnectionError("refused"),
    ],
    ids=lambda met: type(met).__name__,
)
def test_whatever_a_step_meets_it_has_failed_and_there_is_evidence(
    monkeypatch: pytest.MonkeyPatch, met: Exception
) -> None:
    def meets(_here: object) -> Figures:
        """It meets something."""
        raise met

    without_steps(monkeypatch, first=meets, second=fine)
    evidence = drill.drilled(Policy(), quiet=True)
    assert [step.passed for step in evidence.steps] == [False, True, False]
    assert evidence.skipped == ("alerts",)
    assert evidence.steps[0].failure
    assert not evidence.passed


def test_a_sandbox_that_does_not_come_about_leaves_no_process(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    started: list[Sandbox] = []

    def late(here: Sandbox, *_words: object) -> str:
        started.append(here)
        here._processes.append(subprocess.Popen(["sleep", "60"]))
        raise subprocess.TimeoutExpired(["fuseboard", "exchange"], 60)

    monkeypatch.setattr(Sandbox, "command", lambda here, *_words: here.state.path.mkdir())
    monkeypatch.setattr(Sandbox, "_exchange", late)
    with pytest.raises(subprocess.TimeoutExpired):
        Sandbox(tmp_path / "drill", "name: drill\n")
    assert [process.poll() is None for process in started[0]._processes] == [False]


def test_a_drill_that_passed_is_written_down_and_lets_live_trading_start(
    fuseboard: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    without_steps(monkeypatch, first=fine, second=fine)
    told = {COMMAND_NAME: str(taking(tmp_path / "tell.sh", tmp_path / "told.json"))}
    monkeypatch.setenv(COMMAND_NAME, told[COMMAND_NAME])
    assert fuseboard.on_state("init").code == 0
    state = StateDirectory(fuseboard.state)
    with pytest.raises(StateRefused, match=rf"run `fuseboard drill --state {state.path}`"):
        must_be_ready_for_live(LOADED, state, told, time.time_ns())
    done = fuseboard("drill", "--state", state.path, "--report", tmp_path / "elsewhere")
    assert done.code == 0, done
    every = (
        "[1/3] first",
        "passed in",
        "how long: 0.01 s",
        "alert-command took it: ",
        "the drill passed",
    )
    for said in every:
        assert said in done.out
    assert "not tried" not in done.out
    must_be_ready_for_live(LOADED, state, told, time.time_ns())
    names = sorted(file.name for file in (state.path / "drills").iterdir())
    assert names == sorted(file.name for file in (tmp_path / "elsewhere").iterdir())
    assert [Path(name).suffix for name in names] == [".json", ".txt"]
    text = (state.path / "drills" / names[1]).read_text()
    evidence = json.loads((state.path / "drills" / names[0]).read_text())
    assert f"told      {evidence['alert_doors'][0]}" in text
    assert evidence["release"] == whole_build()
    assert str(tmp_path) not in str(evidence["alert_doors"])
    assert [step["name"] for step in evidence["steps"]] == ["first", "second", "alerts"]
    assert "It is fine." in text


def test_a_drill_that_told_nobody_passes_and_says_that_live_trading_needs_a_door(
    fuseboard: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_steps(monkeypatch, first=fine)
    assert fuseboard.on_state("init").code == 0
    said = fuseboard.on_state("drill").out
    assert "none configured: set" in said
    assert re.search(r"the drill passed in \d+ s, not tried: alerts\n", said)
    (text,) = (fuseboard.state / "drills").glob("*.txt")
    evidence = json.loads(text.with_suffix(".json").read_text())
    last = evidence["steps"][-1]
    assert (evidence["passed"], evidence["skipped"]) == (True, ["alerts"])
    assert (last["name"], last["passed"], last["skipped"]) == ("alerts", False, True)
    assert "\n  not tried\n" in text.read_text()
    assert "told      nobody: run --live needs a door" in text.read_text()
    state = StateDirectory(fuseboard.state)
    with pytest.raises(StateRefused, match=r"of those that are set now \(alert-command .* none"):
        must_be_ready_for_live(LOADED, state, {COMMAND_NAME: "/bin/true"}, time.time_ns())


def test_a_step_that_failed_fails_the_drill_and_the_others_are_still_tried(
    fuseboard: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_steps(monkeypatch, first=broken, second=fine)
    assert fuseboard.on_state("init").code == 0
    done = fuseboard.on_state("drill", "--json")
    assert done.code == 1
    assert [step["passed"] for step in done.json()["steps"]] == [False, True, False]
    assert done.json()["steps"][0]["failure"] == "an order was taken twice"
    assert "the drill FAILED" in fuseboard.on_state("drill").out
    monkeypatch.setenv(COMMAND_NAME, "/bin/false")
    refused = fuseboard.on_state("drill", "--json").json()
    assert (refused["steps"][2]["passed"], refused["alert_doors"]) == (False, [])
    assert refused["skipped"] == [], "a door that refuses is none that is not there"
    state = StateDirectory(fuseboard.state)
    with pytest.raises(StateRefused, match=r"the newest in .* did not"):
        must_be_ready_for_live(LOADED, state, {COMMAND_NAME: "/bin/true"}, time.time_ns())


def test_a_test_alert_goes_through_each_door_and_a_door_that_refuses_it_fails_the_step(
    tmp_path: Path,
) -> None:
    told = tmp_path / "told.json"
    script = taking(tmp_path / "tell.sh", told)
    figures = alerts({COMMAND_NAME: str(script)})
    assert list(figures) == ["alert-command took it"]
    alert = json.loads(told.read_text())
    assert (alert["severity"], alert["code"]) == ("info", "drill")
    assert alert["text"].startswith("DRILL: this is a test")
    script.write_text("#!/bin/sh\nexit 3\n")
    with pytest.raises(DrillFailed, match=r"alert-command did not take the test alert: .*exit"):
        alerts({COMMAND_NAME: str(script)})
    assert alerts({}) == {}


def test_nothing_of_the_operators_environment_reaches_a_sandbox(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in (WEBHOOK_NAME, COMMAND_NAME, "ALPACA_BASE_URL", "APCA_API_KEY_ID"):
        monkeypatch.setenv(name, "secret")
    here = object.__new__(Sandbox)
    here._processes = []
    kept = here._environment()
    assert "secret" not in kept.values()
    assert kept["PATH"] == os.environ["PATH"]


def entry(number: int, *, filled: int = 0, side: Side = Side.BUY) -> LedgerEntry:
    if filled:
        return OrderFilled(
            sequence=number,
            at_ns=0,
            order_id=f"b{number}",
            symbol="AAPL",
            side=side,
            execution_id=f"x{number}",
            quantity_nanos=filled,
            filled_quantity_nanos=filled,
            price_nanos=1,
            position_nanos=0,
            against=Against.QUOTE,
        )
    return OrderAccepted(
        sequence=number,
        at_ns=0,
        order_id=f"b{number}",
        client_order_id="same",
        symbol="AAPL",
        side=side,
        order_type=OrderType.MARKET,
        time_in_force=TimeInForce.DAY,
        quantity_nanos=1,
        opens=True,
    )


def test_what_the_exchange_took_twice_or_through_zero_fails_a_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = object.__new__(Sandbox)
    sold = [entry(1, filled=3), entry(2, filled=4, side=Side.SELL)]
    for ledger, what in (([entry(1), entry(2)], "twice"), (sold, "through zero")):
        monkeypatch.setattr(here, "ledger", lambda found=ledger: found)
        with pytest.raises(DrillFailed, match=what):
            here.ledger_must_be_clean()
    monkeypatch.setattr(here, "ledger", lambda: [entry(1), entry(2, filled=3)])
    assert here.ledger_must_be_clean() == 1


def test_the_kill_step_finishes_a_liquidation_once_with_real_processes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(drill, "STEPS", {"kill": kill})
    step = drill._tried("kill", "kill", tmp_path / "sandbox", drill.POLICY.format(seconds=1))
    assert step.passed, step
    assert int(step.figures["positions left when it was killed"]) > 0
    assert "none twice" in step.figures["orders at the exchange"]


@pytest.mark.soak
def test_the_whole_drill_passes_within_two_minutes() -> None:
    evidence = drill.drilled(Policy(), quiet=True)
    assert evidence.passed, drill.report(evidence)
    assert evidence.ended_ns - evidence.began_ns < 120 * 10**9
