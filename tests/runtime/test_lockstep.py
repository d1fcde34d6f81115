import asyncio

import pytest

from fuseboard.runtime.lockstep import InstantJournal, LockstepEventLoop, Quiescent, run_lockstep
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
