"""Inputs of the second source: what the broker says was executed, told apart from the order stream.

In the trade they are a drop copy. Amounts are nano-units, times nanoseconds.
"""

from typing import Final

from msgspec import Struct

from fuseboard.vocabulary.fact import Fact
from fuseboard.vocabulary.orders import Side

EXECUTIONS_MAX: Final = 500
"""In one `ExecutionsSeen`."""


class Execution(Struct, frozen=True, gc=False, kw_only=True):
    """One execution as the broker's activity feed tells it; `execution` is the feed's own id.

    `filled_quantity_nanos` counts all that the order has filled with it.
    """

    execution: str
    broker_order_id: str
    symbol: str
    side: Side
    quantity_nanos: int
    price_nanos: int
    filled_quantity_nanos: int
    event_ns: int


class ExecutionsSeen(Fact, frozen=True, tag=True):
    """The activity feed from `after` on, oldest first: as `ReadExecutions` asked.

    `newest` is where the next reading may begin. `problem` says why nothing could be read: the
    broker has no such feed (`absent`), or does not know `after` any more (`lost`).
    """

    after: str | None
    newest: str
    executions: tuple[Execution, ...] = ()
    more: bool = False
    """Whether there is more after the last one."""
    problem: str = ""


class WorkingOrder(Struct, frozen=True, gc=False, kw_only=True):
    """One of our orders as the broker works it; None for what it does not say.

    Without a side it is one that the broker lists and that cannot be read.
    """

    order_id: str
    side: Side | None
    quantity_nanos: int | None


class WorkingSeen(Fact, frozen=True, tag=True):
    """Our orders that the broker works as others than were sent, by its list, read at rest.

    Told when there are any, and once more when there are none any more.
    """

    differing: tuple[WorkingOrder, ...] = ()
    more: int = 0
    """How many more there are, which are not named."""
