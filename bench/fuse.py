"""The drawdown fuse against the breaker that people copy: Decimals, a lock, a division a tick.

    python bench/fuse.py

Both judge the same 1,000,000 noisy equities, which never lose the limit: neither may trip, and the
fuse's mark and equity must be exactly those of an independent sum. The peer, in the same run, is
the usual circuit breaker: `threading.Lock`, `Decimal`, one division for each tick.
"""

import gc
import statistics
import threading
import time
from collections.abc import Callable
from decimal import Decimal
from enum import Enum
from random import Random

from fuseboard.core.fuses.drawdown import DrawdownFuse
from fuseboard.core.fuses.machine import FuseEvent, FuseState
from fuseboard.policy.rules import LossRule
from fuseboard.vocabulary.actions import Action, Reference
from fuseboard.vocabulary.money import NANOS

TICKS = 1_000_000
ROUNDS = 7
ROUND_TICKS = 100_000
SAMPLES = 100_000
ATTOS = NANOS * NANOS
START = 100_000 * ATTOS


class BareBreaker:
    """The least that a locked Decimal breaker does: one comparison, one division, no states."""

    def __init__(self, limit: Decimal) -> None:
        self._lock = threading.Lock()
        self._limit = limit
        self._mark = Decimal(0)
        self.tripped = False

    def update(self, equity: Decimal) -> bool:
        with self._lock:
            if equity > self._mark:
                self._mark = equity
            if (self._mark - equity) / self._mark >= self._limit:
                self.tripped = True
            return self.tripped


class State(Enum):
    ARMED = "armed"
    MONITORING = "monitoring"
    TRIGGERED = "triggered"
    COOLING_DOWN = "cooling_down"


class CopiedBreaker:
    """The breaker as it is usually written: a lock around everything, small methods, Decimals."""

    def __init__(self, max_drawdown: Decimal, cooldown_seconds: float = 300.0) -> None:
        self._lock = threading.RLock()
        self._max_drawdown = max_drawdown
        self._cooldown_seconds = cooldown_seconds
        self._state = State.ARMED
        self._high_water_mark = Decimal(0)
        self._current_equity = Decimal(0)
        self._triggered_at = 0.0
        self._ticks = 0

    @property
    def state(self) -> State:
        with self._lock:
            return self._state

    def update(self, equity: Decimal) -> State:
        with self._lock:
            self._ticks += 1
            self._current_equity = equity
            if self._state == State.ARMED:
                self._high_water_mark = equity
                self._state = State.MONITORING
            elif self._state == State.COOLING_DOWN:
                self._check_cooldown()
            elif self._state == State.MONITORING:
                self._update_high_water_mark(equity)
                if self._drawdown() >= self._max_drawdown:
                    self._trigger()
            return self._state

    def _update_high_water_mark(self, equity: Decimal) -> None:
        if equity > self._high_water_mark:
            self._high_water_mark = equity

    def _drawdown(self) -> Decimal:
        if self._high_water_mark <= Decimal(0):
            return Decimal(0)
        return (self._high_water_mark - self._current_equity) / self._high_water_mark

    def _trigger(self) -> None:
        self._state = State.TRIGGERED
        self._triggered_at = time.monotonic()

    def _check_cooldown(self) -> None:
        if time.monotonic() - self._triggered_at >= self._cooldown_seconds:
            self._state = State.ARMED


