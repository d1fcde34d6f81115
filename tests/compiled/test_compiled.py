"""The compiled step decides as the interpreted one: the same effects and state, byte for byte.

Runs with `make compiled-test`, which builds it and names its directory in `FUSEBOARD_COMPILED`.
"""

import os
import re
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from compiled.shapes import c_function

ROOT = Path(__file__).resolve().parent.parent.parent
COMPILED = os.environ.get("FUSEBOARD_COMPILED", "")
WORLDS = """
import hashlib
from fuseboard.core.kernel import Kernel
from fuseboard.vocabulary.records import encoded_record
from tests.core.world import run

print(type(Kernel.step).__name__)
for seed in range(12):
    world, hashed = run(seed, 300), hashlib.sha256()
    for record in world.log:
        hashed.update(encoded_record(record))
    print(hashed.hexdigest(), world.kernel.digest())
"""
GATE = """
import hashlib
from bench.gate_peer import MOVING_SECONDS, moment, moving, ready, request
from fuseboard.core.kernel import Kernel
from fuseboard.vocabulary.inputs import Moment
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.records import encoded_record

print(type(Kernel.step).__name__)
still = ready(50)
for snapshot, later_ns in ((still, 0), (moving(still, 50), MOVING_SECONDS * NANOS)):
    kernel, hashed = Kernel.restored(snapshot), hashlib.sha256()
    for number in range(51, 351):
        at = moment(number)
        effects = kernel.step(Moment(at.boot_ns + later_ns, at.wall_ns + later_ns), request(number))
        hashed.update(repr(effects).encode())
    print(hashed.hexdigest(), kernel.digest())
"""

pytestmark = pytest.mark.skipif(not COMPILED, reason="make compiled-test builds what this tests")


def _said(program: str, *paths: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((*paths, str(ROOT)))},
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    )
    return done.stdout.splitlines()


@pytest.mark.parametrize("program", [WORLDS, GATE], ids=["worlds", "the full policy"])
def test_both_decide_alike_byte_for_byte(program: str) -> None:
    (kind, *interpreted), (compiled_kind, *compiled) = (
        _said(program, "src"),
        _said(program, COMPILED),
    )
    assert (kind, compiled_kind) == ("function", "cython_function_or_method")
    assert interpreted
    assert compiled == interpreted


