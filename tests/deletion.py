"""Take a safeguard's own text out of a function, for one test, wherever the function is used."""

import inspect
import textwrap
from collections.abc import Callable
from types import FunctionType
from typing import Any

import pytest

from fuseboard.journal.file import JournalDamaged

FAILED = (AssertionError, ValueError, KeyError, JournalDamaged)
"""How a test of ours fails: an assertion, an unpacking that finds more or less than it named, or
the journal that refuses to be opened.
"""


def without(
    patch: pytest.MonkeyPatch, function: Callable[..., Any], text: str, instead: str = ""
) -> None:
    """Compile `function` again without `text`, which must stand in it once, and use that code.

    Raises `AssertionError` when the text is not there (any more): the row that names it is stale.
    """
    assert isinstance(function, FunctionType), f"{function} is not a plain function"
    source = textwrap.dedent(inspect.getsource(function))
    times = source.count(text)
    assert times == 1, f"{text!r} stands {times} times in {function.__qualname__}"
    scope = dict(function.__globals__)
    exec(compile(source.replace(text, instead), f"<{function.__name__} cut>", "exec"), scope)
    cut = scope[function.__name__]
    before, after = function.__code__, cut.__code__
    parts = ("co_code", "co_consts", "co_names")
    does_something = any(getattr(before, part) != getattr(after, part) for part in parts)
    assert does_something, f"{text!r} does nothing"
    patch.setattr(function, "__code__", after)


def assert_pinned(
    patch: pytest.MonkeyPatch,
    function: Callable[..., Any],
    text: str,
    instead: str,
    test: Callable[[], object],
) -> None:
    """A test holds as the code is, and fails once `text` is taken out of `function`."""
    test()
    without(patch, function, text, instead)
    assert fails(test), "nothing noticed"


def fails(test: Callable[[], object]) -> bool:
    """Whether a test fails now."""
    try:
        test()
    except FAILED:
        return True
    return False
