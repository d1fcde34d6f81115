"""A policy file is read exactly, and every mistake in it is refused at its line and column."""

import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from fuseboard.policy import (
    loader,
    sections_accounts,
    sections_data,
    sections_limits,
    sections_losses,
    sections_safety,
    units,
    yaml_text,
)
from fuseboard.policy.data_rules import DataRules, ExecutionRules
from fuseboard.policy.limits import MINUTE_NS, PERCENT_NANOS, SECOND_NS, DynamicLimit, Limits
from fuseboard.policy.loader import policy_from_yaml
from fuseboard.policy.policy import Policy, canonical_text, policy_from_canonical
from fuseboard.policy.rules import (
    BreakerRule,
    CheckRule,
    DisconnectRule,
    KillSwitch,
    LossRule,
    MarketBreakers,
    ResetRules,
    SessionRule,
    StrategyRule,
)
from fuseboard.policy.shapes import Either, Items, Section, Shape, Value
from fuseboard.policy.starter import default_policy_text
from fuseboard.policy.yaml_text import PolicyRefused, Problem
from fuseboard.vocabulary.actions import Action
from fuseboard.vocabulary.money import NANOS


def problems_of(text: str) -> tuple[Problem, ...]:
    with pytest.raises(PolicyRefused) as refused:
        policy_from_yaml(text, "p.yaml")
    assert str(refused.value) == "\n".join(map(str, refused.value.problems))
    return refused.value.problems


FULL = """\
name: my desk
strategies:
  - {name: alpha, capital: 250000 USD, drawdown: {warning: 2%, hard: 0.04, action: halt}}
  - name: beta
    capital: 1000.5
risk:
  limits: {max_position: 5%, max_position_value: 20000, gross_exposure: 1.5, price_collar: 2.5%}
safety:
  limits: {max_order_quantity: 0.000000001, max_order_value: 5000 USD, order_rate: 50/10s,
    max_working_orders: 7}
  loss_limits:
    drawdown:
      warning: 3%
      warning_clear: 0.5%
      hard: 5.2%
      action: [halt_new_trades, flatten_positions, notify_admin]
      cooldown: 2s
      confirm_within: 1500ms
      resets_a_day: 1
      trips_a_day: 2
data:
  validation: {max_spread: 0.5%, max_age: 2h, price_change_limit: "15%", equity_jump_limit: 2 %}
execution: {requests_per_minute: 180, protected_share: 0.5, close_collar: 3%, close_wait: 1s,
  close_attempts: 4, close_collar_max: 12%, close_within: 45m, cancel_wait: 750ms, absent_after: 1d}
"""


def test_every_key_fills_its_field_exactly() -> None:
    assert policy_from_yaml(FULL, "p.yaml") == Policy(
        name="my desk",
        strategies=(
            StrategyRule(
                name="alpha",
                capital_nanos=250_000 * NANOS,
                losses=(
                    LossRule(
                        warning_nanos=2 * PERCENT_NANOS,
                        warning_clear_nanos=12 * PERCENT_NANOS // 10,
                        limit_nanos=4 * PERCENT_NANOS,
                        action=Action.HALT,
                    ),
                ),
            ),
            StrategyRule(name="beta", capital_nanos=1_000_500_000_000),
        ),
        limits=Limits(
            order_quantity_nanos_max=1,
            order_value_nanos_max=5_000 * NANOS,
            price_collar_nanos=25_000_000,
            order_rate_max=50,
            order_rate_window_ns=10 * SECOND_NS,
            working_orders_max=7,
            position_value_nanos_max=20_000 * NANOS,
            position_fraction_nanos_max=50_000_000,
            gross_exposure_nanos_max=1_500_000_000,
        ),
        losses=(
            LossRule(
                limit_nanos=52_000_000,
                warning_nanos=30_000_000,
                warning_clear_nanos=5_000_000,
                cooldown_ns=2 * SECOND_NS,
                action=Action.FLATTEN,
                confirm_ns_max=1_500_000_000,
                resets_a_day_max=1,
                trips_a_day_max=2,
            ),
        ),
        data=DataRules(
            spread_nanos_max=5_000_000,
            jump_nanos_max=150_000_000,
            quote_age_ns_max=120 * MINUTE_NS,
            equity_jump_nanos_max=20_000_000,
        ),
        execution=ExecutionRules(
            requests_a_minute=180,
            protected_share_nanos=500_000_000,
            cancel_wait_ns=750_000_000,
            close_collar_nanos=30_000_000,
            close_wait_ns=SECOND_NS,
            close_attempts_max=4,
            close_collar_nanos_max=120_000_000,
            close_within_ns=45 * MINUTE_NS,
            absent_after_ns=24 * 60 * MINUTE_NS,
        ),
    )


