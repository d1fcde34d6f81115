"""What was asked for, where an order was sent otherwise: so that a repeat of it is known as one."""

from msgspec import Struct

from fuseboard.vocabulary.orders import OrderType


class Asked(Struct, frozen=True, gc=False):
    """Of an order that was resized or re-priced, what the strategy had asked for."""

    quantity_nanos: int
    order_type: OrderType
    limit_price_nanos: int | None
