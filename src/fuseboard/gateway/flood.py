"""A strategy that is denied without end must not fill the journal, nor starve the others.

Each denial by the kernel is journaled and takes a turn of the loop that all strategies share. So a
strategy has an allowance of denials that refills with time; once it is used up, the door denies
the strategy's further orders itself until there is allowance again. Cancels never count and are
never held back. Orders that reduce what is held have an allowance of their own, so that a flood of
entries does not close the exit. What is told to people and to the journal is one note a period.
"""

import time
from collections.abc import Callable

from msgspec import Struct

SECOND_NS = 1_000_000_000


class _Allowance:
    """What one strategy may still be denied; below zero by what was under way at once."""

    __slots__ = ("at_ns", "left")

    def __init__(self, left: int, at_ns: int) -> None:
        self.left = left
        self.at_ns = at_ns


class _Told:
    """When a strategy's note was last given, and how many denials it did not count."""

    __slots__ = ("at_ns", "count")

    def __init__(self) -> None:
        self.at_ns: int | None = None
        self.count = 0


class FloodLimits(Struct, frozen=True, kw_only=True):
    """How often a strategy may be denied by the kernel, and how often its flood is noted."""

    a_second_max: int
    note_every_ns: int


class Flood:
    """Counts denials for each strategy, and its reductions apart.

    `a_second_max` denials a second in the long run, as many at once, and beyond that only those
    whose orders were under way already. Kept for strategies that were denied, one entry each.
    """

    def __init__(
        self, limits: FloodLimits, clock_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._limits = limits
        self._clock_ns = clock_ns
        self._most = limits.a_second_max * SECOND_NS
        self._allowances: dict[tuple[str, bool], _Allowance] = {}
        self._told: dict[str, _Told] = {}

    @property
    def is_counting(self) -> bool:
        """Whether any strategy was denied lately: without it nobody can be over."""
        return bool(self._allowances)

    def denied(self, strategy: str, *, is_reduction: bool) -> None:
        """The kernel has denied an order of the strategy."""
        now_ns = self._clock_ns()
        allowance = self._refilled(strategy, is_reduction, now_ns)
        if allowance is None:
            allowance = _Allowance(self._most, now_ns)
            self._allowances[strategy, is_reduction] = allowance
        allowance.left -= SECOND_NS

    def is_over(self, strategy: str, *, is_reduction: bool) -> bool:
        """Whether the strategy has used up its allowance for now."""
        allowance = self._refilled(strategy, is_reduction, self._clock_ns())
        return allowance is not None and allowance.left < SECOND_NS

    def note_due(self, strategy: str) -> int | None:
        """Count one denial by the door; the number to be noted when a note is due, else None."""
        told = self._told.setdefault(strategy, _Told())
        told.count += 1
        now_ns = self._clock_ns()
        if told.at_ns is not None and now_ns - told.at_ns < self._limits.note_every_ns:
            return None
        return told.count

    def noted(self, strategy: str) -> None:
        """The note was taken in: count anew for the next one."""
        told = self._told[strategy]
        told.at_ns, told.count = self._clock_ns(), 0

    def _refilled(self, strategy: str, is_reduction: bool, now_ns: int) -> _Allowance | None:
        """The allowance as it is now; None, and forgotten, when it is whole."""
        allowance = self._allowances.get((strategy, is_reduction))
        if allowance is None:
            return None
        allowance.left += max(now_ns - allowance.at_ns, 0) * self._limits.a_second_max
        allowance.at_ns = now_ns
        if allowance.left < self._most:
            return allowance
        del self._allowances[strategy, is_reduction]
        return None
