import asyncio
from collections.abc import Callable

import pytest

from fuseboard.runtime.cancels import CancelLimits
from fuseboard.runtime.lockstep import LockstepEventLoop, run_lockstep
from fuseboard.runtime.loop import NodeStopped
from fuseboard.runtime.outlet import OutletLimits
from fuseboard.runtime.submits import SubmitLimits
from fuseboard.vocabulary.copy_inputs import ExecutionsSeen
from fuseboard.vocabulary.doors import Throttled
from fuseboard.vocabulary.effects import (
    CancelOrder,
    FindOrder,
    RaiseAlert,
    ReadAccount,
    ReadExecutions,
    ReadLeg,
    SubmitOrder,
)
from fuseboard.vocabulary.inputs import (
    AccountSeen,
    CancelRefused,
    CancelRequested,
    ForeignOrderSeen,
    LegRead,
    OrderEnded,
    OrderNotSent,
    OrderSent,
    OrderUnknown,
    OrderWorking,
    PositionsSeen,
    SubmitOutcome,
)
from fuseboard.vocabulary.market_effects import WatchSymbol
from fuseboard.vocabulary.orders import OrderStatus, Severity
from fuseboard.vocabulary.reasons import Reason
from tests.runtime.worlds import (
    MILLISECOND_NS,
    ONE_AT_A_TIME,
    START,
    Node,
    close_order,
    halt_requested,
    order_requested,
    submit_order,
)

FIND = FindOrder(order_id="o1", wire_id="fb-12345678-o1", absent_after_ns=2_000 * MILLISECOND_NS)


def not_sent(order_id: str, reason: Reason) -> OrderNotSent:
    return OrderNotSent(order_id=order_id, reason=reason)


def test_a_halt_between_release_and_socket_stops_the_bytes() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock) as node:
            node.broker.before_socket_ms = 50
            node.offer(order_requested(1))
            await node.pass_ms(20)
            assert node.broker.in_flight == 1
            node.offer(halt_requested())
            await node.pass_ms(100)
            assert node.broker.written == []
            assert node.kernel.outcomes() == {"o1": [not_sent("o1", Reason.HALT_EPOCH)]}

    run_lockstep(START, main)


def test_after_a_halt_only_the_new_epoch_and_reductions_leave_and_a_halted_register_stops_all() -> (
    None
):
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock) as node:
            node.offer(halt_requested())
            await node.pass_ms(5)
            node.register.latched.clear()
            moment = clock.now()
            node.outlet.leave(submit_order("old", epoch=0), moment)
            node.outlet.leave(submit_order("exit", epoch=0, raises=False), moment)
            node.outlet.leave(submit_order("new", epoch=1), moment)
            await node.pass_ms(50)
            assert {order.order_id for order in node.broker.written} == {"exit", "new"}
            node.register.other_slot = True
            node.outlet.leave(submit_order("newer", epoch=1), clock.now())
            node.outlet.leave(close_order("close"), clock.now())
            await node.pass_ms(50)
            assert node.broker.written[-1].order_id == "close"
            assert node.kernel.outcomes()["newer"] == [not_sent("newer", Reason.HALT_EPOCH)]
            assert node.kernel.outcomes()["old"] == [not_sent("old", Reason.HALT_EPOCH)]

    run_lockstep(START, main)


def test_a_halt_gives_waiting_orders_their_outcome_at_once() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock, outlet_limits=ONE_AT_A_TIME) as node:
            node.broker.after_socket_ms = 3_000
            node.offer(*(order_requested(number) for number in range(1, 6)))
            await node.pass_ms(20)
            assert [order.order_id for order in node.broker.written] == ["o1"]
            node.offer(halt_requested())
            await node.pass_ms(1)
            assert set(node.kernel.outcomes()) == {"o2", "o3", "o4", "o5"}
            await node.pass_ms(6_000)
            assert len(node.broker.written) == 1
            assert isinstance(node.kernel.outcomes()["o1"][0], OrderSent)

    run_lockstep(START, main)


