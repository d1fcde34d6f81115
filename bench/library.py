"""The library's breakers: against the breaker that people copy, with four threads, and rolling.

    python -m bench.library

The peer is `bench.fuse.CopiedBreaker`: a lock around everything, Decimals, a division for each
tick. Both get the same Decimals, in rounds that alternate. With four threads, each thread judges
ticks of its own and each call is timed; the interpreter's switch interval stays at its default.
"""

import gc
import statistics
import threading
import time
from collections.abc import Callable
from decimal import Decimal
from random import Random

from bench.fuse import CopiedBreaker, State
from fuseboard import BreakerState, DrawdownCircuitBreaker, RollingDrawdownCircuitBreaker
from fuseboard.core.fuses.window import PeakWindow

ROUNDS = 9
TICKS = 100_000
THREADS = 4
THREAD_TICKS = 50_000
THREAD_ROUNDS = 5
LIMIT = Decimal("0.05")
Evaluate = Callable[[Decimal], object]


def noise(decimals: int) -> list[Decimal]:
    """Equities from 96,000 to 100,000, the highest first: none is a new high, none trips."""
    random, unit = Random(6), 10**decimals
    walk = [100_000 * unit]
    for _ in range(TICKS - 1):
        step = random.randrange(-20 * unit, 20 * unit)
        walk.append(min(max(walk[-1] + step, 96_000 * unit), 100_000 * unit))
    return [Decimal(f"{equity}E-{decimals}") for equity in walk]


def ours() -> Evaluate:
    return DrawdownCircuitBreaker(LIMIT).evaluate


def copied() -> Evaluate:
    return CopiedBreaker(LIMIT).update


def one_thread(name: str, ticks: list[Decimal]) -> None:
    took: dict[str, list[float]] = {"library": [], "copied": []}
    for _ in range(ROUNDS):
        for who, make in (("library", ours), ("copied", copied)):
            evaluate = make()
            evaluate(ticks[0])
            began = time.perf_counter_ns()
            for tick in ticks:
                evaluate(tick)
            took[who].append((time.perf_counter_ns() - began) / len(ticks))
            assert evaluate(ticks[-1]) in (BreakerState.MONITORING, State.MONITORING)
    ratios = [theirs / mine for theirs, mine in zip(took["copied"], took["library"], strict=True)]
    for who, times in took.items():
        middle = statistics.median(times)
        print(f"{name:<22} {who:<8} {middle:>7,.0f} ns [{min(times):,.0f}..{max(times):,.0f}]")
    middle = statistics.median(ratios)
    print(f"{'':<22} {'ratio':<8} {middle:>7.1f} x  [{min(ratios):.1f}..{max(ratios):.1f}]")


def timed_together(evaluate: Evaluate, ticks: list[Decimal]) -> tuple[list[int], float]:
    """Each call's time from all threads, and calls a second."""
    gate = threading.Barrier(THREADS + 1)
    times: list[list[int]] = [[] for _ in range(THREADS)]

    def judge(mine: list[int], part: list[Decimal]) -> None:
        clock, note = time.perf_counter_ns, mine.append
        gate.wait()
        for tick in part:
            began = clock()
            evaluate(tick)
            note(clock() - began)

    threads = [
        threading.Thread(target=judge, args=(times[n], ticks[n::THREADS])) for n in range(THREADS)
    ]
    for thread in threads:
        thread.start()
    gate.wait()
    began = time.perf_counter_ns()
    for thread in threads:
        thread.join()
    took = time.perf_counter_ns() - began
    return sorted(time for part in times for time in part), len(ticks) * 1e9 / took


def four_threads(name: str, ticks: list[Decimal]) -> None:
    figures: dict[str, list[tuple[int, int, int, float]]] = {"library": [], "copied": []}
    waited: dict[str, int] = {}
    for _ in range(THREAD_ROUNDS):
        for who, make in (("library", ours), ("copied", copied)):
            evaluate = make()
            ordered, rate = timed_together(evaluate, ticks)
            count = len(ordered)
            figures[who].append(
                (ordered[count * 99 // 100], ordered[count * 999 // 1000], ordered[-1], rate)
            )
            if who == "library":
                breaker = getattr(evaluate, "__self__")  # noqa: B009 - a bound method has one
                waited[who] = waited.get(who, 0) + breaker.waited_count
    for who, rows in figures.items():
        p99s, p999s, worsts, rates = zip(*rows, strict=True)
        print(
            f"{name:<22} {who:<8} p99 {statistics.median(p99s) / 1000:>7,.1f} us"
            f" [{min(p99s) / 1000:,.1f}..{max(p99s) / 1000:,.1f}]"
            f"  p99.9 {statistics.median(p999s) / 1000:>7,.1f}"
            f"  worst {max(worsts) / 1000:>9,.0f}  {statistics.median(rates):>9,.0f}/s"
            + (
                f"  waited {waited[who] / (THREAD_ROUNDS * len(ticks)):.4%}"
                if who in waited
                else ""
            )
        )


def rolling(days: int) -> None:
    """A session of one equity and its close, with the window full of falling peaks."""
    breaker = RollingDrawdownCircuitBreaker(Decimal("0.9"), window_days=days)
    for day in range(days):
        breaker.close_session(100_000_000 - day)
    start = 100_000_000 - days
    breaker.evaluate(start)
    closes, ticks = [], []
    for number in range(2_000):
        equity = Decimal(start - number)
        began = time.perf_counter_ns()
        state = breaker.evaluate(equity)
        ticks.append(time.perf_counter_ns() - began)
        began = time.perf_counter_ns()
        breaker.close_session(equity)
        closes.append(time.perf_counter_ns() - began)
        assert state is BreakerState.MONITORING
    ticks.sort()
    closes.sort()
    window = PeakWindow(days=days)
    began = time.perf_counter_ns()
    for number in range(2 * days):
        window.push(number % 977)
    push_ns = (time.perf_counter_ns() - began) / (2 * days)
    print(
        f"{days:>7,} days: close_session p50 {closes[1000] / 1000:.1f} us"
        f" p99 {closes[1980] / 1000:.1f}; evaluate p50 {ticks[1000] / 1000:.2f} us"
        f" p99 {ticks[1980] / 1000:.2f}; a push into the window alone {push_ns:,.0f} ns"
    )


def main() -> None:
    walk, cents = noise(18), noise(2)
    rising = [Decimal(100_000) + Decimal(number) / 100 for number in range(TICKS)]
    gc.collect()
    gc.freeze()
    gc.disable()
    print(f"one thread, {ROUNDS} rounds of {TICKS:,} ticks, the loop included")
    one_thread("noise, 18 decimals", walk)
    one_thread("noise, cents", cents)
    one_thread("each tick a new high", rising)
    print(f"\n{THREADS} threads, {THREAD_ROUNDS} rounds of {THREADS * THREAD_TICKS:,} timed calls")
    four_threads("noise, cents", cents * 2)
    four_threads("each tick a new high", rising * 2)
    print("\nrolling")
    rolling(252)
    rolling(252_000)
    gc.enable()
    gc.unfreeze()


if __name__ == "__main__":
    main()