FOREIGN = """
import fields_of_a_test

class Owner:
    __slots__ = ("first", "second", "third")

class Borrower:
    __slots__ = ("own",)
    third = Owner.third

borrower, said = Borrower(), []
borrower.own = "own"
for _ in range(3):
    try:
        said.append(str(fields_of_a_test.third(borrower)))
    except TypeError as refused:
        said.append("refused")
print(said)
"""
SHAPES = (
    "w0 * w1 > w2 * (w3 + 5)",
    "w0 - w1 < w2",
    "w0 - w1 >= w2 + w3",
    "w0 + w1 == w2",
    "w0 * w1 != w2 * 3",
    "w0 * (w1 - w2) <= w3",
    "w0 * w1 + w2",
    "w0 - (w1 - 7) - w2",
    "(w0 - w1) * w2",
)
EXTENSION = """
#include "fields.h"
%(shapes)s
static PyObject *rest(PyObject *module, PyObject *args) {
  int truth = has_rest(PyTuple_GET_ITEM(args, 0), PyTuple_GET_ITEM(args, 1));
  return truth < 0 ? NULL : PyBool_FromLong(truth);
}
static Place place;
static PyObject *joined(PyObject *module, PyObject *of) {
  static const Piece pieces[] = {{0, 8}, {0, -1}, {5, 6}, {7, 90}, {0, -1}};
  PyObject *parts[] = {of, Py_None, of, of, of};
  return joined_parts(parts, pieces, 5);
}
static PyObject *hashed(PyObject *module, PyObject *args) {
  PyObject **at = ((PyTupleObject *)args)->ob_item;
  return sha256_hex(at[0], at[1], at[2]);
}
static PyObject *computed(PyObject *module, PyObject *args) {
  PyObject *a = PyTuple_GET_ITEM(args, 0), *b = PyTuple_GET_ITEM(args, 1);
  Py_ssize_t length = PyTuple_GET_SIZE(args);
  return Py_BuildValue("NNNiiiiii", plus(a, b), minus(a, b), times(a, b),
                       less(a, b), at_most(a, b), more(a, b), at_least(a, b),
                       length_less(length, b), length_at_least(length, a));
}
static PyObject *valued(PyObject *module, PyObject *of) {
  static Member member;
  return member_value(&member, of);
}
static PyObject *held(PyObject *module, PyObject *args) {
  PyObject *of = PyTuple_GET_ITEM(args, 0), *at = PyTuple_GET_ITEM(args, 1), *found;
  int before = within(at, of);
  if (before < 0 || item_set(of, at, args) < 0) return NULL;
  found = first(of);
  return found == NULL ? NULL : Py_BuildValue("iN", before, found);
}
static PyObject *taken(PyObject *module, PyObject *args) {
  static Sender sender;
  static PyObject *name;
  PyObject *of = PyTuple_GET_ITEM(args, 0), *at = PyTuple_GET_ITEM(args, 1);
  if (name == NULL) name = PyUnicode_InternFromString("get");
  return get2(&sender, of, name, at, PyTuple_GET_ITEM(args, 2));
}
static PyObject *at_item(PyObject *module, PyObject *args) {
  return item(PyTuple_GET_ITEM(args, 0), PyTuple_GET_ITEM(args, 1));
}
static PyObject *tupled(PyObject *module, PyObject *of) { return as_tuple(of); }
static PyObject *divided(PyObject *module, PyObject *args) {
  return quotient(PyTuple_GET_ITEM(args, 0), PyTuple_GET_ITEM(args, 1));
}
static PyObject *left_over(PyObject *module, PyObject *args) {
  return remainder_of(PyTuple_GET_ITEM(args, 0), PyTuple_GET_ITEM(args, 1));
}
static PyObject *built(PyObject *module, PyObject *args) {
  static Maker places[16];
  Py_ssize_t count = PyTuple_GET_SIZE(args) - 2;
  Maker *place = &places[PyLong_AsSsize_t(PyTuple_GET_ITEM(args, 0))];
  return made_of(place, PyTuple_GET_ITEM(args, 1), &PyTuple_GET_ITEM(args, 2), count);
}
static PyObject *initial(PyObject *module, PyObject *of) { return first(of); }
static PyObject *third(PyObject *module, PyObject *of) {
  static PyObject *name;
  if (name == NULL) name = PyUnicode_InternFromString("third");
  return field(&place, of, name);
}
static PyObject *set_third(PyObject *module, PyObject *args) {
  static Place place;
  static PyObject *name;
  if (name == NULL) name = PyUnicode_InternFromString("third");
  if (field_set(&place, PyTuple_GET_ITEM(args, 0), name, PyTuple_GET_ITEM(args, 1)) < 0)
    return NULL;
  Py_RETURN_NONE;
}
static PyObject *find(PyObject *module, PyObject *of) {
  sha256_find();
  return Py_NewRef(of);
}
static PyMethodDef methods[] = {
  {"third", third, METH_O, 0}, {"set_third", set_third, METH_VARARGS, 0},
  {"find", find, METH_O, 0}, {"hashed", hashed, METH_VARARGS, 0},
  {"joined", joined, METH_O, 0}, {"computed", computed, METH_VARARGS, 0},
  {"valued", valued, METH_O, 0}, {"held", held, METH_VARARGS, 0},
  {"initial", initial, METH_O, 0}, {"taken", taken, METH_VARARGS, 0},
  {"item", at_item, METH_VARARGS, 0}, {"tupled", tupled, METH_O, 0},
  {"divided", divided, METH_VARARGS, 0}, {"left_over", left_over, METH_VARARGS, 0},
  {"rest", rest, METH_VARARGS, 0}, {"built", built, METH_VARARGS, 0}, %(rows)s {0}};
static struct PyModuleDef made = {PyModuleDef_HEAD_INIT, "fields_of_a_test", 0, -1, methods};
PyMODINIT_FUNC PyInit_fields_of_a_test(void) { return PyModule_Create(&made); }
"""


