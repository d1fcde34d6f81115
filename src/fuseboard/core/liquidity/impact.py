"""Impact: how much worse than the middle a reference order would fill, walked through the book.

It takes the best level first, then the next, ten at most. What is left then is not ignored: beyond
the last level shown the book is thought to go on in levels of that one's size, each further away by
the last distance between two levels, a spread and `STEP_POINTS_MIN` at least. So a feed that shows
one level is judged by that level, and a thin book costs more the thinner it is.
"""

from typing import Final

from fuseboard.core.liquidity.spread import FULL_POINTS
from fuseboard.policy.liquidity_rules import LiquidityRules
from fuseboard.vocabulary.money import NANOS

LEVELS_MAX: Final = 10
STEP_POINTS_MIN: Final = 1
"""Of the middle, in basis points."""
Levels = tuple[tuple[int, int], ...]
"""Price and size of each level, the best first."""


def points(
    bids: Levels, asks: Levels, *, twice_middle: int, spread_nanos: int, rules: LiquidityRules
) -> int:
    """100 when everything fills at the middle, 0 at the policy's impact; rounded down.

    Of the worse side.
    """
    wanted_nanos = -(-2 * NANOS * rules.reference_order_nanos // twice_middle)
    to_buy = cost(asks, wanted_nanos, twice_middle=twice_middle, spread_nanos=spread_nanos, sign=1)
    worse = cost(bids, wanted_nanos, twice_middle=twice_middle, spread_nanos=spread_nanos, sign=-1)
    if to_buy > worse:
        worse = to_buy
    whole = wanted_nanos * twice_middle * rules.impact_scale_nanos
    lost = -(-FULL_POINTS * NANOS * worse // whole)
    return FULL_POINTS - lost if lost < FULL_POINTS else 0


def cost(
    levels: Levels, wanted_nanos: int, *, twice_middle: int, spread_nanos: int, sign: int
) -> int:
    """What a quantity costs beyond the middle: twice the distance from it times the quantity.

    `sign`: 1 walks asks, -1 bids.
    """
    left_nanos, worse, away, before = wanted_nanos, 0, 0, 0
    for price_nanos, size_nanos in levels:
        before, away = away, sign * (2 * price_nanos - twice_middle)
        if size_nanos >= left_nanos:
            return worse + away * left_nanos
        worse += away * size_nanos
        left_nanos -= size_nanos
    step = 2 * spread_nanos
    least = twice_middle * STEP_POINTS_MIN // FULL_POINTS + 1
    if step < least:
        step = least
    if len(levels) > 1 and away - before > step:
        step = away - before
    return worse + beyond(left_nanos, levels[-1][1], away=away, step=step)


def beyond(left_nanos: int, size_nanos: int, *, away: int, step: int) -> int:
    """What the rest costs beyond the last level, as `cost`.

    The sum over whole levels of a size, each `step` further away, and a part of one more.
    """
    whole, part_nanos = divmod(left_nanos, size_nanos)
    steps = size_nanos * (whole * (whole + 1) // 2) + part_nanos * (whole + 1)
    return left_nanos * away + step * steps
