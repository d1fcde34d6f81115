"""The published JSON Schema and the loader agree, as far as JSON Schema can say it."""

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from fuseboard.policy.explained import every_key
from fuseboard.policy.loader import read_policy
from fuseboard.policy.schema import json_schema
from fuseboard.policy.starter import default_policy_text
from tests.policy.test_loader import REFUSED as REFUSED_VALUES
from tests.policy.test_sections import FOUND
from tests.policy.test_sections import REFUSED as REFUSED_SECTIONS

EXAMPLES = Path(__file__).resolve().parent.parent.parent / "examples"
SCHEMA = json_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def accepts(text: str) -> bool:
    document: Any = yaml.safe_load(text)
    return bool(VALIDATOR.is_valid(document))


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(
    "text", [(EXAMPLES / "policy.yaml").read_text(), default_policy_text(), FOUND]
)
def test_what_the_loader_reads_it_accepts(text: str) -> None:
    read_policy(text, "p.yaml")
    errors = [error.message for error in VALIDATOR.iter_errors(yaml.safe_load(text))]
    assert not errors


# What JSON Schema cannot say: numbers held against each other, what stands inside a text, the file
# itself, and grammars that YAML has already turned into numbers or booleans.
BEYOND = (
    "stands twice",
    "line 1",
    "never trips",
    "not below the",
    "when the most is",
    "beyond the quote",
    "needs a `warning`",
    "at least one for protection",
    "must halt or flatten",
    "at most 30d",
    "from 5s to 1d",
    "not above zero",
    "decimals",
    "`5% ` or",
    "at most 100%",
    "not above 0%",
    "15 whole digits",
    "`100/s`",
    "whole number from",
    "stands beside no file",
    "is not a name",
    "only in the checks",
    "did you mean `vix`",
    "did you mean `drawdown`",
    "quantity",
    "do not rise",
    "cannot be switched off",
    "is not under the highest",
    "under gross_exposure",
    "keep one of the two",
    "at least one limit",
    "at least one action",
    "in two sectors",
    "for calendar 24/7",
    "only where a secret",
    "has no NOT_SET",
    "also under `checks`",
    "the same as `triggers`",
    "leave the key out",
    "basis points",
    "above 1",
    "kill closes nothing",
    "is not a time zone",
    "the shortest time",
    "has no limit to judge by",
)


def is_document(text: str) -> bool:
    try:
        return isinstance(yaml.safe_load(text), dict)
    except (yaml.YAMLError, ValueError, OverflowError):
        return False


# What YAML has made a number, a merged mapping or nothing of before a schema sees it.
SPELT = ("<<", "&a", "!!str", ".nan", ".05}", "100_000", "0x10")
KEYS = [
    text
    for text, _, _, says in [*REFUSED_VALUES, *REFUSED_SECTIONS]
    if is_document(text)
    and not any(word in says for word in BEYOND)
    and not any(word in text for word in SPELT)
]


def test_most_refusals_can_be_said_in_json_schema() -> None:
    assert len(KEYS) > 35


@pytest.mark.parametrize("text", KEYS)
def test_what_the_loader_refuses_it_refuses_too(text: str) -> None:
    assert not accepts(text)


@pytest.mark.parametrize("key", [row.key for row in every_key()])
def test_a_key_of_no_section_is_refused_everywhere(key: str) -> None:
    """The schema has each key where the loader has it."""
    node: Any = SCHEMA
    for part in key.split("."):
        node = resolved(node, part)
        assert node is not None, key


def resolved(node: dict[str, Any], part: str) -> dict[str, Any] | None:
    """The schema of a key below a node, through lists and alternatives."""
    if part in node.get("properties", {}):
        found: dict[str, Any] = node["properties"][part]
        return found
    for below in [node.get("items"), *node.get("anyOf", ())]:
        if isinstance(below, dict) and (inner := resolved(below, part)) is not None:
            return inner
    return None
