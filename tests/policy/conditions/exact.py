"""A second evaluator that shares nothing with the compiler: Python's own parser, Fractions, Kleene.

The language's grammar is that of Python's expressions, but for its numbers with units, which are
replaced before. Truth is True, False or None; a number is a Fraction or None.
"""

import ast
import operator
import re
from collections.abc import Mapping
from fractions import Fraction

from fuseboard.policy.conditions import Verdict
from fuseboard.vocabulary.catalogue import ALIASES
from fuseboard.vocabulary.measured import Value, scale_of

_LITERAL = re.compile(
    r"(?<![A-Za-z0-9_.])([0-9]+(?:\.[0-9]+)?)(\s*%|\s*USD\b|(?:ms|s|m|h|d)\b)?", re.ASCII
)
_WORTH = {
    "": Fraction(1),
    "%": Fraction(1, 100),
    "USD": Fraction(1),
    "ms": Fraction(1, 1000),
    "s": Fraction(1),
    "m": Fraction(60),
    "h": Fraction(3600),
    "d": Fraction(86400),
}
COMPARED = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
Values = Mapping[str, Value]


def verdict_of(text: str, values: Values) -> Verdict:
    """What a text says about values by canonical name."""
    replaced = _LITERAL.sub(
        lambda found: f' number("{found[1]}", "{(found[2] or "").strip()}") ',
        " ".join(text.split()),
    )
    truth = _truth(ast.parse(replaced.strip(), mode="eval").body, values)
    return Verdict.UNKNOWN if truth is None else Verdict.HOLDS if truth else Verdict.FAILS


def fraction_of(name: str, value: int | tuple[int, int]) -> Fraction:
    """A value in whole units."""
    return Fraction(*value) if isinstance(value, tuple) else Fraction(value, scale_of(name))


def _truth(node: ast.expr, values: Values) -> bool | None:
    if isinstance(node, ast.BoolOp):
        truths = [_truth(part, values) for part in node.values]
        decides = isinstance(node.op, ast.Or)
        if decides in truths:
            return decides
        return None if None in truths else not decides
    if isinstance(node, ast.UnaryOp):
        assert isinstance(node.op, ast.Not)
        truth = _truth(node.operand, values)
        return None if truth is None else not truth
    assert isinstance(node, ast.Compare), ast.dump(node)
    numbers = [_number(part, values) for part in (node.left, *node.comparators)]
    links = zip(numbers[:-1], node.ops, numbers[1:], strict=True)
    truths = [_compared(left, operator, right) for left, operator, right in links]
    if False in truths:
        return False
    return None if None in truths else True


def _compared(left: Fraction | None, operator: ast.cmpop, right: Fraction | None) -> bool | None:
    if left is None or right is None:
        return None
    match operator:
        case ast.Lt():
            return left < right
        case ast.LtE():
            return left <= right
        case ast.Gt():
            return left > right
        case ast.GtE():
            return left >= right
        case ast.Eq():
            return left == right
        case ast.NotEq():
            return left != right
    raise AssertionError(operator)


def _number(node: ast.expr, values: Values) -> Fraction | None:
    match node:
        case ast.Name():
            name = ALIASES.get(node.id, node.id)
            value = values[name]
            return None if value is None else fraction_of(name, value)
        case ast.Call(func=ast.Name(id="number")):
            written, unit = (part.value for part in node.args if isinstance(part, ast.Constant))
            assert isinstance(written, str)
            assert isinstance(unit, str)
            return Fraction(written) * _WORTH[unit]
        case ast.Call(func=ast.Name(id=function)):
            numbers = [_number(part, values) for part in node.args]
            known = [number for number in numbers if number is not None]
            if len(known) < len(numbers):
                return None
            return {"abs": lambda: abs(known[0]), "min": lambda: min(known)}.get(
                function, lambda: max(known)
            )()
        case ast.UnaryOp(op=ast.USub()):
            operand = _number(node.operand, values)
            return None if operand is None else -operand
        case ast.BinOp():
            return _combined(_number(node.left, values), node.op, _number(node.right, values))
    raise AssertionError(ast.dump(node))


def _combined(
    left: Fraction | None, operator: ast.operator, right: Fraction | None
) -> Fraction | None:
    if left is None or right is None:
        return None
    match operator:
        case ast.Add():
            return left + right
        case ast.Sub():
            return left - right
        case ast.Mult():
            return left * right
        case ast.Div():
            return left / right if right else None
    raise AssertionError(operator)
