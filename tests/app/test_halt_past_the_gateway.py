"""A halt by the command line beside a gateway that hangs, is busy, refuses, or is slow."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from http import HTTPStatus

import msgspec
import pytest

from fuseboard.control.asked import OperatorAnswer, Settled
from fuseboard.control.state_directory import StateDirectory
from fuseboard.control.status import Status
from fuseboard.halts.block import Slot
from fuseboard.halts.register import HaltsRegister
from tests.app.command_line import CommandLine
from tests.e2e.processes import until


@pytest.fixture
def made(fuseboard: CommandLine) -> CommandLine:
    assert fuseboard.on_state("init").code == 0
    return fuseboard


@contextmanager
def hanging_gateway(state: StateDirectory) -> Iterator[None]:
    """A gateway that holds its lock, and hangs up on whoever comes."""
    held = state.lock()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(state.socket_file))
        try:
            yield
        finally:
            os.close(held)


def test_a_gateway_that_hangs_is_halted_past_it(made: CommandLine) -> None:
    state = StateDirectory(made.state)
    with hanging_gateway(state):
        assert "no gateway answers on" in made.refused("status", "--state", made.state)
        done = made.on_state("halt", "--operator", "Ada")
        shown = made.on_state("status")
        document = made.on_state("status", "--json")
    assert (shown.code, document.code) == (1, 1)
    line = "account: HALT (operator), operator: Ada: no reason given"
    taken = "the gateway has not taken it up, and sends nothing new there"
    assert shown.out.splitlines()[:2] == ["posture   HALTED", f"register  {line}; {taken}"]
    assert "\ngateway   no gateway answers on" in shown.out
    assert msgspec.json.decode(document.out, type=Status).not_taken_up == (line,)
    assert done.code == 0
    assert "the gateway runs and does not answer; account is latched in the register" in done.out
    with closing(HaltsRegister(state.register_file, Slot.GATEWAY)) as register:
        assert register.halts("anybody", "ANY")


@pytest.mark.parametrize("runs", [True, False])
@pytest.mark.parametrize(
    ("name", "body"), [("instance.json", '{"inst'), ("restore.unfinished", "")]
)
def test_a_halt_needs_neither_an_identity_nor_a_restores_end(
    made: CommandLine, runs: bool, name: str, body: str
) -> None:
    state = StateDirectory(made.state)
    (made.state / name).write_text(body)
    with hanging_gateway(state) if runs else nullcontext():
        done = made.on_state("halt", "--operator", "Ada")
    assert done.code == 0, done
    with closing(HaltsRegister(state.register_file, Slot.GATEWAY)) as register:
        assert register.halts("anybody", "ANY")


def test_without_a_register_a_halt_says_what_is_wrong_with_the_directory(
    made: CommandLine,
) -> None:
    (made.state / "halts.register").unlink()
    assert "is missing: make a new one" in made.refused("halt", "--state", made.state)
    (made.state / "instance.json").unlink()
    assert "there is no state in" in made.refused("halt", "--state", made.state)


def test_a_flattening_past_a_gateway_that_hangs_says_that_it_is_closed_when_it_goes_on(
    made: CommandLine,
) -> None:
    state = StateDirectory(made.state)
    with hanging_gateway(state):
        starting = made.on_state("halt", "--operator", "Ada", "--level", "flatten")
        state.gateway_file.write_text("{}")  # as a gateway that serves has it
        done = made.on_state("halt", "--operator", "Ada", "--level", "flatten")
    assert "as soon as" not in starting.out, "a start makes a halt of what it finds"
    assert "look whether it closes; else ask for the flattening again" in starting.out
    assert "it is closed as soon as the gateway goes on" in done.out
    assert "closes nothing" not in done.out
    again = made.on_state("halt", "--operator", "Ada", "--level", "flatten")
    assert "it closes nothing by itself: ask for it again when it runs, or" in again.out
    assert "`fuseboard rescue` now" in again.out


@pytest.mark.parametrize("level", ["halt", "kill"])
def test_without_a_gateway_a_halt_says_that_nobody_cancels_or_closes(
    made: CommandLine, level: str
) -> None:
    nobody = (
        "; nobody cancels or closes meanwhile: what works at the broker may fill, and positions"
    )
    done = made.on_state("halt", "--operator", "Ada", "--level", level)
    assert f"the next start is halted{nobody}" in done.out
    one = made.on_state("halt", "--operator", "Ada", "--level", level, "--scope", "trader:t1")
    assert f"the next start has trader:t1 halted{nobody}" in one.out
    with hanging_gateway(StateDirectory(made.state)):
        assert "nobody cancels" not in made.on_state("halt", "--operator", "Ada").out


@contextmanager
def answering_gateway(state: StateDirectory, *answers: tuple[int, object]) -> Iterator[None]:
    """A gateway that holds its lock and gives these answers, once the register is latched."""
    held = state.lock()
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(state.socket_file))
    listening.listen()
    before = state.register_file.read_bytes()

    def answer() -> None:
        for number, (status, body) in enumerate(answers):
            connection, _ = listening.accept()
            with connection:
                asked = b""
                while not asked.endswith((b"}", b"\r\n\r\n")):  # head and body come apart
                    asked += connection.recv(65_536)
                if asked.startswith(b"POST") and not asked.endswith(b"}"):
                    connection.recv(65_536)
                if status == HTTPStatus.OK and not number:
                    until(lambda: state.register_file.read_bytes() != before, "it is latched")
                raw = msgspec.json.encode(body)
                head = f"HTTP/1.1 {status} x\r\ncontent-length: {len(raw)}\r\n\r\n"
                connection.sendall(head.encode() + raw)

    served = threading.Thread(target=answer)
    served.start()
    try:
        yield
    finally:
        served.join()
        listening.close()
        os.close(held)


def test_a_gateway_that_cannot_carry_a_halt_out_is_halted_past_it(made: CommandLine) -> None:
    state = StateDirectory(made.state)
    busy = OperatorAnswer(accepted=False, message="taken in, but not durable within 5 s")
    with answering_gateway(state, (503, busy)):
        done = made.on_state("halt", "--operator", "Ada")
    assert done.code == 0
    assert "the gateway says: taken in, but not durable" in done.out
    assert "account is latched in the register" in done.out
    with closing(HaltsRegister(state.register_file, Slot.GATEWAY)) as register:
        assert register.halts("anybody", "ANY")


def test_a_halt_that_a_gateway_refuses_is_latched_nowhere(made: CommandLine) -> None:
    state = StateDirectory(made.state)
    with answering_gateway(state, (409, OperatorAnswer(accepted=False, message="none of that"))):
        done = made.on_state("halt", "--operator", "Ada", "--scope", "strategy:x")
    assert (done.code, done.out) == (1, "refused: none of that\n")
    with closing(HaltsRegister(state.register_file, Slot.GATEWAY)) as register:
        assert not register.halts("x", "ANY")


def test_a_gateway_that_is_slow_to_answer_is_halted_past_it_and_then_heard(
    made: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = StateDirectory(made.state)
    monkeypatch.setattr("fuseboard.control.client.HALT_LATE_S", 0.01)
    said = OperatorAnswer(accepted=True, message="account: halted by Ada")
    with answering_gateway(state, (200, said), (200, Settled(scope="account", in_doubt=()))):
        done = made.on_state("halt", "--operator", "Ada")
    assert (done.code, done.out) == (0, "account: halted by Ada; settled: nothing is in doubt\n")
    assert done.err == "account is latched in the register; the gateway's answer is waited for\n"
    with closing(HaltsRegister(state.register_file, Slot.GATEWAY)) as register:
        assert register.halts("anybody", "ANY")
