"""The tier machine: one total table over tier and band of the score, drawn into docs/liquidity.md.

The edges of the tiers and, a buffer above each, the edges above which a tier is left upward cut
the scale into seven bands. Down is at once, as far as the band says. Up is one tier at a time,
after the score was in a band that allows it for the whole dwell. So a tier is a gauge: it follows a
number with hysteresis, and lifts no latch. A symbol begins CAUTIOUS: nothing is known of it.
"""

from bisect import bisect_right
from dataclasses import dataclass
from typing import Final

from msgspec import Struct

from fuseboard.policy.liquidity_rules import LiquidityRules, TierRules
from fuseboard.vocabulary.liquidity import Tier

BANDS: Final = 7
FOREVER_NS: Final = 10**30
POINTS_MAX: Final = 10_000


_N, _C, _D, _E = Tier.NORMAL, Tier.CAUTIOUS, Tier.DEFENSIVE, Tier.EMERGENCY
TABLE: Final[dict[Tier, tuple[Tier, ...]]] = {
    _N: (_E, _D, _D, _C, _C, _N, _N),
    _C: (_E, _D, _D, _C, _C, _C, _N),
    _D: (_E, _D, _D, _D, _C, _C, _C),
    _E: (_E, _E, _D, _D, _D, _D, _D),
}
"""For each tier, where each band leads, the lowest band first: tighter at once, looser after the
dwell."""


def edges_of(rules: LiquidityRules) -> tuple[int, ...]:
    """The least score of each band but the lowest, rising."""
    starts = (rules.defensive_points_min, rules.cautious_points_min, rules.normal_points_min)
    edges: list[int] = []
    for start, following in zip(starts, (*starts[1:], POINTS_MAX), strict=True):
        edges += start, rises_from(start, rules.buffer_points, following)
    return tuple(edges)


def rises_from(start: int, buffer_points: int, following: int) -> int:
    """The least score that leads up into the tier that begins at `start`: the first above the
    buffer, but no higher than where the following tier begins.
    """
    if not buffer_points:
        return start
    return min(start + buffer_points + 1, following)


def band_of(points: int, edges: tuple[int, ...]) -> int:
    """The band that a score is in, 0 the lowest."""
    return bisect_right(edges, points)


def tier_of(points: int, edges: tuple[int, ...]) -> Tier:
    """The tier that a score alone says, whatever was before it."""
    return TABLE[_N][band_of(points, edges)]


@dataclass(slots=True)
class Gauge:
    """The tier of one symbol, and how it came there."""

    tier: Tier = Tier.CAUTIOUS
    rising_boot_ns: int | None = None
    """Since when the score would let it rise; None while it does not."""
    changes: int = 0
    since_boot_ns: int = 0
    """When it last changed."""

    def follow(self, points: int, edges: tuple[int, ...], now_ns: int, dwell_ns: int) -> bool:
        """A score was taken: move by the table; whether the tier changed."""
        to = TABLE[self.tier][band_of(points, edges)]
        if to is self.tier:
            self.rising_boot_ns = None
            return False
        if to < self.tier:
            if self.rising_boot_ns is None:
                self.rising_boot_ns = now_ns
            if now_ns - self.rising_boot_ns < dwell_ns:
                return False
            self.rising_boot_ns = now_ns  # each further tier takes its own dwell
        else:
            self.rising_boot_ns = None
        self.tier = to
        self.changes += 1
        self.since_boot_ns = now_ns
        return True

    def rests_until(self, dwell_ns: int) -> int:
        """Before when to follow the score that it just followed would surely change nothing.

        What has just risen looks once more: whether the same score lets it rise further.
        """
        rising_ns = self.rising_boot_ns
        if rising_ns is None:
            return FOREVER_NS
        return 0 if rising_ns == self.since_boot_ns else rising_ns + dwell_ns


class Compiled(Struct, frozen=True, gc=False):
    """The rules of a policy that measures liquidity, as they are asked for."""

    rules: LiquidityRules
    edges: tuple[int, ...]
    of_tier: tuple[TierRules | None, ...]
    """What each tier lets through, by its number; None: nothing opens."""
    exit_collars_nanos: tuple[int, ...]
    exit_participations_nanos: tuple[int, ...]
    timeouts_ns: tuple[int, ...]
    """Of an order that opens; nothing may work in EMERGENCY."""
    exit_within_ns: int
    offset_nanos_max: int
    """How far beyond the quote an order that opens is priced at most, whatever the tier."""


def compiled_of(rules: LiquidityRules) -> Compiled | None:
    """None: the policy does not measure liquidity."""
    if not rules.enabled:
        return None
    tiers = (rules.normal, rules.cautious, rules.defensive)
    exits = (*tiers, rules.emergency)
    return Compiled(
        rules,
        edges_of(rules),
        (*tiers, None),
        exit_collars_nanos=tuple(at.exit_collar_nanos for at in exits),
        exit_participations_nanos=tuple(at.exit_participation_nanos for at in exits),
        timeouts_ns=(*(at.timeout_ns for at in tiers), 0),
        exit_within_ns=max(rules.exit_within_ns, rules.emergency.exit_wait_ns),
        offset_nanos_max=max(at.offset_nanos for at in tiers),
    )
