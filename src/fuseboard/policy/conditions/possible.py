"""Comparisons that read well and can never be false, or never true: mistakes, mostly of units.

Each side is followed as a range of numbers from what its measures can be (`vocabulary/ranges.py`);
where a range is not known to be narrower, it is the wider one: nothing that may go both ways is
refused. What is unknown stays unknown and is no matter here. Refused too are bare numbers that are
mostly meant in another unit, so that it must be written: one that only a loss of more than 100 %
passes (`drawdown > 5`), a 1 beside a share (`spread < 1`: 1 % or all of it), and one of at most 1
beside a score of 0 to 100 (`fill_quality < 0.8`).
"""

from collections.abc import Mapping
from fractions import Fraction
from typing import Final, TypeAlias

from fuseboard.policy.conditions.dimensions import DIMENSIONS, dimension_of
from fuseboard.policy.conditions.tree import (
    Call,
    Comparison,
    ConditionRefused,
    Name,
    Negative,
    Node,
    Number,
    Product,
    Sum,
    children,
    constant_of,
    text_of,
)
from fuseboard.vocabulary.catalogue import MEASURES, SCALE, Unit
from fuseboard.vocabulary.money import NANOS, shown_percent, text_from_nanos
from fuseboard.vocabulary.ranges import (
    POINTS,
    RANGES,
    SHARES,
    UNTIL_ALL_IS_LOST,
    Range,
    shown_range,
)

Span: TypeAlias = tuple[Fraction | None, Fraction | None]
"""The least and the most in whole units, both included; None: no end."""
_EVERYTHING: Final[Span] = (None, None)
_PERCENTS_MAX: Final = 100
"""A bare number from here on was not meant in percent either."""


def check_possible(tree: Node) -> None:
    """Raise `ConditionRefused` at the first comparison that always or never holds."""
    if not isinstance(tree, Comparison):
        for part in children(tree):
            check_possible(part)
        return
    for left, operator, right in tree.pairs():
        compared = text_of(Comparison(left.offset, left, ((operator, right),)))
        holds = _holds(span_of(left), operator, span_of(right))
        if holds is not None:
            what = "always holds" if holds else "can never hold"
            hint = _hint(left, right) or _hint(right, left)
            raise ConditionRefused(left.offset, f"`{compared}` {what}{hint}")
        bare = _bare(left, right) or _bare(right, left)
        holds = _holds(
            span_of(left, UNTIL_ALL_IS_LOST), operator, span_of(right, UNTIL_ALL_IS_LOST)
        )
        if bare and holds is not None:
            what = f"{'fails' if holds else 'holds'} only where more than all is lost"
            said = f"`{compared}` {what}{bare}; if that is meant write it with `%`"
            raise ConditionRefused(left.offset, said)
        asked = _unit_asked(left, right) or _unit_asked(right, left)
        if asked and operator not in ("==", "!="):
            raise ConditionRefused(left.offset, f"`{compared}`: {asked}")


def span_of(node: Node, ranges: Mapping[str, Range] = RANGES) -> Span:
    """The range that holds each value a number can have."""
    match node:
        case Number():
            return node.value, node.value
        case Name():
            least, most = ranges.get(node.name, _EVERYTHING)
            scale = SCALE[MEASURES[node.name].unit]
            return (
                None if least is None else Fraction(least, scale),
                None if most is None else Fraction(most, scale),
            )
        case Negative():
            return _negative(span_of(node.operand, ranges))
        case Sum():
            return _sum(node, ranges)
        case Product():
            return _product(node, ranges)
        case Call():
            return _call(node, ranges)
    raise AssertionError("a comparison has numbers on its sides")


def _negative(span: Span) -> Span:
    least, most = span
    return (None if most is None else -most, None if least is None else -least)


def _sum(node: Sum, ranges: Mapping[str, Range]) -> Span:
    least: Fraction | None = Fraction()
    most: Fraction | None = Fraction()
    for sign, term in node.terms:
        low, high = span_of(term, ranges) if sign == "+" else _negative(span_of(term, ranges))
        least = None if least is None or low is None else least + low
        most = None if most is None or high is None else most + high
    return least, most


