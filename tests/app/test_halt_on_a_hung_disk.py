"""A halt by the command line on a disk that hangs ends in time and says what is not durable."""

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from fuseboard.app import halt_apart
from fuseboard.app.halt_apart import _Apart
from fuseboard.control.state_directory import StateDirectory
from fuseboard.halts.block import Slot
from fuseboard.halts.history import changes
from fuseboard.halts.register import HaltsRegister
from tests.app.command_line import CommandLine
from tests.e2e.processes import until

HANGS_S = 600
PROGRAM = """
import os, sys, time
from pathlib import Path
from fuseboard.app import halt_apart
from fuseboard.cli import main
def never(_descriptor):
    Path(sys.argv[1]).write_text(str(os.getpid()))
    while not Path(sys.argv[1]).with_suffix(".answers").exists():
        time.sleep(0.01)
os.fdatasync = never
halt_apart.DURABLE_S_MAX = 0.2
sys.exit(main(sys.argv[2:]))
"""


@pytest.fixture
def made(fuseboard: CommandLine) -> CommandLine:
    assert fuseboard.on_state("init").code == 0
    return fuseboard


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Path]:
    """Where a process that a disk holds writes its id; it is gone when the test is."""
    file = tmp_path / "held"
    yield file
    pid = until(lambda: int(file.read_text() or 0) if file.exists() else 0, "a process is held")
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def never(held: Path) -> Callable[..., int]:
    def hang(*_more: object) -> int:
        held.write_text(str(os.getpid()))
        time.sleep(HANGS_S)
        return 0

    return hang


def halts(made: CommandLine) -> bool:
    with closing(HaltsRegister(StateDirectory(made.state).register_file, Slot.GATEWAY)) as seen:
        return seen.halts("anybody", "ANY")


def test_a_sync_that_never_returns_holds_no_halt_up_and_what_is_not_durable_is_said(
    made: CommandLine, held: Path
) -> None:
    lock = StateDirectory(made.state).lock()  # a gateway runs, and nobody listens at its socket
    words = ("halt", "--operator", "Ada", "--state", str(made.state))
    caller = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, held, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    out, err = caller.communicate(timeout=60)
    os.close(lock)
    assert (caller.returncode, err) == (0, "")
    assert "the gateway runs and does not answer; account is latched in the register" in out
    assert "NOTE: the disk hangs: the latch is in this machine's memory" in out
    with suppress(ProcessLookupError):  # its terminal is closed: nobody of its session is left
        os.killpg(caller.pid, signal.SIGHUP)
    assert halts(made), "a gateway that still reads its register sends nothing"
    held.with_suffix(".answers").touch()
    history = StateDirectory(made.state).history_file
    until(lambda: list(changes(history)), "once the disk answers, the history has its line too")


def test_a_latch_that_nobody_can_see_is_no_halt_and_says_what_to_do(
    made: CommandLine, held: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(halt_apart, "DURABLE_S_MAX", 0.1)
    monkeypatch.setattr(halt_apart, "SEEN_S_MAX", 0.3)
    monkeypatch.setattr(os, "pwrite", never(held))
    done = made.on_state("halt", "--operator", "Ada")
    assert done.code == 1
    assert "refused: no gateway runs; the disk hangs: nothing is latched within 0.3 s" in done.out
    assert "gateway.json" in done.out
    assert not halts(made)


def test_an_older_halt_of_the_scope_is_not_taken_for_one_that_the_disk_holds_up(
    made: CommandLine, held: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert made.on_state("halt", "--operator", "Bob").code == 0
    monkeypatch.setattr(halt_apart, "DURABLE_S_MAX", 0.1)
    monkeypatch.setattr(halt_apart, "SEEN_S_MAX", 0.3)
    monkeypatch.setattr(os, "pwrite", never(held))
    done = made.on_state("halt", "--operator", "Ada")
    assert (done.code, "nothing is latched within 0.3 s" in done.out) == (1, True)


def test_a_latch_whose_line_in_the_history_hangs_is_durable_and_says_so(
    made: CommandLine, held: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_late(apart: _Apart, _waited_s: float) -> bool:
        return apart.is_latched and held.exists()

    monkeypatch.setattr(_Apart, "_is_late", is_late)
    monkeypatch.setattr(halt_apart, "append", never(held))
    done = made.on_state("halt", "--operator", "Ada", "--scope", "symbol:AAPL")
    assert done.code == 0
    line = "halts.db does not have its line (a slow disk, or another writer)"
    assert f"mind its spelling; {line}" in done.out
    assert not list(changes(StateDirectory(made.state).history_file))
    with closing(HaltsRegister(StateDirectory(made.state).register_file, Slot.GATEWAY)) as seen:
        assert seen.halts("anybody", "AAPL")


@pytest.mark.parametrize("lacks", ["fork", "pipe"])
def test_a_machine_that_cannot_start_a_process_latches_in_the_callers_own(
    made: CommandLine, monkeypatch: pytest.MonkeyPatch, lacks: str
) -> None:
    ends: list[int] = []
    pipe = os.pipe

    def piped() -> tuple[int, int]:
        ends.extend(pipe())
        return ends[0], ends[1]

    def refused() -> int:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "pipe", piped)
    monkeypatch.setattr(os, lacks, refused)
    done = made.on_state("halt", "--operator", "Ada")
    assert (done.code, "NOTE" in done.out) == (0, False), done
    assert "account is latched in the register" in done.out
    assert halts(made)
    assert len(list(changes(StateDirectory(made.state).history_file))) == 1
    for end in ends:
        with pytest.raises(OSError, match="Bad file"):
            os.fstat(end)
    StateDirectory(made.state).register_file.write_bytes(b"short")
    assert "it is absent, short" in made.refused("halt", "--operator", "A", "--state", made.state)


def test_a_line_that_the_history_refuses_is_not_said_to_be_there(made: CommandLine) -> None:
    StateDirectory(made.state).history_file.write_bytes(b"no database" * 100)
    done = made.on_state("halt", "--operator", "Ada")
    assert (done.code, halts(made)) == (0, True)
    assert "NOTE: halts.db does not have its line" in done.out


def test_a_caller_that_reaps_no_processes_is_told_of_its_halt_too(made: CommandLine) -> None:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        done = made.on_state("halt", "--operator", "Ada")
    finally:
        signal.signal(signal.SIGCHLD, before)
    assert (done.code, done.err) == (0, "")
    assert "account is latched in the register" in done.out


def test_what_the_register_refuses_is_said_as_it_is(
    made: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    StateDirectory(made.state).register_file.write_bytes(b"short")
    assert "it is absent, short, replaced or unreadable" in made.refused(
        "halt", "--operator", "Ada", "--state", made.state
    )
    monkeypatch.setattr(_Apart, "_latch", lambda *_: 1 // 0)
    assert "ended by a fault" in made.refused("halt", "--operator", "Ada", "--state", made.state)
