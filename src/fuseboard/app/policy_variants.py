"""Policies that differ from a file in some values: `--set loss_limits.daily.hard=2%,3%`.

A key is the path of the file's own keys, or its end where that names one key only. Each variant
is read and checked like a file of its own.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from fuseboard.control.policy_file import beside, policy_text
from fuseboard.control.settings import settings
from fuseboard.control.state_directory import StateRefused
from fuseboard.lab.sweep import Variant
from fuseboard.policy.loader import FILE, read_policy
from fuseboard.policy.shapes import Section

VARIANTS_MAX: Final = 1_000
SYNONYMS: Final = {"losses": "loss_limits"}
Setting = tuple[str, tuple[str, ...]]
Tree = dict[str, Any]


def variants_of(path: Path, sets: Sequence[str]) -> tuple[Variant, ...]:
    """Every combination of the values, in order; without any, the file as it is.

    Raises `StateRefused` for a setting that makes no sense, `PolicyRefused` for a value that does
    not.
    """
    text = policy_text(path)
    environment = settings()
    read_policy(text, str(path), environment=environment, files=beside(path.parent))
    tree = _tree(text)
    chosen = [_setting(each, tree) for each in sets]
    count = math.prod(len(values) for _, values in chosen)
    if count > VARIANTS_MAX:
        raise StateRefused(
            f"these are {count:,} policies, at most {VARIANTS_MAX:,} are swept: set fewer values"
        )
    found = []
    for values in itertools.product(*[values for _, values in chosen]):
        named = {key: value for (key, _), value in zip(chosen, values, strict=True)}
        source = str(path) + "".join(f" --set {key}={value}" for key, value in named.items())
        changed = _with_values(text, named) if named else text
        loaded = read_policy(changed, source, environment=environment, files=beside(path.parent))
        found.append(Variant(values=named, policy=loaded.policy))
    return tuple(found)


def _setting(text: str, tree: Tree) -> Setting:
    key, equals, values = text.partition("=")
    given = tuple(value.strip() for value in values.split(","))
    if not equals or not key or not all(given):
        raise StateRefused(
            f"{text!r} sets nothing: write it as KEY=VALUE,VALUE such as daily.hard=2%,3%"
        )
    return _whole_path(key, tree), given


def _whole_path(key: str, tree: Tree) -> str:
    """The one path of the file's shape that this is, or that ends with it."""
    first, dot, rest = key.partition(".")
    end = f"{SYNONYMS.get(first, first)}{dot}{rest}"
    paths = list(_paths(FILE, ""))
    ends = [path for path in paths if path == end or path.endswith(f".{end}")]
    if len(ends) > 1:  # a section that may stand in two places: where the file has it
        ends = [path for path in ends if _stands(path, tree)] or ends
    if len(ends) > 1 and len(dict.fromkeys(path.partition(".")[2] for path in ends)) == 1:
        ends = ends[-1:]
    if len(ends) == 1:
        return ends[0]
    if ends:
        raise StateRefused(f"{key!r} may be {', '.join(ends[:4])}: write more of it")
    last = key.rpartition(".")[2]
    near = [path for path in paths if path.endswith(f".{last}") or path == last]
    hint = f"; there is {', '.join(near[:4])}" if near else ""
    raise StateRefused(f"no value of a policy is called {key!r}{hint} (`fuseboard policy explain`)")


def _stands(path: str, tree: Tree) -> bool:
    """Whether the file has the section that a value would stand in."""
    at: Any = tree
    for name in path.split(".")[:-1]:
        at = at.get(name) if isinstance(at, dict) else None
    return at is not None


def _paths(section: Section, prefix: str) -> Iterator[str]:
    for name, shape in section.keys.items():
        path = f"{prefix}.{name}" if prefix else name
        if isinstance(shape, Section):
            yield from _paths(shape, path)
        else:
            yield path


def _with_values(text: str, values: dict[str, str]) -> str:
    """The YAML text with the values in their places; every scalar stays the word that it was."""
    tree = _tree(text)
    for path, value in values.items():
        *above, last = path.split(".")
        at = tree
        for name in above:
            below = at.setdefault(name, {})
            if not isinstance(below, dict):
                raise StateRefused(f"{path!r} cannot be set: {name} is no section in this file")
            at = below
        at[last] = value
    return str(yaml.safe_dump(tree, sort_keys=False, allow_unicode=True))


def _tree(text: str) -> Tree:
    tree: Tree = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - words only, no tags
    return tree
