"""The loop over the real journal, in real time: a thread, a disk, and what it holds afterwards."""

import asyncio
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from fuseboard.journal.file import create_journal
from fuseboard.journal.reader import lines
from fuseboard.journal.recovery import recover
from fuseboard.journal.writer import Commits, CommitThread, JournalWriter
from fuseboard.runtime.budget import Budget
from fuseboard.runtime.clock import SystemClock
from fuseboard.runtime.intake import Intake
from fuseboard.runtime.loop import Loop, LoopLimits, NodeStopped
from fuseboard.runtime.outlet import Outlet, OutletLimits
from fuseboard.runtime.pulse import Pulse
from fuseboard.runtime.replay import replay_lines
from fuseboard.runtime.submits import SubmitLimits
from fuseboard.runtime.watermark import Watermark
from fuseboard.vocabulary.effects import AnswerOrder
from fuseboard.vocabulary.inputs import NodeFaulted
from tests.runtime.worlds import (
    MemoryBroker,
    MemoryFeed,
    MemoryRegister,
    Shown,
    SmallKernel,
    order_requested,
)

ORDERS = 2_000
SECOND_NS = 10**9


class RealNode:
    """Intake, loop and outlet over the real journal and clock; broker and register in memory."""

    def __init__(
        self,
        path: Path,
        *,
        commits: Callable[[Callable[[bool], bool]], Commits] = CommitThread,
        pulse: Callable[[Watermark], Pulse] | None = None,
    ) -> None:
        self.story: list[str] = []
        self.kernel = SmallKernel()
        self.intake = Intake()
        self.broker = MemoryBroker(self.story)
        self.shown = Shown(self.story)
        recovered = recover(path)
        verdict = replay_lines(
            lines(path), self.kernel
        )  # from the start: the small kernel has no snapshots to load
        assert verdict.ok
        assert verdict.sequence == recovered.last_sequence
        self.watermark = Watermark(recovered.last_sequence)
        self.journal = JournalWriter(
            path,
            last_sequence=recovered.last_sequence,
            last_chain=recovered.last_chain,
            durable=self.watermark.durable,
            failed=self.watermark.failed,
            commits=commits,
        )
        clock = SystemClock(verdict.moment)
        chance = random.Random(1).randrange
        self.outlet = Outlet(
            broker=self.broker,
            feed=MemoryFeed(),
            register=MemoryRegister(self.story),
            intake=self.intake,
            clock=clock,
            budget=Budget(requests_a_minute=1_000_000, reserved=250_000, randbelow=chance),
            views=(self.shown,),
            pagers=(self.shown,),
            randbelow=chance,
            limits=OutletLimits(submits=SubmitLimits(order_wait_ns_max=60 * SECOND_NS)),
        )
        self.loop = Loop(
            kernel=self.kernel,
            clock=clock,
            intake=self.intake,
            journal=self.journal,
            watermark=self.watermark,
            outlet=self.outlet,
            last=verdict.moment,
            save_snapshot=self.journal.snapshot,
            pulse=None if pulse is None else pulse(self.watermark),
            limits=LoopLimits(snapshot_every_records=500),
        )

    async def serve(self, orders: range) -> None:
        await self.outlet.start()
        running = asyncio.create_task(self.loop.run())
        try:
            for number in orders:
                while not self.intake.offer(order_requested(number, f"S{number % 50}")):
                    await asyncio.sleep(0.001)
            ours = {f"o{number}" for number in orders}
            while not running.done() and not ours <= self.kernel.outcomes().keys():
                await asyncio.sleep(0.01)
            self.loop.request_stop()
            await running
        finally:
            await self.outlet.stop()
            self.journal.close()


def test_what_was_answered_is_on_the_disk_and_two_runs_replay_as_one(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    create_journal(path, "12345678", 1)
    for start in (1, ORDERS + 1):
        node = RealNode(path)
        asyncio.run(node.serve(range(start, start + ORDERS)))
        answers = [each for each in node.shown.effects if isinstance(each, AnswerOrder)]
        assert [answer.request for answer in answers] == list(range(start, start + ORDERS))
        assert len(node.broker.written) == ORDERS
    kernel = SmallKernel()
    verdict = replay_lines(lines(path), kernel)
    assert verdict.ok
    assert verdict.records == 4 * ORDERS  # each order, and its outcome
    assert recover(path).snapshot is not None


def test_a_fault_is_the_last_record_of_its_run_and_replays(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    create_journal(path, "12345678", 1)
    node = RealNode(path)

    async def main() -> None:
        asyncio.get_running_loop().call_later(0.05, node.intake.fail, "test")
        await node.serve(range(1, ORDERS))

    with pytest.raises(NodeStopped, match="test"):
        asyncio.run(main())
    assert b"NodeFaulted" in list(lines(path))[-1]
    restarted = RealNode(path)
    assert isinstance(restarted.kernel.seen[-1], NodeFaulted)
    restarted.journal.close()
