"""The condition language of policies: small, total, exact, checked with units, compiled once."""

from fuseboard.policy.conditions.compiled import all_hold
from fuseboard.policy.conditions.condition import Condition, condition_from_text, simple_bound
from fuseboard.policy.conditions.possible import check_possible
from fuseboard.policy.conditions.telling import places_that_tell
from fuseboard.policy.conditions.tree import ConditionRefused
from fuseboard.policy.conditions.verdict import Verdict

__all__ = [
    "Condition",
    "ConditionRefused",
    "Verdict",
    "all_hold",
    "check_possible",
    "condition_from_text",
    "places_that_tell",
    "simple_bound",
]
