"""`safety.pre_trade_checks`, the circuit breakers, the market's own, and the kill switch."""

from typing import Any, Final

from msgspec.structs import replace

from fuseboard.policy import unit_table as unit
from fuseboard.policy.impossible import bound_mistake, scope_mistake, trips_at_once
from fuseboard.policy.limits import SECOND_NS, DynamicLimit, Limits
from fuseboard.policy.reading import Reading
from fuseboard.policy.rules import (
    WAYS_ALWAYS_OPEN,
    WAYS_NOT_YET,
    WAYS_SWITCHED,
    BreakerRule,
    CheckRule,
    KillSwitch,
    MarketBreakers,
    StrategyRule,
)
from fuseboard.policy.sections_losses import ACTIONS, action_of, binds
from fuseboard.policy.shapes import Either, Items, Section, Shape, Unit, Value
from fuseboard.policy.units import Refused
from fuseboard.vocabulary.actions import Action
from fuseboard.vocabulary.money import NANOS, shown_percent

CHECKS_MAX: Final = 100
BREAKERS_MAX: Final = 200

SWITCHED_ON: Final[dict[str, tuple[str, int]]] = {
    "liquidity": ("order_volume_share_nanos_max", NANOS // 100),
    "price_floor": ("price_floor_nanos", NANOS),
    "duplicate": ("duplicate_window_ns", SECOND_NS),
}
"""Built-in checks that need a limit, and the one they get when they are named without it."""
LIMITED: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "position": ("max_position", ("position_fraction_nanos_max", "position_value_nanos_max")),
    "sector": ("max_sector", ("sector_fraction_nanos_max",)),
    "positions": ("max_positions", ("positions_max",)),
    "net_exposure": ("net_exposure", ("net_exposure_nanos_min", "net_exposure_nanos_max")),
    "leverage": ("max_leverage", ("leverage_nanos_max",)),
    "maintenance_margin": ("min_maintenance_margin", ("maintenance_margin_nanos_min",)),
}
"""Built-in checks that judge nothing without a limit, and no limit is safe for everybody: its key,
and the fields that any rule may set."""
OFF_WORDS: Final = ("opposite_strategy", "self_match", "tick")
"""Built-in checks that are on by default and that a policy may switch off by name."""
_NAMED: Final = (
    "price_collar",
    "order_quantity",
    "order_value",
    "order_rate",
    "restricted_list",
    "permissions",
    "quote",
    "session",
    "position",
    "sector",
    "positions",
    "gross_exposure",
    "net_exposure",
    "leverage",
    "buying_power",
    "maintenance_margin",
    *SWITCHED_ON,
    *OFF_WORDS,
)
_UNNAMED: Final = (
    "reconciled",
    "posture",
    "messages",
    "daily_orders",
    "working_orders",
    "max_position",
    "liquidity_tier",
)
"""What the table of checks has beside them, and no policy asks for by name."""
BUILT_IN: Final = unit.words(
    *_NAMED,
    synonyms={
        "price_reasonableness": "price_collar",
        "size_limit": "order_quantity",
        "value_limit": "order_value",
        "rate_limit": "order_rate",
        "data_freshness": "quote",
        "market_hours": "session",
        "position_limit": "position",
        "max_position": "position",
        "margin": "maintenance_margin",
        "duplicate_order": "duplicate",
        "self_match_prevention": "self_match",
    },
)


def _own_name(text: str) -> str:
    """A name that says in a denial, and of an override, that the check is not a built-in one."""
    name = str(unit.NAME.read(text))
    if name in (*_NAMED, *_UNNAMED):
        what = f"`{name}` is a built-in check, and this is one of your own"
        raise Refused(f"{what}: call it something else")
    return name


