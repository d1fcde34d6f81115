import hashlib
import itertools
from typing import cast

import pytest

from fuseboard.runtime.lockstep import LockstepEventLoop, run_lockstep
from fuseboard.runtime.loop import FaultReported, LoopLimits, NodeStopped
from fuseboard.vocabulary.effects import (
    AnswerOrder,
    CancelOrder,
    Effect,
    LatchHalt,
    PublishPosture,
    RaiseAlert,
    StopNode,
    WakeAt,
)
from fuseboard.vocabulary.evidence_effects import RecordPlan
from fuseboard.vocabulary.inputs import (
    CancelRequested,
    Input,
    Moment,
    NodeFaulted,
    OrderNotSent,
    OrderRequested,
    TimeAdvanced,
)
from fuseboard.vocabulary.orders import Severity
from fuseboard.vocabulary.postures import HaltLevel, Posture
from fuseboard.vocabulary.reasons import Reason
from tests.runtime.worlds import (
    MILLISECOND_NS,
    START,
    Node,
    SmallKernel,
    halt_requested,
    order_requested,
    quote,
    reset_requested,
)


def test_an_alert_waits_for_no_latch_whose_disk_may_hang() -> None:
    def script(_moment: Moment, fact: Input) -> tuple[Effect, ...] | None:
        if not isinstance(fact, TimeAdvanced):
            return None
        return (
            CancelOrder(order_id="elsewhere", broker_order_id="b-1"),
            LatchHalt(
                scope="account",
                level=HaltLevel.HALT,
                reason=Reason.DRAWDOWN,
                trip="t#1",
                halt_epoch=1,
                detail="",
            ),
            RaiseAlert(severity=Severity.PAGE, code=Reason.DRAWDOWN, scope="account", text="!"),
        )

    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock, kernel=SmallKernel(script), instant=False) as node:
            node.offer(TimeAdvanced())
            await node.pass_ms(100)
            assert node.story == ["page drawdown", "latch account 1", "cancel b-1"]

    run_lockstep(START, main)


def test_nothing_but_protection_leaves_before_the_disk_has_it() -> None:
    def script(_moment: Moment, fact: Input) -> tuple[Effect, ...] | None:
        if not isinstance(fact, TimeAdvanced):
            return None
        return (
            PublishPosture(scope="account", posture=Posture.OPEN, reason=Reason.ALLOWED),
            RecordPlan(trip="t#1", stage="closing"),
            RaiseAlert(severity=Severity.PAGE, code=Reason.DRAWDOWN, scope="account", text="!"),
            CancelOrder(order_id="elsewhere", broker_order_id="b-1"),
        )

    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock, kernel=SmallKernel(script), instant=False) as node:
            node.offer(order_requested(1), TimeAdvanced(), halt_requested())
            await node.pass_ms(100)
            assert node.story == ["latch account 1", "page drawdown", "cancel b-1"]
            assert node.shown.effects == []
            node.journal.sync(2)
            await node.pass_ms(100)
            assert node.story[3:] == ["AnswerOperator", "PublishPosture", "RecordPlan"]
            node.journal.sync()
            await node.pass_ms(100)
            assert node.story[6:] == [
                "SubmitOrder",
                "AnswerOrder",
            ]  # shown, and stopped by the halt
            assert node.broker.written == []

    run_lockstep(START, main)


def test_held_effects_leave_in_sequence_and_only_up_to_the_watermark() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock, instant=False) as node:
            node.offer(*(order_requested(number, f"S{number}") for number in range(1, 21)))
            await node.pass_ms(10)
            for sequence in (1, 2, 7, 20):
                node.journal.sync(sequence)
                await node.pass_ms(100)
                answered = [cast(AnswerOrder, each).request for each in node.shown.effects]
                assert answered == list(range(1, sequence + 1))
                assert [order.order_id for order in node.broker.written] == [
                    f"o{number}" for number in range(1, sequence + 1)
                ]

    run_lockstep(START, main)


def test_the_kernel_runs_ahead_of_the_disk_only_so_far_and_goes_on_when_it_catches_up() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        limits = LoopLimits(undurable_records_max=8, batch_records_max=3)
        async with Node(clock, instant=False, loop_limits=limits) as node:
            node.offer(*(order_requested(number) for number in range(1, 31)))
            await node.pass_ms(50)
            assert node.kernel.steps == 8
            assert len(node.intake) == 22
            node.journal.sync(5)
            await node.pass_ms(50)
            assert len(node.journal.records) == 13

    run_lockstep(START, main)


def test_a_disk_that_hangs_keeps_no_halt_out() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        limits = LoopLimits(undurable_records_max=8, undurable_acts_max=2, batch_records_max=3)
        async with Node(clock, instant=False, loop_limits=limits) as node:
            node.offer(*(order_requested(number) for number in range(1, 31)))
            await node.pass_ms(50)
            assert node.kernel.steps == 8
            node.offer(*(halt_requested() for _ in range(3)))
            await node.pass_ms(50)
            assert node.register.halts("dip", "AAPL"), "latched although nothing is durable"
            assert node.kernel.steps == 10, "bounded all the same"
            node.journal.sync(1)
            await node.pass_ms(50)
            assert node.kernel.steps == 11
            assert node.broker.written == [], "and what waits before the halt leaves no more"
            node.journal.sync()
            await node.pass_ms(50)
            assert node.broker.written == []

    run_lockstep(START, main)


