"""Seeded faults under the real loop and outlet, and every way into the fault path."""

import random
from collections.abc import Callable, Sequence

import pytest

from fuseboard.runtime.intake import IntakeLimits
from fuseboard.runtime.lockstep import LockstepEventLoop, run_lockstep
from fuseboard.runtime.loop import LoopLimits, NodeStopped
from fuseboard.vocabulary.doors import BrokerUnavailable
from fuseboard.vocabulary.effects import AnswerOrder, Effect, LatchHalt, SubmitOrder
from fuseboard.vocabulary.inputs import (
    CancelRequested,
    ForeignOrderSeen,
    Input,
    Moment,
    NodeFaulted,
    OrderNotSent,
    OrderRequested,
    OrderUnknown,
    OrderWorking,
)
from tests.runtime.worlds import (
    ONE_AT_A_TIME,
    START,
    Node,
    SmallKernel,
    close_order,
    halt_requested,
    order_requested,
    quote,
    reset_requested,
)


async def _a_wild_run(node: Node, chance: random.Random, steps: int) -> int:
    """Offer orders, cancels, quotes, halts and resets while the disk moves now and then."""
    orders = 0
    for _ in range(steps):
        kind = chance.randrange(10)
        if kind < 5:
            orders += 1
            node.offer(order_requested(orders, f"S{chance.randrange(4)}"))
        elif kind < 7 and orders:
            order_id = f"o{chance.randrange(orders) + 1}"
            node.offer(CancelRequested(request=1, strategy="dip", order_id=order_id))
        elif kind == 7:
            node.offer(quote("S1", 1, 2))
        elif kind == 8 and chance.randrange(4) == 0:
            node.offer(halt_requested())
        elif kind == 9 and chance.randrange(2) == 0:
            node.offer(reset_requested())
        if chance.randrange(3) == 0:
            last = len(node.journal.records)
            durable = node.watermark.sequence
            node.journal.sync(durable + chance.randrange(last - durable + 1))
        await node.pass_ms(chance.randrange(30))
    return orders


@pytest.mark.parametrize("seed", range(25))
def test_under_seeded_faults_each_submit_has_one_outcome_and_nothing_outruns_the_disk(
    seed: int,
) -> None:
    chance = random.Random(seed)

    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock, seed=seed, faults_percent=15, instant=False) as node:
            orders = await _a_wild_run(node, chance, steps=120)
            released = _released(node)
            assert [each.order_id for each in node.broker.written if each not in released] == []
            answers = [each for each in node.shown.effects if isinstance(each, AnswerOrder)]
            assert answers == [e for e in _durable_effects(node) if isinstance(e, AnswerOrder)]
            # Let everything come to rest: each submit, whatever befell it, has one outcome.
            for _ in range(80):
                node.journal.sync()
                await node.pass_ms(500)
            outcomes = node.kernel.outcomes()
            assert len(outcomes) == orders
            assert all(len(facts) == 1 for facts in outcomes.values())
            ids = [order.order_id for order in node.broker.written]
            assert len(ids) == len(set(ids))
            _no_send_after_a_halt(node)
            assert not node.running.done()

    run_lockstep(START, main)


def _durable_effects(node: Node) -> list[Effect]:
    durable = node.journal.records[: node.watermark.sequence]
    return [effect for record in durable for effect in record.effects]


def _released(node: Node) -> list[Effect]:
    return [effect for effect in _durable_effects(node) if isinstance(effect, SubmitOrder)]


def _no_send_after_a_halt(node: Node) -> None:
    """In the order of events: between a latch and its clearing nothing is written, and after it
    only what was decided under the new epoch.
    """
    epoch = 0
    halted = False
    epoch_of = {order.order_id: order.halt_epoch for order in node.broker.written}
    for line in node.story:
        words = line.split()
        if words[0] == "latch":
            epoch, halted = int(words[2]), True
        elif words[0] == "clear":
            halted = False
        elif words[0] == "write":
            assert not halted
            assert epoch_of[words[1]] >= epoch


def test_the_same_seed_gives_the_same_run() -> None:
    def run() -> tuple[list[str], list[object]]:
        async def main(clock: LockstepEventLoop) -> tuple[list[str], list[object]]:
            async with Node(clock, seed=3, faults_percent=20, instant=False) as node:
                await _a_wild_run(node, random.Random(3), steps=100)
                return list(node.story), list(node.journal.records)

        return run_lockstep(START, main)

    assert run() == run()


