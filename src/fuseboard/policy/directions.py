"""Which way a change of each field of a policy goes: one rule for each field of each part.

What is not provably tighter counts as LOOSER: a changed condition that is no simple bound, another
scope, another calendar, a collar of closes.
"""

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, Final

from msgspec import Struct

from fuseboard.policy.conditions import condition_from_text, simple_bound
from fuseboard.policy.data_rules import DataRules, ExecutionRules, ReconciliationRules
from fuseboard.policy.limits import DynamicLimit, Limits
from fuseboard.policy.liquidity_rules import EmergencyRules, LiquidityRules, TierRules
from fuseboard.policy.policy import Policy
from fuseboard.policy.rules import (
    WAYS_SWITCHED,
    BackupRule,
    BreakerRule,
    CheckRule,
    DisconnectRule,
    KillSwitch,
    LossRule,
    MarketBreakers,
    ResetRules,
    SessionRule,
    StrategyRule,
)
from fuseboard.vocabulary.actions import Action, DrainRule, ResetRule


class Direction(Enum):
    """What a change does to what is allowed."""

    TIGHTER = "tighter"
    LOOSER = "looser"
    NEUTRAL = "neutral"


Rule = Callable[[Any, Any], Direction]
TIGHTER, LOOSER, NEUTRAL = Direction.TIGHTER, Direction.LOOSER, Direction.NEUTRAL


def _down(old: Any, new: Any) -> Direction:
    """Lower is tighter; not set is loosest."""
    if new is None or old is None:
        return LOOSER if new is None else TIGHTER
    return TIGHTER if new < old else LOOSER


def _up(old: Any, new: Any) -> Direction:
    """Higher is tighter; not set is loosest."""
    if new is None or old is None:
        return LOOSER if new is None else TIGHTER
    return TIGHTER if new > old else LOOSER


def _neutral(_old: Any, _new: Any) -> Direction:
    return NEUTRAL


def _never(_old: Any, _new: Any) -> Direction:
    """Nothing proves any change tighter."""
    return LOOSER


def _switch_on(_old: Any, new: Any) -> Direction:
    return TIGHTER if new else LOOSER


def _switch_off(_old: Any, new: Any) -> Direction:
    return LOOSER if new else TIGHTER


def _ranked(ranks: Sequence[Any]) -> Rule:
    def rule(old: Any, new: Any) -> Direction:
        if old not in ranks or new not in ranks:
            return LOOSER
        return TIGHTER if ranks.index(new) > ranks.index(old) else LOOSER

    return rule


def _more(old: tuple[str, ...], new: tuple[str, ...]) -> Direction:
    """Entries that are only added tighten."""
    return TIGHTER if all(entry in new for entry in old) else LOOSER


def _ways(old: tuple[str, ...], new: tuple[str, ...]) -> Direction:
    """Ways to the kill switch; a word that opens and closes nothing changes nothing."""
    before, after = (tuple(way for way in ways if way in WAYS_SWITCHED) for ways in (old, new))
    return NEUTRAL if sorted(before) == sorted(after) else _more(before, after)


def _fewer(old: tuple[str, ...], new: tuple[str, ...]) -> Direction:
    """Entries that are only removed tighten."""
    return TIGHTER if all(entry in old for entry in new) else LOOSER


def _permitted(old: tuple[str, ...], new: tuple[str, ...]) -> Direction:
    """Fewer permitted symbols are tighter; none named permits all."""
    if not old or not new:
        return TIGHTER if new else LOOSER
    return _fewer(old, new)


def _kept(old: dict[str, str], new: dict[str, str]) -> Direction:
    """Nothing enforces these yet and somebody relies on each: what changes there, or comes, may
    switch off what a later release does. None of it is provably tighter.

    A way to the kill switch that does not exist yet is no way that anybody has or loses.
    """
    old, new = (
        {path: text for path, text in kept.items() if not path.startswith("safety.kill_switch.")}
        for kept in (old, new)
    )
    return NEUTRAL if old == new else LOOSER


