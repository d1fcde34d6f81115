"""Clocks: the machine's, and one that is moved by hand.

Boot time (`CLOCK_BOOTTIME`, which also counts suspension) measures durations; wall time dates
records and finds the trading day. Neither ever goes back, not even across a restart: the journal's
last moment is where the next run starts.
"""

import time
from collections.abc import Callable

from fuseboard.vocabulary.inputs import Moment

SAME_BOOT_SLACK_NS = 600 * 1_000_000_000
"""By how much boot time may have passed faster than wall time before we call it another boot."""


def machine_boot_ns() -> int:
    """Nanoseconds since boot, suspension included where the platform can tell."""
    boottime = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic_ns() if boottime is None else time.clock_gettime_ns(boottime)


class SystemClock:
    """The machine's clocks, continued from the last recorded moment.

    On the same boot, boot time simply runs on. On another boot (or another machine) its count
    means nothing, so it continues from the last recorded moment: time that cannot be shown to have
    passed does not count. Wall time that was set back stands still until it is passed again.
    """

    def __init__(
        self,
        last: Moment | None,
        *,
        boot_ns: Callable[[], int] = machine_boot_ns,
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._boot_ns = boot_ns
        self._wall_ns = wall_ns
        self._last_boot_ns = 0 if last is None else last.boot_ns
        self._last_wall_ns = 0 if last is None else last.wall_ns
        self._ahead_ns = 0 if last is None else _boot_offset_ns(last, boot_ns(), wall_ns())

    def now(self) -> Moment:
        """Boot and wall time, neither before any earlier answer nor before the start's moment."""
        boot = self._boot_ns() + self._ahead_ns
        if boot > self._last_boot_ns:
            self._last_boot_ns = boot
        wall = self._wall_ns()
        if wall > self._last_wall_ns:
            self._last_wall_ns = wall
        return Moment(self._last_boot_ns, self._last_wall_ns)

    def ahead_ns(self) -> int:
        """By how much our wall time stands ahead of the machine's, which was set back; else 0."""
        return max(0, self._last_wall_ns - self._wall_ns())


def _boot_offset_ns(last: Moment, boot_ns: int, wall_ns: int) -> int:
    """What to add to the machine's boot time so that it continues the recorded one."""
    passed = boot_ns - last.boot_ns
    passed_by_wall = max(0, wall_ns - last.wall_ns)
    if 0 <= passed <= passed_by_wall + SAME_BOOT_SLACK_NS:
        return 0
    return -passed


class SteppedClock:
    """A clock that stands still until it is moved: for replays of tapes and for simulation."""

    def __init__(self, start: Moment) -> None:
        self._now = start

    def now(self) -> Moment:
        """The moment it was last moved to."""
        return self._now

    def advance_to(self, boot_ns: int) -> None:
        """Move both clocks on by the same duration; refuses to go back."""
        passed = boot_ns - self._now.boot_ns
        if passed < 0:
            raise ValueError(f"the clock stands at {self._now.boot_ns}, after {boot_ns}")
        self._now = Moment(boot_ns, self._now.wall_ns + passed)
