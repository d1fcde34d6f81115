"""What a node says hinders none of its steps, whoever reads it, or nobody."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from fuseboard.control.saying import said_beside


def test_a_pipe_whose_reader_is_gone_fails_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, written = os.pipe()
    with os.fdopen(written, "w") as output:
        monkeypatch.setattr(sys, "stdout", output)
        with said_beside() as say:
            say("heard")
            assert os.read(reader, 100) == b"heard\n"
            os.close(reader)
            say("unheard")
            say("nor this")


def test_a_disk_that_takes_nothing_and_an_output_that_was_closed_fail_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        with said_beside() as say:
            say("unheard")
    monkeypatch.setattr(sys, "stdout", None)
    with said_beside() as say:
        say("unheard")


STUCK = """
import sys
from fuseboard.alerts import background
from fuseboard.alerts.console import ConsolePager
from fuseboard.control.saying import said_beside
background.CLOSE_S_MAX = 0.1
pager = ConsolePager()
with said_beside() as say:
    for _ in range(100):
        say("x" * 10_000)
        pager.page("page", "operator", "account", "x" * 10_000)
pager.close()
sys.exit(7)
"""


def test_an_output_that_takes_nothing_holds_up_neither_the_steps_nor_the_end() -> None:
    """As a terminal after Ctrl-S: here a pipe that is full, and whose reader does not read."""
    reader, written = os.pipe()
    try:
        done = subprocess.run(
            [sys.executable, "-c", STUCK], stdout=written, stderr=written, check=False, timeout=60
        )
    finally:
        os.close(reader)
        os.close(written)
    assert done.returncode == 7


def test_what_is_said_arrives_whole_and_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, written = os.pipe()
    heard: list[bytes] = []
    write = os.write

    def hear() -> None:
        with os.fdopen(reader, "rb") as lines:
            heard.extend(lines)

    hearing = threading.Thread(target=hear)
    hearing.start()
    with os.fdopen(written, "w") as output:
        monkeypatch.setattr(sys, "stdout", output)
        monkeypatch.setattr(os, "write", lambda at, data: write(at, data[:4_096]))
        with said_beside() as say:
            for number in range(20):
                say(f"{number} " + "\u2192" * 10_000)
    hearing.join(10)
    assert [line.split()[0] for line in heard] == [b"%d" % number for number in range(20)]
    assert {len(line.split()[1]) for line in heard} == {30_000}
