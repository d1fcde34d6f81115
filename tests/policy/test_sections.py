"""Every section of a policy file, in the spellings that people write, and its contradictions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuseboard.policy.conditions import condition_from_text
from fuseboard.policy.data_rules import ReconciliationRules
from fuseboard.policy.limits import MINUTE_NS, PERCENT_NANOS, SECOND_NS
from fuseboard.policy.loader import Loaded, read_policy
from fuseboard.policy.policy import Policy, canonical_text, digest_of
from fuseboard.policy.sectors import FileRefused
from fuseboard.policy.unit_table import ACTION_WORDS
from fuseboard.policy.yaml_text import PolicyRefused, Problem
from fuseboard.vocabulary.actions import Action, Reference, ResetRule
from fuseboard.vocabulary.money import NANOS


def read(text: str, **environment: str) -> Policy:
    return read_policy(text, "p.yaml", environment=environment).policy


def problems_of(text: str, **environment: str) -> tuple[Problem, ...]:
    with pytest.raises(PolicyRefused) as refused:
        read(text, **environment)
    return refused.value.problems


# What people already write, word for word.
FOUND = """\
safety:
  pre_trade_checks:
    enabled: true
    checks:
      - price_reasonableness
      - size_limit
      - liquidity
      - restricted_list
      - price_floor
      - {name: a, condition: abs(order_price - last_price) / last_price < 0.05, message: too far}
      - {name: b, condition: price > 1.0}
      - {name: c, condition: order_size < avg_daily_volume * 0.01}
  limits: {max_position: 0.05, max_sector: 0.3, max_positions: 50, gross_exposure: 2.0,
    net_exposure: [-0.5, 1.0], max_leverage: 2.0, restricted: [GME], sectors: {AAPL: tech}}
  loss_limits:
    daily: {warning: 0.02, hard: 0.03, action: [halt_new_trades, flatten_positions, notify_admin]}
    weekly: {hard: 0.05, action: halt_trading}
    monthly: {hard: 0.1, action: kill}
    drawdown: {warning: 0.1, hard: 0.15}
    rolling: {days: 30, hard: 20%}
  circuit_breakers:
    - {name: loss, trigger: daily_pnl < -0.03, action: halt_trading, reset: next_trading_day}
    - {name: divergence, condition: max_position_divergence > 0.05, action: halt}
    - {name: errors, condition: error_count_1h > 10, action: reduce, scope: "strategy:*"}
    - {name: streak, condition: consecutive_losses >= 8, action: [notify_admin, flatten]}
    - {name: rate, condition: order_rate > 90, action: kill, cooldown: 10m}
    - {name: told, condition: sharpe < 0.5, action: notify_desk}
  market_circuit_breakers: {enabled: true, resume_delay: 300}
  kill_switch: {enabled: true, triggers: [slack_command, api, watchdog: timeout]}
risk:
  dynamic_limits:
    - {condition: mtd_return < -0.05, action: {max_position: 0.02}}
    - {condition: vix > 30, action: {gross_exposure: 1.5}}
data:
  validation: {max_age: 2h, stale_action: halt_trading, min_assets: 100,
    missing_action: reduce_only, price_change_limit: 20%, price_check_action: exclude}
  anomaly_detection: {price_change: 5, volume_spike: 10x, gaps: true}
execution:
  order_settings: {default: limit, limit_offset_bps: 5, timeout_seconds: 30,
    timeout_action: cancel, max_retries: 3}
