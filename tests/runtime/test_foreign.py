"""Adopted foreign orders on their way: the table of what works, cancels, finds, what is asked."""

import pytest
from msgspec import structs

from fuseboard.runtime.lockstep import LockstepEventLoop, run_lockstep
from fuseboard.runtime.outlet import Outlet
from fuseboard.runtime.questions import Questions
from fuseboard.runtime.working import WorkingOrders
from fuseboard.vocabulary.copy_inputs import WorkingOrder, WorkingSeen
from fuseboard.vocabulary.effects import (
    CancelOrder,
    PublishOrder,
    ReadAccount,
    ReadOrdersSince,
)
from fuseboard.vocabulary.foreign_inputs import ForeignTerms
from fuseboard.vocabulary.identifiers import foreign_order_id
from fuseboard.vocabulary.inputs import (
    FillReported,
    ForeignOrderSeen,
    OrderEnded,
    PositionsSeen,
)
from fuseboard.vocabulary.orders import Intent, OrderStatus, OrderType, Side, TimeInForce
from fuseboard.vocabulary.restored_inputs import OrdersSinceSeen
from tests.deletion import assert_pinned
from tests.runtime.worlds import START, Node

SEEN = ForeignOrderSeen(
    wire_id="by-hand",
    broker_order_id="h1",
    symbol="AAPL",
    ours_by_prefix=False,
    side=Side.BUY,
    quantity_nanos=5,
    terms=ForeignTerms(order_type=OrderType.MARKET, time_in_force=TimeInForce.DAY),
)
ADOPTED = PublishOrder(
    order_id=foreign_order_id("h1"),
    wire_id="by-hand",
    broker_order_id="h1",
    client_order_id="by-hand",
    strategy="",
    symbol="AAPL",
    side=Side.BUY,
    order_type=OrderType.LIMIT,
    time_in_force=TimeInForce.GTC,
    quantity_nanos=5,
    filled_quantity_nanos=0,
    filled_price_nanos=0,
    status=OrderStatus.WORKING,
    intent=Intent.OPEN,
    created_ns=1,
    updated_ns=1,
    event="new",
)
GONE = structs.replace(ADOPTED, status=OrderStatus.CANCELED, event="canceled")


def fill(*, final: bool) -> FillReported:
    return FillReported(
        order_id=ADOPTED.order_id,
        broker_order_id="h1",
        quantity_nanos=1,
        price_nanos=1,
        filled_quantity_nanos=1,
        filled_price_nanos=1,
        final=final,
    )


def test_a_stranger_who_is_not_adopted_is_nothing_that_works_of_ours() -> None:
    table = WorkingOrders()
    table.note(fill(final=False))
    assert table.all() == []


def test_an_adopted_one_works_and_ends_as_the_kernel_shows_it() -> None:
    table = WorkingOrders()
    ended = OrderEnded(
        order_id=ADOPTED.order_id,
        broker_order_id="h1",
        status=OrderStatus.CANCELED,
        filled_quantity_nanos=0,
        filled_price_nanos=0,
    )
    table.note(ended)  # its list was older than its end
    table.adopted(ADOPTED)
    assert table.all() == [(ADOPTED.order_id, "h1")]
    other = WorkingOrder(order_id=ADOPTED.order_id, side=Side.BUY, quantity_nanos=6)
    assert table.compared([SEEN]) is None
    assert table.compared([structs.replace(SEEN, quantity_nanos=6)]) == (
        WorkingSeen(differing=(other,))
    )
    table.adopted(GONE)
    assert table.all() == []
    table.adopted(structs.replace(ADOPTED, event=""))
    assert table.all() == [(ADOPTED.order_id, "h1")], "it was listed again"


