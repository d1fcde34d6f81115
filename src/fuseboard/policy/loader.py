"""A policy from YAML: what a person writes, checked key by key, into the frozen `Policy`.

Each section is a table from the key a person writes to the field it fills and the unit it is
written in. Everything wrong in a text is reported at once, each with file, line, column, what was
expected and, for an unknown key, the nearest known one. Nothing is ever silently ignored.
"""

import difflib
import re
from collections.abc import Callable
from typing import Any

from fuseboard.policy import units
from fuseboard.policy.data_rules import DataRules, ExecutionRules
from fuseboard.policy.limits import Limits
from fuseboard.policy.policy import Policy
from fuseboard.policy.rules import LossRule, StrategyRule
from fuseboard.policy.yaml_text import (
    PROBLEMS_MAX,
    Mapping,
    Node,
    Place,
    PolicyRefused,
    Problem,
    Sequence,
    Word,
    tree_of,
)
from fuseboard.vocabulary.actions import Action
from fuseboard.vocabulary.money import NANOS, shown_percent

STRATEGIES_MAX = 1_000
HALTING_WORDS = ("halt", "halt_trading", "halt_new_trades")
FLATTENING_WORDS = ("flatten", "flatten_positions")
# DESIGN: warned at 5 %, calm again under 3 %. A policy that names no way back gets that ratio.
CLEAR_FIFTHS = 3
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.-]{0,63}", re.ASCII)
_NOTIFY = re.compile(r"notify_[a-z][a-z0-9_]{0,30}", re.ASCII)

Unit = Callable[[str], Any]
Fields = dict[str, tuple[Unit, tuple[str, ...]]]
"""Key to its unit and the fields it fills; a unit that gives a tuple fills several."""


def _name(text: str) -> str:
    if _NAME.fullmatch(text) is None:
        raise units.Refused(f"{text[:40]!r} is not a name of at most 64 plain characters")
    return text


LIMITS: Fields = {
    "max_order_quantity": (units.quantity_nanos, ("order_quantity_nanos_max",)),
    "max_order_value": (units.money_nanos, ("order_value_nanos_max",)),
    "price_collar": (units.share_nanos, ("price_collar_nanos",)),
    "order_rate": (units.rate, ("order_rate_max", "order_rate_window_ns")),
    "max_working_orders": (units.count, ("working_orders_max",)),
    "max_position_value": (units.money_nanos, ("position_value_nanos_max",)),
    "max_position": (units.share_nanos, ("position_fraction_nanos_max",)),
    "gross_exposure": (units.leverage_nanos, ("gross_exposure_nanos_max",)),
}
DRAWDOWN: Fields = {
    "warning": (units.share_nanos, ("warning_nanos",)),
    "warning_clear": (units.share_nanos, ("warning_clear_nanos",)),
    "hard": (units.share_nanos, ("limit_nanos",)),
    "cooldown": (units.duration_ns, ("cooldown_ns",)),
    "confirm_within": (units.duration_ns, ("confirm_ns_max",)),
    "resets_a_day": (units.count, ("resets_a_day_max",)),
    "trips_a_day": (units.count, ("trips_a_day_max",)),
}
VALIDATION: Fields = {
    "max_spread": (units.share_nanos, ("spread_nanos_max",)),
    "max_age": (units.duration_ns, ("quote_age_ns_max",)),
    "price_change_limit": (units.share_nanos, ("jump_nanos_max",)),
    "equity_jump_limit": (units.share_nanos, ("equity_jump_nanos_max",)),
}
EXECUTION: Fields = {
    "requests_per_minute": (units.count, ("requests_a_minute",)),
    "protected_share": (units.share_nanos, ("protected_share_nanos",)),
    "close_collar": (units.share_nanos, ("close_collar_nanos",)),
    "close_wait": (units.duration_ns, ("close_wait_ns",)),
    "close_attempts": (units.count, ("close_attempts_max",)),
    "cancel_wait": (units.duration_ns, ("cancel_wait_ns",)),
    "absent_after": (units.duration_ns, ("absent_after_ns",)),
}


def policy_from_yaml(text: str, source: str) -> Policy:
    """The policy of a YAML text; `source` names the text in messages. Raises `PolicyRefused`.

    What the text leaves out has the defaults of `policy.Policy`.
    """
    reading = _Reading(source)
    policy = reading.policy(tree_of(text, source, reading.problems))
    if reading.problems:
        in_order = sorted(reading.problems, key=lambda it: (it.place.line, it.place.column))
        raise PolicyRefused(tuple(in_order[:PROBLEMS_MAX]))
    return policy


