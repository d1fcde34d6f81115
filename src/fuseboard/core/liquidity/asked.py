"""Liquidity as a measure: of a symbol, or the worst of what a scope holds.

Where nothing is held, the worst of all that is watched: a condition must have an answer before the
first position. None: nothing is measured.
"""

from fuseboard.core.liquidity.monitor import Liquidity
from fuseboard.core.liquidity.watching import POINT_NANOS
from fuseboard.core.state import Turn


def score_nanos(turn: Turn, strategy: str, symbol: str, *, before: bool = False) -> int | None:
    """The score in nano-units, 0 where it is stale; `before`: before the last input of a symbol."""
    found = _of(turn, strategy, symbol)
    if not found:
        return None
    now_ns = turn.boot_ns
    return POINT_NANOS * min(
        0 if now_ns > at.stale_boot_ns else at.score_before if before else at.score for at in found
    )


def tier_number(turn: Turn, strategy: str, symbol: str) -> int | None:
    """The tightest tier's number."""
    found = _of(turn, strategy, symbol)
    return max(int(at.gauge.tier) for at in found) if found else None


def lower(one: int | None, other: int | None) -> int | None:
    """The lower of two values, of which either may be missing."""
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


def _of(turn: Turn, strategy: str, symbol: str) -> list[Liquidity]:
    watched = turn.state.liquidity
    if symbol:
        at = watched.get(symbol)
        return [] if at is None else [at]
    held = turn.state.book.held(strategy=strategy)
    if any(name not in watched for name in held):
        return []  # something held is not measured yet: nothing is known of the whole
    return [watched[name] for name in held] or list(watched.values())
