"""A door that takes alerts too late is itself told of: once, and again only after it was in time.

It is a gauge: it decides nothing, and a slow door is used like any other. What it says goes through
all doors, so that the quick ones tell of the slow one.
"""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from fuseboard.alerts.delivery_times import IN_TIME_NS, DeliveryTimes, shown_s
from fuseboard.halts.heartbeats import boot_ns
from fuseboard.vocabulary.doors import Pager
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Severity
from fuseboard.vocabulary.reasons import Reason

LOOK_S: Final = 1.0
"""How often whoever watches looks."""
CALM_NS: Final = 60 * NANOS
"""A slow door counts as quick again when it took something since, and nothing too late so long."""


class Timed(Protocol):
    """A door that measures itself."""

    name: str
    times: DeliveryTimes

    def oldest_ns(self) -> int:
        """How long ago the oldest event was whose alert nobody has taken yet; 0: all are taken."""


class SlowDoors:
    """Looks at doors; these pagers hear of one that has become slow."""

    def __init__(
        self,
        doors: Sequence[Timed],
        pagers: Sequence[Pager],
        now_ns: Callable[[], int] = boot_ns,
    ) -> None:
        self._gauges = [_Gauge(door) for door in doors]
        self._pagers = pagers
        self._now_ns = now_ns

    def look(self) -> None:
        """Look at each door once; whoever has a loop calls it every `LOOK_S`."""
        for gauge in self._gauges:
            said = gauge.look(self._now_ns())
            for pager in self._pagers if said else ():
                code = Reason.ALERTS_LATE.value
                pager.page(Severity.WARNING.value, code, ACCOUNT_SCOPE, said)

    def watch(self) -> None:
        """Look for ever, in a thread that ends with the process: for pagers that take any."""
        threading.Thread(target=self._look_on, name="slow-doors", daemon=True).start()

    def _look_on(self) -> None:
        while True:
            self.look()
            time.sleep(LOOK_S)


class _Gauge:
    """Whether one door is slow."""

    def __init__(self, door: Timed) -> None:
        self._door = door
        self._is_slow = False
        self._late_seen = 0
        self._taken_then = 0
        self._late_at_ns = 0

    def look(self, now_ns: int) -> str:
        """What is to be told: it has become slow; else empty."""
        times, oldest_ns = self._door.times, self._door.oldest_ns()
        if oldest_ns <= IN_TIME_NS and times.late == self._late_seen:
            is_calm = now_ns - self._late_at_ns >= CALM_NS and times.count > self._taken_then
            self._is_slow = self._is_slow and not is_calm
            return ""
        self._late_seen, self._taken_then, self._late_at_ns = times.late, times.count, now_ns
        was_slow, self._is_slow = self._is_slow, True
        return "" if was_slow else self._said(oldest_ns)

    def _said(self, oldest_ns: int) -> str:
        name, bound = self._door.name, f"{IN_TIME_NS // NANOS} s"
        if oldest_ns > IN_TIME_NS:
            what = f"one waits {shown_s(oldest_ns)} after its event"
        else:
            what = f"one came {shown_s(self._door.times.slowest_ns)} after its event"
        return (
            f"{name} takes alerts later than {bound}: {what}; look at that door and at"
            " `fuseboard status`, which counts them (told once until it is in time for a minute)"
        )
