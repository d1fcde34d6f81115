"""kill -9 under load, judged by ledger and journal: two rounds, and a hundred with `make soak`;
in one of the two, and in a drawn part of the hundred, a guardian watches.
"""

import pytest

from tests.e2e.crash_rounds import SCENES, Rounds, played
from tests.e2e.processes import World

ROUNDS = 100


def test_two_kills_under_load_break_no_law(here: World) -> None:
    rounds = Rounds(here, seed=1)
    try:
        rounds.round(SCENES.index("flattening"), moment="")
        rounds.round(SCENES.index("trading"), moment="while it acts")
    finally:
        rounds.close()
    assert rounds.broken == []
    assert sum(rounds.phases.values()) == 2
    assert rounds.guardians == {"while it acts, it acted": 1}


@pytest.mark.soak
def test_a_hundred_kills_under_load_break_no_law() -> None:
    broken, phases, guardians = played(ROUNDS, seed=1)
    assert broken == []
    assert sum(phases.values()) == ROUNDS
    assert sum(guardians.values()) > ROUNDS // 4
