"""The broker's key and the other processes of the same user, with real processes."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fuseboard.app import run_command
from fuseboard.app.secrecy import BROKER_SECRETS, forget_broker_secrets
from fuseboard.control.settings import settings
from fuseboard.runtime import launcher
from tests.app.command_line import CommandLine

NOBODY = 65_534
HIDES = """
import os, sys
from fuseboard.app import run_command
from fuseboard.control.settings import settings
from fuseboard.halts.hidden import hide_this_process
if os.getuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
    import ctypes
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # as every program starts; dropping a user undoes it
if "hide" in sys.argv:
    assert hide_this_process()
print("ready", flush=True)
sys.stdin.read()
"""


def read_as_the_same_user(pid: int, name: str) -> bytes:
    """What another process of that process's user, without any capability, can read of it."""
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        told = b"nothing"
        try:
            if os.getuid() == 0:
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            with Path(f"/proc/{pid}/{name}").open("rb") as file:
                told = b"read " + file.read(30_000)
        except OSError as error:
            told = type(error).__name__.encode()
        finally:
            os.write(writes, told)
            os._exit(0)
    os.close(writes)
    with os.fdopen(reads, "rb") as pipe:
        told = pipe.read()
    os.waitpid(child, 0)
    return told


@pytest.fixture
def process(request: pytest.FixtureRequest) -> Iterator[int]:
    with subprocess.Popen(
        [sys.executable, "-c", HIDES, request.param],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "ALPACA_SECRET_KEY": "a-secret-key"},
    ) as started:
        assert started.stdout is not None
        assert started.stdout.readline() == b"ready\n"
        yield started.pid
        started.communicate(b"")


@pytest.mark.skipif(sys.platform != "linux", reason="Linux calls")
@pytest.mark.parametrize(
    ("process", "hidden"), [("show", False), ("hide", True)], indirect=["process"]
)
def test_the_environment_is_hidden_from_the_same_users_processes(
    process: int, hidden: bool
) -> None:
    environment = read_as_the_same_user(process, "environ")
    if hidden:
        assert environment == b"PermissionError"
        assert read_as_the_same_user(process, "mem") == b"PermissionError"
        assert read_as_the_same_user(process, "maps") == b"PermissionError"
    else:
        assert b"a-secret-key" in environment, "the test can read what is not hidden"


def test_the_key_is_not_inherited_by_what_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in BROKER_SECRETS:
        monkeypatch.setenv(name, "a-secret-key")
    forget_broker_secrets()
    told = subprocess.run(
        [sys.executable, "-c", "import os; print(dict(os.environ))"],
        capture_output=True,
        check=True,
    )
    assert b"a-secret-key" not in told.stdout


def test_every_name_that_a_strategy_looks_a_key_up_by_is_forgotten() -> None:
    looked_up = {*launcher._KEY_VARIABLES, *launcher._SECRET_VARIABLES}
    foreign = set(launcher._FOREIGN_VARIABLES)
    own = {"FUSEBOARD_KEY_ID", "FUSEBOARD_SECRET"}
    assert (looked_up | foreign) - own <= set(BROKER_SECRETS)


def test_a_run_hides_itself_before_it_reads_the_key_and_forgets_it_at_once(
    fuseboard: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []

    def hides() -> bool:
        order.append("hides")
        return True

    def reads() -> dict[str, str]:
        order.append("reads")
        return settings()

    monkeypatch.setattr(run_command, "hide_this_process", hides)
    monkeypatch.setattr(run_command, "settings", reads)
    monkeypatch.setenv("ALPACA_API_KEY", "a-key")
    monkeypatch.setenv("ALPACA_SECRET_KEY", "a-secret-key")
    monkeypatch.setenv("ALPACA_BASE_URL", "ftp://nowhere")
    assert fuseboard.on_state("init").code == 0
    refused = fuseboard.on_state("run", "--broker", "alpaca")
    assert "is no address" in refused.err
    assert order == ["hides", "reads"]
    assert not {"ALPACA_API_KEY", "ALPACA_SECRET_KEY"} & os.environ.keys()
