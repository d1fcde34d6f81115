"""A halt is settled when all that had started is answered, or after two seconds with a list."""

import asyncio

import pytest

from fuseboard.runtime.gate import SECOND_NS
from fuseboard.runtime.lockstep import LockstepEventLoop, run_lockstep
from fuseboard.runtime.settling import SETTLE_NS_MAX
from fuseboard.runtime.submits import SubmitLimits
from fuseboard.vocabulary.effects import LatchHalt, SubmitOrder
from fuseboard.vocabulary.inputs import OrderSent, OrderWorking
from fuseboard.vocabulary.orders import Intent, OrderStatus, OrderType, Side, TimeInForce
from fuseboard.vocabulary.postures import HaltLevel
from fuseboard.vocabulary.reasons import Reason
from tests.runtime.worlds import START, Node


def order(number: int, strategy: str = "alpha") -> SubmitOrder:
    return SubmitOrder(
        order_id=f"o{number}",
        wire_id=f"fb-12345678-o{number}",
        symbol="AAA",
        side=Side.BUY,
        order_type=OrderType.MARKET,
        time_in_force=TimeInForce.DAY,
        quantity_nanos=1,
        intent=Intent.OPEN,
        raises_exposure=True,
        halt_epoch=0,
        strategy=strategy,
    )


HALT = LatchHalt(
    scope="account",
    level=HaltLevel.HALT,
    reason=Reason.OPERATOR,
    trip="",
    halt_epoch=1,
    detail="drill",
)


async def halted(node: Node, orders: list[SubmitOrder], *, before_ms: int) -> None:
    """Let orders go, and halt a while later."""
    for each in orders:
        node.outlet.leave(each, node.clock.now())
    await node.pass_ms(before_ms)
    node.outlet.leave(HALT, node.clock.now())


@pytest.mark.parametrize("answered_after_ms", [0, 300, 1_900])
def test_it_waits_for_the_answer_of_what_has_left_and_nothing_arrives_after(
    answered_after_ms: int,
) -> None:
    most = SubmitLimits().orders_in_flight_max

    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock) as node:
            node.broker.after_socket_ms = 50 + answered_after_ms
            await halted(node, [order(n) for n in range(most + 8)], before_ms=10)
            assert len(node.broker.written) == most, "as many as may be in flight"
            began_ns = clock.now().boot_ns
            assert await node.outlet.settled("account") == ()
            waited_ms = (clock.now().boot_ns - began_ns) // 1_000_000
            assert answered_after_ms <= waited_ms <= answered_after_ms + 45
            assert node.broker.in_flight == 0
            await node.pass_ms(10_000)
            assert len(node.broker.written) == most, "the ledger shows no arrival after it"

    run_lockstep(START, main)


def test_what_is_at_the_socket_when_the_halt_comes_is_refused_there_and_settles() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock) as node:
            node.broker.before_socket_ms = 500
            await halted(node, [order(1)], before_ms=10)
            assert await node.outlet.settled("account") == ()
            assert node.broker.written == []

    run_lockstep(START, main)


def test_after_two_seconds_what_is_not_answered_is_listed_as_in_doubt() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock) as node:
            node.broker.after_socket_ms = 4_000
            await halted(node, [order(1), order(2)], before_ms=10)
            began_ns = clock.now().boot_ns
            assert await node.outlet.settled("account") == ("o1", "o2")
            assert clock.now().boot_ns - began_ns == SETTLE_NS_MAX == 2 * SECOND_NS
            await node.pass_ms(5_000)
            assert await node.outlet.settled("account") == ()

    run_lockstep(START, main)


def test_an_answer_that_never_comes_leaves_its_order_in_doubt_until_it_is_known() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock) as node:
            node.broker.loses = {"o1"}
            node.broker.after_socket_ms = 500
            await halted(node, [order(1), order(2)], before_ms=10)
            settled = asyncio.create_task(node.outlet.settled("account"))
            await node.pass_ms(600)
            assert await settled == ("o1",)
            found = OrderSent(order_id="o1", broker_order_id="b", status=OrderStatus.WORKING)
            node.outlet._deliver(found)
            assert "o1" not in node.outlet._settling._in_doubt

    run_lockstep(START, main)


def test_an_order_that_the_stream_shows_is_not_in_doubt_though_its_answer_is_late() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock) as node:
            node.broker.after_socket_ms = 4_000
            await halted(node, [order(1)], before_ms=10)
            settled = asyncio.create_task(node.outlet.settled("account"))
            await node.pass_ms(300)
            node.outlet._deliver(OrderWorking(order_id="o1", broker_order_id="b-o1"))
            await node.pass_ms(1)
            assert settled.done()
            assert await settled == ()

    run_lockstep(START, main)


def test_a_scope_waits_for_its_own_requests_only() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock) as node:
            node.broker.after_socket_ms = 10_000
            await halted(node, [order(1, "alpha"), order(2, "beta")], before_ms=10)
            for scope, ids in (
                ("strategy:gamma", ()),
                ("strategy:beta", ("o2",)),
                ("symbol:AAA", ("o1", "o2")),
                ("symbol:BBB", ()),
            ):
                assert await node.outlet.settled(scope) == ids

    run_lockstep(START, main)


def test_two_people_who_wait_are_both_told() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock) as node:
            node.broker.after_socket_ms = 700
            await halted(node, [order(1)], before_ms=10)
            both = await asyncio.gather(*(node.outlet.settled("account") for _ in range(2)))
            assert both == [(), ()]
            assert clock.now().boot_ns - START.boot_ns < SECOND_NS

    run_lockstep(START, main)