def test_a_cancel_annihilates_a_submit_that_waits_in_line_or_before_the_socket() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock, outlet_limits=ONE_AT_A_TIME) as node:
            node.broker.before_socket_ms = 50
            node.offer(order_requested(1), order_requested(2))
            await node.pass_ms(10)
            for number in (2, 1):
                node.offer(CancelRequested(request=9, strategy="dip", order_id=f"o{number}"))
            await node.pass_ms(5)
            assert node.kernel.outcomes() == {"o2": [not_sent("o2", Reason.ANNIHILATED)]}
            await node.pass_ms(300)
            assert node.kernel.outcomes()["o1"] == [not_sent("o1", Reason.ANNIHILATED)]
            assert len(node.kernel.outcomes()["o2"]) == 1
            assert node.broker.written == []
            assert node.broker.cancels == []

    run_lockstep(START, main)


def test_a_cancel_annihilates_a_submit_that_waits_for_the_budget() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock, requests_a_minute=8) as node:
            node.offer(*(order_requested(number, f"S{number}") for number in range(1, 9)))
            await node.pass_ms(20)
            assert len(node.broker.written) == 6
            node.offer(CancelRequested(request=9, strategy="dip", order_id="o7"))
            await node.pass_ms(20)
            assert node.kernel.outcomes()["o7"] == [not_sent("o7", Reason.ANNIHILATED)]
            await node.pass_ms(6_000)
            assert node.kernel.outcomes()["o8"] == [not_sent("o8", Reason.RATE_LIMITED)]
            assert len(node.broker.written) == 6

    run_lockstep(START, main)


def test_a_cancel_after_the_bytes_left_goes_out_once_when_the_id_is_known() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock) as node:
            node.broker.after_socket_ms = 100
            node.offer(order_requested(1))
            await node.pass_ms(20)
            for _ in range(3):
                node.offer(CancelRequested(request=9, strategy="dip", order_id="o1"))
                await node.pass_ms(5)
            assert node.broker.cancels == []
            # The kernel repeats the cancel when it learns of the id; the broker hears of it once.
            await node.pass_ms(200)
            assert node.broker.cancels == [CancelOrder(order_id="o1", broker_order_id="b-o1")]
            node.outlet.leave(node.broker.cancels[0], clock.now())
            await node.pass_ms(50)
            assert len(node.broker.cancels) == 1
            await node.pass_ms(300)
            node.outlet.leave(node.broker.cancels[0], clock.now())
            await node.pass_ms(50)
            assert len(node.broker.cancels) == 2  # a repeat that is not just an echo is sent
            assert isinstance(node.kernel.seen[-1], CancelRefused)

    run_lockstep(START, main)


def test_the_stream_may_be_the_first_to_know_the_id_of_a_remembered_cancel() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock) as node:
            node.broker.loses.add("o1")
            node.offer(order_requested(1))
            await node.pass_ms(20)
            assert isinstance(node.kernel.outcomes()["o1"][0], OrderUnknown)
            node.outlet.leave(CancelOrder(order_id="o1", broker_order_id=None), clock.now())
            node.broker.deliver(OrderWorking(order_id="o1", broker_order_id="b-o1"))
            await node.pass_ms(20)
            assert node.broker.working == {}
            # Known ids are used even when the kernel's effect has none.
            node.broker.working["o2"] = "b-o2"
            node.broker.deliver(OrderWorking(order_id="o2", broker_order_id="b-o2"))
            node.outlet.leave(CancelOrder(order_id="o2", broker_order_id=None), clock.now())
            await node.pass_ms(20)
            assert node.broker.working == {}

    run_lockstep(START, main)


def test_a_remembered_cancel_of_an_order_that_ended_is_forgotten() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock) as node:
            node.outlet.leave(CancelOrder(order_id="o1", broker_order_id=None), clock.now())
            node.broker.deliver(
                OrderEnded(
                    order_id="o1",
                    broker_order_id="b-o1",
                    status=OrderStatus.EXPIRED,
                    filled_quantity_nanos=0,
                    filled_price_nanos=0,
                )
            )
            assert not node.outlet._cancels.is_wanted("o1")
            node.broker.deliver(OrderWorking(order_id="o1", broker_order_id="b-o1"))
            await node.pass_ms(20)
            assert node.broker.cancels == []

    run_lockstep(START, main)