def test_a_cancel_annihilates_a_submit_that_is_still_held() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock, instant=False) as node:
            node.offer(order_requested(1), order_requested(2))
            await node.pass_ms(1)
            node.offer(CancelRequested(request=3, strategy="dip", order_id="o1"))
            await node.pass_ms(1)
            assert node.kernel.outcomes() == {
                "o1": [OrderNotSent(order_id="o1", reason=Reason.ANNIHILATED)]
            }
            node.journal.sync()
            await node.pass_ms(50)
            assert [order.order_id for order in node.broker.written] == ["o2"]
            assert node.broker.cancels == []
            assert len(node.kernel.outcomes()["o1"]) == 1

    run_lockstep(START, main)


def test_a_reset_that_waits_for_the_disk_does_not_clear_a_newer_halt() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock, instant=False) as node:
            node.offer(halt_requested())
            await node.pass_ms(1)
            node.journal.sync()
            node.offer(reset_requested())
            await node.pass_ms(1)
            node.offer(halt_requested())
            await node.pass_ms(1)
            node.journal.sync()
            await node.pass_ms(10)
            assert node.register.halted()
            assert not any(line.startswith("clear") for line in node.story)
            node.offer(reset_requested())
            await node.pass_ms(1)
            assert node.register.halted()  # not before the reset is durable
            node.journal.sync()
            await node.pass_ms(10)
            assert not node.register.halted()

    run_lockstep(START, main)


def test_a_reset_waits_for_another_writer_of_the_register_and_stays_halted_until_then() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock) as node:
            node.offer(halt_requested())
            await node.pass_ms(10)
            node.register.busy_times = 2
            node.offer(reset_requested())
            await node.pass_ms(150)
            assert node.register.halted()
            await node.pass_ms(150)
            assert not node.register.halted()

    run_lockstep(START, main)


def test_wake_ups_come_once_at_their_time_and_together_when_both_are_due() -> None:
    woken: list[int] = []

    def script(moment: Moment, fact: Input) -> tuple[Effect, ...] | None:
        passed = [300, 100, 100, 300, 200]
        if isinstance(fact, OrderRequested):
            return tuple(WakeAt(boot_ns=START.boot_ns + ms * MILLISECOND_NS) for ms in passed)
        if isinstance(fact, TimeAdvanced):
            woken.append((moment.boot_ns - START.boot_ns) // MILLISECOND_NS)
        return ()

    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock, kernel=SmallKernel(script)) as node:
            node.offer(order_requested(1))
            await node.pass_ms(90)
            assert woken == []
            await node.pass_ms(1_000)
            assert woken == [100, 200, 300]
            assert node.loop.next_wake_ns is None

    run_lockstep(START, main)


def test_a_wake_up_waits_for_the_disk_like_everything_else() -> None:
    def script(_moment: Moment, fact: Input) -> tuple[Effect, ...] | None:
        wanted = START.boot_ns + 10 * MILLISECOND_NS
        return (WakeAt(boot_ns=wanted),) if isinstance(fact, OrderRequested) else ()

    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock, kernel=SmallKernel(script), instant=False) as node:
            node.offer(order_requested(1))
            await node.pass_ms(100)
            assert node.kernel.steps == 1
            node.journal.sync()
            await node.pass_ms(1)
            assert node.kernel.steps == 2

    run_lockstep(START, main)


def test_moments_never_go_back_even_when_the_clock_does() -> None:
    class Wild:
        def __init__(self) -> None:
            self.moments = [Moment(50, 500), Moment(40, 600), Moment(60, 100), Moment(1, 1)]

        def now(self) -> Moment:
            return self.moments.pop(0) if len(self.moments) > 1 else self.moments[0]

    async def main(clock: LockstepEventLoop) -> None:
        node = Node(clock)
        node.loop._clock = Wild()
        for number in range(6):
            node.offer(quote(f"S{number}", 1, 2))
        node.loop.settle(10)
        stamped = [record.moment for record in node.journal.records]
        assert stamped[:3] == [Moment(50, 500), Moment(50, 600), Moment(60, 600)]
        assert stamped[3:] == [Moment(60, 600)] * 3

    run_lockstep(START, main)


def test_snapshots_are_of_the_last_journaled_record_and_come_regularly() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        limits = LoopLimits(snapshot_every_records=10, batch_records_max=4)
        async with Node(clock, loop_limits=limits) as node:
            node.offer(*(order_requested(number) for number in range(1, 31)))
            await node.pass_ms(100)
            taken = [sequence for sequence, _state, _digest in node.snapshots]
            assert taken
            assert all(later - one >= 10 for one, later in itertools.pairwise(taken))
            for sequence, state, digest in node.snapshots:
                assert state == str(sequence).encode()
                assert digest == hashlib.sha256(state).hexdigest()

    run_lockstep(START, main)


