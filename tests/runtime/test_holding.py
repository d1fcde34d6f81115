"""An orderly stop holds back what raises exposure, also at the socket; protection still leaves."""

from fuseboard.runtime.lockstep import LockstepEventLoop, run_lockstep
from fuseboard.vocabulary.inputs import OrderNotSent
from fuseboard.vocabulary.reasons import Reason
from tests.runtime.worlds import START, Node, close_order, order_requested, submit_order


def test_what_waits_for_the_socket_does_not_leave_once_new_risk_is_held() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock) as node:
            node.broker.before_socket_ms = 50
            node.offer(order_requested(1))
            await node.pass_ms(20)
            assert node.broker.in_flight == 1
            node.outlet.hold_new_risk()
            await node.pass_ms(100)
            assert node.broker.written == []
            held = OrderNotSent(order_id="o1", reason=Reason.HALT_EPOCH)
            assert node.kernel.outcomes() == {"o1": [held]}
            assert node.register.halts("dip", "AAPL") is False, "nothing is latched"

    run_lockstep(START, main)


def test_a_close_leaves_while_new_risk_is_held() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock) as node:
            node.outlet.hold_new_risk()
            node.outlet.leave(submit_order("o1"), START)
            node.outlet.leave(close_order("c1"), START)
            await node.pass_ms(50)
            assert [order.order_id for order in node.broker.written] == ["c1"]

    run_lockstep(START, main)
