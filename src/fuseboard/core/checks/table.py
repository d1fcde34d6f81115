"""The table of checks: which check applies to which intent, in the order they run.

One data structure, printed into the docs. A new check is one file and one row here. Where every
order asks it, `quick.py` may make its comparison too (`quick=True`). The first
denial stops; every check that ran is reported. Plans and cancels are not listed: no check may
hold them back (law 13), the outlet's epoch and the plan's own clamp are what bounds them.
"""

from collections.abc import Callable
from typing import Final

from fuseboard.core.checks import (
    buying_power,
    daily_orders,
    duplicate,
    gross_exposure,
    leverage,
    liquidity,
    liquidity_tier,
    maintenance,
    max_position,
    messages,
    net_exposure,
    opposite_strategy,
    order_quantity,
    order_rate,
    order_value,
    permissions,
    positions,
    posture,
    price_collar,
    price_floor,
    quote,
    reconciled,
    restricted,
    sector,
    self_match,
    session,
    tick,
    working_orders,
)
from fuseboard.core.checks.active import ALLOWED, Finding, Row
from fuseboard.core.checks.proposal import Proposal
from fuseboard.policy.policy import Policy
from fuseboard.vocabulary.orders import Intent


def _has_restricted(policy: Policy) -> bool:
    return bool(policy.restricted)


def _has_permissions(policy: Policy) -> bool:
    return any(rule.symbols for rule in policy.strategies)


def _measures_liquidity(policy: Policy) -> bool:
    return policy.liquidity.enabled


