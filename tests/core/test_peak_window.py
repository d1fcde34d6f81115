"""The peak window: what a plain look at the last sessions says, and its cost."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuseboard.core.fuses.window import PeakWindow

PEAKS = st.lists(st.integers(-5, 30), max_size=60)


@given(days=st.integers(1, 12), peaks=PEAKS)
def test_it_agrees_with_a_plain_look_at_the_last_sessions(days: int, peaks: list[int]) -> None:
    window = PeakWindow(days=days)
    for number, peak in enumerate(peaks):
        window.push(peak)
        assert window.peak() == max(peaks[max(0, number + 1 - days) : number + 1])
        assert len(window.peaks_attos) <= days


@given(days=st.integers(1, 6), before=PEAKS, after=PEAKS)
def test_a_snapshot_goes_on_as_the_original(days: int, before: list[int], after: list[int]) -> None:
    window = PeakWindow(days=days)
    for peak in before:
        window.push(peak)
    restored = msgspec.json.decode(msgspec.json.encode(window), type=PeakWindow)
    for peak in after:
        window.push(peak)
        restored.push(peak)
        assert msgspec.json.encode(restored) == msgspec.json.encode(window)


@given(days=st.integers(1, 6), before=PEAKS, after=PEAKS)
def test_what_is_forgotten_never_comes_back(days: int, before: list[int], after: list[int]) -> None:
    window, fresh = PeakWindow(days=days), PeakWindow(days=days)
    for peak in before:
        window.push(peak)
    window.forget()
    assert window.peak() is None
    for peak in after:
        window.push(peak)
        fresh.push(peak)
        assert window.peak() == fresh.peak()


def test_a_window_of_no_days_remembers_nothing() -> None:
    window = PeakWindow(days=0)
    window.push(7)
    assert window.peak() is None


def test_rescaling_rounds_against_the_trader() -> None:
    window = PeakWindow(days=3)
    for peak in (10, 8, 7):
        window.push(peak)
    window.rescale(before_attos=3, after_attos=2)
    assert window.peak() == 7  # 6.67
    window.push(1)
    assert window.peak() == 6  # 5.33


@pytest.mark.no_cover
@pytest.mark.parametrize("days", [252, 252_000])
def test_a_push_costs_a_bounded_number_of_steps_whatever_the_window(days: int) -> None:
    class Counted(int):
        compared = 0

        def __le__(self, other: int) -> bool:
            Counted.compared += 1
            return int(self) < other + 1

    window = PeakWindow(days=days)
    pushes = 2 * days + 100
    for number in range(pushes):  # long falls and a sudden rise, the worst a deque can meet
        window.push(Counted(-(number % 1_000) if number % 5_000 else 10_000))
    assert Counted.compared <= 2 * pushes
