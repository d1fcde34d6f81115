"""Wall time in words, against the calendar of the standard library."""

from datetime import UTC, datetime

from hypothesis import example, given
from hypothesis import strategies as st

from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.wall_time import shown_utc


@example(951_782_399 * NANOS)
@example(951_868_799 * NANOS)
@example(4_107_542_400 * NANOS)
@given(st.integers(0, 10_000_000_000 * NANOS))
def test_a_time_is_shown_as_the_calendar_has_it(wall_ns: int) -> None:
    there = datetime.fromtimestamp(wall_ns // NANOS, UTC)
    assert shown_utc(wall_ns) == f"{there:%Y-%m-%d %H:%M:%S} UTC"
