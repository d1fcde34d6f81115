"""Which of two policies is tighter, field by field: what may come into force without a person.

`directions.RULES` judges each field that differs. A new rule that may close positions counts as
LOOSER too (docs/adr/0011), and so does a setting that makes the number such a rule judges
(`feeding`). So a change may be LOOSER in both directions; it is never TIGHTER in both.
"""

from typing import Any, Final

from msgspec import Struct

from fuseboard.policy.directions import LOOSER, RULES, TIGHTER, Direction
from fuseboard.policy.feeding import Fed, fed_to_flattening
from fuseboard.policy.keys import KEYS, row_key, under
from fuseboard.policy.later_changes import later_changes
from fuseboard.policy.limits import DynamicLimit, Limits, Tightening
from fuseboard.policy.liquidity_rules import LiquidityRules
from fuseboard.policy.policy import Policy, own_disconnects
from fuseboard.policy.rules import BreakerRule, DisconnectRule, LossRule, StrategyRule
from fuseboard.policy.shown import NOT_SET, shown
from fuseboard.vocabulary.actions import Action


class Change(Struct, frozen=True):
    """One difference between two policies; values are shown as people write them."""

    path: str
    """In the policy's own names, rows of a list by their name."""
    key: str
    """Where a policy file writes it."""
    old: str
    new: str
    direction: Direction


NESTED: Final[dict[type[Struct], tuple[str, ...]]] = {
    Policy: (
        "session",
        "strategies",
        "checks",
        "limits",
        "dynamic_limits",
        "losses",
        "breakers",
        "market",
        "kill_switch",
        "resets",
        "data",
        "execution",
        "reconciliation",
        "liquidity",
        "backup",
    ),
    LiquidityRules: ("normal", "cautious", "defensive", "emergency"),
    StrategyRule: ("losses",),
    DynamicLimit: ("tighten",),
}
"""Fields that hold parts of their own, compared part by part; rows of a list by their name."""


def changes(old: Policy, new: Policy) -> tuple[Change, ...]:
    """Every difference, in the order of the fields; empty for equal policies."""
    fed = fed_to_flattening(new)
    return (*_struct(old, new, "", "", fed), *_own_disconnects(old, new))


def loosens(old: Policy, new: Policy) -> bool:
    """Whether anything in the new policy is not provably as tight as in the old one."""
    return any(change.direction is LOOSER for change in changes(old, new))


def _struct(old: Any, new: Any, path: str, key: str, fed: Fed) -> list[Change]:
    found: list[Change] = []
    kind: type[Struct] = type(old)
    for field in kind.__struct_fields__:
        before, after = getattr(old, field), getattr(new, field)
        if before == after or (kind is StrategyRule and field == "disconnect"):
            continue
        below = f"{path}.{field}" if path else field
        at = under(kind, field, key)
        if field == "later":
            found += _later(before, after)
        elif field not in NESTED.get(kind, ()):
            direction = RULES[kind][field](before, after)
            if field == "condition" and may_flatten(new):
                direction = LOOSER  # it may hold now, and close what is held
            elif field == "watchdog_timeout_ns" and new.watchdog_flattens:
                direction = LOOSER  # a dead man that acts sooner closes sooner
            elif field in fed.get(kind, {}):
                direction = LOOSER  # a rule that closes what is held judges another number now
            texts = _said(field, before), _said(field, after)
            found.append(Change(below, at, *texts, direction))
        elif field == "tighten":
            found += _tightenings(before, after, path, at)
        elif isinstance(before, tuple):
            found += _rows(before, after, below, at, fed)
        else:
            found += _struct(before, after, below, at, fed)
    return found


