"""Sums and products of several numbers, and what compares them, as one C function for each shape.

A shape is such an expression with its parts numbered, `w0 * w1 > w2 * (w3 + 5)`: the same text
means the same in C. Numbers of up to four digits of 30 bits, of up to two where they are
multiplied, are computed in 128 bits, which hold whatever comes of them, so no object is made on the
way. Anything else is computed as Python computes it.
"""

import ast
import re
from typing import Final

_BITS_MAX: Final = 126
_DIGIT_BITS: Final = 30
_SIGNS: Final[dict[type[ast.cmpop], str]] = {
    ast.Lt: "Py_LT",
    ast.LtE: "Py_LE",
    ast.Gt: "Py_GT",
    ast.GtE: "Py_GE",
    ast.Eq: "Py_EQ",
    ast.NotEq: "Py_NE",
}
_SLOWLY: Final[dict[type[ast.operator], str]] = {
    ast.Add: "PyNumber_Add",
    ast.Sub: "PyNumber_Subtract",
    ast.Mult: "PyNumber_Multiply",
}


def shape_of(node: ast.expr) -> tuple[str, list[ast.expr]] | None:
    """The shape of an expression and its parts; None: no gain, or 128 bits may be too few."""
    parts: list[ast.expr] = []
    count = 0

    def numbered(at: ast.expr) -> ast.expr:
        nonlocal count
        match at:
            case ast.BinOp(left, ast.Add() | ast.Sub() | ast.Mult(), right):
                count += 1
                return ast.BinOp(numbered(left), at.op, numbered(right))
            case ast.Constant(int(value)) if (
                not isinstance(value, bool) and value < 1 << _DIGIT_BITS
            ):
                return at
        parts.append(at)
        return ast.Name(f"w{len(parts) - 1}", ast.Load())

    match node:
        case ast.Compare(left, [sign], [right]) if type(sign) in _SIGNS:
            shape: ast.expr = ast.Compare(numbered(left), [sign], [numbered(right)])
            sides = [shape.left, *shape.comparators] if isinstance(shape, ast.Compare) else []
            is_worth_it = count > 0
        case _:
            shape = numbered(node)
            sides, is_worth_it = [shape], count > 1
    if not is_worth_it or any(_bits(side) > _BITS_MAX for side in sides):
        return None
    return ast.unparse(shape), parts


def _bits(node: ast.expr, *, multiplied: bool = False) -> int:
    """How many bits a side of a shape needs at most, its sign aside."""
    match node:
        case ast.BinOp(left, operator, right):
            is_product = isinstance(operator, ast.Mult)
            within = multiplied or is_product
            one, other = _bits(left, multiplied=within), _bits(right, multiplied=within)
            return one + other if is_product else max(one, other) + 1
        case ast.Constant(int(value)):
            return value.bit_length()
    return (2 if multiplied else 4) * _DIGIT_BITS


def c_function(name: str, shape: str) -> tuple[str, str]:
    """The C function of a shape, and how Cython sees it: a truth where it compares, or a number."""
    tree = ast.parse(shape, mode="eval").body
    short = {at.id for at in ast.walk(tree) if isinstance(at, ast.Name) and _multiplied(tree, at)}
    count = len(set(re.findall(r"w\d+", shape)))
    objects = ", ".join(f"PyObject *a{number}" for number in range(count))
    lines, known = [], []
    for number in range(count):
        is_short = f"w{number}" in short
        lines.append(f"  {'long long' if is_short else '__int128'} w{number};")
        known.append(f"{'is_short' if is_short else 'is_wide'}(a{number}, &w{number})")
    fast = re.sub(r"\b(w\d+)\b", r"(__int128)\1", shape)
    is_truth = isinstance(tree, ast.Compare)
    found = fast if is_truth else f"number_of({fast})"
    lines.append(f"  if (LIKELY({' && '.join(known)})) return {found};")
    steps: list[str] = []
    if isinstance(tree, ast.Compare):
        left, right = _slowly(tree.left, steps), _slowly(tree.comparators[0], steps)
        last = f"both_compared({left}, {right}, {_SIGNS[type(tree.ops[0])]})"
    else:
        last = _slowly(tree, steps)
    lines += [f"  {step}" for step in steps] + [f"  return {last};"]
    kind = "int " if is_truth else "PyObject *"
    made = "\n    ".join([f"SELDOM {kind}{name}({objects}) {{", *lines, "}"])
    seen, raises = ("bint", " except -1") if is_truth else ("object", "")
    return made, f"    {seen} {name}({', '.join(['object'] * count)}){raises}"


def _multiplied(tree: ast.expr, name: ast.Name) -> bool:
    """Whether a part of a shape is multiplied."""
    products = [
        at for at in ast.walk(tree) if isinstance(at, ast.BinOp) and isinstance(at.op, ast.Mult)
    ]
    return any(at is name for product in products for at in ast.walk(product))


def _slowly(node: ast.expr, steps: list[str]) -> str:
    """What a part of a shape is called, after the steps that compute it."""
    match node:
        case ast.BinOp(left, operator, right):
            one, other = _slowly(left, steps), _slowly(right, steps)
            made = f"t{len(steps)}"
            how = _SLOWLY[type(operator)]
            steps.append(f"PyObject *{made} = both_computed({how}, {one}, {other});")
            return made
        case ast.Constant(int(value)):
            return f"PyLong_FromLong({value})"
        case ast.Name(name):
            return f"Py_NewRef({name.replace('w', 'a')})"
    raise AssertionError("a shape has no other parts")
