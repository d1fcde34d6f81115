"""Who trades and when: `strategies`, `session`, `resets`, `overrides`."""

from typing import Any, Final

from msgspec.structs import replace

from fuseboard.policy import unit_table as unit
from fuseboard.policy.reading import Reading
from fuseboard.policy.rules import (
    DisconnectRule,
    LossRule,
    ResetRules,
    SessionRule,
    StrategyRule,
)
from fuseboard.policy.sections_disconnect import OWN, disconnect_of
from fuseboard.policy.sections_losses import LOSSES, losses_of
from fuseboard.policy.shapes import Items, Section, Shape, Value

STRATEGIES_MAX: Final = 1_000
STRATEGY: Final[dict[str, Shape]] = {
    "name": Value(unit.NAME, ("name",), "The strategy, as its key pair names it."),
    "capital": Value(
        unit.MONEY, ("capital_nanos",), "What its own losses are measured on.", "fuse drawdown"
    ),
    "trader": Value(unit.NAME, ("trader",), "A tag: everything of a trader halts as one."),
    "desk": Value(unit.NAME, ("desk",), "A tag: everything of a desk halts as one."),
    "client": Value(unit.NAME, ("client",), "A tag: everything of a client halts as one."),
    "symbols": Items(
        Value(unit.SYMBOL), "symbols", 10_000, "What it may trade; without it, everything."
    ),
    "drawdown": LOSSES.keys["drawdown"],
    "losses": Section(LOSSES.keys, LOSSES.about, aliases=("loss_limits",)),
    "cancel_on_disconnect": OWN,
}
STRATEGIES: Final = Items(
    Section(
        STRATEGY,
        "One strategy that may trade.",
        ("name", "capital"),
        "a strategy needs a name and the capital it works with",
    ),
    "strategies",
    STRATEGIES_MAX,
    "Who may trade; without this section any strategy with a key.",
)
SESSION: Final[dict[str, Shape]] = {
    "calendar": Value(
        unit.CALENDAR, ("calendar",), "An exchange's calendar, or `24/7`.", "sessions"
    ),
    "roll": Value(
        unit.CLOCK,
        ("roll",),
        "When a 24/7 day rolls; an exchange's rolls at its close.",
        "sessions",
    ),
    "zone": Value(
        unit.ZONE, ("zone",), "The time zone of `roll`.", "sessions", ("time_zone", "timezone")
    ),
    "extended_hours": Value(
        unit.FLAG,
        ("extended_hours",),
        "Whether orders outside the regular session are let through.",
        "check session",
    ),
}
RESETS: Final[dict[str, Shape]] = {
    "resets_a_day": Value(
        unit.COUNT, ("resets_a_day_max",), "Resets of one latch in 24 hours.", "resets"
    ),
    "two_persons": Value(
        unit.FLAG, ("two_persons",), "Whether a kill is left by two different people.", "resets"
    ),
    "two_persons_always": Value(
        unit.FLAG,
        ("two_persons_always",),
        "Whether every reset takes two different people.",
        "resets",
    ),
    "second_person_within": Value(
        unit.DURATION,
        ("second_person_ns_max",),
        "How long the first person's reset waits for the second's.",
        "resets",
    ),
}
OVERRIDES: Final[dict[str, Shape]] = {
    "expire_after": Value(
        unit.DURATION,
        ("override_ns_max",),
        "How long an override for one order waits for its order at most.",
        "overrides",
        ("max_age", "expires_after"),
    ),
}


def strategies_of(
    reading: Reading,
    rows: list[tuple[str, dict[str, Any]]],
    disconnect: DisconnectRule | None = None,
) -> tuple[StrategyRule, ...]:
    """The strategies; a name that stands twice is refused. `disconnect` is the account's rule."""
    rules: dict[str, StrategyRule] = {}
    for path, values in rows:
        name = values.get("name")
        prefix = f"strategies[{name}]"
        losses = losses_of(reading, values.get("losses", {}), f"{path}.losses", f"{prefix}.losses")
        if "drawdown" in values:
            if any(rule.name == "drawdown" for rule in losses):
                reading.refuse_key(f"{path}.drawdown", "also under `losses`; keep one of the two")
            own = {"drawdown": values["drawdown"]}
            losses = losses_of(reading, own, path, f"{prefix}.losses") + losses
        filled = reading.fields(values, path, STRATEGY, prefix)
        filled["disconnect"] = disconnect_of(
            reading,
            values.get("cancel_on_disconnect"),
            f"{path}.cancel_on_disconnect",
            f"{prefix}.disconnect",
            disconnect,
        )
        if name is None or "capital" not in values:
            continue
        if name in rules:
            reading.refuse_value(path, f"{name} stands twice")
            continue
        symbols = tuple(sorted(dict.fromkeys(values.get("symbols", ()))))
        if "symbols" in values and not symbols and not _refused_at(reading, f"{path}.symbols"):
            what = "an empty list would forbid everything and means nothing: leave the key out"
            reading.refuse_key(f"{path}.symbols", what)
        reading.set_line(prefix, path)
        reading.set_line(f"{prefix}.symbols", f"{path}.symbols")
        rules[name] = StrategyRule(**filled, losses=losses, symbols=symbols)
    return tuple(rules.values())


def _refused_at(reading: Reading, path: str) -> bool:
    return any(problem.path.startswith(path) for problem in reading.problems)


def session_of(reading: Reading, values: dict[str, Any]) -> SessionRule:
    """The session; a roll belongs to a 24/7 calendar, an exchange's is its close."""
    rule = SessionRule(**reading.fields(values, "session", SESSION, "session"))
    if rule.roll and rule.calendar != "24/7":
        what = f"{rule.calendar} rolls at its close; `roll` is for calendar 24/7"
        reading.refuse_key("session.roll", what)
    if rule.zone and rule.calendar != "24/7":
        what = f"{rule.calendar} has its own time zone; `zone` is for calendar 24/7"
        reading.refuse_key("session.zone", what)
    return rule


def resets_of(reading: Reading, resets: dict[str, Any], overrides: dict[str, Any]) -> ResetRules:
    """Who may loosen, and how often."""
    filled = reading.fields(resets, "resets", RESETS, "resets")
    filled.update(reading.fields(overrides, "overrides", OVERRIDES, "resets"))
    return ResetRules(**filled)


def with_default_drawdown(losses: tuple[LossRule, ...]) -> tuple[LossRule, ...]:
    """The account's rules: a policy that names no drawdown has the default one all the same."""
    if any(rule.name == "drawdown" for rule in losses):
        return losses
    return (replace(LossRule()), *losses)