OWN_NAME: Final = Unit(
    f"{unit.NAME.says}, not that of a built-in check",
    _own_name,
    {"allOf": [unit.NAME.schema, {"not": {"enum": [*_NAMED, *_UNNAMED]}}]},
)
CHECK: Final[dict[str, Shape]] = {
    "name": Value(OWN_NAME, ("name",), "Its name in denials."),
    "condition": Value(
        unit.ORDER_CONDITION,
        ("condition",),
        "What must hold for the order to pass; unknown denies.",
        "check custom",
    ),
    "message": Value(unit.TEXT, ("message",), "What the strategy is told when it does not hold."),
}
CHECKS: Final[dict[str, Shape]] = {
    "enabled": Value(unit.FLAG, (), "Always true: the checks cannot be switched off as a whole."),
    "checks": Items(
        Either(
            "the name of a built-in check, or {name, condition, message}",
            word=Value(BUILT_IN),
            keys=Section(
                CHECK,
                "A check of one's own.",
                ("name", "condition"),
                "a check of one's own needs a `name` and a `condition`",
            ),
        ),
        "checks",
        CHECKS_MAX,
        "Built-in checks by name, and checks of one's own. A built-in that needs a limit and has"
        " none gets a safe one: liquidity 1% of the daily volume, price_floor 1 USD, duplicate 1s.",
    ),
    "off": Items(
        Value(unit.words(*OFF_WORDS)),
        "names of built-in checks",
        len(OFF_WORDS),
        "Built-in checks that are on by default and shall not run.",
    ),
}
BREAKER: Final[dict[str, Shape]] = {
    "name": Value(unit.NAME, ("name",), "Its name in alerts, in the register and for a reset."),
    "condition": Value(
        unit.CONDITION, ("condition",), "It trips when this holds.", "fuse rule", ("trigger",)
    ),
    "action": ACTIONS,
    "reset": Value(
        unit.RESET,
        ("reset",),
        "Who lifts it: a person, or the open of the next trading day.",
        "fuse rule",
    ),
    "scope": Value(
        unit.SCOPE,
        ("scope",),
        "What it watches and halts; `strategy:*`, `symbol:*`: each one.",
        "fuse rule",
    ),
    "cooldown": Value(
        unit.DURATION,
        ("cooldown_ns",),
        "How long after a trip nobody resets it; of notify and reduce, how long it must be false.",
        "fuse rule",
        default="5m where it flattens, notifies or reduces, else none",
    ),
    "confirm_within": Value(
        unit.DURATION,
        ("confirm_ns_max",),
        "For conditions over equity: how long a breach may wait for a second mark.",
        "fuse rule",
    ),
    "resets_a_day": Value(unit.COUNT, ("resets_a_day_max",), "Resets in 24 hours.", "fuse rule"),
    "trips_a_day": Value(
        unit.COUNT,
        ("trips_a_day_max",),
        "Trips in 24 hours; that many and it is killed.",
        "fuse rule",
    ),
}
BREAKERS: Final = Items(
    Section(
        BREAKER,
        "A circuit breaker over measures.",
        ("name", "condition"),
        "a breaker needs a `name` and a `condition` (or `trigger`)",
    ),
    "breakers, each {name, condition, action}",
    BREAKERS_MAX,
    "Circuit breakers over measures (docs/measures.md has their names).",
)
MARKET: Final[dict[str, Shape]] = {
    "enabled": Value(
        unit.FLAG,
        ("enabled",),
        "Whether halts of the exchange pause us.",
        "market halts",
        ("respect_exchange_halts",),
    ),
    "resume_delay": Value(
        unit.SECONDS,
        ("resume_delay_ns",),
        "How long after the exchange's resumption we resume.",
        "market halts",
    ),
    "levels": Items(
        Value(unit.SHARE),
        "three falls of the index",
        3,
        "At which falls of the index the exchange halts: for people, compared with nothing.",
        3,
    ),
    "symbol_halts": Value(
        unit.FLAG,
        ("symbol_halts",),
        "Whether limit-up limit-down pauses of a symbol pause it.",
        "market halts",
        ("limit_up_limit_down",),
    ),
}
METHODS: Final = unit.words(*WAYS_ALWAYS_OPEN, *WAYS_SWITCHED, *WAYS_NOT_YET)
_SILENCE: Final = unit.at_least(unit.SECONDS, "1s")
TIMEOUT: Final = Value(
    Unit(
        "a duration from 1s on such as `10s`, or the word `timeout`",
        lambda text: None if text == "timeout" else _SILENCE.read(text),
        {"anyOf": [unit.SECONDS.schema, {"const": "timeout"}]},
    ),
    (),
    "How long the gateway may be silent before the dead man acts.",
    "kill switch",
    ("watchdog_timeout",),
)
TRIGGER: Final = Section(
    {
        "watchdog": TIMEOUT,
        "slack_command": Value(unit.TEXT, (), "The command in Slack.", "kill switch"),
        "api": Value(unit.TEXT, (), "A path, which is not used: `api` has its own.", "kill switch"),
    },
    "A trigger with its setting.",
)
WAYS: Final = Items(
    Either("the name of a way, or {watchdog: 10s}", word=Value(METHODS), keys=TRIGGER),
    "ways to the kill switch",
    20,
    f"Which ways are open: {', '.join(WAYS_SWITCHED)}; the command line and the file"
    " HALT in the state directory always are, whether they are listed or not. `api`"
    " needs `fuseboard run --control-port` too."
    f" Not yet enforced: {', '.join(WAYS_NOT_YET)}.",
)
KILL: Final[dict[str, Shape]] = {
    "enabled": Value(unit.FLAG, ("enabled",), "Whether the kill switch is there.", "kill switch"),
    "triggers": Either(
        "a list of triggers, or keys such as `watchdog: 10s`",
        items=WAYS,
        keys=TRIGGER,
        about=WAYS.about,
        enforced="kill switch",
    ),
    "methods": WAYS,
    "watchdog": TIMEOUT,
    "watchdog_flattens": Value(
        unit.FLAG,
        ("watchdog_flattens",),
        "Whether the dead man closes all positions, after it has cancelled everything.",
        "kill switch",
    ),
    "drain": Value(
        unit.DRAIN,
        ("drain",),
        "What an orderly stop does: cancel what works, flatten, or leave everything.",
        "kill switch",
    ),
}


