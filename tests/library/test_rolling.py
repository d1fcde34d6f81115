"""The rolling breaker: the highest of the last sessions and of this one, whatever the window."""

from collections import deque
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuseboard import BreakerState, RollingDrawdownCircuitBreaker

ARMED, MONITORING = BreakerState.ARMED, BreakerState.MONITORING
TRIGGERED, HALTED = BreakerState.TRIGGERED, BreakerState.HALTED
LIMIT = Decimal("0.05")


def test_thirty_days_seeded_then_a_fall_of_six_percent_on_the_next_trips_once() -> None:
    calls: list[None] = []
    breaker = RollingDrawdownCircuitBreaker(
        max_drawdown=LIMIT, window_days=30, on_trigger=lambda: calls.append(None)
    )
    for day in range(30):
        breaker.close_session(Decimal(100_000 + 10 * day))
    assert breaker.state is ARMED
    assert breaker.high_watermark == 100_290
    assert breaker.evaluate(Decimal(100_290) * 94 / 100) is TRIGGERED
    assert breaker.evaluate(Decimal(90_000)) is TRIGGERED
    assert len(calls) == breaker.trigger_count == 1


def test_it_is_called_as_the_plain_one_is_with_its_days_behind() -> None:
    calls: list[None] = []
    now = [0.0]
    breaker = RollingDrawdownCircuitBreaker(
        LIMIT, 300.0, lambda: calls.append(None), 30, clock=lambda: now[0]
    )
    breaker.evaluate(100)
    assert breaker.evaluate(95) is TRIGGERED
    assert calls == [None]
    now[0] = 299.0
    assert breaker.evaluate(95) is TRIGGERED
    now[0] = 300.0
    assert breaker.evaluate(95) is BreakerState.COOLING_DOWN


def test_a_fall_within_the_session_trips_as_well() -> None:
    breaker = RollingDrawdownCircuitBreaker(LIMIT, window_days=30)
    for _ in range(30):
        breaker.close_session(100_000)
    assert breaker.evaluate(Decimal(99_000)) is MONITORING
    assert breaker.evaluate(Decimal("95000.01")) is MONITORING
    assert breaker.evaluate(Decimal(95_000)) is TRIGGERED


def test_a_peak_is_forgotten_after_its_days() -> None:
    breaker = RollingDrawdownCircuitBreaker(LIMIT, window_days=3)
    assert breaker.evaluate(100) is MONITORING
    breaker.close_session(98)  # the session's peak was 100
    for close in (97, 97):
        breaker.close_session(close)
        assert breaker.high_watermark == 100
    breaker.close_session(97)
    assert breaker.high_watermark == 98  # the session after it began at 98
    breaker.close_session(97)
    assert breaker.high_watermark == 97


def test_an_equity_under_the_mark_is_still_the_peak_of_its_own_session() -> None:
    breaker = RollingDrawdownCircuitBreaker(LIMIT, window_days=1)
    breaker.evaluate(100)
    breaker.close_session(96)
    for equity in (97, 99, 98):  # all under the mark of 100
        assert breaker.evaluate(equity) is MONITORING
    breaker.close_session(98)
    assert breaker.high_watermark == 99


@given(
    days=st.integers(1, 6),
    limit_nanos=st.sampled_from([10**7, 5 * 10**7, 333_333_333]),
    steps=st.lists(
        st.tuples(st.sampled_from(["tick", "tick", "close"]), st.integers(9_000, 10_400)),
        max_size=60,
    ),
)
def test_it_agrees_with_a_plain_look_at_every_session(
    days: int, limit_nanos: int, steps: list[tuple[str, int]]
) -> None:
    breaker = RollingDrawdownCircuitBreaker(Decimal(limit_nanos).scaleb(-9), window_days=days)
    limit = Fraction(limit_nanos, 10**9)
    closed: deque[int] = deque(maxlen=days)
    present, armed, tripped = 0, False, False
    for what, equity in steps:
        seeding = what == "close" and not armed
        present = max(present, equity)
        mark = max(present, *closed) if closed else present
        if not tripped and not seeding:
            tripped = Fraction(mark - equity, mark) >= limit
        if what == "tick":
            armed = True
            expected = TRIGGERED if tripped else MONITORING
            assert breaker.evaluate(Decimal(equity)) is expected
        else:
            breaker.close_session(Decimal(equity))
            closed.append(present)
            present = equity
            mark = mark if tripped else max(closed)
        if tripped:
            assert breaker.trigger_count == 1
            assert breaker.state is TRIGGERED
            return
        assert breaker.high_watermark == mark


def test_a_close_is_judged_like_any_equity_and_tells_once() -> None:
    calls: list[None] = []
    breaker = RollingDrawdownCircuitBreaker(
        LIMIT, on_trigger=lambda: calls.append(None), window_days=1
    )
    breaker.evaluate(100)
    breaker.close_session(95)
    assert breaker.state is TRIGGERED
    breaker.close_session(95)
    assert len(calls) == breaker.trigger_count == 1
    assert breaker.high_watermark == 100


def test_a_reset_forgets_every_session_and_takes_a_new_mark() -> None:
    breaker = RollingDrawdownCircuitBreaker(LIMIT, window_days=30)
    breaker.close_session(100)
    breaker.halt(reason="a test")
    breaker.reset(operator="ada", reason="a new beginning")
    assert breaker.high_watermark == 0
    assert breaker.evaluate(50) is MONITORING
    breaker.close_session(50)
    assert breaker.high_watermark == 50


@pytest.mark.parametrize("wrong", [Decimal("NaN"), Decimal(0), Decimal(-1), Decimal("1E15")])
def test_a_close_that_is_no_equity_is_refused_and_the_session_stays_open(wrong: Decimal) -> None:
    breaker = RollingDrawdownCircuitBreaker(LIMIT)
    with pytest.raises(ValueError, match=r"finite|drawdown to measure|whole digits"):
        breaker.close_session(wrong)
    assert breaker.high_watermark == 0
    with pytest.raises(TypeError, match="Decimal"):
        breaker.close_session(99.5)  # type: ignore[arg-type]


@pytest.mark.parametrize("days", [0, -1, True, 2.5])
def test_a_window_is_a_whole_number_of_days(days: int) -> None:
    with pytest.raises(ValueError, match="window_days"):
        RollingDrawdownCircuitBreaker(LIMIT, window_days=days)
