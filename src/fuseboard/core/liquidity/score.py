"""The score: what the components make together, from 0 (nothing to trade with) to 100.

A component that is not known is left out and the others' weights count for the whole: what a feed
does not give is never read as a crisis, and is reported. Points are basis points of the scale;
every division is rounded down.
"""

from msgspec import Struct

from fuseboard.core.liquidity.depth import ABSENT
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


def composite(spread: int, depth: int, velocity: int, impact: int, rules: LiquidityRules) -> int:
    """The weighted average of the components that are known; rounded down."""
    weight = rules.spread_weight_nanos
    total = weight * spread
    if depth != ABSENT:
        weight += rules.depth_weight_nanos
        total += rules.depth_weight_nanos * depth
    if velocity != ABSENT:
        weight += rules.velocity_weight_nanos
        total += rules.velocity_weight_nanos * velocity
    if impact != ABSENT:
        weight += rules.impact_weight_nanos
        total += rules.impact_weight_nanos * impact
    return total // weight
