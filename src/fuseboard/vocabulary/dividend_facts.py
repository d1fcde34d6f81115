"""Dividends as a broker announces them, and what is shown of what is owed. Times are wall time."""

from msgspec import Struct

from fuseboard.vocabulary.act import Act
from fuseboard.vocabulary.fact import Fact


class Announced(Struct, frozen=True, kw_only=True):
    """One cash dividend: who holds the symbol when its ex-date begins is paid the rate a share."""

    symbol: str
    ex_date: str
    """`YYYY-MM-DD`."""
    rate_nanos: int
    ex_ns: int
    open_ns: int
    """When trading opens on its ex-date: until then its price has not fallen by it."""
    payable_ns: int


class DividendsSeen(Fact, frozen=True, tag=True):
    """What the broker announces of these symbols; or why its announcements cannot be read."""

    symbols: tuple[str, ...]
    dividends: tuple[Announced, ...] = ()
    problem: str = ""


class DividendOwed(Struct, frozen=True, kw_only=True):
    """What counts as owed to the account for one dividend; negative where the account owes it."""

    symbol: str
    ex_date: str
    owed_nanos: int
    payable_wall_ns: int


class PublishDividends(Act, frozen=True, tag=True):
    """What is owed now, and why announcements cannot be read (empty: they can, or are not)."""

    owed: tuple[DividendOwed, ...]
    unread: str = ""
