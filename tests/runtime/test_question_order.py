"""What is asked first, and what gets protection's turn, when the broker is slow or busy."""

from fuseboard.runtime.lockstep import LockstepEventLoop, run_lockstep
from fuseboard.vocabulary.effects import FindOrder, ReadAccount, ReadLeg
from fuseboard.vocabulary.inputs import AccountSeen, PositionsSeen
from tests.runtime.worlds import START, Node


def test_positions_come_after_the_account_also_when_it_could_not_be_read_at_once() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock) as node:
            node.broker.unavailable = 1
            node.outlet.leave(ReadAccount(positions=True), clock.now())
            await node.pass_ms(10_000)
            kinds = [type(fact) for fact in node.kernel.seen]
            assert kinds.index(AccountSeen) < kinds.index(PositionsSeen)

    run_lockstep(START, main)


def test_legs_that_read_on_and_on_keep_neither_books_nor_orders_from_being_asked() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock, requests_a_minute=40) as node:
            for number in range(10):
                leg = ReadLeg(
                    trip="t#1", symbol="A", attempt=number, order_id="c", wire_id=f"w{number}"
                )
                node.outlet.leave(leg, clock.now())
            node.broker.working["o1"] = "b-o1"
            node.outlet.leave(
                FindOrder(order_id="o1", wire_id="fb-12345678-o1", absent_after_ns=1), clock.now()
            )
            node.outlet.leave(ReadAccount(positions=True), clock.now())
            for number in range(10, 210):
                await node.pass_ms(5_000)
                leg = ReadLeg(
                    trip="t#1", symbol="A", attempt=number, order_id="c", wire_id=f"w{number}"
                )
                node.outlet.leave(leg, clock.now())
            assert "o1" in node.kernel.outcomes(), "the question never had a turn"
            assert any(isinstance(fact, PositionsSeen) for fact in node.kernel.seen)

    run_lockstep(START, main)
