"""The simulated exchange's own process: found again, never a stranger's, its ledger kept."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest
import uvloop
from msgspec import structs

from fuseboard.app.exchange_process import (
    DEFAULTS,
    ExchangeRunning,
    ExchangeWanted,
    end,
    found_or_started,
    wanted_or_running,
)
from fuseboard.control.state_directory import StateDirectory, StateRefused
from fuseboard.exchange.dividends import CORPORATE_ACTIONS
from fuseboard.exchange.starter import DEFAULT_KEY_PAIRS
from tests.app.command_line import CommandLine

WANTED = ExchangeWanted(tape="normal", speed="1", seed=1, cash_nanos=10**14)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateDirectory]:
    made = StateDirectory(tmp_path / "state")
    made.finish(made.begin(account="default", now_ns=1))
    yield made
    pids = [int(at.name) for at in Path("/proc").iterdir() if at.name.isdigit()]
    for pid in [pid for pid in pids if ours(pid, made)]:
        os.kill(pid, signal.SIGKILL)
        with suppress(ChildProcessError):  # another process started it
            os.waitpid(pid, 0)


def ours(pid: int, state: StateDirectory) -> bool:
    try:
        return str(state.path).encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def wait_until_gone(pid: int, state: StateDirectory) -> None:
    ends = time.monotonic() + 20
    while ours(pid, state):
        assert time.monotonic() < ends, "it does not end"
        time.sleep(0.01)


def started(state: StateDirectory, wanted: ExchangeWanted = WANTED) -> tuple[ExchangeRunning, bool]:
    async def run() -> tuple[ExchangeRunning, bool]:
        return await found_or_started(state, wanted)

    return uvloop.run(run())


def test_what_is_not_asked_for_is_what_the_exchange_that_still_runs_plays(
    state: StateDirectory,
) -> None:
    plays = ExchangeWanted(
        tape="crash", speed="20", seed=7, cash_nanos=5, dividends=("IBM:1:2010-05-07:2010-05-12",)
    )
    assert wanted_or_running(state) == DEFAULTS
    words = ("-c", "input()", str(state.path.resolve() / "exchange.port"))
    runs = subprocess.Popen([sys.executable, *words], stdin=subprocess.PIPE)
    try:
        known = ExchangeRunning(pid=runs.pid, port=1, wanted=plays)
        state.exchange_file.write_bytes(msgspec.json.encode(known))
        ends = time.monotonic() + 20
        while not ours(runs.pid, state):  # an instant after it was started it has no words yet
            assert time.monotonic() < ends
        assert wanted_or_running(state) == plays
        other = wanted_or_running(state, tape="normal", speed="1")
        assert other == structs.replace(plays, tape="normal", speed="1")
        paid = wanted_or_running(state, dividends=("TSLA:1:2010-05-07:2010-05-12", "AAPL:2"))
        assert paid.dividends == ("AAPL:2", "TSLA:1:2010-05-07:2010-05-12"), "in one order"
        mine = wanted_or_running(state, seed=3, cash_nanos=9)
        assert mine == structs.replace(plays, seed=3, cash_nanos=9)
    finally:
        runs.communicate(b"\n")
    assert wanted_or_running(state) == DEFAULTS, "one that has ended tells nothing"


def test_one_is_started_found_again_and_a_new_one_keeps_the_old_ledger(
    state: StateDirectory,
) -> None:
    first, is_new = started(state)
    assert is_new
    assert ours(first.pid, state)
    assert not state.is_running(), "the lock was only held for the start"
    assert started(state) == (first, False)
    with pytest.raises(StateRefused, match=rf"`kill {first.pid}`, or run with the same --tape"):
        started(state, structs.replace(WANTED, seed=2))

    state.exchange_ledger_file.write_bytes(b"what it wrote\n")
    end(first, state)
    wait_until_gone(first.pid, state)
    second, is_new = started(state)
    assert is_new
    assert second.pid != first.pid
    kept = state.path / "exchange-ledger.1.jsonl"
    assert kept.read_bytes() == b"what it wrote\n"


def test_a_process_or_a_port_of_a_stranger_is_not_taken_for_it(state: StateDirectory) -> None:
    with (
        socket.socket() as listening,
        subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger,
    ):
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        known = ExchangeRunning(pid=stranger.pid, port=port, wanted=WANTED)
        state.exchange_file.write_bytes(
            json.dumps(structs.asdict(known) | {"wanted": structs.asdict(WANTED)}).encode()
        )
        end(known, state)
        assert stranger.poll() is None, "a stranger is not ended"
        found, is_new = started(state)
        assert is_new
        assert found.port != port
        stranger.communicate(b"\n")


def test_one_that_hangs_is_said_and_left_alone(state: StateDirectory) -> None:
    first, _ = started(state)
    os.kill(first.pid, signal.SIGSTOP)
    try:
        with pytest.raises(StateRefused, match=rf"\(pid {first.pid}\) does not answer"):
            started(state)
        assert ours(first.pid, state)
    finally:
        os.kill(first.pid, signal.SIGCONT)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"pid":1}'])
def test_what_it_left_behind_may_be_damaged(state: StateDirectory, content: bytes) -> None:
    state.exchange_file.write_bytes(content)
    with pytest.raises(StateRefused, match="'nope' is no tape: use one of flash-crash"):
        started(state, structs.replace(WANTED, tape="nope"))


def test_while_a_gateway_runs_none_is_started(state: StateDirectory) -> None:
    held = state.lock()
    try:
        with pytest.raises(StateRefused, match="another gateway runs"):
            started(state)
    finally:
        os.close(held)
    assert not (state.path / "exchange.log").exists()


def test_a_start_that_is_refused_leaves_no_exchange_behind(fuseboard: CommandLine) -> None:
    assert fuseboard.on_state("init").code == 0
    state = StateDirectory(fuseboard.state)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [sys.executable, "-m", "fuseboard", "run", "--state", state.path, "--port", port],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}" in done.stderr
    assert "Traceback" not in done.stderr
    pid = json.loads(state.exchange_file.read_bytes())["pid"]
    wait_until_gone(pid, state)


def announced(port: int) -> list[tuple[str, str]]:
    (key_id, secret), *_ = DEFAULT_KEY_PAIRS.items()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    headers = {"APCA-API-KEY-ID": key_id, "APCA-API-SECRET-KEY": secret}
    connection.request(
        "GET", f"{CORPORATE_ACTIONS}?start=2010-05-01&end=2010-06-30", headers=headers
    )
    answer = json.loads(connection.getresponse().read())
    connection.close()
    return [(at["symbol"], at["ex_date"]) for at in answer["corporate_actions"]["cash_dividends"]]


def test_run_gives_dividends_to_the_exchange_that_it_starts(fuseboard: CommandLine) -> None:
    assert fuseboard.on_state("init").code == 0
    state = StateDirectory(fuseboard.state)
    apple, ibm = "AAPL:0.25:2010-05-07:2010-05-12", "IBM:0.65:2010-05-10:2010-06-10"

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "fuseboard", "run", "--state", str(state.path), *words]
        return subprocess.run(
            [*command, "--no-guardian", "--port", "0", "--", "true"],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    first = run("--dividend", ibm, "--dividend", apple)
    assert first.returncode == 0, first.stderr
    known = json.loads(state.exchange_file.read_bytes())
    try:
        assert known["wanted"]["dividends"] == [apple, ibm]
        assert announced(known["port"]) == [("AAPL", "2010-05-07"), ("IBM", "2010-05-10")]
        assert run().returncode == 0, "as the one that runs"
        other = run("--dividend", ibm)
        assert other.returncode == 1
        assert "--seed, --cash and --dividend" in other.stderr
        assert json.loads(state.exchange_file.read_bytes()) == known
    finally:
        os.kill(known["pid"], signal.SIGKILL)
    alpaca = run("--broker", "alpaca", "--dividend", ibm)
    assert alpaca.returncode == 1
    assert "--dividend is of the simulated exchange" in alpaca.stderr


DYING = """
import os, signal, sys, uvloop
from pathlib import Path
from fuseboard.app import exchange_process as subject
from fuseboard.control.state_directory import StateDirectory

