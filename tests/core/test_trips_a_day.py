"""A fuse that trips too often in a day is KILLED: N trips in 24 hours."""

from collections.abc import Callable

import pytest

from fuseboard.policy.limits import Limits
from fuseboard.policy.policy import Policy
from fuseboard.policy.rules import LossRule
from fuseboard.runtime.clock import SystemClock
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary.actions import Action
from fuseboard.vocabulary.evidence_effects import RecordTransition
from fuseboard.vocabulary.inputs import Moment
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.postures import HaltLevel
from tests.core.test_clocks import Clocked
from tests.core.test_known_failures import SECOND, Desk
from tests.core.test_operators import answered, asked, reset, shown

DAY_NS = 24 * 3600 * SECOND
PRICES = (230, 210, 190)
"""Each more than 5 % below the one before, the first below 250."""


def tripping(trips_a_day_max: int) -> Clocked:
    """A desk of one position and no cash, whose drawdown of 5 % halts the account."""
    rule = LossRule(
        limit_nanos=NANOS // 20,
        action=Action.HALT,
        cooldown_ns=0,
        resets_a_day_max=20,
        trips_a_day_max=trips_a_day_max,
    )
    limits = Limits(order_value_nanos_max=NANOS**2)
    return Clocked(Policy(limits=limits, losses=(rule,)), cash=0, held=1_000)


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


HOUR_NS = 3_600 * SECOND


def booted_again(desk: Clocked) -> None:
    """Another boot, 25 hours later by the wall clock: its boot time begins at nothing."""
    last = Moment(desk.now_ns, desk.now_ns + desk.set_by_ns)
    clock = SystemClock(
        last, boot_ns=lambda: 5 * SECOND, wall_ns=lambda: last.wall_ns + 25 * HOUR_NS
    )
    now = clock.now()
    desk.now_ns, desk.set_by_ns = now.boot_ns, now.wall_ns - now.boot_ns


def set_on(desk: Clocked) -> None:
    """Somebody sets the wall clock, minutes after."""
    desk.now_ns += 300 * SECOND
    desk.set_by_ns += 25 * HOUR_NS


@pytest.mark.parametrize("later", [set_on, booted_again])
def test_neither_a_wall_clock_that_is_set_on_nor_a_reboot_empties_the_count_of_trips(
    later: Callable[[Clocked], None],
) -> None:
    desk = tripping(2)
    trip(desk, PRICES[0])
    desk.take(reset(rebase=True))
    later(desk)
    desk.start()
    desk.quote("AAPL", PRICES[0])
    last = trip(desk, PRICES[1])
    assert (last.after, last.reason) == ("KILLED", "trips_exhausted")


@pytest.mark.parametrize("later", [set_on, booted_again])
def test_neither_a_wall_clock_that_is_set_on_nor_a_reboot_empties_the_count_of_resets(
    later: Callable[[Clocked], None],
) -> None:
    desk = Clocked()
    for _ in range(3):
        desk.take(asked(HaltLevel.HALT))
        assert answered(desk.take(reset())) == "account: reset by ann"
    later(desk)
    desk.start()
    (due_wall_ns,) = shown(desk.take(asked(HaltLevel.HALT)))
    wall_ns = desk.now_ns + desk.set_by_ns
    assert 23 * HOUR_NS < due_wall_ns - wall_ns <= DAY_NS, "by the clock as it is now"
    assert not any(isinstance(each, fx.ClearHalt) for each in desk.take(reset()))
    desk.now_ns += due_wall_ns - wall_ns
    assert answered(desk.take(reset())) == "account: reset by ann"


def test_a_wall_clock_that_is_set_back_holds_no_count_for_longer_than_a_day() -> None:
    desk = tripping(2)
    trip(desk, PRICES[0])
    desk.take(reset(rebase=True))
    desk.quote("AAPL", PRICES[0])
    desk.now_ns += DAY_NS
    desk.set_by_ns -= DAY_NS  # it stands still until the old time is passed
    assert trip(desk, PRICES[1]).after == "HALTED"
