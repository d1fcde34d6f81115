"""What differs in the sections that nothing enforces yet, key by key, as people write the values.

They are kept as JSON by the path of their section (`Policy.later`); secrets are names there. Rows
of a list that have names are told apart by them.
"""

from typing import Any, Final

import msgspec

from fuseboard.policy.loader import FILE
from fuseboard.policy.reading import joined
from fuseboard.policy.shapes import Either, Items, Open, Section, Shape, Value
from fuseboard.policy.shown import NOT_SET, in_unit, shown

SHOWN_CHARACTERS_MAX: Final = 300


def later_changes(before: str | None, after: str | None, path: str) -> list[tuple[str, str, str]]:
    """Each key of a section that differs, with its old and its new value; None: no such section."""
    old, new = _leaves(before, path), _leaves(after, path)
    found = [
        (key, old.get(key, NOT_SET), new.get(key, NOT_SET))
        for key in [*old, *(key for key in new if key not in old)]
        if old.get(key) != new.get(key)
    ]
    if found or before == after:
        return [(key, *_cut(was, now)) for key, was, now in found]
    return [(path, *_cut(before or NOT_SET, after or NOT_SET))]  # rows in another order


def _cut(was: str, now: str) -> tuple[str, str]:
    """Both from just before they differ where they are too long to be shown whole."""
    if max(len(was), len(now)) <= SHOWN_CHARACTERS_MAX:
        return was, now
    same = next((at for at, (a, b) in enumerate(zip(was, now, strict=False)) if a != b), 0)
    start = max(0, same - SHOWN_CHARACTERS_MAX // 2)
    return was[start : start + SHOWN_CHARACTERS_MAX], now[start : start + SHOWN_CHARACTERS_MAX]


def _leaves(text: str | None, path: str) -> dict[str, str]:
    if text is None:
        return {}
    shape: Shape | None = FILE
    for key in path.split("."):
        shape = _under(shape, key)
    try:
        return _walked(path, msgspec.json.decode(text), shape)
    except (msgspec.DecodeError, RecursionError):
        return {path: text}  # no file is read as this; a policy's text may hold it all the same


def _walked(path: str, value: Any, shape: Shape | None) -> dict[str, str]:
    """Every single value with its path, as people write it."""
    found: dict[str, str] = {}
    if isinstance(value, dict) and value:
        for key, below in value.items():
            found |= _walked(joined(path, key), below, _under(shape, key))
        return found
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        names = [str(item.get("name", "")) for item in value]
        named = all(names) and len(dict.fromkeys(names)) == len(names)
        for number, item in enumerate(value):
            label = names[number] if named else str(number)
            found |= _walked(f"{path}[{label}]", item, _item(shape))
        return found
    return {path: _said(value, shape)}


def _said(value: Any, shape: Shape | None) -> str:
    if value is None or value == {}:
        return "set"
    if isinstance(value, list):
        return ", ".join(_said(item, _item(shape)) for item in value) or "none"
    word = shape.word if isinstance(shape, Either) else shape
    if isinstance(value, int) and not isinstance(value, bool) and isinstance(word, Value):
        return in_unit(value, word.unit.kind)
    return shown("", value)


def _under(shape: Shape | None, key: str) -> Shape | None:
    """The shape of a key of a section; None where it is not known."""
    if isinstance(shape, Either):
        shape = shape.keys
    if isinstance(shape, Section):
        return shape.keys.get(key)
    return shape.value if isinstance(shape, Open) else None


def _item(shape: Shape | None) -> Shape | None:
    """The shape of an item of a list; None where it is not known."""
    if isinstance(shape, Either):
        shape = shape.items
    return shape.item if isinstance(shape, Items) else None
