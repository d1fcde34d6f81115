"""kill -9 under load, judged by ledger and journal: two rounds, and a hundred with `make soak`."""

import pytest

from tests.e2e.crash_rounds import SCENES, Rounds, played
from tests.e2e.processes import World

ROUNDS = 100


def test_two_kills_under_load_break_no_law(here: World) -> None:
    rounds = Rounds(here, seed=1)
    try:
        rounds.round(SCENES.index("flattening"))
        rounds.round(SCENES.index("trading"))
    finally:
        rounds.close()
    assert rounds.broken == []
    assert sum(rounds.phases.values()) == 2


@pytest.mark.soak
def test_a_hundred_kills_under_load_break_no_law() -> None:
    broken, phases = played(ROUNDS, seed=1)
    assert broken == []
    assert sum(phases.values()) == ROUNDS
