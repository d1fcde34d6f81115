"""An order's life at the exchange, in Alpaca's own words for status and events.

Quantities and prices are nano-units; sums of price x quantity are undivided atto-units.
"""

from enum import Enum

from msgspec import Struct

from fuseboard.vocabulary.orders import OrderType, Side, TimeInForce


class Status(Enum):
    """Alpaca's order statuses, as far as this exchange uses them."""

    PENDING_NEW = "pending_new"
    NEW = "new"
    PARTIALLY_FILLED = "partially_filled"
    PENDING_CANCEL = "pending_cancel"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REPLACED = "replaced"


FINAL = frozenset({Status.FILLED, Status.CANCELED, Status.EXPIRED, Status.REPLACED})


class Ticket(Struct, frozen=True, kw_only=True):
    """What a client asks for."""

    client_order_id: str
    symbol: str
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    quantity_nanos: int
    limit_price_nanos: int | None = None
    stop_price_nanos: int | None = None
    extended_hours: bool = False


class Order(Struct, kw_only=True, eq=False):
    """One order. Only the exchange changes it; everybody else reads copies (`msgspec` copy)."""

    order_id: str
    number: int
    """Counts orders in the order of acceptance: time priority."""
    ticket: Ticket
    opens: bool
    """Whether it opens or adds to a position; else it holds a part of one."""
    reserve_price_nanos: int
    """What one unit takes of buying power while it works."""
    created_ns: int
    updated_ns: int
    status: Status = Status.PENDING_NEW
    arrived_ns: int | None = None
    filled_ns: int | None = None
    ended_ns: int | None = None
    filled_nanos: int = 0
    filled_attos: int = 0
    triggered: bool = False
    queue_ahead_nanos: int | None = None
    """Displayed quantity that trades before it at its price; None until that price was the best."""
    replaces: str | None = None
    replaced_by: str | None = None

    @property
    def remaining_nanos(self) -> int:
        """What is still to be filled."""
        return self.ticket.quantity_nanos - self.filled_nanos

    @property
    def is_final(self) -> bool:
        """Whether nothing can happen to it any more."""
        return self.status in FINAL

    @property
    def waits_for_stop(self) -> bool:
        """Whether it is a stop whose price has not traded yet."""
        return self.ticket.stop_price_nanos is not None and not self.triggered

    @property
    def priced_at_nanos(self) -> int | None:
        """Its limit; None for orders that take any price."""
        return self.ticket.limit_price_nanos

    @property
    def average_price_nanos(self) -> int:
        """Average price of what is filled, rounded half up; 0 when nothing is."""
        if self.filled_nanos == 0:
            return 0
        return (2 * self.filled_attos + self.filled_nanos) // (2 * self.filled_nanos)


class Against(Enum):
    """What a fill traded with."""

    QUOTE = "quote"
    TRADE = "trade"


class Fill(Struct, frozen=True, kw_only=True):
    """One execution. `position_nanos` is the position after it."""

    execution_id: str
    price_nanos: int
    quantity_nanos: int
    position_nanos: int
    fee_nanos: int
    against: Against


class OrderEvent(Struct, frozen=True, kw_only=True):
    """What `trade_updates` tells: Alpaca's event name, a copy of the order, the fill if any."""

    event: str
    at_ns: int
    order: Order
    fill: Fill | None = None


class Refusal(Struct, frozen=True, kw_only=True):
    """A request that was not taken, as Alpaca words it. `extra` are further fields of the body."""

    http_status: int
    code: int
    message: str
    extra: dict[str, str] = {}
