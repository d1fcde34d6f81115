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
EXTENSION = """
#include "fields.h"
static Place place;
static PyObject *third(PyObject *module, PyObject *of) {
  static PyObject *name;
  if (name == NULL) name = PyUnicode_InternFromString("third");
  return field(&place, of, name);
}
static PyMethodDef methods[] = {{"third", third, METH_O, 0}, {0}};
static struct PyModuleDef made = {PyModuleDef_HEAD_INIT, "fields_of_a_test", 0, -1, methods};
PyMODINIT_FUNC PyInit_fields_of_a_test(void) { return PyModule_Create(&made); }
"""


def test_a_field_of_another_class_is_refused_each_time(tmp_path: Path) -> None:
    (tmp_path / "it.c").write_text(EXTENSION)
    words = [*shlex.split(sysconfig.get_config_var("CC")), "-shared", "-fPIC", "-w", "-O1"]
    words += [f"-I{ROOT / 'compiled'}", f"-I{sysconfig.get_path('include')}"]
    target = tmp_path / "fields_of_a_test.so"
    subprocess.run([*words, str(tmp_path / "it.c"), "-o", str(target)], check=True, timeout=100)
    assert _said(FOREIGN, str(tmp_path)) == [str(["refused"] * 3)]


def test_a_compiled_build_has_a_name_of_its_own() -> None:
    program = "from fuseboard.runtime.build import build; print(build())"
    plain, compiled = _said(program, "src"), _said(program, COMPILED)
    assert plain != compiled
    kernel = Path(COMPILED, "fuseboard", "core", "kernel.py").read_text(encoding="utf-8")
    assert re.search(r"It is made from [0-9a-f]{64}\.\n", kernel), "what it is made from is named"
