"""Nobody else is at the broker while a rescue is: what is refused, taken and killed."""

import errno
import fcntl
import os
import subprocess
import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from fuseboard.app.init_command import command_init
from fuseboard.app.rescue_alone import Alone
from fuseboard.control.state_directory import StateDirectory, StateRefused
from fuseboard.guardian.orders import Place
from fuseboard.guardian.process import GuardianRefused, guardian_lock
from fuseboard.halts.heartbeats import Beat, Heart, HeartbeatFile, Phase, boot_ns, process_seen
from fuseboard.rescue.journal import GuardianJournal

RUN_NS = 77
GONE = 2**22 - 1
"""No process has this id."""
HOLDER = """
import fcntl, sys, time
file = open(sys.argv[1], "w")
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(600)
"""


@pytest.fixture
def state(tmp_path: Path) -> StateDirectory:
    command_init(Namespace(state=tmp_path / "state", account="default", policy=None))
    return StateDirectory(tmp_path / "state")


@pytest.fixture
def held() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def beats(state: StateDirectory, heart: Heart, phase: Phase, pid: int = GONE) -> None:
    seen = process_seen(pid)
    ticks = seen.start_ticks if seen else 1
    with closing(HeartbeatFile(Place(state.path).heartbeat_file)) as file:
        file.write(heart, Beat(phase, pid, ticks, RUN_NS, boot_ns(), 1))


def is_dealt_with(state: StateDirectory) -> None:
    with closing(GuardianJournal(Place(state.path).journal_file)) as journal:
        journal.write("done", run_ns=RUN_NS)


def holder(state: StateDirectory, held: ExitStack) -> "subprocess.Popen[str]":
    """A process that has the gateway's lock."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, state.lock_file], stdout=subprocess.PIPE, text=True
    )
    held.callback(process.wait)
    held.callback(process.kill)
    assert process.stdout is not None
    held.callback(process.stdout.close)
    assert process.stdout.readline() == "held\n"
    return process


def test_neither_gateway_nor_guardian_nor_rescue_begins_beside_one(
    state: StateDirectory, held: ExitStack
) -> None:
    alone = Alone(state, held, kills=False)
    alone.look()
    assert alone.end_gateway() == ""
    with pytest.raises(StateRefused, match="another gateway"):
        state.lock()
    with pytest.raises(GuardianRefused):
        guardian_lock(state.path)
    with pytest.raises(StateRefused, match="another rescue"):
        Alone(state, held, kills=False).look()
    held.close()
    os.close(state.lock())
    os.close(guardian_lock(state.path))


@pytest.mark.parametrize(
    ("gateway", "guardian", "done", "goes_on"),
    [
        (Phase.RUNNING, Phase.RUNNING, False, False),
        (Phase.RUNNING, Phase.RUNNING, True, True),
        (Phase.RUNNING, Phase.ACTING, True, False),
        (Phase.STOPPED, Phase.RUNNING, False, True),
        (Phase.STOPPED, Phase.ACTING, False, False),
        (Phase.STARTING, None, False, False),
        (None, None, False, True),
        (None, Phase.ACTING, False, False),
    ],
)
def test_a_guardian_that_has_anything_left_to_do_is_left_to_it(
    state: StateDirectory,
    held: ExitStack,
    gateway: Phase | None,
    guardian: Phase | None,
    done: bool,
    goes_on: bool,
) -> None:
    held.callback(os.close, guardian_lock(state.path))
    if gateway is not None:
        beats(state, Heart.GATEWAY, gateway)
    if guardian is not None:
        beats(state, Heart.GUARDIAN, guardian, os.getpid())
    if done:
        is_dealt_with(state)
    alone = Alone(state, held, kills=False)
    if goes_on:
        alone.look()
        assert alone.run_ns() == (RUN_NS if gateway else 0)
    else:
        with pytest.raises(StateRefused, match=r"a guardian watches .* the same ids"):
            alone.look()


def test_a_gateway_is_killed_only_when_told_to_and_its_lock_is_ours_then(
    state: StateDirectory, held: ExitStack
) -> None:
    process = holder(state, held)
    beats(state, Heart.GATEWAY, Phase.RUNNING, process.pid)
    with ExitStack() as refused, pytest.raises(StateRefused, match="--kill-gateway ends it"):
        Alone(state, refused, kills=False).look()
    alone = Alone(state, held, kills=True)
    alone.look()
    assert process.poll() is None, "a look kills nobody"
    assert alone.end_gateway() == f"process {process.pid} is dead"
    assert process.wait(10) == -9
    with pytest.raises(StateRefused):
        state.lock()


def test_none_is_killed_beside_a_guardian_which_would_act_too(
    state: StateDirectory, held: ExitStack
) -> None:
    beats(state, Heart.GATEWAY, Phase.RUNNING, holder(state, held).pid)
    is_dealt_with(state)  # even where the run counts as dealt with
    held.callback(os.close, guardian_lock(state.path))
    with pytest.raises(StateRefused, match="a guardian watches"):
        Alone(state, held, kills=True).look()


def test_a_gateway_that_nobody_can_name_is_not_killed(
    state: StateDirectory, held: ExitStack
) -> None:
    process = holder(state, held)
    with pytest.raises(StateRefused, match=r"heartbeat .* cannot be read"):
        Alone(state, held, kills=True).look()
    assert process.poll() is None


def test_who_else_holds_the_lock_of_a_dead_gateway_is_not_acted_beside(
    state: StateDirectory, held: ExitStack
) -> None:
    process = holder(state, held)
    beats(state, Heart.GATEWAY, Phase.RUNNING)  # of one that is gone
    alone = Alone(state, held, kills=True)
    alone.look()
    with pytest.raises(StateRefused, match="another one holds"):
        alone.end_gateway()
    assert process.poll() is None


def test_a_disk_that_is_read_only_keeps_its_locks(
    state: StateDirectory, held: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.close(state.lock())  # the file is there
    real = os.open

    def read_only(path: Path, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_RDWR:
            raise OSError(errno.EROFS, "Read-only file system")
        return real(path, flags, mode)

    monkeypatch.setattr(os, "open", read_only)
    Alone(state, held, kills=False).look()
    monkeypatch.undo()
    with state.lock_file.open("rb") as file, pytest.raises(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