def test_it_is_no_stranger_any_more_is_missed_and_cancelled_like_ours() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock) as node:
            node.outlet.leave(ADOPTED, clock.now())

            async def listed(known: object) -> list[ForeignOrderSeen]:
                return [] if gone else [SEEN]

            gone = False
            node.broker.foreign_orders = listed  # type: ignore[method-assign]
            node.outlet.leave(ReadAccount(positions=True), clock.now())
            await node.pass_ms(10_000)
            gone = True
            node.outlet.leave(ReadAccount(positions=True), clock.now())
            await node.pass_ms(10_000)
            assert not [fact for fact in node.kernel.seen if isinstance(fact, ForeignOrderSeen)]
            first, second = [f for f in node.kernel.seen if isinstance(f, PositionsSeen)]
            assert (first.missing, second.missing) == ((), (ADOPTED.order_id,))
            cancel = CancelOrder(order_id=ADOPTED.order_id, broker_order_id=None)
            node.outlet.leave(cancel, clock.now())
            await node.pass_ms(1_000)
            assert [each.broker_order_id for each in node.broker.cancels] == ["h1"]

    run_lockstep(START, main)


def test_a_fill_that_is_told_before_the_order_is_shown_drops_no_cancel() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock) as node:
            node.broker.throttles = 1
            cancel = CancelOrder(order_id=ADOPTED.order_id, broker_order_id="h1")
            node.outlet.leave(cancel, clock.now())  # it overtakes the disk, the view does not
            node.broker.deliver(fill(final=False))
            await node.pass_ms(10_000)
            assert [each.broker_order_id for each in node.broker.cancels] == ["h1"]

    run_lockstep(START, main)


def test_positions_that_were_read_around_a_strangers_fill_are_read_again() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock) as node:
            read, reads = node.broker.positions, 0

            async def then_it_fills(*, timed: bool = False) -> PositionsSeen:
                nonlocal reads
                reads += 1
                positions = await read(timed=timed)
                if reads == 1:
                    node.broker.deliver(fill(final=True))
                return positions

            node.broker.positions = then_it_fills  # type: ignore[method-assign]
            node.outlet.leave(ReadAccount(positions=True), clock.now())
            await node.pass_ms(10_000)
            kinds = [type(fact) for fact in node.kernel.seen]
            assert (reads, kinds.count(PositionsSeen)) == (2, 1)

    run_lockstep(START, main)


def test_what_came_filled_and_went_is_told_oldest_first_bounded_and_before_the_answer() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        async with Node(clock) as node:
            node.broker.throttles = 1
            most = node.outlet.limits.questions.foreign_max
            node.broker.foreign_ended = [
                structs.replace(SEEN, broker_order_id=f"h{number}") for number in range(most + 5)
            ]
            node.outlet.leave(ReadOrdersSince(wall_ns=7, foreign=True), clock.now())
            await node.pass_ms(20_000)
            told = [f.broker_order_id for f in node.kernel.seen if isinstance(f, ForeignOrderSeen)]
            assert told == [f"h{number}" for number in reversed(range(most))]
            assert isinstance(node.kernel.seen[-1], OrdersSinceSeen)
            assert set(node.broker.asked_foreign) == {7}
            node.outlet.leave(ReadOrdersSince(wall_ns=8), clock.now())
            await node.pass_ms(20_000)
            assert set(node.broker.asked_foreign) == {7}, "only where it is asked for"

    run_lockstep(START, main)


@pytest.mark.no_cover
@pytest.mark.parametrize(
    ("function", "text", "instead", "test"),
    [
        (
            WorkingOrders.note,
            "isinstance(fact, _OF_ORDERS) and is_foreign_order_id(fact.order_id)",
            "False",
            test_a_stranger_who_is_not_adopted_is_nothing_that_works_of_ours,
        ),
        (
            Outlet._publish_order,
            "if is_foreign_order_id(order.order_id):",
            "if False:",
            test_it_is_no_stranger_any_more_is_missed_and_cancelled_like_ours,
        ),
        (
            Outlet._deliver,
            "elif not is_foreign_order_id(fact.order_id):",
            "else:",
            test_a_fill_that_is_told_before_the_order_is_shown_drops_no_cancel,
        ),
        (
            Questions._orders_since,
            "[: self.limits.foreign_max]",
            "",
            test_what_came_filled_and_went_is_told_oldest_first_bounded_and_before_the_answer,
        ),
        (
            Questions._orders_since,
            "None if read.foreign else ()",
            "None",
            test_what_came_filled_and_went_is_told_oldest_first_bounded_and_before_the_answer,
        ),
    ],
)
def test_a_safeguard_that_is_taken_out_is_noticed(
    function: object, text: str, instead: str, test: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert_pinned(monkeypatch, function, text, instead, test)  # type: ignore[arg-type]
