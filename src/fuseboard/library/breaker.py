"""The drawdown circuit breaker for programs that embed it: the core's fuse, safe for threads.

Theory of operation. All that decides is `core.fuses.drawdown.DrawdownFuse` and its table; here are
the Decimals, the threads, the clock and the callback. Each evaluation is the caller's own, judged
figure: one that breaches trips at once, there is no second source to wait for.

Most evaluations change nothing: equity lies between a floor that was computed when the mark rose
and the highest equity so far. That is two comparisons of Decimals, exact and without a lock: a
thread that is switched out while it holds a lock makes all others wait for the interpreter's
switch interval (5 ms). Everything else happens under the lock, but for what an equity is in
integers and, should it be a new high, in Decimals again: that is worked out before. The lock-free
pair stays right because a writer first makes the range empty (`_NEVER`), then sets its top, then
its bottom, and a reader looks at the bottom first: whatever it meets, an evaluation gives the
answer of a moment between its call and its return.

An evaluation that finds the lock taken tries again a moment later, and does not queue for it: the
lock would be given to a thread that has yet to wait for the interpreter, whose next thread would
find it taken again, and so on for every call (a lock convoy).
"""

import logging
import threading
import time
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Final, NamedTuple

from fuseboard.core.fuses.drawdown import DrawdownFuse
from fuseboard.core.fuses.machine import FuseEvent, FuseState
from fuseboard.library.equity import (
    attos_around,
    comparable_of_attos,
    decimal_of,
    decimal_of_attos,
)
from fuseboard.policy.rules import LossRule
from fuseboard.vocabulary.money import NANOS, NumberRefused, nanos_from_decimal, shown_percent

_log = logging.getLogger("fuseboard.library")
_SOURCE: Final = "(caller)"
_NEVER: Final = Decimal("Infinity")
_ZERO: Final = Decimal(0)
_AWAY_SECONDS: Final = 50e-6
"""How long an evaluation that finds the lock taken stays away before it tries again."""


class BreakerState(Enum):
    """Where a breaker is. Only a person (`reset`) leaves the last three."""

    ARMED = "ARMED"
    """No mark yet: the first equity sets it."""
    MONITORING = "MONITORING"
    TRIGGERED = "TRIGGERED"
    COOLING_DOWN = "COOLING_DOWN"
    """The cooldown is over; a person may reset."""
    HALTED = "HALTED"


class ResetRefused(RuntimeError):
    """This state cannot be reset now; the message says what to wait for."""


_MONITORING: Final = BreakerState.MONITORING
_WATCHING: Final = FuseState.MONITORING
_STATE_OF: Final = {
    FuseState.ARMED: BreakerState.ARMED,
    FuseState.MONITORING: BreakerState.MONITORING,
    FuseState.TRIGGERED: BreakerState.TRIGGERED,
    FuseState.COOLING_DOWN: BreakerState.COOLING_DOWN,
    FuseState.HALTED: BreakerState.HALTED,
}
"""A library's breaker has no warning level and is not killed; HALTED is its tightest."""


class _Figure(NamedTuple):
    """An equity, and what it would make of the range in which nothing changes as a new high."""

    equity: Decimal
    below_attos: int
    above_attos: int
    floor_attos: int
    high: Decimal
    low: Decimal


