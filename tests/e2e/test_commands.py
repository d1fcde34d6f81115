"""What a person sees on the command line: the demo's lines, and refusals that say what to do."""

import json
import re
import socket
from pathlib import Path

import pytest

from tests.e2e.processes import EXCHANGE_KEY, EXCHANGE_SECRET, World, fuseboard, get, said_here

MONEY = r"\$\d{1,3}(,\d{3})*\.\d\d"
CRASH = [
    r"\[BREAKER\] State: MONITORING → TRIGGERED",
    rf"\[BREAKER\] HWM: {MONEY} \| Current: {MONEY} \| Drawdown: 5\.10%",
    r"\[LIQUIDATION\] Cancelling 3 open orders\.\.\.",
    r"\[LIQUIDATION\] Closing 2 positions: AAPL, TSLA",
    r"\[BREAKER\] State: TRIGGERED → COOLING_DOWN \(cooldown: 2s\)",
    r"\[METRICS\] Trigger latency: [\d.]+µs \| Cancel latency: [\d.]+ms",
    r"Liquidation: cancelled=3 closed=2 duration=[\d.]+ms errors=0",
    r"trigger_count=1",
    r"P99 eval latency: [\d.]+ µs",
]
MEASURED = re.compile(r"[\d.]+(?= ?(µs|ms))")


def demo(scene: str, folder: Path, *words: str) -> list[str]:
    journal = folder / f"{scene}{len(list(folder.iterdir()))}.db"
    done = fuseboard("demo", scene, "--journal", journal, *words)
    assert (done.returncode, done.stderr) == (0, "")
    replayed = fuseboard("replay", "--journal", journal, "--json")
    assert json.loads(replayed.stdout)["ok"] is True
    return done.stdout.splitlines()


def masked(lines: list[str]) -> list[str]:
    """Without measured times and the journal's path."""
    return [MEASURED.sub("#", line) for line in lines if not line.startswith("journal:")]


def states(lines: list[str]) -> list[str]:
    """The state that each tick was shown in, first to last."""
    return [line.split("state=")[1].split()[0] for line in lines if line.startswith("tick")]


def test_the_crash_demo_says_the_same_lines_in_order_each_time(tmp_path: Path) -> None:
    lines = demo("crash", tmp_path)
    shown = states(lines)
    assert len(shown) == 120
    assert shown[0] == "ARMED"
    assert shown[1] == "MONITORING"
    found = iter(lines)
    for pattern in CRASH:
        assert any(re.fullmatch(pattern, line) for line in found), f"missing or late: {pattern}"
    assert masked(lines) == masked(demo("crash", tmp_path))
    assert sum("→ TRIGGERED" in line for line in lines) == 1


def test_the_crash_demo_follows_its_options(tmp_path: Path) -> None:
    lines = demo("crash", tmp_path, "--drawdown", "0.049", "--ticks", "60")
    assert len(states(lines)) == 60
    assert "trigger_count=0" in lines, "a fall that does not reach the limit does not trip"
    deep = demo("crash", tmp_path, "--drawdown", "0.09", "--cooldown", "3", "--seed", "7")
    assert "[BREAKER] State: TRIGGERED → COOLING_DOWN (cooldown: 3s)" in deep
    assert "trigger_count=1" in deep


@pytest.mark.parametrize(("scene", "ticks"), [("normal", 200), ("recovery", 100)])
def test_the_other_demos_do_not_trip(scene: str, ticks: int, tmp_path: Path) -> None:
    lines = demo(scene, tmp_path)
    assert len(states(lines)) == ticks
    assert "trigger_count=0" in lines
    assert not any("TRIGGERED" in line for line in lines)
    if scene == "recovery":
        marks = [line.partition("mark=$")[2] for line in lines if line.startswith("tick")]
        rising = [float(mark.replace(",", "")) for mark in marks][1:]
        assert rising == sorted(rising)
        assert rising[-1] > rising[0]


