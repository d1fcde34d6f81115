"""Breakers that read well and could never do their work: refused, with the way out."""

from collections.abc import Sequence
from typing import Final

from fuseboard.policy.conditions import Verdict, condition_from_text, simple_bound
from fuseboard.policy.limits import Limits, in_a_second
from fuseboard.policy.policy import Policy
from fuseboard.policy.rules import BreakerRule, StrategyRule
from fuseboard.vocabulary.actions import Action
from fuseboard.vocabulary.catalogue import MEASURES
from fuseboard.vocabulary.measured import whole_value
from fuseboard.vocabulary.ranges import AT_REST

LIQUIDITY_TIER: Final = "liquidity_tier"
LATCHES: Final = (Action.REDUCE_ONLY, Action.HALT, Action.FLATTEN, Action.KILL)
_KEYS: Final = {"order_rate": "order_rate", "messages": "message_rate"}


def scope_mistake(rule: BreakerRule, strategies: Sequence[StrategyRule]) -> str:
    """Why a measure of this breaker would never be known on its scope; empty when each can be."""
    kind, _, name = rule.scope.partition(":")
    named = name == "*" or any(strategy.name == name for strategy in strategies)
    if kind == "strategy" and strategies and not named:
        return f"no {name} is among `strategies`, so it never trades: name it there too"
    for measure in condition_from_text(rule.condition, order=False).names:
        scopes = MEASURES[measure].scopes
        if kind not in scopes:
            known = " or ".join(_SHOWN[scope] for scope in scopes)
            return f"{measure} is never known on {rule.scope}: it is on {known}"
        on_capital = MEASURES[measure].equity or measure == "sharpe"
        if kind == "strategy" and on_capital and not named:
            what = f"{measure} of {name} is a part of its capital"
            return f"{what}: name {name} under `strategies`, with its `capital`"
    return ""


def bound_mistake(rule: BreakerRule, limits: Limits) -> str:
    """Why this bound is beyond what the limits let happen; empty when it can be reached.

    Orders beyond the rate are denied and do not count, so a second never holds more than its limit
    lets pass in so many windows as a second has.
    """
    bound = simple_bound(condition_from_text(rule.condition, order=False))
    if bound is None or bound[1] not in (">", ">=") or bound[0] not in _KEYS:
        return ""
    name, operator, value = bound
    if name == "order_rate":
        most = in_a_second(limits.order_rate_max, limits.order_rate_window_ns)
    elif limits.messages_max is not None:  # the one that is judged counts too
        most = in_a_second(limits.messages_max + 1, limits.messages_window_ns)
    else:
        return ""
    if value < most or (operator == ">=" and value == most):
        return ""
    key = _KEYS[name]
    return f"{name} never passes {most}, for `{key}` denies what is beyond it: write less than that"


def trips_at_once(rule: BreakerRule) -> str:
    """Why a breaker that only a reset lifts trips as soon as it is there; empty when it does not.

    A sign or a comparison the wrong way round: it holds of an account that has lost nothing yet.
    """
    condition = condition_from_text(rule.condition, order=False)
    values = [
        whole_value(name, AT_REST[name]) if name in AT_REST else None for name in condition.names
    ]
    if rule.action not in LATCHES or condition.judge(values) is not Verdict.HOLDS:
        return ""
    loss = next((name for name in condition.names if name.endswith("_pnl")), "")
    hint = f" (a loss is below zero: `{loss} < -3%`)" if loss else ""
    what = "holds before anything is traded or lost, so it would trip at once"
    return f"`{rule.condition}` {what}: is it the wrong way round?{hint}"


def unmeasured(policy: Policy) -> list[tuple[str, str]]:
    """Where the policy asks for a tier and measures no liquidity: each field, and the way out."""
    if policy.liquidity.enabled:
        return []
    asked = [(f"breakers[{rule.name}]", rule.condition, False) for rule in policy.breakers]
    asked += [(f"checks[{rule.name}]", rule.condition, True) for rule in policy.checks]
    asked += [
        (f"dynamic_limits[{rule.name}]", rule.condition, False) for rule in policy.dynamic_limits
    ]
    return [
        (field, f"{LIQUIDITY_TIER} is never known without a `liquidity` section: write one")
        for field, condition, order in asked
        if LIQUIDITY_TIER in condition_from_text(condition, order=order).names
    ]


_SHOWN: Final = {
    "account": "`account`",
    "strategy": "`strategy:NAME` (or `strategy:*`)",
    "symbol": "`symbol:NAME` (or `symbol:*`)",
}
