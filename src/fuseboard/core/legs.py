"""What is kept of a liquidation: the plan of a trip, and its leg in each symbol."""

from msgspec import Struct

from fuseboard.vocabulary.reasons import Reason


class Leg(Struct, kw_only=True):
    """One symbol of a plan: `reading`, `working`, `waiting` (to read again), `flat` or `left`."""

    symbol: str
    stage: str = "reading"
    attempt: int = 1
    """Numbers the close's id; never used twice."""
    tries: int = 0
    """How often the next close's collar, and its part, is doubled."""
    faults: int = 0
    """How many closes in a row went wrong: refused, or ended by the broker."""
    since_boot_ns: int = 0
    """From when its time counts; 0: from the plan's beginning. See `core.trying`."""
    sent_boot_ns: int = 0
    """When its last close was sent."""
    order_id: str = ""
    deadline_boot_ns: int = 0
    moves: int = 0
    """The position's `moves` when the broker was asked."""
    asked_boot_ns: int = 0
    """When it asked."""
    reads: int = 0
    why: str = ""
    left_nanos: int = 0
    rests: bool = False
    """Whether its next close rests at the market's price: the last took what there was, at once."""
    rests_only: bool = False
    """Whether the broker refused a close that was to trade at once."""
    chunk: bool = False
    """Whether its last close was for a part of what is left only."""
    turns: int = 0
    """How many closes it has sent."""
    waits_for: str = ""
    """`turn`, `book`, `market` (`core.leaving`), `stops` (`core.stops`) or `halt` (`core.standing`)
    while it waits so.
    """
    holds_boot_ns: int = 0
    """Until when its working close keeps other plans' from the symbol."""
    opened_boot_ns: int = 0
    """When its market last opened, or traded again after a halt, while it waited; 0: it did not."""
    unread_boot_ns: int = 0
    """Since when each of its reads has failed; 0: the last one did not."""
    read_why: str = ""
    """Its `why` before that, which the next read that does not fail gives back."""
    taken_boot_ns: int = 0
    """When a close of it last filled, in part at least; 0: never."""
    stood_boot_ns: int = 0
    """Since when its exchange's halt keeps it; 0: none does."""
    asks_boot_ns: int = 0
    """When it may ask a market again whose resumption may have been missed; 0: it has not yet."""


def began_boot_ns(plan: "Plan", leg: Leg) -> int:
    """From when a leg could have been closed: a market that was closed took none of its time."""
    return max(plan.began_boot_ns, leg.opened_boot_ns)


class Plan(Struct, kw_only=True):
    """One liquidation: `cancelling`, then `closing`, then `ended`; or `frozen` by a person."""

    trip: str
    scope: str
    stage: str
    began_boot_ns: int
    deadline_boot_ns: int
    orders: dict[str, None]
    """Ids of the orders that are cancelled first and not yet known to be final."""
    cancelled: int = 0
    closed: int = 0
    errors: int = 0
    legs: dict[str, Leg] = {}
    told: bool = False
    """Whether people know that it takes long."""
    told_unread: bool = False
    """Whether people know that the broker cannot be read for it."""
    told_standing: bool = False
    """Whether people know that exchanges' halts keep it."""
    kept: dict[str, str] = {}
    """Symbols that it leaves alone, and why: a person froze them."""
    reason: Reason = Reason.DRAWDOWN
    """Why it was begun: the trip's own."""