def test_orders_start_in_the_order_of_their_decision_and_wait_for_no_answer() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock, faults_percent=0) as node:
            node.broker.after_socket_ms = 20
            node.offer(*(order_requested(number) for number in range(1, 13)))
            await node.pass_ms(30)
            assert [o.order_id for o in node.broker.written] == [f"o{n}" for n in range(1, 13)]
            assert node.broker.in_flight_most == 12

    run_lockstep(START, main)


def test_submits_and_the_line_before_them_are_bounded() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        limits = OutletLimits(submits=SubmitLimits(orders_waiting_max=6, orders_in_flight_max=2))
        async with Node(clock, outlet_limits=limits) as node:
            node.broker.after_socket_ms = 10
            node.offer(*(order_requested(number, f"S{number}") for number in range(1, 11)))
            await node.pass_ms(500)
            assert node.broker.in_flight_most == 2
            assert len(node.broker.written) == 8
            assert node.kernel.outcomes()["o10"] == [not_sent("o10", Reason.RATE_LIMITED)]

    run_lockstep(START, main)


def test_protection_overtakes_orders_in_line_and_has_the_reserve() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock, requests_a_minute=12) as node:
            node.offer(*(order_requested(number) for number in range(1, 16)))
            await node.pass_ms(100)
            assert len(node.broker.written) == 9
            node.outlet.leave(close_order("close"), clock.now())
            node.outlet.leave(CancelOrder(order_id="o1", broker_order_id="b-o1"), clock.now())
            await node.pass_ms(20)
            assert node.broker.written[-1].order_id == "close"
            assert len(node.broker.cancels) == 1

    run_lockstep(START, main)


def test_an_order_that_the_broker_keeps_throttling_is_given_up_but_a_close_is_not() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock) as node:
            node.broker.throttles = 10_000
            node.offer(order_requested(1))
            await node.pass_ms(60_000)
            assert node.kernel.outcomes()["o1"] == [not_sent("o1", Reason.RATE_LIMITED)]
            assert node.broker.calls <= 5
            node.outlet.leave(close_order("close"), clock.now())
            await node.pass_ms(600_000)
            assert "close" not in node.kernel.outcomes()
            assert node.broker.calls > 10
            node.broker.throttles = 0
            await node.pass_ms(100_000)
            assert [order.order_id for order in node.broker.written] == ["close"]

    run_lockstep(START, main)


def test_a_cancel_that_is_throttled_keeps_trying() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock) as node:
            node.broker.working["o1"] = "b-o1"
            node.broker.throttles = 6
            node.outlet.leave(CancelOrder(order_id="o1", broker_order_id="b-o1"), clock.now())
            await node.pass_ms(120_000)
            assert node.broker.working == {}

    run_lockstep(START, main)


def test_a_cancel_promotes_the_question_for_an_order_that_waits_behind_ordinary_ones() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock, requests_a_minute=40) as node:
            for number in range(40):
                other = FindOrder(order_id=f"x{number}", wire_id=f"x{number}", absent_after_ns=1)
                node.outlet.leave(other, clock.now())
            node.broker.working["o1"] = "b-o1"
            node.outlet.leave(FIND, clock.now())
            await node.pass_ms(3_000)
            assert "o1" not in node.kernel.outcomes(), "its turn is a minute away"
            node.outlet.leave(CancelOrder(order_id="o1", broker_order_id=None), clock.now())
            node.outlet.leave(CancelOrder(order_id="o1", broker_order_id=None), clock.now())
            await node.pass_ms(50)
            assert len(node.kernel.outcomes()["o1"]) == 1
            assert node.broker.working == {}, "found, and cancelled"

    run_lockstep(START, main)