ALIKE = """
from enum import Enum
from hashlib import sha256
from random import Random
import fields_of_a_test as it

for found in (False, True):
    for size in range(200):
        first = Random(size).randbytes(size)
        for then in ("", "an id", "\\xe9", "a \\u20ac", "long " * size):
            made = sha256(first + then.encode()).hexdigest()
            assert it.hashed(sha256, first, then) == made, (found, size)
    assert it.hashed(sha256, bytearray(first), then) == made
    it.find(None)
for first, then in (("a text", "a text"), (b"", b""), (b"", "\\ud800")):
    try:
        it.hashed(sha256, first, then)
    except (TypeError, AttributeError, UnicodeEncodeError) as refused:
        print(type(refused).__name__)
class Letter(Enum):
    A = "a"
    B = "b"
for letter in (Letter.A, Letter.B, Letter.B, Letter.A):
    assert it.valued(letter) == letter.value
try:
    it.valued(1)
except AttributeError:
    assert it.valued(Letter.A) == "a"
for size in range(120):
    for letter in ("a", "\\xe9", "\\u20ac"):
        d = letter * size
        assert it.joined(d) == f"{d[:8]}{None}{d[5:6]}{d[7:90]}{d}", (size, letter)
d = [1, 2, 3]
assert it.joined(d) == f"{d[:8]}{None}{d[5:6]}{d[7:90]}{d}"
print("alike")
"""
NUMBERS = """
from itertools import product
from random import Random
import fields_of_a_test as it

random, numbers = Random(7), [0, 1, 2, 3, True, False]
for bits in (29, 30, 31, 32, 59, 60, 61, 63, 64, 89, 90, 91, 120):
    numbers += [2**bits - 1, 2**bits, 2**bits + 1, random.getrandbits(bits)]
numbers += [-number for number in numbers]
for a, b in product(numbers, numbers):
    expected = a + b, a - b, a * b, a < b, a <= b, a > b, a >= b, 2 < b, 2 >= a
    assert it.computed(a, b) == expected, (a, b)
print("alike", len(numbers))
"""


def test_numbers_are_computed_and_compared_as_by_python(fields: str) -> None:
    assert _said(NUMBERS, fields) == ["alike 116"]


SHAPED = """
from random import Random
import fields_of_a_test as it

def got(take, *args):
    try:
        return take(*args)
    except (TypeError, ZeroDivisionError) as refused:
        return type(refused), refused.args

random = Random(5)

def number():
    size = random.choice((0, 1, 29, 30, 31, 59, 60, 61, 89, 90, 91, 119, 120, 121, 150))
    return random.choice((-1, 1)) * random.choice((random.getrandbits(size), 2**size, 2**size - 1))

asked = [tuple(number() for _ in range(4)) for _ in range(4000)]
asked += [(a, a, a, a) for a in (0, 1, True, False, 1.5, None, "a", 2**60, -(2**120))]
asked += [(1, None, 2, 3), ("a", 2, "b", 3), (2.5, 1, True, 0), (1, 2, None, None), (5, 0, 0, 0)]
for number, shape in enumerate(SHAPES):
    names = sorted({shape[at : at + 2] for at in range(len(shape)) if shape[at] == "w"})
    expected = eval(f"lambda {', '.join(names)}: {shape}")
    for values in asked:
        values = values[: len(names)]
        found = got(getattr(it, f"shape_{number}"), *values)
        assert (found, type(found)) == (got(expected, *values), type(got(expected, *values))), (
            shape, values, found)
for a, b, *_ in asked:
    if not isinstance(a, str):
        assert got(it.divided, a, b) == got(lambda: a // b), (a, b)
        assert got(it.left_over, a, b) == got(lambda: a % b), (a, b)
        assert got(it.rest, a, b) == got(lambda: bool(a % b)), (a, b)
print("alike")
"""


def test_shapes_are_computed_and_compared_as_by_python(fields: str) -> None:
    assert _said(SHAPED.replace("SHAPES", repr(SHAPES)), fields) == ["alike"]


