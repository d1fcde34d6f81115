"""The spread, as a part of the middle: what it costs to turn around."""

from typing import Final

from fuseboard.policy.liquidity_rules import LiquidityRules
from fuseboard.vocabulary.money import NANOS

FULL_POINTS: Final = 10_000
"""The whole scale, in basis points of it."""
_TWICE_FULL_NANOS: Final = 2 * FULL_POINTS * NANOS


def points(spread_nanos: int, twice_middle: int, rules: LiquidityRules) -> int:
    """100 without a spread, falling to 0 at the policy's; rounded down."""
    lost = -(-_TWICE_FULL_NANOS * spread_nanos // (twice_middle * rules.spread_scale_nanos))
    return FULL_POINTS - lost if lost < FULL_POINTS else 0
