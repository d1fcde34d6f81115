"""Velocity looks over ten whole seconds: against a list of all trades, and at any time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuseboard.core.liquidity import velocity
from fuseboard.core.liquidity.depth import ABSENT
from fuseboard.core.liquidity.monitor import Liquidity, new_liquidity
from fuseboard.core.liquidity.tiers import Gauge
from fuseboard.core.liquidity.windows import Recent, recent_of
from fuseboard.policy.liquidity_rules import LiquidityRules
from fuseboard.vocabulary.money import NANOS

SECOND, MILLISECOND, CENT = NANOS, NANOS // 1_000, NANOS // 100
TEN, BUCKET_NS = 10 * SECOND, velocity.BUCKET_NS
RULES = LiquidityRules(enabled=True)
GAPS = st.sampled_from((0, 1, 3 * MILLISECOND, 99 * MILLISECOND)) | st.integers(0, 2 * SECOND)
LONG = st.sampled_from((BUCKET_NS, 9 * SECOND, TEN - 1, TEN, TEN + 1, 11 * SECOND, 3_600 * SECOND))


def window(began_ns: int = 0) -> Recent:
    return recent_of(velocity.BUCKETS, BUCKET_NS, began_ns)


def watched() -> Liquidity:
    at = new_liquidity(0, 0, Gauge())
    at.book(((9_999 * CENT, NANOS),), ((10_001 * CENT, NANOS),), 1, 3_600 * SECOND)
    return at


@given(
    began_ns=st.integers(0, 10**15),
    steps=st.lists(st.tuples(GAPS | LONG, st.integers(0, 30)), max_size=60),
)
def test_the_count_is_off_by_no_more_than_what_lies_within_the_part_of_one_bucket(
    began_ns: int, steps: list[tuple[int, int]]
) -> None:
    recent, trades, now_ns = window(began_ns), [], began_ns
    for step_ns, count in steps:
        now_ns += step_ns
        recent.add(count, now_ns)
        trades += [now_ns] * count
        found, from_ns = recent.within(now_ns), now_ns - TEN + 1
        exact = sum(at >= from_ns for at in trades)
        number = (now_ns - TEN) // BUCKET_NS
        oldest = [at for at in trades if at // BUCKET_NS == number]
        gone, left = [at for at in oldest if at < from_ns], [at for at in oldest if at >= from_ns]
        whole = exact - len(left)
        assert whole <= found <= whole + len(oldest)
        if not gone or not left:
            assert found == exact, "what is all within or all without is known"
        else:
            assert found > whole, "the last one is within"


@pytest.mark.parametrize(
    ("count", "every_ns"),
    [(1, 100 * MILLISECOND), (5, 500 * MILLISECOND), (10, SECOND), (20, 2 * SECOND), (100, TEN)],
)
@pytest.mark.parametrize("phase_ns", [0, 1, 33 * MILLISECOND, 99_999_999])
def test_steady_trades_of_ten_a_second_score_everything_at_each_instant(
    count: int, every_ns: int, phase_ns: int
) -> None:
    recent, due_ns = window(), phase_ns
    for now_ns in range(phase_ns, 24 * SECOND, 7_654_321):
        while due_ns <= now_ns:
            recent.add(count, due_ns)
            due_ns += every_ns
        if now_ns >= phase_ns + TEN - every_ns:
            assert recent.within(now_ns) == 100, now_ns
            assert velocity.points(recent.within(now_ns), RULES) == 10_000


def test_a_trade_counts_for_ten_seconds_to_the_nanosecond_and_no_longer() -> None:
    recent, at_ns = window(), 12_345_678_901
    recent.add(3, at_ns)
    assert [recent.within(at_ns + later) for later in (0, TEN - 1, TEN)] == [3, 3, 0]


def test_what_lies_within_the_oldest_half_second_is_thought_evenly_spread_and_rounded_down() -> (
    None
):
    """Ten trades, the first at 0 ms, the last at 450: of eight between, as many as surely fit."""
    recent = window()
    for at_ms in (0, 300, 310, 320, 330, 340, 350, 360, 370, 450):
        recent.add(1, at_ms * MILLISECOND)
    within = [recent.within(TEN + at_ms * MILLISECOND - 1) for at_ms in (0, 1, 50, 51, 450)]
    assert within == [10, 9, 9, 8, 1]
    assert recent.within(TEN + 450 * MILLISECOND) == 0


def test_velocity_is_unknown_for_ten_seconds_and_then_of_ten_that_were_all_watched() -> None:
    at = watched()
    for tenth in range(100):
        at.traded(1, tenth * 100 * MILLISECOND + 1)
    at.judge(RULES, TEN - 1)
    assert at.points.velocity == ABSENT
    at.judge(RULES, TEN)
    assert at.points.velocity == 10_000
    at.judge(RULES, TEN + 50 * MILLISECOND)
    assert at.points.velocity == 9_900, "the first of all is ten seconds old"


def test_what_is_usual_is_never_less_than_what_steady_trades_are() -> None:
    """A rate of an hour is of as much of it as is counted: the hour's last minute is not over."""
    at = watched()
    for number in range(1, 1_000):
        at.traded(45, number * 9 * SECOND)
        if number * 9 * SECOND >= velocity.USUAL_WARM_NS:
            rate = at.usual.trades * 9 * SECOND
            assert 0 <= rate - 45 * at.usual.span_ns <= 45 * 9 * SECOND, number


def test_no_trades_that_are_told_are_none() -> None:
    recent = window()
    recent.add(0, 1)
    recent.add(2, 100 * MILLISECOND)
    recent.add(0, 400 * MILLISECOND)
    assert recent.within(TEN + 99 * MILLISECOND) == 2
    assert recent.within(TEN + 100 * MILLISECOND) == 0
