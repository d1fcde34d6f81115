"""What a check sees: one proposed order and the numbers it is judged by, gathered once."""

from typing import Final

from msgspec import Struct

from fuseboard.core.book import Book, Order
from fuseboard.core.market import Instrument
from fuseboard.policy.limits import Limits
from fuseboard.policy.policy import Policy
from fuseboard.vocabulary.postures import Posture
from fuseboard.vocabulary.reasons import Reason


class Finding(Struct, frozen=True, gc=False):
    """What a check found: `ALLOWED`, or a reason with the number it saw and the limit, as text."""

    reason: Reason
    observed: str = ""
    limit: str = ""


ALLOWED: Final = Finding(Reason.ALLOWED)


class OrderRate(Struct):
    """The times of the last orders, as a ring: bounded by the limit it measures."""

    times_boot_ns: list[int] = []
    at: int = 0
    """Where the oldest stands once the ring is as long as the limit."""

    def full(self, limits: Limits, boot_ns: int) -> bool:
        """Whether the window already holds as many orders as the limit allows."""
        if len(self.times_boot_ns) < limits.order_rate_max:
            return False
        if not self.times_boot_ns:
            return True
        return boot_ns - self.times_boot_ns[self.at] < limits.order_rate_window_ns

    def count(self, limits: Limits, boot_ns: int) -> None:
        """Count one order."""
        if len(self.times_boot_ns) < limits.order_rate_max:
            self.times_boot_ns.append(boot_ns)
            return
        self.times_boot_ns[self.at] = boot_ns
        self.at = (self.at + 1) % limits.order_rate_max

    def follow(self, limits: Limits) -> None:
        """A new policy: keep the newest times that its limit measures, in order."""
        in_order = self.times_boot_ns[self.at :] + self.times_boot_ns[: self.at]
        self.times_boot_ns = in_order[max(0, len(in_order) - limits.order_rate_max) :]
        self.at = 0


class Proposal(Struct, gc=False):
    """A proposed order with everything that checks read; they change nothing."""

    order: Order
    policy: Policy
    limits: Limits
    """The policy's limits, tightened when the posture is REDUCED."""
    posture: Posture
    halting_reason: Reason
    reconciled: bool
    book: Book
    instrument: Instrument
    rate: OrderRate
    value_attos: int
    """Quantity times the worst price."""
    symbol_worst_attos: int
    """The symbol's worst case with this order, all working orders counted."""
    gross_worst_attos: int
    """The account's worst case with this order, all working orders counted."""
    equity_attos: int
    multiplier: int
    boot_ns: int
