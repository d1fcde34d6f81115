"""What a rescue knows of the account and of the policy; it reads neither by itself."""

from typing import Final

from msgspec import Struct

from fuseboard.vocabulary.money import NANOS

CLOSE_WITHIN_NS: Final = 30 * 60 * NANOS
CANCEL_WAIT_NS: Final = 2 * NANOS


class Terms(Struct, frozen=True, kw_only=True):
    """Where, and how a close may trade. Times in nanoseconds of boot time."""

    instance: str
    account: str
    base_url: str
    data_url: str
    close_collar_nanos: int
    """How far beyond the quote the first close may trade; each that takes nothing doubles it."""
    close_collar_nanos_max: int
    """No close may trade further than this, or than the first where that is more."""
    close_wait_ns: int
    close_attempts_max: int
    """How many closes in a row the broker may refuse or end."""
    close_within_ns: int = CLOSE_WITHIN_NS
    """For so long the market is asked for what it does not take. Older releases wrote none."""
    absent_after_ns: int
    """How long "not found" counts as still on its way to the broker."""
    cancel_wait_ns: int = CANCEL_WAIT_NS
    """How long closes wait for orders that stay although their cancel was taken."""
