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
_TWICE_NANOS: Final = 2 * NANOS
_FULL_NANOS: Final = FULL_POINTS * NANOS
Levels = tuple[tuple[int, int], ...]
"""Price and size of each level, the best first."""


def points(
    bids: Levels,
    asks: Levels,
    twice_middle: int,
    spread_nanos: int,
    rules: LiquidityRules,
    part: tuple[int, int] = (1, 1),
) -> int:
    """100 when everything fills at the middle, 0 at the policy's impact; rounded down.

    Of the worse side. `part`: so much of so much that is shown is believed, of each level alike: a
    book that many times as thin is the same as an order that many times as large.
    """
    of_order = _TWICE_NANOS * rules.reference_order_nanos
    wanted_nanos = -(-of_order * part[1] // (twice_middle * part[0]))
    fair = wanted_nanos * twice_middle
    step = 2 * spread_nanos
    least = twice_middle * STEP_POINTS_MIN // FULL_POINTS + 1
    if step < least:
        step = least
    worse = twice_paid(asks, wanted_nanos, step) - fair
    to_sell = fair - twice_paid(bids, wanted_nanos, -step)
    if to_sell > worse:
        worse = to_sell
    lost = -(-_FULL_NANOS * worse // (fair * rules.impact_scale_nanos))
    return FULL_POINTS - lost if lost < FULL_POINTS else 0


def twice_paid(levels: Levels, wanted_nanos: int, step: int) -> int:
    """Twice what a quantity is bought or sold for: the sum of each price times what it takes there.

    `step` is twice the least distance to each level that is thought beyond the last one: above
    zero for asks, below it for bids.
    """
    left_nanos, paid = wanted_nanos, 0
    for price_nanos, size_nanos in levels:
        if size_nanos >= left_nanos:
            return 2 * (paid + price_nanos * left_nanos)
        paid += price_nanos * size_nanos
        left_nanos -= size_nanos
    price_nanos, size_nanos = levels[-1]
    if len(levels) > 1:
        last = 2 * (price_nanos - levels[-2][0])
        if abs(last) > abs(step):
            step = last
    # Whole levels of the last one's size, each a step further away, and a part of one more.
    whole, part_nanos = divmod(left_nanos, size_nanos)
    steps = size_nanos * (whole * (whole + 1) // 2) + part_nanos * (whole + 1)
    return 2 * (paid + price_nanos * left_nanos) + step * steps