HELD = """
import fields_of_a_test as it

class Own(dict):
    def __contains__(self, at):
        return at == "own"
    def __setitem__(self, at, value):
        super().__setitem__("set " + at, value)

plain, own, numbers = {"a": 1}, Own(a=1), [5, 6]
assert it.held(plain, "a") == (1, "a") and it.held(plain, "b") == (0, "a")
assert list(plain) == ["a", "b"] and plain["b"] == (plain, "b")
assert it.held(own, "own") == (1, "a") and list(own) == ["a", "set own"]
assert it.held(numbers, 0) == (0, (numbers, 0)) and it.initial(iter("xy")) == "x"
for of, at in (({}, []), ({}, "a"), (5, 0), ((), 0)):
    for ask in (lambda: it.held(of, at), lambda: it.initial(of)):
        try:
            print(ask() is not None)
        except (TypeError, StopIteration) as refused:
            print(type(refused).__name__)
"""


def test_what_holds_other_things_is_asked_as_python_asks_it(fields: str) -> None:
    said = _said(HELD, fields)
    refused = ["TypeError", "StopIteration", "True", "True"]
    assert said == [*refused, "TypeError", "TypeError", "TypeError", "StopIteration"]


TAKEN = """
from random import Random
import fields_of_a_test as it

class Filled:
    pass

def got(take, *args):
    try:
        return take(*args)
    except (KeyError, IndexError, TypeError) as refused:
        return type(refused), refused.args

random, filled = Random(11), Filled()
names = [f"a {number}" for number in range(400)] + ["", "\\xe9", "\\u20ac", "a\\x00", "a\\x00b"]
keys = [*names, 1, True, 2.0, (1,), None, []]
plain, mixed = {}, {}
for turn in range(3000):
    key = random.choice(keys[:-1])
    for of in (plain, mixed) if isinstance(key, str) else (mixed,):
        if random.random() < 0.6:
            of[key] = turn
        else:
            of.pop(key, None)
    if turn % 50 == 0 or turn < 40:
        setattr(filled, random.choice(names), turn)
        for of in (plain, mixed, vars(filled), {}):
            for key in keys:
                same = "".join([key, ""]) if isinstance(key, str) else key
                for asked in (key, same):
                    assert got(it.taken, of, asked, it) == got(of.get, asked, it), (turn, key)
                    assert got(it.item, of, asked) == got(of.__getitem__, asked), (turn, key)
for of in ((), (1, 2, 3), [], [1, 2, 3], "abc", 5):
    for at in (*range(-4, 5), True, 2**30, -(2**30), 2**90, 1.0, "a"):
        assert got(it.item, of, at) == got(lambda: of[at]), (of, at)
    assert of == 5 or it.tupled(of) == tuple(of)
print("alike", len(plain) > 200, len(mixed) > 200)
"""


def test_what_is_looked_up_is_found_as_by_python(fields: str) -> None:
    assert _said(TAKEN, fields) == ["alike True True"]


BUILT = """
import sys
from dataclasses import dataclass
from typing import Any
from msgspec import Struct, field
import fields_of_a_test as it

class Plain(Struct, gc=False):
    a: Any
    b: Any = 5
    c: Any = None

class Own(Plain, frozen=True, gc=False):
    d: Any = "d"

class Followed(Struct):
    a: Any
    b: Any = 0

class Fresh(Struct, gc=False):
    a: Any
    b: list = field(default_factory=list)

class Keyed(Struct, gc=False, kw_only=True):
    a: Any = 1

class After(Struct, gc=False):
    a: Any
    b: Any = 2
    def __post_init__(self):
        self.b = self.a + 1

class Held(Struct, dict=True):
    a: Any

@dataclass
class Data:
    a: Any
    b: Any = 7

def got(take, *args):
    try:
        return take(*args)
    except (TypeError, ValueError) as refused:
        return type(refused), refused.args

kinds = Plain, Own, Followed, Fresh, Keyed, After, Held, Data, int, len
for kind in kinds:
    for count in range(6):
        for args in ((1, 2, 3, 4, 5)[:count], ([1], [2], [3], [4], [5])[:count]) * 3:
            expected, found = got(kind, *args), got(it.built, count, kind, *args)
            assert (type(found), found) == (type(expected), expected), (kind, args)
            if kind is Fresh and count == 1:
                assert it.built(1, Fresh, 1).b is not it.built(1, Fresh, 1).b
    for count in range(6):
        for other in kinds:
            assert got(it.built, count, other, *range(count)) == got(other, *range(count))
held = object()
before = sys.getrefcount(held), sys.getrefcount(Plain)
for _ in range(1000):
    it.built(9, Plain, held, held)
assert (sys.getrefcount(held), sys.getrefcount(Plain)) == before
print("alike")
"""