def checks_of(
    reading: Reading, values: dict[str, Any], limits: Limits, dynamic: tuple[DynamicLimit, ...]
) -> tuple[tuple[CheckRule, ...], tuple[str, ...], Limits]:
    """Checks of one's own, those switched off, and the limits with what named built-ins need."""
    path = "safety.pre_trade_checks"
    if values.get("enabled") is False:
        what = "the checks cannot be switched off as a whole; single ones can, under `off`"
        reading.refuse_value(f"{path}.enabled", what)
    rules: dict[str, CheckRule] = {}
    named: list[str] = []
    for number, entry in enumerate(values.get("checks", ())):
        if isinstance(entry, str):
            named.append(entry)
            if mistake := _limitless(entry, limits, dynamic):
                reading.refuse_value(f"{path}.checks[{number}]", mistake)
            if entry in SWITCHED_ON:
                field, default = SWITCHED_ON[entry]
                if getattr(limits, field) is None:
                    limits = replace(limits, **{field: default})
                    reading.set_line(f"limits.{field}", f"{path}.checks[{number}]")
            continue
        below = f"{path}.checks[{number}]"
        if not {"name", "condition"} <= entry.keys():
            continue
        name = entry["name"]
        if name in rules:
            reading.refuse_value(below, f"{name} stands twice")
            continue
        rules[name] = CheckRule(**reading.fields(entry, below, CHECK, f"checks[{name}]"))
        reading.set_line(f"checks[{name}]", below)
    off = tuple(sorted(dict.fromkeys(values.get("off", ()))))
    for word in off:
        if word in named:
            reading.refuse_key(f"{path}.off", f"{word} is also under `checks`; keep one of the two")
    reading.set_line("checks_off", f"{path}.off")
    return tuple(rules.values()), off, limits


def _limitless(check: str, limits: Limits, dynamic: tuple[DynamicLimit, ...]) -> str:
    """Why a built-in check that is named would judge nothing; empty when it has a limit."""
    key, fields = LIMITED.get(check, ("", ()))
    tightened = {at.field for rule in dynamic for at in rule.tighten}
    if not fields or any(getattr(limits, at) is not None or at in tightened for at in fields):
        return ""
    return f"{check} has no limit to judge by: set `{key}` under risk.limits, or leave it out"


