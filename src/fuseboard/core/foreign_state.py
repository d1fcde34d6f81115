"""What the kernel keeps of adopted foreign orders beside the book."""

from typing import Final

from msgspec import Struct

from fuseboard.core.book import Order
from fuseboard.vocabulary.money import NANOS

LAG_NS: Final = 5 * NANOS
"""A broker's positions may lag its orders by so much."""


class Unplaced(Struct, kw_only=True):
    """What a foreign order had filled when it was first seen: whether our positions have it in
    them, a comparison with the broker's says.
    """

    quantity_nanos: int
    attos: int
    agreed: int = 0
    """How many comparisons in a row found no difference without it."""
    ended: Order | None = None
    """The order, where it had ended and is not in the book; else None."""


class ForeignOrders(Struct, kw_only=True):
    """Of all that are adopted."""

    unplaced: dict[str, Unplaced] = {}
    """By order id, oldest first."""
    unpriced: dict[str, None] = {}
    """Orders that work at no known price: what they may cost at worst is not known."""
    limits_told_boot_ns: int | None = None
    """When people were last told that one passes a limit."""
    told_since_boot_ns: int | None = None
    """Since when those are counted that came where what opens is stopped."""
    told: int = 0
    """Of these, told one by one."""
    untold: int = 0
    """Of these, to be told as a number."""
    untold_cancelled: int = 0
    agreed_ns: int = 0
    """The broker's clock just before those positions were read that last agreed with our book; 0:
    none did, or it told no time.
    """

    def may_be_missing(self, ended_ns: int) -> bool:
        """Whether our book may lack what an order filled that ended then, by the broker's clock:
        what ended before the books last agreed, or nobody knows when (0), was in them.
        """
        return self.agreed_ns > 0 and ended_ns > max(0, self.agreed_ns - LAG_NS)
