"""`policy check` says which breakers cannot trip a young account."""

import pytest

from fuseboard.policy.loader import read_policy
from fuseboard.policy.summary import summary


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("sharpe < 0.5", "sharpe counts as good until 20 returns are known."),
        ("vix > 30 or fill_quality < 80", "fill_quality counts as good until there are fills"),
        ("reject_rate > 5%", "reject_rate counts as good until there are submits"),
        ("drawdown > 5%", ""),
    ],
)
def test_a_breaker_over_a_window_of_our_own_history_says_when_it_begins(
    condition: str, said: str
) -> None:
    text = f"safety: {{circuit_breakers: [{{name: b, condition: '{condition}'}}]}}"
    (line,) = [row for row in summary(read_policy(text, "p")) if row.key == "b"]
    assert said in line.about
    assert ("counts as good" in line.about) == bool(said)
    assert line.about.endswith("While it cannot be told, only reductions pass.")
