import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuseboard.runtime.clock import SAME_BOOT_SLACK_NS, SteppedClock, SystemClock
from fuseboard.vocabulary.inputs import Moment

HOUR_NS = 3_600 * 1_000_000_000
ticks = st.lists(st.tuples(st.integers(0, 10**18), st.integers(0, 10**18)), min_size=1, max_size=20)


class Machine:
    def __init__(self, boot_ns: int, wall_ns: int) -> None:
        self.boot_ns, self.wall_ns = boot_ns, wall_ns

    def clock(self, last: Moment | None) -> SystemClock:
        return SystemClock(last, boot_ns=lambda: self.boot_ns, wall_ns=lambda: self.wall_ns)


@given(ticks, st.one_of(st.none(), st.tuples(st.integers(0, 10**18), st.integers(0, 10**18))))
def test_no_clock_goes_back_whatever_the_machine_says(
    readings: list[tuple[int, int]], start: tuple[int, int] | None
) -> None:
    machine = Machine(*readings[0])
    before = Moment(0, 0) if start is None else Moment(*start)
    clock = machine.clock(None if start is None else before)
    for machine.boot_ns, machine.wall_ns in readings:
        now = clock.now()
        assert now.boot_ns >= before.boot_ns
        assert now.wall_ns >= before.wall_ns
        before = now


def test_a_restart_on_the_same_boot_counts_the_time_away() -> None:
    machine = Machine(10 * HOUR_NS, 100 * HOUR_NS)
    last = machine.clock(None).now()
    machine.boot_ns += 2 * HOUR_NS
    machine.wall_ns += 2 * HOUR_NS
    assert machine.clock(last).now() == Moment(12 * HOUR_NS, 102 * HOUR_NS)


def test_another_boot_continues_from_the_last_moment() -> None:
    last = Moment(10 * HOUR_NS, 100 * HOUR_NS)
    machine = Machine(5, 101 * HOUR_NS)
    clock = machine.clock(last)
    assert clock.now().boot_ns == 10 * HOUR_NS
    machine.boot_ns += 7
    assert clock.now().boot_ns == 10 * HOUR_NS + 7


def test_a_machine_that_was_up_for_longer_does_not_make_time_pass() -> None:
    last = Moment(HOUR_NS, 100 * HOUR_NS)
    machine = Machine(1_000 * HOUR_NS, 100 * HOUR_NS + 5)
    assert machine.clock(last).now().boot_ns == HOUR_NS
    machine.boot_ns = last.boot_ns + SAME_BOOT_SLACK_NS
    assert machine.clock(last).now().boot_ns == last.boot_ns + SAME_BOOT_SLACK_NS


def test_a_clock_says_by_how_much_it_stands_ahead_of_a_machine_that_was_set_back() -> None:
    machine = Machine(0, 100 * HOUR_NS)
    clock = machine.clock(Moment(0, 130 * HOUR_NS))
    assert clock.ahead_ns() == 30 * HOUR_NS
    machine.wall_ns = 129 * HOUR_NS
    assert clock.ahead_ns() == HOUR_NS
    machine.wall_ns = 131 * HOUR_NS
    assert (clock.ahead_ns(), clock.now().wall_ns) == (0, 131 * HOUR_NS)


def test_the_real_clock_moves_on() -> None:
    clock = SystemClock(None)
    first = clock.now()
    while clock.now().boot_ns == first.boot_ns:
        pass
    assert clock.now().wall_ns > 1_600_000_000 * 1_000_000_000


def test_a_stepped_clock_moves_both_and_refuses_to_go_back() -> None:
    clock = SteppedClock(Moment(10, 1_000))
    clock.advance_to(15)
    assert clock.now() == Moment(15, 1_005)
    with pytest.raises(ValueError, match="stands at 15"):
        clock.advance_to(14)
