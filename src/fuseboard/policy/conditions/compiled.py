"""From a checked tree to one Python function over integers: exact, total, fast.

Theory of operation. Every arithmetic part is held as `factor * numerator / denominator`: the factor
is a fraction known now, numerator and denominator are integer expressions over the values; a
measure that is a quotient gives both itself (`vocabulary/measured.py`). No division is ever carried
out. Two parts are compared, added or chosen from by bringing them over one denominator
(`aligned`); the factors shrink to two coprime integers, mostly 1. A comparison of two quotients is
then a cross-multiplication, which minds the sign of a denominator that may be below zero:

    order_size < avg_daily_volume * 1%             v0 * 100 < v1
    drawdown >= 5%                                 20 * v0[0] >= v0[1]
    abs(order_price - last_price) / last_price < 5%    20 * abs(v0 - v1) < v1, turned when v1 < 0

What makes a comparison unknown (a value that is None, a divisor that is zero) is tested before it,
in one flat `or`, where intermediate results get their names too. Truth is True, False or None
for unknown, joined by Kleene's rules; every operand of an `and` is asked until one is False.

Sizes are bounded by construction: an intermediate result has at most as many bits as all the
numbers of its text together, a quotient's numerator and denominator both counted each time it is
named, so the time of a judgement is bounded by the length of the text.

Only integers, names made here and the operators below enter the function; no text of a person does.
"""

import ast
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple, TypeAlias

from fuseboard.policy.conditions.tree import (
    Call,
    Comparison,
    Joined,
    Name,
    Negative,
    Node,
    Not,
    Number,
    Product,
    Sum,
    names_of,
)
from fuseboard.policy.conditions.verdict import Verdict
from fuseboard.vocabulary.measured import QUOTIENTS, Value, scale_of

Judge: TypeAlias = Callable[[Sequence[Value]], Verdict]
Reader: TypeAlias = Callable[[Any], Value]
_COMPARED: dict[str, type[ast.cmpop]] = {
    "<": ast.Lt,
    "<=": ast.LtE,
    ">": ast.Gt,
    ">=": ast.GtE,
    "==": ast.Eq,
    "!=": ast.NotEq,
}
TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
"""Each comparison with its sides exchanged."""
_NONE, _TRUE, _FALSE = ast.Constant(None), ast.Constant(True), ast.Constant(False)


class Part(NamedTuple):
    """A number as `factor * numerator / denominator`; None stands for 1. Never zero below."""

    factor: Fraction
    numerator: ast.expr | None = None
    denominator: ast.expr | None = None
    upright: bool = True
    """Whether the denominator is known to be above zero."""


class Aligned(NamedTuple):
    """Two parts over one denominator: each is its integer times the factor over it."""

    one: ast.expr
    other: ast.expr
    factor: Fraction
    """Above zero."""
    below: ast.expr | None
    upright: bool


def compiled(tree: Node) -> Judge:
    """The function that judges values in the order of `names_of(tree)`; its units are checked."""
    names = names_of(tree)
    writer = _Writer({name: f"v{place}" for place, name in enumerate(names)})
    targets = [ast.Name(f"v{place}", ast.Store()) for place in range(len(names))]
    body: list[ast.stmt] = [
        ast.Assign([ast.Tuple(list(targets), ast.Store())], ast.Name("values", ast.Load())),
        ast.Return(writer.verdict(tree)),
    ]
    judge: Judge = _function("values", body, {})
    return judge


def all_hold(trees: Sequence[Node], readers: Mapping[str, Reader]) -> Callable[[Any], bool]:
    """The function that says whether every one of these conditions holds; unknown does not.

    Each name is read once, by its reader, of what the function is asked about.
    """
    body: list[ast.stmt] = []
    values: dict[str, str] = {}
    known: dict[str, Any] = {}
    for tree in trees:
        for name in names_of(tree):
            if name not in values:
                value = values[name] = f"v{len(values)}"
                known[f"read_{value}"] = readers[name]
                read = ast.Call(_read(f"read_{value}"), [_read("asked")], [])
                body.append(ast.Assign([ast.Name(value, ast.Store())], read))
        holds = _is(_Writer(values).verdict(tree), _read(Verdict.HOLDS.name))
        body.append(ast.If(ast.UnaryOp(ast.Not(), holds), [ast.Return(_FALSE)], []))
    holding: Callable[[Any], bool] = _function("asked", [*body, ast.Return(_TRUE)], known)
    return holding