def test_a_read_policy_survives_its_canonical_text() -> None:
    policy = policy_from_yaml(FULL, "p.yaml")
    assert policy_from_canonical(canonical_text(policy)) == policy


def test_what_a_policy_leaves_out_has_the_defaults() -> None:
    assert policy_from_yaml("name: default", "p.yaml") == Policy()


def test_the_starter_is_the_defaults_written_out() -> None:
    assert policy_from_yaml(default_policy_text(), "starter") == Policy()


def test_the_starter_names_every_key() -> None:
    tables = (
        sections_limits.LIMITS,
        sections_losses.RULE,
        sections_data.VALIDATION,
        sections_data.ANOMALIES,
        sections_data.EXECUTION,
        sections_safety.MARKET,
        sections_accounts.RESETS,
        sections_accounts.OVERRIDES,
        sections_accounts.STRATEGY,
    )
    for key in [key for fields in tables for key in fields]:
        assert re.search(rf"^[ #]*(- )?{key}:", default_policy_text(), re.MULTILINE), key


def test_the_starter_with_its_comments_taken_away_is_a_policy_too() -> None:
    text = re.sub(
        r"^( *)# (?=( *- )?{?[ a-z_]+:( |$))", r"\1", default_policy_text(), flags=re.MULTILINE
    )
    policy = policy_from_yaml(text, "starter")
    assert policy.strategies[0].name == "dip-buyer"
    assert policy.losses[0].warning_clear_nanos == 18_000_000
    assert policy.limits.position_value_nanos_max == 50_000 * NANOS


def fields_of(shape: Shape) -> list[str]:
    """Every field that a part of the file fills."""
    if isinstance(shape, Value):
        return list(shape.fields)
    below: list[Shape] = []
    if isinstance(shape, Section):
        below = list(shape.keys.values())
    elif isinstance(shape, Items):
        below = [shape.item]
    elif isinstance(shape, Either):
        below = [part for part in (shape.word, shape.items, shape.keys) if part is not None]
    return [field for part in below for field in fields_of(part)]


# Fields that a function fills from other keys, or from where a rule stands.
COMPUTED = {
    Limits: {"net_exposure_nanos_min", "net_exposure_nanos_max"},
    LossRule: {"name", "action", "cooldown_always"},
    BreakerRule: {"action", "cooldown_always"},
    StrategyRule: {"losses", "symbols", "disconnect"},
    DynamicLimit: {"name", "condition", "tighten"},
    MarketBreakers: {"levels_nanos"},
    KillSwitch: {"methods", "watchdog_timeout_ns"},
}


@pytest.mark.parametrize(
    "rules",
    [
        Limits,
        LossRule,
        DataRules,
        ExecutionRules,
        BreakerRule,
        CheckRule,
        MarketBreakers,
        KillSwitch,
        DisconnectRule,
        ResetRules,
        StrategyRule,
        SessionRule,
        DynamicLimit,
    ],
)
def test_every_field_of_a_policy_can_be_written(rules: type[Struct]) -> None:
    filled = set(fields_of(loader.FILE))
    assert set(rules.__struct_fields__) - COMPUTED.get(rules, set()) <= filled