def test_a_cancel_promotes_a_question_that_waits_before_it_is_asked_again() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock, seed=2) as node:
            node.broker.working["o1"] = "b-o1"
            node.broker.unavailable = 10**6
            node.outlet.leave(FIND, clock.now())
            await node.pass_ms(60_000)
            while node.broker.unavailable:
                asked = node.broker.finds
                node.outlet.leave(CancelOrder(order_id="o1", broker_order_id=None), clock.now())
                await node.pass_ms(5)
                assert node.broker.finds > asked
                node.broker.unavailable = 0
            await node.pass_ms(6_000)
            assert node.broker.working == {}

    run_lockstep(START, main)


def test_absent_counts_only_after_its_bound_has_passed() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock) as node:
            node.outlet.leave(FIND, clock.now())
            node.outlet.leave(FIND, clock.now())
            await node.pass_ms(1_990)
            assert node.kernel.outcomes() == {}
            assert node.broker.finds > 1
            await node.pass_ms(100)
            assert node.kernel.outcomes() == {"o1": [not_sent("o1", Reason.NEVER_ARRIVED)]}

    run_lockstep(START, main)


def test_an_order_that_arrives_late_is_found_and_an_unreachable_broker_is_asked_for_ever() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock) as node:
            node.broker.unavailable = 40
            node.outlet.leave(FIND, clock.now())
            await node.pass_ms(20_000)
            assert node.kernel.outcomes() == {}
            node.broker.working["o1"] = "b-o1"
            node.outlet.leave(CancelOrder(order_id="o1", broker_order_id=None), clock.now())
            await node.pass_ms(240_000)
            assert [type(fact) for fact in node.kernel.outcomes()["o1"]] == [OrderSent]
            assert node.broker.working == {}  # the remembered cancel went out

    run_lockstep(START, main)


def test_leg_account_and_positions_come_back_as_facts() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock) as node:
            node.broker.throttles = 1
            node.broker.unavailable = 2
            leg = ReadLeg(trip="t#1", symbol="A", attempt=1, order_id="c", wire_id="w")
            node.outlet.leave(leg, clock.now())
            node.outlet.leave(leg, clock.now())
            node.outlet.leave(ReadAccount(positions=True), clock.now())
            node.outlet.leave(ReadAccount(positions=False), clock.now())
            node.broker.working["stranger"] = "b-stranger"
            await node.pass_ms(20_000)
            kinds = [type(fact) for fact in node.kernel.seen]
            assert kinds.count(LegRead) == 1
            assert kinds.count(PositionsSeen) == 1
            assert 1 <= kinds.count(AccountSeen) <= 2
            strangers = [f for f in node.kernel.seen if isinstance(f, ForeignOrderSeen)]
            assert [stranger.wire_id for stranger in strangers] == ["fb-12345678-stranger"]

    run_lockstep(START, main)


def test_the_brokers_clock_is_read_with_the_positions_that_want_it() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock) as node:
            node.broker.throttles = 3  # the account, and the first try of the positions
            node.outlet.leave(ReadAccount(positions=True), clock.now())
            node.outlet.leave(ReadAccount(positions=True, timed=True), clock.now())
            await node.pass_ms(20_000)
            node.outlet.leave(ReadAccount(positions=True), clock.now())
            await node.pass_ms(20_000)
            seen = [f.after_broker_ns for f in node.kernel.seen if isinstance(f, PositionsSeen)]
            assert seen == [7, 0]
            assert node.broker.timed == [True, False]

    run_lockstep(START, main)


def test_positions_are_read_at_rest_and_our_own_orders_are_no_strangers() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock) as node:
            node.broker.after_socket_ms = 400
            node.offer(order_requested(1))
            await node.pass_ms(5)
            node.outlet.leave(ReadAccount(positions=True), clock.now())
            await node.pass_ms(380)
            assert not any(isinstance(fact, PositionsSeen) for fact in node.kernel.seen)
            await node.pass_ms(10_000)
            kinds = [type(fact) for fact in node.kernel.seen]
            assert kinds.count(PositionsSeen) == 1
            assert kinds.index(PositionsSeen) > kinds.index(OrderSent)
            assert ForeignOrderSeen not in kinds

    run_lockstep(START, main)


