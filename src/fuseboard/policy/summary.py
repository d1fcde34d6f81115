"""A policy in words and numbers: every limit, whether it is written or a default, and its line."""

from typing import Any, Final

from msgspec import Struct

from fuseboard.policy import sections_accounts as accounts
from fuseboard.policy import sections_backup as backups
from fuseboard.policy import sections_data as data
from fuseboard.policy import sections_disconnect as disconnects
from fuseboard.policy import sections_limits as limits
from fuseboard.policy import sections_liquidity as liquidity
from fuseboard.policy import sections_reconciliation as comparing
from fuseboard.policy import sections_safety as safety
from fuseboard.policy.conditions import condition_from_text
from fuseboard.policy.directions import RULES, TIGHTER
from fuseboard.policy.keys import KEYS
from fuseboard.policy.limits import LIMITS_REQUIRED, DynamicLimit, Limits, Tightening
from fuseboard.policy.liquidity_rules import LiquidityRules
from fuseboard.policy.loader import Loaded
from fuseboard.policy.rules import BreakerRule, LossRule, StrategyRule, reset_waits_ns
from fuseboard.policy.shapes import Items, Section, Shape, Value
from fuseboard.policy.shown import NOT_SET, duration, shown
from fuseboard.vocabulary.actions import Action, Reference
from fuseboard.vocabulary.catalogue import COURSES, MEASURES


class Line(Struct, frozen=True):
    """One line of the summary."""

    section: str
    key: str
    value: str
    about: str
    line: int | None
    """Where the file sets it; None: it is a default."""


FROM: Final = {
    Reference.SESSION_PEAK: "the session's highest equity",
    Reference.PEAK: "the highest equity since it was armed",
    Reference.ROLLING_PEAK: "the highest equity of the last {days} sessions",
    Reference.SESSION_OPEN: "the session's opening equity",
    Reference.WEEK_OPEN: "the week's opening equity",
    Reference.MONTH_OPEN: "the month's opening equity",
}
DOES: Final = {
    Action.NOTIFY: "people are told",
    Action.REDUCE: "new risk is halved while it holds",
    Action.REDUCE_ONLY: "only reductions and stops pass, what works and raises risk is cancelled",
    Action.HALT: "nothing passes but cancels, not even a reduction; stops that already work stay",
    Action.FLATTEN: "everything is cancelled and closed, once",
    Action.KILL: "everything stops and strategies are disconnected",
}
NEXT_OPEN: Final = "the open of the next trading day"
GAUGES: Final = (Action.NOTIFY, Action.REDUCE)
"""What goes by itself when its condition does."""
ORDERS: Final = "orders and positions"