def _function(argument: str, body: list[ast.stmt], known: dict[str, Any]) -> Any:
    """A function of one argument that knows the verdicts and `known`."""
    module = ast.parse(f"def made({argument}): pass")
    function = module.body[0]
    assert isinstance(function, ast.FunctionDef)
    function.body = body
    namespace = known | {verdict.name: verdict for verdict in Verdict}
    code = compile(ast.fix_missing_locations(module), "<a condition of the policy>", "exec")
    exec(code, namespace)  # noqa: S102 # built above from our own tree: integers and our own names
    return namespace["made"]


def _read(name: str) -> ast.Name:
    return ast.Name(name, ast.Load())


def _compare(left: ast.expr, operator: str, right: ast.expr) -> ast.expr:
    return ast.Compare(left, [_COMPARED[operator]()], [right])


def _is(left: ast.expr, right: ast.expr) -> ast.expr:
    return ast.Compare(left, [ast.Is()], [right])


def _times(left: ast.expr | None, right: ast.expr | None) -> ast.expr | None:
    if left is None or right is None:
        return right if left is None else left
    return ast.BinOp(left, ast.Mult(), right)


def _scaled(factor: int, value: ast.expr | None) -> ast.expr:
    """`factor * value` without what changes nothing."""
    if value is None:
        return ast.Constant(factor)
    if factor == 1:
        return value
    if factor == -1:
        return ast.UnaryOp(ast.USub(), value)
    return ast.BinOp(ast.Constant(factor), ast.Mult(), value)


def _of_pair(value: ast.expr, place: int) -> ast.expr:
    return ast.Subscript(value, ast.Constant(place), ast.Load())


def _any(tests: list[ast.expr]) -> ast.expr:
    return tests[0] if len(tests) == 1 else ast.BoolOp(ast.Or(), tests)