def _keeps_longer(old: int | None, new: int | None) -> Direction:
    """More days are tighter; not set keeps for ever."""
    return TIGHTER if new is None or (old is not None and new > old) else LOOSER


def _disconnect(old: DisconnectRule, new: DisconnectRule) -> Direction:
    """As a whole: switched off it does nothing, so nothing else of it is compared then."""
    if not old.enabled or not new.enabled:
        return NEUTRAL if old.enabled == new.enabled else _switch_on(old.enabled, new.enabled)
    if old == new:
        return NEUTRAL
    same = old.connected_by is new.connected_by
    return _down(old.after_ns, new.after_ns) if same else LOOSER


def _condition(*, order: bool, holding_tightens: bool) -> Rule:
    def rule(old: str, new: str) -> Direction:
        before = simple_bound(condition_from_text(old, order=order))
        after = simple_bound(condition_from_text(new, order=order))
        if before is None or after is None or before[:2] != after[:2]:
            return LOOSER
        if before[1] not in ("<", "<=", ">", ">="):
            return LOOSER
        holds_more = (after[2] > before[2]) == before[1].startswith("<")
        return TIGHTER if holds_more == holding_tightens else LOOSER

    return rule


_TRIPS = _condition(order=False, holding_tightens=True)
# To flatten arms a liquidation, and not to leaves a position open: neither is provably tighter
# than the other, so FLATTEN has no rank and each change to it or from it asks for a person.
_ACTION = _ranked((Action.NOTIFY, Action.REDUCE, Action.REDUCE_ONLY, Action.HALT, Action.KILL))
_RESET = _ranked((ResetRule.NEXT_TRADING_DAY, ResetRule.MANUAL))
_DRAIN = _ranked((DrainRule.LEAVE, DrainRule.CANCEL))  # FLATTEN as above
_STALE = _ranked(("deny", "reduce_only", "halt"))
_MISMATCH = _ranked(("notify", "reduce_only", "halt"))
_FUSE: Final[dict[str, Rule]] = {
    "name": _never,
    "action": _ACTION,
    "reset": _RESET,
    "cooldown_ns": _up,
    "cooldown_always": _switch_on,
    "confirm_ns_max": _down,
    "resets_a_day_max": _down,
    "trips_a_day_max": _down,
}
_EXIT: Final = {"exit_collar_nanos": _never, "exit_participation_nanos": _never}
_UP: Final = (
    "order_rate_window_ns",
    "messages_window_ns",
    "repeated_executions_window_ns",
    "duplicate_window_ns",
    "price_floor_nanos",
    "net_exposure_nanos_min",
    "maintenance_margin_nanos_min",
)
_DOWN: Final = (
    "order_quantity_nanos_max",
    "order_value_nanos_max",
    "order_volume_share_nanos_max",
    "price_collar_nanos",
    "order_rate_max",
    "messages_max",
    "daily_orders_max",
    "repeated_executions_max",
    "working_orders_max",
    "position_value_nanos_max",
    "position_fraction_nanos_max",
    "sector_fraction_nanos_max",
    "positions_max",
    "gross_exposure_nanos_max",
    "net_exposure_nanos_max",
    "leverage_nanos_max",
)
RULES: Final[dict[type[Struct], dict[str, Rule]]] = {
    Limits: {
        **dict.fromkeys(_DOWN, _down),
        **dict.fromkeys(_UP, _up),
        "order_rate_kills": _switch_on,
    },
    LossRule: {
        **_FUSE,
        "reference": _never,
        "window_days": _up,
        "limit_nanos": _down,
        "warning_nanos": _down,
        "warning_clear_nanos": _down,
    },
    BreakerRule: {**_FUSE, "condition": _TRIPS, "scope": _never},
    CheckRule: {
        "name": _never,
        "condition": _condition(order=True, holding_tightens=False),
        "message": _neutral,
    },
    DynamicLimit: {"name": _never, "condition": _TRIPS, "clear_after_ns": _up},
    MarketBreakers: {
        "enabled": _switch_on,
        "resume_delay_ns": _up,
        "levels_nanos": _neutral,  # shown, never acted upon
        "symbol_halts": _switch_on,
    },
    KillSwitch: {
        "enabled": _switch_on,
        "methods": _ways,
        "watchdog_timeout_ns": _down,
        "watchdog_flattens": _never,
        "drain": _DRAIN,
    },
    ResetRules: {
        "resets_a_day_max": _down,
        "two_persons": _switch_on,
        "two_persons_always": _switch_on,
        "second_person_ns_max": _down,
        "override_ns_max": _down,
    },
    BackupRule: {
        "enabled": _switch_on,
        "every_ns": _down,
        "path": _never,
        "retention_days": _keeps_longer,
        "copies": _up,
        "verify": _switch_on,
    },
    StrategyRule: {
        "name": _never,
        "capital_nanos": _down,
        # Another tag can take a strategy out of a desk that is halted.
        **dict.fromkeys(("trader", "desk", "client"), _never),
        "symbols": _permitted,
        "disconnect": _disconnect,  # in place of no rule of its own stands the account's
    },
    SessionRule: {
        **dict.fromkeys(("calendar", "roll", "zone"), _never),
        "extended_hours": _switch_off,
    },
    DataRules: {
        "spread_nanos_max": _down,
        "jump_nanos_max": _down,
        "quote_age_ns_max": _down,
        "arrival_ns_max": _down,
        "heartbeat_ns_max": _down,
        "stale_action": _STALE,
        "assets_min": _up,
        "missing_action": _STALE,
        "price_check_action": _never,
        "price_change_deviations": _down,
        "volume_spike_nanos": _down,
        "gap_ns_max": _down,
        "equity_jump_nanos_max": _down,
    },
    ExecutionRules: {
        "requests_a_minute": _never,
        "protected_share_nanos": _up,
        "cancel_wait_ns": _never,
        **dict.fromkeys(("close_collar_nanos", "close_collar_nanos_max", "close_wait_ns"), _never),
        **dict.fromkeys(("close_attempts_max", "close_within_ns"), _never),
        "absent_after_ns": _up,
        "order_timeout_ns": _down,
        "slippage_nanos_max": _down,
    },
    ReconciliationRules: {
        "scheduled": _switch_on,
        "at": _more,
        **dict.fromkeys(("every_ns", "tolerance_nanos", "cash_tolerance_nanos"), _down),
        "mismatch_action": _MISMATCH,
        # Left, they are not counted; adopted, what they fill halts nothing; cancelled, a stop that
        # somebody placed by hand protects nothing.
        "foreign_orders": _never,
        "auto_correct": _switch_off,
    },
    LiquidityRules: {
        "enabled": _switch_on,
        # A score that is made otherwise is neither tighter nor looser than the other.
        **dict.fromkeys(
            (
                "spread_weight_nanos",
                "depth_weight_nanos",
                "velocity_weight_nanos",
                "impact_weight_nanos",
                "velocity_scale",
                "velocity_scale_window_ns",
                "calibrated",
            ),
            _never,
        ),
        "spread_scale_nanos": _down,
        "depth_scale_nanos": _up,
        "impact_scale_nanos": _down,
        "reference_order_nanos": _up,
        "normal_points_min": _up,
        "cautious_points_min": _up,
        "defensive_points_min": _up,
        "buffer_points": _up,
        "dwell_ns": _up,
        "exit_within_ns": _never,
    },
    TierRules: {
        "order_value_nanos_max": _down,
        "spread_nanos_max": _down,
        "offset_nanos": _down,
        "clip_nanos": _down,
        **_EXIT,
        "timeout_ns": _down,
    },
    EmergencyRules: {**_EXIT, "exit_wait_ns": _never},
    Policy: {
        "name": _neutral,
        "checks_off": _fewer,
        "restricted": _more,
        # A symbol that leaves a sector makes room there, one that enters may be opened.
        "sectors": _never,
        "disconnect": _disconnect,
        "later": _kept,
    },
}