def summary(loaded: Loaded) -> tuple[Line, ...]:
    """Every number of the policy, by section."""
    policy, lines = loaded.policy, loaded.lines
    rows = _table(lines, ORDERS, limits.LIMITS, policy.limits, "limits")
    rows += [_dynamic(lines, policy.limits, rule) for rule in policy.dynamic_limits]
    rows += [_loss(lines, rule, "losses") for rule in policy.losses]
    rows += [_breaker(lines, rule) for rule in policy.breakers]
    rows += [
        Line(
            "checks of its own",
            rule.name,
            rule.condition,
            "An order passes when it holds; unknown denies.",
            lines.get(f"checks[{rule.name}]"),
        )
        for rule in policy.checks
    ]
    for field, about in (
        ("checks_off", "Built-in checks that do not run."),
        ("restricted", "Symbols that may only be reduced."),
    ):
        rows.append(
            Line(ORDERS, field, shown(field, getattr(policy, field)), about, lines.get(field))
        )
    count = f"{len(policy.sectors)} symbols" if policy.sectors else "none"
    rows.append(
        Line(ORDERS, "sectors", count, "Which sector a symbol is in.", lines.get("sectors"))
    )
    for rule in policy.strategies:
        rows += _strategy(lines, rule)
    if not policy.strategies:
        rows.append(Line("strategies", "any", "any", "Any strategy with a key may trade.", None))
    for section, keys, part, prefix in (
        ("session", accounts.SESSION, policy.session, "session"),
        ("market halts", safety.MARKET, policy.market, "market"),
        ("kill switch", safety.KILL, policy.kill_switch, "kill_switch"),
        ("cancel on disconnect", disconnects.KEYS, policy.disconnect, "disconnect"),
        ("market data", data.VALIDATION, policy.data, "data"),
        ("market data", data.ANOMALIES, policy.data, "data"),
        ("execution", data.EXECUTION, policy.execution, "execution"),
        ("execution", data.ORDER_TIMEOUT, policy.execution, "execution"),
        ("execution", data.ALLOWED_SLIPPAGE, policy.execution, "execution"),
        ("reconciliation", comparing.RECONCILIATION, policy.reconciliation, "reconciliation"),
        ("backup", backups.KEYS, policy.backup, "backup"),
        ("resets", accounts.RESETS, policy.resets, "resets"),
        ("resets", accounts.OVERRIDES, policy.resets, "resets"),
    ):
        rows += _table(lines, section, keys, part, prefix)
    rows += _liquidity(lines, policy.liquidity)
    order = list(dict.fromkeys(row.section for row in rows))
    return tuple(sorted(rows, key=lambda row: order.index(row.section)))


SPECIAL: Final = {
    "net_exposure": ("net_exposure_nanos_min", "net_exposure_nanos_max"),
    "levels": ("levels_nanos",),
    "methods": ("methods",),
    "at": ("at",),
    "watchdog": ("watchdog_timeout_ns",),
}
"""Keys whose fields are filled by a function of their section."""


def _table(
    lines: dict[str, int], section: str, keys: dict[str, Shape], part: Any, prefix: str
) -> list[Line]:
    rows = []
    for key, shape in keys.items():
        fields = SPECIAL.get(key) or (shape.fields if isinstance(shape, Value) else ())
        if not fields or not isinstance(shape, Value | Items):
            continue
        values = [getattr(part, field) for field in fields]
        texts = [shown(field, value) for field, value in zip(fields, values, strict=True)]
        if len(texts) == 2 and fields[1].endswith("window_ns"):
            value = NOT_SET if values[0] is None else f"{texts[0]} in {texts[1]}"
        else:
            value = " to ".join(texts) if values[0] is not None else texts[0]
        line = lines.get(f"{prefix}.{fields[0]}")
        rows.append(Line(section, key, value, shape.about, line))
    return rows


def _liquidity(lines: dict[str, int], rules: LiquidityRules) -> list[Line]:
    """What liquidity is measured by and what its tiers let through; one line where it is not."""
    rows = _table(lines, "liquidity", liquidity.LIQUIDITY, rules, "liquidity")
    if not rules.enabled:
        return rows[:1]
    for key, shape in liquidity.LIQUIDITY.items():
        if not isinstance(shape, Section):
            continue
        part = getattr(rules, key, rules)
        below = {name: at for name, at in shape.keys.items() if name != "score"}
        prefix = "liquidity" if part is rules else f"liquidity.{key}"
        found = _table(lines, "liquidity", below, part, prefix)
        if "score" in shape.keys:
            score = {"score": shape.keys["score"]}
            found = _table(lines, "liquidity", score, rules, "liquidity") + found
        rows += [
            Line(row.section, f"{key}.{row.key}", row.value, row.about, row.line) for row in found
        ]
    return rows


def _dynamic(lines: dict[str, int], base: Limits, rule: DynamicLimit) -> Line:
    about = f"While {rule.condition}, or that is unknown; until it was false for"
    return Line(
        "dynamic limits",
        rule.name,
        ", ".join(_tightened(base, row) for row in rule.tighten),
        f"{about} {duration(rule.clear_after_ns)}.",
        lines.get(f"dynamic_limits[{rule.name}]"),
    )


