"""Telling the kernel when a time of day has come at which the policy wants the books compared.

By wall time, as a person's watch: a machine that slept, or a clock that was set forward past it, is
told at once, and once however many passed. A start compares the books by itself, so what came while
nothing ran is done then.
"""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from fuseboard.vocabulary.doors import Clock
from fuseboard.vocabulary.inputs import TimeOfDayReached

_SECOND_NS: Final = 1_000_000_000
LOOK_EVERY_NS: Final = 30 * _SECOND_NS
"""The longest sleep: suspension, a clock that was set, another policy are noticed after it."""


class Times(Protocol):
    """Times of each day, in some zone."""

    def newest(self, wall_ns: int) -> int | None:
        """The last of them up to now, in UTC ns; None: there are none."""

    def next_after(self, wall_ns: int) -> int | None:
        """The first of them after now, in UTC ns; None: there are none."""


class TimesTold:
    """One run's telling; `times` are those of the policy in force, `offer` is the intake."""

    def __init__(
        self,
        times: Callable[[], Times],
        *,
        clock: Clock,
        offer: Callable[[TimeOfDayReached], bool],
        look_every_ns: int = LOOK_EVERY_NS,
    ) -> None:
        self._times = times
        self._clock = clock
        self._offer = offer
        self._look_every_ns = look_every_ns
        self._looked_wall_ns = clock.now().wall_ns

    async def run(self) -> None:
        """Tell for ever."""
        while True:
            self.look()
            await asyncio.sleep(self.wait_ns() / _SECOND_NS)

    def look(self) -> None:
        """Tell what has come since the last look."""
        now_ns = self._clock.now().wall_ns
        newest_ns = self._times().newest(now_ns)
        if newest_ns is not None and newest_ns > self._looked_wall_ns:
            self._offer(TimeOfDayReached(due_ns=newest_ns))
        self._looked_wall_ns = now_ns

    def wait_ns(self) -> int:
        """How long there is nothing to tell; not longer than `look_every_ns`."""
        now_ns = self._clock.now().wall_ns
        next_ns = self._times().next_after(now_ns)
        return (
            self._look_every_ns if next_ns is None else min(self._look_every_ns, next_ns - now_ns)
        )
