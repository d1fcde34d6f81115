"""Where a policy file writes each field: the way from a part of the policy back to its YAML key.

`KEYS` has every field of every part; the shapes that the loader reads by say most of them. A limit
may stand under `risk.limits` or `safety.limits`; it is called by the former.
"""

from typing import Any, Final

from msgspec import Struct

from fuseboard.policy import sections_accounts as accounts
from fuseboard.policy import sections_backup as backups
from fuseboard.policy import sections_data as data
from fuseboard.policy import sections_disconnect as disconnects
from fuseboard.policy import sections_limits as limits
from fuseboard.policy import sections_liquidity as liquidity
from fuseboard.policy import sections_losses as losses
from fuseboard.policy import sections_reconciliation as comparing
from fuseboard.policy import sections_safety as safety
from fuseboard.policy.data_rules import DataRules, ExecutionRules, ReconciliationRules
from fuseboard.policy.limits import DynamicLimit, Limits
from fuseboard.policy.liquidity_rules import EmergencyRules, LiquidityRules, TierRules
from fuseboard.policy.policy import Policy
from fuseboard.policy.rules import (
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
from fuseboard.policy.shapes import Shape, Value


def _filled(keys: dict[str, Shape], under: str = "") -> dict[str, str]:
    """Field to key of a section; the second field of a rate is its time."""
    found: dict[str, str] = {}
    for key, shape in keys.items():
        if isinstance(shape, Value):
            for place, field in enumerate(shape.fields):
                found[field] = f"{under}{key}{' (in what time)' if place else ''}"
    return found


_RULE: Final = {
    **_filled({**losses.RULE, "days": losses.DAYS, "reference": losses.REFERENCE}),
    "name": "name",
    "action": "action",
    "cooldown_always": "cooldown (whatever the action)",
}
_OF_RULES: Final = (
    "reset",
    "cooldown_ns",
    "cooldown_always",
    "confirm_ns_max",
    "resets_a_day_max",
    "trips_a_day_max",
)
KEYS: Final[dict[type[Struct], dict[str, str]]] = {
    Limits: {
        **_filled(limits.LIMITS),
        "net_exposure_nanos_min": "net_exposure (from)",
        "net_exposure_nanos_max": "net_exposure (to)",
    },
    LossRule: _RULE,
    BreakerRule: {
        **{field: _RULE[field] for field in _OF_RULES},
        "name": "name",
        "condition": "condition",
        "action": "action",
        "scope": "scope",
    },
    CheckRule: {"name": "name", "condition": "condition", "message": "message"},
    DynamicLimit: {
        "name": "name",
        "condition": "condition",
        "tighten": "action",
        "clear_after_ns": "clear_after",
    },
    MarketBreakers: {**_filled(safety.MARKET), "levels_nanos": "levels"},
    KillSwitch: {
        **_filled(safety.KILL),
        "methods": "methods",
        "watchdog_timeout_ns": "triggers (watchdog)",
    },
    DisconnectRule: _filled(disconnects.KEYS),
    BackupRule: _filled(backups.KEYS),
    ResetRules: {
        **_filled(accounts.RESETS, "resets."),
        **_filled(accounts.OVERRIDES, "overrides."),
    },
    StrategyRule: {
        "name": "name",
        "capital_nanos": "capital",
        "losses": "losses",
        "trader": "trader",
        "desk": "desk",
        "client": "client",
        "symbols": "symbols",
        "disconnect": "cancel_on_disconnect",
    },
    SessionRule: _filled(accounts.SESSION),
    DataRules: {
        **_filled(data.VALIDATION, "validation."),
        **_filled(data.ANOMALIES, "anomaly_detection."),
    },
    ExecutionRules: {
        **_filled(data.EXECUTION),
        **_filled(data.ORDER_TIMEOUT, "order_settings."),
        **_filled(data.ALLOWED_SLIPPAGE, "slippage."),
    },
    ReconciliationRules: {**_filled(comparing.RECONCILIATION), "at": "at"},
    LiquidityRules: {
        **_filled(liquidity.LIQUIDITY),
        **_filled(liquidity.WEIGHTS.keys, "weights."),
        **_filled(liquidity.SCALES.keys, "scales."),
        **{f"{name}_points_min": f"{name}.score" for name in liquidity.TIERS},
        **{name: name for name in (*liquidity.TIERS, "emergency")},
    },
    TierRules: _filled(liquidity.TIER),
    EmergencyRules: _filled(liquidity.EMERGENCY.keys),
    Policy: {
        "name": "name",
        "session": "session",
        "strategies": "strategies",
        "checks_off": "built-in checks that safety.pre_trade_checks leaves out",
        "checks": "safety.pre_trade_checks.checks",
        "limits": "risk.limits",
        "dynamic_limits": "risk.dynamic_limits",
        "restricted": "restricted",
        "reconciliation": "execution.reconciliation",
        "sectors": "sectors",
        "losses": "safety.loss_limits",
        "breakers": "safety.circuit_breakers",
        "market": "safety.market_circuit_breakers",
        "kill_switch": "safety.kill_switch",
        "disconnect": "safety.cancel_on_disconnect",
        "resets": "",
        "data": "data",
        "execution": "execution",
        "liquidity": "liquidity",
        "backup": "backup",
        "later": "sections that nothing enforces yet",
    },
}
"""Field to key, under the key of the part that the field is in."""
_LOSS_KEYS: Final = {name: key for key, (name, _) in losses.NAMES.items()}


def under(part: type[Struct], field: str, key: str) -> str:
    """The key of a field of a part that stands under `key`."""
    return ".".join(filter(None, (key, KEYS[part][field])))


def row_key(row: Any, key: str) -> str:
    """The key of one row of a list that stands under `key`; a loss has a key of its own."""
    if isinstance(row, LossRule) and row.name in _LOSS_KEYS:
        return f"{key}.{_LOSS_KEYS[row.name]}"
    return f"{key}[{row.name}]"


_PARTS: Final[dict[str, type[Struct]]] = {"limits": Limits, "data": DataRules}


def key_of(path: str) -> str:
    """The key of a limit or of a rule for market data, by its path in the policy; else the path."""
    head, _, field = path.partition(".")
    part = _PARTS.get(head)
    return path if part is None else under(part, field, KEYS[Policy][head])
