"""Many cancels are asked for as one, where that takes away nothing that is to stay."""

from collections.abc import Callable, Coroutine

import pytest

from fuseboard.runtime.bulk_cancels import BulkLimits
from fuseboard.runtime.lockstep import LockstepEventLoop, run_lockstep
from fuseboard.runtime.loop import NodeStopped
from fuseboard.vocabulary.effects import CancelOrder
from fuseboard.vocabulary.inputs import OrderEnded, OrderNotSent
from fuseboard.vocabulary.orders import Intent, OrderStatus
from fuseboard.vocabulary.reasons import Reason
from tests.runtime.worlds import MILLISECOND_NS, START, Node, close_order, submit_order

MANY = 100
A_MINUTE = 200
"""Requests, as Alpaca counts them."""
HELD_MS = BulkLimits().held_ns_max // MILLISECOND_NS
BROKER_MS = 5_000
"""After so long the broker's adapter gives an answer up."""


def ids(orders: int = MANY) -> list[str]:
    return [f"{number:036}" for number in range(orders)]


async def working(node: Node, orders: int = MANY) -> None:
    """So many orders work, and the broker's stream tells of each end."""
    for order_id in ids(orders):
        node.outlet.leave(submit_order(order_id), START)
    await node.pass_ms(1_000)
    assert len(node.broker.working) == orders


def cancel(node: Node, order_ids: list[str]) -> None:
    for order_id in order_ids:
        node.outlet.leave(
            CancelOrder(order_id=order_id, broker_order_id=f"b-{order_id}"), node.clock.now()
        )


def halt(node: Node) -> None:
    node.kernel.epoch += 1
    node.outlet.leave(node.kernel.latch(), node.clock.now())


def run(
    case: Callable[[Node], Coroutine[object, object, None]], requests_a_minute: int = 10_000
) -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock, requests_a_minute=requests_a_minute) as node:
            await case(node)

    run_lockstep(START, main)


def test_a_hundred_orders_of_a_halted_account_are_cancelled_by_one_request() -> None:
    async def case(node: Node) -> None:
        await working(node)
        halt(node)
        cancel(node, ids())
        await node.pass_ms(100)
        assert node.broker.working == {}
        assert (node.broker.bulk_cancels, node.broker.cancels) == (1, [])
        cancel(node, ids())  # the kernel repeats them a second later, while the stream is late
        await node.pass_ms(1_000)
        assert (node.broker.bulk_cancels, node.broker.cancels) == (1, [])

    run(case)


def test_with_alpacas_own_limit_used_up_to_the_reserve_it_takes_no_second() -> None:
    async def case(node: Node) -> None:
        await working(node, 140)
        halt(node)
        cancel(node, ids(140))
        await node.pass_ms(1_000)
        assert node.broker.working == {}

    run(case, requests_a_minute=A_MINUTE)


@pytest.mark.parametrize("stays", ["a stop", "a stranger's", "a twin's"])
def test_what_is_to_stay_is_not_taken_away_with_the_others(stays: str) -> None:
    async def case(node: Node) -> None:
        await working(node)
        if stays == "a stranger's":
            node.broker.strangers["mine-1"] = "b-mine-1"
        elif stays == "a twin's":
            node.broker.working["twin"] = "b-twin"
        kept = ids()[-1:] if stays == "a stop" else []
        halt(node)
        cancel(node, [each for each in ids() if each not in kept])
        await node.pass_ms(5_000)
        assert node.broker.bulk_cancels == 0
        assert list(node.broker.working) == kept + ["twin"] * (stays == "a twin's")
        assert bool(node.broker.strangers) is (stays == "a stranger's")
        assert len(node.broker.cancels) == MANY - len(kept)

    run(case)


def test_a_strangers_order_that_is_to_be_cancelled_goes_with_the_others() -> None:
    async def case(node: Node) -> None:
        await working(node)
        node.broker.strangers["mine-1"] = "b-mine-1"
        halt(node)
        cancel(node, ids())
        order = CancelOrder(order_id="mine-1", broker_order_id="b-mine-1")
        node.outlet.leave(order, node.clock.now())
        await node.pass_ms(100)
        assert (node.broker.working, node.broker.strangers) == ({}, {})
        assert node.broker.bulk_cancels == 1

    run(case)


def test_a_strategy_that_cancels_all_it_has_cancels_one_by_one_while_the_account_trades() -> None:
    async def case(node: Node) -> None:
        await working(node)
        cancel(node, ids())
        await node.pass_ms(1_000)
        assert node.broker.working == {}
        assert node.broker.calls == 2 * MANY, "nothing was read, and not all were asked for at once"

    run(case)


def test_a_few_are_cancelled_one_by_one() -> None:
    async def case(node: Node) -> None:
        await working(node, 7)
        halt(node)
        cancel(node, ids(7))
        await node.pass_ms(100)
        assert (node.broker.working, node.broker.bulk_cancels) == ({}, 0)

    run(case)


