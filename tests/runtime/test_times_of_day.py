"""A time of day is told when it comes; late, and once, where it was slept through."""

from fuseboard.feeds.calendars import TimesOfDay
from fuseboard.runtime.clock import SteppedClock
from fuseboard.runtime.times_of_day import TimesTold
from fuseboard.vocabulary.inputs import Moment, TimeOfDayReached

SECOND = 1_000_000_000
HOUR = 3_600 * SECOND
DAY = 24 * HOUR
MIDNIGHT = 20_000 * DAY


class Watch:
    """A policy with times of day in UTC, whose telling begins at `hour`."""

    def __init__(self, *times: str, hour: int = 9) -> None:
        self.times = times
        self.clock = SteppedClock(Moment(SECOND, MIDNIGHT + hour * HOUR))
        self.told: list[TimeOfDayReached] = []
        self.telling = TimesTold(
            lambda: TimesOfDay(self.times, "UTC"), clock=self.clock, offer=self.offer
        )

    def offer(self, fact: TimeOfDayReached) -> bool:
        self.told.append(fact)
        return True

    def after(self, duration_ns: int) -> list[int]:
        """What is told when so much time has passed: when each was due, since that midnight."""
        self.clock.advance_to(self.clock.now().boot_ns + duration_ns)
        self.told.clear()
        self.telling.look()
        return [fact.due_ns - MIDNIGHT for fact in self.told]


def test_each_time_is_told_once_when_it_comes() -> None:
    watch = Watch("09:25", "16:10")
    assert watch.after(0) == []
    assert watch.after(25 * 60 * SECOND - 1) == []
    assert watch.after(1) == [9 * HOUR + 25 * 60 * SECOND]
    assert watch.after(0) == watch.after(1) == []
    assert watch.after(7 * HOUR) == [16 * HOUR + 10 * 60 * SECOND]
    assert watch.after(17 * HOUR) == [DAY + 9 * HOUR + 25 * 60 * SECOND]


def test_what_was_slept_through_is_told_at_once_and_once_however_much_it_was() -> None:
    watch = Watch("09:25", "16:10")
    assert watch.after(3 * DAY + 2 * HOUR) == [3 * DAY + 9 * HOUR + 25 * 60 * SECOND]
    assert watch.after(SECOND) == []


def test_what_came_before_the_start_is_the_starts_own_comparison() -> None:
    assert Watch("09:00").after(0) == []
    assert Watch("08:59").after(23 * HOUR) == []


def test_the_sleep_ends_when_the_next_is_due_and_is_never_long() -> None:
    watch = Watch("09:25")
    assert watch.telling.wait_ns() == 30 * SECOND
    watch.after(25 * 60 * SECOND - 5)
    assert watch.telling.wait_ns() == 5
    watch.after(5)
    assert watch.telling.wait_ns() == 30 * SECOND
    assert Watch().telling.wait_ns() == 30 * SECOND


def test_another_policys_times_count_from_the_next_look_on() -> None:
    watch = Watch()
    assert watch.after(2 * HOUR) == []
    watch.times = ("10:30", "11:30")
    assert watch.after(SECOND) == [], "10:30 was before it was asked for"
    assert watch.after(HOUR) == [11 * HOUR + 30 * 60 * SECOND]
    watch.times = ()
    assert watch.after(DAY) == []
