"""A fuse that trips too often in a day is KILLED: N trips in 24 hours."""

import pytest

from fuseboard.policy.limits import Limits
from fuseboard.policy.policy import Policy
from fuseboard.policy.rules import LossRule
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary.actions import Action
from fuseboard.vocabulary.evidence_effects import RecordTransition
from fuseboard.vocabulary.money import NANOS
from tests.core.test_known_failures import SECOND, Desk
from tests.core.test_operators import answered, reset

DAY_NS = 24 * 3600 * SECOND
PRICES = (230, 210, 190)
"""Each more than 5 % below the one before, the first below 250."""


def tripping(trips_a_day_max: int) -> Desk:
    """A desk of one position and no cash, whose drawdown of 5 % halts the account."""
    rule = LossRule(
        limit_nanos=NANOS // 20,
        action=Action.HALT,
        cooldown_ns=0,
        resets_a_day_max=20,
        trips_a_day_max=trips_a_day_max,
    )
    limits = Limits(order_value_nanos_max=NANOS**2)
    return Desk(Policy(limits=limits, losses=(rule,)), cash=0, held=1_000)


def trip(desk: Desk, price: int) -> RecordTransition:
    """The fuse's last transition when two quotes at this price tripped it."""
    effects = [*desk.quote("AAPL", price), *desk.quote("AAPL", price)]
    assert any(isinstance(effect, fx.LatchHalt) for effect in effects)
    return [effect for effect in effects if isinstance(effect, RecordTransition)][-1]


@pytest.mark.parametrize("most", [1, 2, 3])
def test_that_many_trips_in_a_day_kill_and_not_one_fewer(most: int) -> None:
    desk = tripping(most)
    for price in PRICES[: most - 1]:
        assert trip(desk, price).after == "HALTED"
        assert answered(desk.take(reset(rebase=True))).startswith("account: reset and rebased")
        desk.quote("AAPL", price)
    last = trip(desk, PRICES[most - 1])
    assert (last.before, last.after, last.reason) == ("HALTED", "KILLED", "trips_exhausted")


def test_a_trip_of_the_day_before_is_not_counted() -> None:
    desk = tripping(2)
    trip(desk, PRICES[0])
    desk.take(reset(rebase=True))
    desk.quote("AAPL", PRICES[0])
    desk.now_ns += DAY_NS
    assert trip(desk, PRICES[1]).after == "HALTED"