"""


def test_the_spellings_that_people_write_are_read() -> None:
    policy = read(FOUND)
    assert [(rule.name, rule.reference, rule.action) for rule in policy.losses] == [
        ("drawdown", Reference.SESSION_PEAK, Action.FLATTEN),
        ("daily_loss", Reference.SESSION_OPEN, Action.FLATTEN),
        ("weekly_loss", Reference.WEEK_OPEN, Action.HALT),
        ("monthly_loss", Reference.MONTH_OPEN, Action.KILL),
        ("rolling_drawdown", Reference.ROLLING_PEAK, Action.FLATTEN),
    ]
    assert [(rule.name, rule.action) for rule in policy.breakers] == [
        ("loss", Action.HALT),
        ("divergence", Action.HALT),
        ("errors", Action.REDUCE),
        ("streak", Action.FLATTEN),
        ("rate", Action.KILL),
        ("told", Action.NOTIFY),
    ]
    assert policy.breakers[0].reset is ResetRule.NEXT_TRADING_DAY
    assert policy.breakers[2].scope == "strategy:*"
    assert policy.losses[4].window_days == 30
    assert [rule.tighten[0].value for rule in policy.dynamic_limits] == [
        2 * PERCENT_NANOS,
        150 * PERCENT_NANOS,
    ]
    assert policy.dynamic_limits[0].name == "monthly_pnl < -0.05"
    assert [rule.message for rule in policy.checks] == ["too far", "", ""]
    assert (policy.limits.net_exposure_nanos_min, policy.limits.net_exposure_nanos_max) == (
        -NANOS // 2,
        NANOS,
    )
    assert policy.limits.leverage_nanos_max == 2 * NANOS
    assert (policy.restricted, policy.sectors) == (("GME",), {"AAPL": "tech"})
    assert policy.market.resume_delay_ns == 5 * MINUTE_NS
    assert policy.kill_switch.methods == ("api", "watchdog")
    assert policy.later["safety.kill_switch.triggers"] == '{"slack_command":null}'
    assert policy.data.quote_age_ns_max == 120 * MINUTE_NS
    assert (policy.data.stale_action, policy.data.missing_action) == ("halt", "reduce_only")
    assert policy.data.price_change_deviations == 5 * NANOS
    assert (policy.data.volume_spike_nanos, policy.data.gap_ns_max) == (10 * NANOS, MINUTE_NS)
    assert policy.later["execution.order_settings"] == (
        '{"default_type":"limit","limit_offset_bps":500000,"max_retries":3}'
    )
    assert policy.execution.order_timeout_ns == 30 * SECOND_NS


def test_reconciliation_is_read_and_what_is_not_done_yet_of_orders_stays_listed() -> None:
    written = """
execution:
  order_settings: {timeout: 1m, timeout_action: market}
  reconciliation: {enabled: true, every: 1m, at: ["16:10", 09:25, "16:10"], on_startup: true,
    position_tolerance: 0.1%, cash_tolerance: 50, on_mismatch: alert, foreign_orders: cancel,
    auto_correct: true}
