"""What links an order to the one it replaces, and to the one that will replace it."""

from msgspec import Struct


class Succession(Struct, gc=False):
    """An order's place in a chain of replacements; orders that are never replaced have none.

    While a replacement waits, the old order counts as the larger and the dearer of the two: only
    one of them can be at the broker, but either may fill.
    """

    replaces: str = ""
    """The id of the order that this one replaces."""
    replaced_by: str = ""
    """The id of the order that replaces this one."""
    total_nanos: int = 0
    """The size that was asked for: what the replaced order filled is part of it."""
    asked_boot_ns: int = 0
    reserved_nanos: int = 0
    """The size that counts while the replacement waits; 0 when none waits."""
    reserved_price_nanos: int = 0
