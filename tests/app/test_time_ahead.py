"""A state whose journal saw a clock that was ahead says where its time stands."""

import re
import time

import pytest

from fuseboard.app.time_ahead import time_about, told_at_start
from fuseboard.control.state_directory import StateDirectory
from fuseboard.core.periods import CLOCKS_APART_NS_MAX
from fuseboard.vocabulary.money import NANOS
from tests.app.command_line import CommandLine
from tests.app.lived import live

DAY_NS = 86_400 * NANOS


@pytest.mark.parametrize(
    ("ahead_ns", "span"),
    [
        (CLOCKS_APART_NS_MAX + 1, "10s"),
        (90 * NANOS, "1m 30s"),
        (30 * DAY_NS - 1, "29d 23h"),
        (3_650 * DAY_NS, "3650d 0h"),
    ],
)
def test_where_the_time_stands_is_said_with_how_far_it_is_ahead(ahead_ns: int, span: str) -> None:
    said = time_about(1_800_000_000 * NANOS, ahead_ns)["time"]
    assert said.startswith("stands at 2027-01-15 08:00:00 UTC, ")
    assert f"{span} ahead of this machine's clock" in said
    (told,) = told_at_start(1_800_000_000 * NANOS, ahead_ns)
    assert told.startswith(f"this state's time {said}. A clock that was ahead")


@pytest.mark.parametrize("ahead_ns", [0, CLOCKS_APART_NS_MAX])
def test_of_a_clock_that_is_as_honest_ones_are_nothing_is_said(ahead_ns: int) -> None:
    assert time_about(1_800_000_000 * NANOS, ahead_ns) == {}
    assert told_at_start(1_800_000_000 * NANOS, ahead_ns) == []


def test_the_status_of_a_state_that_is_ahead_says_so_while_no_gateway_runs(
    fuseboard: CommandLine,
) -> None:
    assert fuseboard.on_state("init").code == 0
    state = StateDirectory(fuseboard.state)
    live(state, wall_ns=time.time_ns() + 30 * DAY_NS)
    shown = fuseboard.on_state("status").out
    assert re.search(
        r"\ntime      stands at .* UTC, (29d 23|30d 0)h ahead of this machine's", shown
    )


def test_a_backup_of_before_the_clock_was_ahead_brings_the_time_back_by_name(
    fuseboard: CommandLine,
) -> None:
    assert fuseboard.on_state("init").code == 0
    state, now_ns = StateDirectory(fuseboard.state), time.time_ns()
    live(state, wall_ns=now_ns - DAY_NS)
    backup = fuseboard.on_state("backup", "--json").json()["backup"]
    live(state, wall_ns=now_ns + 30 * DAY_NS)
    assert "\ntime      stands at" in fuseboard.on_state("status").out
    who = ("--operator", "Ada", "--reason", "the clock was ahead")
    assert fuseboard.on_state("restore", backup, *who).code == 1
    assert fuseboard.on_state("restore", backup, *who, "--give-up-records").code == 0
    shown = fuseboard.on_state("status").out
    assert "\ntime      " not in shown
    assert shown.startswith("posture   HALTED\n"), "time is no way round a named reset"