def test_a_struct_is_made_as_its_class_makes_it(fields: str) -> None:
    assert _said(BUILT, fields) == ["alike"]


SET = """
import gc
from typing import Any
from msgspec import Struct
import fields_of_a_test as it

class Slotted:
    __slots__ = ("first", "third")

class Plain(Struct, gc=False):
    first: Any = 0
    third: Any = 0

class Frozen(Plain, frozen=True, gc=False):
    pass

class Followed(Struct):
    third: Any = 0

class Own(Plain, gc=False):
    def __setattr__(self, name, value):
        super().__setattr__(name, [value])

class Open:
    pass

for kind in (Slotted, Plain, Frozen, Followed, Own, Open, Plain, Frozen, Plain):
    for value in (1, [2], "3", 1, [2]):
        one, other, said = kind(), kind(), []
        for ask in (lambda: it.set_third(one, value), lambda: setattr(other, "third", value)):
            try:
                said.append(ask())
            except AttributeError as refused:
                said.append(str(refused))
        assert said[0] == said[1] and gc.is_tracked(one) == gc.is_tracked(other), (kind, value)
        assert (said[0] is None) is (kind is not Frozen)
        assert getattr(one, "third", None) == getattr(other, "third", None), (kind, value)
print("alike")
"""


def test_a_field_is_set_as_python_sets_it(fields: str) -> None:
    assert _said(SET, fields) == ["alike"]


def _shape(name: str, shape: str) -> str:
    """The C function of a shape, and one that calls it with the items of a tuple."""
    made, _ = c_function(name, shape)
    given = ", ".join(f"PyTuple_GET_ITEM(args, {n})" for n in range(shape.count("w")))
    returned = f"return {name}({given});"
    if made.startswith("SELDOM int"):
        returned = f"int truth = {name}({given}); return truth < 0 ? NULL : PyBool_FromLong(truth);"
    return f"{made}\nstatic PyObject *of_{name}(PyObject *module, PyObject *args) {{ {returned} }}"


@pytest.fixture(name="fields", scope="module")
def fields_fixture(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where the helpers of the headers can be imported from."""
    place = tmp_path_factory.mktemp("fields")
    shapes = [_shape(f"shape_{number}", shape) for number, shape in enumerate(SHAPES)]
    rows = " ".join(f'{{"shape_{n}", of_shape_{n}, METH_VARARGS, 0}},' for n in range(len(SHAPES)))
    texts = {"shapes": "\n".join(shapes), "rows": rows}
    (place / "it.c").write_text(EXTENSION % texts)
    words = [*shlex.split(sysconfig.get_config_var("CC")), "-shared", "-fPIC", "-w", "-O1"]
    words += [f"-I{ROOT / 'compiled'}", f"-I{sysconfig.get_path('include')}"]
    target = place / "fields_of_a_test.so"
    subprocess.run([*words, str(place / "it.c"), "-o", str(target)], check=True, timeout=100)
    return str(place)


def test_a_hash_and_the_pieces_of_a_text_are_those_of_python(fields: str) -> None:
    refused = ["TypeError", "AttributeError", "UnicodeEncodeError"]
    assert _said(ALIKE, fields) == [*refused, "alike"]


def test_a_field_of_another_class_is_refused_each_time(fields: str) -> None:
    assert _said(FOREIGN, fields) == [str(["refused"] * 3)]


def test_a_compiled_build_has_a_name_of_its_own() -> None:
    program = "from fuseboard.runtime.build import build; print(build())"
    plain, compiled = _said(program, "src"), _said(program, COMPILED)
    assert plain != compiled
    kernel = Path(COMPILED, "fuseboard", "core", "kernel.py").read_text(encoding="utf-8")
    assert re.search(r"It is made from [0-9a-f]{64}\.\n", kernel), "what it is made from is named"
