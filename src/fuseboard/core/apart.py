"""What the activity feed and our own record do not both hold yet: the state of `drop_copy`."""

from msgspec import Struct

from fuseboard.vocabulary.orders import Side


class Apart(Struct, kw_only=True):
    """What of one order's executions our record and the activity feed do not both hold yet."""

    symbol: str
    side: Side
    order_id: str = ""
    """Ours; empty while nobody knows whose order it is."""
    ours_nanos: int = 0
    ours_attos: int = 0
    ours_boot_ns: int = 0
    """When the last part of it came to us, and when the feed last told one."""
    theirs_nanos: int = 0
    theirs_attos: int = 0
    theirs_boot_ns: int = 0
    theirs_event_ns: int = 0
    """When the newest part that the feed told was executed, by the broker; 0: none was told."""
    rounded_nanos: int = 0
    """How much was filled when an average price, which brokers round, last said what it cost."""
    has_costs: bool = True
    """Whether both sides know the cost of all of it."""


class Taken(Struct, frozen=True):
    """A position that a person's reset took over as the broker had it."""

    read_ns: int
    """The broker's clock as it was told before that reading."""
    boot_ns: int
    """When it was reset."""


class DropCopy(Struct, kw_only=True):
    """How far the activity feed was read, and what of it still waits for its other side."""

    known: bool = False
    """Whether a place to read from is known: from then on every execution is compared."""
    after: str = ""
    """Where the next reading begins: before the newest, so that what is told late is seen."""
    newest: str = ""
    seen: dict[str, None] = {}
    """The ids of the last reading."""
    apart: dict[str, Apart] = {}
    """By the broker's order id, oldest first."""
    asking: bool = False
    asked: str | None = None
    asked_boot_ns: int = 0
    judge_boot_ns: int = 0
    """When what waits is to be judged; 0 when nothing does."""
    absent: bool = False
    """Whether people were told that the broker has no such feed."""
    read_ns: dict[str, int] = {}
    """Of each position that differs the broker's clock before its last reading; 0: not told."""
    taken: dict[str, Taken] = {}
    """By symbol, oldest first."""
