"""The systemd units: sound by systemd's own check, and calling commands that exist."""

import math
import os
import shutil
import socket
import subprocess
from configparser import ConfigParser
from pathlib import Path

import pytest
from msgspec import structs

from fuseboard.app.drain import DrainLimits
from fuseboard.brokers.alpaca_protection import CANCELS_AT_ONCE_MAX, CANCELS_MAX
from fuseboard.brokers.alpaca_session import PAGES_MAX, AlpacaOptions
from fuseboard.cli import _parser
from fuseboard.guardian.killing import DEAD_S_MAX
from fuseboard.halts.systemd import systemd_notify
from fuseboard.rescue.asking import PAUSE_S_MAX
from fuseboard.rescue.closing import ATTEMPTS_SEEN_MAX
from fuseboard.rescue.disk import WAIT_S_MAX

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


def test_systemd_waits_longer_for_the_guardian_than_a_step_of_its_acts_may_take() -> None:
    """The longest is a list of orders page by page, each answered at the last moment; then, from a
    broker that refuses to cancel them all, the cancels one by one.
    """
    unit = ConfigParser(strict=False, interpolation=None)
    unit.read(UNITS / "fuseboard-guardian.service")
    answer_s = AlpacaOptions(base_url="", key_id="", secret="", instance="").timeout_s
    pages_s = (PAGES_MAX + 2) * answer_s  # with what works, the position and the close's own id
    cancels_s = (CANCELS_MAX / CANCELS_AT_ONCE_MAX + 2) * answer_s
    searched_s = 2 * math.ceil(math.log2(ATTEMPTS_SEEN_MAX)) * answer_s
    secured_s = DEAD_S_MAX + PAUSE_S_MAX + 3 * WAIT_S_MAX
    for step_s in (pages_s, cancels_s, searched_s, secured_s):
        assert float(unit["Service"]["WatchdogSec"]) > step_s
    assert unit["Service"]["Type"] == "notify"
    assert unit["Service"]["NotifyAccess"] == "main"


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
