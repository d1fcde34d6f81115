"""The score: what the components make together, from 0 (nothing to trade with) to 100.

A component that is not known is left out and the others' weights count for the whole: what a feed
does not give is never read as a crisis, and is reported. Points are basis points of the scale;
every division is rounded down.
"""

from msgspec import Struct

from fuseboard.core.liquidity.depth import ABSENT
from fuseboard.core.liquidity.tiers import rises_from
from fuseboard.policy.liquidity_rules import LiquidityRules


class Points(Struct, frozen=True, gc=False):
    """What each component scores; `depth.ABSENT` where it is not known."""

    spread: int
    depth: int
    velocity: int
    impact: int

    def absent(self) -> tuple[str, ...]:
        """The components that are not known."""
        fields = self.__struct_fields__
        return tuple(name for name in fields if getattr(self, name) == ABSENT)


def score_of_unknown(rules: LiquidityRules) -> int:
    """What stands for a score where nothing is known of a book: by it each tier goes to CAUTIOUS,
    as a symbol begins, and stays there.
    """
    normal = rules.normal_points_min
    return min(rises_from(rules.cautious_points_min, rules.buffer_points, normal), normal - 1)


def composites(
    spread: int,
    impact: int,
    plain_depth: int,
    plain_velocity: int,
    usual_depth: int,
    usual_velocity: int,
    rules: LiquidityRules,
) -> tuple[int, int]:
    """The plain and the calibrated score: each the weighted average of the components that are
    known, rounded down. Spread and impact are the same for both.
    """
    weight = plain = usual = 0
    if spread != ABSENT:
        weight = rules.spread_weight_nanos
        plain = usual = weight * spread
    if impact != ABSENT:
        of_impact = rules.impact_weight_nanos
        weight += of_impact
        plain = usual = plain + of_impact * impact
    plain_weight = usual_weight = weight
    of_depth, of_velocity = rules.depth_weight_nanos, rules.velocity_weight_nanos
    if plain_depth != ABSENT:
        plain_weight += of_depth
        plain += of_depth * plain_depth
    if usual_depth != ABSENT:
        usual_weight += of_depth
        usual += of_depth * usual_depth
    if plain_velocity != ABSENT:
        plain_weight += of_velocity
        plain += of_velocity * plain_velocity
    if usual_velocity != ABSENT:
        usual_weight += of_velocity
        usual += of_velocity * usual_velocity
    return plain // plain_weight, usual // usual_weight
