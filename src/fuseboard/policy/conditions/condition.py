"""A condition of a policy, ready to judge."""

from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from typing import Final

from fuseboard.policy.conditions.compiled import TURNED, Judge, compiled
from fuseboard.policy.conditions.dimensions import check_units
from fuseboard.policy.conditions.parser import TEXT_CHARACTERS_MAX, tree_from_text
from fuseboard.policy.conditions.tree import (
    Comparison,
    ConditionRefused,
    Name,
    Node,
    constant_of,
    names_of,
    text_of,
)
from fuseboard.vocabulary.catalogue import MEASURES

CONDITIONS_KEPT_MAX: Final = 1_024
"""Compiled conditions that are kept by their text: a policy's are asked for by each of its readers,
and again by each kernel that is restored.
"""


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition; two are equal when their canonical texts are."""

    text: str
    """The canonical text: one spelling of names, spaces and numbers; read again it is the same."""
    names: tuple[str, ...] = field(compare=False)
    """The measures it needs, canonical, each once, in the order of their first use."""
    uses_equity: bool = field(compare=False)
    """One of them is derived from marks: what it says is confirmed by two marks before a trip."""
    judge: Judge = field(compare=False, repr=False)
    """`judge(values) -> Verdict`: exact, for values in the order of `names`, each as
    `measured.Value` says. Raises `ValueError` when their number is not that of the names."""
    tree: Node = field(compare=False, repr=False)


@lru_cache(CONDITIONS_KEPT_MAX)
def condition_from_text(text: str, *, order: bool) -> Condition:
    """The condition of a text, compiled once; names of an order are known only when `order`.

    Raises `ConditionRefused` with the offset, what was expected there and the nearest known name.
    """
    tree = tree_from_text(text, order=order)
    check_units(tree)
    names = names_of(tree)
    if not names:
        what = "a condition needs the name of a measure, for example `drawdown > 5%`"
        raise ConditionRefused(tree.offset, what)
    canonical = text_of(tree)
    if len(canonical) > TEXT_CHARACTERS_MAX:
        what = f"longer than {TEXT_CHARACTERS_MAX} characters with its spaces: split it up"
        raise ConditionRefused(len(text), what)
    uses_equity = any(MEASURES[name].equity for name in names)
    return Condition(canonical, names, uses_equity, compiled(tree), tree)


def simple_bound(condition: Condition) -> tuple[str, str, Fraction] | None:
    """`(name, operator, constant)` when the condition is one comparison of a name with a constant.

    The operator is one of `< <= > >= == !=` with the name on its left; the constant is in whole
    units.
    """
    tree = condition.tree
    if not isinstance(tree, Comparison) or len(tree.rest) > 1:
        return None
    left, operator, right = tree.pairs()[0]
    if not isinstance(left, Name):
        left, operator, right = right, TURNED[operator], left
    constant = constant_of(right)
    if not isinstance(left, Name) or constant is None:
        return None
    return left.name, operator, constant