def _own_disconnects(old: Policy, new: Policy) -> list[Change]:
    """Strategies' own rules: one that comes or goes is compared with the account's."""
    before, after = own_disconnects(old), own_disconnects(new)
    judge, found = RULES[StrategyRule]["disconnect"], []
    for name in [*before, *(name for name in after if name not in before)]:
        was, now = before.get(name), after.get(name)
        if was == now:
            continue
        texts = [_said("disconnect", rule) for rule in (was, now)]
        direction = judge(was or old.disconnect, now or new.disconnect)
        path, key = f"strategies[{name}].disconnect", f"strategies[{name}].cancel_on_disconnect"
        found.append(Change(path, key, texts[0], texts[1], direction))
    return found


def _later(old: dict[str, str], new: dict[str, str]) -> list[Change]:
    """Sections that nothing enforces yet: a row for each key that differs, judged by section."""
    found: list[Change] = []
    for path in [*old, *(path for path in new if path not in old)]:
        was, now = old.get(path), new.get(path)
        if was == now:
            continue
        kept = [{} if text is None else {path: text} for text in (was, now)]
        direction = RULES[Policy]["later"](*kept)
        found += [
            Change(f"later.{key}", key, before, after, direction)
            for key, before, after in later_changes(was, now, path)
        ]
    return found


def _said(field: str, value: Any) -> str:
    if isinstance(value, DisconnectRule):
        after, by = shown("after_ns", value.after_ns), value.connected_by.value
        return f"{after} without {by}" if value.enabled else "off"
    if isinstance(value, dict):
        return ", ".join(f"{key}: {value[key]}" for key in value)[:300] or "none"
    return shown(field, value)


def _rows(
    old: tuple[Any, ...], new: tuple[Any, ...], path: str, key: str, fed: Fed
) -> list[Change]:
    """Rows by name. A rule that goes loosens, one that comes tightens; strategies the reverse.

    One that comes with leave to close positions is not provably tighter.
    """
    before = {row.name: row for row in old}
    after = {row.name: row for row in new}
    found: list[Change] = []
    added, removed = TIGHTER, LOOSER
    if path == "strategies":
        added = TIGHTER if not old else LOOSER  # no names: everybody may trade
        removed = LOOSER if not new else TIGHTER
    for name in [*before, *(name for name in after if name not in before)]:
        below = f"{path}[{name}]"
        at = row_key(before.get(name) or after[name], key)
        if name not in after:
            found.append(Change(below, at, _row(before[name]), NOT_SET, removed))
        elif name not in before:
            comes = LOOSER if may_flatten(after[name]) else added
            found.append(Change(below, at, NOT_SET, _row(after[name]), comes))
        else:
            found += _struct(before[name], after[name], below, at, fed)
    return found


def may_flatten(row: Any) -> bool:
    """Whether a rule, or one of a strategy's losses, closes positions when it trips."""
    if isinstance(row, StrategyRule):
        return any(map(may_flatten, row.losses))
    return isinstance(row, LossRule | BreakerRule) and row.action is Action.FLATTEN


def _row(row: Any) -> str:
    if isinstance(row, LossRule):
        return f"{shown('limit_nanos', row.limit_nanos)}: {row.action.value}"
    if isinstance(row, StrategyRule):
        return f"capital {shown('capital_nanos', row.capital_nanos)}"
    if isinstance(row, BreakerRule):
        return f"{row.condition}: {row.action.value}"
    if isinstance(row, DynamicLimit):
        fields = KEYS[Limits]
        limits = (f"{fields[at.field]} {shown(at.field, at.value)}" for at in row.tighten)
        return f"{row.condition}: {', '.join(limits)}"
    return str(row.condition)


def _tightenings(
    old: tuple[Tightening, ...], new: tuple[Tightening, ...], path: str, key: str
) -> list[Change]:
    before = {row.field: row.value for row in old}
    after = {row.field: row.value for row in new}
    found = []
    for field in [*before, *(field for field in after if field not in before)]:
        was, now = before.get(field), after.get(field)
        if was != now:
            direction = RULES[Limits][field](was, now)
            below = f"{path}.tighten[{field}]"
            at = under(Limits, field, key)
            found.append(Change(below, at, shown(field, was), shown(field, now), direction))
    return found
