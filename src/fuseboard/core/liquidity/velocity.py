"""Velocity: how many trades there are in ten seconds.

A symbol that usually trades less than `USUAL_TRADES_MIN` times in ten seconds is not measured by
it when calibrated: ten seconds without a trade are then no news. What is usual is the rate of the
last hour, and does not fall because a market stops: where trades are far fewer it stays what it
was, and halves with each day.
"""

from dataclasses import dataclass
from typing import Final

from fuseboard.core.liquidity.depth import ABSENT
from fuseboard.core.liquidity.spread import FULL_POINTS
from fuseboard.policy.liquidity_rules import LiquidityRules
from fuseboard.vocabulary.money import NANOS

BUCKETS: Final = 20
BUCKET_NS: Final = NANOS // 2
WINDOW_NS: Final = BUCKETS * BUCKET_NS
USUAL_BUCKETS: Final = 60
USUAL_BUCKET_NS: Final = 60 * NANOS
USUAL_WARM_NS: Final = 300 * NANOS
"""What is usual is looked for in the last hour, and known after five minutes of it."""
FAR_UNDER: Final = 4
"""Less than a fourth of what is usual says nothing of what is usual now."""
DAY_NS: Final = 24 * USUAL_BUCKETS * USUAL_BUCKET_NS
DAYS_MAX: Final = 64
"""After so many days without trades nothing is left of what was usual."""
USUAL_TRADES_MIN: Final = 20
"""A count of 20 that comes by chance alone strays by 22 %, and trades cluster."""


@dataclass(slots=True)
class Usual:
    """How often a symbol usually trades: so many times in so long; 0 while that is not known."""

    trades: int = 0
    span_ns: int = 1
    found_boot_ns: int = 0

    def traded(self, recent: int, of_hour: int, watched_ns: int, now_ns: int) -> None:
        """Trades were reported: with them `recent` in the window, `of_hour` in the last hour, of
        which `watched_ns` were watched.
        """
        if watched_ns < USUAL_WARM_NS:
            return
        # The present minute of the hour is not full yet: a rate is of no more than is counted.
        counted_ns = (USUAL_BUCKETS - 1) * USUAL_BUCKET_NS + now_ns % USUAL_BUCKET_NS
        watched_ns = min(watched_ns, counted_ns)
        span_ns = self.span_at(now_ns)
        rises = of_hour * span_ns > self.trades * watched_ns
        if rises or FAR_UNDER * recent * span_ns >= self.trades * WINDOW_NS:
            self.trades, self.span_ns, self.found_boot_ns = of_hour, watched_ns, now_ns

    def span_at(self, now_ns: int) -> int:
        """In how long it trades so often: twice as long with each day since that was found."""
        days = (now_ns - self.found_boot_ns) // DAY_NS
        return self.span_ns << min(days, DAYS_MAX)


def points(trades: int, rules: LiquidityRules) -> int:
    """100 at the policy's rate and above; rounded down."""
    found = trades * rules.velocity_scale_window_ns
    full = rules.velocity_scale * WINDOW_NS
    return FULL_POINTS if found >= full else FULL_POINTS * found // full


def calibrated_points(trades: int, usual: Usual, now_ns: int, plain_points: int) -> int:
    """100 at the symbol's own usual rate, where that is below the policy's; rounded down."""
    span_ns = usual.span_at(now_ns)
    full = usual.trades * WINDOW_NS
    if full < USUAL_TRADES_MIN * span_ns:
        return ABSENT
    found = trades * span_ns
    if found >= full:
        return FULL_POINTS
    found = FULL_POINTS * found // full
    if found < plain_points:
        return plain_points
    return found
