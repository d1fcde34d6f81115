"""Which of two policies is tighter: every field has a rule, and no change is tighter both ways."""

import textwrap
from enum import Enum
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from fuseboard.policy.data_rules import ReconciliationRules
from fuseboard.policy.directions import RULES, Direction
from fuseboard.policy.explained import every_key
from fuseboard.policy.feeding import FEEDING
from fuseboard.policy.keys import KEYS
from fuseboard.policy.limits import PERCENT_NANOS, DynamicLimit, Limits, Tightening
from fuseboard.policy.loader import policy_from_yaml
from fuseboard.policy.policy import Policy
from fuseboard.policy.rules import (
    BreakerRule,
    CheckRule,
    DisconnectRule,
    KillSwitch,
    LossRule,
    StrategyRule,
)
from fuseboard.policy.tightness import NESTED, changes, loosens
from fuseboard.vocabulary.actions import Action, DrainRule, ResetRule
from fuseboard.vocabulary.catalogue import MEASURES
from fuseboard.vocabulary.money import NANOS

TIGHTER, LOOSER, NEUTRAL = Direction.TIGHTER, Direction.LOOSER, Direction.NEUTRAL


def parts(kind: type[Struct], found: dict[type[Struct], None] | None = None) -> list[type[Struct]]:
    """The policy's own structs, all of them."""
    found = {} if found is None else found
    found[kind] = None
    for hint in get_type_hints(kind).values():
        for inner in (hint, *get_args(hint)):
            if isinstance(inner, type) and issubclass(inner, Struct) and inner not in found:
                parts(inner, found)
    return list(found)


def test_every_field_of_the_policy_has_a_rule() -> None:
    for kind in parts(Policy):
        if kind in (Tightening, DisconnectRule):  # by the limit it names; as a whole
            continue
        named = {*RULES.get(kind, {}), *NESTED.get(kind, ())}
        assert named == set(kind.__struct_fields__), kind
        assert not set(RULES.get(kind, {})) & set(NESTED.get(kind, ())), kind


CONDITIONS = ("vix > 30", "vix > 31", "vix < 30", "drawdown > 5%", "vix > 30 and drawdown > 1%")
ORDER_CONDITIONS = ("price > 1", "price > 2", "order_size < 5", "price > 1 or order_size < 5")
SYMBOLS = st.lists(st.sampled_from(["A", "B", "C"]), unique=True).map(lambda it: tuple(sorted(it)))


def of_field(kind: type[Struct], field: str, hint: Any) -> st.SearchStrategy[Any]:
    """Values of one field, few enough that two draws often differ in it alone."""
    if field == "condition":
        return st.sampled_from(ORDER_CONDITIONS if kind is CheckRule else CONDITIONS)
    if field in ("stale_action", "missing_action"):
        return st.sampled_from(["deny", "reduce_only", "halt"])
    if field == "mismatch_action":
        return st.sampled_from(["notify", "reduce_only", "halt"])
    if field == "tighten":
        values = st.dictionaries(
            st.sampled_from(["positions_max", "price_floor_nanos"]), st.integers(1, 3), max_size=2
        )
        return values.map(lambda it: tuple(Tightening(field=k, value=it[k]) for k in sorted(it)))
    if field == "levels_nanos":
        return st.just((1, 2, 3)) | st.just((1, 2, 4))
    if get_origin(hint) is UnionType:
        inner = of_field(kind, field, get_args(hint)[0])
        return st.none() | inner
    if get_origin(hint) is tuple:
        inside = get_args(hint)[0]
        if inside is str:
            return SYMBOLS
        return st.lists(of_struct(inside), max_size=2, unique_by=lambda row: row.name).map(tuple)
    if get_origin(hint) is dict:
        return st.dictionaries(st.sampled_from("AB"), st.sampled_from("xy"), max_size=2)
    if hint is bool:
        return st.booleans()
    if hint is int:
        return st.integers(1, 3)
    if hint is str:
        return st.sampled_from(["a", "b"])
    if issubclass(hint, Enum):
        return st.sampled_from(list(hint))
    return of_struct(hint)


