"""The operators' socket and the processes of a strategy, with real processes."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
import uvloop

from fuseboard.control.board import Board
from fuseboard.control.client import OperatorClient
from fuseboard.control.operator_api import OperatorApi
from fuseboard.control.peers import process_of, refusal, user_of
from fuseboard.core.kernel import Kernel
from fuseboard.runtime.launcher import Launched
from fuseboard.runtime.meter import MeteredKernel
from fuseboard.vocabulary.inputs import Input

ASKS = """
import http.client, os, socket, sys, time
def ask(path):
    made = socket.socket(socket.AF_UNIX)
    made.connect(path)
    return made
connection = http.client.HTTPConnection("localhost")
if sys.argv[2] == "detached":
    if os.fork():
        time.sleep(30)  # the strategy itself goes on
    os.setsid()
    if os.fork():
        os._exit(0)
    time.sleep(0.2)
if sys.argv[2] == "handed over":
    ours, theirs = socket.socketpair()
    if os.fork() == 0:
        made = ask(sys.argv[1])
        socket.send_fds(theirs, [b"x"], [made.fileno()])
        os._exit(0)
    os.wait()
    _, fds, _, _ = socket.recv_fds(ours, 1, 1)
    connection.sock = socket.socket(fileno=fds[0])
else:
    connection.sock = ask(sys.argv[1])
connection.request("POST", "/v1/halt", b'{"operator": "bot"}')
answer = connection.getresponse()
with open(sys.argv[3] + ".new", "w") as file:
    file.write(f"{answer.status} {answer.read().decode()}")
os.rename(sys.argv[3] + ".new", sys.argv[3])
time.sleep(30)
"""


class Refused:
    """An intake that must not be reached."""

    def __init__(self) -> None:
        self.facts: list[Input] = []

    def offer(self, fact: Input) -> bool:
        self.facts.append(fact)
        return False


@pytest.mark.parametrize("runs", [asyncio.run, uvloop.run])
@pytest.mark.parametrize("how", ["plainly", "detached", "handed over"])
def test_no_process_of_the_supervised_strategy_gets_in_and_people_are_paged(
    tmp_path: Path, how: str, runs: object
) -> None:
    path, said = tmp_path / "s", tmp_path / "said"
    intake, pages = Refused(), list[str]()
    launched = Launched()

    async def nothing(_scope: str) -> tuple[str, ...]:
        return ()

    async def main() -> None:
        api = OperatorApi(
            intake=intake,
            board=Board(),
            meter=MeteredKernel(Kernel()),
            about=dict,
            watermark=lambda: 0,
            settled=nothing,
            keeper=launched.pid,
            page=pages.append,
        )
        await api.start(path)
        command = (sys.executable, "-c", ASKS, str(path), how, str(said))
        await launched.start(command, os.environ)
        try:
            async with asyncio.timeout(20):
                while not said.exists():
                    await asyncio.sleep(0.02)
            status = await asyncio.to_thread(OperatorClient(path).status)
            assert status.running, "people get in while the strategy runs"
        finally:
            await launched.stop(0)
            await api.stop()

    runs(main())  # type: ignore[operator]
    assert said.read_text().startswith("403 ")
    assert "for people" in said.read_text()
    assert intake.facts == []
    assert len(pages) == 1
    assert "/v1/halt" in pages[0]


def test_a_process_is_judged_by_its_ancestors_and_an_unknown_one_is_refused() -> None:
    ours = os.getpid()
    assert refusal(ours, None) == ""
    assert "strategy" in refusal(ours, ours)
    assert "strategy" in refusal(ours, os.getppid())
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert refusal(ours, child.pid) == ""
        assert "strategy" in refusal(child.pid, ours)
        child.communicate(b"\n")
    assert "has ended" in refusal(child.pid, ours)
    assert refusal(None, ours) != ""


@pytest.mark.parametrize(
    ("peer", "pid", "user"),
    [
        ("unix:12:1000", 12, "user:1000"),
        ("unix", None, ""),
        ("unix:0:0", None, "user:0"),
        ("127.0.0.1:12", None, ""),
    ],
)
def test_only_a_unix_peer_names_a_process_and_a_user(peer: str, pid: int | None, user: str) -> None:
    assert process_of(peer) == pid
    assert user_of(peer) == user
