from hypothesis import given
from hypothesis import strategies as st

from fuseboard.runtime.working import TOLD_MAX, WorkingOrders
from fuseboard.vocabulary.copy_inputs import WorkingOrder, WorkingSeen
from fuseboard.vocabulary.inputs import (
    FillReported,
    ForeignOrderSeen,
    Input,
    OrderEnded,
    OrderSent,
    OrderWorking,
)
from fuseboard.vocabulary.orders import OrderStatus, Side

ORDERS = ("a", "b", "c")


def _fact(kind: str, order_id: str) -> Input:
    broker_order_id = f"b-{order_id}"
    if kind == "working":
        return OrderWorking(order_id=order_id, broker_order_id=broker_order_id)
    if kind in ("fill", "filled"):
        return FillReported(
            order_id=order_id,
            broker_order_id=broker_order_id,
            quantity_nanos=1,
            price_nanos=1,
            filled_quantity_nanos=1,
            filled_price_nanos=1,
            final=kind == "filled",
        )
    if kind == "ended":
        return OrderEnded(
            order_id=order_id,
            broker_order_id=broker_order_id,
            status=OrderStatus.CANCELED,
            filled_quantity_nanos=0,
            filled_price_nanos=0,
        )
    status = OrderStatus.FILLED if kind == "sent filled" else OrderStatus.WORKING
    return OrderSent(order_id=order_id, broker_order_id=broker_order_id, status=status)


STARTS = ("sent", "working", "fill")
ENDS = ("filled", "ended", "sent filled")


@given(st.lists(st.tuples(st.sampled_from(STARTS + ENDS), st.sampled_from(ORDERS)), max_size=30))
def test_an_order_works_from_its_first_sign_until_its_end_in_whatever_order_facts_come(
    facts: list[tuple[str, str]],
) -> None:
    table = WorkingOrders()
    for kind, order_id in facts:
        table.note(_fact(kind, order_id))
    for order_id in ORDERS:
        kinds = [kind for kind, about in facts if about == order_id]
        works = bool(kinds) and not any(kind in ENDS for kind in kinds)
        assert table.broker_order_id(order_id) == (f"b-{order_id}" if works else None)
    assert len(table) == len(table.all())


def test_a_full_table_lets_the_oldest_go() -> None:
    table = WorkingOrders(working_max=2, ended_max=1)
    for order_id in ORDERS:
        table.note(_fact("working", order_id))
    assert [order_id for order_id, _broker_order_id in table.all()] == ["b", "c"]


def _listed(
    order_id: str, *, side: Side | None = Side.BUY, quantity: int | None = 5
) -> ForeignOrderSeen:
    return ForeignOrderSeen(
        wire_id=order_id,
        broker_order_id=f"b-{order_id}",
        symbol="A",
        ours_by_prefix=True,
        side=side,
        quantity_nanos=quantity,
    )


def test_what_was_sent_is_compared_with_what_the_broker_says_that_it_works() -> None:
    table = WorkingOrders()
    for order_id in ORDERS:
        table.sent(order_id, Side.BUY, 5)
        table.note(_fact("working", order_id))
    every = [_listed(order_id) for order_id in ORDERS]
    assert table.compared([*every, _listed("a stranger")]) is None
    assert table.compared(every[1:]) is None, "what is missing is told with the positions"
    assert table.compared([_listed("a", quantity=6), _listed("b", side=Side.SELL), every[2]]) == (
        WorkingSeen(
            differing=(
                WorkingOrder(order_id="a", side=Side.BUY, quantity_nanos=6),
                WorkingOrder(order_id="b", side=Side.SELL, quantity_nanos=5),
            )
        )
    )
    assert table.compared(every) == WorkingSeen(), "said once that nothing differs any more"
    assert table.compared(every) is None
    unreadable = WorkingOrder(order_id="a", side=None, quantity_nanos=None)
    for _ in range(2):
        told = table.compared([_listed("a", side=None, quantity=None), *every[1:]])
        assert told == WorkingSeen(differing=(unreadable,)), "it is not said to be as sent"
    assert table.compared(every) == WorkingSeen()
    table.note(_fact("ended", "a"))
    other = [_listed("a", quantity=6), *every[1:]]
    assert table.compared(other) is None, "ended here; that it works there is a stranger's matter"


def test_an_order_that_cannot_be_read_differs_though_nobody_knows_how_it_was_sent() -> None:
    table = WorkingOrders()
    table.note(_fact("working", "a"))
    assert table.compared([_listed("a")]) is None
    told = table.compared([_listed("a", side=None, quantity=None)])
    assert told is not None
    assert [order.order_id for order in told.differing] == ["a"]


def test_what_has_ended_takes_no_place_of_what_works() -> None:
    table = WorkingOrders(working_max=2)
    for order_id in ORDERS:
        table.sent(order_id, Side.BUY, 5)
        table.note(_fact("working", order_id))
        if order_id == "b":
            table.note(_fact("ended", order_id))
            table.sent(order_id, Side.BUY, 5)
    told = table.compared([_listed(order_id, quantity=6) for order_id in ORDERS])
    assert told is not None
    assert [order.order_id for order in told.differing] == ["a", "c"]


def test_one_comparison_names_a_bounded_number_of_orders() -> None:
    table = WorkingOrders()
    names = [f"o{number}" for number in range(TOLD_MAX + 5)]
    for order_id in names:
        table.sent(order_id, Side.BUY, 5)
        table.note(_fact("working", order_id))
    told = table.compared([_listed(order_id, quantity=6) for order_id in names])
    assert told is not None
    assert [order.order_id for order in told.differing] == names[:TOLD_MAX]
    assert told.more == 5
