"""`risk.limits`, `safety.limits` and `risk.dynamic_limits`: what orders and positions may reach.

The two limits sections are one: a limit stands in either of them, not in both.
"""

from typing import Any, Final

from fuseboard.policy import unit_table as unit
from fuseboard.policy.limits import DynamicLimit, Limits, Tightening
from fuseboard.policy.reading import Reading, joined
from fuseboard.policy.shapes import Either, Items, Open, Section, Shape, Value
from fuseboard.vocabulary.money import shown_percent

DYNAMIC_LIMITS_MAX: Final = 100

LIMITS: Final[dict[str, Shape]] = {
    "max_order_quantity": Value(
        unit.QUANTITY,
        ("order_quantity_nanos_max",),
        "Largest quantity of one order.",
        "check order_quantity",
        ("max_order_size",),
    ),
    "max_order_value": Value(
        unit.MONEY,
        ("order_value_nanos_max",),
        "Largest value of one order.",
        "check order_value",
    ),
    "max_order_adv": Value(
        unit.SHARE,
        ("order_volume_share_nanos_max",),
        "Largest part of the average daily volume that one order may be.",
        "check liquidity",
        ("max_adv", "max_volume_share"),
    ),
    "price_collar": Value(
        unit.SHARE,
        ("price_collar_nanos",),
        "How far a limit price may be beyond the far side of the quote; others have no collar.",
        "check price_collar",
    ),
    "price_floor": Value(
        unit.PRICE,
        ("price_floor_nanos",),
        "Nothing that trades under this price is opened, nor bid for below it.",
        "check price_floor",
        ("min_price",),
    ),
    "order_rate": Value(
        unit.RATE,
        ("order_rate_max", "order_rate_window_ns"),
        "How many orders a strategy, and all of them together, may ask for in which time.",
        "check order_rate",
        ("max_order_rate",),
    ),
    "order_rate_kills": Value(
        unit.FLAG,
        ("order_rate_kills",),
        "Whether a strategy above the order rate is killed, and not only denied.",
        "check order_rate",
    ),
    "message_rate": Value(
        unit.RATE,
        ("messages_max", "messages_window_ns"),
        "How many orders, replacements and cancels together; cancels count and always pass.",
        "check messages",
        ("max_messages",),
    ),
    "max_daily_orders": Value(
        unit.COUNT,
        ("daily_orders_max",),
        "How many orders of the whole account are accepted in one session, reductions too.",
        "check daily_orders",
        ("daily_orders",),
    ),
    "repeated_executions": Value(
        unit.RATE,
        ("repeated_executions_max", "repeated_executions_window_ns"),
        "So many executions of one symbol and side disable the strategy (RTS 6, Art. 15(3)).",
        "check repeated_executions",
    ),
    "duplicate_window": Value(
        unit.DURATION,
        ("duplicate_window_ns",),
        "An order equal to one that the strategy sent in this time is denied.",
        "check duplicate",
    ),
    "max_working_orders": Value(
        unit.COUNT,
        ("working_orders_max",),
        "How many orders may work at the broker at once for one more to open; an exit passes it.",
        "check working_orders",
    ),
    "max_position_value": Value(
        unit.MONEY,
        ("position_value_nanos_max",),
        "Largest position of one symbol, working orders counted.",
        "check max_position",
    ),
    "max_position": Value(
        unit.SHARE,
        ("position_fraction_nanos_max",),
        "Largest position of one symbol as a part of equity, working orders counted.",
        "check max_position",
    ),
    "max_sector": Value(
        unit.SECTOR,
        ("sector_fraction_nanos_max",),
        "Largest sum of absolute positions in one sector as a part of equity.",
        "check sector",
        ("max_sector_exposure",),
    ),
    "max_positions": Value(
        unit.COUNT,
        ("positions_max",),
        "How many symbols may be held or on their way to be.",
        "check positions",
        ("max_open_positions",),
    ),
    "gross_exposure": Value(
        unit.LEVERAGE,
        ("gross_exposure_nanos_max",),
        "Largest sum of absolute positions as a part of equity.",
        "check gross_exposure",
        ("max_gross_exposure",),
    ),
    "net_exposure": Items(
        Value(unit.SIGNED),
        "two numbers, the lowest and the highest",
        2,
        "Lowest and highest signed sum of positions as a part of equity; negative is net short.",
        2,
        ("max_net_exposure",),
    ),
    "max_leverage": Value(
        unit.LEVERAGE,
        ("leverage_nanos_max",),
        "Largest gross exposure as a multiple of equity.",
        "check leverage",
        ("leverage",),
    ),
    "min_maintenance_margin": Value(
        unit.SHARE,
        ("maintenance_margin_nanos_min",),
        "Lowest equity as a part of gross exposure that an order may leave, at worst.",
        "check maintenance_margin",
        ("maintenance_margin",),
    ),
}
NET: Final = ("net_exposure_nanos_min", "net_exposure_nanos_max")
SYMBOLS: Final = Items(
    Value(unit.SYMBOL),
    "symbols",
    10_000,
    "Symbols that may only be reduced.",
    aliases=("restricted_list",),
)
SECTORS: Final = Either(
    "symbols with their sectors, sectors with lists of symbols, or the name of a file",
    word=Value(
        unit.TEXT, about="A file beside the policy file: YAML as here, or lines `AAPL,tech`."
    ),
    keys=Open(
        unit.NAME,
        Either(
            "a sector, or a list of symbols",
            word=Value(unit.NAME),
            items=Items(Value(unit.SYMBOL), "symbols", 10_000),
        ),
        "symbols with their sectors",
    ),
    about="Which sector each symbol is in: `AAPL: tech`, or `tech: [AAPL, MSFT]`, or a file.",
    enforced="check sector",
)
LIMITS_SECTION: Final = Section(
    {**LIMITS, "restricted": SYMBOLS, "sectors": SECTORS}, "What orders and positions may reach."
)
# Windows and switches are no limits that could be the tighter of two.
NOT_DYNAMIC: Final = ("order_rate", "order_rate_kills", "message_rate", "repeated_executions")
DYNAMIC: Final = Items(
    Section(
        {
            "name": Value(unit.NAME, about="Its name in alerts; without one, its condition."),
            "condition": Value(
                unit.CONDITION, about="While it holds or is unknown, the limits below hold."
            ),
            "action": Section(
                {key: shape for key, shape in LIMITS.items() if key not in NOT_DYNAMIC},
                "The limits, written as under `risk.limits`; they only ever tighten.",
                aliases=("limits",),
            ),
            "clear_after": Value(
                unit.DURATION,
                ("clear_after_ns",),
                "How long the condition must be false before the limits go back.",
            ),
        },
        "Limits that tighten while a condition holds; with several the tightest wins.",
        ("condition", "action"),
        "a dynamic limit says when (`condition`) and what (`action: {max_position: 2%}`)",
    ),
    "dynamic limits, each {condition, action}",
    DYNAMIC_LIMITS_MAX,
    "Limits that tighten while a condition holds.",
)


