"""At which times of day the books are compared: in whose zone, and by which clock."""

import asyncio
from datetime import UTC, datetime

import pytest

from fuseboard.app.calendar_choice import times_to_compare
from fuseboard.app.tape_time import tell_times_of_day
from fuseboard.feeds.calendars import TimesOfDay
from fuseboard.policy.loader import policy_from_yaml
from fuseboard.runtime.lockstep import LockstepEventLoop, run_lockstep
from fuseboard.vocabulary.inputs import BrokerClockSeen, Moment, TimeOfDayReached
from fuseboard.vocabulary.money import NANOS

HOUR = 3_600 * NANOS
AT = "execution: {reconciliation: {at: [09:25]}}"


def ns(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * NANOS


@pytest.mark.parametrize(
    ("session", "due"),
    [
        ("", "2026-06-03T13:25"),
        ("session: {calendar: XLON}", "2026-06-03T08:25"),
        ("session: {calendar: 24/7}", "2026-06-03T09:25"),
        ("session: {calendar: 24/7, roll: 17:00, zone: Asia/Tokyo}", "2026-06-03T00:25"),
    ],
)
def test_times_are_those_of_the_sessions_calendar(session: str, due: str) -> None:
    policy = policy_from_yaml(f"{AT}\n{session}", "p")
    times = times_to_compare(policy.session, policy)
    assert times.next_after(ns("2026-06-03T00:00")) == ns(due)


def test_a_schedule_that_is_off_has_no_times() -> None:
    policy = policy_from_yaml("execution: {reconciliation: {at: [09:25], enabled: no}}", "p")
    assert times_to_compare(policy.session, policy).next_after(0) is None


class Tape:
    """A broker whose clock is a tape's, ten times as fast as ours, that plays after a minute."""

    def __init__(self, clock: LockstepEventLoop) -> None:
        self.clock_at = clock

    async def clock(self) -> BrokerClockSeen:
        passed_ns = self.clock_at.now().boot_ns - NANOS
        tape_ns = ns("2010-05-06T13:00") + 10 * max(0, passed_ns - 60 * NANOS)
        return BrokerClockSeen(wall_ns=tape_ns, is_open=True)


def test_where_the_brokers_clock_is_a_tapes_times_are_the_tapes() -> None:
    start = Moment(NANOS, ns("2026-06-03T20:00"))
    told: list[tuple[int, int]] = []

    async def run(clock: LockstepEventLoop) -> None:
        def offer(fact: TimeOfDayReached) -> bool:
            told.append((fact.due_ns - start.wall_ns, clock.now().wall_ns - start.wall_ns))
            return True

        telling = tell_times_of_day(
            lambda: TimesOfDay(["09:25"], "America/New_York"),
            broker=Tape(clock),
            clock=clock,
            tape_speed_nanos=10 * NANOS,
            offer=offer,
        )
        task = asyncio.create_task(telling)
        await asyncio.sleep(3_600)
        task.cancel()

    run_lockstep(start, run)
    ((due_ns, told_ns),) = told
    assert abs(due_ns - (60 + 150) * NANOS) <= 2 * NANOS, "25 of the tape's minutes, in ours"
    assert 0 <= told_ns - due_ns <= NANOS
