"""A policy names a calendar that there is."""

import re
import subprocess
import sys

import pytest

from fuseboard.policy.calendar_names import ALWAYS, CALENDARS, ZONES
from fuseboard.policy.loader import policy_from_yaml
from fuseboard.policy.yaml_text import PolicyRefused

ASKED = """
from exchange_calendars import calendar_utils
known = calendar_utils.global_calendar_dispatcher
for name in known.get_calendar_names(include_aliases=True):
    zone = known._calendar_factories[known.resolve_alias(name)].tz
    if isinstance(zone, property):
        zone = known.get_calendar(name).tz
    print(name, zone)
"""


def test_the_table_is_what_the_package_has() -> None:
    asked = subprocess.run(
        [sys.executable, "-c", ASKED], capture_output=True, check=True, text=True, timeout=60
    )
    rows = [line.split() for line in asked.stdout.splitlines()]
    zones = {name: zone for name, zone in rows if re.fullmatch(r"[A-Z][A-Z0-9_]{1,15}", name)}
    assert {ALWAYS: "UTC", **zones} == ZONES


@pytest.mark.parametrize("name", ["XXXX", "XNYSE", "xnys", "NYSE2", "24/5"])
def test_a_calendar_that_nobody_has_is_refused_where_it_stands(name: str) -> None:
    with pytest.raises(PolicyRefused) as refused:
        policy_from_yaml(f"name: x\nsession: {{calendar: {name}}}\n", "p")
    (problem,) = refused.value.problems
    assert (problem.place.line, problem.place.column) == (2, 21)
    assert "calendar of exchange_calendars" in problem.what


def test_every_calendar_of_the_table_is_taken() -> None:
    for name in CALENDARS:
        assert policy_from_yaml(f"session: {{calendar: {name}}}", "p").session.calendar == name


def test_a_near_name_is_offered() -> None:
    with pytest.raises(PolicyRefused, match="`XNYS`"):
        policy_from_yaml("session: {calendar: XNYSE}", "p")