def test_an_orderly_stop_folds_what_waits_and_returns_once_all_of_it_is_released() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock, instant=False) as node:
            node.offer(*(order_requested(number) for number in range(1, 6)))
            node.loop.request_stop()
            node.offer(order_requested(6))
            await node.pass_ms(10)
            assert not node.running.done()
            node.journal.sync()
            await node.pass_ms(10)
            assert node.running.done()
            await node.running
            assert [cast(AnswerOrder, each).request for each in node.shown.effects] == [
                1,
                2,
                3,
                4,
                5,
            ]
            assert node.snapshots[-1][0] == len(node.journal.records)
            assert not node.register.halted()

    run_lockstep(START, main)


def test_an_orderly_stop_ends_when_records_without_effects_become_durable() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock, instant=False) as node:
            node.offer(quote("A", 1, 2))
            await node.pass_ms(10)
            node.loop.request_stop()
            await node.pass_ms(10)
            node.journal.sync()
            await node.pass_ms(10)
            await node.running

    run_lockstep(START, main)


def test_an_orderly_stop_whose_disk_never_catches_up_is_a_fault() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock, instant=False) as node:
            node.offer(order_requested(1))
            node.loop.request_stop()
            with pytest.raises(NodeStopped, match="catch up"):
                await node.running
            assert node.register.halted()
            assert node.broker.written == []

    run_lockstep(START, main)


def test_when_the_kernel_stops_the_node_what_it_said_before_is_released_and_no_more() -> None:
    def script(_moment: Moment, fact: Input) -> tuple[Effect, ...] | None:
        if isinstance(fact, OrderRequested) and fact.client_order_id == "o2":
            return (AnswerOrder(request=2, order_id="o2"), StopNode(detail="twin"))
        return None

    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock, kernel=SmallKernel(script), instant=False) as node:
            node.offer(*(order_requested(number) for number in range(1, 5)))
            await node.pass_ms(10)
            assert node.kernel.steps == 2
            assert not node.running.done()
            node.journal.sync()
            with pytest.raises(NodeStopped, match="twin"):
                await node.running
            assert [cast(AnswerOrder, each).request for each in node.shown.effects] == [1, 2]
            assert [type(record.input) for record in node.journal.records] == [OrderRequested] * 2
            assert node.register.halted()

    run_lockstep(START, main)


def test_the_kernels_stop_does_not_wait_for_ever_for_a_disk_that_hangs() -> None:
    def script(_moment: Moment, fact: Input) -> tuple[Effect, ...] | None:
        return (StopNode(detail="twin"),) if isinstance(fact, OrderRequested) else ()

    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock, kernel=SmallKernel(script), instant=False) as node:
            node.offer(order_requested(1))
            with pytest.raises(NodeStopped, match="twin"):
                await node.running
            assert node.register.halted()

    run_lockstep(START, main)


def test_settle_drives_the_same_loop_without_a_task() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        node = Node(clock)
        node.offer(*(quote(f"S{number}", 1, 2) for number in range(600)))
        assert node.loop.settle(turns_max=100) == 4
        assert node.kernel.steps == 600
        assert len(node.journal.records) == 600

    run_lockstep(START, main)


def test_a_faulted_node_journals_what_it_folded_and_the_fault_without_effects() -> None:
    def script(_moment: Moment, fact: Input) -> tuple[Effect, ...] | None:
        if isinstance(fact, OrderRequested) and fact.client_order_id == "o3":
            raise AssertionError("books do not balance")
        return None

    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock, kernel=SmallKernel(script), instant=False) as node:
            node.offer(*(order_requested(number) for number in range(1, 6)))
            with pytest.raises(NodeStopped, match="AssertionError: books do not balance"):
                await node.running
            node.journal.sync()
            await node.pass_ms(100)
            assert [type(record.input) for record in node.journal.records] == [
                OrderRequested,
                OrderRequested,
                NodeFaulted,
            ]
            assert node.journal.records[-1].effects == ()
            assert node.broker.written == []
            assert node.shown.effects == []
            assert node.register.latched["account"].reason is Reason.NODE_FAULT
            assert node.story[0] == "latch account 0"  # later than every reset
            assert node.story[1] == "page node_fault"

    run_lockstep(START, main)


def test_after_a_turn_that_raised_there_is_no_further_one() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        node = Node(clock, instant=False)
        node.offer(order_requested(1))
        node.loop.settle(10)
        node.intake.fail("test")
        with pytest.raises(FaultReported):
            node.loop.settle(10)
        node.intake.fault = None
        node.journal.sync()
        with pytest.raises(AssertionError, match="broken"):
            node.loop.settle(10)
        assert node.shown.effects == []

    run_lockstep(START, main)