def _tightened(base: Limits, row: Tightening) -> str:
    text = f"{KEYS[Limits][row.field]} {shown(row.field, row.value)}"
    before = getattr(base, row.field)
    if RULES[Limits][row.field](before, row.value) is TIGHTER:
        return text
    return f"{text} (changes nothing: the limit itself is {shown(row.field, before)})"


def _loss(lines: dict[str, int], rule: LossRule, prefix: str) -> Line:
    base = FROM[rule.reference].format(days=rule.window_days)
    parts = [f"Below {base} by this: {DOES[rule.action]}"]
    if rule.warning_nanos is not None:
        parts.append(
            f"from {shown('warning_nanos', rule.warning_nanos)} new risk is halved, until under"
            f" {shown('warning_clear_nanos', rule.warning_clear_nanos)}"
        )
    parts.append(f"lifted by {_lifted(rule)}")
    value = shown("limit_nanos", rule.limit_nanos)
    return Line(
        "losses", rule.name, value, "; ".join(parts) + ".", lines.get(f"{prefix}[{rule.name}]")
    )


def _breaker(lines: dict[str, int], rule: BreakerRule) -> Line:
    about = f"On {rule.scope}: {DOES[rule.action]}; {_ended(rule)}."
    names = condition_from_text(rule.condition, order=False).names
    if rule.scope.startswith("symbol:") and any(name in COURSES for name in names):
        about += " What a symbol earns or loses is a part of the account's equity at the opening."
    for name in names:
        if until := MEASURES[name].good_until:
            about += f" {name} counts as good until {until}."
    unknown = "people are told" if rule.action is Action.NOTIFY else "only reductions pass"
    about += f" While it cannot be told, {unknown}."
    line = lines.get(f"breakers[{rule.name}]")
    return Line("circuit breakers", rule.name, rule.condition, about, line)


def _ended(rule: BreakerRule) -> str:
    if rule.action in GAUGES:
        return f"ends once it was false for {duration(rule.cooldown_ns)}"
    return f"lifted by {_lifted(rule)}"


def _lifted(rule: LossRule | BreakerRule) -> str:
    who = "a person" if rule.reset.value == "manual" else f"{NEXT_OPEN}, or a person"
    if rule.action is Action.KILL:
        who = "people, never by the calendar"
    waits_ns = reset_waits_ns(rule)
    return f"{who}, after {duration(waits_ns)} at the earliest" if waits_ns else who


def _strategy(lines: dict[str, int], rule: StrategyRule) -> list[Line]:
    tags = [
        f"{key} {value}"
        for key, value in (("trader", rule.trader), ("desk", rule.desk), ("client", rule.client))
        if value
    ]
    may = "Trades " + (", ".join(rule.symbols) or "everything")
    about = "; ".join([may, *tags]) + "."
    path = f"strategies[{rule.name}]"
    capital = f"capital {shown('capital_nanos', rule.capital_nanos)}"
    rows = [Line("strategies", rule.name, capital, about, lines.get(path))]
    if rule.disconnect is not None:
        where, own = f"{path}.disconnect", rule.disconnect
        for row in _table(lines, "cancel on disconnect", disconnects.KEYS, own, where):
            line_of_row = row.line or lines.get(where)
            key = f"{rule.name}: {row.key}"
            rows.append(Line(row.section, key, row.value, row.about, line_of_row))
    for loss in rule.losses:
        line = _loss(lines, loss, f"{path}.losses")
        rows.append(Line("losses", f"{rule.name}: {line.key}", line.value, line.about, line.line))
    return rows


def required_on_defaults(loaded: Loaded) -> tuple[str, ...]:
    """The keys of required limits that the file does not write out."""
    missing = [field for field in LIMITS_REQUIRED if f"limits.{field}" not in loaded.lines]
    return tuple(KEYS[Limits][field] for field in missing)
