"""How many decimals of its values tell people what a condition said of them."""

from collections.abc import Sequence
from typing import Final

from fuseboard.policy.conditions.condition import Condition
from fuseboard.policy.conditions.verdict import Verdict
from fuseboard.vocabulary.measured import Value, rounded_value

PLACES: Final = 9
PLACES_MAX: Final = 40
"""More than any amount of the books takes; what no decimal tells (a third at its bound) is shown as
a fraction."""


def places_that_tell(condition: Condition, values: Sequence[Value], verdict: Verdict) -> int:
    """The fewest decimals, `PLACES` or more, with which the values as shown give this verdict too.

    0: none does, only the fractions themselves.
    """
    if verdict is Verdict.UNKNOWN:
        return PLACES
    for places in range(PLACES, PLACES_MAX + 1):
        named = zip(condition.names, values, strict=True)
        if condition.judge([rounded_value(*pair, places) for pair in named]) is verdict:
            return places
    return 0
