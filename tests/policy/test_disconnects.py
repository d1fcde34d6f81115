"""`cancel_on_disconnect`: off unless written, a strategy's own, and which way a change goes."""

import pytest

from fuseboard.policy.directions import Direction
from fuseboard.policy.explained import explained
from fuseboard.policy.limits import SECOND_NS
from fuseboard.policy.loader import policy_from_yaml, read_policy
from fuseboard.policy.policy import Policy, canonical_text, own_disconnects, policy_from_canonical
from fuseboard.policy.rules import DisconnectRule, StrategyRule
from fuseboard.policy.summary import summary
from fuseboard.policy.tightness import changes
from fuseboard.policy.yaml_text import PolicyRefused
from fuseboard.vocabulary.actions import ConnectedBy

TIGHTER, LOOSER, NEUTRAL = Direction.TIGHTER, Direction.LOOSER, Direction.NEUTRAL
STREAM, REQUESTS, PROCESS = ConnectedBy.STREAM, ConnectedBy.REQUESTS, ConnectedBy.PROCESS


def rule(seconds: int = 10, by: ConnectedBy = STREAM, *, enabled: bool = True) -> DisconnectRule:
    return DisconnectRule(enabled=enabled, after_ns=seconds * SECOND_NS, connected_by=by)


def safety(section: str, own: str = "") -> Policy:
    text = f"safety: {{cancel_on_disconnect: {{{section}}}}}\n"
    if own:
        text += f"strategies: [{{name: s, capital: 1000, cancel_on_disconnect: {{{own}}}}}]"
    return policy_from_yaml(text, "p")


def test_it_is_off_unless_the_section_is_written() -> None:
    assert not policy_from_yaml("name: a", "p").disconnect.enabled
    assert safety("after: 10s").disconnect == rule()
    assert safety("connected_by: process, after: 3").disconnect == rule(3, PROCESS)
    assert not safety("enabled: false, after: 3s").disconnect.enabled


def test_a_policy_that_was_adopted_before_there_was_such_a_rule_has_it_off() -> None:
    text = canonical_text(Policy()).replace(f'"disconnect":{part()},', "")
    assert "disconnect" not in text
    assert policy_from_canonical(text) == Policy()


def part() -> str:
    return '{"enabled":false,"after_ns":10000000000,"connected_by":"stream"}'


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ("enabled: false", rule(5, enabled=False)),
        ("after: 1m", rule(60)),
        ("connected_by: process", rule(5, PROCESS)),
        ("connected_by: requests, after: 1m", rule(60, REQUESTS)),
    ],
)
def test_what_a_strategys_own_leaves_out_is_as_for_the_account(
    own: str, expected: DisconnectRule
) -> None:
    policy = safety("after: 5s", own)
    assert own_disconnects(policy) == {"s": expected}


def test_one_strategy_may_have_it_where_the_account_has_not() -> None:
    text = "strategies: [{name: s, capital: 1000, cancel_on_disconnect: {after: 3s}}]"
    policy = policy_from_yaml(text, "p")
    assert not policy.disconnect.enabled
    assert own_disconnects(policy) == {"s": rule(3)}


@pytest.mark.parametrize(
    ("section", "own", "what"),
    [
        ("connected_by: requests", "", "longer than the longest pause between two"),
        ("after: 10s", "connected_by: requests", "write `after` too"),
        ("after: 500ms", "", "1s"),
        ("connected_by: strean", "", "did you mean `stream`?"),
    ],
)
def test_what_would_cancel_by_accident_is_refused(section: str, own: str, what: str) -> None:
    with pytest.raises(PolicyRefused, match=what):
        safety(section, own)


def test_a_strategys_own_requests_need_no_time_where_the_account_says_one() -> None:
    policy = safety("connected_by: requests, after: 1m", "connected_by: requests")
    assert own_disconnects(policy) == {"s": rule(60, REQUESTS)}


@pytest.mark.parametrize(
    ("old", "new", "direction"),
    [
        (DisconnectRule(), rule(60), TIGHTER),  # on is tighter than off, however late
        (rule(), DisconnectRule(), LOOSER),
        (rule(10), rule(11), LOOSER),
        (rule(11), rule(10), TIGHTER),
        (rule(10, STREAM), rule(9, REQUESTS), LOOSER),
        (rule(9, REQUESTS), rule(10, STREAM), LOOSER),
        (rule(10, enabled=False), rule(20, PROCESS, enabled=False), NEUTRAL),
    ],
)
def test_turning_off_and_lengthening_loosen(
    old: DisconnectRule, new: DisconnectRule, direction: Direction
) -> None:
    (change,) = changes(Policy(disconnect=old), Policy(disconnect=new))
    assert (change.key, change.direction) == ("safety.cancel_on_disconnect", direction)


def owned(account: DisconnectRule, own: DisconnectRule | None, *more: StrategyRule) -> Policy:
    row = StrategyRule(name="s", capital_nanos=1, disconnect=own)
    return Policy(disconnect=account, strategies=(row, *more))


@pytest.mark.parametrize(
    ("own", "direction"),
    [(rule(10), NEUTRAL), (rule(9), TIGHTER), (rule(11), LOOSER), (DisconnectRule(), LOOSER)],
)
def test_a_strategys_own_that_comes_is_compared_with_the_accounts_that_held_before(
    own: DisconnectRule, direction: Direction
) -> None:
    (change,) = changes(owned(rule(), None), owned(rule(), own))
    assert change.key == "strategies[s].cancel_on_disconnect"
    assert change.direction is direction
    (back,) = changes(owned(rule(), own), owned(rule(), None))
    assert (back.direction is NEUTRAL) == (direction is NEUTRAL)


def test_a_first_strategy_with_its_own_off_loosens_what_the_account_says() -> None:
    found = changes(Policy(disconnect=rule()), owned(rule(), DisconnectRule()))
    assert [change.direction for change in found] == [TIGHTER, LOOSER]


def test_it_is_said_with_its_line_and_explained() -> None:
    text = "safety:\n  cancel_on_disconnect:\n    after: 20s\n"
    text += "strategies:\n  - {name: s, capital: 1000, cancel_on_disconnect: {enabled: false}}\n"
    rows = [row for row in summary(read_policy(text, "p")) if row.section.startswith("cancel on")]
    assert [(row.key, row.value, row.line) for row in rows] == [
        ("s: enabled", "no", 5),
        ("s: after", "20s", 5),
        ("s: connected_by", "stream", 5),
        ("enabled", "yes", 2),
        ("after", "20s", 3),
        ("connected_by", "stream", None),
    ]
    found = {row.key: row for row in explained("safety.cancel_on_disconnect")}
    assert found["safety.cancel_on_disconnect.after"].default == "10s"
    assert found["safety.cancel_on_disconnect.after"].enforced == "cancel on disconnect"
