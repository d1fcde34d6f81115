"""Do the units of a condition fit? Like with like; products and quotients as in physics.

A dimension is a tuple of exponents of money, quantity, seconds, counts and points; a price is money
to the 1 and quantity to the -1, a fraction is all zeros. A bare number has no dimension (None) and
takes that of its other side, except where time is in it: a duration other than 0 is always written
with its unit, since nobody can tell what `data_age < 2` means.
"""

from typing import TypeAlias

from fuseboard.policy.conditions.tree import (
    Call,
    Comparison,
    ConditionRefused,
    Joined,
    Name,
    Negative,
    Node,
    Not,
    Number,
    Product,
    Sum,
    constant_of,
    text_of,
)
from fuseboard.vocabulary.catalogue import MEASURES, Unit

Dimension: TypeAlias = tuple[int, ...]
DIMENSIONS: dict[Unit, Dimension] = {
    Unit.MONEY: (1, 0, 0, 0, 0),
    Unit.PRICE: (1, -1, 0, 0, 0),
    Unit.QUANTITY: (0, 1, 0, 0, 0),
    Unit.FRACTION: (0, 0, 0, 0, 0),
    Unit.DURATION: (0, 0, 1, 0, 0),
    Unit.COUNT: (0, 0, 0, 1, 0),
    Unit.SCORE: (0, 0, 0, 0, 1),
}
_PARTS = ("money", "quantity", "duration", "count", "score")
_TIME = _PARTS.index("duration")
_NAMED = {dimension: unit.value for unit, dimension in DIMENSIONS.items()}
_SHOWN_MAX = 60


def check_units(tree: Node) -> None:
    """Raise `ConditionRefused` unless the tree is a true-or-false question with fitting units."""
    match tree:
        case Joined() | Not():
            for part in tree.parts if isinstance(tree, Joined) else (tree.operand,):
                check_units(part)
        case Comparison():
            for left, _, right in tree.pairs():
                _alike(left, dimension_of(left), right, dimension_of(right), "compared")
        case _:
            dimension_of(tree)
            raise ConditionRefused(
                tree.offset,
                f"{_shown(tree)} is a number: expected a comparison, for example `drawdown > 5%`",
            )


def dimension_of(node: Node) -> Dimension | None:
    """The dimension of a number, None when it is bare; raises `ConditionRefused`."""
    match node:
        case Number():
            return None if node.unit is None else DIMENSIONS[node.unit]
        case Name():
            return DIMENSIONS[MEASURES[node.name].unit]
        case Negative():
            return dimension_of(node.operand)
        case Sum():
            return _common([term for _, term in node.terms], "added")
        case Call():
            return _common([*node.arguments], "compared")
        case Product():
            return _product(node)
    raise ConditionRefused(
        node.offset, f"{_shown(node)} is true or false: only `and`, `or` and `not` take it"
    )


def _product(node: Product) -> Dimension | None:
    product: Dimension | None = None
    for sign, factor in node.factors:
        dimension = dimension_of(factor)
        if sign == "/" and constant_of(factor) == 0:
            raise ConditionRefused(factor.offset, f"{_shown(factor)} is zero and divides")
        if dimension is None:
            continue
        if sign == "/":
            dimension = tuple(-exponent for exponent in dimension)
        if product is None:
            product = dimension
        else:
            product = tuple(a + b for a, b in zip(product, dimension, strict=True))
    return product


def _common(parts: list[Node], act: str) -> Dimension | None:
    first, common = parts[0], dimension_of(parts[0])
    for part in parts[1:]:
        dimension = dimension_of(part)
        both = _alike(first, common, part, dimension, act)
        if common is None:
            first, common = part, both
    return common


def _alike(
    left: Node,
    left_dimension: Dimension | None,
    right: Node,
    right_dimension: Dimension | None,
    act: str,
) -> Dimension | None:
    """The dimension of both sides; refused when they differ."""
    if left_dimension == right_dimension:
        return left_dimension
    if left_dimension is None or right_dimension is None:
        bare, other = (left, right) if left_dimension is None else (right, left)
        dimension = left_dimension or right_dimension
        if dimension is not None and dimension[_TIME] and constant_of(bare) != 0:
            raise ConditionRefused(
                bare.offset,
                f"{_shown(bare)} has no unit and {_shown(other)} is {name_of(dimension)}:"
                " write for example `500ms`, `30s`, `5m`, `2h` or `1d`",
            )
        return dimension
    hint = ""
    if {name_of(left_dimension), name_of(right_dimension)} == {"price", "money"}:
        hint = "; a price is written as a bare number, for example `1.50`"
    raise ConditionRefused(
        right.offset,
        f"{_shown(left)} is {name_of(left_dimension)} and {_shown(right)} is"
        f" {name_of(right_dimension)}: different units cannot be {act}{hint}",
    )


def name_of(dimension: Dimension) -> str:
    """A unit's own word, else its parts: `money × money`, `1 / price`."""
    if dimension in _NAMED:
        return _NAMED[dimension]
    over = [part for part, n in zip(_PARTS, dimension, strict=True) for _ in range(n)]
    under = [part for part, n in zip(_PARTS, dimension, strict=True) for _ in range(-n)]
    shown = " × ".join(over) or "1"
    return " / ".join([shown, *under])


def _shown(node: Node) -> str:
    text = text_of(node)
    return f"`{text}`" if len(text) <= _SHOWN_MAX else f"`{text[:_SHOWN_MAX]}...`"
