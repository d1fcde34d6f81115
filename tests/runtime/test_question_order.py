"""What is asked first, what gets protection's turn when the broker is busy, and what is missing."""

from fuseboard.runtime.lockstep import LockstepEventLoop, run_lockstep
from fuseboard.vocabulary.doors import BrokerUnavailable
from fuseboard.vocabulary.effects import FindOrder, ReadAccount, ReadLeg
from fuseboard.vocabulary.inputs import AccountSeen, ForeignOrderSeen, OrderWorking, PositionsSeen
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


def test_orders_of_ours_that_the_broker_does_not_list_are_missing_up_to_a_bound() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock) as node:
            most = node.outlet.limits.questions.missing_max
            for number in range(most + 2):
                working = OrderWorking(order_id=f"o{number}", broker_order_id=f"b-o{number}")
                node.broker.deliver(working)
            node.broker.working["o0"] = "b-o0"
            for _ in range(2):
                node.outlet.leave(ReadAccount(positions=True), clock.now())
                await node.pass_ms(10_000)
                node.broker.working["o1"] = "b-o1"
            first, second = [f for f in node.kernel.seen if isinstance(f, PositionsSeen)]
            assert first.missing == tuple(f"o{number}" for number in range(1, most + 1))
            assert second.missing == tuple(f"o{number}" for number in range(2, most + 2))
            assert any(isinstance(fact, ForeignOrderSeen) for fact in node.kernel.seen)

    run_lockstep(START, main)


def test_a_list_that_could_not_be_read_says_of_no_order_that_it_is_missing() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock) as node:
            node.broker.deliver(OrderWorking(order_id="o1", broker_order_id="b-o1"))
            node.broker.working["o1"] = "b-o1"
            listed = node.broker.foreign_orders

            async def fails_once(_known: object) -> list[ForeignOrderSeen]:
                node.broker.foreign_orders = listed  # type: ignore[method-assign]
                raise BrokerUnavailable("no answer in time")

            node.broker.foreign_orders = fails_once  # type: ignore[method-assign,assignment]
            node.outlet.leave(ReadAccount(positions=True), clock.now())
            await node.pass_ms(10_000)
            (seen,) = [fact for fact in node.kernel.seen if isinstance(fact, PositionsSeen)]
            assert seen.missing == ()

    run_lockstep(START, main)