"""
    policy = read(written)
    assert policy.reconciliation == ReconciliationRules(
        scheduled=True,
        every_ns=MINUTE_NS,
        at=("09:25", "16:10"),
        tolerance_nanos=PERCENT_NANOS // 10,
        cash_tolerance_nanos=50 * NANOS,
        mismatch_action="notify",
        foreign_orders="cancel",
        auto_correct=True,
    )
    assert policy.execution.order_timeout_ns == MINUTE_NS
    assert policy.later == {"execution.order_settings": '{"timeout_action":"market"}'}
    whole = read("execution: {order_settings: {timeout: 1m, timeout_action: cancel}}")
    assert whole.later == {}
    assert read("name: x").reconciliation == ReconciliationRules(), "30 s, halt, corrects nothing"
    adopts = read("execution: {reconciliation: {foreign_orders: adopt}}").reconciliation
    assert adopts == ReconciliationRules(foreign_orders="adopt")
    assert read("execution: {reconciliation: {every: hourly}}").reconciliation.every_ns == (
        60 * MINUTE_NS
    )


def test_a_built_in_check_that_is_named_without_its_limit_gets_a_safe_one() -> None:
    named = "safety: {pre_trade_checks: {checks: [liquidity, price_floor, duplicate_order]}}"
    limits = read(named).limits
    assert limits.order_volume_share_nanos_max == PERCENT_NANOS
    assert limits.price_floor_nanos == NANOS
    assert limits.duplicate_window_ns == SECOND_NS
    own = "risk: {limits: {price_floor: 5}}\n" + named
    assert read(own).limits.price_floor_nanos == 5 * NANOS


def test_the_order_of_lines_changes_no_digest() -> None:
    one = "sectors: {B: x, A: y}\nrestricted: [B, A]\nlogging: {level: info, format: json}\n"
    two = "logging: {format: json, level: info}\nrestricted: [A, B]\nsectors: {A: y, B: x}\n"
    three = "sectors: {x: [B], y: [A]}\nrestricted: [A, B]\nlogging: {format: json, level: info}\n"
    digests = [digest_of(canonical_text(read(text))) for text in (one, two, three)]
    assert len(set(digests)) == 1


def test_each_field_that_the_file_sets_has_its_line() -> None:
    loaded: Loaded = read_policy(FOUND, "p.yaml")
    written = FOUND.splitlines()
    for field, words in (
        ("limits.position_fraction_nanos_max", "max_position: 0.05"),
        ("limits.net_exposure_nanos_max", "net_exposure:"),
        ("losses[daily_loss].limit_nanos", "daily:"),
        ("losses[daily_loss].action", "daily:"),
        ("breakers[errors].condition", "name: errors"),
        ("breakers[errors]", "name: errors"),
        ("checks[b].condition", "name: b"),
        ("dynamic_limits[vix > 30]", "vix > 30"),
        ("data.stale_action", "stale_action"),
        ("limits.price_floor_nanos", "- price_floor"),
        ("later[execution.order_settings]", "order_settings"),
        ("kill_switch.methods", "triggers"),
    ):
        assert words in written[loaded.lines[field] - 1], field
    assert "limits.price_collar_nanos" not in loaded.lines


REFUSED = [
    (
        "execution: {reconciliation: {every: 1s}}",
        1,
        37,
        "is not a duration from 5s to 1d",
    ),
    ("execution: {reconciliation: {every: weekly}}", 1, 37, "hourly or daily"),
    ("execution: {reconciliation: {at_start: false}}", 1, 40, "before the first order"),
    ("execution: {reconciliation: {on_mismatch: kill}}", 1, 43, "is not known here"),
    # text, line, column, what the message says
    ("safety: {loss_limits: {daily: {warning: 2%}}}", 1, 31, "`hard` is missing"),
    ("safety: {loss_limits: {rolling: {hard: 2%}}}", 1, 33, "`days` is missing"),
    ("safety: {loss_limits: {daily: {hard: -3%}}}", 1, 38, "without a sign"),
    ("safety: {loss_limits: {daily: {hard: 3%, warning: 4%}}}", 1, 42, "not below the hard"),
    ("safety: {loss_limits: {daily: {hard: 3%, action: reduce}}}", 1, 50, "must halt or flatten"),
    (
        "safety: {loss_limits: {daily: {hard: 3%, action: [flatten_positions, kill, reduce]}}}",
        1,
        50,
        "kill closes nothing and flatten does not disconnect: one of the two, not both",
    ),
    ("safety: {loss_limits: {dayly: {hard: 3%}}}", 1, 24, "did you mean `daily`?"),
    ("safety: {circuit_breakers: [{name: a}]}", 1, 29, "`condition` is missing"),
    ("safety: {circuit_breakers: [{condition: vix > 1}]}", 1, 29, "`name` is missing"),
    (
        "safety: {circuit_breakers: [{name: a, condition: vix > 1, trigger: vix > 1}]}",
        1,
        59,
        "the same as the key in line 1",
    ),
    ("safety: {circuit_breakers: [{name: a, condition: vxi > 1}]}", 1, 50, "did you mean `vix`?"),
    (
        "safety: {circuit_breakers: [{name: a, condition: order_size > 1}]}",
        1,
        50,
        "only in the checks of an order",
    ),
    (
        "safety:\n circuit_breakers:\n - name: a\n   trigger: >\n     vix > 5\n     and foo > 1\n",
        6,
        10,
        "`foo` is not a name",
    ),
    (
        "safety: {circuit_breakers: [{name: a, condition: 'drawdown > 5% and foo > 1'}]}",
        1,
        69,
        "`foo` is not a name",
    ),
    (
        "safety: {circuit_breakers: [{name: a, condition: vix > 1, action: []}]}",
        1,
        67,
        "at least one action",
    ),
    (
        "safety: {circuit_breakers: [{name: a, condition: vix > 1, scope: desk}]}",
        1,
        66,
        "a scope",
    ),
    (
        "safety: {circuit_breakers: [{name: a, condition: vix > 1, scope: symbol:aapl}]}",
        1,
        66,
        "a scope",
    ),
    (
        "safety: {circuit_breakers: [{name: a, condition: vix > 1, reset: tomorrow}]}",
        1,
        66,
        "known: manual, next_trading_day",
    ),
    (
        "safety: {circuit_breakers: [{name: a, trigger: vix > 1}, {name: a, trigger: vix > 2}]}",
        1,
        58,
        "a stands twice",
    ),
    ("safety: {pre_trade_checks: {enabled: false}}", 1, 38, "cannot be switched off as a whole"),
    ("safety: {pre_trade_checks: {checks: [liquidty]}}", 1, 38, "did you mean `liquidity`?"),
    (
        "safety: {pre_trade_checks: {checks: [{name: a, condition: order_value > order_size}]}}",
        1,
        73,
        "quantity",
    ),
    (
        "safety: {pre_trade_checks: {checks: [{name: posture, condition: price > 1}]}}",
        1,
        45,
        "`posture` is a built-in check, and this is one of your own: call it something else",
    ),
    (
        "safety: {pre_trade_checks: {checks: [{name: position, condition: price > 1}]}}",
        1,
        45,
        "`position` is a built-in check",
    ),
    (
        "safety: {pre_trade_checks: {checks: [self_match], off: [self_match]}}",
        1,
        51,
        "also under `checks`",
    ),
    (
        "safety: {pre_trade_checks: {checks: [tick, max_position]}}",
        1,
        44,
        "has no limit to judge by: set `max_position` under risk.limits",
    ),
    (
        "safety: {pre_trade_checks: {checks: [tick, sector]}}",
        1,
        44,
        "has no limit to judge by: set `max_sector` under risk.limits",
    ),
    (
        "safety: {pre_trade_checks: {checks: [tick, positions]}}",
        1,
        44,
        "has no limit to judge by: set `max_positions` under risk.limits",
    ),
    (
        "safety: {pre_trade_checks: {checks: [tick, net_exposure]}}",
        1,
        44,
        "has no limit to judge by: set `net_exposure` under risk.limits",
    ),
    (
        "safety: {pre_trade_checks: {checks: [tick, leverage]}}",
        1,
        44,
        "has no limit to judge by: set `max_leverage` under risk.limits",
    ),
    (
        "safety: {pre_trade_checks: {checks: [tick, margin]}}",
        1,
        44,
        "has no limit to judge by: set `min_maintenance_margin` under risk.limits",
    ),
    ("safety: {pre_trade_checks: {off: [price_collar]}}", 1, 35, "known: opposite_strategy"),
    ("safety: {market_circuit_breakers: {levels: [7%, 5%, 20%]}}", 1, 44, "do not rise"),
    ("safety: {market_circuit_breakers: {levels: [7%, 13%]}}", 1, 44, "at least 3"),
    ("safety: {market_circuit_breakers: {enabled: maybe}}", 1, 45, "`true` or `false`"),
    ("safety: {kill_switch: {methods: [telepathy]}}", 1, 34, "is not known here"),
    (
        "safety: {kill_switch: {methods: [api], triggers: [api]}}",
        1,
        24,
        "the same as `triggers`",
    ),
    (
        "safety:\n kill_switch:\n  triggers: [{watchdog: 5s}, {watchdog: 20s}]\n",
        3,
        31,
        "watchdog is set in line 3 already; keep one of the two",
    ),
    (
        "safety:\n kill_switch:\n  watchdog: timeout\n  methods: [{watchdog: 20s}]\n",
        4,
        14,
        "watchdog is set in line 3 already; keep one of the two",
    ),
    (
        "safety: {kill_switch: {triggers: [{slack_command: /a}, {slack_command: /b}]}}",
        1,
        57,
        "slack_command is set in line 1 already; keep one of the two",
    ),
    ("safety: {kill_switch: {watchdog: 999ms}}", 1, 34, "under 1s, the shortest time allowed"),
    ("safety: {kill_switch: {triggers: [watchdog: 1ms]}}", 1, 45, "under 1s, the shortest time"),
    ("data: {validation: {heartbeat: 99ms}}", 1, 32, "under 100ms, the shortest time allowed"),
    ("data: {validation: {max_age: 1ms}}", 1, 30, "under 100ms, the shortest time allowed"),
    ("execution: {close_wait: 1ms}", 1, 25, "under 100ms, the shortest time allowed"),
    ("execution: {close_within: 999ms}", 1, 27, "under 1s, the shortest time allowed"),
    ("risk: {limits: {net_exposure: [1.0, -0.5]}}", 1, 31, "is not under the highest"),
    ("risk: {limits: {net_exposure: [1.0]}}", 1, 31, "at least 2"),
    ("risk: {limits: {net_exposure: 1.0}}", 1, 31, "expected a list of two numbers"),
    ("risk: {limits: {gross_exposure: 2.0, max_leverage: 1.5}}", 1, 38, "under gross_exposure"),
    ("risk: {limits: {max_order_size: 5, max_order_quantity: 6}}", 1, 36, "the same as the key"),
    ("risk: {dynamic_limits: [{condition: vix > 3, action: {}}]}", 1, 54, "at least one limit"),
    ("risk: {dynamic_limits: [{condition: vix > 3}]}", 1, 25, "`action` is missing"),
    (
        "risk: {dynamic_limits: [{condition: vix > 3, action: {order_rate: 5/s}}]}",
        1,
        55,
        "unknown key",
    ),
    ("restricted: [GME]\nrisk: {restricted: [AMC]}", 2, 8, "already written in line 1"),
    ("sectors: {A: x}\nrisk: {limits: {sectors: {A: y}}}", 2, 17, "already written in line 1"),
    ("sectors: {x: [A], y: [A]}", 1, 19, "A is in two sectors"),
    ("sectors: tech.csv", 1, 10, "stands beside no file"),
    ("session: {calendar: XNYS, roll: '17:00'}", 1, 27, "`roll` is for calendar 24/7"),
    ("session: {calendar: 24/7, roll: '25:00'}", 1, 33, "a time of day"),
    ("strategies: [{name: a, capital: 1, symbols: []}]", 1, 36, "leave the key out"),
    (
        "strategies: [{name: a, capital: 1, drawdown: {}, losses: {drawdown: {}}}]",
        1,
        36,
        "keep one of the two",
    ),
    ("data: {validation: {stale_action: ignore}}", 1, 35, "is not known here"),
    ("data: {anomaly_detection: {volume_spike: 0.5x}}", 1, 42, "above 1"),
    ("execution: {slippage: {max_bps: 0}}", 1, 33, "basis points above 0"),
    ("alerting: {slack: {channel: '${X}'}}", 1, 29, "only where a secret is asked for"),
    ("name: ${X}", 1, 7, "only where a secret is asked for"),
    ("alerting: {slack: {webhook_url: 'https://a/b'}}", 1, 33, "never written into a policy"),
    ("alerting: {slack: {webhook_url: '${NOT_SET}'}}", 1, 33, "has no NOT_SET"),
    ("alerting: {rules: [{name: a, condition: drawdwn > 5%}]}", 1, 41, "did you mean `drawdown`?"),
    ("logging: {level: loud}", 1, 18, "is not known here"),
    ("backup: {every: sometimes}", 1, 17, "hourly, daily, weekly"),
    ("monitoring: {port: 70000}", 1, 20, "from 0 to 65535"),
]


@pytest.mark.parametrize(("text", "line", "column", "says"), REFUSED)
def test_a_mistake_is_refused_at_its_place(text: str, line: int, column: int, says: str) -> None:
    (problem,) = problems_of(text)
    assert (problem.place.line, problem.place.column) == (line, column), str(problem)
    assert says in problem.what, str(problem)
    assert "\n" not in str(problem)


def test_sectors_come_from_a_file_beside_the_policy_and_go_into_it() -> None:
    files = {
        "s.csv": "symbol,sector\nAAPL,tech\n# none\n\nF,cars\n",
        "s.yaml": "cars: [F]\nAAPL: tech\n",
    }
    for name in files:
        loaded = read_policy(f"sectors: {name}", "p.yaml", files=files.__getitem__)
        assert loaded.policy.sectors == {"AAPL": "tech", "F": "cars"}
    for text, place in (("AAPL\n", "s.csv:1:1"), ("AAPL,t\nAAPL,u\n", "s.csv:2:1")):
        with pytest.raises(PolicyRefused) as refused:
            read_policy("sectors: s.csv", "p.yaml", files={"s.csv": text}.__getitem__)
        assert str(refused.value).startswith(place)

    def absent(name: str) -> str:
        raise FileRefused(f"{name} is not there")

    with pytest.raises(PolicyRefused, match=r"p\.yaml:1:10: sectors: s\.csv is not there"):
        read_policy("sectors: s.csv", "p.yaml", files=absent)


@pytest.mark.parametrize("word", ["reduce_only", "close_only", "exits_only"])
def test_exits_pass_by_each_of_its_words_for_losses_and_breakers(word: str) -> None:
    policy = read(
        f"safety: {{loss_limits: {{daily: {{hard: 3%, action: {word}}}}},"
        f" circuit_breakers: [{{name: a, condition: vix > 30, action: {word}}}]}}"
    )
    (loss,) = [rule for rule in policy.losses if rule.name == "daily_loss"]
    (breaker,) = policy.breakers
    assert (loss.action, breaker.action) == (Action.REDUCE_ONLY, Action.REDUCE_ONLY)


@given(actions=st.lists(st.sampled_from(list(ACTION_WORDS)), min_size=1, max_size=5))
def test_of_several_actions_the_hardest_counts(actions: list[str]) -> None:
    meant = [ACTION_WORDS[word] for word in actions]
    text = f"safety: {{circuit_breakers: [{{name: a, condition: vix > 1, action: {actions}}}]}}"
    if Action.FLATTEN in meant and Action.KILL in meant:
        (problem,) = problems_of(text.replace("'", ""))
        assert "kill closes nothing" in problem.what
        return
    (rule,) = read(text.replace("'", "")).breakers
    hardness = list(Action)
    assert hardness.index(rule.action) == max(
        hardness.index(ACTION_WORDS[word]) for word in actions
    )


def test_a_named_check_may_have_its_limit_from_any_rule() -> None:
    checks = "safety: {pre_trade_checks: {checks: [max_position, positions, net_exposure]}}\n"
    rules = "risk: {limits: {max_position_value: 100, net_exposure: [-1, 1]}, dynamic_limits: "
    read(f"{checks}{rules}[{{condition: vix > 30, action: {{max_positions: 5}}}}]}}\n")


SECRETS = """\
alerting:
  channels:
    slack: {webhook_url: "${SLACK_WEBHOOK}", channel: "#desk"}
    pagerduty: {routing_key: "${PAGER}"}
  slack: {token: "${SLACK_WEBHOOK}"}
