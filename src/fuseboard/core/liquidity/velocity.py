"""Velocity: how many trades there are in ten seconds.

A symbol that usually trades less than `USUAL_TRADES_MIN` times in ten seconds is not measured by
it when calibrated: ten seconds without a trade are then no news.
"""

from typing import Final

from fuseboard.core.liquidity.depth import ABSENT
from fuseboard.core.liquidity.spread import FULL_POINTS
from fuseboard.policy.liquidity_rules import LiquidityRules
from fuseboard.vocabulary.money import NANOS

BUCKETS: Final = 10
BUCKET_NS: Final = NANOS
WINDOW_NS: Final = BUCKETS * BUCKET_NS
USUAL_BUCKETS: Final = 60
USUAL_BUCKET_NS: Final = 60 * NANOS
USUAL_WARM_NS: Final = 300 * NANOS
"""What is usual is looked for in the last hour, and known after five minutes of it."""
USUAL_TRADES_MIN: Final = 20
"""A count of 20 that comes by chance alone strays by 22 %, and trades cluster."""


def points(trades: int, rules: LiquidityRules) -> int:
    """100 at the policy's rate and above; rounded down."""
    found = trades * rules.velocity_scale_window_ns
    full = rules.velocity_scale * WINDOW_NS
    return FULL_POINTS if found >= full else FULL_POINTS * found // full


def calibrated_points(trades: int, usual_trades: int, watched_ns: int, plain_points: int) -> int:
    """100 at the symbol's own usual rate, where that is below the policy's; rounded down.

    `usual_trades` are those of the last hour, of which `watched_ns` were watched.
    """
    if watched_ns > USUAL_BUCKETS * USUAL_BUCKET_NS:
        watched_ns = USUAL_BUCKETS * USUAL_BUCKET_NS
    usual = usual_trades * WINDOW_NS
    if watched_ns < USUAL_WARM_NS or usual < USUAL_TRADES_MIN * watched_ns:
        return ABSENT
    found = trades * watched_ns
    if found >= usual:
        return FULL_POINTS
    found = FULL_POINTS * found // usual
    if found < plain_points:
        return plain_points
    return found
