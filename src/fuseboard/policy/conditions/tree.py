"""The tree of a condition, and its one canonical text.

Chains are flat: `a + b - c` is one `Sum` of three terms, so that a tree is never deeper than its
text is nested. `offset` is where a part begins in the text it was read from, counted from 0.
"""

from fractions import Fraction
from typing import TypeAlias

from msgspec import Struct

from fuseboard.vocabulary.catalogue import Unit


class ConditionRefused(ValueError):
    """A text is no condition: the message says what was expected, `offset` where (from 0)."""

    def __init__(self, offset: int, what: str) -> None:
        super().__init__(what)
        self.offset = offset


class Number(Struct, frozen=True):
    """A constant: `value` in whole units (dollars, seconds, 1 for 100 %); a bare one has none."""

    offset: int
    value: Fraction
    unit: Unit | None
    text: str


class Name(Struct, frozen=True):
    """A measure by its canonical name."""

    offset: int
    name: str


class Negative(Struct, frozen=True):
    """`-operand`."""

    offset: int
    operand: "Node"


class Sum(Struct, frozen=True):
    """Terms with the `+` or `-` before each; the first has `+`."""

    offset: int
    terms: tuple[tuple[str, "Node"], ...]


class Product(Struct, frozen=True):
    """Factors with the `*` or `/` before each; the first has `*`."""

    offset: int
    factors: tuple[tuple[str, "Node"], ...]


class Call(Struct, frozen=True):
    """`abs(a)`, `min(a, b, ...)` or `max(a, b, ...)`."""

    offset: int
    function: str
    arguments: tuple["Node", ...]


class Comparison(Struct, frozen=True):
    """`first < a <= b`: each neighbour is compared with the next, and all must hold."""

    offset: int
    first: "Node"
    rest: tuple[tuple[str, "Node"], ...]

    def pairs(self) -> list[tuple["Node", str, "Node"]]:
        """Each single comparison, left to right."""
        lefts = (self.first, *(right for _, right in self.rest[:-1]))
        return [(left, word, right) for left, (word, right) in zip(lefts, self.rest, strict=True)]


class Not(Struct, frozen=True):
    """`not operand`."""

    offset: int
    operand: "Node"


class Joined(Struct, frozen=True):
    """Two parts or more with `and` (or with `or`) between them; no part is joined the same way."""

    offset: int
    word: str
    parts: tuple["Node", ...]


Node: TypeAlias = (
    Number | Name | Negative | Sum | Product | Call | Comparison | Not | Joined
)  # fmt: skip
_OR, _AND, _NOT, _COMPARISON, _SUM, _PRODUCT, _UNARY, _ATOM = range(8)


def text_of(node: Node) -> str:
    """The canonical text: one space around operators, no parentheses but those that matter."""
    return _written(node)[0]


def _written(node: Node) -> tuple[str, int]:
    """The text and how strongly it holds together."""
    match node:
        case Number():
            return node.text, _ATOM
        case Name():
            return node.name, _ATOM
        case Call():
            arguments = ", ".join(text_of(argument) for argument in node.arguments)
            return f"{node.function}({arguments})", _ATOM
        case Negative():
            return f"-{_within(node.operand, _UNARY)}", _UNARY
        case Product():
            return _chain(node.factors, _PRODUCT), _PRODUCT
        case Sum():
            return _chain(node.terms, _SUM), _SUM
        case Comparison():
            return _chain((("", node.first), *node.rest), _COMPARISON), _COMPARISON
        case Not():
            return f"not {_within(node.operand, _NOT)}", _NOT
        case Joined():
            level = _AND if node.word == "and" else _OR
            parts = [_within(part, level + 1) for part in node.parts]
            return f" {node.word} ".join(parts), level


def _chain(links: tuple[tuple[str, Node], ...], level: int) -> str:
    """Operands with their operators between them; the first operator is not written."""
    words = [_within(links[0][1], level + 1)]
    for operator, operand in links[1:]:
        words += [operator, _within(operand, level + 1)]
    return " ".join(words)


def _within(node: Node, level: int) -> str:
    """The text, in parentheses when it holds together less than its place needs."""
    text, own = _written(node)
    return text if own >= level else f"({text})"


def names_of(node: Node) -> tuple[str, ...]:
    """The canonical names in a tree, each once, in the order of their first use."""
    return tuple(dict.fromkeys(_each_name(node)))


def _each_name(node: Node) -> list[str]:
    if isinstance(node, Name):
        return [node.name]
    return [name for part in children(node) for name in _each_name(part)]


def children(node: Node) -> tuple[Node, ...]:
    """The parts of a node, left to right."""
    match node:
        case Negative() | Not():
            return (node.operand,)
        case Sum():
            return tuple(term for _, term in node.terms)
        case Product():
            return tuple(factor for _, factor in node.factors)
        case Call():
            return node.arguments
        case Comparison():
            return (node.first, *(right for _, right in node.rest))
        case Joined():
            return node.parts
    return ()


def constant_of(node: Node) -> Fraction | None:
    """The value of arithmetic without names, in whole units; None when a name is in it.

    The divisors of the tree must have been checked: a constant zero raises `ZeroDivisionError`.
    """
    match node:
        case Number():
            return node.value
        case Name() | Comparison() | Not() | Joined():
            return None
    values = [constant_of(part) for part in children(node)]
    known = [value for value in values if value is not None]
    return _folded(node, known) if len(known) == len(values) else None


def _folded(node: Negative | Sum | Product | Call, values: list[Fraction]) -> Fraction:
    match node:
        case Negative():
            return -values[0]
        case Call():
            if node.function == "abs":
                return abs(values[0])
            return min(values) if node.function == "min" else max(values)
        case Sum():
            signed = zip(node.terms, values, strict=True)
            return sum(
                (-value if sign == "-" else value for (sign, _), value in signed), Fraction()
            )
        case Product():
            product = Fraction(1)
            for (sign, _), value in zip(node.factors, values, strict=True):
                product = Fraction(product, value) if sign == "/" else product * value
            return product
