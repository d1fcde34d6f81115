"""Liquidity as a measure: of a symbol, or the worst of what a scope holds.

Where nothing is held, the worst of all that is watched: a condition must have an answer before the
first position. None: nothing is measured. What is stale is an emergency, though its gauge, which
moves at quotes, trades and orders, is still where the last one left it.
"""

from fuseboard.core.liquidity.monitor import Liquidity
from fuseboard.core.liquidity.tiers import tier_of
from fuseboard.core.liquidity.watching import POINT_NANOS, stale
from fuseboard.core.state import Turn
from fuseboard.vocabulary.liquidity import Tier


def score_nanos(turn: Turn, strategy: str, symbol: str) -> int | None:
    """The score in nano-units, 0 where it is stale; None where nothing is known of one of them."""
    lowest: int | None = None
    for name, at in _of(turn, strategy, symbol).items():
        silent = stale(turn, name, at)
        if not silent and (at.unknown or not at.seen_boot_ns):
            return None
        lowest = lower(lowest, 0 if silent else at.score)
    return None if lowest is None else lowest * POINT_NANOS


def prior_score_nanos(turn: Turn, strategy: str, symbol: str) -> int | None:
    """The score before the last book of each symbol; None where no book agrees with the last one:
    the first is alone, and silence is no report.
    """
    lowest: int | None = None
    for name, at in _of(turn, strategy, symbol).items():
        if at.score_before is None or stale(turn, name, at):
            return None
        lowest = lower(lowest, at.score_before)
    return None if lowest is None else lowest * POINT_NANOS


def tier_number(turn: Turn, strategy: str, symbol: str) -> int | None:
    """The tightest tier's number."""
    found = _of(turn, strategy, symbol)
    return max(int(tier_now(turn, name, at)) for name, at in found.items()) if found else None


def agreed_tier_number(turn: Turn, strategy: str, symbol: str) -> int | None:
    """The tightest tier that both of the last two books of a symbol say, each by its score alone: a
    gauge stays where one book left it. None as in `prior_score_nanos`.
    """
    tiers, tightest = turn.liquidity, None
    for name, at in _of(turn, strategy, symbol).items():
        if tiers is None or at.score_before is None or stale(turn, name, at):
            return None
        said = int(tier_of(max(at.score, at.score_before), tiers.edges))
        tightest = said if tightest is None else max(tightest, said)
    return tightest


def tier_now(turn: Turn, symbol: str, at: Liquidity) -> Tier:
    """The tier of a symbol at this moment: EMERGENCY while it is stale."""
    return Tier.EMERGENCY if stale(turn, symbol, at) else at.gauge.tier


def lower(one: int | None, other: int | None) -> int | None:
    """The lower of two values, of which either may be missing."""
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


def _of(turn: Turn, strategy: str, symbol: str) -> dict[str, Liquidity]:
    watched = turn.state.liquidity
    if symbol:
        at = watched.get(symbol)
        return {} if at is None else {symbol: at}
    held = turn.state.book.held(strategy=strategy)
    if any(name not in watched for name in held):
        return {}  # something held is not measured yet: nothing is known of the whole
    return {name: watched[name] for name in held} or watched
