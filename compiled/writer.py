"""Writes one function in Cython: its own statements, with fields, calls and numbers by the headers.

Only what is named in `_WRITTEN` is written; anything else is refused, and so is a local name that
could be taken for one of the helpers.
"""

import ast
import builtins
import hashlib
import re
from types import ModuleType
from typing import Final

from msgspec import Struct

from compiled.shapes import shape_of
from compiled.whole import Fused, Refused, Whole

METHOD_ARGUMENTS_MAX: Final = 3
_WRITTEN: Final = (
    *(ast.FunctionDef, ast.arguments, ast.arg, ast.Return, ast.Delete, ast.Assign, ast.AugAssign),
    *(ast.AnnAssign, ast.For, ast.While, ast.If, ast.Assert, ast.Expr, ast.Pass, ast.Break),
    *(ast.Continue, ast.BoolOp, ast.BinOp, ast.UnaryOp, ast.IfExp, ast.Compare, ast.Call),
    *(ast.FormattedValue, ast.JoinedStr, ast.Constant, ast.Attribute, ast.Subscript, ast.Name),
    *(
        ast.Tuple,
        ast.List,
        ast.Starred,
        ast.Slice,
        ast.keyword,
        ast.expr_context,
        ast.boolop,
        ast.operator,
    ),
    *(ast.unaryop, ast.cmpop),
)
_COMPARES: Final[dict[type[ast.cmpop], str]] = {
    ast.Lt: "x_less",
    ast.LtE: "x_at_most",
    ast.Gt: "x_more",
    ast.GtE: "x_at_least",
    ast.Eq: "x_equal",
    ast.NotEq: "x_unequal",
}
_COMPUTES: Final[dict[type[ast.operator], str]] = {
    ast.Add: "x_plus",
    ast.Sub: "x_minus",
    ast.Mult: "x_times",
    ast.FloorDiv: "x_quotient",
    ast.Mod: "x_remainder",
}
_OBJECTS: Final = (ast.Name, ast.Attribute, ast.BinOp, ast.Subscript)
"""What is an object of Python's when it is written; anything else may be a truth of C's."""
_WHOLE: Final = (0, -1)
"""All of a part of an f-string."""
_PLACE: Final = "place_"
_OURS: Final = re.compile(rf"(x_|f_|k\d|p\d|t\d|send\d|joined_|shape_\d|made_\d|{_PLACE})")


def written(whole: Whole, at: Fused) -> str:
    """The C function of a function. Raises `Refused`."""
    return _Writer(whole, at).written()