def of_struct(kind: type[Struct]) -> st.SearchStrategy[Any]:
    hints = get_type_hints(kind)
    return st.builds(kind, **{field: of_field(kind, field, hints[field]) for field in hints})


POLICIES = of_struct(Policy)


@pytest.mark.no_cover  # the tests beside it run the same lines
@given(policy=POLICIES)
def test_a_policy_differs_in_nothing_from_itself(policy: Policy) -> None:
    assert changes(policy, policy) == ()
    assert not loosens(policy, policy)


@given(old=POLICIES, new=POLICIES)
def test_what_is_tighter_one_way_is_looser_the_other(old: Policy, new: Policy) -> None:
    there = {change.path: change for change in changes(old, new)}
    back = {change.path: change for change in changes(new, old)}
    assert there.keys() == back.keys()
    assert bool(there) == (old != new)
    for path, change in there.items():
        other = back[path]
        assert (change.old, change.new) == (other.new, other.old)
        if change.direction is TIGHTER:
            assert other.direction is LOOSER, path
        assert (change.direction is NEUTRAL) == (other.direction is NEUTRAL), path


@pytest.mark.no_cover  # the tests beside it run the same lines
@given(policy=POLICIES, data=st.data())
def test_one_changed_field_is_one_change(policy: Policy, data: st.DataObject) -> None:
    part = data.draw(st.sampled_from(["limits", "data", "market", "resets", "session"]))
    kind = type(getattr(policy, part))
    field = data.draw(st.sampled_from(kind.__struct_fields__))
    value = data.draw(of_field(kind, field, get_type_hints(kind)[field]))
    old = getattr(getattr(policy, part), field)
    new = replace(policy, **{part: replace(getattr(policy, part), **{field: value})})
    expected = [] if old == value else [f"{part}.{field}"]
    assert [change.path for change in changes(policy, new)] == expected


BREAKER = BreakerRule(name="b", condition="vix > 30")
STRATEGY = StrategyRule(name="s", capital_nanos=NANOS)
DYNAMIC = DynamicLimit(
    name="d", condition="vix > 30", tighten=(Tightening(field="positions_max", value=5),)
)


def compared(*at: str) -> Policy:
    return Policy(reconciliation=ReconciliationRules(at=at))


def limited(**fields: Any) -> Policy:
    return Policy(limits=Limits(**fields))


def broken(**fields: Any) -> Policy:
    return Policy(breakers=(replace(BREAKER, **fields),))


def strangers(foreign_orders: str) -> Policy:
    return Policy(reconciliation=ReconciliationRules(foreign_orders=foreign_orders))


def drained(rule: DrainRule) -> Policy:
    return Policy(kill_switch=KillSwitch(drain=rule))


def watched(seconds: int, *, flattens: bool = False) -> Policy:
    rule = KillSwitch(watchdog_timeout_ns=seconds * 10**9, watchdog_flattens=flattens)
    return Policy(kill_switch=rule)


def ways(*methods: str) -> Policy:
    return Policy(kill_switch=KillSwitch(methods=methods))


SLACK = {"safety.kill_switch.methods": '{"slack_command":null}'}