D = "safety: {loss_limits: {drawdown: {"
REFUSED = [
    # text, line, column, what the message says
    ("", 1, 1, "at least one section"),
    ("# only a comment\n", 1, 1, "at least one section"),
    ("{}", 1, 1, "at least one section"),
    ("- name: a", 1, 1, "at least one section"),
    ("just words", 1, 1, "at least one section"),
    ("name: a\nname: b\n", 2, 1, "stands twice, first in line 1"),
    ("name: a\n'name': b\n", 2, 1, "stands twice, first in line 1"),
    ("nmae: a", 1, 1, "did you mean `name`?"),
    ("zzz: a", 1, 1, "known here: name, strategies"),
    ("risk:\n  limits:\n    max_positon: 5%\n", 3, 5, "did you mean `max_position`?"),
    ("risk: {<<: {limits: {}}}", 1, 8, "unknown key"),
    ("risk:\n", 1, 6, "expected keys and values here: limits"),
    ("risk: {limits: [5]}", 1, 16, "expected keys and values here"),
    ("name: a\n---\nname: b\n", 2, 1, "starts a second one"),
    ("name: &a b", 1, 7, "anchors, aliases and tags"),
    ("name: *a", 1, 7, "anchors, aliases and tags"),
    ("name: !!python/object:os.system b", 1, 7, "anchors, aliases and tags"),
    ("name: !!str b", 1, 7, "anchors, aliases and tags"),
    ("? {a: b}\n: c\n", 1, 3, "a key is a plain word"),
    ("name: 'a", 1, 9, "not YAML"),
    ("name: a\n\tb: c\n", 2, 1, "not YAML"),
    ("name: a\nrisk: \x07\n", 2, 1, "cannot stand in YAML"),
    ('name: "\\UFFFFFFFF"', 1, 1, "not YAML"),
    ("a: " + "[" * 50, 1, 15, "levels"),
    ("name: " + "a" * 65, 1, 7, "at most 64 plain characters"),
    ("name: [a]", 1, 7, "a single value"),
    ("name:", 1, 6, "nothing is written here"),
    ("name: ''", 1, 7, "nothing is written here"),
    ("risk: {limits: {max_position: 5}}", 1, 31, "at most 100%"),
    ("risk: {limits: {max_position: 0}}", 1, 31, "not above 0%"),
    ("risk: {limits: {max_position: 1}}", 1, 31, "all of it: write `1%` or `100%`"),
    ("risk: {limits: {price_collar: 1.0}}", 1, 31, "all of it: write `1%` or `100%`"),
    ("risk: {limits: {max_sector: 1}}", 1, 29, "'1' is 1 times equity: write `1%` or `1x`"),
    ("risk: {limits: {max_sector: 5}}", 1, 29, "'5' is 5 times equity: write `5%` or `5x`"),
    ("data: {validation: {max_spread: 1}}", 1, 33, "all of it: write `1%` or `100%`"),
    ("risk: {limits: {max_position: -5%}}", 1, 31, "for example `5%` or `0.05`"),
    ("risk: {limits: {max_position: +5%}}", 1, 31, "for example `5%` or `0.05`"),
    ("risk: {limits: {max_position: .nan}}", 1, 31, "for example `5%` or `0.05`"),
    ("risk: {limits: {max_position: .inf}}", 1, 31, "for example `5%` or `0.05`"),
    ("risk: {limits: {max_position: 1e-2}}", 1, 31, "for example `5%` or `0.05`"),
    ("risk: {limits: {max_position: .05}}", 1, 31, "for example `5%` or `0.05`"),
    ("risk: {limits: {max_position: true}}", 1, 31, "for example `5%` or `0.05`"),
    ("risk: {limits: {max_position: null}}", 1, 31, "for example `5%` or `0.05`"),
    ("risk: {limits: {max_position: 5 USD}}", 1, 31, "for example `5%` or `0.05`"),
    ("risk: {limits: {max_position: 5s}}", 1, 31, "for example `5%` or `0.05`"),
    ("risk: {limits: {max_position: 0.0000000001}}", 1, 31, "at most 9 decimals"),
    ("risk: {limits: {max_position: 0.00000001%}}", 1, 31, "more decimals than are held exactly"),
    ("risk: {limits: {max_position: ٥%}}", 1, 31, "for example `5%` or `0.05`"),
    ("risk: {limits: {gross_exposure: 150}}", 1, 33, "at most 1000%"),
    ("risk: {limits: {max_order_value: 100_000}}", 1, 34, "`100000` or `100000 USD`"),
    ("risk: {limits: {max_order_value: '100,000'}}", 1, 34, "`100000` or `100000 USD`"),
    ("risk: {limits: {max_order_value: $100000}}", 1, 34, "`100000` or `100000 USD`"),
    ("risk: {limits: {max_order_value: 100000 EUR}}", 1, 34, "`100000` or `100000 USD`"),
    ("risk: {limits: {max_order_value: 5%}}", 1, 34, "`100000` or `100000 USD`"),
    ("risk: {limits: {max_order_value: 0}}", 1, 34, "not above zero"),
    ("risk: {limits: {max_order_value: 0x10}}", 1, 34, "`100000` or `100000 USD`"),
    ("risk: {limits: {max_order_value: 1234567890123456}}", 1, 34, "15 whole digits"),
    ("risk: {limits: {max_order_quantity: 10 USD}}", 1, 37, "`10000` or `0.5`"),
    ("risk: {limits: {order_rate: 100}}", 1, 29, "`100/s`"),
    ("risk: {limits: {order_rate: 0/s}}", 1, 29, "`100/s`"),
    ("risk: {limits: {order_rate: 5/0s}}", 1, 29, "`100/s`"),
    ("risk: {limits: {order_rate: 5/2d}}", 1, 29, "`100/s`"),
    ("risk: {limits: {max_working_orders: 1.5}}", 1, 37, "whole number"),
    ("risk: {limits: {max_working_orders: 0}}", 1, 37, "whole number"),
    ("risk: {limits: {max_working_orders: 1000001}}", 1, 37, "whole number"),
    ("risk: {limits: {price_collar: 1%}}\nsafety: {limits: {price_collar: 2%}}", 2, 19, "line 1"),
    (D + "hard: 100%}}}", 1, 35, "100% never trips"),
    (D + "warning: 5%}}}", 1, 35, "not below the hard limit 5.00%"),
    (D + "warning: 4%, hard: 3%}}}", 1, 35, "not below the hard limit 3.00%"),
    (D + "warning: 4%, warning_clear: 4%}}}", 1, 48, "not below the warning 4.00%"),
    (D + "warning_clear: 4%}}}", 1, 35, "needs a `warning`"),
    (D + "cooldown: 300}}}", 1, 45, "`500ms`, `30s`"),
    (D + "cooldown: 5 m}}}", 1, 45, "`500ms`, `30s`"),
    (D + "cooldown: 0s}}}", 1, 45, "not above zero"),
    (D + "cooldown: 31d}}}", 1, 45, "at most 30d"),
    (D + "cooldown: 1.5s}}}", 1, 45, "`500ms`, `30s`"),
    (D + "action: flaten}}}", 1, 43, "did you mean `flatten`?"),
    (D + "action: [halt, {a: b}]}}}", 1, 50, "an action: halt, reduce"),
    (D + "action: notify_admin}}}", 1, 43, "must halt or flatten"),
    (D + "action: []}}}", 1, 43, "must halt or flatten"),
    ("strategies: {name: a}", 1, 13, "expected a list of strategies"),
    ("strategies:\n  - name: a\n", 2, 5, "`capital` is missing"),
    ("strategies:\n  - capital: 5\n", 2, 5, "`name` is missing"),
    ("strategies:\n  - {name: a, capital: 5}\n  - {name: a, capital: 6}\n", 3, 5, "a stands twice"),
    ("strategies:\n  - {name: a, capital: -5}\n", 2, 24, "`100000` or `100000 USD`"),
    ("strategies:\n  - {name: a, capital: 5, drawdown: {hrad: 1%}}\n", 2, 38, "`hard`"),
    ("execution: {close_collar: 12%}", 1, 13, "when the most is 10.00%"),
    ("execution: {close_collar_max: 0.5%}", 1, 13, "no close may trade 1.00% beyond the quote"),
    ("execution: {protected_share: 100%}", 1, 13, "at least one for protection"),
    ("execution: {protected_share: 0.4%}", 1, 13, "at least one for protection"),
    ("execution: {requests_per_minute: 1}", 1, 12, "at least one for protection"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "column", "says"), REFUSED)