def test_the_activity_feed_is_read_once_at_a_time_and_until_it_answers() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock) as node:
            node.broker.throttles = 1
            node.broker.unavailable = 2
            for after in ("e-0", "e-9"):
                node.outlet.leave(ReadExecutions(after=after), clock.now())
            await node.pass_ms(20_000)
            told = [fact for fact in node.kernel.seen if isinstance(fact, ExecutionsSeen)]
            assert told == [ExecutionsSeen(after="e-0", newest="e-1")]

    run_lockstep(START, main)


def test_positions_read_while_an_order_moved_are_read_again() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock) as node:
            node.outlet.leave(ReadAccount(positions=True), clock.now())
            await node.pass_ms(4)  # the account is read, the positions are being read
            node.broker.deliver(OrderWorking(order_id="o1", broker_order_id="b-o1"))
            calls = node.broker.calls
            await node.pass_ms(10_000)
            assert sum(isinstance(fact, PositionsSeen) for fact in node.kernel.seen) == 1
            assert node.broker.calls == calls + 2  # positions and working orders, once more

    run_lockstep(START, main)


def test_positions_say_which_halt_was_the_newest_when_their_reading_began() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock) as node:
            node.kernel.epoch = 1
            node.outlet.leave(node.kernel.latch(), clock.now())
            node.outlet.leave(ReadAccount(positions=True), clock.now())
            await node.pass_ms(4)  # the account is read, the positions are being read
            node.kernel.epoch = 2
            node.outlet.leave(node.kernel.latch(), clock.now())
            node.outlet.leave(ReadAccount(positions=True), clock.now())
            await node.pass_ms(10_000)
            seen = [fact for fact in node.kernel.seen if isinstance(fact, PositionsSeen)]
            assert [fact.halt_epoch for fact in seen] == [1, 2], "the first began before the second"

    run_lockstep(START, main)


def test_a_symbol_is_watched_once_and_until_it_works() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock) as node:
            node.feed.fails = 3
            for _ in range(3):
                node.outlet.leave(WatchSymbol(symbol="A"), clock.now())
                await asyncio.sleep(5)
            assert node.feed.watched == ["A"]

    run_lockstep(START, main)


def test_stopping_ends_every_task_also_those_of_orders_that_wait_in_line() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock) as node:
            node.broker.after_socket_ms = 1_000
            node.offer(*(order_requested(number) for number in range(1, 20)))
            await node.pass_ms(10)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run_lockstep(START, main)


@pytest.mark.parametrize("left", [False, True])
def test_a_cancel_of_a_submit_that_the_broker_then_throttles_annihilates_it(left: bool) -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock) as node:
            calls = 0

            async def submit(
                order: SubmitOrder, still_allowed: Callable[[], bool]
            ) -> SubmitOutcome:
                nonlocal calls
                calls += 1
                if left:
                    assert still_allowed()
                await asyncio.sleep(0.05)
                raise Throttled(None)

            node.broker.submit = submit  # type: ignore[method-assign]
            node.offer(order_requested(1))
            await node.pass_ms(10)
            node.offer(CancelRequested(request=9, strategy="dip", order_id="o1"))
            await node.pass_ms(5_000)
            assert node.kernel.outcomes() == {"o1": [not_sent("o1", Reason.ANNIHILATED)]}
            assert calls == 1

    run_lockstep(START, main)


@pytest.mark.parametrize("shown_after_ms", [20, 80])
def test_an_order_that_a_broker_refuses_for_the_rate_and_takes_all_the_same_is_in_doubt(
    shown_after_ms: int,
) -> None:
    """The network doubled the call: one was refused (after 50 ms), one taken and shown."""

    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock) as node:
            calls = 0

            async def submit(
                order: SubmitOrder, still_allowed: Callable[[], bool]
            ) -> SubmitOutcome:
                nonlocal calls
                calls += 1
                assert still_allowed()
                await asyncio.sleep(0.05)
                raise Throttled(None)

            node.broker.submit = submit  # type: ignore[method-assign]
            node.offer(order_requested(1))
            await node.pass_ms(shown_after_ms)
            node.broker.deliver(OrderWorking(order_id="o1", broker_order_id="b-o1"))
            await node.pass_ms(5)
            node.offer(CancelRequested(request=9, strategy="dip", order_id="o1"))
            await node.pass_ms(5_000)
            (outcome,) = node.kernel.outcomes()["o1"]
            assert isinstance(outcome, OrderUnknown)
            assert calls == 1, "and never sent again"

    run_lockstep(START, main)