def die(*_words):
    os.kill(os.getpid(), signal.SIGKILL)

setattr(subject, sys.argv[2], die)
wanted = subject.ExchangeWanted(tape="normal", speed="1", seed=1, cash_nanos=10**14)
uvloop.run(subject.found_or_started(StateDirectory(Path(sys.argv[1])), wanted))
"""


@pytest.mark.parametrize("before", ["_port", "write_atomically"])
def test_it_dies_with_a_gateway_that_is_killed_before_it_is_written_down(
    state: StateDirectory, before: str
) -> None:
    killed = subprocess.run([sys.executable, "-c", DYING, str(state.path), before], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not state.exchange_file.exists()
    ends = time.monotonic() + 20
    while any(ours(int(at.name), state) for at in Path("/proc").glob("[0-9]*")):
        assert time.monotonic() < ends, "an exchange is left that nobody can find"
        time.sleep(0.05)


def test_it_outlives_a_gateway_that_is_killed_once_it_is_written_down(
    state: StateDirectory,
) -> None:
    script = DYING.replace("setattr(subject, sys.argv[2], die)", "") + "die()"
    killed = subprocess.run([sys.executable, "-c", script, str(state.path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    pid = json.loads(state.exchange_file.read_bytes())["pid"]
    time.sleep(0.5)
    assert ours(pid, state)
    found, is_new = started(state)
    assert (found.pid, is_new) == (pid, False)
