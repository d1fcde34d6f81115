"""What other settings make the number that a breaker judges: such a change may trip it at once.

A breaker that flattens closes positions when its number passes its bound. Who changes how that
number is made can make it pass without touching the breaker. Beside such a breaker each of these
changes therefore asks for a person, whichever way it goes (docs/adr/0011).
"""

from typing import Final, TypeAlias

from msgspec import Struct

from fuseboard.policy.conditions.condition import condition_from_text
from fuseboard.policy.data_rules import DataRules, ExecutionRules
from fuseboard.policy.liquidity_rules import LiquidityRules
from fuseboard.policy.policy import Policy
from fuseboard.vocabulary.actions import Action

Fed: TypeAlias = dict[type[Struct], dict[str, None]]
"""Names of settings, by the part of the policy that they stand in."""
_SCORED: Final[dict[type[Struct], tuple[str, ...]]] = {
    LiquidityRules: tuple(
        name
        for name in LiquidityRules.__struct_fields__
        if name not in ("normal", "cautious", "defensive", "emergency", "exit_within_ns")
    ),
    # A quote that prices nothing scores nothing.
    DataRules: (
        "quote_age_ns_max",
        "arrival_ns_max",
        "heartbeat_ns_max",
        "spread_nanos_max",
        "jump_nanos_max",
        "price_change_deviations",
    ),
}
FEEDING: Final[dict[str, dict[type[Struct], tuple[str, ...]]]] = {
    "liquidity_score": _SCORED,
    "liquidity_tier": _SCORED,
    "fill_quality": {ExecutionRules: ("slippage_nanos_max",)},
}
"""By measure, the settings that make its number. All other measures are the account's own."""


def fed_to_flattening(policy: Policy) -> Fed:
    """The settings whose numbers a breaker of this policy closes positions by."""
    found: Fed = {}
    for breaker in policy.breakers:
        if breaker.action is not Action.FLATTEN:
            continue
        for name in condition_from_text(breaker.condition, order=False).names:
            for kind, fields in FEEDING.get(name, {}).items():
                found.setdefault(kind, {}).update(dict.fromkeys(fields))
    return found
