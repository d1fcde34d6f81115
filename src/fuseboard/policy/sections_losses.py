"""`safety.loss_limits` and the losses of a strategy: how far equity may fall, and from where.

A loss is written without a sign. Each key is one fuse of its own, measured from its own reference.
"""

from typing import Any, Final

from fuseboard.policy import unit_table as unit
from fuseboard.policy.reading import Reading
from fuseboard.policy.rules import LossRule
from fuseboard.policy.shapes import Either, Items, Section, Shape, Value
from fuseboard.vocabulary.actions import Action, Reference
from fuseboard.vocabulary.money import NANOS, shown_percent

# DESIGN: warned at 5 %, calm again under 3 %. A policy that names no way back gets that ratio.
CLEAR_FIFTHS: Final = 3
ACTIONS_MAX: Final = 10
HARDNESS: Final = {action: place for place, action in enumerate(Action)}
ACTIONS: Final = Either(
    "an action or a list of actions, such as [halt_new_trades, notify_admin]",
    word=Value(unit.ACTION),
    items=Items(Value(unit.ACTION), "actions", ACTIONS_MAX),
    about=(
        "What happens: notify_SOMEBODY, reduce, reduce_only (exits pass), halt (nothing passes but"
        " cancels), flatten, kill; of several, the hardest."
    ),
)
RULE: Final[dict[str, Shape]] = {
    "warning": Value(
        unit.SHARE, ("warning_nanos",), "From this loss on new risk is halved.", "fuse"
    ),
    "warning_clear": Value(
        unit.SHARE,
        ("warning_clear_nanos",),
        "Under this loss the warning ends.",
        "fuse",
        default="three fifths of the warning",
    ),
    "hard": Value(unit.SHARE, ("limit_nanos",), "At this loss the fuse trips, once.", "fuse"),
    "action": ACTIONS,
    "reset": Value(
        unit.RESET,
        ("reset",),
        "Who lifts it: a person, or the open of the next trading day.",
        "fuse",
    ),
    "cooldown": Value(
        unit.DURATION,
        ("cooldown_ns",),
        "How long after a trip nobody resets it.",
        "fuse",
        default="5m where it flattens, else none",
    ),
    "confirm_within": Value(
        unit.DURATION,
        ("confirm_ns_max",),
        "A breach that is neither confirmed nor withdrawn in this time asks for reduce-only.",
        "fuse",
    ),
    "resets_a_day": Value(
        unit.COUNT, ("resets_a_day_max",), "Resets in 24 hours; one more leaves it halted.", "fuse"
    ),
    "trips_a_day": Value(
        unit.COUNT, ("trips_a_day_max",), "Trips in 24 hours; that many and it is killed.", "fuse"
    ),
}
REFERENCE: Final = Value(
    unit.PEAKS,
    ("reference",),
    "Measured from the session's highest equity, or from the highest since the fuse was armed.",
    "fuse",
)
DAYS: Final = Value(
    unit.whole(1, 252_000),
    ("window_days",),
    "Sessions that the highest equity is taken from, the present one included.",
    "fuse",
    ("window_days", "window"),
)
NAMES: Final = {
    "drawdown": ("drawdown", Reference.SESSION_PEAK),
    "daily": ("daily_loss", Reference.SESSION_OPEN),
    "weekly": ("weekly_loss", Reference.WEEK_OPEN),
    "monthly": ("monthly_loss", Reference.MONTH_OPEN),
    "rolling": ("rolling_drawdown", Reference.ROLLING_PEAK),
}
"""Key to the name of its fuse and what the loss is measured from."""
_HARD = "a loss limit needs `hard`, the loss at which it trips, for example 3%"
LOSSES: Final = Section(
    {
        "drawdown": Section(
            {**RULE, "reference": REFERENCE}, "How far equity may fall from its highest mark."
        ),
        "daily": Section(RULE, "How far it may fall in a session.", ("hard",), _HARD),
        "weekly": Section(RULE, "How far it may fall in a week.", ("hard",), _HARD),
        "monthly": Section(RULE, "How far it may fall in a month.", ("hard",), _HARD),
        "rolling": Section(
            {**RULE, "days": DAYS},
            "How far it may fall from the highest of the last sessions.",
            ("hard", "days"),
            "a rolling limit needs `days` and `hard`, for example {days: 30, hard: 8%}",
            aliases=("rolling_drawdown",),
        ),
    },
    "How much may be lost, each a fuse of its own.",
    aliases=("losses",),
)


