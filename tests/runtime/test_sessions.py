"""The schedule tells each session once, when it begins, with the broker's clock read before."""

import asyncio

from msgspec.structs import replace

from fuseboard.runtime.clock import SteppedClock
from fuseboard.runtime.sessions import SessionSchedule
from fuseboard.vocabulary.doors import BrokerUnavailable, CalendarUnavailable, SessionDay
from fuseboard.vocabulary.inputs import BrokerClockSeen, Moment, SessionRolled

SECOND = 1_000_000_000
HOUR = 3600 * SECOND
START = Moment(HOUR, 1_000 * HOUR)


def day(number: int) -> SessionDay:
    name = f"2026-01-{number:02d}"
    at_ns = START.wall_ns + (number - 5) * 24 * HOUR
    return SessionDay(
        session=name,
        week_began=name,
        month_began=name,
        began_ns=at_ns,
        open_ns=at_ns + HOUR,
        close_ns=at_ns + 24 * HOUR,
    )


class Outside:
    """A calendar that may be missing, and a broker whose clock may be."""

    name = "TEST"

    def __init__(self) -> None:
        self.clock_at = SteppedClock(START)
        self.told: list[BrokerClockSeen | SessionRolled] = []
        self.said: list[str] = []
        self.calendar_fails = self.clock_fails = self.always = False
        self.is_open = True
        self.schedule = SessionSchedule(
            calendar=self,
            broker=self,
            clock=self.clock_at,
            offer=self.offer,
            tell=self.said.append,
        )

    async def days(self, now_ns: int) -> list[SessionDay]:
        if self.calendar_fails:
            raise CalendarUnavailable("calendar TEST: the library is gone")
        days = [day(number) for number in range(4, 9)]
        return [replace(at, open_ns=at.began_ns) for at in days] if self.always else days

    async def clock(self) -> BrokerClockSeen:
        if self.clock_fails:
            raise BrokerUnavailable("no answer")
        return BrokerClockSeen(wall_ns=self.clock_at.now().wall_ns, is_open=self.is_open)

    def offer(self, fact: BrokerClockSeen | SessionRolled) -> bool:
        self.told.append(fact)
        return True

    def after(self, duration_ns: int) -> list[str]:
        """What is told when so much time has passed, in short."""
        self.clock_at.advance_to(self.clock_at.now().boot_ns + duration_ns)
        self.told.clear()
        asyncio.run(self.schedule.look())
        return [f.session if isinstance(f, SessionRolled) else "clock" for f in self.told]


def test_the_present_session_is_told_at_the_start_and_the_next_when_it_begins() -> None:
    outside = Outside()
    assert outside.after(0) == ["clock", "2026-01-05"]
    assert outside.after(SECOND) == []
    assert outside.after(400 * SECOND) == ["clock"]
    assert outside.after(23 * HOUR) == ["clock"]
    assert outside.after(HOUR) == ["clock", "2026-01-06"]


def test_the_schedule_wakes_for_the_next_session_and_never_sleeps_long() -> None:
    outside = Outside()
    outside.after(0)
    assert outside.schedule.wait_ns() == 30 * SECOND
    outside.after(24 * HOUR - 5 * SECOND)
    assert outside.schedule.wait_ns() == 5 * SECOND


def test_the_brokers_clock_is_read_when_a_session_opens_and_soon_again_while_it_says_closed() -> (
    None
):
    outside = Outside()
    outside.after(0)
    outside.after(HOUR - 5 * SECOND)
    assert outside.schedule.wait_ns() == 5 * SECOND
    outside.is_open = False
    assert outside.after(5 * SECOND) == ["clock"]
    assert outside.after(9 * SECOND) == []
    outside.is_open = True
    assert outside.after(SECOND) == ["clock"]
    assert outside.after(299 * SECOND) == []


def test_a_day_that_begins_with_its_open_has_no_open_to_wait_for() -> None:
    outside = Outside()
    outside.always = True
    outside.is_open = False
    assert outside.after(0) == ["clock", "2026-01-05"]
    assert outside.after(299 * SECOND) == []


def test_a_clock_that_cannot_be_read_is_asked_again_soon_and_the_session_is_told_anyway() -> None:
    outside = Outside()
    outside.clock_fails = True
    assert outside.after(0) == ["2026-01-05"]
    outside.clock_fails = False
    assert outside.after(9 * SECOND) == []
    assert outside.after(SECOND) == ["clock"]


def test_a_missing_calendar_is_said_once_and_tried_again() -> None:
    outside = Outside()
    outside.calendar_fails = True
    assert outside.after(0) == ["clock"]
    assert outside.after(700 * SECOND) == ["clock"]
    assert outside.said == [
        "calendar TEST: the library is gone: no session begins until it is there"
    ]
    outside.calendar_fails = False
    assert outside.after(700 * SECOND) == ["clock", "2026-01-05"]


def test_a_calendar_that_ends_is_asked_for_more_and_never_guessed_from() -> None:
    outside = Outside()
    outside.after(0)
    assert outside.after(3 * 24 * HOUR) == ["clock"]  # the 8th is the last one that is known
