"""What `policy check` says of a rule is what the rule does."""

import pytest

from fuseboard.policy.loader import read_policy
from fuseboard.policy.summary import Line, summary


def line_of(text: str, key: str) -> Line:
    (line,) = [row for row in summary(read_policy(text, "p")) if row.key == key]
    return line


BY_THE_OPEN = "lifted by the open of the next trading day, or a person, after 10m at the earliest."


@pytest.mark.parametrize(
    ("action", "ends"),
    [
        ("reduce", "new risk is halved while it holds; ends once it was false for 10m."),
        ("notify_desk", "people are told; ends once it was false for 10m."),
        (
            "close_only",
            f"what works and raises risk is cancelled; {BY_THE_OPEN}",
        ),
        ("halt", f"stops that already work stay; {BY_THE_OPEN}"),
        ("kill", "lifted by people, never by the calendar, after 10m at the earliest."),
    ],
)
def test_how_a_breaker_ends_is_said_by_its_action(action: str, ends: str) -> None:
    rule = f"{{name: b, condition: vix > 30, action: {action}, cooldown: 10m"
    text = f"safety: {{circuit_breakers: [{rule}, reset: next_trading_day}}]}}"
    assert ends in line_of(text, "b").about


@pytest.mark.parametrize("action", ["close_only", "halt", "kill"])
def test_without_a_cooldown_nothing_is_said_of_one_but_of_a_flatten(action: str) -> None:
    loss = f"loss_limits: {{daily: {{hard: 3%, action: {action}}}}}"
    breaker = f"circuit_breakers: [{{name: b, condition: vix > 30, action: {action}}}]"
    text = f"safety: {{{loss}, {breaker}}}"
    assert "at the earliest" not in line_of(text, "daily_loss").about
    assert "at the earliest" not in line_of(text, "b").about
    assert "after 5m at the earliest" in line_of(text.replace(action, "flatten"), "b").about


def test_a_kill_of_a_loss_is_not_said_to_be_lifted_by_the_calendar() -> None:
    rule = "{hard: 3%, action: kill, reset: next_trading_day}"
    about = line_of(f"safety: {{loss_limits: {{daily: {rule}}}}}", "daily_loss").about
    assert "lifted by people, never by the calendar" in about


def test_a_dynamic_limit_that_tightens_nothing_says_so() -> None:
    action = "{max_position: 50%, gross_exposure: 0.5, net_exposure: [-1, 1], max_positions: 9}"
    rules = f"dynamic_limits: [{{name: storm, condition: vix > 30, action: {action}}}]"
    limits = "{max_position: 5%, net_exposure: [-0.5, 2], max_positions: 9}"
    value = line_of(f"risk: {{limits: {limits}, {rules}}}", "storm").value
    assert "max_position 50% (changes nothing: the limit itself is 5%)" in value
    assert "max_positions 9 (changes nothing: the limit itself is 9)" in value
    assert "net_exposure (from) -100% (changes nothing: the limit itself is -50%)" in value
    assert value.count("changes nothing") == 3
    assert "gross_exposure 50%" in value


@pytest.mark.parametrize("scope", ["symbol:AAPL", "symbol:*", "account"])
def test_what_a_symbols_loss_is_a_part_of_is_said(scope: str) -> None:
    rule = f"{{name: b, condition: drawdown > 5%, action: halt, scope: '{scope}'}}"
    about = line_of(f"safety: {{circuit_breakers: [{rule}]}}", "b").about
    assert ("is a part of the account's equity at the opening" in about) is (scope != "account")
