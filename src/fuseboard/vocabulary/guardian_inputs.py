"""What was done at the broker while the gateway was dead, as the next start is told it."""

from enum import Enum
from typing import Final, Self

from msgspec import Struct

from fuseboard.vocabulary.effects import SubmitOrder
from fuseboard.vocabulary.orders import Side, TimeInForce


class Sender(Enum):
    """Who acts at the broker beside a gateway."""

    GUARDIAN = "guardian"
    RESCUE = "rescue"


NAMED: Final = {Sender.GUARDIAN: "the guardian", Sender.RESCUE: "a person's rescue"}
"""In words for people."""


class GuardianClose(Struct, frozen=True, gc=False, kw_only=True):
    """A close that the guardian, or a person's rescue, was about to send: what became of it, the
    broker knows.

    `order_id` is the one that the gateway itself would give (trip, symbol, attempt) to its close.
    """

    at_wall_ns: int
    trip: str
    order_id: str
    wire_id: str
    client_order_id: str
    symbol: str
    side: Side
    quantity_nanos: int
    limit_price_nanos: int | None
    """None: a market order."""
    time_in_force: TimeInForce = TimeInForce.DAY
    sent_by: Sender = Sender.GUARDIAN
    """Older releases wrote none."""

    @classmethod
    def of(cls, order: SubmitOrder, *, trip: str, at_wall_ns: int) -> Self:
        """What is written down of an order before it is sent."""
        return cls(
            at_wall_ns=at_wall_ns,
            trip=trip,
            order_id=order.order_id,
            wire_id=order.wire_id,
            client_order_id=order.client_order_id,
            symbol=order.symbol,
            side=order.side,
            quantity_nanos=order.quantity_nanos,
            limit_price_nanos=order.limit_price_nanos,
            time_in_force=order.time_in_force,
        )