class _Writer:
    """Writes the expressions of one function."""

    def __init__(self, values: dict[str, str]) -> None:
        self.values = values
        self.kept = 0
        self.unknown_when: list[ast.expr] = []
        """What makes the comparison at hand unknown, in order; it also names what is used twice."""

    # --- truth -------------------------------------------------------------------------------

    def verdict(self, tree: Node) -> ast.expr:
        """The verdict of the whole: the shortest way for the usual single comparison."""
        if isinstance(tree, Comparison) and len(tree.rest) == 1:
            tests, holds = self.single(*tree.pairs()[0])
            known = ast.IfExp(holds, _read("HOLDS"), _read("FAILS"))
            return ast.IfExp(_any(tests), _read("UNKNOWN"), known)
        truth, named = self.named(self.truth(tree))
        otherwise = ast.IfExp(_is(truth, _NONE), _read("UNKNOWN"), _read("FAILS"))
        return ast.IfExp(named, _read("HOLDS"), otherwise)

    def truth(self, tree: Node) -> ast.expr:
        """An expression that is True, False or None."""
        match tree:
            case Joined():
                return self.joined(tree.word, [self.truth(part) for part in tree.parts])
            case Not():
                truth, named = self.named(self.truth(tree.operand))
                denied = ast.UnaryOp(ast.Not(), truth)
                return ast.IfExp(_is(named, _NONE), _NONE, denied)
            case Comparison():
                pairs = []
                for pair in tree.pairs():
                    tests, holds = self.single(*pair)
                    pairs.append(ast.IfExp(_any(tests), _NONE, holds) if tests else holds)
                return pairs[0] if len(pairs) == 1 else self.joined("and", pairs)
        raise AssertionError("units are checked before: no number stands here")

    def joined(self, word: str, truths: list[ast.expr]) -> ast.expr:
        """Kleene's `and` and `or`: one that decides, else one unknown, else the other way."""
        deciding, otherwise = (_FALSE, _TRUE) if word == "and" else (_TRUE, _FALSE)
        both = [self.named(truth) for truth in truths]
        decided = _any([_is(named, deciding) for _, named in both])
        unknown = _any([_is(truth, _NONE) for truth, _ in both])
        return ast.IfExp(decided, deciding, ast.IfExp(unknown, _NONE, otherwise))

    def single(self, left: Node, operator: str, right: Node) -> tuple[list[ast.expr], ast.expr]:
        """When one comparison is unknown, and whether it holds otherwise."""
        names = dict.fromkeys((*names_of(left), *names_of(right)))
        tests = [_is(_read(self.values[name]), _NONE) for name in names]
        self.unknown_when = tests
        one, other, _, below, upright = self.aligned(self.number(left), self.number(right))
        if below is None or upright:
            return tests, _compare(one, operator, other)
        one, other, below = self.keep(one), self.keep(other), self.keep(below)
        turned = _compare(one, TURNED[operator], other)
        above_zero = _compare(below, ">", ast.Constant(0))
        return tests, ast.IfExp(above_zero, _compare(one, operator, other), turned)

    def named(self, value: ast.expr) -> tuple[ast.expr, ast.expr]:
        """A new name to read, and the expression that gives it its value."""
        self.kept += 1
        name = f"t{self.kept}"
        return _read(name), ast.NamedExpr(ast.Name(name, ast.Store()), value)

    def keep(self, value: ast.expr) -> ast.expr:
        """The value under a name, for what is used more than once."""
        if isinstance(value, (ast.Name, ast.Constant, ast.Subscript)):
            return value
        name, named = self.named(value)
        self.unknown_when.append(_is(named, _NONE))
        return name

    # --- numbers -----------------------------------------------------------------------------

    def number(self, node: Node) -> Part:
        """A number of the tree; what makes it unknown goes to `unknown_when`."""
        match node:
            case Number():
                return Part(node.value)
            case Name():
                value = _read(self.values[node.name])
                if node.name in QUOTIENTS:
                    return Part(Fraction(1), _of_pair(value, 0), _of_pair(value, 1))
                return Part(Fraction(1, scale_of(node.name)), value)
            case Negative():
                part = self.number(node.operand)
                return part._replace(factor=-part.factor)
            case Sum():
                return self.sum(node)
            case Product():
                return self.product(node)
            case Call(function="abs"):
                return self.absolute(self.number(node.arguments[0]))
            case Call():
                return self.extreme(node)
        raise AssertionError("units are checked before: no truth stands here")

    def sum(self, node: Sum) -> Part:
        total = self.number(node.terms[0][1])
        for sign, term in node.terms[1:]:
            one, other, factor, below, upright = self.aligned(total, self.number(term))
            act = ast.Add() if sign == "+" else ast.Sub()
            total = Part(factor, ast.BinOp(one, act, other), below, upright)
        return total

    def product(self, node: Product) -> Part:
        product = self.number(node.factors[0][1])
        for sign, factor in node.factors[1:]:
            part = self.number(factor)
            product = self.quotient(product, part) if sign == "/" else _multiplied(product, part)
        return product

    def quotient(self, part: Part, divisor: Part) -> Part:
        if divisor.factor == 0:
            self.unknown_when.append(_TRUE)  # a name times zero divides: never a number
            return part
        below = divisor.numerator
        if below is not None:
            below = self.keep(below)
            self.unknown_when.append(_compare(below, "==", ast.Constant(0)))
        return Part(
            Fraction(part.factor, divisor.factor),
            _times(part.numerator, divisor.denominator),
            _times(part.denominator, below),
            part.upright and below is None,
        )

    def absolute(self, part: Part) -> Part:
        below = part.denominator if part.upright else self.size(part.denominator)
        return Part(abs(part.factor), self.size(part.numerator), below)

    def size(self, value: ast.expr | None) -> ast.expr | None:
        if value is None:
            return None
        value = self.keep(value)
        negative = ast.UnaryOp(ast.USub(), value)
        return ast.IfExp(_compare(value, "<", ast.Constant(0)), negative, value)

    def extreme(self, node: Call) -> Part:
        best = self.number(node.arguments[0])
        for argument in node.arguments[1:]:
            one, other, factor, below, upright = self.aligned(best, self.number(argument))
            one, other = self.keep(one), self.keep(other)
            first = _compare(one, "<" if node.function == "min" else ">", other)
            if below is not None and not upright:
                below = self.keep(below)
                first = ast.Compare(first, [ast.Eq()], [_compare(below, ">", ast.Constant(0))])
            best = Part(factor, ast.IfExp(first, one, other), below, upright)
        return best

    def aligned(self, one: Part, other: Part) -> Aligned:
        """Two parts over the denominator that both share."""
        if other.factor == 0:
            mine, its, factor = (1 if one.factor > 0 else -1 if one.factor else 0), 0, one.factor
        else:
            ratio = Fraction(one.factor, other.factor)
            mine, its = ratio.numerator, ratio.denominator
            factor = Fraction(other.factor, its)
            if factor < 0:
                mine, its = -mine, -its
        below, its_below = one.denominator, other.denominator
        below = None if below is None else self.keep(below)
        its_below = None if its_below is None else self.keep(its_below)
        left = _scaled(mine, _times(one.numerator, its_below))
        right = _scaled(its, _times(other.numerator, below))
        shared = _times(below, its_below)
        return Aligned(left, right, abs(factor), shared, one.upright and other.upright)


def _multiplied(one: Part, other: Part) -> Part:
    return Part(
        one.factor * other.factor,
        _times(one.numerator, other.numerator),
        _times(one.denominator, other.denominator),
        one.upright and other.upright,
    )