def breakers_of(
    reading: Reading,
    rows: list[tuple[str, dict[str, Any]]],
    strategies: tuple[StrategyRule, ...],
    limits: Limits,
) -> tuple[BreakerRule, ...]:
    """The breakers; refused are a name that stands twice and what could never trip."""
    rules: dict[str, BreakerRule] = {}
    for path, values in rows:
        if "name" not in values or "condition" not in values:
            continue
        name = values["name"]
        filled = reading.fields(values, path, BREAKER, f"breakers[{name}]")
        if "action" in values:
            action = action_of(reading, f"{path}.action", values["action"])
            reading.set_line(f"breakers[{name}].action", f"{path}.action")
            if action is not None:
                filled["action"] = action
            elif not any(problem.path.startswith(path) for problem in reading.problems):
                reading.refuse_value(f"{path}.action", "expected at least one action: halt")
        if name in rules:
            reading.refuse_value(path, f"{name} stands twice")
            continue
        filled["cooldown_always"] = binds(reading, path, filled.get("action", Action.HALT))
        rules[name] = rule = BreakerRule(**filled)
        if mistake := scope_mistake(rule, strategies):
            reading.refuse_value(f"{path}.scope", mistake)
        if mistake := bound_mistake(rule, limits) or trips_at_once(rule):
            reading.refuse_value(f"{path}.condition", mistake)
        reading.set_line(f"breakers[{name}]", path)
    return tuple(rules.values())


def market_of(reading: Reading, values: dict[str, Any]) -> MarketBreakers:
    """The market's own breakers; the levels rise."""
    path = "safety.market_circuit_breakers"
    filled = reading.fields(values, path, MARKET, "market")
    levels = values.get("levels")
    if levels is not None and len(levels) == 3:
        reading.set_line("market.levels_nanos", f"{path}.levels")
        filled["levels_nanos"] = tuple(levels)
        if not levels[0] < levels[1] < levels[2]:
            shown = ", ".join(shown_percent(level) for level in levels)
            reading.refuse_value(f"{path}.levels", f"{shown} do not rise: write [7%, 13%, 20%]")
    return MarketBreakers(**filled)


def kill_switch_of(reading: Reading, values: dict[str, Any], later: dict[str, Any]) -> KillSwitch:
    """The kill switch; ways that do not exist yet, and texts of triggers, are kept for later."""
    path = "safety.kill_switch"
    filled = reading.fields(values, path, KILL, "kill_switch")
    if "triggers" in values and "methods" in values:
        reading.refuse_key(f"{path}.methods", "the same as `triggers`; keep one of the two")
    key = "triggers" if "triggers" in values else "methods"
    written = values.get(key, [])
    settings: dict[str, Any] = {}
    methods: list[str] = []
    for entry in written if isinstance(written, list) else [written]:
        if isinstance(entry, dict):
            settings.update(entry)
            methods.extend(entry)
        else:
            methods.append(entry)
    _each_once(reading, path)
    # `watchdog: timeout` says no number: the key was read, its value is the default.
    watchdogs = [place for place in reading.entries if _is_watchdog(place)]
    if watchdogs:
        methods.append("watchdog")
    if key in values:
        reading.set_line("kill_switch.methods", f"{path}.{key}")
        filled["methods"] = tuple(sorted(set(methods).difference(WAYS_NOT_YET)))
    timeout = settings.pop("watchdog", values.get("watchdog"))
    if timeout is not None:
        filled["watchdog_timeout_ns"] = timeout
        reading.set_line("kill_switch.watchdog_timeout_ns", watchdogs[0])
    kept: dict[str, Any] = {
        **dict.fromkeys(way for way in WAYS_NOT_YET if way in methods),
        **settings,
    }
    if kept:
        later[f"{path}.{key}"] = kept
    return KillSwitch(**filled)


def _each_once(reading: Reading, path: str) -> None:
    """Refuse a setting of the kill switch that another entry has set already."""
    for name in TRIGGER.keys:
        places = [at for at in reading.entries if at.startswith(path) and at.endswith(f".{name}")]
        for place in places[1:]:
            line = reading.entries[places[0]].key.line
            reading.refuse_key(place, f"{name} is set in line {line} already; keep one of the two")


def _is_watchdog(path: str) -> bool:
    return path.startswith("safety.kill_switch") and path.endswith(".watchdog")
