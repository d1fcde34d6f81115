"""A breaker that could never do its work is refused where it stands."""

import pytest
from msgspec.structs import replace

from fuseboard.core.measures.values import VALUES
from fuseboard.policy.loader import policy_from_yaml
from fuseboard.policy.policy import Policy
from fuseboard.policy.yaml_text import PolicyRefused
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.catalogue import MEASURES, Place
from fuseboard.vocabulary.money import NANOS
from tests.core.test_breakers import BreakerDesk, breaker

HEAD = """\
strategies: [{name: alpha, capital: 500000 USD}]
risk: {limits: {order_rate: 20/s, message_rate: 30/s}}
safety:
  circuit_breakers:
    - name: b
"""
EACH = ("strategy:*", "symbol:*")
KINDS = ("account", "strategy:alpha", "symbol:AAPL")


def read(condition: str, scope: str = "account", action: str = "halt") -> Policy:
    text = f"{HEAD}      condition: {condition}\n      scope: {scope}\n      action: {action}\n"
    return policy_from_yaml(f"{text}liquidity: {{enabled: true}}\n", "p")


def refusal(condition: str, scope: str = "account", action: str = "halt") -> str:
    with pytest.raises(PolicyRefused) as refused:
        read(condition, scope, action)
    (problem,) = refused.value.problems
    return f"{problem.place.line}:{problem.place.column} {problem.what}"


@pytest.mark.parametrize("scope", KINDS)
@pytest.mark.parametrize("name", VALUES)
def test_a_measure_is_known_exactly_on_the_scopes_it_declares(name: str, scope: str) -> None:
    rules = (
        breaker("messages > 1"),
        replace(breaker("drawdown > 50% or order_rate > 99", scope="symbol:AAPL"), name="c"),
    )
    desk = BreakerDesk(*rules, held=1_000, measures_liquidity=True)
    desk.quote("AAPL", 250)
    for symbol in ("", "AAPL"):
        for reported in ("vix", "liquidity_score"):
            desk.take(
                facts.MeasureReported(
                    request=0, name=reported, value=NANOS, event_ns=desk.now_ns, symbol=symbol
                )
            )
    figures = facts.AccountSeen(
        cash_nanos=desk.cash * NANOS,
        equity_nanos=1_000_000 * NANOS,
        last_equity_nanos=1_000_000 * NANOS,
        multiplier=4,
        shorting_enabled=True,
        maintenance_margin_nanos=NANOS,
        buying_power_nanos=NANOS,
    )
    desk.take(figures)
    kind = scope.partition(":")[0]
    assert (desk.value(name, scope) is not None) == (kind in MEASURES[name].scopes)


@pytest.mark.parametrize("scope", KINDS)
@pytest.mark.parametrize("name", VALUES)
def test_a_breaker_on_a_scope_without_its_measure_is_refused(name: str, scope: str) -> None:
    assert MEASURES[name].place is Place.STATE
    if scope.partition(":")[0] in MEASURES[name].scopes:
        assert read(f"{name} == 0.5", scope).breakers[0].scope == scope
    else:
        assert refusal(f"{name} == 0.5", scope).startswith(f"7:14 {name} is never known on {scope}")


def test_the_refusal_says_where_the_measure_is_known() -> None:
    what = refusal("vix > 30 and cash < 3 USD", "symbol:AAPL")
    assert what.endswith("it is on `account` or `strategy:NAME` (or `strategy:*`)")


@pytest.mark.parametrize("scope", EACH)
def test_a_breaker_may_be_for_each(scope: str) -> None:
    assert read("drawdown > 5%", scope).breakers[0].scope == scope
    assert "cash is never known" in refusal("cash < 1 USD", "symbol:*")


@pytest.mark.parametrize("name", ["drawdown", "sharpe", "gross_exposure"])
def test_a_strategy_without_capital_has_no_measure_of_equity(name: str) -> None:
    assert "no beta is among `strategies`" in refusal(f"{name} == 0.5", "strategy:beta")
    assert read(f"{name} == 0.5", "strategy:*")