def losses_of(
    reading: Reading, values: dict[str, Any], path: str, prefix: str
) -> tuple[LossRule, ...]:
    """The loss rules of a section, in the order of `NAMES`; their lines are under `prefix`."""
    rules = []
    for key, (name, reference) in NAMES.items():
        if key in values:
            rule = _rule(reading, values[key], f"{path}.{key}", prefix, name, reference)
            if rule is not None:
                rules.append(rule)
    return tuple(rules)


def _rule(
    reading: Reading,
    values: dict[str, Any],
    path: str,
    prefix: str,
    name: str,
    reference: Reference,
) -> LossRule | None:
    shape = LOSSES.keys[path.rpartition(".")[2]]
    assert isinstance(shape, Section)
    field = f"{prefix}[{name}]"
    filled: dict[str, Any] = {"name": name, "reference": reference}
    filled.update(reading.fields(values, path, shape.keys, field))
    reading.set_line(field, path)
    if "action" in values:
        reading.set_line(f"{field}.action", f"{path}.action")
        action = action_of(reading, f"{path}.action", values["action"])
        if action is None or HARDNESS[action] < HARDNESS[Action.REDUCE_ONLY]:
            if not _refused_below(reading, f"{path}.action"):
                what = "a hard limit must halt or flatten (or kill, or let only exits pass:"
                example = "`reduce_only`), for example [flatten_positions, notify_admin]"
                reading.refuse_value(f"{path}.action", f"{what} {example}")
        else:
            filled["action"] = action
    filled["cooldown_always"] = binds(reading, path, filled.get("action", Action.FLATTEN))
    warning = filled.get("warning_nanos")
    if warning is not None and f"{path}.warning_clear" not in reading.entries:
        filled["warning_clear_nanos"] = warning * CLEAR_FIFTHS // 5
    rule = LossRule(**filled)
    _ordered(reading, path, rule)
    return rule


def binds(reading: Reading, path: str, action: Action) -> bool:
    """Whether a cooldown is written that the action would not have by itself."""
    latches = (Action.REDUCE_ONLY, Action.HALT, Action.KILL)
    return f"{path}.cooldown" in reading.entries and action in latches


def action_of(reading: Reading, path: str, actions: Any) -> Action | None:
    """The hardest of one action or a list of them; None for an empty list.

    A kill leaves what is held as it is: beside a flatten it is refused.
    """
    listed = actions if isinstance(actions, list) else [actions]
    if Action.FLATTEN in listed and Action.KILL in listed:
        what = "kill closes nothing and flatten does not disconnect: one of the two, not both"
        reading.refuse_value(path, what)
    return max(listed, key=HARDNESS.__getitem__, default=None)


def _refused_below(reading: Reading, path: str) -> bool:
    return any(problem.path.startswith(path) for problem in reading.problems)


def _ordered(reading: Reading, path: str, rule: LossRule) -> None:
    """warning_clear < warning < hard < 100 %."""
    warning, clear, hard = rule.warning_nanos, rule.warning_clear_nanos, rule.limit_nanos
    if hard >= NANOS:
        reading.refuse_key(f"{path}.hard", "100% never trips before everything is lost")
    if warning is not None and warning >= hard:
        what = f"{shown_percent(warning)} is not below the hard limit {shown_percent(hard)}"
        reading.refuse_key(f"{path}.warning", what)
    below = f"{path}.warning_clear"
    if below not in reading.entries or clear is None:
        return
    if f"{path}.warning" not in reading.entries:
        reading.refuse_key(below, "a way back needs a `warning` to come back from")
    elif warning is not None and clear >= warning:
        what = f"{shown_percent(clear)} is not below the warning {shown_percent(warning)}"
        reading.refuse_key(below, what)