def noisy(ticks: int) -> list[int]:
    """Equities in atto-units that stay above 95 % of their own high."""
    random = Random(6)
    mark = equity = START
    walk = []
    for _ in range(ticks):
        equity = max(equity + random.randrange(-20 * ATTOS, 20 * ATTOS), mark * 95 // 100 + 1)
        mark = max(mark, equity)
        walk.append(equity)
    return walk


def armed() -> DrawdownFuse:
    rule = LossRule(limit_nanos=NANOS // 20)
    fuse = DrawdownFuse(name="drawdown:account", scope="account", rule=rule)
    assert fuse.watch(START, "AAPL", 0) is FuseEvent.MARKED
    fuse.take_mark(START)
    fuse.move(FuseEvent.MARKED)
    return fuse


def quantiles(times: list[int], overhead: int) -> str:
    ordered = sorted(times)
    middle, high = ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100]
    return (
        f"p50 {middle - overhead:>5,} ns  p99 {high - overhead:>5,} ns  worst {ordered[-1]:>9,} ns"
    )


def roll(days: int) -> None:
    """What a session costs a rolling fuse, with falling peaks: the longest window there can be."""
    rule = LossRule(
        reference=Reference.ROLLING_PEAK, window_days=days, limit_nanos=NANOS, action=Action.HALT
    )
    fuse = DrawdownFuse(name="rolling:account", scope="account", rule=rule)
    fuse.take_mark(START)
    fuse.move(FuseEvent.MARKED)
    for session in range(days):
        fuse.roll(START - session, week=False, month=False)
    samples: list[int] = []
    for session in range(2_000):
        began = time.perf_counter_ns()
        fuse.roll(START - days - session, week=False, month=False)
        samples.append(time.perf_counter_ns() - began)
    equity = START - days - 2_500
    watched: list[int] = []
    for _ in range(2_000):
        began = time.perf_counter_ns()
        fuse.watch(equity, "AAPL", 1)
        watched.append(time.perf_counter_ns() - began)
    print(f"rolling {days:>7,} days, a session  {quantiles(samples, 0)}")
    print(f"rolling {days:>7,} days, a mark     {quantiles(watched, 0)}")


def main() -> None:
    walk = noisy(TICKS)
    decimals = [Decimal(equity) / ATTOS for equity in walk[:ROUND_TICKS]]
    gc.collect()
    gc.freeze()
    gc.disable()
    clock = time.perf_counter_ns

    fuse = armed()
    began = clock()
    tripped = sum(fuse.watch(equity, "AAPL", 1) is not None for equity in walk)
    took = clock() - began
    exact = fuse.mark_attos == max(START, *walk) and fuse.equity_attos == walk[-1]
    calm = fuse.state is FuseState.MONITORING and not fuse.breach.source
    print(f"{TICKS:,} noisy ticks: {tripped} false trips, exact to the last atto: {exact and calm}")
    print(f"  {took // TICKS:,} ns a tick, the loop included")
    assert tripped == 0
    assert exact
    assert calm

    part = walk[:ROUND_TICKS]
    took_ns: dict[str, list[float]] = {"fuse": [], "copied breaker": [], "bare breaker": []}
    for _ in range(ROUNDS):
        watch = armed().watch
        began = clock()
        for equity in part:
            watch(equity, "AAPL", 1)
        took_ns["fuse"].append((clock() - began) / ROUND_TICKS)
        for name, breaker in (("copied breaker", CopiedBreaker), ("bare breaker", BareBreaker)):
            update: Callable[[Decimal], object] = breaker(Decimal("0.05")).update
            began = clock()
            for decimal in decimals:
                update(decimal)
            took_ns[name].append((clock() - began) / ROUND_TICKS)
    for name, times in took_ns.items():
        ratios = [time / ours for time, ours in zip(times, took_ns["fuse"], strict=True)]
        print(
            f"{name:<15} {statistics.median(times):>6,.0f} ns a tick"
            f" [{min(times):,.0f}..{max(times):,.0f}]  {statistics.median(ratios):>5.1f} x the fuse"
            f" [{min(ratios):.1f}..{max(ratios):.1f}]"
        )
    print(f"{ROUNDS} rounds of {ROUND_TICKS:,} ticks; garbage collector off and frozen")

    samples: list[int] = []
    for _ in range(SAMPLES):
        began = clock()
        samples.append(clock() - began)
    overhead = sorted(samples)[SAMPLES // 2]
    fuse, samples = armed(), []
    for equity in walk[:SAMPLES]:
        began = clock()
        fuse.watch(equity, "AAPL", 1)
        samples.append(clock() - began)
    print(f"fuse               {quantiles(samples, overhead)}")
    copied, samples = CopiedBreaker(Decimal("0.05")), []
    for decimal in decimals[:SAMPLES]:
        began = clock()
        copied.update(decimal)
        samples.append(clock() - began)
    print(f"copied breaker     {quantiles(samples, overhead)}  (clock's {overhead} ns taken off)")
    for days in (252, 252_000):
        roll(days)
    gc.enable()
    gc.unfreeze()


if __name__ == "__main__":
    main()