async def _with_three_working(node: Node) -> None:
    node.offer(*(order_requested(number, f"S{number}") for number in (1, 2, 3)))
    await node.pass_ms(50)
    node.journal.sync()
    await node.pass_ms(50)
    assert len(node.broker.working) == 3


async def _expect_the_fault_path(node: Node, match: str) -> None:
    with pytest.raises(NodeStopped, match=match):
        await node.running
    assert node.register.halted()
    assert node.broker.working == {}
    assert ("page", "node_fault") in [(page[0], page[1]) for page in node.shown.pages]


def test_a_failed_commit_stops_the_node_cancels_everything_and_releases_nothing() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock, instant=False) as node:
            await _with_three_working(node)
            node.offer(order_requested(4))
            await node.pass_ms(10)
            node.journal.fail()
            await _expect_the_fault_path(node, "no space left on device")
            assert len(node.broker.written) == 3
            assert len(node.shown.effects) == 3
            assert len(node.journal.records) == node.kernel.steps  # nothing after the failure

    run_lockstep(START, main)


def test_a_journal_that_refuses_a_batch_is_a_fault_and_the_batch_is_not_skipped() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock, instant=False) as node:
            await _with_three_working(node)
            node.journal.refuses = OverflowError("queue is full")
            node.offer(order_requested(4))
            await _expect_the_fault_path(node, "queue is full")
            assert not any(isinstance(r.input, NodeFaulted) for r in node.journal.records)

    run_lockstep(START, main)


def test_an_intake_overflow_is_a_fault() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        limits = IntakeLimits(broker_facts_max=20)
        async with Node(
            clock,
            instant=False,
            intake_limits=limits,
            loop_limits=LoopLimits(undurable_records_max=12),
        ) as node:
            await _with_three_working(node)
            for number in range(40):
                node.broker.deliver(
                    OrderWorking(order_id=f"x{number}", broker_order_id=f"b{number}")
                )
            await _expect_the_fault_path(node, "broker lane")

    run_lockstep(START, main)


def test_a_view_that_crashes_is_a_fault() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock) as node:
            await _with_three_working(node)

            def crash(_effect: Effect) -> None:
                raise KeyError("no such page")

            node.shown.apply = crash  # type: ignore[method-assign,assignment]
            node.offer(order_requested(4))
            await _expect_the_fault_path(node, "no such page")

    run_lockstep(START, main)


def test_a_task_that_crashes_is_a_fault_and_its_order_is_in_doubt() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock) as node:
            await _with_three_working(node)

            async def crash(*_arguments: object) -> None:
                raise ZeroDivisionError("in the adapter")

            node.broker.submit = crash  # type: ignore[method-assign,assignment]
            node.offer(order_requested(4))
            await _expect_the_fault_path(node, "in the adapter")
            left = node.intake.take(100)
            in_doubt = [fact for fact in left if isinstance(fact, OrderUnknown)]
            assert [fact.order_id for fact in in_doubt] == ["o4"]

    run_lockstep(START, main)


def test_an_adapter_that_writes_without_asking_at_the_socket_is_a_fault() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock) as node:
            await _with_three_working(node)

            async def eager(order: SubmitOrder, _still_allowed: object) -> Input:
                return OrderUnknown(order_id=order.order_id, detail="")

            node.broker.submit = eager  # type: ignore[method-assign,assignment]
            node.offer(order_requested(4))
            await _expect_the_fault_path(node, "without asking")

    run_lockstep(START, main)


def test_a_register_that_cannot_be_written_stops_the_node_and_still_cancels_and_pages() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock) as node:
            await _with_three_working(node)
            node.register.broken = True
            node.offer(halt_requested())
            with pytest.raises(NodeStopped, match="input/output error"):
                await node.running
            assert node.broker.working == {}
            assert node.shown.pages[0][1] == "node_fault"
            assert any(isinstance(r.input, NodeFaulted) for r in node.journal.records)

    run_lockstep(START, main)


def test_a_fault_finds_orders_that_our_table_does_not_know_and_outlives_throttling() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock) as node:
            await _with_three_working(node)
            node.broker.working["from-before"] = "b-from-before"
            node.broker.throttles = 3
            node.intake.fail("test")
            await _expect_the_fault_path(node, "test")

    run_lockstep(START, main)


def test_a_fault_cancels_an_order_whose_bytes_had_left_and_stops_one_before_the_socket() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock) as node:
            node.broker.after_socket_ms = 300
            node.offer(order_requested(1))
            await node.pass_ms(10)
            node.broker.before_socket_ms = 200
            node.offer(order_requested(2, "B"))
            await node.pass_ms(10)
            node.outlet.leave(close_order("close", symbol="C"), clock.now())
            await node.pass_ms(10)
            node.intake.fail("test")
            await _expect_the_fault_path(node, "test")
            assert [order.order_id for order in node.broker.written] == ["o1"]

    run_lockstep(START, main)


