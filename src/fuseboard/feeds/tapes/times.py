"""Turning the clocks of exchanges into UTC nanoseconds, with integers only."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")
SECOND_NS = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def utc_ns(moment: datetime) -> int:
    """Nanoseconds since 1970 of an aware datetime."""
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1_000


def new_york_ns(day: date, wall: time) -> int:
    """Nanoseconds since 1970 of a wall time in New York."""
    return utc_ns(datetime.combine(day, wall, tzinfo=NEW_YORK))


def day_ns_of_text(text: str) -> int:
    """Nanoseconds since midnight of `HH:MM`, `HH:MM:SS` or `HH:MM:SS.fraction`."""
    whole, _, fraction = text.partition(".")
    parts = whole.split(":")
    if len(parts) not in (2, 3) or not all(part.isdecimal() and len(part) == 2 for part in parts):
        raise ValueError(f"{text!r} is not a time of day such as 14:32:00")
    if (fraction and not fraction.isdecimal()) or len(fraction) > 9:
        raise ValueError(f"{text!r} is not a time of day such as 14:32:00.250")
    hours, minutes = int(parts[0]), int(parts[1])
    seconds = int(parts[2]) if len(parts) == 3 else 0
    if hours > 24 or minutes > 59 or seconds > 60:
        raise ValueError(f"{text!r} is not a time of day")
    return (hours * 3600 + minutes * 60 + seconds) * SECOND_NS + int(fraction.ljust(9, "0"))


def day_of_text(text: str) -> date:
    """The day of `YYYY-MM-DD`; raises `ValueError` for anything else."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is not a day such as 2010-05-06") from error
