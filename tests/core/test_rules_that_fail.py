"""Failures of other systems: a rule that fails to load, a kill switch that fails to tell."""

import pytest

from fuseboard.policy.policy import Policy, canonical_text, digest_of
from fuseboard.policy.rules import BreakerRule, CheckRule
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.actions import Action
from fuseboard.vocabulary.evidence_effects import RecordPolicy
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.reasons import Reason
from tests.core.test_known_failures import denied, submitted
from tests.core.test_limits import asked, desk


@pytest.mark.parametrize("condition", ["ordr_size < 100", "order_size <", ""])
def test_a_rule_that_fails_to_load_is_not_skipped(condition: str) -> None:
    at = desk(Policy(checks=(CheckRule(name="mine", condition="order_size < 5"),)))
    assert denied(asked(at, quantity=5 * NANOS)) == [Reason.CUSTOM_CHECK]
    text = canonical_text(Policy(checks=(CheckRule(name="mine", condition=condition),)))
    effects = at.take(
        facts.PolicyAdopted(text=text, digest=digest_of(text), operator="ann", reason="try")
    )
    taken = [effect.accepted for effect in effects if isinstance(effect, RecordPolicy)]
    assert True not in taken, "nothing of a policy is in force when a part of it is not"
    assert denied(asked(at, quantity=5 * NANOS)) == [Reason.CUSTOM_CHECK], "the old one is"


def test_a_kill_switch_that_cannot_tell_lets_no_orders_go_on() -> None:
    at = desk(Policy(breakers=(BreakerRule(name="k", condition="vix > 30", action=Action.KILL),)))
    at.take(facts.TimeAdvanced())
    assert denied(asked(at)) == [Reason.POSTURE_REDUCE_ONLY], "nobody has reported it yet"
    at.take(facts.MeasureReported(request=0, name="vix", value=20 * NANOS, event_ns=at.now_ns))
    at.now_ns += 2 * NANOS
    at.take(facts.TimeAdvanced())
    at.quote("AAPL", 250)
    assert submitted(asked(at))