def test_orders_still_in_doubt_when_the_time_is_over_are_paged() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock) as node:
            await _with_three_working(node)
            node.broker.throttles = 1_000_000
            node.intake.fail("test")
            before_ns = clock.now().boot_ns
            with pytest.raises(NodeStopped, match="test"):
                await node.running
            assert clock.now().boot_ns - before_ns == 10 * 1_000_000_000
            assert node.shown.pages[-1][0] == "page"
            assert "3 orders may work" in node.shown.pages[-1][3]

    run_lockstep(START, main)


def test_nothing_leaves_after_a_fault_not_even_when_the_disk_catches_up() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock, instant=False) as node:
            node.offer(*(order_requested(number) for number in range(1, 10)))
            await node.pass_ms(10)
            node.intake.fail("test")
            await node.pass_ms(1)
            node.journal.sync()
            with pytest.raises(NodeStopped):
                await node.running
            node.broker.deliver(OrderWorking(order_id="o1", broker_order_id="late"))
            await node.pass_ms(50)
            assert node.broker.written == []
            assert node.shown.effects == []
            assert [cancel.broker_order_id for cancel in node.broker.cancels] == ["late"]
            with pytest.raises(AssertionError, match="nothing leaves after a fault"):
                node.outlet.leave(close_order("c"), clock.now())

    run_lockstep(START, main)


def test_a_kernel_that_fails_after_latching_has_latched() -> None:
    def script(_moment: Moment, fact: Input) -> tuple[Effect, ...] | None:
        if isinstance(fact, OrderRequested):
            raise KeyError("boom")
        return None

    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock, kernel=SmallKernel(script), instant=False) as node:
            node.offer(halt_requested(), order_requested(1))
            await _expect_the_fault_path(node, "boom")
            assert node.story[:2] == ["latch account 1", "latch account 0"]
            first = node.journal.records[0]
            assert any(isinstance(effect, LatchHalt) for effect in first.effects)

    run_lockstep(START, main)


def test_a_fault_cancels_and_refuses_at_once_even_while_a_submit_is_in_flight() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock, outlet_limits=ONE_AT_A_TIME) as node:
            await _with_three_working(node)
            node.broker.after_socket_ms = 3_000
            node.offer(*(order_requested(number) for number in range(4, 8)))
            await node.pass_ms(20)
            node.intake.fail("test")
            await node.pass_ms(20)
            assert list(node.broker.working) == ["o4"]
            refused = [fact for fact in node.intake.take(100) if isinstance(fact, OrderNotSent)]
            assert [fact.order_id for fact in refused] == ["o5", "o6", "o7"]
            await _expect_the_fault_path(node, "test")

    run_lockstep(START, main)


def test_one_clean_read_is_not_enough_because_an_order_may_still_arrive() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock) as node:
            read = node.broker.foreign_orders

            async def then_one_arrives(
                known: Callable[[str], bool],
            ) -> Sequence[ForeignOrderSeen]:
                found = await read(known)
                node.broker.foreign_orders = read  # type: ignore[method-assign]
                node.broker.working["late"] = "b-late"
                return found

            node.broker.foreign_orders = then_one_arrives  # type: ignore[method-assign]
            node.intake.fail("test")
            await _expect_the_fault_path(node, "test")
            assert [cancel.broker_order_id for cancel in node.broker.cancels] == ["b-late"]

    run_lockstep(START, main)


@pytest.mark.parametrize("between", ["an order is shown", "the broker does not answer"])
def test_two_clean_reads_count_only_in_a_row(between: str) -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock) as node:
            read, reads = node.broker.foreign_orders, 0

            async def scripted(known: Callable[[str], bool]) -> Sequence[ForeignOrderSeen]:
                nonlocal reads
                reads += 1
                if reads == 2 and between == "an order is shown":
                    node.broker.working["first"] = "b-first"
                elif reads == 2:
                    raise BrokerUnavailable(between)
                found = await read(known)
                if reads == 3:
                    node.broker.working["late"] = "b-late"
                return found

            node.broker.foreign_orders = scripted  # type: ignore[method-assign]
            node.intake.fail("test")
            await _expect_the_fault_path(node, "test")
            assert node.broker.cancels[-1].broker_order_id == "b-late"
            assert reads == 6, "clean, not clean, clean, late, and two clean ones in a row"

    run_lockstep(START, main)
