"""A start takes its ports, then the broker, then reads; a refusal leaves who is missed missed."""

import asyncio
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from fuseboard.app import guardian_link, starting
from fuseboard.app.guardian_link import GuardianLink
from fuseboard.control.state_directory import StateDirectory, StateRefused
from fuseboard.guardian.orders import Place
from fuseboard.halts.heartbeats import Beat, Heart, HeartbeatFile, Phase
from tests.app.command_line import CommandLine, Done

DEAD = Beat(Phase.RUNNING, 999_999, 1, 77, 5, 9)
NO_BROKER = "http://127.0.0.1:1"


class Missed:
    """A state directory whose last gateway died, and what a guardian knows of it."""

    def __init__(self, fuseboard: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
        assert fuseboard.on_state("init").code == 0
        self.fuseboard = fuseboard
        self.place = Place(StateDirectory(fuseboard.state).path)
        self.beats = HeartbeatFile(self.place.heartbeat_file)
        self.beats.write(Heart.GATEWAY, DEAD)
        self.place.orders_file.write_bytes(b"as the last gateway wrote them")
        for name in ("ALPACA_API_KEY", "ALPACA_SECRET_KEY"):
            monkeypatch.setenv(name, "A")
        monkeypatch.setenv("ALPACA_BASE_URL", NO_BROKER)

    def run(self, *words: str) -> Done:
        return self.fuseboard.on_state("run", "--broker", "alpaca", "--no-guardian", *words)

    def must_still_be_missed(self) -> None:
        assert self.beats.read(Heart.GATEWAY) == DEAD
        assert self.place.orders_file.read_bytes() == b"as the last gateway wrote them"


@pytest.fixture
def missed(fuseboard: CommandLine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Missed]:
    made = Missed(fuseboard, monkeypatch)
    yield made
    made.beats.close()


@pytest.mark.parametrize("option", ["--port", "--control-port"])
def test_a_start_whose_port_is_taken_leaves_the_dead_gateways_heartbeat(
    missed: Missed, option: str
) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = str(taken.getsockname()[1])
        words = ("--port", "0") if option == "--control-port" else ()
        done = missed.run(*words, option, port)
    assert done.code == 1
    assert f"cannot listen on 127.0.0.1:{port} (Address already in use)" in done.err
    assert f"choose another with {option}" in done.err
    missed.must_still_be_missed()


def test_a_start_says_of_no_gateway_that_was_killed_that_it_serves(
    missed: Missed, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bool] = []
    real = StateDirectory.must_have_register
    (missed.place.state / "gateway.json").write_text("{}")

    def looked(state: StateDirectory) -> None:
        seen.append(state.gateway_file.exists())
        real(state)

    monkeypatch.setattr(StateDirectory, "must_have_register", looked)
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        assert missed.run("--port", str(taken.getsockname()[1])).code == 1
    assert seen == [False]


def test_a_start_takes_the_broker_over_before_it_reads_what_the_guardian_closed(
    missed: Missed, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[Phase] = []

    async def busy(_link: GuardianLink, _stopping: asyncio.Event) -> bool:
        beat = missed.beats.read(Heart.GATEWAY)
        assert beat is not None
        looks.append(beat.phase)
        if len(looks) > 1:
            raise StateRefused("the guardian still cancels")
        return True

    def closes(_journal: Path) -> tuple[()]:
        raise AssertionError("it was read while the guardian may still close")

    monkeypatch.setattr(GuardianLink, "is_idle", busy)
    monkeypatch.setattr(starting, "closes_told", closes)
    done = missed.run("--port", "0")
    assert done.code == 1
    assert "the guardian still cancels" in done.err
    assert looks == [Phase.RUNNING, Phase.STARTING], "the second look is under our own claim"
    missed.must_still_be_missed()


@pytest.mark.parametrize(
    ("number", "phase"), [(signal.SIGTERM, Phase.RUNNING), (signal.SIGINT, Phase.STARTING)]
)
def test_a_signal_ends_a_start_that_waits_for_its_guardian(
    missed: Missed, monkeypatch: pytest.MonkeyPatch, number: int, phase: Phase
) -> None:
    signalled: list[int] = []

    def busy(_guardian: Beat | None) -> bool:
        beat = missed.beats.read(Heart.GATEWAY)
        assert beat is not None
        if beat.phase is phase and not signalled:
            signalled.append(number)
            os.kill(os.getpid(), number)
        return beat.phase is phase

    monkeypatch.setattr(guardian_link, "_is_busy", busy)
    monkeypatch.setattr(guardian_link, "BUSY_S_MAX", 20.0)
    done = missed.run("--port", "0")
    assert (signalled, done.code) == ([number], 0)
    assert done.out.endswith("a guardian is at work at the broker, nothing began\n")
    missed.must_still_be_missed()
