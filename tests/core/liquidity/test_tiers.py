"""The tier machine: total, down at once, up slowly, and no thrash on a noisy score."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from fuseboard.core.liquidity.score import score_of_unknown
from fuseboard.core.liquidity.tiers import BANDS, TABLE, Gauge, band_of, edges_of
from fuseboard.policy.liquidity_rules import LiquidityRules
from fuseboard.vocabulary.liquidity import Tier
from fuseboard.vocabulary.money import NANOS

SECOND, MINUTE = NANOS, 60 * NANOS
RULES = LiquidityRules(enabled=True)
EDGES = edges_of(RULES)
N, C, D, E = Tier.NORMAL, Tier.CAUTIOUS, Tier.DEFENSIVE, Tier.EMERGENCY


def test_the_table_is_total_falls_at_once_and_rises_by_one() -> None:
    assert list(TABLE) == list(Tier)
    for tier, row in TABLE.items():
        assert len(row) == BANDS == len(EDGES) + 1
        assert list(row) == sorted(row, reverse=True), (
            "a better score never leads to a tighter tier"
        )
        assert min(row) == max(tier - 1, N), "up is one tier at a time"
    for band in range(BANDS):
        leads = [TABLE[tier][band] for tier in Tier]
        assert leads == sorted(leads), (
            "a tighter tier never leads to a looser one than its neighbour"
        )


@pytest.mark.parametrize(
    ("tier", "points", "after"),
    [
        (N, 7_000, N), (N, 6_999, C), (N, 4_000, C), (N, 3_999, D), (N, 2_000, D), (N, 1_999, E),
        (C, 8_000, C), (C, 8_001, N), (C, 4_000, C), (C, 3_999, D), (C, 0, E),
        (D, 5_000, D), (D, 5_001, C), (D, 10_000, C), (D, 2_000, D), (D, 1_999, E),
        (E, 3_000, E), (E, 3_001, D), (E, 10_000, D),
    ],
)  # fmt: skip
def test_each_edge_is_where_the_policy_says_with_its_buffer_upward(
    tier: Tier, points: int, after: Tier
) -> None:
    assert TABLE[tier][band_of(points, EDGES)] is after


@pytest.mark.parametrize("buffer", [0, 100, 1_000, 1_900])
def test_each_score_leads_where_the_definition_says_and_an_edge_with_a_buffer_is_left_above_it(
    buffer: int,
) -> None:
    edges = edges_of(replace(RULES, buffer_points=buffer))
    begin = {N: 7_000, C: 4_000, D: 2_000, E: 0}
    for points in range(10_001):
        alone = next(tier for tier in (N, C, D, E) if points >= begin[tier])
        for tier in Tier:
            above = begin[Tier(tier - 1)] + buffer if tier else 0
            rises = points > above if buffer else points >= above
            upward = Tier(tier - 1) if tier and rises else tier
            after = alone if alone > tier else upward
            assert TABLE[tier][band_of(points, edges)] is after, (tier, points)


def test_tiers_that_are_just_the_buffer_apart_are_left_where_the_next_one_begins() -> None:
    edges = edges_of(replace(RULES, cautious_points_min=6_000, normal_points_min=9_000))
    assert list(edges) == sorted(edges)
    assert TABLE[C][band_of(10_000, edges)] is N
    edges = edges_of(replace(RULES, cautious_points_min=6_000))
    led = [TABLE[tier][band_of(7_000, edges)] for tier in (N, C, D, E)]
    assert led == [N, C, C, D]
    assert TABLE[D][band_of(6_999, edges)] is D


@pytest.mark.parametrize("buffer", [0, 100, 1_000])
def test_the_score_of_what_is_unknown_is_the_least_that_leaves_defensive(buffer: int) -> None:
    rules = replace(RULES, buffer_points=buffer)
    edges, score = edges_of(rules), score_of_unknown(rules)
    assert [TABLE[tier][band_of(score, edges)] for tier in Tier] == [C, C, C, D]
    assert TABLE[D][band_of(score - 1, edges)] is D


def test_down_is_at_once_and_up_takes_the_dwell_for_each_tier() -> None:
    gauge = Gauge(N)
    assert gauge.follow(100, EDGES, SECOND, MINUTE)
    assert gauge.tier is E
    seen = [
        (second, gauge.tier)
        for second in range(1, 200)
        if gauge.follow(10_000, EDGES, second * SECOND, MINUTE)
    ]
    assert seen == [(61, D), (121, C), (181, N)]
    assert gauge.changes == 4


def test_one_bad_score_begins_the_dwell_anew() -> None:
    gauge = Gauge(E)
    gauge.follow(10_000, EDGES, SECOND, MINUTE)
    gauge.follow(3_000, EDGES, 60 * SECOND, MINUTE)
    assert not gauge.follow(10_000, EDGES, 62 * SECOND, MINUTE)
    assert not gauge.follow(10_000, EDGES, 121 * SECOND, MINUTE)
    assert gauge.follow(10_000, EDGES, 122 * SECOND, MINUTE)


@given(st.integers(1, 9_000), st.integers(1, 1_000))
def test_every_score_is_in_one_band_and_bands_rise(points: int, more: int) -> None:
    assert 0 <= band_of(points, EDGES) <= band_of(points + more, EDGES) < BANDS
    assert band_of(0, EDGES) == 0
    assert band_of(10_000, EDGES) == BANDS - 1


def changes_in_an_hour(centre: int, noise: int, *, dwell_ns: int, buffer: int) -> int:
    """Ten scores a second around a centre: how often the tier changes."""
    edges = edges_of(replace(RULES, buffer_points=buffer))
    random, gauge = Random(11), Gauge(C)
    for tick in range(36_000):
        points = min(10_000, max(0, centre + random.randrange(-noise, noise + 1)))
        gauge.follow(points, edges, tick * SECOND // 10, dwell_ns)
    return gauge.changes


@pytest.mark.parametrize("centre", [7_000, 4_000, 2_000, 7_500, 5_500])
@pytest.mark.parametrize("noise", [300, 990])
def test_a_noisy_score_at_an_edge_does_not_thrash(centre: int, noise: int) -> None:
    """Noise within the buffer: the tier falls to where it belongs, once each, and stays there."""
    assert changes_in_an_hour(centre, noise, dwell_ns=MINUTE, buffer=1_000) <= 2


def test_without_buffer_and_dwell_the_same_noise_changes_the_tier_thousands_of_times() -> None:
    assert changes_in_an_hour(7_000, 300, dwell_ns=0, buffer=0) > 10_000


def test_any_noise_at_all_is_bounded_by_the_dwell() -> None:
    """Each change up takes a dwell, and each change down needs one up before it, but three."""
    most = 2 * 60 + 3
    assert changes_in_an_hour(5_000, 5_000, dwell_ns=MINUTE, buffer=1_000) <= most
    random, gauge, points = Random(5), Gauge(C), 5_000
    for second in range(3_600):
        if second % 61 == 0:
            points = random.choice((0, 10_000, 10_000))
        gauge.follow(points, EDGES, second * SECOND, MINUTE)
    assert 10 < gauge.changes <= most
