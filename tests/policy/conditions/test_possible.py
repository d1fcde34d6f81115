"""A comparison that can never, or always, hold is refused wherever a policy has a condition."""

from fractions import Fraction
from random import Random

import pytest

from fuseboard.core.measures.courses import Course
from fuseboard.core.measures.scores import ERRORS_MAX, FULL_SCORE, LOSSES_MAX, Score
from fuseboard.core.measures.values import VALUES
from fuseboard.policy.conditions import (
    ConditionRefused,
    Verdict,
    check_possible,
    condition_from_text,
)
from fuseboard.policy.loader import policy_from_yaml
from fuseboard.policy.yaml_text import PolicyRefused
from fuseboard.vocabulary.catalogue import MEASURES, SCALE
from fuseboard.vocabulary.liquidity import Tier
from fuseboard.vocabulary.measured import Value, whole_value
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.ranges import AT_REST, RANGES, UNTIL_ALL_IS_LOST, Range, shown_range
from tests.policy.conditions.exact import fraction_of
from tests.policy.conditions.generated import text_for, value_for, value_of_fraction


def refusal(text: str) -> str:
    """What is said of a text, with the column where it stands; empty when it may go both ways."""
    condition = condition_from_text(text, order=True)
    try:
        check_possible(condition.tree)
    except ConditionRefused as refused:
        return f"{refused.offset} {refused}"
    return ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "daily_pnl < -3",
            "0 `daily_pnl < -3` holds only where more than all is lost; `-3` is -300%: for a",
        ),
        (
            "vix > 30 or drawdown>5",
            "12 `drawdown > 5` holds only where more than all is lost; `5` is 500%: for a percent",
        ),
        ("20 < reject_rate", "0 `20 < reject_rate` can never hold: `reject_rate` is 0% to 100%;"),
        ("spread < 500", "0 `spread < 500` always holds: `spread` is 0% to 200%; `500` is 50000%"),
        (
            "vix > 9 and not mtd_return >= -5",
            "16 `monthly_pnl >= -5` fails only where more than all is lost",
        ),
        ("consecutive_losses >= 200", "0 `consecutive_losses >= 200` can never hold: `con"),
        ("fill_quality < 0", "0 `fill_quality < 0` can never hold: `fill_quality` is 0 to 100"),
        ("order_value < 0", "0 `order_value < 0` can never hold: `order_value` is 0 or more"),
        ("weekly_pnl < -2", "0 `weekly_pnl < -2` holds only where more"),
        ("drawdown >= 1", "0 `drawdown >= 1` holds only where more"),
        ("drawdown < 0", "0 `drawdown < 0` can never hold: `drawdown` is 0% or more"),
        (
            "drawdown >= 150",
            "0 `drawdown >= 150` holds only where more than all is lost; `150` is 1",
        ),
        ("daily_pnl <= -1", "0 `daily_pnl <= -1` holds only where more"),
        ("rolling_drawdown == 8", "0 `rolling_drawdown == 8` holds only where more"),
        ("rolling_drawdown != 8", "0 `rolling_drawdown != 8` fails only where more"),
        ("0 < spread < 5", "4 `spread < 5` always holds"),
        (
            "-drawdown < -5",
            "0 `-drawdown < -5` holds only where more than all is lost; `-5` is -500%: for a",
        ),
        (
            "drawdown * 100 > 500",
            "0 `drawdown * 100 > 500` holds only where more than all is lost; `500`",
        ),
        ("max(drawdown, rolling_drawdown) > 8", "0 `max(drawdown, rolling_drawdown) > 8` holds"),
        ("min(vix, fill_quality) > 101", "0 `min(vix, fill_quality) > 101` can never hold"),
        ("abs(daily_pnl) < 0", "0 `abs(daily_pnl) < 0` can never hold"),
        ("drawdown > 1% and 1 < 2", "18 `1 < 2` always holds"),
        ("order_size * order_price < 0", "0 `order_size * order_price < 0` can never hold"),
    ],
)
def test_a_comparison_that_cannot_go_both_ways_is_a_mistake(text: str, said: str) -> None:
    assert refusal(text).startswith(said)


@pytest.mark.parametrize(
    "text",
    [
        "abs(order_price - last_price) / last_price < 0.05",
        "price > 1.0",
        "price > 0",
        "order_size < avg_daily_volume * 0.01",
        "mtd_return < -0.05",
        "vix > 30",
        "daily_pnl < -0.03",
        "daily_pnl <= -99.9%",
        "daily_pnl > 3",
        "daily_pnl < -100%",
        "daily_pnl <= -300%",
        "drawdown >= 100%",
        "drawdown > 450%",
        "rolling_drawdown != 800%",
        "1 - drawdown < 0",
        "drawdown > 0",
        "drawdown <= 0",
        "drawdown >= 99.9%",
        "fill_quality < 80",
        "fill_quality >= 100",
        "consecutive_losses >= 100",
        "max_divergence > 100%",
        "max_divergence > 1.5",
        "reject_rate >= 100%",
        "reject_rate >= 0.999",
        "gross_exposure > 1",
        "net_exposure < -1",
        "leverage >= 1",
        "maintenance_margin < 1",
        "vix > 0.5",
        "sharpe < 0.5",
        "fill_quality > 1.5",
        "fill_quality < 100 * 0.8",
        "liquidity_score > 0",
        "liquidity_score == 0.5",
        "abs(order_price - last_price) / last_price < 1",
        "sharpe < -1",
        "maintenance_margin < 1.25",
        "leverage > 2",
        "net_exposure < -0.5",
        "cash < -50000",
        "0 < spread < 1%",
        "data_age < 2h",
        "liquidity_tier >= 3",
        "abs(daily_pnl) > 3",
        "min(drawdown, daily_pnl) > 3%",
        "drawdown / spread > 5",
        "order_value <= max_order_value",
    ],
)
def test_what_may_hold_and_may_fail_is_taken(text: str) -> None:
    assert refusal(text) == ""