class DrawdownCircuitBreaker:
    """Trips when equity has fallen by `max_drawdown` from its highest; stays so until a reset.

    `max_drawdown` is a fraction, above 0 and below 1, of at most nine decimals. `on_trigger` is
    called without arguments, once for each trip, by the thread whose evaluation tripped, under no
    lock. What it raises reaches that thread's caller; the trip stands and is not repeated.
    `clock` gives seconds and never goes back.

    Every method may be called by any thread. Nothing here is durable: a new breaker is ARMED.
    """

    __slots__ = (
        "_clock",
        "_cooldown_seconds",
        "_equity",
        "_fuse",
        "_high",
        "_lock",
        "_low",
        "_on_trigger",
        "_peak_attos",
        "_settles_at",
        "_trigger_count",
        "_waited_count",
    )

    def __init__(
        self,
        max_drawdown: Decimal,
        cooldown_seconds: float = 300.0,
        on_trigger: Callable[[], object] | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fuse = DrawdownFuse(
            name="drawdown", scope="account", rule=LossRule(limit_nanos=_limit_nanos(max_drawdown))
        )
        self._cooldown_seconds = _seconds(cooldown_seconds)
        self._on_trigger = on_trigger
        self._clock = clock
        self._lock = threading.Lock()
        self._low, self._high = _NEVER, _ZERO
        """An equity from low to high, both included, changes nothing."""
        self._peak_attos = 0
        """The highest equity of this arming (of this session, for a rolling breaker)."""
        self._equity = _ZERO
        self._settles_at = float("-inf")
        self._trigger_count = 0
        self._waited_count = 0

    def evaluate(self, equity: Decimal | int) -> BreakerState:
        """Judge one equity, in money; the state after it. `>=` the limit trips, exactly.

        Raises `TypeError` for a float or a text, `NumberRefused` (a
        `ValueError`) for NaN, Infinity, more than fifteen whole digits, or a first equity that
        is not above zero; none of these changes anything.
        """
        try:
            if type(equity) is Decimal and self._low <= equity <= self._high:
                self._equity = equity
                return _MONITORING
        except InvalidOperation:
            raise NumberRefused(f"{equity} is not a finite number; nothing was changed") from None
        return self._evaluate_closely(decimal_of(equity))

    def _evaluate_closely(self, equity: Decimal) -> BreakerState:
        if self._fuse.state is not _WATCHING and self._fuse.latched():
            self._equity = equity
            return self.state
        figure = self._figure(equity)
        waited = not self._lock.acquire(blocking=False)
        while waited and not self._lock.acquire(blocking=False):
            time.sleep(_AWAY_SECONDS)
        try:
            self._waited_count += waited
            tripped = self._judge(figure)
            state = self._present()
        finally:
            self._lock.release()
        if tripped:
            self._tell()
        return state

    def _figure(self, equity: Decimal) -> _Figure:
        """All of an equity that needs no lock; whoever waits for it waits the less."""
        below_attos, above_attos = attos_around(equity)
        floor_attos = above_attos * (NANOS - self._fuse.rule.limit_nanos) // NANOS
        return _Figure(
            equity,
            below_attos,
            above_attos,
            floor_attos,
            comparable_of_attos(above_attos),
            comparable_of_attos(floor_attos + 1),
        )

    @property
    def state(self) -> BreakerState:
        """Where the breaker is now; a cooldown that has run out is noticed here."""
        if self._fuse.state is FuseState.TRIGGERED and self._clock() >= self._settles_at:
            with self._lock:
                self._settle()
        return self._present()

    @property
    def high_watermark(self) -> Decimal:
        """The mark that losses are measured from, in money; 0 before the first equity."""
        return decimal_of_attos(self._fuse.mark_attos)

    @property
    def drawdown(self) -> Decimal:
        """The fraction of the mark that the last equity has lost, nine decimals, half up.

        For showing: what trips is the exact comparison.
        """
        mark_attos = self._fuse.mark_attos
        lost_attos = mark_attos - attos_around(self._equity)[0]
        if mark_attos <= 0 or lost_attos <= 0:
            return _ZERO
        nanos = (2 * lost_attos * NANOS + mark_attos) // (2 * mark_attos)
        return decimal_of_attos(nanos * NANOS)

    @property
    def trigger_count(self) -> int:
        """How often this breaker has tripped; a reset does not forget it."""
        return self._trigger_count

    @property
    def waited_count(self) -> int:
        """How many evaluations found another thread's in their way: contention."""
        return self._waited_count

    def halt(self, *, reason: str) -> None:
        """Stop now, whatever the numbers say. Raises `ValueError` without a reason."""
        if not reason.strip():
            raise ValueError("a halt needs a reason: halt(reason=...)")
        with self._lock:
            self._fuse.move(FuseEvent.HALT_ASKED)
            self._look_closely()
        _log.warning("halted: %s", reason)

    def reset(self, *, operator: str, reason: str) -> None:
        """A named person arms the breaker again; the next equity is its new mark.

        Raises `ValueError` when the name or the reason is empty, `ResetRefused` while the
        cooldown of a trip runs.
        """
        if not operator.strip() or not reason.strip():
            raise ValueError("a reset needs a person and a reason: reset(operator=..., reason=...)")
        with self._lock:
            self._settle()
            left = self._settles_at - self._clock()
            if left > 0:  # HALTED, too: a halt does not shorten the cooldown of a trip
                raise ResetRefused(
                    f"{self._fuse.state.value}: the cooldown has {left:.1f} s to run;"
                    " reset when it is over"
                )
            self._fuse.move(FuseEvent.REBASED)
            self._forget()
            self._look_closely()
        _log.warning("reset by %s: %s", operator, reason)

    # --- under the lock ----------------------------------------------------------------------

    def _present(self) -> BreakerState:
        state = self._fuse.state
        return _MONITORING if state is _WATCHING else _STATE_OF[state]

    def _judge(self, figure: _Figure) -> bool:
        """Let the fuse judge; whether this equity tripped it."""
        fuse, equity, above_attos = self._fuse, figure.equity, figure.above_attos
        attos = above_attos if above_attos > fuse.mark_attos else figure.below_attos
        event = fuse.watch(attos, _SOURCE, 0)
        if event is FuseEvent.MARKED:
            if attos <= 0:
                raise NumberRefused(f"a first equity of {equity} leaves no drawdown to measure")
            fuse.take_mark(max(fuse.mark_attos, attos))
            fuse.move(FuseEvent.MARKED)
            event = fuse.watch(attos, _SOURCE, 0)
        waits = fuse.breach.source or fuse.high_source
        if event is None and waits:  # the caller's figure confirms itself
            event = fuse.watch(attos, _SOURCE, 0)
        self._equity = equity
        if above_attos > self._peak_attos:
            self._peak_attos = above_attos
        tripped = event is FuseEvent.BREACHED
        if tripped:
            fuse.move(FuseEvent.BREACHED)
            self._trigger_count += 1
            self._settles_at = self._clock() + self._cooldown_seconds
        self._look_closely(figure)
        return tripped

    def _look_closely(self, figure: _Figure | None = None) -> None:
        """Set the range in which an equity changes nothing; the order of the stores matters.

        Its ends are those of `figure` where that is the new high: they were worked out before.
        """
        fuse = self._fuse
        self._low = _NEVER
        if fuse.state is not _WATCHING:
            return
        peak_attos, floor_attos = self._peak_attos, fuse.calm_floor_attos
        if (
            figure is not None
            and figure.above_attos == peak_attos
            and figure.floor_attos == floor_attos
        ):
            self._high = figure.high
            self._low = figure.low
        else:
            self._high = comparable_of_attos(peak_attos)
            self._low = comparable_of_attos(floor_attos + 1)

    def _settle(self) -> None:
        if self._fuse.state is FuseState.TRIGGERED and self._clock() >= self._settles_at:
            self._fuse.move(FuseEvent.SETTLED)

    def _forget(self) -> None:
        """Forget the mark: the next equity is the new one."""
        self._fuse.generation += 1
        self._fuse.take_mark(0)
        self._peak_attos = 0
        self._equity = _ZERO

    # --- under no lock -----------------------------------------------------------------------

    def _tell(self) -> None:
        limit = shown_percent(self._fuse.rule.limit_nanos)
        _log.warning("tripped: equity %s has lost %s or more", self._equity, limit)
        if self._on_trigger is not None:
            self._on_trigger()


def _limit_nanos(max_drawdown: object) -> int:
    if not isinstance(max_drawdown, Decimal):
        kind = type(max_drawdown).__name__
        raise TypeError(f'max_drawdown must be a Decimal, not {kind}: write Decimal("0.05")')
    nanos = nanos_from_decimal(max_drawdown)
    if not 0 < nanos < NANOS:
        raise ValueError(f"max_drawdown {max_drawdown} must be above 0 and below 1: 5 % is 0.05")
    return nanos


def _seconds(cooldown_seconds: float) -> float:
    if not 0 <= cooldown_seconds < float("inf"):  # refuses NaN too
        raise ValueError(f"cooldown_seconds {cooldown_seconds} must be a finite time from 0 on")
    return float(cooldown_seconds)
