"""What protects beside the loop and dies stops the node, as a failed assertion does."""

import asyncio

import pytest

from fuseboard.runtime.beside import begun_beside
from fuseboard.runtime.lockstep import LockstepEventLoop, run_lockstep
from fuseboard.runtime.loop import NodeStopped
from tests.runtime.worlds import START, Node, order_requested


async def dying() -> None:
    await asyncio.sleep(0.01)
    raise OSError(24, "Too many open files")


def test_what_dies_beside_the_loop_halts_cancels_and_stops_the_node() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock) as node:
            node.offer(order_requested(1))
            await node.pass_ms(5)
            assert len(node.broker.written) == 1
            watch = begun_beside(dying(), name="the watch", died=node.intake.fail)
            with pytest.raises(NodeStopped, match=r"the watch died: OSError: .*Too many open"):
                await node.running
            assert watch.done()
            assert node.register.latched
            assert {"page node_fault", "cancel b-o1"} <= set(node.story)

    run_lockstep(START, main)


def test_what_is_cancelled_has_not_died() -> None:
    told: list[str] = []
    complaints: list[object] = []

    async def main(_clock: LockstepEventLoop) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, said: complaints.append(said))
        task = begun_beside(dying(), name="it", died=told.append)
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        await asyncio.sleep(0)

    run_lockstep(START, main)
    assert (told, complaints) == ([], [])


def test_what_ends_by_the_cancelling_of_what_it_waits_for_has_died() -> None:
    told: list[str] = []

    async def waiting() -> None:
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        answer.cancel()
        await answer

    async def main(_clock: LockstepEventLoop) -> None:
        task = begun_beside(waiting(), name="the watch", died=told.append)
        await asyncio.wait([task])
        await asyncio.sleep(0)

    run_lockstep(START, main)
    assert told == ["the watch died: what it waited for was cancelled"]


@pytest.mark.parametrize("may_end", [True, False])
def test_what_ends_though_it_was_to_last_has_died(*, may_end: bool) -> None:
    told: list[str] = []

    async def main(_clock: LockstepEventLoop) -> None:
        work = asyncio.sleep(0)
        await begun_beside(work, name="the watch", died=told.append, may_end=may_end)
        await asyncio.sleep(0)

    run_lockstep(START, main)
    assert told == ([] if may_end else ["the watch ended, and was to last as long as the node"])