_ANY = (Intent.OPEN, Intent.REDUCE)
_NEW_RISK = (Intent.OPEN,)
WORST_CASE: Final = (
    "max_position",
    "sector",
    "positions",
    "gross_exposure",
    "net_exposure",
    "leverage",
    "buying_power",
    "maintenance_margin",
)
"""The rows that judge what the account may come to, whoever's order it is."""
TABLE: Final = (
    Row(
        name="tick", passes=tick.passes, found=tick.found, intents=_ANY, quick=True, may_be_off=True
    ),
    Row(
        name="reconciled",
        passes=reconciled.passes,
        found=reconciled.found,
        intents=_ANY,
        quick=True,
    ),
    Row(
        name="posture",
        passes=posture.passes,
        found=posture.found,
        intents=_ANY,
        quick=True,
        of_posture=True,
    ),
    Row(
        name="order_rate",
        passes=order_rate.passes,
        found=order_rate.found,
        intents=_NEW_RISK,
        quick=True,
        needs=("order_rate_max", "order_rate_window_ns"),
    ),
    Row(
        name="messages",
        passes=messages.passes,
        found=messages.found,
        intents=_NEW_RISK,
        quick=True,
        needs=("messages_max",),
    ),
    Row(
        name="daily_orders",
        passes=daily_orders.passes,
        found=daily_orders.found,
        intents=_NEW_RISK,
        quick=True,
        needs=("daily_orders_max",),
        overridable=True,
    ),
    Row(
        name="working_orders",
        passes=working_orders.passes,
        found=working_orders.found,
        intents=_ANY,
        quick=True,
        needs=("working_orders_max",),
    ),
    Row(
        name="restricted_list",
        passes=restricted.passes,
        found=restricted.found,
        intents=_NEW_RISK,
        quick=True,
        wanted=_has_restricted,
        fields=("restricted",),
        may_be_off=True,
        overridable=True,
    ),
    Row(
        name="permissions",
        passes=permissions.passes,
        found=permissions.found,
        intents=_NEW_RISK,
        quick=True,
        wanted=_has_permissions,
        fields=("strategies.symbols",),
    ),
    Row(
        name="quote",
        passes=quote.passes,
        found=quote.found,
        intents=_NEW_RISK,
        quick=True,
        fields=("data.quote_age_ns_max",),
    ),
    Row(
        name="price_collar",
        passes=price_collar.passes,
        found=price_collar.found,
        intents=_NEW_RISK,
        quick=True,
        needs=("price_collar_nanos",),
        overridable=True,
    ),
    Row(
        name="price_floor",
        passes=price_floor.passes,
        found=price_floor.found,
        intents=_NEW_RISK,
        quick=True,
        needs=("price_floor_nanos",),
        may_be_off=True,
        overridable=True,
    ),
    Row(
        name="order_value",
        passes=order_value.passes,
        found=order_value.found,
        intents=_NEW_RISK,
        quick=True,
        needs=("order_value_nanos_max",),
        overridable=True,
    ),
    Row(
        name="order_quantity",
        passes=order_quantity.passes,
        found=order_quantity.found,
        intents=_NEW_RISK,
        quick=True,
        needs=("order_quantity_nanos_max",),
        overridable=True,
    ),
    Row(
        name="liquidity",
        passes=liquidity.passes,
        found=liquidity.found,
        intents=_NEW_RISK,
        quick=True,
        needs=("order_volume_share_nanos_max",),
        may_be_off=True,
        overridable=True,
    ),
    Row(
        name="duplicate",
        passes=duplicate.passes,
        found=duplicate.found,
        intents=_NEW_RISK,
        quick=True,
        needs=("duplicate_window_ns",),
        may_be_off=True,
        overridable=True,
    ),
    Row(
        name="session",
        passes=session.passes,
        found=session.found,
        intents=_NEW_RISK,
        quick=True,
        fields=("session",),
        of_session=True,
    ),
    Row(
        name="self_match",
        passes=self_match.passes,
        found=self_match.found,
        intents=_NEW_RISK,
        quick=True,
        may_be_off=True,
    ),
    Row(
        name="opposite_strategy",
        passes=opposite_strategy.passes,
        found=opposite_strategy.found,
        intents=_NEW_RISK,
        quick=True,
        may_be_off=True,
        overridable=True,
    ),
    Row(
        name="max_position",
        passes=max_position.passes,
        found=max_position.found,
        intents=_NEW_RISK,
        quick=True,
        needs=("position_value_nanos_max", "position_fraction_nanos_max"),
        overridable=True,
    ),
    Row(
        name="sector",
        passes=sector.passes,
        found=sector.found,
        intents=_NEW_RISK,
        quick=True,
        needs=("sector_fraction_nanos_max",),
        fields=("sectors",),
        overridable=True,
    ),
    Row(
        name="positions",
        passes=positions.passes,
        found=positions.found,
        intents=_NEW_RISK,
        quick=True,
        needs=("positions_max",),
        overridable=True,
    ),
    Row(
        name="gross_exposure",
        passes=gross_exposure.passes,
        found=gross_exposure.found,
        intents=_NEW_RISK,
        quick=True,
        needs=("gross_exposure_nanos_max",),
        overridable=True,
    ),
    Row(
        name="net_exposure",
        passes=net_exposure.passes,
        found=net_exposure.found,
        intents=_NEW_RISK,
        quick=True,
        needs=("net_exposure_nanos_min", "net_exposure_nanos_max"),
        overridable=True,
    ),
    Row(
        name="leverage",
        passes=leverage.passes,
        found=leverage.found,
        intents=_NEW_RISK,
        quick=True,
        needs=("leverage_nanos_max",),
        overridable=True,
    ),
    Row(
        name="buying_power",
        passes=buying_power.passes,
        found=buying_power.found,
        intents=_NEW_RISK,
        quick=True,
    ),
    Row(
        name="maintenance_margin",
        passes=maintenance.passes,
        found=maintenance.found,
        intents=_NEW_RISK,
        quick=True,
        needs=("maintenance_margin_nanos_min",),
        overridable=True,
    ),
    Row(
        name="liquidity_tier",
        passes=liquidity_tier.passes,
        found=liquidity_tier.found,
        intents=_NEW_RISK,
        quick=True,
        wanted=_measures_liquidity,
        fields=("liquidity.enabled",),
    ),
)
_OPEN: Final = Intent.OPEN


def judge(proposal: Proposal) -> tuple[Finding, tuple[str, ...]]:
    """Run the checks of the order's intent; the finding, and on a denial the names that ran."""
    active = proposal.active
    checks = active.opening if proposal.order.intent is _OPEN else active.reducing
    for check in checks:
        if not check(proposal):
            return _denied(proposal, check)
    return ALLOWED, ()


def judge_but(proposal: Proposal, skips: tuple[str, ...]) -> tuple[Finding, tuple[str, ...]]:
    """Run the checks of the order's intent but those of the table that are named; the finding, and
    which ran.
    """
    ran: list[str] = []
    for row in proposal.active.rows(proposal.order.intent):
        if row.name in skips and not row.own:
            continue
        ran.append(row.name)
        if not row.passes(proposal):
            return row.found(proposal), tuple(ran)
    return ALLOWED, tuple(ran)


def _denied(
    proposal: Proposal, check: Callable[[Proposal], bool]
) -> tuple[Finding, tuple[str, ...]]:
    rows = proposal.active.rows_up_to(proposal.order.intent, check)
    return rows[-1].found(proposal), tuple(row.name for row in rows)
