"""Rules for liquidity: how its score is made, where its tiers begin, what each tier lets through.

Units as in `policy.limits`; scores and their edges are basis points of the scale (100 = 10,000).
The numbers are those of the project's issue; the weights are fractions of one.
"""

from typing import Final

from msgspec import Struct

from fuseboard.policy.limits import MINUTE_NS, PERCENT_NANOS, SECOND_NS

BASIS_POINT_NANOS: Final = PERCENT_NANOS // 100
USD_NANOS: Final = 1_000_000_000


class TierRules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one tier lets through."""

    order_value_nanos_max: int
    """An order that opens is cut to this."""
    spread_nanos_max: int
    """Nothing is opened while the spread is wider, as a fraction of the middle."""
    offset_nanos: int
    """How far beyond the quote an order that opens may be priced, as a fraction of it."""
    clip_nanos: int
    """Largest part of the top five levels on the side taken; only where a book tells levels."""
    exit_collar_nanos: int
    """How far beyond the quote a market order that reduces may trade, and a plan's first close."""
    exit_participation_nanos: int = 5 * PERCENT_NANOS
    """Largest part of what is shown on the side taken that one close of a plan takes."""
    timeout_ns: int = 30 * SECOND_NS
    """For so long an order that opens may work; stops wait for their price."""


class EmergencyRules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What EMERGENCY lets through: exits only."""

    exit_collar_nanos: int = 5 * PERCENT_NANOS
    exit_wait_ns: int = MINUTE_NS
    """For so long after its beginning a plan waits for a better tier before it closes a symbol."""
    exit_participation_nanos: int = 5 * PERCENT_NANOS


class LiquidityRules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How liquidity is measured and what follows from it."""

    enabled: bool = False
    """Whether a policy asks for any of it: writing the section does."""
    spread_weight_nanos: int = 30 * PERCENT_NANOS
    depth_weight_nanos: int = 30 * PERCENT_NANOS
    velocity_weight_nanos: int = 20 * PERCENT_NANOS
    impact_weight_nanos: int = 20 * PERCENT_NANOS
    spread_scale_nanos: int = 5 * PERCENT_NANOS
    """A spread of this part of the middle scores 0."""
    depth_scale_nanos: int = 200 * PERCENT_NANOS
    """Depth of so many times its own average scores 100."""
    velocity_scale: int = 10
    velocity_scale_window_ns: int = SECOND_NS
    """So many trades in so long score 100."""
    impact_scale_nanos: int = 10 * PERCENT_NANOS
    """A reference order that pays so much more than the middle scores 0."""
    reference_order_nanos: int = 10_000 * USD_NANOS
    calibrated: bool = True
    """Whether tiers follow the calibrated score; else the plain one."""
    normal_points_min: int = 7_000
    cautious_points_min: int = 4_000
    defensive_points_min: int = 2_000
    buffer_points: int = 1_000
    """A tier is left upward only more than this above its upper edge."""
    dwell_ns: int = MINUTE_NS
    """For so long the score must have been above that before a tier is left, one at a time."""
    exit_within_ns: int = 2 * MINUTE_NS
    """From so long after its beginning on a plan's closes are for all that is left, whatever is
    shown; in EMERGENCY not before `exit_wait`.
    """
    normal: TierRules = TierRules(
        order_value_nanos_max=50_000 * USD_NANOS,
        spread_nanos_max=50 * BASIS_POINT_NANOS,
        offset_nanos=10 * BASIS_POINT_NANOS,
        clip_nanos=25 * PERCENT_NANOS,
        exit_collar_nanos=1 * PERCENT_NANOS,
        exit_participation_nanos=50 * PERCENT_NANOS,
        timeout_ns=30 * SECOND_NS,
    )
    cautious: TierRules = TierRules(
        order_value_nanos_max=10_000 * USD_NANOS,
        spread_nanos_max=100 * BASIS_POINT_NANOS,
        offset_nanos=25 * BASIS_POINT_NANOS,
        clip_nanos=15 * PERCENT_NANOS,
        exit_collar_nanos=2 * PERCENT_NANOS,
        exit_participation_nanos=25 * PERCENT_NANOS,
        timeout_ns=MINUTE_NS,
    )
    defensive: TierRules = TierRules(
        order_value_nanos_max=2_000 * USD_NANOS,
        spread_nanos_max=200 * BASIS_POINT_NANOS,
        offset_nanos=50 * BASIS_POINT_NANOS,
        clip_nanos=5 * PERCENT_NANOS,
        exit_collar_nanos=3 * PERCENT_NANOS,
        exit_participation_nanos=10 * PERCENT_NANOS,
        timeout_ns=2 * MINUTE_NS,
    )
    emergency: EmergencyRules = EmergencyRules()
