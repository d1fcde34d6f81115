"""What a node says hinders none of its steps, whoever reads it, or nobody."""

import os
import sys
from pathlib import Path

import pytest

from fuseboard.control.saying import say, say_if_heard


def test_a_pipe_whose_reader_is_gone_fails_nobody_from_then_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reader, written = os.pipe()
    with os.fdopen(written, "w") as output:
        monkeypatch.setattr(sys, "stdout", output)
        say_if_heard("heard")
        assert os.read(reader, 100) == b"heard\n"
        os.close(reader)
        say_if_heard("unheard")
        say_if_heard("nor this")
        say("nor what others say there, also at the end")


def test_a_disk_that_takes_nothing_and_an_output_that_was_closed_fail_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        say_if_heard("unheard")
    monkeypatch.setattr(sys, "stdout", None)
    say_if_heard("unheard")
