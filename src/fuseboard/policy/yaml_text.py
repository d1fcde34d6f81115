"""YAML read as text: a tree of mappings, lists and words, each knowing its line and column.

PyYAML's parser gives events; the tree is built from them here, so no scalar is ever turned into a
float, a date or a boolean on the way. What a policy does not need is refused: several documents,
anchors, aliases, tags, a key written twice, deep nesting, size beyond its maximum.
"""

from collections.abc import Iterator
from typing import Any, TypeAlias

import yaml
from msgspec import Struct

TEXT_CHARACTERS_MAX = 262_144
NODES_MAX = 20_000
DEPTH_MAX = 12
PROBLEMS_MAX = 100


class Place(Struct, frozen=True):
    """Where something stands in the text; both count from 1."""

    line: int
    column: int


class Problem(Struct, frozen=True):
    """One thing that is wrong: where, under which key, what, and what to write instead."""

    source: str
    place: Place
    path: str
    what: str

    def __str__(self) -> str:
        path = f"{self.path}: " if self.path else ""
        return f"{self.source}:{self.place.line}:{self.place.column}: {path}{self.what}"


class PolicyRefused(ValueError):
    """A policy text is not accepted; `problems` holds everything found, in the text's order."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        assert problems
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


class Word(Struct, frozen=True):
    """A scalar, as it is written."""

    text: str
    place: Place
    raw: str = ""
    """The characters of the file that it was read from, quotes and line ends included."""


class Sequence(Struct, frozen=True):
    """A list."""

    items: list["Node"]
    place: Place


class Mapping(Struct, frozen=True):
    """Keys and their values, in the text's order; no key stands twice."""

    entries: dict[str, "Node"]
    keys: dict[str, Place]
    place: Place


Node: TypeAlias = Word | Sequence | Mapping


def place_within(word: Word, offset: int) -> Place:
    """Where the word's character `offset` stands in the file.

    Quotes, doubled quotes, folded lines and block scalars are followed; the place of the word
    itself is given for what cannot be (escapes of double quotes).
    """
    raw = word.raw
    at = 1 if raw[:1] in ("'", '"') else 0
    if raw[:1] in ("|", ">"):
        at = raw.find("\n") + 1
    for index, character in enumerate(word.text[: offset + 1]):
        if character == " " and raw[at : at + 1] == "\n":  # a folded line end
            while raw[at + 1 : at + 2].isspace():
                at += 1
        else:
            while raw[at : at + 1].isspace() and raw[at] != character:  # an indentation
                at += 1
            if raw[at : at + 1] != character:
                return word.place
        if index < offset:
            at += 2 if raw[:1] == "'" and character == "'" else 1
    lines = raw.count("\n", 0, at)
    if not lines:
        return Place(word.place.line, word.place.column + at)
    return Place(word.place.line + lines, at - raw.rfind("\n", 0, at))


class _Open(Struct):
    """A mapping or list whose end has not been read yet."""

    node: Mapping | Sequence
    key: str | None = None


class _Refusal(Exception):
    """The text cannot be read any further."""

    def __init__(self, place: Place, what: str) -> None:
        super().__init__(what)
        self.place = place
        self.what = what


def tree_of(text: str, source: str, problems: list[Problem]) -> Mapping:
    """The tree of one document whose top is a mapping with at least one key.

    What is wrong is added to `problems`, and the rest of the tree is given. `source` names the
    text in messages.
    """
    top: Node | None = None
    try:
        top = _built(text, problems, source)
    except _Refusal as refusal:
        problems.append(Problem(source, refusal.place, "", refusal.what))
    except yaml.MarkedYAMLError as error:
        what = f"not YAML: {error.problem or error}"
        problems.append(Problem(source, _place(error.problem_mark), "", what))
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        what = f"the character {error.character!r} cannot stand in YAML"
        problems.append(Problem(source, Place(line, 1), "", what))
    except (ValueError, OverflowError) as error:
        # PyYAML lets escapes such as "\UFFFFFFFF" end in the exceptions of chr() and int().
        problems.append(Problem(source, Place(1, 1), "", f"not YAML: {error}"))
    if isinstance(top, Mapping) and top.keys:
        return top
    place = Place(1, 1) if top is None else top.place
    if not problems:
        what = "a policy has at least one section or its name, for example `name: my policy`"
        problems.append(Problem(source, place, "", what))
    return Mapping({}, {}, place)


def words_of(text: str) -> Iterator[tuple[str, Place]]:
    """Each key and scalar as YAML reads it, with its place, up to where the text is no YAML."""
    try:
        for event in yaml.parse(text[:TEXT_CHARACTERS_MAX], Loader=yaml.SafeLoader):
            if isinstance(event, yaml.ScalarEvent):
                yield event.value, _place(event.start_mark)
    except (yaml.YAMLError, ValueError, OverflowError):
        return


def _place(mark: Any) -> Place:
    """The place of a mark, of which PyYAML has two unrelated classes."""
    return Place(1, 1) if mark is None else Place(mark.line + 1, mark.column + 1)


def _built(text: str, problems: list[Problem], source: str) -> Node | None:
    """The tree from the parser's events; None for a text without a document."""
    if len(text) > TEXT_CHARACTERS_MAX:
        raise _Refusal(Place(1, 1), f"longer than {TEXT_CHARACTERS_MAX} characters")
    stack: list[_Open] = []
    top: Node | None = None
    documents = nodes = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        place = _place(event.start_mark)
        documents += isinstance(event, yaml.DocumentStartEvent)
        if documents > 1:
            raise _Refusal(place, "a policy is one document: this starts a second one")
        if isinstance(event, yaml.CollectionEndEvent):
            stack.pop()
            continue
        node = _node_of(event, place, text)
        if node is None:
            continue
        nodes += 1
        if nodes > NODES_MAX or len(stack) >= DEPTH_MAX:
            raise _Refusal(place, f"more than {NODES_MAX} values or {DEPTH_MAX} levels")
        if not stack:
            top = node
        else:
            _hang(stack[-1], node, problems, source)
        if not isinstance(node, Word):
            stack.append(_Open(node))
    return top


def _node_of(event: yaml.Event, place: Place, text: str) -> Node | None:
    """An empty node for an event that begins one, None for the others; refuses tags, anchors."""
    if not isinstance(event, yaml.NodeEvent):
        return None
    if event.anchor is not None or getattr(event, "tag", None) is not None:
        what = "anchors, aliases and tags are not used in a policy: write the value itself"
        raise _Refusal(place, what)
    if isinstance(event, yaml.ScalarEvent):
        start, end = event.start_mark, event.end_mark
        raw = "" if start is None or end is None else text[start.index : end.index]
        return Word(event.value, place, raw)
    if isinstance(event, yaml.MappingStartEvent):
        return Mapping({}, {}, place)
    return Sequence([], place)


def _hang(parent: _Open, node: Node, problems: list[Problem], source: str) -> None:
    """Put a node where it belongs: into a list, as a key, or as the value of the waiting key."""
    if isinstance(parent.node, Sequence):
        parent.node.items.append(node)
        return
    if parent.key is not None:
        parent.node.entries[parent.key] = node
        parent.key = None
        return
    if not isinstance(node, Word):
        raise _Refusal(node.place, "a key is a plain word")
    first = parent.node.keys.get(node.text)
    if first is not None:
        what = f"the key stands twice, first in line {first.line}"
        problems.append(Problem(source, node.place, node.text, what))
    parent.node.keys[node.text] = node.place
    parent.key = node.text