def test_a_mistake_is_refused_at_its_place_with_what_was_expected(
    text: str, line: int, column: int, says: str
) -> None:
    (problem,) = problems_of(text)
    assert (problem.place.line, problem.place.column) == (line, column), str(problem)
    assert says in problem.what
    assert str(problem).startswith(f"p.yaml:{line}:{column}: ")
    assert "\n" not in str(problem)


@pytest.mark.parametrize(
    ("limits", "field", "nanos"),
    [
        ("max_position: 100%", "position_fraction_nanos_max", NANOS),
        ("max_position: 1%", "position_fraction_nanos_max", NANOS // 100),
        ("max_position: 0.999", "position_fraction_nanos_max", 999 * NANOS // 1000),
        ("max_sector: 1x", "sector_fraction_nanos_max", NANOS),
        ("max_sector: 150%", "sector_fraction_nanos_max", 3 * NANOS // 2),
        ("gross_exposure: 1", "gross_exposure_nanos_max", NANOS),
        ("max_leverage: 1.0", "leverage_nanos_max", NANOS),
        ("net_exposure: [-1, 1]", "net_exposure_nanos_min", -NANOS),
    ],
)
def test_a_multiple_may_be_a_bare_one_and_a_share_with_its_unit(
    limits: str, field: str, nanos: int
) -> None:
    policy = policy_from_yaml(f"risk: {{limits: {{{limits}}}}}", "p.yaml")
    assert getattr(policy.limits, field) == nanos


def test_everything_wrong_is_reported_at_once_in_the_texts_order() -> None:
    text = "risk: {limits: {price_collar: 5x, max_position: no}}\nnmae: a\nname: a\nname: b\n"
    assert [(p.place.line, p.path) for p in problems_of(text)] == [
        (1, "risk.limits.price_collar"),
        (1, "risk.limits.max_position"),
        (2, "nmae"),
        (4, "name"),
    ]


@pytest.mark.no_cover
def test_a_long_list_of_problems_and_a_long_text_have_an_end() -> None:
    assert len(problems_of("".join(f"x{n}: 1\n" for n in range(300)))) == yaml_text.PROBLEMS_MAX
    (problem,) = problems_of("#" * (yaml_text.TEXT_CHARACTERS_MAX + 1))
    assert "longer than" in problem.what
    (problem,) = problems_of(f"name: [{'a,' * yaml_text.NODES_MAX}]")
    assert "more than" in problem.what
    rows = "".join(
        f"  - {{name: a{n}, capital: 1}}\n" for n in range(sections_accounts.STRATEGIES_MAX + 1)
    )
    (problem,) = problems_of("strategies:\n" + rows)
    assert "more than 1000" in problem.what


def written(nanos: int, *, percent: bool) -> str:
    """An exact plain decimal, by arithmetic that shares nothing with the reader."""
    value = Fraction(nanos, NANOS) * (100 if percent else 1)
    digits = f"{int(value * 10**9):010d}"
    return f"{digits[:-9]}.{digits[-9:]}" + ("%" if percent else "")


@given(nanos=st.integers(1, NANOS), percent=st.booleans())
def test_every_fraction_of_nine_decimals_is_read_exactly(nanos: int, percent: bool) -> None:
    assert units.part_nanos(written(nanos, percent=percent)) == nanos
    if nanos < NANOS or percent:
        assert units.share_nanos(written(nanos, percent=percent)) == nanos


@given(nanos=st.integers(1, 10**24 - 1))
def test_every_amount_is_read_exactly(nanos: int) -> None:
    text = written(nanos, percent=False)
    assert units.money_nanos(text) == units.money_nanos(f"{text} USD") == nanos
    assert units.quantity_nanos(text) == nanos


@given(number=st.integers(1, 999), unit=st.sampled_from(list(units.PERIODS_NS)))
def test_a_duration_is_its_number_times_its_unit_or_refused(number: int, unit: str) -> None:
    expected = number * units.PERIODS_NS[unit]
    if expected > units.DURATION_NS_MAX:
        with pytest.raises(units.Refused):
            units.duration_ns(f"{number}{unit}")
    else:
        assert units.duration_ns(f"{number}{unit}") == expected


UNITS = [units.share_nanos, units.money_nanos, units.quantity_nanos, units.duration_ns]


@given(text=st.text(max_size=12) | st.from_regex(r"[-+0-9._eE%$ naif]{1,12}", fullmatch=True))
def test_a_unit_gives_a_positive_integer_or_refuses(text: str) -> None:
    for unit in (*UNITS, units.count, units.leverage_nanos):
        try:
            value = unit(text)
        except units.Refused:
            continue
        assert type(value) is int
        assert value > 0
        assert re.match(r"[0-9]", text)
        assert not re.search(r"[-+eE_$]", text.replace("USD", ""))


def read_or_refused(text: str) -> None:
    try:
        policy = policy_from_yaml(text, "p.yaml")
    except PolicyRefused as refused:
        problems = refused.problems
    else:
        assert_sane(policy)
        return
    lines = sum(text.count(end) for end in "\n\r\x85\u2028\u2029") + 2
    assert all(1 <= problem.place.line <= lines for problem in problems)


def assert_sane(policy: Policy) -> None:
    drawdowns = [*policy.losses, *(rule for s in policy.strategies for rule in s.losses)]
    for rule in drawdowns:
        assert 0 < rule.limit_nanos < NANOS
        assert rule.warning_nanos is None or 0 < rule.warning_nanos < rule.limit_nanos
        if rule.warning_clear_nanos is not None:
            assert rule.warning_nanos is not None
            assert 0 <= rule.warning_clear_nanos < rule.warning_nanos
    assert policy_from_canonical(canonical_text(policy)) == policy


@given(
    text=st.text(
        alphabet=st.sampled_from("ab:-{}[]#&*!|>'\"%@`,?\n\t \\x0UF~<=\x00\x85é"), max_size=80
    )
)
def test_any_text_is_read_or_refused_and_nothing_else(text: str) -> None:  # fmt: skip
    read_or_refused(text)


@given(data=st.data())
def test_a_damaged_policy_is_read_or_refused_and_nothing_else(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from([FULL, default_policy_text()]))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text)))
        gone = data.draw(st.integers(0, 30))
        new = data.draw(st.text(alphabet="{}[]:-,#%0159eE.sm \n_'\"&*!$", max_size=4))
        text = text[:at] + new + text[at + gone :]
    read_or_refused(text)


ALL_KEYS = [
    *(f"risk: {{limits: {{{key}: 1}}}}" for key in sections_limits.LIMITS),
    *(f"data: {{validation: {{{key}: 1}}}}" for key in sections_data.VALIDATION),
    *(f"execution: {{{key}: 1}}" for key in sections_data.EXECUTION),
    *(f"{D}{key}: 1}}}}}}" for key in sections_losses.RULE),
]


@pytest.mark.parametrize("text", ALL_KEYS)
def test_a_misspelt_key_is_answered_with_the_right_one(text: str) -> None:
    key = re.findall(r"([a-z_]+): 1", text)[0]
    misspelt = text.replace(f"{key}: 1", f"{key[0]}{key[2:]}: 1")
    (problem,) = problems_of(misspelt)
    assert problem.what == f"unknown key; did you mean `{key}`?"
