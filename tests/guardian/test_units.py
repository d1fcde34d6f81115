"""The systemd units: sound by systemd's own check, and calling commands that exist."""

import os
import shutil
import socket
import subprocess
from configparser import ConfigParser
from pathlib import Path

import pytest
from msgspec import structs

from fuseboard.app.drain import DrainLimits
from fuseboard.cli import _parser
from fuseboard.halts.systemd import systemd_notify

UNITS = Path(__file__).resolve().parents[2] / "packaging" / "systemd"
NAMES = ("fuseboard.service", "fuseboard-guardian.service")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
@pytest.mark.parametrize("name", NAMES)
def test_systemd_takes_the_unit(name: str) -> None:
    done = subprocess.run(
        ["systemd-analyze", "verify", str(UNITS / name)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("name", NAMES)
def test_the_command_of_a_unit_is_one_of_ours(name: str) -> None:
    unit = ConfigParser(strict=False, interpolation=None)
    unit.read(UNITS / name)
    words = unit["Service"]["ExecStart"].split()
    assert words[:2] == ["/usr/bin/env", "fuseboard"]
    options = _parser().parse_args(words[2:])
    assert str(options.state) in unit["Service"]["ReadWritePaths"].split()


def test_systemd_waits_for_the_longest_orderly_stop() -> None:
    unit = ConfigParser(strict=False, interpolation=None)
    unit.read(UNITS / "fuseboard.service")
    steps_s = sum(structs.astuple(DrainLimits()))
    assert float(unit["Service"]["TimeoutStopSec"]) > steps_s


def test_systemd_is_told_over_its_socket_and_nobody_else_is(tmp_path: Path) -> None:
    door = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    door.bind(str(tmp_path / "notify"))
    door.settimeout(5)
    systemd_notify({"NOTIFY_SOCKET": str(tmp_path / "notify")})("WATCHDOG=1")
    assert door.recv(100) == b"WATCHDOG=1"
    name = f"\0fuseboard-test-{os.getpid()}"
    abstract = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    abstract.bind(name)
    abstract.settimeout(5)
    systemd_notify({"NOTIFY_SOCKET": "@" + name[1:]})("READY=1")
    assert abstract.recv(100) == b"READY=1"
    systemd_notify({})("READY=1")
    systemd_notify({"NOTIFY_SOCKET": str(tmp_path / "nobody")})("READY=1")
    door.close()
    abstract.close()
