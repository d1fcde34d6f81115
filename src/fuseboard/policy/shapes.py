"""What a policy file may hold, as data: shapes of values, sections and lists.

The loader reads by these tables, `fuseboard policy schema` publishes them, `policy explain` says
them. A shape never decides: contradictions between values are judged by the section's own function.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

from msgspec import Struct


class Unit(Struct, frozen=True):
    """How one value is written: its grammar in words, as a function, and as JSON Schema."""

    says: str
    read: Callable[[str], Any]
    """The value of a text; raises `units.Refused`."""
    schema: dict[str, Any]
    kind: str = ""
    """What its integer counts, for showing (`shown.in_unit`): fraction, money, duration, days."""
    secret: bool = False
    """Whether the value is the name of a secret, and a literal one must not be repeated."""


class Value(Struct, frozen=True):
    """One value, the fields of the policy that it fills, and what it is for."""

    unit: Unit
    fields: tuple[str, ...] = ()
    """A unit that gives a tuple fills several, in its order."""
    about: str = ""
    enforced: str = ""
    """The check or fuse that enforces it; empty when nothing has to."""
    aliases: tuple[str, ...] = ()
    """Other spellings of its key that people write."""
    default: str = ""
    """What holds when it is left out, in words; empty: nothing, or the field's own default."""


class Section(Struct, frozen=True):
    """Keys and their shapes."""

    keys: dict[str, "Shape"]
    about: str = ""
    required: tuple[str, ...] = ()
    missing: str = ""
    """Why the required keys are required."""
    aliases: tuple[str, ...] = ()


class Items(Struct, frozen=True):
    """A list."""

    item: "Shape"
    what: str
    most: int = 1000
    about: str = ""
    least: int = 0
    aliases: tuple[str, ...] = ()


class Open(Struct, frozen=True):
    """Keys of one's own, each with a value of one shape."""

    key: Unit
    value: "Shape"
    what: str
    most: int = 10_000
    about: str = ""
    aliases: tuple[str, ...] = ()


class Either(Struct, frozen=True):
    """A word, a list or keys, by how it is written; None: that way is refused."""

    says: str
    word: Value | None = None
    items: Items | None = None
    keys: Section | Open | None = None
    about: str = ""
    aliases: tuple[str, ...] = ()
    enforced: str = ""
    default: str = ""


Shape: TypeAlias = Value | Section | Items | Open | Either


def spellings(keys: dict[str, Shape]) -> dict[str, str]:
    """Every accepted spelling of a section's keys to the one that is canonical."""
    known = {key: key for key in keys}
    for key, shape in keys.items():
        for alias in shape.aliases:
            assert alias not in known, alias
            known[alias] = key
    return known