def within(random: Random, name: str, ranges: dict[str, Range]) -> Value:
    """A value of a measure, often at an end of its range."""
    scale = SCALE[MEASURES[name].unit]
    ends = [None if end is None else Fraction(end, scale) for end in ranges.get(name, (None, None))]
    least, most = ends
    number = fraction_of(name, value_for(random, name) or whole_value(name, 0) or 0)
    if random.random() < 0.3:
        number = random.choice([end for end in (least, most, Fraction()) if end is not None])
    number = number if least is None else max(least, number)
    return value_of_fraction(name, number if most is None else min(most, number))


@pytest.mark.no_cover
def test_what_is_refused_never_goes_the_other_way() -> None:
    random = Random("possible")
    judged = 0
    for _ in range(900):
        text = text_for(random)
        try:
            condition = condition_from_text(text, order=True)
        except ConditionRefused:
            continue
        try:
            check_possible(condition.tree)
        except ConditionRefused as refused:
            if ": write `" in str(refused):
                continue  # it may go both ways: the unit is asked for
            part = str(refused).split("`")[1]
            always = any(words in str(refused) for words in ("always holds", "fails only where"))
            more_lost = "only where more than all is lost" in str(refused)
            ranges = UNTIL_ALL_IS_LOST if more_lost else RANGES
            if not any(name in part for name in MEASURES):
                continue  # two numbers
            alone = condition_from_text(part, order=True)
            wrong = Verdict.FAILS if always else Verdict.HOLDS
            for _ in range(10):
                values = [within(random, name, ranges) for name in alone.names]
                judged += 1
                assert alone.judge(values) is not wrong, (part, values)
    assert judged > 500


def test_the_ranges_are_those_of_what_is_counted() -> None:
    assert RANGES["consecutive_losses"] == (0, LOSSES_MAX)
    assert RANGES["error_count_1h"] == (0, ERRORS_MAX)
    assert RANGES["fill_quality"] == (0, FULL_SCORE * NANOS)
    assert RANGES["liquidity_tier"] == (0, max(tier.value for tier in Tier))
    for name, (least, most) in RANGES.items():
        scale = SCALE[MEASURES[name].unit]
        assert least is not None
        assert most is None or scale <= most
        assert shown_range(name)


def test_a_young_account_is_at_rest() -> None:
    assert AT_REST.keys() <= VALUES.keys()
    score = Score()
    course = Course(day_open_attos=1, week_open_attos=1, month_open_attos=1, peak_attos=1)
    assert whole_value("fill_quality", AT_REST["fill_quality"]) == score.fill_points_nanos()
    assert whole_value("reject_rate", AT_REST["reject_rate"]) == score.rejects()
    assert whole_value("sharpe", AT_REST["sharpe"]) == course.sharpe_half_nanos()


SCORE = "a score is 0 to 100, and this is"
SHARE = "write `1%` or `100%`"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("fill_quality < 0.8", f"0 `fill_quality < 0.8`: {SCORE} 0.8 of 100: write `80`"),
        ("vix > 3 or 0.30 >= liquidity_score", f"{SCORE} 0.3 of 100: write `30`"),
        ("liquidity_score <= 1", f"{SCORE} 1 of 100: write `100`"),
        ("fill_quality < 0.000000001", f"{SCORE} 0.000000001 of 100: write `0.0000001`"),
        ("spread < 1", f"0 `spread < 1`: `1` is 100%: {SHARE}"),
        ("max_divergence > 1.0", f"`1` is 100%: {SHARE}"),
        ("reject_rate >= 1", f"`1` is 100%: {SHARE}"),
        ("daily_pnl > 1", f"`1` is 100%: {SHARE}"),
    ],
)
def test_a_bare_number_that_reads_well_in_two_units_is_asked_for_its_unit(
    text: str, said: str
) -> None:
    assert said in refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        "safety: {circuit_breakers: [{name: b, condition: drawdown > 5, action: halt}]}",
        "safety: {pre_trade_checks: {checks: [{name: b, condition: spread < 5}]}}",
        "risk: {dynamic_limits: [{condition: mtd_return < -5, action: {max_position: 2%}}]}",
        "alerting: {rules: [{name: b, condition: daily_pnl < -1.5}]}",
    ],
)
def test_it_is_refused_wherever_a_condition_stands(text: str) -> None:
    with pytest.raises(PolicyRefused) as refused:
        policy_from_yaml(text, "p")
    (problem,) = refused.value.problems
    assert problem.place.column == text.index("condition") + len("condition: ") + 1
    assert "for a percent write" in problem.what
