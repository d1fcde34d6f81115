"""Alpaca's foreign orders, as facts: one of a list, and one of a trade update."""

from typing import Any

from fuseboard.brokers.foreign_facts import facts_of_end, facts_of_fill
from fuseboard.vocabulary.doors import BrokerFact
from fuseboard.vocabulary.identifiers import is_fuseboard_wire_id
from fuseboard.vocabulary.inputs import UNNAMED, ForeignOrderSeen
from fuseboard.vocabulary.orders import OrderStatus
from fuseboard.wire.alpaca_orders import SeenOrder, ShapeUnknown
from fuseboard.wire.alpaca_values import nanos_of_number, nanos_rounded

REASON_CHARS_MAX = 300


def foreign_order(order: SeenOrder) -> ForeignOrderSeen:
    """An order that is not in our book. One with a Fuseboard's prefix is never adopted, so no more
    is told of it than that it is there.
    """
    ours_by_prefix = is_fuseboard_wire_id(order.client_order_id)
    return ForeignOrderSeen(
        wire_id=order.client_order_id,
        broker_order_id=order.id,
        symbol=order.symbol or UNNAMED,
        ours_by_prefix=ours_by_prefix,
        side=order.side,
        quantity_nanos=order.quantity_nanos,
        terms=None if ours_by_prefix else order.terms,
    )


def facts_of_foreign(
    order: SeenOrder, data: dict[str, Any], *, fills: bool, ends: OrderStatus | None
) -> tuple[BrokerFact, ...]:
    """What an update of a foreign order says. Raises `ShapeUnknown` where an execution of one that
    may be adopted cannot be read.
    """
    seen = foreign_order(order)
    if ends is not None:
        return facts_of_end(seen, ends, str(data.get("reason") or "")[:REASON_CHARS_MAX])
    if not fills or seen.terms is None:
        return (seen,)
    quantity_nanos, price_nanos = execution_of(order, data)
    final = data["event"] == "fill"
    return facts_of_fill(seen, quantity_nanos=quantity_nanos, price_nanos=price_nanos, final=final)


def execution_of(order: SeenOrder, data: dict[str, Any]) -> tuple[int, int]:
    """Quantity and price of an update's execution. Raises `ShapeUnknown`."""
    try:
        quantity = nanos_of_number(data.get("qty"))
        price = nanos_rounded(data.get("price"))
    except ValueError as wrong:
        raise ShapeUnknown(f"a fill of order {order.id}: {wrong}") from wrong
    if quantity <= 0 or order.filled_quantity_nanos < quantity:
        raise ShapeUnknown(f"a fill of order {order.id} does not add up")
    return quantity, price