@pytest.mark.parametrize("name", ["drawdown", "sharpe"])
def test_where_anybody_may_trade_a_strategy_may_be_watched_by_name(name: str) -> None:
    rule = "safety: {circuit_breakers: [{name: b, scope: strategy:beta, condition: '%s'}]}"
    assert policy_from_yaml(rule % "order_rate > 1", "p")
    with pytest.raises(PolicyRefused, match="name beta under `strategies`, with its `capital`"):
        policy_from_yaml(rule % f"{name} == 0.5", "p")


def test_a_strategy_that_never_trades_is_not_watched() -> None:
    what = refusal("order_rate > 1", "strategy:beta")
    assert what == "7:14 no beta is among `strategies`, so it never trades: name it there too"


@pytest.mark.parametrize(
    "condition", ["order_rate > 50", "order_rate > 20", "order_rate >= 21", "messages > 31"]
)
def test_a_rate_that_its_limit_keeps_away_is_refused(condition: str) -> None:
    assert refusal(condition).startswith("6:18 ")


@pytest.mark.parametrize(
    "condition",
    ["order_rate > 19", "order_rate >= 20", "messages > 30", "order_rate > 19 and vix > 1"],
)
def test_a_rate_that_can_be_reached_is_taken(condition: str) -> None:
    assert read(condition)


@pytest.mark.parametrize(
    ("limits", "condition", "most"),
    [
        ("order_rate: 10/100ms", "order_rate > 100", 100),
        ("order_rate: 10/300ms", "order_rate >= 41", 40),
        ("order_rate: 1000000/1ms", "order_rate > 1000000", 1_000_000),
        ("order_rate: 100/10s", "order_rate > 100", 100),
        ("message_rate: 9/100ms", "messages > 100", 100),
    ],
)
def test_a_second_holds_what_the_limit_lets_pass_in_all_its_windows(
    limits: str, condition: str, most: int
) -> None:
    text = f"safety: {{limits: {{{limits}}}, circuit_breakers: [{{name: b, condition: '%s'}}]}}"
    with pytest.raises(PolicyRefused, match=f"never passes {most}, for"):
        policy_from_yaml(text % condition, "p")
    reached = condition.replace(">=", ">").rpartition(" ")[0]
    assert policy_from_yaml(text % f"{reached} {most - 1}", "p")


@pytest.mark.parametrize("action", ["exits_only", "halt", "flatten", "kill"])
@pytest.mark.parametrize(
    "condition",
    [
        "daily_pnl < 3%",
        "monthly_pnl < 5",
        "weekly_pnl > -3%",
        "drawdown < 5%",
        "consecutive_losses < 8",
        "fill_quality > 80",
        "sharpe > -1",
        "not reject_rate > 5%",
        "vix > 30 or drawdown <= 5%",
        "order_rate < 50",
        "positions == 0",
    ],
)
def test_a_breaker_that_trips_before_anything_is_lost_is_refused(
    condition: str, action: str
) -> None:
    what = refusal(condition, action=action)
    assert what.startswith("6:18 ")
    assert "it would trip at once: is it the wrong way round?" in what
    assert ("a loss is below zero" in what) == ("pnl" in condition)


def test_a_gauge_may_hold_at_rest_and_a_latch_with_what_is_not_known_yet() -> None:
    assert read("monthly_pnl < 5%", action="reduce")
    assert read("daily_pnl < 3%", action="notify")
    assert read("drawdown <= 5% and vix > 30")
    assert read("equity < 100000 or maintenance_margin < 1.25")


@pytest.mark.parametrize("place", ["circuit_breakers", "pre_trade_checks", "dynamic_limits"])
def test_a_tier_is_asked_for_only_where_liquidity_is_measured(place: str) -> None:
    rule = "{name: b, condition: liquidity_tier > 1"
    texts = {
        "circuit_breakers": f"safety: {{circuit_breakers: [{rule}}}]}}",
        "pre_trade_checks": f"safety: {{pre_trade_checks: {{checks: [{rule}}}]}}}}",
        "dynamic_limits": f"risk: {{dynamic_limits: [{rule}, action: {{max_order_value: 9}}}}]}}",
    }
    with pytest.raises(PolicyRefused) as refused:
        policy_from_yaml(texts[place], "p")
    (problem,) = refused.value.problems
    assert (problem.place.line, "write one" in problem.what) == (1, True)
    policy_from_yaml(f"{texts[place]}\nliquidity: {{}}", "p")
