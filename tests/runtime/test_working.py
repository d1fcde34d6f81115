from hypothesis import given
from hypothesis import strategies as st

from fuseboard.runtime.working import WorkingOrders
from fuseboard.vocabulary.inputs import FillReported, Input, OrderEnded, OrderSent, OrderWorking
from fuseboard.vocabulary.orders import OrderStatus

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
