"""Telling the kernel when a session begins, and what the broker's clock says.

At each start the present session is told, and each later one when it begins; the kernel knows
whether that is news. Before, every few minutes, and when a session opens, the broker's clock is
read: without it nothing rolls, and nothing is reset. Where the calendar or the clock cannot be had,
people are told once, and it is tried again.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from msgspec import Struct

from fuseboard.vocabulary.doors import (
    BrokerClock,
    BrokerUnavailable,
    Calendar,
    CalendarUnavailable,
    Clock,
    SessionDay,
    Throttled,
)
from fuseboard.vocabulary.inputs import BrokerClockSeen, SessionRolled

_SECOND_NS: Final = 1_000_000_000


class ScheduleLimits(Struct, frozen=True, kw_only=True):
    """How often is asked."""

    clock_every_ns: int = 300 * _SECOND_NS
    again_after_ns: int = 10 * _SECOND_NS
    """After a clock that could not be read."""
    calendar_again_after_ns: int = 600 * _SECOND_NS
    look_every_ns: int = 30 * _SECOND_NS
    """The longest sleep: a machine that was suspended, or a clock that was set, is noticed."""


class SessionSchedule:
    """The sessions of one account. `offer` is the intake; `tell` is for people."""

    def __init__(
        self,
        *,
        calendar: Calendar,
        broker: BrokerClock,
        clock: Clock,
        offer: Callable[[BrokerClockSeen | SessionRolled], bool],
        tell: Callable[[str], None],
        limits: ScheduleLimits | None = None,
    ) -> None:
        self._calendar = calendar
        self._broker = broker
        self._clock = clock
        self._offer = offer
        self._tell = tell
        self._limits = limits or ScheduleLimits()
        self._days: Sequence[SessionDay] = ()
        self._calendar_due_ns = 0
        self._clock_due_ns = 0
        self._told = self._opened = ""
        self._complained = ""

    async def run(self) -> None:
        """Tell sessions for ever."""
        while True:
            await self.look()
            await asyncio.sleep(self.wait_ns() / _SECOND_NS)

    async def look(self) -> None:
        """Do what is due now: read the clock, tell a session that has begun."""
        now = self._clock.now()
        present = self._present(now.wall_ns)
        if present is None and now.boot_ns >= self._calendar_due_ns:
            await self._load(now.boot_ns, now.wall_ns)
            present = self._present(now.wall_ns)
        rolls = present is not None and present.session != self._told
        passed_ns = -1 if present is None else _since_open_ns(present, now.wall_ns)
        opens = present is not None and passed_ns >= 0 and present.session != self._opened
        if rolls or opens or now.boot_ns >= self._clock_due_ns:
            opening = 0 <= passed_ns < self._limits.clock_every_ns
            await self._read_clock(now.boot_ns, opening=opening)
        if present is not None and opens:
            self._opened = present.session
        if present is not None and rolls:
            self._offer(
                SessionRolled(
                    calendar=self._calendar.name,
                    session=present.session,
                    week_began=present.week_began,
                    month_began=present.month_began,
                    open_ns=present.open_ns,
                    close_ns=present.close_ns,
                    began_ns=present.began_ns,
                )
            )
            self._told = present.session

    def wait_ns(self) -> int:
        """How long there is nothing to do."""
        now = self._clock.now()
        waits = [self._limits.look_every_ns, self._clock_due_ns - now.boot_ns]
        turns = [at_ns for day in self._days for at_ns in (day.began_ns, day.open_ns)]
        waits += [at_ns - now.wall_ns for at_ns in turns if at_ns > now.wall_ns]
        return max(0, min(waits))

    def _present(self, wall_ns: int) -> SessionDay | None:
        """The session that has begun last; None when the days that are known do not reach."""
        begun = [day for day in self._days if day.began_ns <= wall_ns]
        return begun[-1] if begun and len(begun) < len(self._days) else None

    async def _load(self, boot_ns: int, wall_ns: int) -> None:
        self._calendar_due_ns = boot_ns + self._limits.calendar_again_after_ns
        try:
            self._days = await self._calendar.days(wall_ns)
            self._complained = ""
        except CalendarUnavailable as failure:
            self._complain(f"{failure}: no session begins until it is there")

    async def _read_clock(self, boot_ns: int, *, opening: bool) -> None:
        self._clock_due_ns = boot_ns + self._limits.clock_every_ns
        try:
            seen = await self._broker.clock()
            self._offer(seen)
            if opening and not seen.is_open:  # its clock may be a little behind
                self._clock_due_ns = boot_ns + self._limits.again_after_ns
        except (BrokerUnavailable, Throttled):
            # The kernel tells people when a session waits for this.
            self._clock_due_ns = boot_ns + self._limits.again_after_ns

    def _complain(self, text: str) -> None:
        if text != self._complained:
            self._complained = text
            self._tell(text)


def _since_open_ns(day: SessionDay, wall_ns: int) -> int:
    """How long ago a session opened; below zero before, and where it begins with its open."""
    return -1 if day.began_ns >= day.open_ns else wall_ns - day.open_ns