@pytest.mark.parametrize(
    ("old", "new", "directions"),
    [
        (limited(positions_max=5), limited(positions_max=4), [TIGHTER]),
        (limited(positions_max=5), limited(), [LOOSER]),
        (limited(), limited(positions_max=5), [TIGHTER]),
        (limited(price_floor_nanos=5), limited(price_floor_nanos=4), [LOOSER]),
        (limited(net_exposure_nanos_min=-5), limited(net_exposure_nanos_min=-4), [TIGHTER]),
        (
            limited(order_rate_max=100),
            limited(order_rate_max=600, order_rate_window_ns=10**11),
            [LOOSER, TIGHTER],
        ),
        (Policy(name="a"), Policy(name="b"), [NEUTRAL]),
        (compared("09:25"), compared("09:25", "16:10"), [TIGHTER]),
        (compared("09:25"), compared("16:10"), [LOOSER]),
        *(
            (strangers(old), strangers(new), [LOOSER])  # whichever way: see `directions`
            for old in ("leave", "cancel", "adopt")
            for new in ("leave", "cancel", "adopt")
            if old != new
        ),
        (Policy(), Policy(losses=()), [LOOSER]),
        (Policy(), Policy(losses=(LossRule(action=Action.HALT),)), [LOOSER]),
        (Policy(), Policy(losses=(LossRule(action=Action.KILL),)), [LOOSER]),  # leaves it open
        (Policy(losses=(LossRule(action=Action.KILL),)), Policy(), [LOOSER]),
        (Policy(losses=(LossRule(action=Action.HALT),)), Policy(), [LOOSER]),  # arms a close
        (broken(), broken(action=Action.FLATTEN), [LOOSER]),
        (broken(action=Action.NOTIFY), broken(action=Action.FLATTEN), [LOOSER]),
        (Policy(), broken(action=Action.FLATTEN), [LOOSER]),  # arms a close of what is held
        (Policy(), broken(action=Action.KILL), [TIGHTER]),  # it cancels, and closes nothing
        (Policy(), broken(action=Action.REDUCE), [TIGHTER]),
        (Policy(losses=()), Policy(), [LOOSER]),
        (Policy(losses=()), Policy(losses=(LossRule(action=Action.HALT),)), [TIGHTER]),
        (
            broken(action=Action.FLATTEN),
            broken(action=Action.FLATTEN, condition="vix > 29"),
            [LOOSER],
        ),
        (Policy(), Policy(strategies=(replace(STRATEGY, losses=(LossRule(),)),)), [LOOSER]),
        (broken(), broken(action=Action.KILL), [TIGHTER]),
        (broken(action=Action.REDUCE), broken(), [TIGHTER]),
        (broken(action=Action.REDUCE), broken(action=Action.REDUCE_ONLY), [TIGHTER]),
        (broken(action=Action.REDUCE_ONLY), broken(), [TIGHTER]),
        (broken(), broken(action=Action.REDUCE_ONLY), [LOOSER]),
        (broken(action=Action.REDUCE_ONLY), broken(action=Action.FLATTEN), [LOOSER]),
        (broken(action=Action.KILL), broken(action=Action.REDUCE_ONLY), [LOOSER]),
        (drained(DrainRule.LEAVE), drained(DrainRule.CANCEL), [TIGHTER]),
        (drained(DrainRule.CANCEL), drained(DrainRule.FLATTEN), [LOOSER]),
        (drained(DrainRule.FLATTEN), drained(DrainRule.LEAVE), [LOOSER]),
        (Policy(later={"a": "1"}), Policy(), [LOOSER]),
        (Policy(later={"a": "1"}), Policy(later={"a": "2", "b": "1"}), [LOOSER, LOOSER]),
        (Policy(later={"a": "1"}), Policy(later={"a": "1", "b": "1"}), [LOOSER]),
        (Policy(later=SLACK), Policy(), [NEUTRAL]),
        (Policy(later={"a": "1", **SLACK}), Policy(), [LOOSER, NEUTRAL]),
        (ways("api"), ways("api", "signal"), [TIGHTER]),
        (ways("api"), ways("signal"), [LOOSER]),
        (ways("api"), ways("file"), [LOOSER]),
        (ways("api"), ways("api", "cli", "file", "slack_command"), [NEUTRAL]),
        (Policy(), Policy(losses=(LossRule(reset=ResetRule.NEXT_TRADING_DAY),)), [LOOSER]),
        (Policy(), Policy(losses=(LossRule(limit_nanos=PERCENT_NANOS),)), [TIGHTER]),
        (Policy(), Policy(breakers=(BREAKER,)), [TIGHTER]),
        (Policy(breakers=(BREAKER,)), Policy(), [LOOSER]),
        (broken(), broken(name="c"), [LOOSER, TIGHTER]),
        (broken(), broken(condition="vix > 29"), [TIGHTER]),
        (broken(), broken(condition="vix > 31"), [LOOSER]),
        (broken(), broken(condition="vix >= 30"), [LOOSER]),
        (broken(), broken(condition="drawdown > 1%"), [LOOSER]),
        (broken(), broken(condition="vix > 30 or drawdown > 1%"), [LOOSER]),
        (broken(condition="sharpe < 1"), broken(condition="sharpe < 2"), [TIGHTER]),
        (broken(), broken(scope="strategy:*"), [LOOSER]),
        (
            Policy(checks=(CheckRule(name="c", condition="price > 1"),)),
            Policy(checks=(CheckRule(name="c", condition="price > 2"),)),
            [TIGHTER],
        ),
        (
            Policy(checks=(CheckRule(name="c", condition="order_size < 5"),)),
            Policy(checks=(CheckRule(name="c", condition="order_size < 6"),)),
            [LOOSER],
        ),
        (
            Policy(dynamic_limits=(DYNAMIC,)),
            Policy(dynamic_limits=(replace(DYNAMIC, tighten=()),)),
            [LOOSER],
        ),
        (
            Policy(dynamic_limits=(DYNAMIC,)),
            Policy(
                dynamic_limits=(
                    replace(DYNAMIC, tighten=(Tightening(field="positions_max", value=4),)),
                )
            ),
            [TIGHTER],
        ),
        (Policy(), Policy(strategies=(STRATEGY,)), [TIGHTER]),
        (Policy(strategies=(STRATEGY,)), Policy(), [LOOSER]),
        (
            Policy(strategies=(STRATEGY,)),
            Policy(strategies=(STRATEGY, replace(STRATEGY, name="t"))),
            [LOOSER],
        ),
        (
            Policy(strategies=(STRATEGY,)),
            Policy(strategies=(replace(STRATEGY, symbols=("A",)),)),
            [TIGHTER],
        ),
        (Policy(restricted=("A",)), Policy(restricted=("A", "B")), [TIGHTER]),
        (Policy(restricted=("A",)), Policy(restricted=("B",)), [LOOSER]),
        (Policy(checks_off=()), Policy(checks_off=("tick",)), [LOOSER]),
        (watched(10), watched(5), [TIGHTER]),
        (watched(5), watched(10), [LOOSER]),
        (watched(10, flattens=True), watched(5, flattens=True), [LOOSER]),
        (watched(5, flattens=True), watched(10, flattens=True), [LOOSER]),
    ],
)
def test_a_change_has_its_direction(old: Policy, new: Policy, directions: list[Direction]) -> None:
    found = changes(old, new)
    assert [change.direction for change in found] == directions
    assert loosens(old, new) == (LOOSER in directions)


