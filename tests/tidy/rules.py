"""The house rules that imports and linters cannot show, as functions over a syntax tree.

`findings(place, source)` gives every broken rule of one file. A place is the path inside
`src/fuseboard`, such as `core/kernel.py`; which rules hold depends on its room.
"""

import ast
import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple

FILE_LINES_MAX = 450
FUNCTION_LINES_MAX = 60
PURE_ROOMS = frozenset({"core", "policy", "vocabulary"})
PRINTING_PLACES = ("cli.py", "cli/", "control/", "lab/", "exchange/process.py")
IMPURE_MODULES = frozenset(
    [
        "asyncio",
        "concurrent",
        "contextvars",
        "ctypes",
        "datetime",
        "io",
        "logging",
        "math",
        "multiprocessing",
        "numpy",
        "os",
        "pathlib",
        "platform",
        "random",
        "secrets",
        "select",
        "selectors",
        "shutil",
        "signal",
        "socket",
        "sqlite3",
        "ssl",
        "statistics",
        "subprocess",
        "sys",
        "tempfile",
        "threading",
        "time",
        "urllib",
        "uuid",
        "zoneinfo",
    ]
)
IMPURE_CALLS = frozenset(
    [
        "open",
        "hash",
        "id",
        "eval",
        "exec",
        "compile",
        "__import__",
        "globals",
        "print",
        "input",
        "breakpoint",
        "round",
    ]
)
# Two calls that one file may make: it turns a checked condition into a function, from a tree of its
# own making that no text of a person enters.
COMPILING_PLACE = "policy/conditions/compiled.py"
COMPILING_CALLS = frozenset({"compile", "exec"})
MUTATORS = frozenset(
    [
        "add",
        "append",
        "appendleft",
        "clear",
        "discard",
        "extend",
        "insert",
        "pop",
        "popitem",
        "popleft",
        "remove",
        "setdefault",
        "update",
    ]
)
ORDERED_READERS = frozenset({"list", "tuple", "iter", "next", "enumerate", "zip", "map", "filter"})
BANNED_WORDS = frozenset(["manager", "handler", "helper", "util", "engine", "processor"])
SETS = frozenset({"set", "frozenset"})
SET_TYPES = SETS | {"AbstractSet", "MutableSet", "Set", "FrozenSet"}

Function = ast.FunctionDef | ast.AsyncFunctionDef
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class Finding(NamedTuple):
    """One broken rule at one line of one file."""

    place: str
    line: int
    rule: str
    what: str

    def __str__(self) -> str:
        return f"{self.place}:{self.line}: [{self.rule}] {self.what}"


Broken = Iterator[tuple[ast.AST, str]]
Rule = Callable[[ast.Module, str], Broken]


@lru_cache(maxsize=1)
def _nodes(tree: ast.Module) -> tuple[ast.AST, ...]:
    """All of one file, walked once for all rules."""
    return tuple(ast.walk(tree))


def _called(node: ast.AST) -> str:
    """The plain name that a call calls, empty for anything else."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return node.func.id
    return ""


def no_true_division(tree: ast.Module, _place: str) -> Broken:
    for node in _nodes(tree):
        if isinstance(node, (ast.BinOp, ast.AugAssign)) and isinstance(node.op, ast.Div):
            yield node, "`/` leaves the integers; use // and say who the rounding is against"


def no_float(tree: ast.Module, _place: str) -> Broken:
    for node in _nodes(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, (float, complex)):
            yield node, f"float literal {node.value!r}"
        if isinstance(node, ast.Name) and node.id in ("float", "complex"):
            yield node, f"the type {node.id}"


def no_impure_import(tree: ast.Module, _place: str) -> Broken:
    for node in _nodes(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module or ""]
        for name in names:
            if name.split(".")[0] in IMPURE_MODULES:
                yield node, f"imports {name}"


def no_impure_call(tree: ast.Module, place: str) -> Broken:
    calls = IMPURE_CALLS - (COMPILING_CALLS if place == COMPILING_PLACE else frozenset())
    for node in _nodes(tree):
        if _called(node) in calls:
            yield node, f"calls {_called(node)}"


def no_async(tree: ast.Module, _place: str) -> Broken:
    """A door's Protocol may promise async calls; nothing here may make one."""
    promises = {
        id(promise)
        for node in _nodes(tree)
        if isinstance(node, ast.ClassDef)
        and any(isinstance(parent, ast.Name) and parent.id == "Protocol" for parent in node.bases)
        for promise in node.body
    }
    banned = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    for node in _nodes(tree):
        if id(node) in promises:
            continue
        if isinstance(node, banned) or (isinstance(node, ast.comprehension) and node.is_async):
            yield node, "async"


