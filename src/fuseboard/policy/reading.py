"""One pass over a policy file's tree by its shapes: values with their places, and all problems.

Nothing stops at the first mistake and nothing is left unread: a key that no shape names is refused.
"""

import difflib
from typing import Any

from msgspec import Struct

from fuseboard.policy import units
from fuseboard.policy.shapes import Either, Items, Open, Section, Shape, Unit, Value, spellings
from fuseboard.policy.yaml_text import (
    Mapping,
    Node,
    Place,
    Problem,
    Sequence,
    Word,
    place_within,
)


class Entry(Struct, frozen=True):
    """What stands under one path: where its key and its value are."""

    key: Place
    value: Place


class Reading:
    """The values, places and problems of one file.

    A section's value is a dict of its canonical keys, a list's is a list; what was refused is left
    out of both. `entries` says where each path stands, such as `risk.limits.max_position`.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.problems: list[Problem] = []
        self.entries: dict[str, Entry] = {}
        self.lines: dict[str, int] = {}
        """For each field of the policy that the file sets, its line."""

    def refuse(self, place: Place, path: str, what: str) -> None:
        """Add a problem."""
        self.problems.append(Problem(self.source, place, path, what))

    def refuse_key(self, path: str, what: str) -> None:
        """Add a problem at the key of a path that was read."""
        self.refuse(self.entries[path].key, path, what)

    def refuse_value(self, path: str, what: str) -> None:
        """Add a problem at the value of a path that was read."""
        self.refuse(self.entries[path].value, path, what)

    def set_line(self, field: str, path: str) -> None:
        """Remember that the policy's `field` is set at the key of `path`."""
        if path in self.entries:
            self.lines[field] = self.entries[path].key.line

    def read(self, node: Node, path: str, shape: Shape) -> Any:
        """The value of a node; None when it was refused."""
        self.entries.setdefault(path, Entry(node.place, node.place))
        if isinstance(shape, Value):
            return self._word(node, path, shape.unit)
        if isinstance(shape, Section):
            return self._section(node, path, shape)
        if isinstance(shape, Items):
            return self._items(node, path, shape)
        if isinstance(shape, Open):
            return self._open(node, path, shape)
        return self._either(node, path, shape)

    def _word(self, node: Node, path: str, unit: Unit) -> Any:
        if not isinstance(node, Word):
            what = f"expected a single value here, not a list or keys: {unit.says}"
            self.refuse(node.place, path, what)
            return None
        if not node.text:
            what = f"nothing is written here; leave the key out instead, or write {unit.says}"
            self.refuse(node.place, path, what)
            return None
        try:
            return unit.read(node.text)
        except units.Refused as refused:
            what = str(refused)
            if "${" in node.text and not unit.secret and "${NAME}" not in what:
                what = "`${NAME}` stands only where a secret is asked for; write the value itself"
            at = refused.offset
            self.refuse(node.place if at is None else place_within(node, at), path, what)
            return None

    def _section(self, node: Node, path: str, shape: Section) -> dict[str, Any] | None:
        if not isinstance(node, Mapping):
            what = f"expected keys and values here: {', '.join(shape.keys)}"
            self.refuse(node.place, path, what)
            return None
        known = spellings(shape.keys)
        values: dict[str, Any] = {}
        for written, place in node.keys.items():
            key = known.get(written)
            if key is None:
                self._unknown(place, path, written, shape, known)
                continue
            below = joined(path, key)
            if below in self.entries:
                other = self.entries[below].key.line
                self.refuse(place, below, f"the same as the key in line {other}; keep one of them")
                continue
            self.entries[below] = Entry(place, node.entries[written].place)
            value = self.read(node.entries[written], below, shape.keys[key])
            if value is not None:
                values[key] = value
        for key in shape.required:
            if joined(path, key) not in self.entries:
                what = f"`{key}` is missing: {shape.missing}"
                self.refuse(node.place, joined(path, key), what)
        return values

    def _unknown(
        self, place: Place, path: str, written: str, shape: Section, known: dict[str, str]
    ) -> None:
        near = difflib.get_close_matches(written[:80], list(known), n=1)
        hint = f"did you mean `{near[0]}`?" if near else f"known here: {', '.join(shape.keys)}"
        self.refuse(place, joined(path, written[:80]), f"unknown key; {hint}")

    def _items(self, node: Node, path: str, shape: Items) -> list[Any] | None:
        if not isinstance(node, Sequence):
            self.refuse(node.place, path, f"expected a list of {shape.what}, each after a dash")
            return None
        if len(node.items) > shape.most:
            self.refuse(node.place, path, f"more than {shape.most} {shape.what}")
        if len(node.items) < shape.least:
            self.refuse(node.place, path, f"expected at least {shape.least} {shape.what}")
            return None
        values = []
        for number, item in enumerate(node.items[: shape.most]):
            below = f"{path}[{number}]"
            self.entries[below] = Entry(item.place, item.place)
            value = self.read(item, below, shape.item)
            if value is not None:
                values.append((below, value) if isinstance(shape.item, Section) else value)
        return values

    def _open(self, node: Node, path: str, shape: Open) -> dict[str, Any] | None:
        if not isinstance(node, Mapping):
            self.refuse(node.place, path, f"expected {shape.what}")
            return None
        if len(node.keys) > shape.most:
            self.refuse(node.place, path, f"more than {shape.most} keys")
        values: dict[str, Any] = {}
        for written, place in list(node.keys.items())[: shape.most]:
            key = self._word(Word(written, place, written), path, shape.key)
            if key is None:
                continue
            below = joined(path, written)
            self.entries[below] = Entry(place, node.entries[written].place)
            value = self.read(node.entries[written], below, shape.value)
            if value is not None:
                values[written] = value
        return values

    def _either(self, node: Node, path: str, shape: Either) -> Any:
        if isinstance(node, Word) and shape.word is not None:
            return self._word(node, path, shape.word.unit)
        if isinstance(node, Sequence) and shape.items is not None:
            return self._items(node, path, shape.items)
        if isinstance(node, Mapping) and shape.keys is not None:
            return self.read(node, path, shape.keys)
        self.refuse(node.place, path, f"expected {shape.says}")
        return None

    # --- from values to fields -----------------------------------------------------------------

    def fields(
        self, values: dict[str, Any], path: str, keys: dict[str, Shape], prefix: str
    ) -> dict[str, Any]:
        """The fields that the section's own keys fill; their lines are noted under `prefix`."""
        filled: dict[str, Any] = {}
        for key, shape in keys.items():
            if key not in values or not isinstance(shape, Value) or not shape.fields:
                continue
            value = values[key] if len(shape.fields) > 1 else (values[key],)
            filled.update(zip(shape.fields, value, strict=True))
            for field in shape.fields:
                self.set_line(joined(prefix, field), joined(path, key))
        return filled


def joined(path: str, key: str) -> str:
    """The path of a key."""
    return f"{path}.{key}" if path else key