@pytest.mark.parametrize("fault", ["nothing was done", "the answer was lost", "it took a part"])
@pytest.mark.parametrize("times", [1, 5])
def test_whatever_becomes_of_it_every_order_is_cancelled(fault: str, times: int) -> None:
    async def case(node: Node) -> None:
        await working(node)
        node.broker.bulk_faults = [fault] * times
        halt(node)
        cancel(node, ids())
        await node.pass_ms(5_000)
        assert node.broker.working == {}
        assert node.broker.bulk_cancels <= 2

    run(case)


def test_a_throttled_one_is_asked_again() -> None:
    async def case(node: Node) -> None:
        await working(node)
        node.broker.throttles = 3
        halt(node)
        cancel(node, ids())
        await node.pass_ms(5_000)
        assert node.broker.working == {}
        assert (node.broker.bulk_cancels, node.broker.cancels) == (1, [])

    run(case)


def test_a_close_waits_until_it_is_answered_and_is_not_taken_away() -> None:
    async def case(node: Node) -> None:
        await working(node)
        node.broker.bulk_ms = 50
        halt(node)
        cancel(node, ids())
        await node.pass_ms(20)
        assert node.broker.bulk_cancels == 1
        node.outlet.leave(close_order("c" * 36), node.clock.now())
        await node.pass_ms(100)
        assert list(node.broker.working) == ["c" * 36]

    run(case)


def test_a_close_on_its_way_is_waited_for_and_then_spares_all_from_it() -> None:
    async def case(node: Node) -> None:
        await working(node)
        node.broker.before_socket_ms, node.broker.bulk_ms = 100, 300
        node.outlet.leave(close_order("c" * 36), node.clock.now())
        await node.pass_ms(10)
        halt(node)
        cancel(node, ids())
        await node.pass_ms(3_000)
        assert list(node.broker.working) == ["c" * 36]
        assert node.broker.bulk_cancels == 0

    run(case)


def test_an_order_on_its_way_whose_cancel_is_wanted_holds_nothing_up_and_is_cancelled() -> None:
    async def case(node: Node) -> None:
        await working(node)
        node.broker.after_socket_ms = 500
        late = "d" * 36
        node.outlet.leave(submit_order(late, intent=Intent.OPEN), node.clock.now())
        await node.pass_ms(10)
        halt(node)
        cancel(node, ids())
        node.outlet.leave(CancelOrder(order_id=late, broker_order_id=None), node.clock.now())
        await node.pass_ms(100)
        assert node.broker.working == {}
        assert node.broker.bulk_cancels == 1

    run(case)


def test_a_fault_asks_for_everything_at_once_also_for_what_only_the_broker_knows() -> None:
    async def case(node: Node) -> None:
        await working(node)
        node.broker.working["from-an-earlier-run"] = "b-from-an-earlier-run"
        node.intake.fail("a part died")
        with pytest.raises(NodeStopped):
            await node.running
        assert node.broker.working == {}
        assert node.broker.bulk_cancels == 1
        assert node.broker.cancels == []

    run(case)


# --- without an answer ---------------------------------------------------------------------------


def hang(node: Node, what: str) -> None:
    """It takes the broker 5 s, and is not done then; single cancels work."""
    if what == "the request":
        node.broker.bulk_ms, node.broker.bulk_faults = BROKER_MS, ["nothing was done"] * 9
    else:
        node.broker.list_ms = BROKER_MS