def _set_names(tree: ast.Module) -> frozenset[str]:
    """Names and attributes that this file itself binds to a set or annotates as one."""
    found: set[str] = set()
    for node in _nodes(tree):
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign) and _is_set(node.value, frozenset()):
            targets = node.targets
        elif isinstance(node, ast.AnnAssign) and _is_set_type(node.annotation):
            targets = [node.target]
        elif isinstance(node, ast.arg) and node.annotation and _is_set_type(node.annotation):
            found.add(node.arg)
        for target in targets:
            if isinstance(target, ast.Name):
                found.add(target.id)
            elif isinstance(target, ast.Attribute):
                found.add(target.attr)
    return frozenset(found)


def _is_set_type(annotation: ast.expr) -> bool:
    if isinstance(annotation, ast.Subscript):
        return _is_set_type(annotation.value)
    return isinstance(annotation, ast.Name) and annotation.id in SET_TYPES


def _is_set(node: ast.expr, names: frozenset[str]) -> bool:
    if isinstance(node, (ast.Set, ast.SetComp)) or _called(node) in SETS:
        return True
    if isinstance(node, ast.BinOp) and isinstance(
        node.op, (ast.BitOr, ast.BitAnd, ast.Sub, ast.BitXor)
    ):
        return _is_set(node.left, names) or _is_set(node.right, names)
    if isinstance(node, ast.Name):
        return node.id in names
    return isinstance(node, ast.Attribute) and node.attr in names


def no_set_order(tree: ast.Module, _place: str) -> Broken:
    """A set's order depends on the hash seed; sorted(), len(), `in`, min, max, any are fine."""
    names = _set_names(tree)
    for node in _nodes(tree):
        read: list[ast.expr] = []
        if isinstance(node, (ast.For, ast.comprehension)):
            read = [node.iter]
        elif isinstance(node, ast.Starred):
            read = [node.value]
        elif isinstance(node, ast.Call):
            method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            if _called(node) in ORDERED_READERS or method == "join":
                read = node.args
            elif isinstance(node.func, ast.Attribute) and method == "pop" and not node.args:
                read = [node.func.value]
        for expression in read:
            if _is_set(expression, names):
                yield expression, "the order of a set becomes part of the result"


def _module_names(tree: ast.Module) -> frozenset[str]:
    found: set[str] = set()
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if isinstance(node, ast.AnnAssign):
            targets = [node.target]
        found.update(target.id for target in targets if isinstance(target, ast.Name))
    return frozenset(found)


def _local_names(function: Function) -> frozenset[str]:
    arguments = ast.walk(function.args)
    found = {node.arg for node in arguments if isinstance(node, ast.arg)}
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
    return frozenset(found)


def no_globals_changed(tree: ast.Module, _place: str) -> Broken:
    for function in [node for node in _nodes(tree) if isinstance(node, FUNCTIONS)]:
        globals_here = _module_names(tree) - _local_names(function)
        for node in ast.walk(function):
            if isinstance(node, ast.Global):
                yield node, "a global statement"
                continue
            owner: ast.expr | None = None
            if isinstance(node, (ast.Subscript, ast.Attribute)) and not isinstance(
                node.ctx, ast.Load
            ):
                owner = node.value
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                owner = node.func.value if node.func.attr in MUTATORS else None
            if isinstance(owner, ast.Name) and owner.id in globals_here:
                yield node, f"changes the module's {owner.id}"


def no_swallowed_exception(tree: ast.Module, _place: str) -> Broken:
    for node in _nodes(tree):
        if not isinstance(node, ast.ExceptHandler):
            continue
        if node.type is None:
            yield node, "bare except"
            continue
        caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
        broad = any(
            isinstance(kind, ast.Name) and kind.id in ("Exception", "BaseException")
            for kind in caught
        )
        if broad and not any(_raises_or_logs(inner) for inner in ast.walk(node)):
            yield node, "catches everything, and neither raises it again nor logs its trace"


def _raises_or_logs(node: ast.AST) -> bool:
    return isinstance(node, ast.Raise) or (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "exception"
    )


def _words(name: str) -> list[str]:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return [word.lower() for word in spaced.split("_") if word]


def _vague_word(name: str, banned: frozenset[str]) -> str:
    for word in _words(name):
        if word in banned or word.removesuffix("s") in banned or word == "utilities":
            return word
    return ""


