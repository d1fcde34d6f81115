"""Seeded faults while somebody trades by hand, too, under a policy that adopts: every law holds.

Besides, what a stranger's orders fill is no difference, and at the end the book knows which of them
work.
"""

import os

import pytest

from fuseboard.core import comparing, foreign, orders
from fuseboard.simulation.run import run_seed
from tests.deletion import without

SEEDS = int(os.environ.get("FUSEBOARD_SIMULATION_SEEDS", "40"))
BATCH = 10


def broken_by(first: int) -> list[str]:
    """What does not hold, each with the command that repeats it."""
    found = []
    for seed in range(first, first + BATCH):
        report = run_seed(seed, stranger=True)
        if report.broken:
            found.append("\n  ".join([f"repeat with: {report.repeat()}", *report.broken]))
    return found


@pytest.mark.parametrize(
    "first",
    [0, *(pytest.param(at, marks=pytest.mark.no_cover) for at in range(BATCH, SEEDS, BATCH))],
)
def test_every_law_holds_whatever_is_done_by_hand(first: int) -> None:
    assert not (found := broken_by(first)), "\n".join(found)


KEPT = (2085, 2123)
"""Of what had filled unseen a part was booked already: the feed tells which."""


@pytest.mark.no_cover
@pytest.mark.parametrize("seed", KEPT)
def test_seeds_that_once_failed_hold(seed: int) -> None:
    assert not run_seed(seed, stranger=True).broken


@pytest.mark.no_cover
def test_a_stranger_does_much_and_a_seed_is_the_same_run_each_time() -> None:
    report = run_seed(3, stranger=True)
    assert report.by_hand > 10
    assert report == run_seed(3, stranger=True)


CUTS = (
    (foreign._is_adopted, "taking_in.note_ended(turn, fact)", "pass", 0),
    (comparing.positions_seen, "ask_foreign(turn)", "pass", 0),
    (comparing.positions_seen, "may_have_moved |= taking_in.adopts(turn)", "pass", 3),
    (orders.take_fill, "if new_nanos == 0:", "if is_foreign_order_id(order.order_id):", 0),
)
"""A function, what is taken out of it, what stands instead, and the first seed that noticed."""


@pytest.mark.no_cover
@pytest.mark.parametrize(("function", "text", "instead", "first"), CUTS)
def test_a_safeguard_that_is_taken_out_is_noticed(
    function: object, text: str, instead: str, first: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    without(monkeypatch, function, text, instead)  # type: ignore[arg-type]
    for seed in [first, *range(60)]:
        try:
            broken = run_seed(seed, stranger=True).broken
        except AssertionError as failure:
            broken = (str(failure),)
        if broken:
            return
    raise AssertionError("no seed noticed")
