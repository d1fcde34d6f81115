"""Trying a close again: how far and how soon the next goes, and until when. No I/O, no clock.

The same rules as the gateway's own liquidations have (ADR 0014, 0018). A close takes what there is
within its collar and ends; what it did not get rests at the market's own price, then the next takes
again. The market's answers are no failures: one that was to take and got nothing doubles the collar
of the next up to the policy's widest, and the market is asked until the policy's time is over. What
the broker refuses, or ends by itself, is a fault; so many in a row are the last. What kept us from
asking costs no time.
"""

from typing import Final

from fuseboard.guardian.orders import Orders
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import OrderStatus

DOUBLINGS_MAX: Final = 5
QUIET_PARTS: Final = 60
"""Who was given nothing for a minute asks once a second at most, after an hour once a minute."""
PAUSE_NS: Final = NANOS
FAULTS: Final = "the broker refuses its closes, or ends them"
ENDED: Final = (OrderStatus.CANCELED, OrderStatus.EXPIRED)
NOT_TAKEN: Final = "the market does not take it"


class Trying:
    """What became of one symbol's closes. Times in nanoseconds of boot time."""

    def __init__(self, orders: Orders, now_ns: int) -> None:
        self.doublings = 0
        self.rests = False
        """Whether the next close rests at the market's price: the last took what there was."""
        self.rests_only = False
        """Whether the broker refused a close that was to trade at once; not the one after it."""
        self.next_ns = now_ns
        """When the next close may be sent."""
        self._orders = orders
        self._faults = 0
        self._since_ns = now_ns
        self._sent_ns = self._taken_ns = 0

    def sent(self, now_ns: int) -> None:
        """A close goes to the broker."""
        self._sent_ns = now_ns

    def kept_away(self, now_ns: int) -> None:
        """The market could not be asked: its time counts from now."""
        self._since_ns = now_ns

    def answered(
        self,
        status: OrderStatus,
        filled_nanos: int,
        now_ns: int,
        *,
        taken_back: bool,
        at_once: bool,
    ) -> None:
        """A close is final; `taken_back`: we asked for its end, because its time was over;
        `at_once`: it was to end anyway.
        """
        self.next_ns = now_ns
        rested, self.rests = self.rests, False
        if filled_nanos > 0:
            self._taken_ns = now_ns
        elif status not in ENDED or not (taken_back or at_once):
            if status is OrderStatus.REJECTED:
                self.rests_only = at_once
            self._faults += 1
            self.next_ns += PAUSE_NS * (status is OrderStatus.REJECTED)
            return
        if filled_nanos > 0 or taken_back:
            self._faults = 0
        if status is OrderStatus.FILLED:
            return
        self.rests = at_once
        widest = self.doublings >= DOUBLINGS_MAX
        self.doublings += filled_nanos == 0 and not widest and not rested
        took_part = at_once and filled_nanos > 0
        quiet_ns = now_ns - max(self._since_ns, self._taken_ns)
        paced_ns = self._sent_ns + max(PAUSE_NS * took_part, quiet_ns // QUIET_PARTS)
        self.next_ns = max(now_ns + PAUSE_NS * widest, paced_ns)

    def why_over(self, now_ns: int) -> str:
        """Why no further close is sent; empty: it goes on."""
        if self._faults >= self._orders.close_attempts_max:
            return FAULTS
        if self._sent_ns and now_ns >= self._since_ns + self._orders.close_within_ns:
            minutes = self._orders.close_within_ns / (60 * NANOS)
            return f"the market did not take it within {minutes:g} minutes"
        return ""