def test_an_order_that_waited_too_long_for_its_turn_is_stale_and_not_sent() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock, outlet_limits=ONE_AT_A_TIME) as node:
            node.broker.after_socket_ms = 5_100
            node.offer(order_requested(1), order_requested(2))
            await node.pass_ms(6_000)
            assert node.kernel.outcomes()["o2"] == [not_sent("o2", Reason.RATE_LIMITED)]
            assert len(node.broker.written) == 1

    run_lockstep(START, main)


def test_a_submit_is_shown_once_before_it_is_written() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock) as node:
            node.offer(*(order_requested(number, f"S{number}") for number in (1, 2)))
            await node.pass_ms(50)
            assert [order.order_id for order in node.shown.submits] == ["o1", "o2"]
            assert node.story == ["SubmitOrder", "AnswerOrder"] * 2 + ["write o1", "write o2"]

    run_lockstep(START, main)


def test_cancels_in_flight_are_bounded_and_all_go_out() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        limits = OutletLimits(cancels=CancelLimits(cancels_in_flight_max=3))
        async with Node(clock, outlet_limits=limits) as node:
            in_flight = in_flight_most = 0

            async def cancel(_order: CancelOrder) -> None:
                nonlocal in_flight, in_flight_most
                in_flight += 1
                in_flight_most = max(in_flight_most, in_flight)
                await asyncio.sleep(0.01)
                in_flight -= 1

            node.broker.cancel = cancel  # type: ignore[method-assign,assignment]
            for number in range(10):
                order = CancelOrder(order_id=f"o{number}", broker_order_id=f"b{number}")
                node.outlet.leave(order, clock.now())
            await node.pass_ms(35)
            assert in_flight_most == 3
            assert len(node.outlet._cancels) == 1
            await node.pass_ms(10)
            assert len(node.outlet._cancels) == 0

    run_lockstep(START, main)


def test_positions_are_read_again_when_an_order_moved_while_strangers_were_looked_for() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock) as node:
            reads = 0

            async def foreign_orders(_known: object) -> list[ForeignOrderSeen]:
                nonlocal reads
                reads += 1
                if reads == 1:
                    node.broker.deliver(OrderWorking(order_id="o1", broker_order_id="b-o1"))
                return []

            node.broker.foreign_orders = foreign_orders  # type: ignore[method-assign,assignment]
            node.outlet.leave(ReadAccount(positions=True), clock.now())
            await node.pass_ms(10_000)
            assert reads == 2
            assert sum(isinstance(fact, PositionsSeen) for fact in node.kernel.seen) == 1

    run_lockstep(START, main)


def test_a_loss_of_count_when_a_task_ends_is_a_fault() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock) as node:

            async def nothing() -> None:
                pass

            def wrong() -> None:
                raise KeyError("whose was it")

            told: list[object] = []
            clock.set_exception_handler(lambda _loop, context: told.append(context))
            node.outlet._crew.start(nothing(), wrong)
            with pytest.raises(NodeStopped, match="lost its count"):
                await node.running
            assert len(told) == 1

    run_lockstep(START, main)


def test_an_alert_is_as_old_as_the_input_that_it_was_decided_on() -> None:
    alert = RaiseAlert(severity=Severity.PAGE, code=Reason.DRAWDOWN, scope="account", text="fell")

    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock) as node:
            decided = clock.now()
            node.outlet.leave(alert, decided)
            await asyncio.sleep(0.25)
            node.outlet.leave(alert, decided)
            assert node.shown.ages_ns == [0, 250 * MILLISECOND_NS]

    run_lockstep(START, main)
