"""Alpaca's Order object, complete, as its clients expect it."""

from msgspec import Struct

from fuseboard.vocabulary.money import text_from_nanos
from fuseboard.vocabulary.orders import OrderType, Side, TimeInForce
from fuseboard.wire.alpaca_values import asset_id_of, rfc3339_from_ns


class OrderView(Struct, frozen=True, kw_only=True):
    """Everything that Alpaca's Order object shows. `status` is Alpaca's word; times in ns."""

    id: str
    client_order_id: str
    symbol: str
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    quantity_nanos: int
    status: str
    created_ns: int
    updated_ns: int
    submitted_ns: int | None = None
    filled_quantity_nanos: int = 0
    filled_price_nanos: int = 0
    limit_price_nanos: int | None = None
    stop_price_nanos: int | None = None
    extended_hours: bool = False
    filled_ns: int | None = None
    expired_ns: int | None = None
    canceled_ns: int | None = None
    failed_ns: int | None = None
    replaced_ns: int | None = None
    replaced_by: str | None = None
    replaces: str | None = None
    asset_id: str | None = None
    asset_class: str = "us_equity"


def order_object(order: OrderView) -> dict[str, object]:
    """Alpaca's Order: money and quantities as strings, `type` and `order_type` both."""
    filled = order.filled_quantity_nanos
    return {
        "id": order.id,
        "client_order_id": order.client_order_id,
        "created_at": rfc3339_from_ns(order.created_ns),
        "updated_at": rfc3339_from_ns(order.updated_ns),
        "submitted_at": rfc3339_from_ns(order.submitted_ns or order.created_ns),
        "filled_at": _time(order.filled_ns),
        "expired_at": _time(order.expired_ns),
        "canceled_at": _time(order.canceled_ns),
        "failed_at": _time(order.failed_ns),
        "replaced_at": _time(order.replaced_ns),
        "replaced_by": order.replaced_by,
        "replaces": order.replaces,
        "asset_id": order.asset_id or asset_id_of(order.symbol),
        "symbol": order.symbol,
        "asset_class": order.asset_class,
        "notional": None,
        "qty": text_from_nanos(order.quantity_nanos),
        "filled_qty": text_from_nanos(filled),
        "filled_avg_price": text_from_nanos(order.filled_price_nanos) if filled else None,
        "order_class": "simple",
        "order_type": order.order_type.value,
        "type": order.order_type.value,
        "side": order.side.value,
        "time_in_force": order.time_in_force.value,
        "limit_price": _amount(order.limit_price_nanos),
        "stop_price": _amount(order.stop_price_nanos),
        "status": order.status,
        "extended_hours": order.extended_hours,
        "legs": None,
        "trail_percent": None,
        "trail_price": None,
        "hwm": None,
        "subtag": None,
        "source": None,
    }


def _time(at_ns: int | None) -> str | None:
    return None if at_ns is None else rfc3339_from_ns(at_ns)


def _amount(nanos: int | None) -> str | None:
    return None if nanos is None else text_from_nanos(nanos)
