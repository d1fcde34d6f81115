import asyncio

import pytest

from fuseboard.runtime.lockstep import (
    SECOND_NS,
    InstantJournal,
    LockstepEventLoop,
    Quiescent,
    run_lockstep,
)
from fuseboard.runtime.watermark import Watermark
from fuseboard.vocabulary.inputs import Moment, TimeAdvanced
from fuseboard.vocabulary.records import Record
from tests.runtime.worlds import START


def test_time_jumps_to_the_next_timer_and_order_is_that_of_the_timers() -> None:
    async def main(clock: LockstepEventLoop) -> tuple[list[int], int]:
        order: list[int] = []

        async def sleeper(seconds: int) -> None:
            await asyncio.sleep(seconds)
            order.append(seconds)

        await asyncio.gather(sleeper(3_600), sleeper(60), sleeper(86_400))
        return order, clock.now().boot_ns - START.boot_ns

    order, passed_ns = run_lockstep(START, main)
    assert order == [60, 3_600, 86_400]
    assert passed_ns == 86_400 * 1_000_000_000


def test_when_nothing_can_ever_happen_again_the_caller_is_told() -> None:
    async def main(_clock: LockstepEventLoop) -> None:
        await asyncio.Event().wait()

    with pytest.raises(Quiescent):
        run_lockstep(START, main)


def test_an_instant_journal_keeps_and_is_durable_before_it_returns() -> None:
    watermark = Watermark()
    kept: list[Record] = []
    journal = InstantJournal(watermark, kept.append)
    records = [Record(number, Moment(1, 1), TimeAdvanced(), ()) for number in (1, 2)]
    journal.append(records)
    journal.close()
    assert (kept, watermark.sequence) == (records, 2)


def test_a_timer_waits_however_long_the_run_has_lasted() -> None:
    async def main(clock: LockstepEventLoop) -> list[int]:
        passed = []
        for days in (1, 200, 10_000):
            await asyncio.sleep(days * 86_400)
            before_ns = clock.now().boot_ns
            await asyncio.sleep(1e-9)
            passed.append(clock.now().boot_ns - before_ns)
        return passed

    day, months, years = run_lockstep(START, main)
    assert day == 1
    assert 1 <= months <= 10
    assert 1 <= years <= 1_000


class Leaping:
    """Leaps an hour once, at 10 s; something happens two hours later."""

    def __init__(self, leap_s: int) -> None:
        self.leap_s = leap_s
        self.passed_ns: list[int] = []

    def due_in_ns(self) -> int | None:
        return 7_200 * SECOND_NS - sum(self.passed_ns)

    def leap_ns(self) -> int:
        return self.leap_s * SECOND_NS if sum(self.passed_ns) == 10 * SECOND_NS else 0

    def pass_ns(self, passed_ns: int) -> None:
        self.passed_ns.append(passed_ns)


def test_time_leaps_over_timers_where_the_agenda_says_so_and_they_are_late() -> None:
    async def main(clock: LockstepEventLoop) -> list[int]:
        woken: list[int] = []
        for _ in range(4):
            await asyncio.sleep(5)
            woken.append((clock.now().boot_ns - START.boot_ns) // SECOND_NS)
        return woken

    assert run_lockstep(START, main, Leaping(3_600)) == [5, 10, 3_610, 3_615]
    assert run_lockstep(START, main, Leaping(0)) == [5, 10, 15, 20]
    with pytest.raises(AssertionError, match="nothing is leapt over"):
        run_lockstep(START, main, Leaping(7_200))