def flattening(policy: Policy) -> dict[str, LossRule | BreakerRule]:
    """Every rule that may close positions, by where it stands and its name."""
    rules: dict[str, LossRule | BreakerRule] = {
        f"breakers[{rule.name}]": rule for rule in policy.breakers
    }
    rules |= {f"losses[{rule.name}]": rule for rule in policy.losses}
    for strategy in policy.strategies:
        rules |= {f"{strategy.name}.losses[{rule.name}]": rule for rule in strategy.losses}
    return {path: rule for path, rule in rules.items() if rule.action is Action.FLATTEN}


@pytest.mark.no_cover  # the tests above run the same lines
@given(old=POLICIES, data=st.data())
def test_no_rule_gets_leave_to_close_positions_without_a_person(
    old: Policy, data: st.DataObject
) -> None:
    part = data.draw(st.sampled_from(["losses", "breakers", "strategies"]))
    new = replace(old, **{part: getattr(data.draw(POLICIES), part)})
    before = flattening(old)
    more = {path: rule for path, rule in flattening(new).items() if rule != before.get(path)}
    for path, rule in more.items():
        known = before.get(path)
        if isinstance(rule, BreakerRule) and isinstance(known, BreakerRule):
            if rule.condition == known.condition and rule.scope == known.scope:
                continue
        elif known is not None:
            continue  # with lower numbers: the kernel asks whether it would close at once
        assert loosens(old, new), path


def test_values_are_shown_as_people_write_them() -> None:
    new = policy_from_yaml(
        "risk: {limits: {max_order_value: 5000 USD, price_collar: 2.5%, duplicate_window: 90s}}",
        "p",
    )
    assert [(change.path, change.old, change.new) for change in changes(Policy(), new)] == [
        ("limits.order_value_nanos_max", "100000 USD", "5000 USD"),
        ("limits.price_collar_nanos", "5%", "2.5%"),
        ("limits.duplicate_window_ns", "not set", "90s"),
    ]


