"""What is fused into one module: its functions, and what they need of each other and of theirs."""

import ast
import importlib
import inspect
from dataclasses import dataclass, field
from types import ModuleType


class Refused(Exception):
    """A function that is written in a way that cannot be fused."""


@dataclass
class Fused:
    """One function or method that is fused."""

    module: ModuleType
    kind: str
    """The class that it is a method of; empty for a function."""
    tree: ast.FunctionDef

    @property
    def c_name(self) -> str:
        """What it is called in the fused module."""
        room = self.module.__name__.removeprefix("fuseboard.").replace(".", "_")
        return "_".join(filter(None, ("f", room, self.kind, self.tree.name)))

    def names(self) -> list[str]:
        """Its arguments, in order."""
        given = self.tree.args
        if given.vararg or given.kwarg or given.posonlyargs:
            raise Refused(f"{self.c_name}: unusual arguments")
        return [argument.arg for argument in (*given.args, *given.kwonlyargs)]

    def defaults(self) -> dict[str, ast.expr]:
        """What its arguments are where they are not given."""
        given = self.tree.args
        named = given.args[len(given.args) - len(given.defaults) :]
        found = {argument.arg: value for argument, value in zip(named, given.defaults, strict=True)}
        for argument, value in zip(given.kwonlyargs, given.kw_defaults, strict=True):
            if value is not None:
                found[argument.arg] = value
        return found

    def takes(self, call: ast.Call) -> bool:
        """Whether a call of a method of this name can mean it, by the number of arguments."""
        given, own = len(call.args) + len(call.keywords), len(self.names()) - 1
        return own - len(self.defaults()) <= given <= own

    def given(self, call: ast.Call, *, bound: bool) -> list[ast.expr]:
        """The arguments of a call in the order of its own; `bound`: the first is the receiver."""
        if any(isinstance(at, ast.Starred) for at in call.args):
            raise Refused(f"{self.c_name}: called with a starred argument, line {call.lineno}")
        names, defaults = self.names()[bound:], self.defaults()
        given = dict(zip(names, call.args, strict=False)) | {
            at.arg: at.value for at in call.keywords if at.arg
        }
        if len(given) != len(call.args) + len(call.keywords) or not given.keys() <= set(names):
            raise Refused(f"{self.c_name}: called with other arguments, line {call.lineno}")
        left_out = [name for name in names if name not in given]
        for name in left_out:
            if not isinstance(defaults.get(name), ast.Constant):
                raise Refused(f"{self.c_name}: {name} is left out, line {call.lineno}")
        return [given.get(name) or defaults[name] for name in names]


@dataclass
class Whole:
    """All that is fused, and what it turns out to need."""

    functions: dict[tuple[str, str], Fused] = field(default_factory=dict)
    """By module and name."""
    methods: dict[str, list[Fused]] = field(default_factory=dict)
    """By name alone."""
    known: dict[tuple[str, str], str] = field(default_factory=dict)
    """By module and name, what is looked up once, and its name here."""
    places: list[str] = field(default_factory=list)
    """The kind of each place that remembers a class."""
    joins: dict[tuple[tuple[int, int], ...], str] = field(default_factory=dict)
    """By what of each part an f-string means, as start and end, the name of what joins them."""
    shapes: dict[str, str] = field(default_factory=dict)
    """By shape, the name of what computes or compares it."""
    makers: dict[int, str] = field(default_factory=dict)
    """By the number of arguments, the name of what makes a Struct of them."""
    sends: dict[tuple[str, int], None] = field(default_factory=dict)
    """The methods that are called by their receiver's class, with how many arguments."""

    def known_name(self, module: str, name: str) -> str:
        """The name here of what a module holds."""
        return self.known.setdefault((module, name), f"k{len(self.known)}_{name}")

    def place(self, kind: str) -> str:
        """A new place that remembers a class."""
        self.places.append(kind)
        return f"p{len(self.places) - 1}"

    def join(self, pieces: tuple[tuple[int, int], ...]) -> str:
        """The name of what joins such parts."""
        return self.joins.setdefault(pieces, f"joined_{len(pieces)}_{len(self.joins)}")

    def shape(self, shape: str) -> str:
        """The name of what computes or compares a shape."""
        return self.shapes.setdefault(shape, f"shape_{len(self.shapes)}")

    def maker(self, count: int) -> str:
        """The name of what makes a Struct of so many arguments."""
        return self.makers.setdefault(count, f"made_{count}")

    def function(self, module: ModuleType, name: str) -> Fused | None:
        """The fused function that a name of a module means."""
        found = getattr(module, name, None)
        if not inspect.isfunction(found):
            return None
        return self.functions.get((found.__module__, found.__name__))

    def meant(self, name: str, count: int) -> list[Fused]:
        """The methods of a name that take so many arguments."""
        return [at for at in self.methods[name] if len(at.names()) - 1 == count]


def whole_of(asked: list[Fused]) -> Whole:
    """These functions, known by their names."""
    whole = Whole()
    for at in asked:
        if at.kind:
            whole.methods.setdefault(at.tree.name, []).append(at)
        else:
            whole.functions[at.module.__name__, at.tree.name] = at
    return whole


def read(module_name: str, *names: str) -> list[Fused]:
    """These functions of a module, `Class.method` for a method."""
    module = importlib.import_module(module_name)
    tree = ast.parse(inspect.getsource(module))
    found = []
    for name in names:
        kind, _, last = name.rpartition(".")
        body = tree.body
        if kind:
            (body,) = (at.body for at in body if isinstance(at, ast.ClassDef) and at.name == kind)
        functions = [at for at in body if isinstance(at, ast.FunctionDef) and at.name == last]
        if len(functions) != 1:
            raise Refused(f"{module_name} has no {name}")
        found.append(Fused(module, kind, functions[0]))
    return found
