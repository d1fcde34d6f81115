"""Depth: what is shown on both sides, against its own average of the last five minutes.

Depth can be shown by who means to take it away before anybody trades with it. So of the points
above half the scale only that part counts which trades confirm: what velocity scores. Where
velocity is not known, or not asked because a symbol seldom trades, half of them counts as far as
the thinnest of the last four whole minutes reached, which is what usually stands there; beyond
that, only what the trades heard score on the policy's own scale, half at most. The reference order
is walked through no more than that either.
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
LEAST_BUCKETS: Final = 6
"""A minute: sizes that flicker from quote to quote are evened out in it."""
HALF_POINTS: Final = FULL_POINTS // 2
_FULL_NANOS: Final = FULL_POINTS * NANOS
ABSENT: Final = -1
"""Stands for the points of a component that is not known."""


def points(
    average: Average, now_ns: int, rules: LiquidityRules, plain_velocity: int, usual_velocity: int
) -> tuple[int, int]:
    """Plain and calibrated: 100 at the policy's multiple of the average and above, and 100 at the
    average, where that is more; each rounded down, and of each what counts.
    """
    area, span_ns = average.at_now(now_ns)
    if span_ns < WARM_NS or area <= 0:
        return ABSENT, ABSENT
    shown, full = average.value * span_ns, area * rules.depth_scale_nanos
    plain = _FULL_NANOS * shown // full
    usual = FULL_POINTS * shown // area
    if plain > FULL_POINTS:
        plain = FULL_POINTS
    if usual > FULL_POINTS:
        usual = FULL_POINTS
    if usual < plain:
        usual = plain
    if plain > HALF_POINTS:
        if plain_velocity == ABSENT:
            stood = average.least_of(LEAST_BUCKETS) * span_ns
            plain = seldom_confirmed(plain, _FULL_NANOS * stood // full, 0)
        else:
            plain = HALF_POINTS + (plain - HALF_POINTS) * plain_velocity // FULL_POINTS
    if usual > HALF_POINTS:
        if usual_velocity == ABSENT:
            stood = average.least_of(LEAST_BUCKETS) * span_ns
            usual = seldom_confirmed(usual, FULL_POINTS * stood // area, plain_velocity)
        else:
            usual = HALF_POINTS + (usual - HALF_POINTS) * usual_velocity // FULL_POINTS
    return plain, usual


def seldom_confirmed(depth_points: int, stood_points: int, heard_points: int) -> int:
    """What counts of points above half where velocity is not measured: `stood_points` is what
    usually stands there, `heard_points` what the trades heard score by the policy's rate, 0 or
    `ABSENT` where none are told.
    """
    if stood_points >= depth_points:
        return HALF_POINTS + (depth_points - HALF_POINTS) * HALF_POINTS // FULL_POINTS
    counts = 0
    if stood_points > HALF_POINTS:
        counts = (stood_points - HALF_POINTS) * HALF_POINTS
    else:
        stood_points = HALF_POINTS
    if heard_points > 0:
        counts += (depth_points - stood_points) * min(heard_points, HALF_POINTS)
    return HALF_POINTS + counts // FULL_POINTS


def believed(average: Average, confirmed_points: int) -> int:
    """What of the size shown an order is thought to find: as much as the thinnest minute had, and
    of the rest the part that trades confirm. Rounded down; one at least.
    """
    stood = average.least_of(LEAST_BUCKETS)
    beyond = average.value - stood
    if beyond <= 0:
        return average.value
    return max(stood + beyond * confirmed_points // FULL_POINTS, 1)