class _Writer(ast.NodeTransformer):
    def __init__(self, whole: Whole, at: Fused) -> None:
        self.whole, self.at = whole, at
        self.locals = set(at.names())
        self.temporaries = 0
        body = ast.Module(at.tree.body, [])
        for node in ast.walk(body):
            if not isinstance(node, (*_WRITTEN, ast.Module)) or isinstance(node, ast.FunctionDef):
                raise self._refused(node)
            if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
                self.locals.add(node.id)
        for name in self.locals:
            if _OURS.match(name):
                raise Refused(f"{at.c_name}: {name} may be one of ours")

    def written(self) -> str:
        body = self.at.tree.body
        if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
            body = body[1:]
        text = "\n".join(ast.unparse(ast.fix_missing_locations(at)) for at in self._block(body))
        text = re.sub(rf"\b{_PLACE}(p\d+)", r"&\1", text)
        indented = "\n".join(f"    {line}" for line in text.splitlines())
        returns = self.at.tree.returns
        is_bool = isinstance(returns, ast.Name) and returns.id == "bool"
        kind, raises = ("bint", " except -1") if is_bool else ("object", "")
        arguments = ", ".join(f"object {name}" for name in self.at.names())
        return f"cdef {kind} {self.at.c_name}({arguments}){raises}:\n{indented}"

    def _refused(self, node: ast.AST) -> Refused:
        line = getattr(node, "lineno", 0)
        return Refused(f"{self.at.c_name}: {type(node).__name__} is not written, line {line}")

    # --- statements ------------------------------------------------------------------------------

    def _block(self, body: list[ast.stmt]) -> list[ast.stmt]:
        made: list[ast.stmt] = []
        for statement in body:
            found = self.visit(statement)
            made += found if isinstance(found, list) else [found]
        return made

    def visit_If(self, node: ast.If) -> ast.stmt:
        return ast.If(self._truth(node.test), self._block(node.body), self._block(node.orelse))

    def visit_While(self, node: ast.While) -> ast.stmt:
        return ast.While(self._truth(node.test), self._block(node.body), self._block(node.orelse))

    def visit_For(self, node: ast.For) -> ast.stmt:
        if not isinstance(node.target, ast.Name) or node.orelse:
            raise self._refused(node)
        return ast.For(node.target, self._made(node.iter), self._block(node.body), [])

    def visit_AnnAssign(self, node: ast.AnnAssign) -> list[ast.stmt]:
        if node.value is None:
            return []
        return self.visit_Assign(ast.Assign([node.target], node.value, lineno=node.lineno))

    def visit_Assign(self, node: ast.Assign) -> list[ast.stmt]:
        target, value = node.targets[0], node.value
        if len(node.targets) == 1 and isinstance(target, ast.Name):
            return [ast.Assign([target], self._made(value))]
        if len(node.targets) == 1 and isinstance(target, ast.Tuple):
            if isinstance(value, ast.Tuple) and len(value.elts) == len(target.elts):
                if _apart(target, value):
                    pairs = zip(target.elts, value.elts, strict=True)
                    return [it for to, part in pairs for it in self.visit_Assign(_assign(to, part))]
                kept = [self._kept(part) for part in value.elts]
                made = [statement for statement, _ in kept]
                for (_, name), part in zip(kept, target.elts, strict=True):
                    made += self._stored(part, _loaded(name))
                return made
            if not all(isinstance(part, ast.Name) for part in target.elts):
                raise self._refused(node)
        if len(node.targets) == 1 and _is_plain(target):
            return self._stored(target, self._made(value))
        first, name = self._kept(value)
        return [first, *(it for at in node.targets for it in self._stored(at, _loaded(name)))]

    def visit_AugAssign(self, node: ast.AugAssign) -> list[ast.stmt]:
        target = node.target
        if isinstance(target, ast.Name):
            value = self._computed(node.op, _loaded(target.id), self._made(node.value))
            return [ast.Assign([target], value)]
        if not isinstance(target, ast.Attribute):
            raise self._refused(node)
        if _is_plain(target):
            before = self._field(self._made(target.value), target.attr)
            value = self._computed(node.op, before, self._made(node.value))
            return [self._field_set(self._made(target.value), target.attr, value)]
        first, name = self._kept(target.value)
        before = self._field(_loaded(name), target.attr)
        value = self._computed(node.op, before, self._made(node.value))
        return [first, self._field_set(_loaded(name), target.attr, value)]

    def _kept(self, value: ast.expr) -> tuple[ast.stmt, str]:
        """A value under a name of its own."""
        name = self._temporary()
        return ast.Assign([ast.Name(name, ast.Store())], self._made(value)), name

    def _stored(self, target: ast.expr, value: ast.expr) -> list[ast.stmt]:
        if isinstance(target, ast.Attribute):
            return [self._field_set(self._made(target.value), target.attr, value)]
        if isinstance(target, ast.Subscript):
            of, at = self._made(target.value), self._made(target.slice)
            return [ast.Expr(_called("x_item_set", of, at, value))]
        if not isinstance(target, (ast.Name, ast.Tuple)):
            raise self._refused(target)
        return [ast.Assign([target], value)]

    def _temporary(self) -> str:
        self.temporaries += 1
        return f"t{self.temporaries}_"

    # --- fields and names ------------------------------------------------------------------------

    def _place(self, kind: str = "Place") -> ast.expr:
        return _loaded(_PLACE + self.whole.place(kind))

    def _field(self, of: ast.expr, name: str) -> ast.expr:
        return _called("x_field", self._place(), of, ast.Constant(name))

    def _field_set(self, of: ast.expr, name: str, value: ast.expr) -> ast.stmt:
        return ast.Expr(_called("x_field_set", self._place(), of, ast.Constant(name), value))

    def _module(self, node: ast.expr) -> ModuleType | None:
        """The module that a name means, if it means one."""
        if not isinstance(node, ast.Name) or node.id in self.locals:
            return None
        found = getattr(self.at.module, node.id, None)
        return found if isinstance(found, ModuleType) else None

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        of = node.value
        module = self._module(of)
        if module is not None:
            return _loaded(self.whole.known_name(module.__name__, node.attr))
        if node.attr == "_value_":
            return _called("x_member_value", self._place("Member"), self._made(of))
        if isinstance(of, ast.Attribute) and self._module(of.value) is None:
            names = ast.Constant(of.attr), ast.Constant(node.attr)
            return _called("x_field2", self._place(), self._place(), self._made(of.value), *names)
        return self._field(self._made(of), node.attr)

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id in self.locals:
            return node
        if hasattr(self.at.module, node.id):
            return _loaded(self.whole.known_name(self.at.module.__name__, node.id))
        if hasattr(builtins, node.id):
            return node
        raise Refused(f"{self.at.c_name}: {node.id} is not known")

    # --- expressions -----------------------------------------------------------------------------

    def _made(self, node: ast.expr) -> ast.expr:
        made = self.visit(node)
        assert isinstance(made, ast.expr)
        return made

    def _truth(self, node: ast.expr) -> ast.expr:
        """An expression of which only the truth is asked."""
        if isinstance(node, ast.BoolOp):
            return ast.BoolOp(node.op, [self._truth(value) for value in node.values])
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return ast.UnaryOp(node.op, self._truth(node.operand))
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
            return _called("x_has_rest", self._made(node.left), self._made(node.right))
        made = self._made(node)
        return _called("x_holds", made) if isinstance(node, _OBJECTS) else made

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        is_not = isinstance(node.op, ast.Not)
        return ast.UnaryOp(
            node.op, self._truth(node.operand) if is_not else self._made(node.operand)
        )

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
        if len(node.values) == 2 and isinstance(node.op, ast.Or):
            name = self._temporary()
            first = ast.NamedExpr(ast.Name(name, ast.Store()), self._made(node.values[0]))
            otherwise = self._made(node.values[1])
            return ast.IfExp(_called("x_holds", first), _loaded(name), otherwise)
        return ast.BoolOp(node.op, [self._made(value) for value in node.values])

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        if isinstance(node.ops[0], (ast.In, ast.NotIn)) and len(node.ops) == 1:
            found = _called("x_within", self._made(node.left), self._made(node.comparators[0]))
            is_in = isinstance(node.ops[0], ast.In)
            return found if is_in else ast.UnaryOp(ast.Not(), found)
        shaped = self._shaped(node)
        if shaped is not None:
            return shaped
        names = [_COMPARES.get(type(operator)) for operator in node.ops]
        left, made = self._made(node.left), list[ast.expr]()
        for number, (name, value) in enumerate(zip(names, node.comparators, strict=True)):
            if name is None and len(names) > 1:
                raise self._refused(node)
            right = then = self._made(value)
            if number + 1 < len(names):  # it stands on both sides, and is worked out once
                kept = self._temporary()
                right, then = ast.NamedExpr(ast.Name(kept, ast.Store()), right), _loaded(kept)
            plain = ast.Compare(left, node.ops, [right])
            made.append(plain if name is None else _compared(name, left, right))
            left = then
        return made[0] if len(made) == 1 else ast.BoolOp(ast.And(), made)

    def _shaped(self, node: ast.expr) -> ast.expr | None:
        """What several numbers come to, or how they compare; None where it is no shape."""
        shape = shape_of(node)
        if shape is None:
            return None
        text, parts = shape
        return _called(self.whole.shape(text), *map(self._made, parts))

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        shaped = self._shaped(node)
        if shaped is not None:
            return shaped
        return self._computed(node.op, self._made(node.left), self._made(node.right))

    def _computed(self, operator: ast.operator, left: ast.expr, right: ast.expr) -> ast.expr:
        name = _COMPUTES.get(type(operator))
        return _called(name, left, right) if name else ast.BinOp(left, operator, right)

    def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
        return ast.IfExp(self._truth(node.test), self._made(node.body), self._made(node.orelse))

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.expr:
        parts, pieces = list[ast.expr](), []
        for value in node.values:
            piece = _WHOLE
            if not isinstance(value, ast.FormattedValue):
                parts.append(value)
            elif value.format_spec is not None or value.conversion != -1:
                raise self._refused(node)
            elif isinstance(value.value, ast.Subscript) and isinstance(
                value.value.slice, ast.Slice
            ):
                parts.append(self._made(value.value.value))
                piece = self._bounds(value.value, value.value.slice)
            else:
                parts.append(self._made(value.value))
            pieces.append(piece)
        return _called(self.whole.join(tuple(pieces)), *parts)

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        at, of = node.slice, self._made(node.value)
        if not isinstance(at, ast.Slice):
            is_read = isinstance(node.ctx, ast.Load)
            there = self._made(at)
            return _called("x_item", of, there) if is_read else ast.Subscript(of, there, node.ctx)
        start, end = self._bounds(node, at)
        return _called("x_part", of, ast.Constant(start), ast.Constant(end))

    def _bounds(self, node: ast.Subscript, at: ast.Slice) -> tuple[int, int]:
        """The start and the end of a slice; both are numbers that are known and count from 0."""
        found = []
        for bound in (at.lower or ast.Constant(0), at.upper):
            if not isinstance(bound, ast.Constant) or not isinstance(bound.value, int):
                raise self._refused(node)
            found.append(bound.value)
        if at.step is not None or not isinstance(node.ctx, ast.Load):
            raise self._refused(node)
        start, end = found
        return start, end

    # --- calls -----------------------------------------------------------------------------------

    def visit_Call(self, node: ast.Call) -> ast.expr:
        function = node.func
        wanted = None
        if isinstance(function, ast.Name) and function.id not in self.locals:
            wanted = self.whole.function(self.at.module, function.id)
            if function.id == "len" and not hasattr(self.at.module, "len"):
                return _called("x_length", self._made(node.args[0]))
            if function.id == "tuple" and not hasattr(self.at.module, "tuple") and node.args:
                return _called("x_as_tuple", self._made(node.args[0]))
            match node:
                case ast.Call(ast.Name("next"), [ast.Call(ast.Name("iter"), [of], [])], []):
                    return _called("x_first", self._made(of))
        elif isinstance(function, ast.Attribute):
            if function.attr == "hexdigest":
                match function.value:
                    case ast.Call(ast.Name() as sha256, [hashed], []) if self._is_sha256(sha256):
                        return self._hashed(sha256, hashed)
            module = self._module(function.value)
            if module is None:
                return self._sent(function, node)
            wanted = self.whole.function(module, function.attr)
        if wanted is None:
            return self._plain(self._made(function), node)
        return _called(wanted.c_name, *map(self._made, wanted.given(node, bound=False)))

    def _is_struct(self, node: ast.expr) -> bool:
        """Whether a name means a Struct's class."""
        if not isinstance(node, ast.Name) or node.id in self.locals:
            return False
        found = getattr(self.at.module, node.id, None)
        return isinstance(found, type) and issubclass(found, Struct)

    def _is_sha256(self, node: ast.Name) -> bool:
        """Whether a name means hashlib's function."""
        found = None if node.id in self.locals else getattr(self.at.module, node.id, None)
        return found is hashlib.sha256

    def _hashed(self, sha256: ast.expr, hashed: ast.expr) -> ast.expr:
        match hashed:
            case ast.BinOp(first, ast.Add(), ast.Call(ast.Attribute(then, "encode"), [], [])):
                return _called("x_sha256_hex", *map(self._made, (sha256, first, then)))
        raise self._refused(hashed)

    def _plain(self, function: ast.expr, node: ast.Call) -> ast.expr:
        starred = any(isinstance(at, ast.Starred) for at in node.args)
        if self._is_struct(node.func) and node.args and not node.keywords and not starred:
            name = self.whole.maker(len(node.args))
            return _called(name, self._place("Maker"), function, *map(self._made, node.args))
        keywords = [ast.keyword(at.arg, self._made(at.value)) for at in node.keywords]
        return ast.Call(function, [self._made(at) for at in node.args], keywords)

    def _sent(self, function: ast.Attribute, node: ast.Call) -> ast.expr:
        """A method is called."""
        of, name = self._made(function.value), function.attr
        fits = [at for at in self.whole.methods.get(name, []) if at.takes(node)]
        if fits:
            if any(at.names()[1:] != fits[0].names()[1:] for at in fits):
                raise Refused(f"{name}: methods of that name differ in their arguments")
            given = [self._made(at) for at in fits[0].given(node, bound=True)]
            self.whole.sends[name, len(given)] = None
            return _called(f"send{len(given)}_{name}", of, *given)
        starred = any(isinstance(at, ast.Starred) for at in node.args)
        if starred or node.keywords or len(node.args) > METHOD_ARGUMENTS_MAX:
            return self._plain(self._field(of, name), node)
        given = [self._made(at) for at in node.args]
        if name == "append" and len(given) == 1:  # Cython knows lists
            return ast.Call(ast.Attribute(of, name, ast.Load()), given, [])
        verb = "x_get" if name == "get" and 1 <= len(given) <= 2 else "x_method"
        called = f"{verb}{len(given)}"
        return _called(called, self._place("Sender"), of, ast.Constant(name), *given)


def _is_plain(target: ast.expr) -> bool:
    """Whether a target is a field of a name: it is the same one before and after its value."""
    return isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name)


def _apart(targets: ast.Tuple, values: ast.Tuple) -> bool:
    """Whether all targets are names that no value reads: one by one they become the same."""
    names = {at.id for at in targets.elts if isinstance(at, ast.Name)}
    read = {at.id for at in ast.walk(values) if isinstance(at, ast.Name)}
    return len(names) == len(targets.elts) and not names & read


def _assign(target: ast.expr, value: ast.expr) -> ast.Assign:
    return ast.Assign([target], value)


def _compared(name: str, left: ast.expr, right: ast.expr) -> ast.Call:
    """A comparison; what is a length on its left is none of Python's numbers yet."""
    is_length = isinstance(left, ast.Call) and ast.unparse(left.func) == "x_length"
    return _called(name.replace("x_", "x_length_") if is_length else name, left, right)


def _loaded(name: str) -> ast.Name:
    return ast.Name(name, ast.Load())


def _called(name: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(_loaded(name), list(arguments), [])
