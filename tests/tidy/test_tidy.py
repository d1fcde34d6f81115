"""The whole tree keeps the house rules, and each rule is seen to fire on a bad sample."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.tidy import rules

ROOT = Path(__file__).resolve().parent.parent.parent
SOURCE = ROOT / "src" / "fuseboard"
FILES = sorted(SOURCE.rglob("*.py"))
pytestmark = pytest.mark.no_cover  # reads the source and runs none of it


def test_there_are_files_to_judge() -> None:
    places = {path.relative_to(SOURCE).as_posix() for path in FILES}
    assert {"vocabulary/inputs.py", "policy/policy.py"} <= places


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_each_source_file_keeps_the_house_rules(path: Path) -> None:
    place, text = path.relative_to(SOURCE).as_posix(), path.read_text()
    found = rules.findings(place, text) + rules.unused_names(place, text)
    assert not found, "\n" + "\n".join(map(str, found))


def _tracked_files() -> list[Path]:
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: tracked files are not known")
    listed = subprocess.run(
        [git, "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, timeout=30
    )
    paths = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    assert paths
    return [path for path in paths if path.is_file()]


def test_no_tracked_text_names_one_machine_or_a_registry() -> None:
    found = []
    for path in _tracked_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += rules.foreign_text(path.relative_to(ROOT).as_posix(), text)
    assert not found, "\n" + "\n".join(map(str, found))


DOC = '"""A file."""\n'
PURE_SAMPLES = [
    ("no_true_division", "A = 3 / 2\n", "A = 3 // 2\n"),
    ("no_true_division", "A = 3\nA /= 2\n", "A = 3\nA //= 2\n"),
    ("no_float", "A = 0.5\n", "A = 5\n"),
    ("no_float", "A = int(float('1'))\n", "A = int('1')\n"),
    ("no_float", "A: float | None = None\n", "A: int | None = None\n"),
    ("no_float", "A = 1j\n", "A = '1j'\n"),
    ("no_impure_import", "import math\n", "import msgspec\n"),
    ("no_impure_import", "from os.path import join\n", "from hashlib import sha256\n"),
    ("no_impure_import", "def _a():\n    import time\n", "from decimal import Decimal\n"),
    ("no_impure_call", "A = round(5)\n", "A = abs(5)\n"),
    ("no_impure_call", "A = hash('a')\n", "A = ord('a')\n"),
    ("no_impure_call", "A = open('a')\n", "A = other.open('a')\n"),
    ("no_async", "async def _a(): pass\n", "def _a(): pass\n"),
    ("no_async", "A = [b async for b in c]\n", "A = [b for b in c]\n"),
    ("no_async", "class _A(B):\n    async def c(self): ...\n", "class _A(Protocol):\n    async def c(self) -> int:\n        '''C.'''\n"),
    ("no_set_order", "for a in {1, 2}: pass\n", "for a in (1, 2): pass\n"),
    ("no_set_order", "A = [b for b in {c for c in d}]\n", "A = {b for b in c}\n"),
    ("no_set_order", "for a in set(b): pass\n", "for a in sorted(set(b)): pass\n"),
    ("no_set_order", "A = frozenset(b)\nC = list(A)\n", "A = frozenset(b)\nC = len(A)\n"),
    ("no_set_order", "def _f(a: set[int]): return tuple(a)\n", "def _f(a: set[int]): return 1 in a\n"),
    ("no_set_order", "A = ','.join({b} | c)\n", "A = ','.join(sorted({b} | c))\n"),
    (
        "no_set_order",
        "class _A:\n    def __init__(self):\n        self.b: set[int] = set()\n    def c(self):\n        return [*self.b]\n",
        "class _A:\n    def __init__(self):\n        self.b: dict[int, int] = {}\n    def c(self):\n        return [*self.b]\n",
    ),
    ("no_set_order", "A = {1}\nB = A.pop()\n", "A = {1: 2}\nB = A.pop(1)\n"),
    ("no_globals_changed", "A = 1\ndef _b():\n    global A\n    A = 2\n", "A = 1\ndef _b():\n    A = 2\n"),
    ("no_globals_changed", "A = {}\ndef _b():\n    A[1] = 2\n", "def _b(A):\n    A[1] = 2\n"),
    ("no_globals_changed", "A = []\ndef _b():\n    A.append(2)\n", "def _b():\n    A = []\n    A.append(2)\n"),
    ("no_globals_changed", "A: dict[int, int] = {}\ndef _b():\n    del A[1]\n", "A = {}\ndef _b(): return A[1]\n"),
]  # fmt: skip
LONG_BODY = "def _a():\n" + "    b = 1\n" * rules.FUNCTION_LINES_MAX
FULL_BODY = "def _a():\n" + "    b = 1\n" * (rules.FUNCTION_LINES_MAX - 1)
TRY = "try:\n    a()\n"
HOUSE_SAMPLES = [
    ("no_swallowed_exception", TRY + "except:\n    pass\n", TRY + "except ValueError:\n    pass\n"),
    ("no_swallowed_exception", TRY + "except Exception:\n    b()\n", TRY + "except Exception:\n    b()\n    raise\n"),
    ("no_swallowed_exception", TRY + "except Exception:\n    log.info(1)\n", TRY + "except Exception:\n    log.exception(1)\n"),
    ("no_swallowed_exception", TRY + "except (OSError, BaseException):\n    b()\n", TRY + "except (OSError, KeyError):\n    b()\n"),
    ("no_vague_name", "class _OrderManager: pass\n", "class _OrderBook: pass\n"),
    ("no_vague_name", "class _BaseBroker: pass\n", "class _Broker: pass\n"),
    ("no_vague_name", "def _string_utils(): pass\n", "def _base_url(): pass\n"),
    ("no_vague_name", "def _handlers(): pass\n", "def _handle(): pass\n"),
    ("no_vague_name", "class _HTTPHandler: pass\n", "class _Handled: pass\n"),
    ("no_long_function", LONG_BODY, FULL_BODY),
    ("no_print", "print(1)\n", "a.print(1)\n"),
    ("docstrings", "def a(): pass\n", "def _a(): pass\n"),
    ("docstrings", "class A:\n    '''A.'''\n    def b(self): pass\n", "class A:\n    '''A.'''\n    def _b(self): pass\n"),
    ("docstrings", "class A: pass\n", "class A(Enum): B = 1\n"),
    ("no_long_file", "\n" * rules.FILE_LINES_MAX, "\n" * (rules.FILE_LINES_MAX - 1)),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "bad", "good"), PURE_SAMPLES)
def test_each_rule_of_the_pure_rooms_fires_on_a_bad_sample(rule: str, bad: str, good: str) -> None:
    for room in rules.PURE_ROOMS:
        assert [f.rule for f in rules.findings(f"{room}/a.py", DOC + bad)] == [rule]
        assert rules.findings(f"{room}/a.py", DOC + good) == []
    assert rules.findings("core.py", DOC + bad) != []


def test_only_the_file_that_compiles_conditions_may_compile() -> None:
    compiling = DOC + "exec(compile(a, 'b', 'exec'))\n"
    assert rules.findings(rules.COMPILING_PLACE, compiling) == []
    assert len(rules.findings("policy/conditions/parser.py", compiling)) == 2
    assert len(rules.findings(rules.COMPILING_PLACE, DOC + "A = eval('1')\n")) == 1


@pytest.mark.parametrize(("rule", "bad", "good"), HOUSE_SAMPLES)
def test_each_rule_of_the_house_fires_on_a_bad_sample(rule: str, bad: str, good: str) -> None:
    assert [f.rule for f in rules.findings("wire/a.py", DOC + bad)] == [rule]
    assert rules.findings("wire/a.py", DOC + good) == []


def test_a_file_without_a_docstring_or_with_a_vague_name_is_found() -> None:
    assert [f.rule for f in rules.findings("wire/a.py", "A = 1\n")] == ["docstrings"]
    assert [f.rule for f in rules.findings("wire/utils.py", DOC)] == ["no_vague_name"]
    assert [f.rule for f in rules.findings("base/a.py", DOC)] == ["no_vague_name"]


def test_a_private_name_that_nobody_uses_is_found() -> None:
    text = "_A = 1\n_B: int = 2\ndef _c(): return _c\nclass _D: pass\n__all__ = []\n"
    assert [found.what for found in rules.unused_names("wire/a.py", text)] == ["_A", "_B", "_D"]


def test_rooms_that_speak_to_a_person_may_print() -> None:
    for place in ("cli.py", "control/top.py", "lab/demo.py", "exchange/process.py"):
        assert rules.findings(place, DOC + "print(1)\n") == []
    assert rules.findings("exchange/book.py", DOC + "print(1)\n") != []


def test_the_rules_of_the_pure_rooms_hold_only_there() -> None:
    assert rules.findings("runtime/a.py", DOC + "import time\nA = 3 / 2.0\n") == []


@pytest.mark.parametrize(
    "bad",
    ["see /wo" + "rk/main", "in /ro" + "ot/.cache", "/ho" + "me/someone/x", "https://py" + "pi.org/simple"],
)  # fmt: skip
def test_foreign_text_is_found_with_its_line(bad: str) -> None:
    (found,) = rules.foreign_text("a.md", "fine\n" + bad + "\n")
    assert found.line == 2
    harmless = "net/wo" + "rk/a, ./ro" + "ot/b, a homework/x/"
    assert rules.foreign_text("a.md", harmless + "\n") == []
