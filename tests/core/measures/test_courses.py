"""The course of equity: Sharpe ratios against fractions, windows that change their length."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from fuseboard.core.fuses.drawdown import DrawdownFuse
from fuseboard.core.fuses.machine import FuseEvent, FuseState
from fuseboard.core.fuses.window import PeakWindow
from fuseboard.core.measures.courses import UNPROVEN_NANOS, Course, greatest_root
from fuseboard.policy.rules import LossRule
from fuseboard.vocabulary.actions import Action, Reference
from fuseboard.vocabulary.money import NANOS


def course(returns: list[int]) -> Course:
    return Course(
        day_open_attos=1,
        week_open_attos=1,
        month_open_attos=1,
        peak_attos=1,
        returns_nanos=returns,
    )


@given(st.lists(st.integers(-NANOS // 10, NANOS // 10), min_size=20, max_size=60))
def test_a_sharpe_ratio_compares_with_each_nano_as_its_square_does(returns: list[int]) -> None:
    count, mean = len(returns), Fraction(sum(returns), len(returns))
    variance = sum((earned - mean) ** 2 for earned in returns) / (count - 1)
    half_nanos = course(returns).sharpe_half_nanos()
    if variance == 0:
        assert half_nanos == 2 * (UNPROVEN_NANOS if mean >= 0 else -UNPROVEN_NANOS)
        return
    square = 252 * mean * mean / variance * NANOS * NANOS
    assert half_nanos * mean >= 0
    whole, between = divmod(abs(half_nanos), 2)
    if between:
        assert whole**2 < square < (whole + 1) ** 2
    else:
        assert whole**2 == square


def test_before_twenty_returns_there_is_none_that_could_stop_anybody() -> None:
    assert course([-NANOS // 100, 0] * 9 + [5]).sharpe_half_nanos() == 2 * UNPROVEN_NANOS
    assert course([-NANOS // 100, 0] * 10).sharpe_half_nanos() < 0


@given(st.integers(0, 10**60))
def test_the_greatest_root_is_by_its_square(square: int) -> None:
    root = greatest_root(square)
    assert root * root <= square < (root + 1) ** 2


@given(
    peaks=st.lists(st.integers(1, 50), max_size=20),
    more=st.lists(st.integers(1, 50), max_size=10),
    before=st.integers(1, 8),
    after=st.integers(1, 8),
)
def test_a_window_that_changes_its_length_keeps_the_ages(
    peaks: list[int], more: list[int], before: int, after: int
) -> None:
    window = PeakWindow(days=before)
    for peak in peaks:
        window.push(peak)
    window = window.resized(after)
    known = peaks[-min(before, after) :]
    assert window.peak() == max(known, default=None)
    for number, peak in enumerate(more, 1):
        window.push(peak)
        still = known[max(0, len(known) + number - after) :] if number < after else []
        assert window.peak() == max([*still, *more[max(0, number - after) : number]])


def rule(reference: Reference, *, window: int = 0, warning: int | None = None) -> LossRule:
    return LossRule(
        reference=reference,
        window_days=window,
        limit_nanos=NANOS // 2,
        warning_nanos=warning,
        action=Action.HALT,
    )


def fuse_of(its_rule: LossRule) -> DrawdownFuse:
    fuse = DrawdownFuse(name="f:account", scope="account", rule=its_rule)
    fuse.watch(1_000, "A", 0)
    fuse.take_mark(1_000)
    fuse.move(FuseEvent.MARKED)
    return fuse


def test_an_opening_stays_also_when_a_warned_fuse_rises_above_it() -> None:
    fuse = fuse_of(rule(Reference.SESSION_OPEN, warning=NANOS // 20))
    assert fuse.watch(940, "A", 1) is FuseEvent.WARNED
    fuse.move(FuseEvent.WARNED)
    assert fuse.watch(1_200, "A", 2) is FuseEvent.CLEARED
    assert (fuse.state, fuse.mark_attos) == (FuseState.WARNING, 1_000)


def test_money_that_moves_scales_the_peaks_of_past_sessions_too() -> None:
    fuse = fuse_of(rule(Reference.ROLLING_PEAK, window=3))
    fuse.roll(800, week=False, month=False)
    fuse.rebase_by_ratio(before_attos=800, after_attos=1_600)
    fuse.roll(1_600, week=False, month=False)
    assert fuse.mark_attos == 2_000
