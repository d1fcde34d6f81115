"""What of a broker's Order object says whether, and as what, a foreign order can be adopted."""

from contextlib import suppress
from typing import Any

from fuseboard.vocabulary.foreign_inputs import ForeignTerms
from fuseboard.vocabulary.orders import TERMINAL_STATUSES, OrderStatus, OrderType, TimeInForce
from fuseboard.wire.alpaca_values import nanos_of_number, ns_from_rfc3339

_CLASSES = ("", "simple", None)
_ASSETS = ("us_equity", "crypto", "", None)
_ENDS = ("filled_at", "canceled_at", "expired_at", "replaced_at", "updated_at")
_LIMITED = (OrderType.LIMIT, OrderType.STOP_LIMIT)
_STOPPED = (OrderType.STOP, OrderType.STOP_LIMIT)


def terms_of(
    entry: dict[str, Any], *, status: OrderStatus, filled_nanos: int, price_nanos: int
) -> ForeignTerms | None:
    """The terms of an order; None for one that is not modelled: of another asset, of several legs,
    by value, trailing, for an auction, or whose prices are not those of its type.
    """
    if entry.get("order_class") not in _CLASSES or entry.get("asset_class") not in _ASSETS:
        return None
    if entry.get("legs") or entry.get("notional") is not None or entry.get("qty") is None:
        return None
    try:
        kind, time_in_force = OrderType(entry.get("type")), TimeInForce(entry.get("time_in_force"))
        limit_nanos = _price(entry.get("limit_price"))
        stop_nanos = _price(entry.get("stop_price"))
    except ValueError:
        return None
    if (kind in _LIMITED) is (limit_nanos is None) or (kind in _STOPPED) is (stop_nanos is None):
        return None
    return ForeignTerms(
        order_type=kind,
        time_in_force=time_in_force,
        limit_price_nanos=limit_nanos,
        stop_price_nanos=stop_nanos,
        extended_hours=entry.get("extended_hours") is True,
        filled_quantity_nanos=filled_nanos,
        filled_price_nanos=price_nanos,
        ended=status if status in TERMINAL_STATUSES else None,
        ended_wall_ns=_ended_ns(entry) if status in TERMINAL_STATUSES else 0,
    )


def _ended_ns(entry: dict[str, Any]) -> int:
    """When an order ended: the first of the times after its last fill; 0 where none can be read.

    `updated_at` alone may be later, for a broker may touch an order long after.
    """
    times = []
    for name in _ENDS:
        with suppress(ValueError):
            times.append(ns_from_rfc3339(str(entry.get(name) or "")))
    return min(times, default=0)


def _price(value: object) -> int | None:
    """A price; None where there is none. Raises `ValueError` for one that is not positive."""
    if value is None:
        return None
    nanos = nanos_of_number(value)
    if nanos <= 0:
        raise ValueError("a price is not positive")
    return nanos
