"""What a policy may say is read by the code that enforces it, or stands in `NOT_YET`: both ways."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import Struct

import fuseboard
from fuseboard.policy.data_rules import DataRules, ExecutionRules, ReconciliationRules
from fuseboard.policy.limits import Limits
from fuseboard.policy.liquidity_rules import EmergencyRules, LiquidityRules, TierRules
from fuseboard.policy.not_yet import NOT_YET
from fuseboard.policy.policy import Policy
from fuseboard.policy.rules import (
    WAYS_ALWAYS_OPEN,
    WAYS_NOT_YET,
    WAYS_SWITCHED,
    BackupRule,
    DisconnectRule,
    KillSwitch,
    LossRule,
    MarketBreakers,
    ResetRules,
    SessionRule,
    StrategyRule,
)
from fuseboard.policy.sections_safety import METHODS

SOURCE = Path(fuseboard.__file__).parent
ENFORCING = ("app", "core", "guardian", "runtime", "upkeep")
PARTS: dict[str, type[Struct]] = {
    "": Policy,
    "backup": BackupRule,
    "data": DataRules,
    "disconnect": DisconnectRule,
    "execution": ExecutionRules,
    "kill_switch": KillSwitch,
    "limits": Limits,
    "liquidity": LiquidityRules,
    "liquidity.emergency": EmergencyRules,
    "liquidity.normal": TierRules,
    "losses": LossRule,
    "market": MarketBreakers,
    "reconciliation": ReconciliationRules,
    "resets": ResetRules,
    "session": SessionRule,
    "strategies": StrategyRule,
}
# Attributes of other things too: the code's reading them proves nothing, so the table is believed.
COMMON = {
    "action",
    "calendar",
    "client",
    "enabled",
    "extended_hours",
    "methods",
    "name",
    "reset",
    "session",
    "symbols",
    "checks",
    "zone",
    "roll",
    "trader",
    "desk",
    "market",
}
# Shown, or only carried.
NOTHING_TO_ENFORCE = {
    "later",
    "kill_switch",  # its fields are; which words of `methods`, the last test says
    "market",
    "data.price_check_action",  # `exclude` is the only one, and what is always done
}


def nodes() -> Iterator[ast.AST]:
    for room in ENFORCING:
        for file in (SOURCE / room).rglob("*.py"):
            yield from ast.walk(ast.parse(file.read_text()))


def read_names() -> set[str]:
    return {node.attr for node in nodes() if isinstance(node, ast.Attribute)}


def ways_asked_for() -> set[str]:
    """The words of `is_open(KILL_SWITCH, "WORD")` and of `"WORD" in KILL_SWITCH.methods`."""
    found: set[str] = set()
    for node in nodes():
        match node:
            case ast.Call(func=ast.Name(id="is_open"), args=[_, ast.Constant(value=str() as word)]):
                found.add(word)
            case ast.Compare(
                left=ast.Constant(value=str() as word),
                ops=[ast.In()],
                comparators=[ast.Attribute(attr="methods")],
            ):
                found.add(word)
    return found


# Rules of which others read a part (its measures); this part is what enforces them.
# What binds the cooldown is read beside it, in `policy.rules.reset_waits_ns`, for the summary too.
PROVEN_BY = {"dynamic_limits": "tighten", "losses.cooldown_always": "cooldown_ns"}
READ = read_names()
FIELDS = [
    f"{part}.{field}" if part else field
    for part, kind in PARTS.items()
    for field in kind.__struct_fields__
]


@pytest.mark.parametrize("path", FIELDS)
def test_a_field_is_enforced_or_stands_in_the_table(path: str) -> None:
    name = PROVEN_BY.get(path, path.rpartition(".")[2])
    if name in COMMON or path in NOTHING_TO_ENFORCE:
        return
    if name in READ:
        assert path not in NOT_YET, f"{path} is enforced now: take it out of policy/not_yet.py"
    else:
        assert path in NOT_YET, f"nothing reads {path}: enforce it, or put it into NOT_YET"


def test_the_table_names_real_fields() -> None:
    assert set(NOT_YET) <= set(FIELDS)
    assert len(set(NOT_YET)) == len(NOT_YET)


def test_a_way_to_the_kill_switch_is_asked_for_or_listed_as_not_there() -> None:
    asked = ways_asked_for()
    assert set(WAYS_SWITCHED) == asked, "what the code asks for, and what the policy switches"
    assert not asked.intersection(WAYS_NOT_YET), "it is there now: take it out of WAYS_NOT_YET"
    ways = [*WAYS_ALWAYS_OPEN, *WAYS_SWITCHED, *WAYS_NOT_YET]
    assert METHODS.schema["enum"] == ways
    assert set(KillSwitch().methods) == {*WAYS_ALWAYS_OPEN, *WAYS_SWITCHED}
