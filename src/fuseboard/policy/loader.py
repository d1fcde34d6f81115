"""A policy from YAML: what a person writes, checked key by key, into the frozen `Policy`.

The file's shape is `FILE`, one table for the loader, the JSON Schema and `policy explain`.
Everything wrong in a text is reported at once, each with file, line, column, what was expected and,
for an unknown key, the nearest known one. Nothing is ever silently ignored. Secrets are names of
environment variables; their values never enter a policy.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from fuseboard.policy import sections_accounts as accounts
from fuseboard.policy import sections_backup as backups
from fuseboard.policy import sections_data as data
from fuseboard.policy import sections_disconnect as disconnects
from fuseboard.policy import sections_limits as limits
from fuseboard.policy import sections_liquidity as liquidity
from fuseboard.policy import sections_losses as losses
from fuseboard.policy import sections_operations as operations
from fuseboard.policy import sections_reconciliation as reconciliation
from fuseboard.policy import sections_safety as safety
from fuseboard.policy import unit_table as unit
from fuseboard.policy.impossible import unmeasured
from fuseboard.policy.policy import Policy
from fuseboard.policy.reading import Reading, joined
from fuseboard.policy.sectors import Files, no_files, sectors_of
from fuseboard.policy.shapes import Section, Value
from fuseboard.policy.yaml_text import (
    PROBLEMS_MAX,
    Place,
    PolicyRefused,
    Problem,
    tree_of,
    words_of,
)

SECRET_CHARACTERS_MIN: Final = 6
"""Shorter values cannot be told from ordinary words, and are not looked for."""
_SECRETIVE: Final = re.compile(r"KEY|SECRET|TOKEN|PASSWORD|PASSWD|WEBHOOK", re.ASCII)
_NAMED: Final = re.compile(r"\$\{([A-Z_][A-Z0-9_]{0,63})\}", re.ASCII)

FILE: Final = Section(
    {
        "name": Value(unit.NAME, ("name",), "The policy's name in every record."),
        "strategies": accounts.STRATEGIES,
        "session": Section(accounts.SESSION, "When this account trades and when its day ends."),
        "restricted": limits.SYMBOLS,
        "sectors": limits.SECTORS,
        "risk": Section(
            {
                "limits": limits.LIMITS_SECTION,
                "dynamic_limits": limits.DYNAMIC,
                "restricted": limits.SYMBOLS,
                "sectors": limits.SECTORS,
            },
            "What orders and positions may reach.",
        ),
        "safety": Section(
            {
                "pre_trade_checks": Section(safety.CHECKS, "What each order must pass."),
                "limits": limits.LIMITS_SECTION,
                "loss_limits": losses.LOSSES,
                "circuit_breakers": safety.BREAKERS,
                "market_circuit_breakers": Section(
                    safety.MARKET, "What halts of the exchange do to us."
                ),
                "kill_switch": Section(safety.KILL, "Which ways to the kill switch are open."),
                "cancel_on_disconnect": disconnects.DISCONNECT,
            },
            "What stops trading.",
        ),
        "data": Section(
            {
                "validation": Section(data.VALIDATION, "Which quotes are good enough."),
                "anomaly_detection": Section(data.ANOMALIES, "What is worth a look."),
            },
            "What market data must be.",
        ),
        "execution": Section(
            {**data.EXECUTION, **operations.EXECUTION_PARTLY},
            "How orders are worked.",
        ),
        "liquidity": Section(
            liquidity.LIQUIDITY, "What a market without another side does; silent: nothing."
        ),
        "resets": Section(accounts.RESETS, "Who may loosen, and how often."),
        "overrides": Section(accounts.OVERRIDES, "Exceptions for one order, by two people."),
        **operations.TOP_LATER,
        "backup": backups.BACKUP,
    },
    "A Fuseboard policy.",
)


class Loaded(Struct, frozen=True):
    """A policy with the line of the file for each field that the file sets.

    Fields are named as in `Policy`, rows of a list by their name: `limits.order_value_nanos_max`,
    `breakers[too many errors]`, `losses[drawdown].limit_nanos`.
    """

    policy: Policy
    lines: dict[str, int]


def policy_from_yaml(text: str, source: str) -> Policy:
    """The policy of a YAML text, secrets unchecked; otherwise as `read_policy`."""
    return read_policy(text, source).policy


def read_policy(
    text: str,
    source: str,
    *,
    environment: Mapping[str, str] | None = None,
    files: Files = no_files,
) -> Loaded:
    """The policy of a YAML text; `source` names the text in messages. Raises `PolicyRefused`.

    What the text leaves out has the defaults of `policy.Policy`. With an `environment`, each
    `${NAME}` must be set in it, and no value of such a name is repeated in a message. `files` reads
    what the policy names beside itself.
    """
    reading = Reading(source)
    if environment is not None:
        _holds_no_secret(text, source, environment)
        files = _without_secrets(files, environment)
    policy = _policy(
        reading, reading.read(tree_of(text, source, reading.problems), "", FILE), files
    )
    if environment is not None:
        _secrets_are_set(reading, policy, environment)
    if reading.problems:
        in_order = sorted(reading.problems, key=lambda it: (it.place.line, it.place.column))
        raise PolicyRefused(tuple(in_order[:PROBLEMS_MAX]))
    return Loaded(policy, reading.lines)


def _policy(reading: Reading, top: dict[str, Any] | None, files: Files) -> Policy:
    top = top or {}
    risk, guard, feed = (top.get(key, {}) for key in ("risk", "safety", "data"))
    execution = top.get("execution", {})
    both = [
        (path, values["limits"])
        for path, values in (("risk.limits", risk), ("safety.limits", guard))
        if "limits" in values
    ]
    spots: list[tuple[str, dict[str, Any]]] = [("", top), ("risk", risk), *both]
    later = _later(top, execution)
    base = limits.limits_of(reading, both)
    dynamic = limits.dynamic_limits_of(reading, risk.get("dynamic_limits", []))
    checks, off, base = safety.checks_of(reading, guard.get("pre_trade_checks", {}), base, dynamic)
    reading.set_line("name", "name")
    section = "cancel_on_disconnect"
    disconnect = disconnects.disconnect_of(
        reading, guard.get(section), f"safety.{section}", "disconnect"
    )
    strategies = accounts.strategies_of(reading, top.get("strategies", []), disconnect)
    policy = Policy(
        session=accounts.session_of(reading, top.get("session", {})),
        strategies=strategies,
        checks=checks,
        checks_off=off,
        limits=base,
        dynamic_limits=dynamic,
        restricted=limits.restricted_of(reading, _spots(spots, "restricted")),
        sectors=sectors_of(reading, _spots(spots, "sectors"), files),
        losses=accounts.with_default_drawdown(
            losses.losses_of(reading, guard.get("loss_limits", {}), "safety.loss_limits", "losses")
        ),
        breakers=safety.breakers_of(reading, guard.get("circuit_breakers", []), strategies, base),
        market=safety.market_of(reading, guard.get("market_circuit_breakers", {})),
        kill_switch=safety.kill_switch_of(reading, guard.get("kill_switch", {}), later),
        disconnect=disconnect or Policy().disconnect,
        resets=accounts.resets_of(reading, top.get("resets", {}), top.get("overrides", {})),
        data=data.data_of(reading, feed.get("validation", {}), feed.get("anomaly_detection", {})),
        execution=data.execution_of(reading, execution),
        reconciliation=reconciliation.reconciliation_of(
            reading, execution.get("reconciliation", {})
        ),
        liquidity=liquidity.liquidity_of(reading, top.get("liquidity")),
        backup=backups.backup_of(reading, top.get("backup"), later),
        later={path: _canonical(later[path]) for path in sorted(later)},
    )
    for field, what in unmeasured(policy):
        reading.refuse(Place(reading.lines.get(field, 1), 1), field, what)
    for path in policy.later:
        reading.set_line(f"later[{path}]", path)
    return replace(policy, name=top.get("name", policy.name))


def _spots(spots: list[tuple[str, dict[str, Any]]], key: str) -> list[tuple[str, Any]]:
    return [(joined(path, key), values[key]) for path, values in spots if key in values]


def _later(top: dict[str, Any], execution: dict[str, Any]) -> dict[str, Any]:
    """What was written in sections that nothing enforces yet, by its path."""
    found = {key: top[key] for key in operations.TOP_LATER if key in top}
    return found | reconciliation.left_for_later(execution)


def _canonical(values: Any) -> str:
    """One text whatever the order of the keys; a list keeps its order, without the places."""
    return msgspec.json.encode(_plain(values), order="sorted").decode()


def _plain(values: Any) -> Any:
    if isinstance(values, dict):
        return {key: _plain(value) for key, value in values.items()}
    if isinstance(values, list):
        return [_plain(item[1] if isinstance(item, tuple) else item) for item in values]
    return values


def _without_secrets(files: Files, environment: Mapping[str, str]) -> Files:
    """The same files, each refused when the value of a secret stands in it."""

    def read(name: str) -> str:
        text = files(name)
        _holds_no_secret(text, name, environment)
        return text

    return read


def _holds_no_secret(text: str, source: str, environment: Mapping[str, str]) -> None:
    """Refuse a text that holds the value of a secret; nothing else is said about it.

    A secret is what the text names as one, and every variable that is called like one. Its value is
    looked for as it is written, and in each word as YAML reads it: quotes know many spellings.
    """
    called = [name for name in environment if _SECRETIVE.search(name)]
    names = dict.fromkeys([*_NAMED.findall(text), *called])
    values = {
        name: value
        for name in names
        if len(value := environment.get(name, "")) >= SECRET_CHARACTERS_MIN
    }
    for name, value in values.items():
        at = text.find(value)
        if at >= 0:
            place = Place(text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at))
            raise _secret_stands(source, place, name)
    for word, place in words_of(text) if values else ():
        for name, value in values.items():
            if value in word:
                raise _secret_stands(source, place, name)


def _secret_stands(source: str, place: Place, name: str) -> PolicyRefused:
    what = f"the value of a secret stands here: write `${{{name}}}`"
    return PolicyRefused((Problem(source, place, "", what),))


def _secrets_are_set(reading: Reading, policy: Policy, environment: Mapping[str, str]) -> None:
    for path, name in _secret_places(policy):
        if not environment.get(name):
            what = f"the environment has no {name}: set it before this policy is used"
            reading.refuse_value(path, what)


def _secret_places(policy: Policy) -> list[tuple[str, str]]:
    """Each secret's path in the file and its name."""
    found: list[tuple[str, str]] = []

    def walk(path: str, value: Any) -> None:
        if isinstance(value, dict):
            for key, below in value.items():
                walk(joined(path, key), below)
        elif isinstance(value, list):
            for number, below in enumerate(value):
                walk(f"{path}[{number}]", below)
        elif isinstance(value, str) and value.startswith("${"):
            found.append((path, value[2:-1]))

    for path, text in policy.later.items():
        walk(path, msgspec.json.decode(text))
    return found