def _product(node: Product, ranges: Mapping[str, Range]) -> Span:
    """Constants stretch the one other factor; of several others only the sign is followed."""
    constant, others = Fraction(1), []
    for sign, factor in node.factors:
        value = constant_of(factor)
        if value is None:
            others.append((sign, span_of(factor, ranges)))
        else:
            constant = Fraction(constant, value) if sign == "/" else constant * value
    if len(others) == 1 and others[0][0] == "*":
        least, most = others[0][1]
    elif all(low is not None and low >= 0 for _, (low, _) in others):
        least, most = Fraction(1 if not others else 0), Fraction(1) if not others else None
    else:
        least, most = _EVERYTHING
    if constant < 0:
        least, most, constant = *_negative((least, most)), -constant
    if constant == 0:
        return Fraction(), Fraction()
    return (
        None if least is None else least * constant,
        None if most is None else most * constant,
    )


def _call(node: Call, ranges: Mapping[str, Range]) -> Span:
    spans = [span_of(argument, ranges) for argument in node.arguments]
    if node.function == "abs":
        return _greatest([*spans, _negative(spans[0]), (Fraction(), Fraction())])
    if node.function == "min":
        return _negative(_greatest([_negative(span) for span in spans]))
    return _greatest(spans)


def _greatest(spans: list[Span]) -> Span:
    """Of the greatest of several numbers."""
    lows = [low for low, _ in spans if low is not None]
    highs = [high for _, high in spans if high is not None]
    return max(lows, default=None), max(highs) if len(highs) == len(spans) else None


def _holds(left: Span, operator: str, right: Span) -> bool | None:
    """Whether it always (True) or never (False) holds; None when it may go both ways."""
    if operator in (">", ">="):
        return _holds(right, operator.replace(">", "<"), left)
    if operator == "!=":
        equal = _holds(left, "==", right)
        return None if equal is None else not equal
    below, not_above = _below(left, right), _below(left, right, or_equal=True)
    above, not_below = _below(right, left), _below(right, left, or_equal=True)
    if operator == "==":
        return False if below or above else True if not_above and not_below else None
    if operator == "<":
        return True if below else False if not_below else None
    return True if not_above else False if above else None


def _below(left: Span, right: Span, *, or_equal: bool = False) -> bool:
    """Whether each number on the left is below each on the right."""
    most, least = left[1], right[0]
    if most is None or least is None:
        return False
    return most < least or (or_equal and most == least)


def _hint(side: Node, other: Node) -> str:
    """What the measure on one side can be, and what a bare number on the other one means."""
    hint = ""
    if isinstance(side, Name) and side.name in RANGES:
        hint = f": `{side.name}` is {shown_range(side.name)}"
    return hint + _bare(side, other)


def _unit_asked(side: Node, other: Node) -> str:
    """What to write for a bare number that reads well in two units; empty for any other."""
    if not (isinstance(other, Number) and other.unit is None and isinstance(side, Name)):
        return ""
    text = text_of(other)
    if side.name in SHARES and other.value == 1:
        return f"`{text}` is 100%: write `1%` or `100%`"
    if RANGES.get(side.name) == POINTS and 0 < other.value <= 1:
        meant = text_from_nanos(int(other.value * 100 * NANOS))
        return f"a score is 0 to 100, and this is {text} of 100: write `{meant}`"
    return ""


def _bare(side: Node, other: Node) -> str:
    """What a bare number from 1 on beside a fraction means; empty where the other side is none."""
    number = other.operand if isinstance(other, Negative) else other
    fraction = dimension_of(side) == DIMENSIONS[Unit.FRACTION]
    if not (fraction and isinstance(number, Number) and number.unit is None and number.value >= 1):
        return ""
    text, sign = text_of(other), -1 if isinstance(other, Negative) else 1
    shown = shown_percent(sign * int(number.value * NANOS)).replace(".00%", "%")
    percent = f": for a percent write `{text}%`" if number.value < _PERCENTS_MAX else ""
    return f"; `{text}` is {shown}{percent}"