def limits_of(reading: Reading, places: list[tuple[str, dict[str, Any]]]) -> Limits:
    """The limits of `(path, values)` of both sections, and their contradictions."""
    filled: dict[str, Any] = {}
    where: dict[str, str] = {}
    for path, values in places:
        for key in values:
            below = joined(path, key)
            if key in where and key in LIMITS:
                line = reading.entries[where[key]].key.line
                other = where[key].rpartition(".")[0]
                what = f"already set in line {line} under {other}; keep one of the two"
                reading.refuse_key(below, what)
            where.setdefault(key, below)
        filled.update(reading.fields(values, path, LIMITS, "limits"))
        filled.update(_net(reading, values, path, "limits."))
    limits = Limits(**filled)
    if "gross_exposure" in where and "max_leverage" in where:
        leverage = limits.leverage_nanos_max
        if leverage is not None and leverage < limits.gross_exposure_nanos_max:
            what = (
                f"{shown_percent(leverage)} is under gross_exposure"
                f" {shown_percent(limits.gross_exposure_nanos_max)}, which could never be reached"
            )
            reading.refuse_key(where["max_leverage"], what)
    return limits


def _net(reading: Reading, values: dict[str, Any], path: str, prefix: str) -> dict[str, Any]:
    pair = values.get("net_exposure")
    if pair is None or len(pair) != 2:
        return {}
    below = joined(path, "net_exposure")
    if pair[0] >= pair[1]:
        what = f"the lowest {shown_percent(pair[0])} is not under the highest"
        reading.refuse_value(below, f"{what} {shown_percent(pair[1])}: write [low, high]")
    for field in NET:
        reading.set_line(prefix + field, below)
    return dict(zip(NET, pair, strict=True))


def dynamic_limits_of(
    reading: Reading, rows: list[tuple[str, dict[str, Any]]]
) -> tuple[DynamicLimit, ...]:
    """The dynamic limits; two of one name are refused."""
    rules: dict[str, DynamicLimit] = {}
    section = DYNAMIC.item
    assert isinstance(section, Section)
    for path, values in rows:
        if "condition" not in values or "action" not in values:
            continue
        action = f"{path}.action"
        fields = reading.fields(values["action"], action, LIMITS, "")
        fields.update(_net(reading, values["action"], action, ""))
        for field in fields:  # only the base limits have a line of their own
            reading.lines.pop(field, None)
        wrong = any(problem.path.startswith(f"{action}.") for problem in reading.problems)
        if not values["action"] and not wrong:
            reading.refuse_value(
                action, "expected at least one limit, for example max_position: 2%"
            )
        name = values.get("name", values["condition"])
        rule = DynamicLimit(
            name=name,
            condition=values["condition"],
            tighten=tuple(Tightening(field=key, value=fields[key]) for key in sorted(fields)),
            **reading.fields(values, path, section.keys, f"dynamic_limits[{name}]"),
        )
        if name in rules:
            reading.refuse_value(path, f"{name} stands twice: give each a `name` of its own")
            continue
        rules[name] = rule
        reading.set_line(f"dynamic_limits[{name}]", path)
    return tuple(rules.values())


def restricted_of(reading: Reading, found: list[tuple[str, list[str]]]) -> tuple[str, ...]:
    """The restricted symbols, sorted; the list stands in one place."""
    for path, _ in found[1:]:
        line = reading.entries[found[0][0]].key.line
        reading.refuse_key(path, f"already written in line {line}; keep one of the two")
    if not found:
        return ()
    reading.set_line("restricted", found[0][0])
    return tuple(sorted(dict.fromkeys(found[0][1])))
