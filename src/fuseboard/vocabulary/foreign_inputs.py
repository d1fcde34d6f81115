"""What is told of an order that was not placed through the gateway, where it can be adopted."""

from msgspec import Struct

from fuseboard.vocabulary.orders import OrderStatus, OrderType, TimeInForce


class ForeignTerms(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """All of a foreign order that its side, size and symbol do not say."""

    order_type: OrderType
    time_in_force: TimeInForce
    limit_price_nanos: int | None = None
    stop_price_nanos: int | None = None
    extended_hours: bool = False
    filled_quantity_nanos: int = 0
    filled_price_nanos: int = 0
    """Average price of what is filled; 0 when nothing is."""
    ended: OrderStatus | None = None
    """How it ended; None: it works."""
    ended_wall_ns: int = 0
    """When, by the broker's clock; nothing of it was filled later. 0: it works, or nobody says."""
