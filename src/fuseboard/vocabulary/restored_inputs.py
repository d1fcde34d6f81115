"""Inputs about a state that was restored from a backup. Times are wall time, ns since 1970."""

from msgspec import Struct

from fuseboard.vocabulary.fact import Fact


class Restored(Struct, frozen=True, gc=False, kw_only=True):
    """A restore since the last start: from which backup, by whom, why, when."""

    backup: str
    operator: str
    reason: str
    at_wall_ns: int
    last_wall_ns: int
    """Of the last record that came back, as this machine's clock said; 0 when there is none."""


class PastOrder(Struct, frozen=True, gc=False, kw_only=True):
    """An order with the prefix of a Fuseboard that the broker has or had, working or final."""

    wire_id: str
    broker_order_id: str
    symbol: str


class OrdersSinceSeen(Fact, frozen=True, tag=True):
    """The orders that the broker has had since a time; not `complete`: its list was too long."""

    orders: tuple[PastOrder, ...]
    complete: bool = True
