"""`liquidity`: how it is scored, where its tiers begin, what each of them lets through."""

from typing import Any, Final

from msgspec.structs import replace

from fuseboard.policy import unit_table as unit
from fuseboard.policy.liquidity_rules import EmergencyRules, LiquidityRules, TierRules
from fuseboard.policy.reading import Reading
from fuseboard.policy.shapes import Section, Shape, Unit, Value
from fuseboard.policy.units import Refused
from fuseboard.vocabulary.money import NANOS, shown_percent

ENFORCED: Final = "check liquidity_tier"
MEASURED: Final = "liquidity"
COMPONENTS: Final = ("spread", "depth", "velocity", "impact")
TIERS: Final = ("normal", "cautious", "defensive")


def _points(text: str) -> int:
    points = unit.whole(1, 100).read(text)
    assert isinstance(points, int)
    return points * 100


POINTS: Final = Unit(
    "a whole score from 1 to 100", _points, {"type": "integer", "minimum": 1, "maximum": 100},
    kind="points",
)  # fmt: skip


def _times(text: str) -> int:
    nanos = unit.TIMES.read(text)
    assert isinstance(nanos, int)
    if nanos > 100 * NANOS:
        raise Refused(f"{text[:40]!r} is more than 100 times the average, such as `2x`")
    return nanos


WEIGHTS: Final = Section(
    {
        name: Value(unit.SHARE, (f"{name}_weight_nanos",), f"The part of {name}.", MEASURED)
        for name in COMPONENTS
    },
    "What each component counts in the score; together they are one.",
)
SCALES: Final = Section(
    {
        "spread": Value(
            unit.SHARE, ("spread_scale_nanos",), "A spread of this scores 0.", MEASURED
        ),
        "depth": Value(
            Unit("a factor above 1: `2x`", _times, unit.TIMES.schema, kind="factor"),
            ("depth_scale_nanos",),
            "Depth of so many times its own average of 300 s scores 100.",
            MEASURED,
        ),
        "velocity": Value(
            unit.RATE,
            ("velocity_scale", "velocity_scale_window_ns"),
            "So many trades in so long score 100.",
            MEASURED,
        ),
        "impact": Value(
            unit.SHARE,
            ("impact_scale_nanos",),
            "A reference order that pays so much more than the middle scores 0.",
            MEASURED,
        ),
    },
    "What scores 0 or 100.",
)


TIER: Final[dict[str, Shape]] = {
    "order_value": Value(
        unit.MONEY,
        ("order_value_nanos_max",),
        "An order that opens is cut to this.",
        ENFORCED,
        ("max_order_value", "order_size"),
    ),
    "spread": Value(
        unit.SHARE,
        ("spread_nanos_max",),
        "Nothing is opened while the spread is wider.",
        ENFORCED,
        ("max_spread",),
    ),
    "offset": Value(
        unit.BPS,
        ("offset_nanos",),
        "How far beyond the quote an order that opens may be priced.",
        ENFORCED,
        ("limit_offset_bps",),
    ),
    "clip": Value(
        unit.SHARE,
        ("clip_nanos",),
        "Largest part of the top five levels on the side taken; where levels are told.",
        ENFORCED,
    ),
    "exit_collar": Value(
        unit.SHARE,
        ("exit_collar_nanos",),
        "How far beyond the quote a market order that reduces may trade, and a first close.",
        "exits",
    ),
    "exit_participation": Value(
        unit.SHARE,
        ("exit_participation_nanos",),
        "Largest part of what is shown on the side taken that one close of a liquidation takes.",
        "plan",
    ),
    "timeout": Value(
        unit.SECONDS,
        ("timeout_ns",),
        "How long an order that opens may work until it is cancelled; stops wait for their price.",
        "order timeout",
        ("order_timeout", "timeout_seconds"),
    ),
}
EMERGENCY: Final = Section(
    {
        "exit_collar": TIER["exit_collar"],
        "exit_wait": Value(
            unit.DURATION,
            ("exit_wait_ns",),
            "For so long a liquidation waits for a better tier before it closes all the same.",
            "plan",
        ),
        "exit_participation": TIER["exit_participation"],
    },
    "What EMERGENCY lets through: exits only.",
)


