"""The whole node in lock-step: the real loop and outlet, deterministic, faster than the clock.

`LockstepEventLoop` is asyncio with a time of its own: when every task waits, time jumps to the next
timer. Nothing sleeps, and the same program runs the same way each time. When every task waits and
no timer is set, nothing can ever happen again: `Quiescent` is raised in the caller. There must be
no thread and no socket under it; the journal is an `InstantJournal`, the world stands in memory.

Without any task, `Loop.settle` alone does: fold, settle, move a `SteppedClock`, settle.
"""

import asyncio
import math
import selectors
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextvars import Context
from typing import Any, Final, Protocol, TypeVar, TypeVarTuple

from fuseboard.runtime.watermark import Watermark
from fuseboard.vocabulary.inputs import Moment
from fuseboard.vocabulary.records import Record

SECOND_NS = 1_000_000_000
RESOLUTION_S: Final = 1e-9
Result = TypeVar("Result")
_Arguments = TypeVarTuple("_Arguments")


class Quiescent(Exception):
    """Every task waits for something that nothing is left to bring about."""


class Agenda(Protocol):
    """What else happens in the world as time passes: a market, a network, people."""

    def due_in_ns(self) -> int | None:
        """How long until the next thing happens; None when nothing is going to."""

    def leap_ns(self) -> int:
        """How far time may leap over what timers wait for, which are late then; 0: not at all.

        Never past the next thing. Asked when nothing else can happen at the present time.
        """

    def pass_ns(self, passed_ns: int) -> None:
        """So much time has passed: let happen what is due. What it raises ends the run."""


class _TimeJumps(selectors.BaseSelector):
    """A selector that never waits: it reports the wait that was asked for, and returns."""

    def __init__(self, passed: Callable[[float | None], None]) -> None:
        self._passed = passed
        self._real = selectors.DefaultSelector()

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._real.get_map()

    def close(self) -> None:
        self._real.close()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = self._real.select(0)
        if not ready and (timeout is None or timeout > 0):
            self._passed(timeout)
        return ready


class LockstepEventLoop(asyncio.SelectorEventLoop):
    """An event loop whose time moves only when nothing else can; it is also a `Clock`.

    With an `agenda`, time also stops at whatever happens next there, and leaps where it says so.
    """

    def __init__(self, start: Moment, agenda: Agenda | None = None) -> None:
        self._start = start
        self._agenda = agenda
        self._passed_ns = 0
        super().__init__(_TimeJumps(self._jump))

    def time(self) -> float:
        """Seconds since the start, for asyncio's own timers."""
        return self._passed_ns / SECOND_NS

    def now(self) -> Moment:
        """The start's moment and what has passed since, on both clocks."""
        start = self._start
        return Moment(start.boot_ns + self._passed_ns, start.wall_ns + self._passed_ns)

    def call_later(
        self,
        delay: float,
        callback: Callable[[*_Arguments], object],
        *args: *_Arguments,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """As asyncio's, but a timer that is to wait does: after some months of tape a second has
        not enough digits for a nanosecond, and one that is due at once would be set for ever.
        """
        when = self.time() + delay
        if delay > 0:
            when = max(when, math.nextafter(self.time(), math.inf))
        return self.call_at(when, callback, *args, context=context)

    def _jump(self, wait_s: float | None) -> None:
        wait_ns = None if wait_s is None else max(1, round(wait_s * SECOND_NS))
        due_ns = None if self._agenda is None else self._agenda.due_in_ns()
        if due_ns is not None and (wait_ns is None or due_ns < wait_ns):
            wait_ns = due_ns
        if wait_ns is None:
            raise Quiescent("every task waits and no timer is set")
        if self._agenda is not None:
            leap_ns = self._agenda.leap_ns()
            assert not leap_ns or due_ns is None or leap_ns <= due_ns, "nothing is leapt over"
            wait_ns = max(wait_ns, leap_ns)
        self._passed_ns += wait_ns
        # What is due now is due: asyncio asks for what is earlier than this much from now.
        self._clock_resolution = max(RESOLUTION_S, math.ulp(self.time()))
        if self._agenda is not None:
            self._agenda.pass_ns(wait_ns)


def run_lockstep(
    start: Moment,
    main: Callable[[LockstepEventLoop], Coroutine[Any, Any, Result]],
    agenda: Agenda | None = None,
) -> Result:
    """Run `main(loop)` to its end in lock-step. Raises `Quiescent` when it can never end."""
    loop = LockstepEventLoop(start, agenda)
    try:
        asyncio.set_event_loop(loop)
        return loop.run_until_complete(main(loop))
    finally:
        try:
            left = asyncio.all_tasks(loop)
            for task in left:
                task.cancel()
            if left:
                loop.run_until_complete(asyncio.wait(left))
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            asyncio.set_event_loop(None)
            loop.close()


class InstantJournal:
    """A journal that is durable at once, for worlds that are not: each record goes to `keep`."""

    def __init__(self, watermark: Watermark, keep: Callable[[Record], None]) -> None:
        self._watermark = watermark
        self._keep = keep

    def append(self, records: Sequence[Record]) -> None:
        """Hand the records on; they count as durable before this returns."""
        for record in records:
            self._keep(record)
        self._watermark.at_once(records[-1].sequence)

    def close(self) -> None:
        """Nothing is open."""
