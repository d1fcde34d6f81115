"""A loss has no end: more than a strategy's declared capital is lost, and its breaker knows."""

import pytest

from fuseboard.policy.loader import policy_from_yaml
from fuseboard.vocabulary.money import ATTOS, NANOS
from tests.core.measures.books import ACCOUNT, ALPHA, WATCHED, Books, notice, rules

CONDITIONS = (
    "daily_pnl < -100%",
    "weekly_pnl < -100%",
    "monthly_pnl <= -110%",
    "drawdown > 100%",
    "rolling_drawdown >= 110%",
)


@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_breaker_beyond_a_loss_of_everything_holds_where_it_was_lost(condition: str) -> None:
    text = f"safety: {{circuit_breakers: [{{name: b, condition: {condition}, scope: {ALPHA!r}}}]}}"
    policy_from_yaml(f"strategies: [{{name: alpha, capital: 500000}}]\n{text}", "p")
    desk = Books(rules(notice(1, condition, ALPHA), notice(2, condition), WATCHED))
    desk.begins(0)
    desk.marks(250 * NANOS)
    desk.fills(-3000 * NANOS, 250 * NANOS)
    for price in (275, 302, 332, 365, 401, 441, 485):
        for _ in range(3):
            desk.now_ns += NANOS
            desk.marks(price * NANOS)
    assert desk.equity_attos(ALPHA) > 0
    assert not desk.is_noted(1, ALPHA)
    for _ in range(3):
        desk.now_ns += NANOS
        desk.marks(530 * NANOS)
    assert desk.equity_attos(ALPHA) < -50_000 * ATTOS, "short: more is lost than its capital"
    assert desk.is_noted(1, ALPHA)
    assert not desk.is_noted(2, ACCOUNT), "the account has more"
