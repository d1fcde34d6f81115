"""A disk that became read-only, as a failing one does: all that is on it can still be read."""

import errno
import fcntl
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from fuseboard.app.guardian_link import guardian_without_gateway
from fuseboard.control.state_directory import StateDirectory
from fuseboard.guardian.orders import Place
from fuseboard.guardian.process import main as guardian
from fuseboard.halts.block import Slot
from fuseboard.halts.heartbeats import HeartbeatFile
from fuseboard.halts.register import HaltsRegister, RegisterUnwritable
from tests.app.command_line import CommandLine
from tests.halts.making import MOMENT, halt

APART = ("unshare", "--map-root-user", "--mount")
PROGRAM = """
import subprocess, sys
from fuseboard.cli import main
from fuseboard.guardian.process import main as guardian
from pathlib import Path

folder, state = sys.argv[1], sys.argv[1] + "/state"

def said(*words):
    sys.stdout.write(f"--- {words[0]} {main([*words, '--state', state])}\\n")

subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], check=True)
said("init")
said("halt", "--scope", "strategy:alpha", "--operator", "Ada", "--reason", "looks odd")
subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
said("verify")
said("status")
said("halt", "--operator", "Ada")
sys.stdout.write(f"--- guardian {guardian(Path(state))}\\n")
"""


def test_what_a_read_only_disk_holds_is_shown_and_what_it_refuses_is_one_sentence(
    tmp_path: Path,
) -> None:
    if subprocess.run([*APART, "mount", "-t", "tmpfs", "tmpfs", tmp_path], check=False).returncode:
        pytest.skip("no disk may be mounted here")
    program = [*APART, sys.executable, "-c", PROGRAM, str(tmp_path)]
    done = subprocess.run(program, capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    for ended in ("verify 0", "status 0", "halt 1", "guardian 1"):
        assert f"--- {ended}" in lines, done
    assert "1 changes of the halts register, the chain holds" in done.stdout
    assert "why       strategy:alpha: HALTED" in done.stdout
    assert "register  strategy:alpha: HALT (operator), operator: Ada: looks odd" in done.stdout
    assert "latched strategy:alpha HALT [operator] Ada: looks odd" in done.stdout
    assert "cannot be read" not in done.stdout
    refused, stopped = done.stderr.splitlines()
    assert "was not written: Read-only file system. Start no gateway" in refused
    assert stopped.startswith("fuseboard guardian: [Errno 30] Read-only file system")


def read_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on no file on a disk can be opened to be written."""
    opened = os.open

    def refused(path: str | Path, flags: int, *more: int) -> int:
        if flags & (os.O_RDWR | os.O_WRONLY) and str(path) != os.devnull:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        return opened(path, flags, *more)

    monkeypatch.setattr(os, "open", refused)


@pytest.fixture
def made(fuseboard: CommandLine) -> CommandLine:
    assert fuseboard.on_state("init").code == 0
    return fuseboard


def test_a_register_that_can_only_be_read_says_halted_and_lists_what_is_latched(
    made: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = StateDirectory(made.state).register_file
    with closing(HaltsRegister(file, Slot.GUARDIAN)) as register:
        register.latch(halt("symbol:AAPL"), MOMENT)
    image = file.read_bytes()
    read_only(monkeypatch)
    for slot in Slot:
        with closing(HaltsRegister(file, slot)) as register:
            assert register.halted()
            assert register.halts("anybody", "ANY")
            assert [latch.scope for latch in register.latched()] == ["symbol:AAPL"]
            (scopes, some_cannot_be_read) = register.at_start()
            assert ([at.scope for at in scopes], some_cannot_be_read) == (["symbol:AAPL"], True)
            with pytest.raises(RegisterUnwritable, match="was not written: Read-only file system"):
                register.latch(halt(), MOMENT)
            with pytest.raises(RegisterUnwritable, match="Read-only file system"):
                register.clear("symbol:AAPL", 9, MOMENT)
    assert file.read_bytes() == image


def test_a_halt_that_could_not_be_written_says_what_is_left_to_do(
    made: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_only(monkeypatch)
    state = StateDirectory(made.state)
    said = made.refused("halt", "--operator", "Ada", "--state", made.state)
    assert said.endswith(
        "no gateway runs; the halts register"
        f" {state.register_file} was not written: Read-only file system. Start no gateway, and"
        " cancel at the broker what works there"
    )
    with state.lock_file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        said = made.refused("halt", "--operator", "Ada", "--state", made.state)
    assert "Kill the gateway (`kill -9`, its id is in" in said
    assert said.endswith("and cancel at the broker")


def test_who_asks_for_the_guardian_without_a_gateway_writes_nothing(made: CommandLine) -> None:
    file = Place(made.state).heartbeat_file
    file.write_bytes(b"")
    assert guardian_without_gateway(StateDirectory(made.state)) == "none runs"
    assert file.read_bytes() == b""
    HeartbeatFile(file).close()
    assert file.stat().st_size > 0


def test_a_guardian_that_its_disk_refuses_ends_with_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("fuseboard.guardian.process.hide_this_process", lambda: None)
    read_only(monkeypatch)
    assert guardian(tmp_path) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("fuseboard guardian: [Errno 30] Read-only file system")
    assert list(tmp_path.iterdir()) == []
