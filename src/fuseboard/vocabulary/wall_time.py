"""Times and spans in words, by whole numbers alone."""

from typing import Final

from fuseboard.vocabulary.money import NANOS

_DAY_S: Final = 24 * 3600
_UNITS: Final = ((_DAY_S * NANOS, "d"), (3600 * NANOS, "h"), (60 * NANOS, "m"))
_MONTHS: Final = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def shown_utc(wall_ns: int) -> str:
    """A time since 1970 as `2026-01-02 15:00:00 UTC`; a part of a second is left out."""
    days, second = divmod(wall_ns // NANOS, _DAY_S)
    year, month = 1970, 0
    while days >= 365 + _leap(year):
        days -= 365 + _leap(year)
        year += 1
    while days >= (length := _MONTHS[month] + (month == 1) * _leap(year)):
        days -= length
        month += 1
    clock = f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"
    return f"{year}-{month + 1:02d}-{days + 1:02d} {clock} UTC"


def shown_span(ns: int) -> str:
    """A span for people, its two largest units: `2h 5m`; seconds rounded down, none below zero."""
    left_ns = max(ns, 0)
    parts: list[str] = []
    for unit_ns, unit in _UNITS:
        if parts or left_ns >= unit_ns:
            parts.append(f"{left_ns // unit_ns}{unit}")
            left_ns %= unit_ns
    return " ".join([*parts, f"{left_ns // NANOS}s"][:2])


def _leap(year: int) -> int:
    """The days that February has beyond 28."""
    return int(year % 4 == 0 and (year % 100 != 0 or year % 400 == 0))
