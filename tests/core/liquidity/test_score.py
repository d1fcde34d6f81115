"""The score is exactly its definition in fractions; each component says what it should."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from fuseboard.core.liquidity.depth import ABSENT
from fuseboard.core.liquidity.impact import points as impact_points
from fuseboard.core.liquidity.monitor import (
    NO_SIZES,
    NO_SPREAD,
    NO_TRADES,
    Liquidity,
    new_liquidity,
)
from fuseboard.core.liquidity.tiers import Gauge
from fuseboard.core.liquidity.velocity import DAY_NS, Usual
from fuseboard.core.liquidity.volatility import root
from fuseboard.policy.liquidity_rules import LiquidityRules
from fuseboard.vocabulary.money import NANOS
from tests.core.liquidity.reference import Reference

SECOND, CENT, STALE_NS = NANOS, NANOS // 100, 120 * NANOS
RULES = LiquidityRules(enabled=True)
Side = tuple[tuple[int, int], ...]
PAGE = Path(__file__).resolve().parents[3] / "docs" / "liquidity.md"


def watched(lacks: int = 0, began_ns: int = SECOND) -> Liquidity:
    return new_liquidity(began_ns, lacks, Gauge())


def quoted(
    at: Liquidity, now_ns: int, bid: int = 9_999, ask: int = 10_001, size: int = 100
) -> Liquidity:
    """Prices in cents, sizes in shares."""
    at.book(((bid * CENT, size * NANOS),), ((ask * CENT, size * NANOS),), now_ns, STALE_NS)
    at.judge(RULES, now_ns)
    return at


def warmed(lacks: int = 0, trades: int = 100) -> tuple[Liquidity, int]:
    """Six minutes of a steady market: a quote a second, so many trades in ten seconds."""
    key = lacks, trades
    if key not in _WARMED:
        _WARMED[key] = _warm(lacks, trades)
    at, now_ns = _WARMED[key]
    return deepcopy(at), now_ns


_WARMED: dict[tuple[int, int], tuple[Liquidity, int]] = {}


def _warm(lacks: int, trades: int) -> tuple[Liquidity, int]:
    at, now_ns = watched(lacks=lacks), SECOND
    for second in range(360):
        now_ns = (second + 1) * SECOND
        if trades and second % 10 < 5:
            at.traded(trades // 5, now_ns)
        quoted(at, now_ns)
    return at, now_ns


# --- exactness -----------------------------------------------------------------------------------

STEPS = st.sampled_from((0, 1, 7 * SECOND // 10, SECOND, 3 * SECOND, 9 * SECOND, 10 * SECOND))
LONG = st.sampled_from((31 * SECOND, 119 * SECOND, 121 * SECOND, 295 * SECOND, 900 * SECOND))
SIZES = st.sampled_from((1, NANOS, 100 * NANOS, 1_000 * NANOS, 0))


def side(sign: int) -> st.SearchStrategy[Side]:
    """A side of up to ten levels around 100, usually in order."""
    level = st.tuples(st.sampled_from((0, 1, 1, 3, 20, 300)), SIZES)

    def placed(gaps: list[tuple[int, int]]) -> Side:
        price, levels = 10_000, []
        for gap, size in gaps:
            price += sign * gap
            levels.append((price * CENT, size))
        return tuple(levels)

    return st.lists(level, min_size=1, max_size=10).map(placed)


RULES_DRAWN = st.sampled_from(
    (
        RULES,
        replace(
            RULES,
            spread_weight_nanos=NANOS * 7 // 10,
            depth_weight_nanos=NANOS // 10,
            velocity_weight_nanos=NANOS // 10,
            impact_weight_nanos=NANOS // 10,
            spread_scale_nanos=NANOS // 100,
            impact_scale_nanos=NANOS // 333,
            depth_scale_nanos=3 * NANOS,
            velocity_scale=7,
            velocity_scale_window_ns=3 * SECOND,
            calibrated=False,
        ),
    )
)


@settings(max_examples=40, deadline=None)
@given(
    data=st.data(),
    rules=RULES_DRAWN,
    lacks=st.sampled_from((0, 0, 0, NO_SIZES, NO_TRADES, 3, 4, 5, 7)),
)
def test_the_score_is_exactly_its_definition(data: Any, rules: LiquidityRules, lacks: int) -> None:
    now_ns = data.draw(st.integers(0, 10**6)) * 10**7
    stale_ns = data.draw(st.sampled_from((STALE_NS, STALE_NS, 1_000 * SECOND)))
    at = watched(lacks=lacks, began_ns=now_ns)
    gives = {"sizes": NO_SIZES, "trades": NO_TRADES, "spread": NO_SPREAD}
    by = Reference(rules, now_ns, **{name: not lacks & bit for name, bit in gives.items()})
    usual = (10_000 * CENT - CENT, 100 * NANOS), (10_000 * CENT + CENT, 100 * NANOS)
    if data.draw(st.booleans()):  # a past that is long enough for averages
        for second in range(0, 300, 3):
            at.book(usual[:1], usual[1:], now_ns, stale_ns)
            by.book(usual[:1], usual[1:], now_ns, stale_ns)
            at.traded(second % 4, now_ns)
            by.traded(second % 4, now_ns)
            now_ns += 3 * SECOND
    for _ in range(data.draw(st.integers(1, 12))):
        now_ns += data.draw(STEPS | STEPS | LONG)
        if data.draw(st.booleans()):
            count = data.draw(st.sampled_from((1, 2, 50)))
            at.traded(count, now_ns)
            by.traded(count, now_ns)
        else:
            bids, asks = data.draw(side(-1)), data.draw(side(1))
            at.book(bids, asks, now_ns, stale_ns)
            by.book(bids, asks, now_ns, stale_ns)
        at.judge(rules, now_ns)
        assert (at.plain, at.calibrated) == by.scores(now_ns)
        assert at.score == (at.calibrated if rules.calibrated else at.plain)


# --- what each component says --------------------------------------------------------------------


def test_a_steady_market_scores_by_the_scales_of_the_policy() -> None:
    at, _ = warmed()
    # spread 2 bps of 5 %: 99.60; depth at its average: 50; 10 trades a second: 100; impact 1 bp.
    assert (at.points.spread, at.points.depth, at.points.velocity) == (9_960, 5_000, 10_000)
    assert at.points.impact == 9_990
    assert at.plain == (3 * 9_960 + 3 * 5_000 + 2 * 10_000 + 2 * 9_990) // 10
    assert at.calibrated == (3 * 9_960 + 3 * 10_000 + 2 * 10_000 + 2 * 9_990) // 10


def test_depth_is_unknown_and_never_one_until_four_minutes_of_five_were_seen() -> None:
    at = watched()
    for second in range(1, 241):
        quoted(at, second * SECOND)
        assert at.points.depth == ABSENT
        assert "depth" in at.points.absent()
    quoted(at, 241 * SECOND)
    assert at.points.depth == 5_000


def test_what_is_shown_ceases_to_stand_when_its_book_is_usable_no_more() -> None:
    at = watched()
    for second in range(1, 201):
        quoted(at, second * SECOND)
    quoted(at, 201 * SECOND, bid=10_002)
    quoted(at, 261 * SECOND)
    assert at.points.depth == ABSENT, "a crossed book of 60 s is no depth"


def test_what_is_usual_is_of_an_hour_at_most() -> None:
    at, now_ns = watched(), SECOND
    for second in range(0, 3 * 3_600, 10):
        now_ns = (second + 1) * SECOND
        at.traded(50, now_ns)
    at.traded(0, now_ns)
    quoted(at, now_ns + 10 * SECOND)
    at.traded(25, now_ns + 10 * SECOND)
    quoted(at, now_ns + 10 * SECOND)
    assert at.points.velocity == 2_500
    velocity = (7 * at.calibrated - 3 * at.points.spread - 2 * at.points.impact) // 2
    assert 4_950 <= velocity <= 5_000, "half of what is usual"


def test_depth_above_its_average_counts_only_as_far_as_trades_confirm_it() -> None:
    at, now_ns = warmed()
    quoted(at, now_ns, size=1_000)
    traded_points = at.points.depth
    quiet, now_ns = warmed(trades=0)
    quoted(quiet, now_ns, size=1_000)
    assert traded_points == 10_000
    assert quiet.points.depth == 5_000


def test_a_symbol_that_is_usually_quiet_is_not_in_a_crisis_by_the_calibrated_score() -> None:
    at, _ = warmed(trades=0)
    assert at.points.velocity == 0
    assert at.plain < 7_000 < 8_500 < at.calibrated


def test_a_busy_symbol_that_falls_silent_loses_by_both_scores() -> None:
    at, now_ns = warmed()
    before = at.plain, at.calibrated
    quoted(at, now_ns + 12 * SECOND)
    assert at.points.velocity == 0
    assert at.plain < before[0]
    assert at.calibrated < before[1] - 2_000


@pytest.mark.parametrize("trickle", [0, 1])
def test_a_market_that_stops_trading_does_not_become_usual_by_that(trickle: int) -> None:
    """An hour without trades, or with few, and what was usual before is what they are judged by."""
    at, now_ns = warmed()
    quoted(at, now_ns + 12 * SECOND)
    stopped = at.calibrated
    for second in range(12, 2 * 3_600, 10):
        at.traded(trickle, now_ns + second * SECOND)
        quoted(at, now_ns + second * SECOND)
        assert at.calibrated <= stopped + 100, second
    at.traded(trickle, now_ns + 4 * DAY_NS)
    quoted(at, now_ns + 4 * DAY_NS)
    assert at.calibrated > stopped + 2_000, "that is days ago"


def test_a_market_that_trades_less_is_judged_by_that_after_an_hour() -> None:
    at, now_ns = warmed(trades=100)
    for second in range(0, 2 * 3_600, 10):
        at.traded(30, now_ns + second * SECOND)
        quoted(at, now_ns + second * SECOND)
        if second == 60:
            dull = at.calibrated
    assert at.calibrated > dull + 1_000
    assert at.points.velocity == 3_000


def test_the_rest_of_the_reference_order_is_priced_and_not_ignored() -> None:
    def points(*levels: tuple[int, int]) -> int:
        shown = tuple((price * CENT, size * NANOS) for price, size in levels)
        plenty = ((9_999 * CENT, 1_000 * NANOS),)
        return impact_points(plenty, shown, 2 * 10_000 * CENT, 2 * CENT, RULES)

    # 10,000 USD at 100: 100 shares. All at 100.01 is 1 bp of 10 %.
    assert points((10_001, 100)) == 9_990
    assert points((10_001, 50), (10_101, 50)) == 10_000 - (1 + 101) // 2 * 10
    # 50 shares shown: the other 50 are thought a spread further on; 1 share: up to 2.00 away.
    assert points((10_001, 50)) == 10_000 - 10 * (1 + 3) // 2
    assert points((10_001, 1)) == 10_000 - 1_000
    assert points((10_001, 10), (10_900, 10)) == 0


def test_what_is_one_sided_empty_crossed_disordered_or_stale_scores_nothing() -> None:
    fair = ((9_999 * CENT, NANOS),), ((10_001 * CENT, NANOS),)
    broken: tuple[tuple[Side, Side], ...] = (
        ((), fair[1]),
        (fair[0], ()),
        ((), ()),
        (((0, NANOS),), fair[1]),
        (((9_999 * CENT, 0),), fair[1]),
        (((10_002 * CENT, NANOS),), fair[1]),
        ((*fair[0], (10_000 * CENT, NANOS)), fair[1]),
        (fair[0] * 11, fair[1]),
    )
    for bids, asks in broken:
        at, now_ns = warmed()
        at.book(bids, asks, now_ns, STALE_NS)
        at.judge(RULES, now_ns)
        assert (at.score, at.plain, at.calibrated) == (0, 0, 0), (bids, asks)
    at, now_ns = warmed()
    at.judge(RULES, now_ns + STALE_NS)
    assert at.score > 0
    at.judge(RULES, now_ns + STALE_NS + 1)
    assert at.score == 0


def test_a_locked_book_is_a_usable_one() -> None:
    at, now_ns = warmed()
    quoted(at, now_ns, bid=10_000, ask=10_000)
    assert at.points.spread == 10_000
    assert at.score > 9_000


def test_the_example_of_the_page_comes_to_what_the_page_says() -> None:
    at = watched()
    for second in range(600):
        if second >= 590:
            at.traded(4, (second + 1) * SECOND)
        else:
            at.traded(6, (second + 1) * SECOND)
        quoted(at, (second + 1) * SECOND, 24_990, 25_010, size=50)
    at.usual = Usual(60, 10 * SECOND)
    now_ns = 600 * SECOND
    at.book(((24_990 * CENT, 30 * NANOS),), ((25_010 * CENT, 20 * NANOS),), now_ns, STALE_NS)
    at.began_boot_ns = 0
    at.judge(RULES, now_ns)
    points = at.points
    assert (points.spread, points.depth, points.velocity, points.impact) == (
        9_840,
        2_500,
        4_000,
        9_920,
    )
    assert (at.plain, at.calibrated) == (6_486, 7_769)
    _, _, example = PAGE.read_text().partition("### An example")
    for said in ("98.40", "plain 25;", "plain 40;", "99.20", "**64.86**", "**77.69**"):
        assert said in example, said


# --- properties ----------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    half=st.integers(0, 400),
    wider=st.integers(1, 400),
    size=st.integers(1, 2_000),
    less=st.integers(0, 1_999),
    lacks=st.sampled_from((0, NO_SIZES, NO_TRADES, 3)),
)
def test_a_wider_spread_or_a_smaller_size_never_raises_a_score(
    half: int, wider: int, size: int, less: int, lacks: int
) -> None:
    calm, now_ns = warmed(lacks, trades=50)
    worse, _ = warmed(lacks, trades=50)
    quoted(calm, now_ns, 10_000 - half, 10_000 + half, size)
    quoted(worse, now_ns, 10_000 - half - wider, 10_000 + half + wider, max(1, size - less))
    assert worse.plain <= calm.plain
    assert worse.calibrated <= calm.calibrated
    assert worse.points.spread < calm.points.spread or not worse.points.spread


@settings(max_examples=30, deadline=None)
@given(lacks=st.sampled_from((NO_SIZES, NO_TRADES, 3)), size=st.integers(0, 3), trades=st.just(0))
def test_what_a_feed_does_not_give_is_never_read_as_a_crisis(
    lacks: int, size: int, trades: int
) -> None:
    """Without sizes, or with a sample of trades, a narrow market is as good as with all of it."""
    at, now_ns = warmed(lacks, trades)
    if lacks & NO_SIZES:
        quoted(at, now_ns, size=size)
    full, _ = warmed()
    assert at.calibrated >= 9_000
    assert at.calibrated >= full.calibrated - 1_000
    gone = {"depth", "impact"} if lacks & NO_SIZES else set()
    gone |= {"velocity"} if lacks & NO_TRADES else set()
    assert set(at.points.absent()) == gone


@given(st.integers(0, 10**24))
def test_a_root_is_rounded_up(square: int) -> None:
    found = root(square)
    assert found * found >= square
    assert found == 0 or (found - 1) * (found - 1) < square


def test_what_is_reported_beside_the_score_is_right() -> None:
    at = watched()
    at.book(((9_900 * CENT, 300),), ((10_100 * CENT, 100),), SECOND, STALE_NS)
    assert at.spread_nanos() == NANOS // 50
    assert at.imbalance_nanos() == NANOS // 2
    at.book(((9_999 * CENT, 1),), ((10_201 * CENT, 1),), 2 * SECOND, STALE_NS)
    assert at.volatility_nanos(2 * SECOND) == NANOS // 100
    assert at.volatility_nanos(70 * SECOND) == 0


def test_a_silence_of_any_length_is_passed_over_at_once() -> None:
    """A walk over each bucket of thirty years would take for ever."""
    at, now_ns = warmed()
    now_ns += 30 * 366 * 24 * 3_600 * SECOND
    quoted(at, now_ns)
    at.traded(1, now_ns)
    at.judge(RULES, now_ns)
    assert at.points.depth == ABSENT
    assert (at.trades.within(now_ns), at.of_hour.total) == (1, 1)


def test_memory_is_bounded_whatever_goes_through() -> None:
    at, _ = warmed()

    def lengths() -> list[int]:
        of, hour = at.trades, at.of_hour.buckets
        kept = at.depths.areas, of.count.buckets, of.firsts_ns, of.lasts_ns, hour, at.moves.buckets
        return [len(each) for each in kept]

    assert lengths() == [30, 21, 21, 21, 60, 30]
    for second in range(400, 5_000, 7):
        at.traded(3, second * SECOND)
        quoted(at, second * SECOND)
    assert lengths() == [30, 21, 21, 21, 60, 30]
