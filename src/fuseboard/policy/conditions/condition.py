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
from fuseboard.vocabulary.catalogue import MEASURES, SCALE

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
    """`judge(values) -> Verdict`: exact, for values in the order of `names`, each an integer in its
    unit's scale (`catalogue.SCALE`), or None when it is missing, warming up or too old. Raises
    `ValueError` when their number is not that of the names."""
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


def simple_bound(condition: Condition) -> tuple[str, str, int] | None:
    """`(name, operator, integer)` when the condition is one comparison of a name with a constant.

    The operator is one of `< <= > >= == !=` with the name on its left; the integer is in the scale
    of the name's unit. A constant between two integers becomes the one that says the same
    (`positions > 2.5` is `> 2`); None for an equality with such a constant.
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
    exact: Fraction = constant * SCALE[MEASURES[left.name].unit]
    if exact.denominator == 1:
        return left.name, operator, exact.numerator
    below = exact.numerator // exact.denominator
    if operator in (">", "<="):
        return left.name, operator, below
    return (left.name, operator, below + 1) if operator in ("<", ">=") else None