def no_vague_name(tree: ast.Module, place: str) -> Broken:
    """`base` is vague in a class or file, not in `base_url`."""
    with_base = BANNED_WORDS | {"base"}
    for part in place.removesuffix(".py").split("/"):
        if word := _vague_word(part, with_base):
            yield tree, f"{part}: {word} says nothing"
    for node in _nodes(tree):
        if isinstance(node, ast.ClassDef) and (word := _vague_word(node.name, with_base)):
            yield node, f"{node.name}: {word} says nothing"
        if isinstance(node, FUNCTIONS) and (word := _vague_word(node.name, BANNED_WORDS)):
            yield node, f"{node.name}: {word} says nothing"


def no_long_function(tree: ast.Module, _place: str) -> Broken:
    for node in _nodes(tree):
        if isinstance(node, FUNCTIONS):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES_MAX:
                yield node, f"{node.name} has {lines} lines, at most {FUNCTION_LINES_MAX}"


def no_print(tree: ast.Module, place: str) -> Broken:
    if place.startswith(PRINTING_PLACES):
        return
    for node in _nodes(tree):
        if _called(node) == "print":
            yield node, "print outside the rooms that speak to a person"


def docstrings(tree: ast.Module, _place: str) -> Broken:
    if ast.get_docstring(tree) is None:
        yield tree, "the file says nothing about itself"
    yield from _undocumented(tree)


def _undocumented(owner: ast.Module | ast.ClassDef) -> Broken:
    for node in owner.body:
        if not isinstance(node, (*FUNCTIONS, ast.ClassDef)) or node.name.startswith("_"):
            continue
        if ast.get_docstring(node) is None and not _says_itself(node):
            yield node, f"{node.name} promises nothing"
        if isinstance(node, ast.ClassDef):
            yield from _undocumented(node)


def _says_itself(node: Function | ast.ClassDef) -> bool:
    """An enum's values are its documentation; a property setter has its getter's."""
    if isinstance(node, ast.ClassDef):
        return any(isinstance(parent, ast.Name) and "Enum" in parent.id for parent in node.bases)
    return any(
        isinstance(mark, ast.Attribute) and mark.attr in ("setter", "deleter")
        for mark in node.decorator_list
    )


PURE_RULES: tuple[Rule, ...] = (
    no_true_division,
    no_float,
    no_impure_import,
    no_impure_call,
    no_async,
    no_set_order,
    no_globals_changed,
)
HOUSE_RULES: tuple[Rule, ...] = (
    no_swallowed_exception,
    no_vague_name,
    no_long_function,
    no_print,
    docstrings,
)


def findings(place: str, source: str) -> list[Finding]:
    """Every broken rule of one file under `src/fuseboard`."""
    tree = ast.parse(source, filename=place)
    pure = place.split("/")[0].removesuffix(".py") in PURE_ROOMS
    found = [
        Finding(place, getattr(node, "lineno", 1), rule.__name__, what)
        for rule in (*(PURE_RULES if pure else ()), *HOUSE_RULES)
        for node, what in rule(tree, place)
    ]
    lines = source.count("\n")
    if lines > FILE_LINES_MAX:
        found.append(Finding(place, 1, "no_long_file", f"{lines} lines, at most {FILE_LINES_MAX}"))
    return found


def unused_names(place: str, source: str) -> list[Finding]:
    """Private names of a file that the file itself never uses."""
    used = Counter(re.findall(r"\w+", source))
    found = []
    for node in ast.parse(source, filename=place).body:
        names = [getattr(node, "name", "")]
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [target.id for target in targets if isinstance(target, ast.Name)]
        found += [
            Finding(place, node.lineno, "unused_names", name)
            for name in names
            if name.startswith("_") and not name.startswith("__") and used[name] == 1
        ]
    return found


# Assembled, so that this file does not break its own rule.
_FOREIGN = {
    "a path of one machine": r"(?<![\w.])/(?:wo" + r"rk|fa" + r"rm|ro" + r"ot|home/\w+)/",
    "a registry's host": r"py" + r"pi\.org|python" + r"hosted\.org|registry\.n" + r"pmjs|deb\.deb"
    r"ian\.org",
}


def foreign_text(place: str, text: str) -> list[Finding]:
    """Paths of one machine and hosts of package registries in a tracked text file."""
    return [
        Finding(place, text.count("\n", 0, match.start()) + 1, "foreign_text", what)
        for what, pattern in _FOREIGN.items()
        for match in re.finditer(pattern, text)
    ]
