"""A policy names a time zone that there is."""

import re
from importlib.resources import files

import pytest

from fuseboard.policy.loader import policy_from_yaml
from fuseboard.policy.yaml_text import PolicyRefused
from fuseboard.policy.zone_names import ZONE_NAMES

SESSION = "session: {calendar: 24/7, roll: '17:00', zone: %s}"


def test_the_table_is_what_the_package_has() -> None:
    names = files("tzdata").joinpath("zones").read_text().split()
    plain = [name for name in names if re.fullmatch(r"[A-Za-z]+(/[A-Za-z0-9_+-]+){0,2}", name)]
    assert sorted(plain) == list(ZONE_NAMES)


@pytest.mark.parametrize(
    ("written", "says"),
    [
        (
            "America/New_Yrok",
            "'America/New_Yrok' is not a time zone; did you mean `America/New_York`?",
        ),
        ("america/new_york", "did you mean `America/New_York`?"),
        ("Nowhere", "is not a time zone"),
    ],
)
def test_a_zone_that_nobody_has_is_refused_where_it_stands(written: str, says: str) -> None:
    with pytest.raises(PolicyRefused) as refused:
        policy_from_yaml(SESSION % written, "p")
    (problem,) = refused.value.problems
    assert problem.place.column == SESSION.index("%s") + 1
    assert says in problem.what


@pytest.mark.parametrize("name", ["UTC", "America/New_York", "America/Argentina/Buenos_Aires"])
def test_a_zone_of_the_table_is_taken(name: str) -> None:
    assert policy_from_yaml(SESSION % name, "p").session.zone == name
