"""Trying a close again: what of its end is a fault, how far and how soon the next goes.

One rule for the gateway's liquidations and for the guardian, which goes on with them (ADR 0014,
0018); the theory of operation is at the head of `core/trying.py`. No clock: times are boot time.
"""

from typing import Final, Protocol

from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import OrderStatus

QUIET_PARTS: Final = 60
"""Who was given nothing for a minute asks once a second at most, after an hour once a minute."""
DOUBLINGS_MAX: Final = 5
"""How often collar and part are doubled at most."""
PAUSE_NS: Final = NANOS
ENDED: Final = (OrderStatus.CANCELED, OrderStatus.EXPIRED)
"""Venues say either of what was to trade at once and did not."""
NOT_TAKEN: Final = "the market does not take it"
FAULTS: Final = "the broker refuses its closes, or ends them"


class Tried(Protocol):
    """What became of one symbol's closes."""

    tries: int
    """How often the next close's collar, and its part, is doubled."""
    faults: int
    """How many closes in a row went wrong: refused, or ended by the broker."""
    rests: bool
    """Whether the next close rests at the market's price: the last took what there was."""
    rests_only: bool
    """Whether the broker refused a close that was to trade at once; not the one after it."""
    sent_boot_ns: int
    """When the last close was sent."""
    taken_boot_ns: int
    """When one last filled, in part at least; 0: never."""


def answered(
    tried: Tried,
    status: OrderStatus,
    filled_nanos: int,
    *,
    now_ns: int,
    since_ns: int,
    taken_back: bool,
    at_once: bool,
) -> int:
    """Count a close that the broker took or refused; when the next may start.

    `since_ns`: from when the market's time counts. `taken_back`: we asked for its end, because its
    time was over. `at_once`: it was to end anyway, so that a broker which ends all closes is known
    by those that were to rest.
    """
    rested, tried.rests = tried.rests, False
    if filled_nanos > 0:
        tried.taken_boot_ns = now_ns
    elif status not in ENDED or not (taken_back or at_once):
        if status is OrderStatus.REJECTED:
            tried.rests_only = at_once
        tried.faults += 1
        return now_ns + PAUSE_NS * (status is OrderStatus.REJECTED)
    if filled_nanos > 0 or taken_back:
        tried.faults = 0
    if status is OrderStatus.FILLED:
        return now_ns
    tried.rests = at_once
    widest = tried.tries >= DOUBLINGS_MAX
    tried.tries += filled_nanos == 0 and not widest and not rested
    quiet_ns = now_ns - max(since_ns, tried.taken_boot_ns)
    return max(now_ns + PAUSE_NS * widest, tried.sent_boot_ns + quiet_ns // QUIET_PARTS)