async def is_cancelled_within(node: Node, milliseconds: int) -> bool:
    for _ in range(milliseconds // 10):
        await node.pass_ms(10)
        if not node.broker.working:
            return True
    return False


@pytest.mark.parametrize("what", ["the request", "the list"])
@pytest.mark.parametrize("why", ["a halt", "a stop"])
def test_without_an_answer_the_single_cancels_wait_a_bounded_time(why: str, what: str) -> None:
    async def case(node: Node) -> None:
        await working(node)
        hang(node, what)
        if why == "a halt":
            halt(node)
        else:
            node.outlet.hold_new_risk()
        cancel(node, ids())
        await node.pass_ms(HELD_MS - 100)
        assert node.broker.cancels == [], "they wait for the answer that would make them moot"
        assert await is_cancelled_within(node, 300)
        assert len(node.broker.cancels) == MANY
        await node.pass_ms(20_000)
        assert node.broker.bulk_cancels == (what == "the request"), "nothing more is asked at once"
        assert len(node.outlet._cancels) == 0

    run(case)


@pytest.mark.parametrize("what", ["the request", "the list"])
def test_without_an_answer_a_fault_still_ends_with_nothing_working(what: str) -> None:
    async def case(node: Node) -> None:
        await working(node)
        hang(node, what)
        node.intake.fail("a part died")
        assert await is_cancelled_within(node, HELD_MS + 300)
        node.broker.list_ms = 1
        with pytest.raises(NodeStopped):
            await node.running
        assert node.broker.bulk_cancels == (what == "the request")

    run(case)


def test_where_time_is_short_a_lost_answer_is_not_asked_for_again() -> None:
    async def case(node: Node) -> None:
        await working(node)
        node.broker.bulk_faults = ["nothing was done"] * 9
        node.intake.fail("a part died")
        with pytest.raises(NodeStopped):
            await node.running
        assert (node.broker.working, node.broker.bulk_cancels) == ({}, 1)

    run(case)


def test_refusals_for_the_rate_are_waited_out_a_few_times_only() -> None:
    async def case(node: Node) -> None:
        await working(node)
        node.broker.bulk_faults = ["too many requests"] * 99
        halt(node)
        cancel(node, ids())
        assert await is_cancelled_within(node, 10_000)
        assert 1 < node.broker.bulk_cancels <= 6

    run(case)


def test_all_tries_together_hold_single_cancels_back_no_longer_than_one() -> None:
    async def case(node: Node) -> None:
        await working(node)
        node.broker.bulk_ms, node.broker.bulk_faults = HELD_MS - 500, ["nothing was done"] * 9
        halt(node)
        cancel(node, ids())
        assert await is_cancelled_within(node, HELD_MS + 200)
        assert node.broker.bulk_cancels == 2

    run(case)


def test_a_late_answer_makes_moot_what_is_left_of_the_single_cancels() -> None:
    async def case(node: Node) -> None:
        await working(node, 140)
        node.broker.bulk_ms = HELD_MS + 1_000
        halt(node)
        cancel(node, ids(140))
        assert await is_cancelled_within(node, HELD_MS + 1_100)
        beside = len(node.broker.cancels)
        assert 0 < beside < 100, "some went beside it"
        await node.pass_ms(60_000)
        assert len(node.broker.cancels) == beside
        assert len(node.outlet._cancels) == 0

    run(case, requests_a_minute=A_MINUTE)


@pytest.mark.parametrize("after_ms", [100, HELD_MS + 500])
def test_a_close_waits_a_bounded_time_for_the_answer(after_ms: int) -> None:
    async def case(node: Node) -> None:
        await working(node)
        hang(node, "the request")
        halt(node)
        cancel(node, ids())
        await node.pass_ms(after_ms)
        node.outlet.leave(close_order("c" * 36), node.clock.now())
        await node.pass_ms(max(HELD_MS - after_ms, 0) + 100)
        assert list(node.broker.working) == ["c" * 36]
        await node.pass_ms(20_000)
        assert list(node.broker.working) == ["c" * 36]

    run(case)


@pytest.mark.parametrize("after_ms", [100, HELD_MS + 500])
def test_no_stop_is_placed_while_a_request_without_an_answer_may_take_it_away(
    after_ms: int,
) -> None:
    async def case(node: Node) -> None:
        await working(node)
        node.broker.bulk_ms = BROKER_MS
        halt(node)
        cancel(node, ids())
        await node.pass_ms(after_ms)
        stop = submit_order("e" * 36, raises=False, intent=Intent.REDUCE)
        node.outlet.leave(stop, node.clock.now())
        await node.pass_ms(max(HELD_MS - after_ms, 0) + 100)
        assert node.kernel.outcomes()["e" * 36] == [
            OrderNotSent(order_id="e" * 36, reason=Reason.RATE_LIMITED)
        ], "its strategy is told soon"
        await node.pass_ms(BROKER_MS)
        again = submit_order("f" * 36, raises=False, intent=Intent.REDUCE)
        node.outlet.leave(again, node.clock.now())
        await node.pass_ms(100)
        assert list(node.broker.working) == ["f" * 36], "once it is answered they leave"

    run(case)


def test_a_stop_that_waited_for_a_list_without_an_answer_leaves() -> None:
    async def case(node: Node) -> None:
        await working(node)
        hang(node, "the list")
        halt(node)
        cancel(node, ids())
        await node.pass_ms(100)
        stop = submit_order("e" * 36, raises=False, intent=Intent.REDUCE)
        node.outlet.leave(stop, node.clock.now())
        await node.pass_ms(HELD_MS - 200)
        assert "e" * 36 not in node.broker.working
        await node.pass_ms(BROKER_MS)
        assert list(node.broker.working) == ["e" * 36]
        assert node.broker.bulk_cancels == 0

    run(case)


def test_a_cancel_that_waits_for_its_turn_is_dropped_when_its_order_ends() -> None:
    async def case(node: Node) -> None:
        await working(node, 140)
        cancel(node, ids(140))
        before = len(node.broker.cancels)
        for order_id in ids(140):
            ended = OrderEnded(
                order_id=order_id,
                broker_order_id=f"b-{order_id}",
                status=OrderStatus.CANCELED,
                filled_quantity_nanos=0,
                filled_price_nanos=0,
            )
            node.outlet._deliver(ended)
        await node.pass_ms(30_000)
        assert len(node.broker.cancels) - before < 70
        assert len(node.outlet._cancels) == 0

    run(case, requests_a_minute=A_MINUTE)
