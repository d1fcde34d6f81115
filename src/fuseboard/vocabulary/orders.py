"""The words for an order: side, type, time in force, status, intent."""

from enum import Enum


class Side(Enum):
    BUY = "buy"
    SELL = "sell"


class OrderType(Enum):
    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"


class TimeInForce(Enum):
    DAY = "day"
    GTC = "gtc"
    IOC = "ioc"
    FOK = "fok"


class OrderStatus(Enum):
    """The life of an order as our book knows it.

    `SUBMITTING`: decided, its bytes may or may not have left. `IN_DOUBT`: its bytes left and no
    answer came; the broker is being asked. The last six are terminal; `REPLACED` is cancelled to
    make way for another order.
    """

    SUBMITTING = "submitting"
    IN_DOUBT = "in_doubt"
    WORKING = "working"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    NOT_SENT = "not_sent"
    REPLACED = "replaced"


TERMINAL_STATUSES = frozenset(
    {
        OrderStatus.FILLED,
        OrderStatus.CANCELED,
        OrderStatus.EXPIRED,
        OrderStatus.REJECTED,
        OrderStatus.NOT_SENT,
        OrderStatus.REPLACED,
    }
)


class Intent(Enum):
    """What an order is for; which checks apply depends on it (`core/checks/table.py`)."""

    OPEN = "open"
    REDUCE = "reduce"
    PLAN = "plan"
    CANCEL = "cancel"


class Severity(Enum):
    """How loud an alert is. `PAGE` wakes a person."""

    INFO = "info"
    WARNING = "warning"
    PAGE = "page"
