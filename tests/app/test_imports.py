"""What a command waits for before it does anything: the modules that it imports."""

import argparse
import subprocess
import sys

import pytest

from fuseboard.app import PLACES, command
from fuseboard.cli import _parser

ELSEWHERE = {"guardian", "halt"}
"""They start fastest, so the command line imports their own modules itself."""
LIGHT = """
import sys
from fuseboard.app import command

def must_not_be_there(*rooms):
    there = sorted(name for name in sys.modules if name.startswith(rooms))
    assert not there, there

command("exchange")
must_not_be_there("fuseboard.core", "fuseboard.policy", "fuseboard.lab", "yaml", "rich", "holidays")
command("status")
must_not_be_there("fuseboard.core", "fuseboard.lab", "yaml", "rich")
command("run")
must_not_be_there("fuseboard.lab", "fuseboard.simulation", "rich", "plotly", "exchange_calendars")
"""
"""Each command here imports what those before it did, and more."""


def test_each_command_of_the_command_line_has_its_place_and_each_place_its_command() -> None:
    (commands,) = (
        action for action in _parser()._actions if isinstance(action, argparse._SubParsersAction)
    )
    assert set(commands.choices) == set(PLACES) | ELSEWHERE


@pytest.mark.parametrize("name", sorted(PLACES))
def test_what_carries_a_command_out_is_found_by_its_name(name: str) -> None:
    assert callable(command(name))


def test_a_command_waits_for_no_import_that_it_does_not_need() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIGHT], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
