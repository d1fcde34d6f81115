"""Nothing that goes beyond a position overtakes the reductions that were proven before it."""

from fuseboard.runtime.lockstep import LockstepEventLoop, run_lockstep
from fuseboard.runtime.outlet import OutletLimits
from fuseboard.runtime.reductions import Reductions
from fuseboard.runtime.submits import SubmitLimits
from fuseboard.vocabulary.effects import CancelOrder, SubmitOrder
from fuseboard.vocabulary.inputs import OrderNotSent
from fuseboard.vocabulary.orders import Intent, OrderStatus, Side
from fuseboard.vocabulary.reasons import Reason
from tests.gateway.facts import shown_order
from tests.runtime.worlds import START, Node, close_order, submit_order


def reduction(order_id: str, symbol: str = "AAPL", side: Side = Side.BUY) -> SubmitOrder:
    return submit_order(order_id, symbol=symbol, side=side, raises=False, intent=Intent.REDUCE)


def written(node: Node) -> list[str]:
    return [order.order_id for order in node.broker.written]


def show(node: Node, order_id: str, status: OrderStatus) -> None:
    """What the book knows of an order by now."""
    node.outlet.leave(shown_order(order_id=order_id, status=status), node.clock.now())


def send(node: Node, *orders: SubmitOrder) -> None:
    for order in orders:
        node.outlet.leave(order, node.clock.now())


def test_what_is_decided_after_a_reduction_on_its_side_waits_until_that_is_answered() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock) as node:
            send(node, reduction("exit"), submit_order("beyond"))
            await node.pass_ms(20)
            assert written(node) == ["exit"]
            show(node, "exit", OrderStatus.IN_DOUBT)
            show(node, "exit", OrderStatus.SUBMITTING)
            await node.pass_ms(20)
            assert written(node) == ["exit"], "it is not known to have arrived"
            show(node, "exit", OrderStatus.WORKING)
            await node.pass_ms(1)
            assert written(node) == ["exit", "beyond"]

    run_lockstep(START, main)


def test_it_waits_for_every_reduction_before_it_and_for_none_after_it() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock) as node:
            send(node, reduction("one"), reduction("two"), submit_order("beyond"))
            send(node, reduction("three"))
            await node.pass_ms(20)
            show(node, "two", OrderStatus.REJECTED)
            await node.pass_ms(20)
            assert written(node) == ["one", "two", "three"]
            show(node, "one", OrderStatus.FILLED)
            await node.pass_ms(1)
            assert written(node) == ["one", "two", "three", "beyond"]

    run_lockstep(START, main)


def test_nothing_else_waits_behind_a_reduction() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock) as node:
            send(
                node,
                submit_order("before"),
                reduction("exit"),
                reduction("exit too"),
                close_order("close"),
                submit_order("other side", side=Side.SELL),
                submit_order("other symbol", symbol="MSFT"),
            )
            await node.pass_ms(20)
            assert len(written(node)) == 6

    run_lockstep(START, main)


def test_what_waits_too_long_behind_a_reduction_is_not_sent() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock) as node:
            send(node, reduction("exit"), submit_order("beyond"))
            await node.pass_ms(3_900)
            assert "beyond" not in node.kernel.outcomes()
            await node.pass_ms(200)
            late = OrderNotSent(order_id="beyond", reason=Reason.REDUCTION_UNANSWERED)
            assert node.kernel.outcomes()["beyond"] == [late]
            show(node, "exit", OrderStatus.WORKING)
            await node.pass_ms(20)
            assert written(node) == ["exit"]

    run_lockstep(START, main)


def test_a_cancel_and_a_halt_end_the_wait_at_once() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock) as node:
            send(node, reduction("exit"), submit_order("one"), submit_order("two"))
            await node.pass_ms(20)
            send_cancel = CancelOrder(order_id="one", broker_order_id=None)
            node.outlet.leave(send_cancel, node.clock.now())
            node.kernel.epoch += 1
            node.outlet.leave(node.kernel.latch(), node.clock.now())
            await node.pass_ms(1)
            outcomes = node.kernel.outcomes()
            assert outcomes["one"] == [OrderNotSent(order_id="one", reason=Reason.ANNIHILATED)]
            assert outcomes["two"] == [OrderNotSent(order_id="two", reason=Reason.HALT_EPOCH)]
            show(node, "exit", OrderStatus.WORKING)
            await node.pass_ms(20)
            assert written(node) == ["exit"]

    run_lockstep(START, main)


def test_who_waits_behind_a_reduction_takes_no_turn_from_others_and_is_bounded() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        few = SubmitLimits(orders_waiting_max=3, orders_in_flight_max=2)
        async with Node(clock, outlet_limits=OutletLimits(submits=few)) as node:
            send(node, reduction("exit"), *(submit_order(f"o{number}") for number in range(3)))
            send(node, submit_order("too many"), submit_order("elsewhere", symbol="MSFT"))
            await node.pass_ms(20)
            full = [OrderNotSent(order_id="too many", reason=Reason.RATE_LIMITED)]
            assert node.kernel.outcomes()["too many"] == full
            assert "elsewhere" not in written(node), "it is one too many as well"
            show(node, "exit", OrderStatus.CANCELED)
            await node.pass_ms(20)
            assert written(node) == ["exit", "o0", "o1", "o2"]
            send(node, reduction("again"), submit_order("behind"))
            send(node, submit_order("elsewhere", symbol="MSFT"))
            await node.pass_ms(20)
            assert written(node)[4:] == ["again", "elsewhere"]

    run_lockstep(START, main)


def test_of_too_many_unanswered_reductions_the_oldest_is_forgotten() -> None:
    reductions = Reductions(unanswered_max=2)
    for name in ("one", "two", "three"):
        assert reductions.before(reduction(name)) == []
    assert reductions.before(submit_order("beyond")) == ["two", "three"]
    for name in ("two", "three", "two"):
        reductions.answered(name)
    assert reductions.before(submit_order("beyond")) == []