def test_each_refusal_is_one_line_that_says_what_to_do(here: World) -> None:
    here.init("name: refusals\n")
    away, state = here.folder / "away", here.state
    bad = here.folder / "bad.yaml"
    bad.write_text("safety: {loss_limit: {}}\n")
    ledger = here.folder / "ledger.jsonl"
    ledger.touch()
    make = f"make it with `fuseboard init --state {away}`"
    refusals = {
        ("status", "--state", away): make,
        ("orders", "--state", away, "--json"): make,
        ("top", "--state", away): make,
        ("run", "--state", away): make,
        ("halt", "--operator", "Ada", "--state", away): make,
        (
            "reset",
            "--operator",
            "Ada",
            "--reason",
            "x",
            "--state",
            state,
        ): "no gateway runs on ",
        ("run", "--state", state, "--policy", bad): "1:10: safety.loss_limit: unknown key; did you",
        ("run", "--state", state, "--policy", away): "cannot be read",
        ("run", "--state", state, "--broker", "alpaca"): "needs ALPACA_API_KEY and ALPACA_SECRET",
        (
            "run",
            "--state",
            state,
            "--broker",
            "sim",
            "--tape",
            "nope",
        ): "is no tape: use one of flash-crash",
        ("run", "--state", state, "--strategy", "no name!", "--", "true"): "up to 64 letters",
        ("run", "--state", state, "--live", "--broker", "sim"): "--live needs --broker alpaca",
        ("init", "--state", state): "already holds state: nothing was changed",
        ("init", "--state", away, "--policy", bad): "did you mean `loss_limits`?",
        ("exchange", "--tape", "nope"): "is no tape: use one of flash-crash, normal, recovery",
        ("exchange", "--ledger", ledger): "File exists",
        ("verify", "--journal", away): f"there is no journal at {away}",
        ("replay", "--journal", bad): "file is not a database",
        ("verify", "--state", state, "--anchor", "12"): "--anchor is N:HEX",
        ("keys", "--state", state, "new", "no name!"): "up to 64 letters, digits",
        ("keys", "--state", state, "revoke", "PKNOPE"): "see `fuseboard keys list`",
        ("demo", "crash", "--journal", away / "x.db"): f"there is no folder {away}",
    }
    for words, what in refusals.items():
        # What a run does before these refusals changes the process it is in.
        alone = words[0] == "run" and ("--broker" in words or "--strategy" in words)
        done = fuseboard(*words) if alone else said_here([str(word) for word in words])
        told = done.stderr
        assert done.returncode == 1, (words, done)
        assert told.startswith(f"fuseboard {words[0]}: "), (words, told)
        assert what in told, (words, told)
        assert len(told.splitlines()) == 1, (words, told)
    assert not away.exists()


def test_a_port_that_is_taken_is_refused_by_name(here: World) -> None:
    here.init("name: port\n")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = fuseboard(
            "run", "--state", here.state, "--broker", "alpaca", "--port", port,
            ALPACA_API_KEY=EXCHANGE_KEY, ALPACA_SECRET_KEY=EXCHANGE_SECRET,
            ALPACA_BASE_URL="http://127.0.0.1:1",
        )  # fmt: skip
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert f"cannot listen on 127.0.0.1:{port}" in done.stderr
    assert "choose another with --port" in done.stderr


def test_a_scope_that_does_not_exist_is_refused_up_and_down(here: World) -> None:
    here.init("name: scopes\n")
    words = ("halt", "--state", here.state, "--operator", "Ada", "--scope", "galaxy", "--json")

    def refused() -> None:
        done = fuseboard(*words)
        assert done.returncode == 1, done
        answer = json.loads(done.stdout)
        assert answer["accepted"] is False
        assert answer["message"].startswith(
            "scope 'galaxy' is none of account, strategy:NAME, symbol:NAME"
        )

    refused()
    exchange = here.exchange(tape="normal")
    gateway = here.gateway(exchange.url)
    refused()
    unknown = fuseboard(
        "reset", "--state", here.state, "--operator", "Ada", "--reason", "x", "--scope", "galaxy"
    )
    assert unknown.returncode == 1
    assert unknown.stdout.startswith("refused: ")
    assert gateway.status()["posture"] != "HALTED"
    assert gateway.stop() == 0


def test_json_parses_on_every_command_that_offers_it(here: World) -> None:
    here.init("name: json\n")
    exchange = here.exchange(tape="normal")
    gateway = here.gateway(exchange.url)
    person = ("--operator", "Ada", "--reason", "json")
    get(f"{exchange.url}/sim/cash", {"amount": "100"})
    commands = (
        ("status",),
        ("orders",),
        ("positions",),
        ("halt", *person),
        ("reset", *person),
        ("cash", "100", "--operator", "Ada", "--why", "json"),
        ("keys", "new", "json"),
        ("keys", "list"),
        ("verify",),
        ("replay",),
    )
    for words in commands:
        done = fuseboard(words[0], "--state", here.state, "--json", *words[1:])
        assert done.stderr == "", words
        assert json.loads(done.stdout) is not None, words
    assert gateway.stop() == 0
    for words in (("status",), ("orders",), ("positions",), ("keys", "list")):
        done = fuseboard(words[0], "--state", here.state, "--json", *words[1:])
        ours = "gateway not running: our record of " if words[0] in ("orders", "positions") else ""
        assert (done.returncode, done.stderr[: len(ours) or None]) == (0, ours), words
        json.loads(done.stdout)
