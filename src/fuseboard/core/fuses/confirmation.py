"""When a breach is confirmed, for every fuse that judges equity; and what counts within a day.

One bad print must not sell an account. A breach trips on its second report: by the same symbol's
next mark, or by a second source, the broker's own equity. Fills, cash and comparisons are no marks
and confirm nothing by themselves.
"""

from typing import Final

from fuseboard.vocabulary.money import NANOS

BROKER_SOURCE: Final = "(broker)"
BOOKS_SOURCE: Final = "(books)"
"""Equity changed without a mark: a fill, cash, a comparison, a reset, a session's roll."""
_NO_MARKS: Final = (BROKER_SOURCE, BOOKS_SOURCE)
DAY_NS: Final = 24 * 3600 * NANOS


def confirms(began: str, source: str) -> bool:
    """Whether a breach that `began` by one source is confirmed by this report of another."""
    if (source == BROKER_SOURCE) != (began == BROKER_SOURCE):
        return True
    return source == began and source not in _NO_MARKS


def counted_within_a_day(times_wall_ns: list[int], now_wall_ns: int) -> list[int]:
    """The times that lie within the last 24 hours."""
    return [at for at in times_wall_ns if now_wall_ns - at < DAY_NS]