ALERTING = """\
monitoring: {metrics: {port: 9464}}
alerting:
  channels:
    slack: {webhook_url: "${SLACK_URL}", min_severity: info}
    pagerduty: {routing_key: "${PAGER_KEY}", min_severity: page}
  rules: [{name: half, condition: daily_pnl < -0.015, severity: warning}]
  deliver_within: 5s
audit: {enabled: true, retention: 7y}
"""


def later_rows(*replaced: tuple[str, str]) -> list[tuple[str, str, str]]:
    text = ALERTING
    for old, new in replaced:
        assert old in text
        text = text.replace(old, new)
    before, after = policy_from_yaml(ALERTING, "p"), policy_from_yaml(text, "p")
    found = changes(before, after)
    assert all(change.direction is LOOSER for change in found)
    assert all(change.path == f"later.{change.key}" for change in found)
    return [(change.key, change.old, change.new) for change in found]


def test_each_key_of_a_section_that_nothing_enforces_is_said_with_its_values() -> None:
    pager = '    pagerduty: {routing_key: "${PAGER_KEY}", min_severity: page}\n'
    rows = later_rows(
        (pager, ""),
        ("min_severity: info", "min_severity: page"),
        ("port: 9464", "port: 9465"),
        ("severity: warning}", "severity: info}"),
        ("5s", "2m"),
        ("7y", "1y"),
        ("${SLACK_URL}", "${OTHER_URL}"),
    )
    assert sorted(rows) == [
        ("alerting.channels.pagerduty.min_severity", "page", "not set"),
        ("alerting.channels.pagerduty.routing_key", "${PAGER_KEY}", "not set"),
        ("alerting.channels.slack.min_severity", "info", "page"),
        ("alerting.channels.slack.webhook_url", "${SLACK_URL}", "${OTHER_URL}"),
        ("alerting.deliver_within", "5s", "2m"),
        ("alerting.rules[half].severity", "warning", "info"),
        ("audit.retention", "7y", "1y"),
        ("monitoring.metrics.port", "9464", "9465"),
    ]


def test_rows_in_another_order_and_a_section_that_goes_or_comes_are_said_too() -> None:
    half = "{name: half, condition: daily_pnl < -0.015, severity: warning}"
    more = "{name: more, condition: daily_pnl < -0.02, severity: page}"
    one, two = (
        policy_from_yaml(ALERTING.replace(half, f"{first}, {second}"), "p")
        for first, second in ((half, more), (more, half))
    )
    (row,) = changes(one, two)
    assert (row.key, row.direction) == ("alerting", LOOSER)
    assert row.old != row.new
    assert later_rows(("audit: {enabled: true, retention: 7y}\n", "")) == [
        ("audit.enabled", "yes", "not set"),
        ("audit.retention", "7y", "not set"),
    ]
    bare = policy_from_yaml(ALERTING.partition("audit")[0], "p")
    came = changes(bare, policy_from_yaml(ALERTING, "p"))
    assert [(at.key, at.old, at.direction) for at in came] == [
        ("audit.enabled", "not set", LOOSER),
        ("audit.retention", "not set", LOOSER),
    ]


@pytest.mark.parametrize(
    "text", ["x", "", "[" * 5_000, "[1.5, null]", '{"a":' * 300 + "1" + "}" * 300, "1" * 5_000]
)
def test_what_no_file_is_read_as_is_said_too_and_breaks_nothing(text: str) -> None:
    for old, new in (({"a": text}, {}), ({"a": text}, {"a": "{}"}), ({}, {"audit": text})):
        rows = changes(Policy(later=old), Policy(later=new))
        assert rows
        assert all(row.old != row.new for row in rows)
        assert all(max(len(row.old), len(row.new)) <= 300 for row in rows)


WORDS = ("name", "(", "built-in", "sections that")
"""Keys that say more than a path: no single key of a file holds what they are."""


