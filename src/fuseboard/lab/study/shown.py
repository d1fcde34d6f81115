"""How the study's tables are laid, and show fractions, durations, rates and times of day."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from fuseboard.feeds.tapes.times import NEW_YORK
from fuseboard.lab.result import Figures
from fuseboard.lab.study.deterioration import TapeJudged
from fuseboard.lab.study.rows import TapeRow
from fuseboard.lab.study.tapes import Kind
from fuseboard.vocabulary.money import NANOS, rounded_half_up, shown_percent

NOTHING: Final = "-"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """The lines of a table."""
    yield f"| {' | '.join(head)} |"
    yield f"|{' --- |' * len(head)}"
    for row in rows:
        assert len(row) == len(head)
        yield f"| {' | '.join(row)} |"


def percent(nanos: int) -> str:
    """`94.61 %`, half up."""
    return f"{shown_percent(nanos).removesuffix('%')} %"


def span(ns: int) -> str:
    """`8.7 s`, `-12.0 s`, `14 min 3 s`."""
    sign, tenths = ("-" if ns < 0 else ""), rounded_half_up(abs(ns), NANOS // 10)
    if tenths < 1_000:
        return f"{sign}{tenths // 10}.{tenths % 10} s"
    seconds = rounded_half_up(tenths, 10)
    return f"{sign}{seconds // 60} min {seconds % 60} s"


def clock(tape: TapeRow, at_ns: int) -> str:
    """A time of day in the zone of the tape's market, with the day where a tape has many."""
    looked = tape.judged
    crypto = looked is not None and any("/" in symbol for symbol in looked.symbols)
    at = datetime.fromtimestamp(at_ns // NANOS, tz=UTC if crypto else NEW_YORK)
    return f"{at:%F %T}" if tape.kind is Kind.DAYS else f"{at:%T}"


def times_of(tape: TapeRow, looked: TapeJudged) -> tuple[str, ...]:
    """When a tape's deterioration began, was visible and ended."""
    times_ns = looked.began_ns, looked.visible_ns, looked.ended_ns
    return tuple(clock(tape, at_ns) if at_ns else NOTHING for at_ns in times_ns)


def hourly(figures: Figures) -> str:
    """Tier changes an hour of one symbol, to a tenth."""
    tenths = rounded_half_up(figures.tier_changes_an_hour_nanos * 10, NANOS)
    return f"{tenths // 10}.{tenths % 10}"
