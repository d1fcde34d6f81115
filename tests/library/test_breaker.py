"""The drawdown breaker of the library: exact, once, only a person resets, any thread may call."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal, localcontext
from fractions import Fraction
from functools import partial
from itertools import accumulate
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuseboard import BreakerState, DrawdownCircuitBreaker, ResetRefused

ARMED, MONITORING = BreakerState.ARMED, BreakerState.MONITORING
TRIGGERED, COOLING_DOWN = BreakerState.TRIGGERED, BreakerState.COOLING_DOWN
HALTED = BreakerState.HALTED
START = Decimal(100_000)
ZERO = Decimal(0)
LIMIT = Decimal("0.05")


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@contextmanager
def switching_often() -> Iterator[None]:
    """Threads are switched every ten microseconds, so that races are met."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def together(work: list[Callable[[], object]]) -> None:
    """Run every piece of work in its own thread, all released at once."""
    gate = threading.Barrier(len(work))
    failures: list[BaseException] = []

    def run(piece: Callable[[], object]) -> None:
        gate.wait()
        try:
            piece()
        except BaseException as failure:
            failures.append(failure)
            raise

    threads = [threading.Thread(target=run, args=(piece,)) for piece in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def monitoring(
    on_trigger: Callable[[], object] | None = None, clock: Callable[[], float] = time.monotonic
) -> DrawdownCircuitBreaker:
    breaker = DrawdownCircuitBreaker(LIMIT, on_trigger=on_trigger, clock=clock)
    assert breaker.evaluate(START) is MONITORING
    return breaker


def test_the_first_tick_arms_and_monitors() -> None:
    breaker = DrawdownCircuitBreaker(max_drawdown=LIMIT, cooldown_seconds=300.0)
    assert (breaker.state, breaker.high_watermark, breaker.drawdown) == (ARMED, ZERO, ZERO)
    assert breaker.evaluate(START) is MONITORING
    assert (breaker.state, breaker.high_watermark, breaker.drawdown) == (MONITORING, START, ZERO)
    assert breaker.trigger_count == 0


@pytest.mark.parametrize(
    ("limit", "mark", "calm", "trips"),
    [
        ("0.05", "100000", "95000.000000000000000001", "95000"),
        ("0.05", "100000.01", "95000.0095000000000001", "95000.0095"),
        ("0.1", "3", "2.700000000000000001", "2.7"),
        ("0.333333333", "1", "0.666666667000000001", "0.666666667"),
        ("0.000000001", "1", "0.999999999000000001", "0.999999999"),
        ("0.999999999", "999999999999999", "999999.999999999001", "999999.999999999"),
        ("0.05", "0.000000000000000001", "0.000000000000000001", "0"),
        ("0.05", "100000", "96000", "-1"),
    ],
)
def test_it_trips_exactly_at_the_limit(limit: str, mark: str, calm: str, trips: str) -> None:
    breaker = DrawdownCircuitBreaker(Decimal(limit))
    breaker.evaluate(Decimal(mark))
    assert breaker.evaluate(Decimal(calm)) is MONITORING
    assert breaker.evaluate(Decimal(trips)) is TRIGGERED
    assert breaker.trigger_count == 1


def test_digits_beyond_the_eighteenth_decimal_round_against_the_trader() -> None:
    breaker = monitoring()
    just_above = Decimal("95000.0000000000000000009")  # below the first exact equity that is calm
    assert breaker.evaluate(just_above) is TRIGGERED
    breaker = monitoring()
    breaker.evaluate(Decimal("100000.0000000000000000001"))
    assert breaker.high_watermark == Decimal("100000.000000000000000001")
    breaker.evaluate(Decimal("99999.9999999999999999999999"))
    assert breaker.evaluate(Decimal("1E-99999999")) is TRIGGERED


@given(
    limit_nanos=st.integers(1, 10**9 - 1),
    steps=st.lists(
        st.one_of(
            st.integers(-(10**16), 10**16),
            st.integers(-(10**20), 10**20),
            st.sampled_from(["at the limit", "one atto above it", "at the mark"]),
        ),
        max_size=40,
    ),
    digits=st.integers(1, 28),
)
def test_it_agrees_with_plain_fractions(
    limit_nanos: int, steps: list[int | str], digits: int
) -> None:
    calls: list[None] = []
    limit = Fraction(limit_nanos, 10**9)
    breaker = DrawdownCircuitBreaker(
        Decimal(limit_nanos).scaleb(-9), on_trigger=lambda: calls.append(None)
    )
    attos, mark, tripped = 10**23, 0, False
    with localcontext() as context:
        context.prec = digits  # a caller's own context changes nothing
        for step in [0, *steps]:
            if isinstance(step, int):
                attos = max(1, attos + step)
            elif step == "at the mark":
                attos = mark
            else:
                attos = int(mark * (1 - limit)) + (step == "one atto above it")
            attos = max(1, attos)
            state = breaker.evaluate(Decimal(f"{attos}E-18"))
            if not tripped:
                mark = max(mark, attos)
                tripped = Fraction(mark - attos, mark) >= limit
            assert state is (TRIGGERED if tripped else MONITORING)
            assert breaker.high_watermark == Decimal(f"{mark}E-18")
    assert len(calls) == breaker.trigger_count == tripped


def _noisy_ticks_are_exact(ticks: int) -> None:
    random = Random(11)
    breaker, evaluate, total, mark = monitoring(), None, 10**23, 10**23
    evaluate = breaker.evaluate
    for _ in range(ticks):
        total = max(total + random.randrange(-(10**19), 10**19), mark * 95 // 100 + 1)
        mark = max(mark, total)
        assert evaluate(Decimal(f"{total}E-18")) is MONITORING
    assert breaker.high_watermark == Decimal(f"{mark}E-18")
    floor = mark * 95 // 100
    assert evaluate(Decimal(f"{floor + 1}E-18")) is MONITORING
    assert evaluate(Decimal(f"{floor}E-18")) is TRIGGERED
    assert breaker.trigger_count == 1


def test_many_noisy_ticks_never_trip_and_leave_an_exact_mark() -> None:
    _noisy_ticks_are_exact(100_000)


@pytest.mark.soak
def test_a_million_noisy_ticks_never_trip_and_leave_an_exact_mark() -> None:
    _noisy_ticks_are_exact(1_000_000)


@pytest.mark.parametrize("wrong", [99_000.0, "99000", None, True, Fraction(1, 2)])
def test_what_is_not_a_decimal_or_an_int_is_refused_and_loses_nothing(wrong: Decimal) -> None:
    for breaker in (DrawdownCircuitBreaker(LIMIT), monitoring()):
        before = breaker.state, breaker.high_watermark, breaker.drawdown
        with pytest.raises(TypeError, match="Decimal"):
            breaker.evaluate(wrong)
        assert (breaker.state, breaker.high_watermark, breaker.drawdown) == before


@pytest.mark.parametrize("text", ["NaN", "-NaN", "sNaN", "Infinity", "-Infinity", "1E15", "-1E999"])
def test_a_number_that_is_none_is_refused_and_loses_nothing(text: str) -> None:
    for breaker in (DrawdownCircuitBreaker(LIMIT), monitoring()):
        before = breaker.state, breaker.high_watermark, breaker.drawdown
        with pytest.raises(ValueError, match=r"finite|whole digits"):
            breaker.evaluate(Decimal(text))
        assert (breaker.state, breaker.high_watermark, breaker.drawdown) == before


def test_nan_is_refused_also_where_the_caller_does_not_trap_it() -> None:
    breaker = monitoring()
    with localcontext() as context:
        context.clear_traps()
        with pytest.raises(ValueError, match="finite"):
            breaker.evaluate(Decimal("NaN"))
    assert breaker.state is MONITORING


@pytest.mark.parametrize("first", [0, -5, Decimal("-0.01")])
def test_a_first_equity_must_be_above_zero(first: Decimal) -> None:
    breaker = DrawdownCircuitBreaker(LIMIT)
    with pytest.raises(ValueError, match="first equity"):
        breaker.evaluate(first)
    assert breaker.state is ARMED
    assert breaker.evaluate(START) is MONITORING


def test_a_whole_number_and_a_kind_of_decimal_are_judged_like_a_decimal() -> None:
    class Money(Decimal):
        pass

    breaker = DrawdownCircuitBreaker(LIMIT)
    assert breaker.evaluate(100_000) is MONITORING
    assert breaker.evaluate(Money("95000.01")) is MONITORING
    assert breaker.evaluate(95_000) is TRIGGERED


@pytest.mark.parametrize("limit", ["0", "1", "-0.05", "5", "NaN", "0.0000000001"])
def test_a_limit_outside_zero_to_one_is_refused(limit: str) -> None:
    with pytest.raises(ValueError, match=r"above 0|finite|decimals"):
        DrawdownCircuitBreaker(Decimal(limit))


def test_a_limit_that_is_no_decimal_and_a_cooldown_that_is_no_time_are_refused() -> None:
    with pytest.raises(TypeError, match="Decimal"):
        DrawdownCircuitBreaker(0.05)  # type: ignore[arg-type]
    for seconds in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="cooldown_seconds"):
            DrawdownCircuitBreaker(LIMIT, cooldown_seconds=seconds)


def test_a_trip_stays_whatever_the_numbers_say_until_the_cooldown_is_over_and_a_person_resets() -> (
    None
):
    clock, calls = Clock(), list[None]()
    breaker = DrawdownCircuitBreaker(LIMIT, 300.0, lambda: calls.append(None), clock=clock)
    breaker.evaluate(START)
    assert breaker.evaluate(Decimal(94_000)) is TRIGGERED
    for equity in (94_000, 200_000, 1, 96_000):
        assert breaker.evaluate(Decimal(equity)) is TRIGGERED
    clock.now += 299.9
    assert breaker.state is TRIGGERED
    with pytest.raises(ResetRefused, match=r"0\.1 s"):
        breaker.reset(operator="ada", reason="looked at it")
    clock.now += 0.2
    assert breaker.evaluate(Decimal(200_000)) is COOLING_DOWN
    clock.now += 10**6
    assert breaker.state is COOLING_DOWN
    assert breaker.high_watermark == START
    assert len(calls) == breaker.trigger_count == 1


def test_a_reset_takes_a_new_mark_and_the_next_arming_trips_once_more() -> None:
    clock, calls = Clock(), list[None]()
    breaker = DrawdownCircuitBreaker(LIMIT, 2, lambda: calls.append(None), clock=clock)
    for mark in (100_000, 50_000):
        assert breaker.evaluate(Decimal(mark)) is MONITORING
        assert breaker.evaluate(Decimal(mark) * 95 / 100) is TRIGGERED
        clock.now += 2
        breaker.reset(operator="ada", reason="looked at it")
        assert (breaker.state, breaker.high_watermark, breaker.drawdown) == (ARMED, ZERO, ZERO)
    assert len(calls) == breaker.trigger_count == 2


@pytest.mark.parametrize(("operator", "reason"), [("", "why"), (" ", "why"), ("ada", ""), ("", "")])
def test_a_reset_needs_a_person_and_a_reason(operator: str, reason: str) -> None:
    breaker = monitoring()
    breaker.halt(reason="a test")
    with pytest.raises(ValueError, match="person and a reason"):
        breaker.reset(operator=operator, reason=reason)
    assert breaker.state is HALTED


def test_a_halt_holds_without_numbers_and_ends_by_a_reset() -> None:
    for breaker in (DrawdownCircuitBreaker(LIMIT), monitoring()):
        with pytest.raises(ValueError, match="reason"):
            breaker.halt(reason=" ")
        breaker.halt(reason="the feed looks wrong")
        assert breaker.state is HALTED
        for equity in (START, Decimal(1)):
            assert breaker.evaluate(equity) is HALTED
        assert breaker.trigger_count == 0
        breaker.reset(operator="ada", reason="the feed is right again")
        assert breaker.evaluate(START) is MONITORING


def test_a_halt_while_triggered_tightens_and_does_not_shorten_the_cooldown() -> None:
    clock = Clock()
    breaker = monitoring(clock=clock)
    breaker.evaluate(Decimal(1))
    breaker.halt(reason="hands off")
    assert breaker.state is HALTED
    clock.now += 299.5
    with pytest.raises(ResetRefused, match=r"HALTED: the cooldown has 0\.5 s to run"):
        breaker.reset(operator="ada", reason="looked at it")
    assert breaker.state is HALTED
    clock.now += 0.5
    breaker.reset(operator="ada", reason="looked at it")
    assert breaker.state is ARMED


def test_a_halt_without_a_trip_has_no_cooldown() -> None:
    breaker = monitoring(clock=lambda: -(10.0**6))
    breaker.halt(reason="hands off")
    breaker.reset(operator="ada", reason="looked at it")
    assert breaker.state is ARMED


def test_what_on_trigger_raises_reaches_the_caller_and_the_trip_stands() -> None:
    def fails() -> None:
        raise LookupError("no such pager")

    breaker = monitoring(on_trigger=fails)
    with pytest.raises(LookupError, match="pager"):
        breaker.evaluate(Decimal(95_000))
    assert (breaker.state, breaker.trigger_count) == (TRIGGERED, 1)
    assert breaker.evaluate(Decimal(90_000)) is TRIGGERED  # and nothing is called again


def test_on_trigger_may_use_the_breaker_while_others_evaluate() -> None:
    seen: list[object] = []

    def on_trigger() -> None:
        seen.append(breaker.evaluate(Decimal(94_000)))
        other = threading.Thread(target=lambda: seen.append(breaker.evaluate(Decimal(93_000))))
        other.start()
        other.join(timeout=10)
        assert not other.is_alive(), "the callback runs under a lock"
        breaker.halt(reason="from the callback")
        clock.now += 300
        breaker.reset(operator="ada", reason="from the callback")
        seen.append(threading.current_thread())

    clock = Clock()
    breaker = monitoring(on_trigger, clock)
    assert breaker.evaluate(Decimal(95_000)) is TRIGGERED
    assert seen == [TRIGGERED, TRIGGERED, threading.current_thread()]
    assert breaker.state is ARMED


def test_an_evaluation_that_finds_another_thread_in_its_way_is_counted() -> None:
    breaker = DrawdownCircuitBreaker(LIMIT)
    breaker.evaluate(Decimal(100))
    assert breaker.waited_count == 0
    with breaker._lock:
        late = threading.Thread(target=breaker.evaluate, args=(Decimal(101),))
        late.start()
        breaker.evaluate(Decimal(100))  # nothing changes by it: no lock, no wait
        late.join(0.05)
        assert late.is_alive()
    late.join()
    assert (breaker.waited_count, breaker.high_watermark) == (1, Decimal(101))


def test_an_evaluation_that_waits_tries_again_and_never_queues_for_the_lock() -> None:
    class Taken:
        tries = released = 0

        def acquire(self, blocking: bool = True) -> bool:
            assert not blocking, "a queue for the lock becomes a convoy"
            self.tries += 1
            return self.tries > 3

        def release(self) -> None:
            self.released += 1

    breaker, lock = monitoring(), Taken()
    breaker._lock = lock  # type: ignore[assignment]
    assert breaker.evaluate(START + 1) is MONITORING
    assert (lock.tries, lock.released, breaker.waited_count) == (4, 1, 1)


def test_four_threads_trip_it_once_in_two_hundred_races() -> None:
    for _ in range(200):
        calls: list[None] = []
        breaker = monitoring(partial(calls.append, None))
        with switching_often():
            together([partial(breaker.evaluate, Decimal(95_000))] * 4)
        assert len(calls) == breaker.trigger_count == 1
        assert breaker.state is TRIGGERED


def test_four_threads_leave_the_mark_of_all_their_equities() -> None:
    def climb(breaker: DrawdownCircuitBreaker, steps: list[int]) -> None:
        for equity in accumulate(steps):
            assert breaker.evaluate(START + Decimal(equity) / 100) is MONITORING

    random = Random(3)
    for _ in range(20):
        walks = [[random.randrange(1, 10) for _ in range(300)] for _ in range(4)]
        breaker = monitoring()
        with switching_often():
            together([partial(climb, breaker, steps) for steps in walks])
        assert breaker.high_watermark == START + Decimal(max(map(sum, walks))) / 100
        assert breaker.evaluate(breaker.high_watermark * 95 / 100) is TRIGGERED


def test_no_thread_hears_monitoring_after_it_has_heard_of_the_trip() -> None:
    for _ in range(50):
        breaker, told = monitoring(), threading.Event()

        def trips(breaker: DrawdownCircuitBreaker = breaker, told: threading.Event = told) -> None:
            breaker.evaluate(Decimal(95_000))
            told.set()

        def watches(
            breaker: DrawdownCircuitBreaker = breaker, told: threading.Event = told
        ) -> None:
            for _ in range(10_000):
                heard = told.is_set()
                state = breaker.evaluate(Decimal(99_000))
                assert not heard or state is TRIGGERED
                if heard:
                    return

        with switching_often():
            together([watches, watches, watches, trips])


def test_importing_fuseboard_is_light_and_the_breaker_needs_no_server() -> None:
    code = (
        "import sys, fuseboard\n"
        "assert not [m for m in sys.modules if m.startswith('fuseboard.')]\n"
        "fuseboard.DrawdownCircuitBreaker\n"
        "fuseboard.RollingDrawdownCircuitBreaker\n"
        "heavy = {'asyncio', 'sqlite3', 'ssl', 'uvloop', 'websockets', 'rich', 'yaml'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "rooms = {m.split('.')[1] for m in sys.modules if m.startswith('fuseboard.')}\n"
        "assert rooms <= {'library', 'core', 'policy', 'vocabulary'}, rooms\n"
        "missing = set(fuseboard.__all__) - set(dir(fuseboard))\n"
        "assert not missing, missing\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)


def test_a_name_that_is_not_public_is_an_attribute_error() -> None:
    import fuseboard

    with pytest.raises(AttributeError, match="no attribute 'Breaker'"):
        _ = fuseboard.Breaker