@pytest.mark.parametrize("part", RULES, ids=lambda part: part.__name__)
def test_every_field_has_the_key_that_a_file_writes(part: type[Struct]) -> None:
    assert sorted(KEYS[part]) == sorted(part.__struct_fields__)
    known = [f".{row.key}" for row in every_key()]
    for key in KEYS[part].values():
        if key and not any(word in key for word in WORDS):
            assert any(row.endswith(f".{key}") for row in known), key


def test_a_change_is_called_as_the_file_calls_it() -> None:
    text = """
    strategies: [{name: a, capital: 5000 USD, losses: {daily: {hard: 2%, action: halt}}}]
    risk:
      limits: {net_exposure: [-0.5, 1.2]}
      dynamic_limits: [{name: d, condition: vix > 30, action: {max_position: 2%}}]
    safety:
      loss_limits: {drawdown: {hard: 4%}}
      circuit_breakers: [{name: b, condition: vix > 40, action: halt, cooldown: 10m}]
      kill_switch: {triggers: [{watchdog: 5s}]}
    resets: {resets_a_day: 2}
    overrides: {expire_after: 1m}
    data: {validation: {max_age: 5s}, anomaly_detection: {gaps: 1m}}
    """
    new = policy_from_yaml(textwrap.dedent(text), "p")
    other = policy_from_yaml(
        textwrap.dedent(text)
        .replace("hard: 2%", "hard: 1%")
        .replace("max_position: 2%", "max_position: 1%")
        .replace("cooldown: 10m", "cooldown: 20m"),
        "p",
    )
    keys = [change.key for change in (*changes(Policy(), new), *changes(new, other))]
    assert set(keys) >= {
        "strategies[a]",
        "strategies[a].losses.daily.hard",
        "risk.limits.net_exposure (from)",
        "risk.limits.net_exposure (to)",
        "risk.dynamic_limits[d]",
        "risk.dynamic_limits[d].action.max_position",
        "safety.loss_limits.drawdown.hard",
        "safety.circuit_breakers[b]",
        "safety.circuit_breakers[b].cooldown",
        "safety.kill_switch.triggers (watchdog)",
        "resets.resets_a_day",
        "overrides.expire_after",
        "data.validation.max_age",
        "data.anomaly_detection.gaps",
    }


THIN = """
safety: {circuit_breakers: [{name: thin, condition: NAME, action: ACTION}]}
"""


@pytest.mark.parametrize(
    ("condition", "now"),
    [
        (
            "liquidity_score < 40",
            "liquidity: {scales: {spread: 0.05%, depth: 100x, impact: 0.01%}}",
        ),
        ("liquidity_tier > 1", "liquidity: {scales: {spread: 0.05%}}"),
        ("liquidity_score < 40", "liquidity: {}\ndata: {validation: {max_age: 1s}}"),
        ("fill_quality < 80", "liquidity: {}\nexecution: {slippage: {max_bps: 1}}"),
    ],
)
def test_what_makes_the_number_of_a_breaker_that_flattens_is_changed_by_a_person(
    condition: str, now: str
) -> None:
    for action, expected in (("flatten", LOOSER), ("halt", TIGHTER)):
        head = THIN.replace("NAME", condition).replace("ACTION", action)
        old = policy_from_yaml(f"{head}liquidity: {{}}\n", "old")
        new = policy_from_yaml(f"{head}{now}\n", "new")
        assert {change.direction for change in changes(old, new)} == {expected}


def test_what_feeds_a_breaker_is_named_by_measures_and_settings_that_exist() -> None:
    for name, settings in FEEDING.items():
        assert name in MEASURES
        for kind, fields in settings.items():
            assert kind in parts(Policy)
            assert set(fields) <= set(kind.__struct_fields__)


@pytest.mark.parametrize("later", ["audit: {enabled: false}", "alerting: {enabled: false}"])
def test_what_nothing_enforces_yet_is_never_provably_tighter(later: str) -> None:
    old, new = policy_from_yaml("name: a", "old"), policy_from_yaml(f"name: a\n{later}", "new")
    assert [change.direction for change in changes(old, new)] == [LOOSER]
