"""What is shown and nobody trades with: it lifts nothing above what usually stands there."""

from copy import deepcopy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from fuseboard.core.liquidity.depth import seldom_confirmed
from fuseboard.core.liquidity.monitor import NO_SPREAD, NO_TRADES, Liquidity
from fuseboard.core.liquidity.tiers import edges_of
from fuseboard.policy.liquidity_rules import LiquidityRules
from fuseboard.vocabulary.liquidity import Tier
from tests.core.liquidity.test_score import CENT, RULES, SECOND, STALE_NS, quoted, warmed

QUIET = ((0, 0), (NO_TRADES, 0), (0, 10))
"""What a feed lacks, and how many trades there are in ten seconds."""


def passed(at: Liquidity, now_ns: int, seconds: int, size: int, trades: int = 0) -> int:
    """So many seconds of a quote each, and so many trades in ten of them; when they are over."""
    for second in range(seconds):
        now_ns += SECOND
        if trades and not second % 10:
            at.traded(trades, now_ns)
        quoted(at, now_ns, size=size)
    return now_ns


@settings(max_examples=40, deadline=None)
@given(
    market=st.sampled_from(QUIET),
    calibrated=st.booleans(),
    half=st.integers(1, 120),
    usual=st.sampled_from((1, 5, 100)),
    added=st.lists(st.sampled_from((0, 0, 1, 30, 1_000, 100_000)), min_size=1, max_size=18),
)
def test_depth_that_no_trade_confirms_never_raises_a_tier_above_where_the_usual_depth_has_it(
    market: tuple[int, int], calibrated: bool, half: int, usual: int, added: list[int]
) -> None:
    """For as long as the usual depth is in what the average of five minutes remembers whole."""
    lacks, trades = market
    rules = replace(RULES, calibrated=calibrated)
    fair, now_ns = warmed(lacks, trades)
    fair.depths.areas = [area * usual // 100 for area in fair.depths.areas]
    fair.depths.area = sum(fair.depths.areas)
    fair.depths.value = fair.depths.value * usual // 100
    fair.depths.least_at = -1
    spoofed = deepcopy(fair)
    edges = edges_of(rules)
    for more in added:
        now_ns += 10 * SECOND
        for at, size in ((fair, usual), (spoofed, usual + more)):
            quoted_by(at, rules, now_ns, half, size)
            at.gauge.follow(at.score, edges, now_ns, rules.dwell_ns)
        assert spoofed.score <= fair.score, more
        assert spoofed.gauge.tier >= fair.gauge.tier


def quoted_by(at: Liquidity, rules: LiquidityRules, now_ns: int, half: int, size: int) -> None:
    bids = (((10_000 - half) * CENT, size * SECOND),)
    asks = (((10_000 + half) * CENT, size * SECOND),)
    at.book(bids, asks, now_ns, STALE_NS)
    at.judge(rules, now_ns)


@pytest.mark.parametrize(("lacks", "trades"), QUIET[:2])
def test_depth_that_comes_back_lifts_nobody_before_trades_confirm_it(
    lacks: int, trades: int
) -> None:
    """It fell for two minutes; shown again it counts for half, and stood it is the usual one."""
    at, now_ns = warmed(lacks, trades)
    healthy = at.calibrated
    now_ns = passed(at, now_ns, 120, size=10)
    fallen = at.calibrated
    now_ns = passed(at, now_ns, 70, size=100)
    assert fallen < at.calibrated < healthy - 900, "a fourth of depth, three eighths of the score"
    now_ns = passed(at, now_ns, 300, size=100)
    assert at.calibrated == healthy


def test_trades_that_are_heard_confirm_depth_that_came_back_and_half_at_most() -> None:
    found = {}
    for trades in (0, 10, 19):
        at, now_ns = warmed(NO_SPREAD, trades=10)
        now_ns = passed(at, now_ns, 120, size=10, trades=10)
        now_ns = passed(at, now_ns, 60, size=100)
        at.traded(trades, now_ns)
        at.judge(RULES, now_ns)
        found[trades] = at.calibrated
    assert found[0] < found[10] < found[19]
    assert seldom_confirmed(10_000, 2_000, 10_000) == seldom_confirmed(10_000, 10_000, 0) == 7_500


def test_sizes_that_flicker_within_a_minute_are_the_usual_ones() -> None:
    """A quiet healthy market whose sizes change with each quote is what it was."""
    at, now_ns = warmed(trades=0)
    for second in range(600):
        now_ns = passed(at, now_ns, 1, size=(60, 140, 100, 80, 120)[second % 5])
        at.gauge.follow(at.score, edges_of(RULES), now_ns, RULES.dwell_ns)
    assert at.gauge.tier is Tier.NORMAL
    now_ns = passed(at, now_ns, 1, size=140)
    assert at.calibrated >= 8_900


def test_an_order_is_walked_through_what_usually_stands_and_through_more_where_trades_confirm() -> (
    None
):
    """10,000 USD are 100 shares: of ten usually shown a hundred times the size changes nothing."""
    thin, now_ns = warmed(trades=0)
    now_ns = passed(thin, now_ns, 300, size=10)
    costly = thin.points.impact
    quoted(thin, now_ns, size=1_000)
    assert thin.points.impact == costly < 9_990
    thin.traded(50, now_ns)
    thin.judge(RULES, now_ns)
    assert costly < thin.points.impact
    thin.traded(50, now_ns)
    thin.judge(RULES, now_ns)
    assert thin.points.impact == 9_990
