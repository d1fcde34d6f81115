"""However much happens, a result holds a bounded part of it, and loses no extreme and no count."""

from hypothesis import given, settings
from hypothesis import strategies as st

from fuseboard.lab.bands import Bands
from fuseboard.lab.marks import Marks
from fuseboard.lab.result import BANDS_MAX, MARKS_MAX, POINTS_MAX, Mark
from fuseboard.lab.series import Buckets
from fuseboard.vocabulary.orders import Side

STEPS = st.lists(st.tuples(st.integers(0, 50), st.integers(-1_000, 1_000)), max_size=60)


@settings(max_examples=60)
@given(steps=STEPS, bucket_ns=st.integers(1, 30), repeats=st.integers(1, 200))
def test_a_series_keeps_the_extremes_and_the_last_of_each_bucket(
    steps: list[tuple[int, int]], bucket_ns: int, repeats: int
) -> None:
    buckets = Buckets("price", "AAA", "money", began_ns=1_000, bucket_ns=bucket_ns)
    at_ns, added = 1_000, list[tuple[int, int]]()
    for _ in range(repeats):
        for gap_ns, value in steps:
            at_ns += gap_ns
            buckets.add(at_ns, value, value - 1, value + 2)
            added.append((at_ns, value))
    series = buckets.series()
    assert len(series.index) == len(series.last) == len(series.low) == len(series.high)
    assert len(series.index) <= POINTS_MAX
    assert series.bucket_ns >= bucket_ns
    expected: dict[int, list[int]] = {}
    for at, value in added:
        expected.setdefault((at - 1_000) // series.bucket_ns, []).append(value)
    assert list(series.index) == list(expected)
    for place, values in enumerate(expected.values()):
        assert series.last[place] == values[-1]
        assert series.low[place] == min(values) - 1
        assert series.high[place] == max(values) + 2


@settings(max_examples=30)
@given(
    kinds=st.lists(st.sampled_from(["denied", "allowed", "fill"]), min_size=1, max_size=30),
    repeats=st.integers(1, 300),
    symbols=st.integers(1, 5_000),
)
def test_marks_are_merged_and_none_is_lost_uncounted(
    kinds: list[str], repeats: int, symbols: int
) -> None:
    marks, told = Marks(began_ns=0, bucket_ns=1), 0
    for round_number in range(repeats):
        for kind in kinds:
            told += 1
            marks.add(
                Mark(
                    at_ns=told,
                    kind=kind,
                    symbol=f"S{(round_number * 7 + told) % symbols}",
                    side=Side.BUY,
                    quantity_nanos=3,
                )
            )
    kept = marks.marks()
    assert len(kept) <= MARKS_MAX
    counted = sum(mark.count for mark in kept)
    assert counted + marks.left_out == told
    assert sum(mark.quantity_nanos for mark in kept) == 3 * counted
    if symbols * 3 < MARKS_MAX:
        assert marks.left_out == 0


def test_more_symbols_than_there_is_room_for_are_counted() -> None:
    marks = Marks(began_ns=0, bucket_ns=1)
    for at in range(MARKS_MAX + 1_000):
        marks.add(Mark(at_ns=at, kind="denied", symbol=f"S{at}"))
    assert len(marks.marks()) == MARKS_MAX
    assert marks.left_out == 1_000


def test_bands_beyond_the_bound_are_counted_and_their_time_still_is() -> None:
    bands = Bands()
    for at in range(BANDS_MAX + 10):
        assert bands.change("AAA", at * 10, "NORMAL" if at % 2 else "CAUTIOUS")
        assert not bands.change("AAA", at * 10 + 5, "NORMAL" if at % 2 else "CAUTIOUS")
    bands.end((BANDS_MAX + 10) * 10)
    assert len(bands.bands()) == BANDS_MAX
    assert bands.left_out == 10
    half_ns = (BANDS_MAX + 10) // 2 * 10
    assert bands.spent_ns("AAA") == {"CAUTIOUS": half_ns, "NORMAL": half_ns}
    assert bands.spent_ns("BBB") == {}