class _Reading:
    """One pass over one tree, collecting problems instead of stopping at the first."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.problems: list[Problem] = []

    def refuse(self, place: Place, path: str, what: str) -> None:
        self.problems.append(Problem(self.source, place, path, what))

    # --- shapes ------------------------------------------------------------------------------

    def known(self, node: Node, path: str, keys: tuple[str, ...]) -> Mapping:
        """The node as a mapping of known keys; what is not one is refused and left out."""
        if not isinstance(node, Mapping):
            self.refuse(node.place, path, f"expected keys and values here: {', '.join(keys)}")
            return Mapping({}, {}, node.place)
        for key, place in node.keys.items():
            if key not in keys:
                near = difflib.get_close_matches(key[:80], keys, n=1)
                hint = f"did you mean `{near[0]}`?" if near else f"known here: {', '.join(keys)}"
                self.refuse(place, _joined(path, key[:80]), f"unknown key; {hint}")
        return node

    def value(self, node: Node, path: str, unit: Unit) -> Any:
        """The value of one word in a unit; None when it was refused."""
        if not isinstance(node, Word):
            self.refuse(node.place, path, "expected a single value here, not a list or keys")
            return None
        if not node.text:
            self.refuse(node.place, path, "nothing is written here; leave the key out instead")
            return None
        try:
            return unit(node.text)
        except units.Refused as refused:
            self.refuse(node.place, path, str(refused))
            return None

    def filled(self, mapping: Mapping, path: str, fields: Fields) -> dict[str, Any]:
        """The fields that the mapping's own keys fill."""
        values: dict[str, Any] = {}
        for key, (unit, names) in fields.items():
            if key not in mapping.entries:
                continue
            value = self.value(mapping.entries[key], _joined(path, key), unit)
            if value is not None:
                values.update(zip(names, value if len(names) > 1 else (value,), strict=True))
        return values

    def items(self, node: Node, path: str, what: str) -> list[Node]:
        if isinstance(node, Sequence):
            return node.items
        self.refuse(node.place, path, f"expected a list of {what}, each after a dash")
        return []

    # --- sections ----------------------------------------------------------------------------

    def policy(self, top: Mapping) -> Policy:
        sections = ("name", "strategies", "risk", "safety", "data", "execution")
        entries = self.known(top, "", sections).entries
        risk = self.section(entries, "risk", ("limits",))
        safety = self.section(entries, "safety", ("limits", "loss_limits"))
        data = self.section(entries, "data", ("validation",))
        losses = self.section(safety.entries, "loss_limits", ("drawdown",), "safety")
        validation = self.section(data.entries, "validation", tuple(VALIDATION), "data")
        drawdown = losses.entries.get("drawdown")
        name = self.value(entries["name"], "name", _name) if "name" in entries else None
        return Policy(
            name=name or Policy().name,
            limits=self.limits(risk, safety),
            losses=(self.drawdown(drawdown, "safety.loss_limits.drawdown") or LossRule(),),
            strategies=self.strategies(entries.get("strategies")),
            data=DataRules(**self.filled(validation, "data.validation", VALIDATION)),
            execution=self.execution(entries),
        )

    def section(
        self, entries: dict[str, Node], key: str, keys: tuple[str, ...], path: str = ""
    ) -> Mapping:
        """A section that may be left out."""
        if key not in entries:
            return Mapping({}, {}, Place(1, 1))
        return self.known(entries[key], _joined(path, key), keys)

    def limits(self, risk: Mapping, safety: Mapping) -> Limits:
        """`risk.limits` and `safety.limits` are one section; a limit stands in one of them."""
        first = self.section(risk.entries, "limits", tuple(LIMITS), "risk")
        second = self.section(safety.entries, "limits", tuple(LIMITS), "safety")
        for key in LIMITS:
            if key in first.keys and key in second.keys:
                line = first.keys[key].line
                what = f"already set in line {line} under risk.limits; keep one of the two"
                self.refuse(second.keys[key], f"safety.limits.{key}", what)
        values = self.filled(first, "risk.limits", LIMITS)
        values.update(self.filled(second, "safety.limits", LIMITS))
        return Limits(**values)

    def drawdown(self, node: Node | None, path: str) -> LossRule | None:
        if node is None:
            return None
        mapping = self.known(node, path, (*DRAWDOWN, "action"))
        values = self.filled(mapping, path, DRAWDOWN)
        if "action" in mapping.entries:
            flatten = self.flattens(mapping.entries["action"], f"{path}.action")
            values["action"] = Action.HALT if flatten is False else Action.FLATTEN
        warning, hard = values.get("warning_nanos"), values.get("limit_nanos")
        if warning is not None and "warning_clear" not in mapping.entries:
            values["warning_clear_nanos"] = warning * CLEAR_FIFTHS // 5
        clear = values.get("warning_clear_nanos")
        hard = LossRule().limit_nanos if hard is None else hard
        self.ordered(mapping, path, warning=warning, clear=clear, hard=hard)
        return LossRule(**values)

    def ordered(
        self, mapping: Mapping, path: str, *, warning: int | None, clear: int | None, hard: int
    ) -> None:
        """warning_clear < warning < hard < 100 %."""
        if hard >= NANOS:
            place = mapping.keys.get("hard", mapping.place)
            self.refuse(place, f"{path}.hard", "100% never trips before everything is lost")
        if warning is not None and warning >= hard:
            what = f"{shown_percent(warning)} is not below the hard limit {shown_percent(hard)}"
            self.refuse(mapping.keys["warning"], f"{path}.warning", what)
        if "warning_clear" not in mapping.keys or clear is None:
            return
        if "warning" not in mapping.keys:
            what = "a way back needs a `warning` to come back from"
            self.refuse(mapping.keys["warning_clear"], f"{path}.warning_clear", what)
        elif warning is not None and clear >= warning:
            what = f"{shown_percent(clear)} is not below the warning {shown_percent(warning)}"
            self.refuse(mapping.keys["warning_clear"], f"{path}.warning_clear", what)

    def flattens(self, node: Node, path: str) -> bool | None:
        """Whether the actions close positions; None when they were refused."""
        known = (*HALTING_WORDS, *FLATTENING_WORDS)
        written: list[str] = []
        for item in node.items if isinstance(node, Sequence) else [node]:
            word = item.text if isinstance(item, Word) else ""
            written.append(word)
            if word not in known and _NOTIFY.fullmatch(word) is None:
                near = difflib.get_close_matches(word[:80], known, n=1)
                hint = f"did you mean `{near[0]}`?" if near else f"known: {', '.join(known)}"
                self.refuse(item.place, path, f"{word[:40]!r} is not an action; {hint}")
                return None
        if not any(word in known for word in written):
            what = (
                "a hard limit must halt or flatten, for example [flatten_positions, notify_admin]"
            )
            self.refuse(node.place, path, what)
            return None
        return any(word in FLATTENING_WORDS for word in written)

    def strategies(self, node: Node | None) -> tuple[StrategyRule, ...]:
        if node is None:
            return ()
        rules: dict[str, StrategyRule] = {}
        items = self.items(node, "strategies", "strategies")
        if len(items) > STRATEGIES_MAX:
            self.refuse(node.place, "strategies", f"more than {STRATEGIES_MAX} strategies")
        for number, item in enumerate(items[:STRATEGIES_MAX]):
            rule = self.strategy(item, f"strategies[{number}]")
            if rule is not None and rule.name in rules:
                self.refuse(item.place, f"strategies[{number}].name", f"{rule.name} stands twice")
            elif rule is not None:
                rules[rule.name] = rule
        return tuple(rules.values())

    def strategy(self, node: Node, path: str) -> StrategyRule | None:
        mapping = self.known(node, path, ("name", "capital", "drawdown"))
        required: Fields = {
            "name": (_name, ("name",)),
            "capital": (units.money_nanos, ("capital_nanos",)),
        }
        values = self.filled(mapping, path, required)
        for key in required:
            if key not in mapping.entries:
                what = f"`{key}` is missing: a strategy needs a name and the capital it works with"
                self.refuse(node.place, f"{path}.{key}", what)
        drawdown = self.drawdown(mapping.entries.get("drawdown"), f"{path}.drawdown")
        if "name" not in values or "capital_nanos" not in values:
            return None
        return StrategyRule(**values, losses=() if drawdown is None else (drawdown,))

    def execution(self, entries: dict[str, Node]) -> ExecutionRules:
        """The budget leaves at least one request a minute for strategies and one for protection."""
        mapping = self.section(entries, "execution", tuple(EXECUTION))
        rules = ExecutionRules(**self.filled(mapping, "execution", EXECUTION))
        protected = rules.requests_a_minute * rules.protected_share_nanos // NANOS
        if not 0 < protected < rules.requests_a_minute:
            place = mapping.keys.get("protected_share", mapping.place)
            share = shown_percent(rules.protected_share_nanos)
            what = (
                f"{share} of {rules.requests_a_minute} requests a minute must leave at least one"
                " for protection and one for strategies"
            )
            self.refuse(place, "execution.protected_share", what)
        return rules


def _joined(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
