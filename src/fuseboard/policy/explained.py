"""Every key of a policy file: what it means, how it is written, its default, what enforces it."""

import difflib

from msgspec import Struct

from fuseboard.policy import sections_operations as operations
from fuseboard.policy.data_rules import DataRules, ExecutionRules, ReconciliationRules
from fuseboard.policy.limits import DynamicLimit, Limits
from fuseboard.policy.liquidity_rules import EmergencyRules, LiquidityRules, TierRules
from fuseboard.policy.loader import FILE
from fuseboard.policy.not_yet import KEYS_NOT_YET, NOT_YET
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
from fuseboard.policy.sections_backup import UNENFORCED
from fuseboard.policy.sections_safety import TRIGGER
from fuseboard.policy.shapes import Either, Items, Open, Section, Shape, Value
from fuseboard.policy.shown import shown

OWNERS: dict[str, tuple[str, type[Struct]]] = {
    "risk.limits": ("limits", Limits),
    "safety.limits": ("limits", Limits),
    "risk.dynamic_limits": ("dynamic_limits", DynamicLimit),
    "safety.pre_trade_checks": ("checks", CheckRule),
    "safety.loss_limits": ("losses", LossRule),
    "safety.circuit_breakers": ("breakers", BreakerRule),
    "safety.market_circuit_breakers": ("market", MarketBreakers),
    "safety.kill_switch": ("kill_switch", KillSwitch),
    "safety.cancel_on_disconnect": ("disconnect", DisconnectRule),
    "data": ("data", DataRules),
    "execution": ("execution", ExecutionRules),
    "execution.reconciliation": ("reconciliation", ReconciliationRules),
    "session": ("session", SessionRule),
    "resets": ("resets", ResetRules),
    "overrides": ("resets", ResetRules),
    "strategies": ("strategies", StrategyRule),
    "strategies.cancel_on_disconnect": ("strategies.disconnect", DisconnectRule),
    "liquidity": ("liquidity", LiquidityRules),
    "liquidity.normal": ("liquidity.normal", TierRules),
    "liquidity.cautious": ("liquidity.cautious", TierRules),
    "liquidity.defensive": ("liquidity.defensive", TierRules),
    "liquidity.emergency": ("liquidity.emergency", EmergencyRules),
    "backup": ("backup", BackupRule),
}
LATER = tuple(operations.TOP_LATER)
LATER_KEYS = (
    *(
        f"execution.{name}.{key}"
        for name, section in (
            ("order_settings", operations.ORDER_SETTINGS),
            ("slippage", operations.SLIPPAGE),
        )
        for key, shape in section.keys.items()
        if isinstance(shape, Value) and not shape.enforced
    ),
    *(f"backup.{key}" for key in UNENFORCED),
    *(
        f"safety.kill_switch.{key}.{trigger}"
        for key in ("triggers", "methods")
        for trigger in TRIGGER.keys
        if trigger != "watchdog"
    ),
)
REQUIRED = "required"


class Explained(Struct, frozen=True):
    """One key."""

    key: str
    about: str
    written: str
    default: str
    enforced: str
    """The check or fuse; `not yet enforced`; or empty where nothing has to be enforced."""
    aliases: tuple[str, ...]


def every_key() -> tuple[Explained, ...]:
    """All keys of the file, each under its section, in the file's order."""
    return tuple(_walk("", FILE, required=False))


def explained(key: str) -> tuple[Explained, ...]:
    """The key, with what is under it; a last part such as `max_position` is enough."""
    every = every_key()
    exact = [row for row in every if row.key == key]
    if not exact:
        exact = [row for row in every if row.key.endswith(f".{key}") or key in row.aliases]
    return tuple(
        row
        for row in every
        if any(row.key == one.key or row.key.startswith(f"{one.key}.") for one in exact)
    )


def nearest(key: str) -> str:
    """The known key that looks most like this one; empty when none does."""
    known = list(
        dict.fromkeys(part for row in every_key() for part in (row.key, row.key.rpartition(".")[2]))
    )
    return next(iter(difflib.get_close_matches(key[:80], known, n=1)), "")


def _walk(path: str, shape: Shape, *, required: bool) -> list[Explained]:
    rows = [_row(path, shape, required=required)] if path else []
    if isinstance(shape, Items):
        return rows + _walk(path, shape.item, required=False)[1:]
    if isinstance(shape, Either) and isinstance(shape.keys, Section):
        return rows + _walk(path, shape.keys, required=False)[1:]
    if isinstance(shape, Either) and shape.items is not None:
        return rows + _walk(path, shape.items, required=False)[1:]
    if isinstance(shape, Section):
        for key, below in shape.keys.items():
            under = f"{path}.{key}" if path else key
            rows += _walk(under, below, required=key in shape.required)
    return rows


def _row(path: str, shape: Shape, *, required: bool) -> Explained:
    if isinstance(shape, Value):
        written = shape.unit.says
    elif isinstance(shape, Items):
        written = f"a list of {shape.what}"
    elif isinstance(shape, Either):
        written = shape.says
    elif isinstance(shape, Open):
        written = shape.what
    else:
        written = "keys and values"
    default = REQUIRED if required else _default(path, shape)
    return Explained(path, shape.about, written, default, _enforced(path, shape), shape.aliases)


def _owner(path: str) -> tuple[str, type[Struct]] | None:
    if ".losses" in path or path.startswith("strategies.drawdown"):
        return "losses", LossRule
    for section in sorted(OWNERS, key=len, reverse=True):
        if path == section or path.startswith(f"{section}."):
            return OWNERS[section]
    return None


def _default(path: str, shape: Shape) -> str:
    if not isinstance(shape, Value):
        return ""
    owner = _owner(path)
    if shape.default or owner is None or not shape.fields:
        return shape.default
    if owner[0].startswith("liquidity"):
        return " in ".join(_of_liquidity(owner[0], field) for field in shape.fields)
    names, defaults = owner[1].__struct_fields__, owner[1].__struct_defaults__
    known = dict(zip(names[len(names) - len(defaults) :], defaults, strict=True))
    texts = [shown(field, known[field]) for field in shape.fields if field in known]
    if path.startswith("risk.dynamic_limits.action"):
        return "unchanged"
    return " in ".join(dict.fromkeys(texts))


def _of_liquidity(part: str, field: str) -> str:
    """The default of a field of the liquidity rules, whose tiers differ in their defaults."""
    rules = LiquidityRules()
    tier = getattr(rules, part.rpartition(".")[2], rules)
    return shown(field, getattr(tier, field, getattr(rules, field, None)))


def _enforced(path: str, shape: Shape) -> str:
    if path.startswith(LATER) or path in LATER_KEYS:
        return "not yet enforced"
    owner = _owner(path)
    fields = shape.fields if isinstance(shape, Value) else ()
    places = [path, *(f"{owner[0]}.{field}" for field in fields if owner)]
    if owner is not None and owner[0] in NOT_YET:
        return "not yet enforced"
    if any(place in NOT_YET for place in places) or path in KEYS_NOT_YET.values():
        return "not yet enforced"
    return shape.enforced if isinstance(shape, Value | Either) else ""
