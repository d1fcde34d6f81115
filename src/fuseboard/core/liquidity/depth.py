"""Depth: what is shown on both sides, against its own average of the last five minutes.

Depth can be shown by who means to take it away before anybody trades with it. So of the points
above half the scale only that part counts which trades confirm: what velocity scores, and half of
it where velocity is not known.
"""

from typing import Final

from fuseboard.core.liquidity.spread import FULL_POINTS
from fuseboard.core.liquidity.windows import Average
from fuseboard.policy.liquidity_rules import LiquidityRules
from fuseboard.vocabulary.money import NANOS

AVERAGE_BUCKETS: Final = 30
AVERAGE_BUCKET_NS: Final = 10 * NANOS
"""300 seconds: the present ten, which are not over yet, and the 29 times ten before."""
WARM_NS: Final = 240 * NANOS
"""Before depths have stood for so long within the window their average is not known."""
HALF_POINTS: Final = FULL_POINTS // 2
ABSENT: Final = -1
"""Stands for the points of a component that is not known."""


def points(average: Average, now_ns: int, rules: LiquidityRules) -> tuple[int, int]:
    """Plain and calibrated: 100 at the policy's multiple of the average and above, and 100 at the
    average, where that is more; each rounded down.
    """
    area, span_ns = average.at_now(now_ns)
    if span_ns < WARM_NS or area <= 0:
        return ABSENT, ABSENT
    multiple = FULL_POINTS * average.value * span_ns
    plain = NANOS * multiple // (area * rules.depth_scale_nanos)
    usual = multiple // area
    if plain > FULL_POINTS:
        plain = FULL_POINTS
    if usual > FULL_POINTS:
        usual = FULL_POINTS
    if usual < plain:
        usual = plain
    return plain, usual


def confirmed(depth_points: int, velocity_points: int) -> int:
    """What counts of the points of depth; rounded down."""
    if depth_points <= HALF_POINTS:
        return depth_points
    by = HALF_POINTS if velocity_points == ABSENT else velocity_points
    return HALF_POINTS + (depth_points - HALF_POINTS) * by // FULL_POINTS
