"""Values of a policy as people write them: the field says its unit, by the table that reads it."""

from enum import Enum
from typing import Any, Final

from fuseboard.policy.limits import MINUTE_NS, SECOND_NS
from fuseboard.policy.loader import FILE
from fuseboard.policy.shapes import Either, Items, Section, Shape, Value
from fuseboard.vocabulary.money import NANOS, text_from_nanos

_PERIODS: Final = (
    (24 * 60 * MINUTE_NS, "d"),
    (60 * MINUTE_NS, "h"),
    (MINUTE_NS, "m"),
    (SECOND_NS, "s"),
    (SECOND_NS // 1000, "ms"),
)
NOT_SET: Final = "not set"


def _kinds(shape: Shape) -> dict[str, str]:
    if isinstance(shape, Value):
        return dict.fromkeys(shape.fields, shape.unit.kind)
    below: list[Shape] = []
    if isinstance(shape, Section):
        below = list(shape.keys.values())
    elif isinstance(shape, Items):
        below = [shape.item]
    elif isinstance(shape, Either):
        below = [part for part in (shape.word, shape.items, shape.keys) if part is not None]
    return {field: kind for part in below for field, kind in _kinds(part).items()}


KINDS: Final = {
    **_kinds(FILE),
    "net_exposure_nanos_min": "fraction",
    "net_exposure_nanos_max": "fraction",
    "levels_nanos": "fraction",
    "watchdog_timeout_ns": "duration",
}


def shown(field: str, value: Any) -> str:
    """A value of a field, such as `5%`, `25000 USD`, `30s`, `halt`; exact, never rounded."""
    if value is None:
        return NOT_SET
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, (tuple, list)):
        return ", ".join(shown(field, item) for item in value) or "none"
    if not isinstance(value, int):
        return str(value) or "none"
    spans = "duration" if field.endswith(("_ns", "_ns_max")) else ""
    return in_unit(value, KINDS.get(field, "") or spans)


def in_unit(value: int, kind: str) -> str:
    """An integer of a kind (`shapes.Unit.kind`) as people write it; exact, never rounded."""
    if kind == "fraction":
        return f"{text_from_nanos(value * 100)}%"
    if kind == "money":
        return f"{text_from_nanos(value)} USD"
    if kind == "quantity":
        return text_from_nanos(value)
    if kind == "points":
        return text_from_nanos(value * NANOS // 100)
    if kind == "factor":
        return f"{text_from_nanos(value)}x"
    if kind == "days":
        return f"{value}d" if value % 365 else f"{value // 365}y"
    return duration(value) if kind == "duration" else str(value)


def duration(nanoseconds: int) -> str:
    """The shortest whole duration, such as `90s` or `2h`; nanoseconds where none is whole."""
    for period_ns, unit in _PERIODS:
        if nanoseconds >= period_ns and nanoseconds % period_ns == 0:
            return f"{nanoseconds // period_ns}{unit}"
    return f"{text_from_nanos(nanoseconds * NANOS // SECOND_NS)}s"