def _tier(name: str) -> Section:
    score = Value(POINTS, (f"{name}_points_min",), "The tier holds from this score on.", MEASURED)
    return Section({"score": score, **TIER}, f"What {name.upper()} lets through.")


LIQUIDITY: Final[dict[str, Shape]] = {
    "enabled": Value(
        unit.FLAG,
        ("enabled",),
        "Whether liquidity is measured.",
        MEASURED,
        default="yes where the section is written, else no",
    ),
    "weights": WEIGHTS,
    "scales": SCALES,
    "reference_order": Value(
        unit.MONEY, ("reference_order_nanos",), "The order that impact is measured by.", MEASURED
    ),
    "calibrated": Value(
        unit.FLAG,
        ("calibrated",),
        "Whether tiers follow the score that knows what is usual for the symbol.",
        MEASURED,
    ),
    "buffer": Value(
        POINTS,
        ("buffer_points",),
        "A tier is left upward by a score that is more than this above its upper edge.",
        MEASURED,
    ),
    "dwell": Value(unit.DURATION, ("dwell_ns",), "For how long it must have been there.", MEASURED),
    "exit_within": Value(
        unit.DURATION,
        ("exit_within_ns",),
        "After so long a liquidation's closes are for all that is left, whatever is shown.",
        "plan",
    ),
    **{name: _tier(name) for name in TIERS},
    "emergency": EMERGENCY,
}


def liquidity_of(reading: Reading, values: dict[str, Any] | None) -> LiquidityRules:
    """The rules; a section that is there asks for liquidity unless it says `enabled: false`."""
    if values is None:
        return LiquidityRules()
    reading.set_line("liquidity.enabled", "liquidity")
    filled: dict[str, Any] = {"enabled": True}
    filled |= reading.fields(values, "liquidity", LIQUIDITY, "liquidity")
    for key, section in (("weights", WEIGHTS), ("scales", SCALES)):
        below = values.get(key, {})
        filled |= reading.fields(below, f"liquidity.{key}", section.keys, "liquidity")
    rules = LiquidityRules()
    for name in TIERS:
        path, below = f"liquidity.{name}", dict(values.get(name, {}))
        edge = f"{name}_points_min"
        if "score" in below:
            filled[edge] = below.pop("score")
            reading.set_line(f"liquidity.{edge}", f"{path}.score")
        base: TierRules = getattr(rules, name)
        filled[name] = replace(base, **reading.fields(below, path, _tier(name).keys, path))
    below, path = values.get("emergency", {}), "liquidity.emergency"
    filled["emergency"] = EmergencyRules(**reading.fields(below, path, EMERGENCY.keys, path))
    rules = LiquidityRules(**filled)
    for at, what in _mistakes(rules):
        reading.refuse_value(at if at in reading.entries else "liquidity", what)
    return rules


def _mistakes(rules: LiquidityRules) -> list[tuple[str, str]]:
    """What contradicts itself, each with its path."""
    found: list[tuple[str, str]] = []
    total = sum(getattr(rules, f"{name}_weight_nanos") for name in COMPONENTS)
    if total != NANOS:
        what = f"the weights are together {shown_percent(total)}: they must be exactly 100%"
        found.append(("liquidity.weights", what))
    edges = (
        rules.defensive_points_min, rules.cautious_points_min, rules.normal_points_min, 10_000,
    )  # fmt: skip
    for name, low, high in zip(reversed(TIERS), edges, edges[1:], strict=False):
        if high - low < rules.buffer_points:
            what = (
                f"{name.upper()} begins at {low // 100}, the next tier at {high // 100}: they must"
                f" be at least the buffer of {rules.buffer_points // 100} apart"
            )
            found.append((f"liquidity.{name}", what))
    tiers = (rules.normal, rules.cautious, rules.defensive)
    for calmer, tighter, name in zip(tiers, tiers[1:], TIERS[1:], strict=False):
        if tighter.order_value_nanos_max > calmer.order_value_nanos_max:
            what = f"{name.upper()} lets larger orders through than the tier above it"
            found.append((f"liquidity.{name}", what))
    return found