"""


def test_a_secret_stands_in_a_policy_by_its_name_alone() -> None:
    policy = read(SECRETS, SLACK_WEBHOOK="https://secret/one", PAGER="two-two-two")
    text = canonical_text(policy)
    assert '\\"${SLACK_WEBHOOK}\\"' in text
    assert '\\"${PAGER}\\"' in text
    assert policy == read(SECRETS, SLACK_WEBHOOK="https://another", PAGER="value-value")
    problems = problems_of(SECRETS, PAGER="two-two-two")
    assert [problem.place.line for problem in problems] == [3, 5]
    assert all("has no SLACK_WEBHOOK" in problem.what for problem in problems)


@given(data=st.data(), secret=st.text("abc019-/:.", max_size=80).map("s3cr3t".__add__))
def test_a_secrets_value_is_never_said(data: st.DataObject, secret: str) -> None:
    """Wherever its value is written by mistake, also in the middle of other things."""
    text = SECRETS + "name: x\nrisk: {limits: {max_position: 5%}}\nlogging: {level: info}\n"
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(0, len(text)))
        written = data.draw(st.sampled_from(["{}", " {} ", '"{}"', ": {}", "\n{}: 1\n", "[{}]"]))
        text = text[:at] + written.format(secret) + text[at:]
    try:
        policy = read(text, SLACK_WEBHOOK=secret, PAGER="pager-key-of-somebody")
    except PolicyRefused as refused:
        said = str(refused)
        assert secret not in said
        assert "s3cr3t" not in said
    else:
        assert secret not in canonical_text(policy)


@pytest.mark.parametrize(
    "written",
    [
        r'"\x733cr3t/\"x\\y"',
        r'"s3cr3t\/\"x\u005cy"',
        '"s3cr3t\\\n   /\\"x\\\\y"',
        "'s3cr3t/\"x\\y'",
        r'"before \x733cr3t/\"x\\y and after"',
    ],
)
@pytest.mark.parametrize(
    "text",
    ["name: {}", "audit: {{path: {}}}", "? {}\n: 1", "risk: {{limits: {{max_position: {}}}}}"],
)
def test_a_secrets_value_is_found_however_yaml_spells_it(written: str, text: str) -> None:
    (problem,) = problems_of(text.format(written), API_KEY='s3cr3t/"x\\y')
    assert problem.what == "the value of a secret stands here: write `${API_KEY}`"


def test_a_secrets_value_is_found_in_the_file_of_the_sectors() -> None:
    files = {"s.csv": "AAPL,s3cr3t-of-ours\n", "s.yaml": '"s3cr3t\\x2dof-ours": [AAPL]\n'}
    for name in files:
        with pytest.raises(PolicyRefused) as refused:
            read_policy(
                f"sectors: {name}",
                "p.yaml",
                environment={"API_KEY": "s3cr3t-of-ours"},
                files=files.__getitem__,
            )
        assert str(refused.value).startswith(f"{name}:1:")
        assert "s3cr3t" not in str(refused.value)


def test_every_condition_in_a_policy_is_canonical() -> None:
    policy = read(FOUND)
    texts = [rule.condition for rule in policy.breakers]
    for text in [*texts, *(rule.condition for rule in policy.dynamic_limits)]:
        assert condition_from_text(text, order=False).text == text
    for check in policy.checks:
        assert condition_from_text(check.condition, order=True).text == check.condition
