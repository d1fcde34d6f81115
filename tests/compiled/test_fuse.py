"""What is compiled is written from the kernel's own source, or refused."""

import ast
from hashlib import sha256
from types import ModuleType

import pytest

from compiled.fuse import fused
from compiled.step import FUSED, source
from compiled.whole import Fused, Refused


def _fused(text: str, *others: str) -> str:
    module = ModuleType("a_module")
    module.__dict__.update(LIMIT=5, sha256=sha256)
    found = []
    for one in (text, *others):
        (function,) = ast.parse(one).body
        assert isinstance(function, ast.FunctionDef)
        found.append(Fused(module, "", function))
    return fused(found)


def test_the_step_as_it_is_can_be_compiled() -> None:
    written = source()
    for names in FUSED.values():
        for name in names:
            assert f"_{name.replace('.', '_')}(" in written


@pytest.mark.parametrize(
    ("body", "made"),
    [
        ("return a.b", 'return x_field(&p0, a, "b")'),
        ("return a.b.c", 'return x_field2(&p0, &p1, a, "b", "c")'),
        ("a.b = c", 'x_field_set(&p0, a, "b", c)'),
        ("a.b.d = c", 't1_ = c\n    x_field_set(&p1, x_field(&p0, a, "b"), "d", t1_)'),
        ("a.b += c", 'x_field_set(&p1, a, "b", x_plus(x_field(&p0, a, "b"), c))'),
        ("a.b.d += c", 'x_field_set(&p2, t1_, "d", x_plus(x_field(&p1, t1_, "d"), c))'),
        ("b, d = a.b, c", 'b = x_field(&p0, a, "b")\n    d = c'),
        ("a, c = c, a.b", 't2_ = x_field(&p0, a, "b")\n    a = t1_\n    c = t2_'),
        ("return a.b(c)", 'return x_method1(&p0, a, "b", c)'),
        ("return a.get(c)", 'return x_get1(&p0, a, "get", c)'),
        ("return a < c < LIMIT", "return x_less(a, (t1_ := c)) and x_less(t1_, k0_LIMIT)"),
        ("return len(a) >= c", "return x_length_at_least(x_length(a), c)"),
        ("return a in c", "return x_within(a, c)"),
        ("return a not in c", "return not x_within(a, c)"),
        ("a[c] = LIMIT", "x_item_set(a, c, t1_)"),
        ("return next(iter(a))", "return x_first(a)"),
        ("return a[c]", "return x_item(a, c)"),
        ("return tuple(a)", "return x_as_tuple(a)"),
        ("return a + c < c * LIMIT", "return shape_0(a, c, c, k0_LIMIT)"),
        ("return a * c + 5", "return shape_0(a, c)"),
        ("return a + c // (a - c)", "return x_plus(a, x_quotient(c, x_minus(a, c)))"),
        ("return a * c * a * c < c", "return x_less(x_times(x_times(x_times(a, c), a), c), c)"),
        ("return a % c", "return x_remainder(a, c)"),
        ("return not a", "return not x_holds(a)"),
        ("if a % c:\n        pass", "if x_has_rest(a, c):"),
        ("if a & c:\n        pass", "if x_holds(a & c):"),
        ("return LIMIT(*a, c)", "return k0_LIMIT(*a, c)"),
        ("return a or c", "return t1_ if x_holds((t1_ := a)) else c"),
        ("return f'{a}:{c}'", 'return joined_3_0(a, ":", c)'),
        ("return f'{a[2:5]}{c}'", "return joined_2_0(a, c)"),
        ("return a[2:5]", "return x_part(a, 2, 5)"),
        (
            "return sha256(a + c.encode()).hexdigest()",
            "return x_sha256_hex(k0_sha256, a, c)",
        ),
        ("return a._value_", "return x_member_value(&p0, a)"),
    ],
)
def test_each_kind_of_code_is_written_by_the_helpers(body: str, made: str) -> None:
    assert made in _fused(f"def f(a, c):\n    {body}").replace("'", '"')


@pytest.mark.parametrize(
    "text",
    [
        "def f(a):\n    return [b for b in a]",
        "def f(a):\n    return lambda: a",
        "def f(a):\n    try:\n        pass\n    finally:\n        pass",
        "def f(*a):\n    return a",
        "def f(a):\n    return f'{a:>5}'",
        "def f(a):\n    return a[1:-1]",
        "def f(a):\n    return a < 1 is True",
        "def f(a):\n    return unknown",
        "def f(a):\n    x_field = a\n    return x_field",
        "def f(a):\n    (a.b, a.c) = a",
        "def f(a):\n    a[1] += 1",
        "def f(a):\n    b, *c = 1, a",
    ],
)
def test_what_cannot_be_written_so_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        _fused(text)
