"""The average daily volume of a symbol, as the outside last reported it."""

from fuseboard.core.reporting import reported_value
from fuseboard.core.state import Turn


def volume_nanos(turn: Turn, symbol: str) -> int | None:
    """The quantity; None when nobody reported it, or too long ago."""
    return reported_value(turn, "avg_daily_volume", symbol)
