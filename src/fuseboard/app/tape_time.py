"""Sessions by a tape's time: what the simulated exchange's clock says, told in our own.

A calendar speaks of the tape's days and our clock of today, so nothing would ever roll. Once the
tape is seen to play, its time and ours are tied together at one moment and by the tape's speed:
the schedule lives in the tape's time, and what it tells is translated on its way in. From then on a
clock of the exchange that leaves this line differs from ours, and nothing rolls by it.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from msgspec import structs

from fuseboard.brokers.alpaca import AlpacaBroker
from fuseboard.runtime.dividends import DividendLimits, DividendSchedule
from fuseboard.runtime.sessions import ScheduleLimits, SessionSchedule
from fuseboard.runtime.times_of_day import Times, TimesTold
from fuseboard.vocabulary.dividend_facts import DividendsSeen
from fuseboard.vocabulary.doors import BrokerClock, BrokerUnavailable, Calendar, Clock, Throttled
from fuseboard.vocabulary.inputs import (
    BrokerClockSeen,
    Moment,
    SessionRolled,
    TimeOfDayReached,
)
from fuseboard.vocabulary.money import NANOS

LOOK_S: Final = 1.0
"""How often it is looked whether the tape plays, and whether a session has begun by it."""
_LOOKS: Final = ScheduleLimits(look_every_ns=NANOS)


class TapeTime:
    """The tape's time from a moment at which it was read, beside our boot time."""

    def __init__(self, clock: Clock, speed_nanos: int, tape_ns: int) -> None:
        self._clock = clock
        self._speed_nanos = speed_nanos
        self._ours = clock.now()
        self._tape_ns = tape_ns

    def now(self) -> Moment:
        """Our boot time with the tape's time."""
        boot_ns = self._clock.now().boot_ns
        passed_ns = (boot_ns - self._ours.boot_ns) * self._speed_nanos // NANOS
        return Moment(boot_ns, self._tape_ns + passed_ns)

    def ours_ns(self, tape_ns: int) -> int:
        """When that is, or was, by our wall clock."""
        return self._ours.wall_ns + (tape_ns - self._tape_ns) * NANOS // self._speed_nanos


async def tell_sessions(
    *,
    calendar: Calendar,
    broker: BrokerClock,
    clock: Clock,
    tape_speed_nanos: int,
    offer: Callable[[BrokerClockSeen | SessionRolled], bool],
    tell: Callable[[str], None],
) -> None:
    """Tell sessions for ever: by our clock, or with a speed by a tape's, once that plays."""
    if not tape_speed_nanos:
        schedule = SessionSchedule(
            calendar=calendar, broker=broker, clock=clock, offer=offer, tell=tell
        )
        await schedule.run()
    tape = await _tape_time(broker, clock, tape_speed_nanos)

    def translated(fact: BrokerClockSeen | SessionRolled) -> bool:
        if isinstance(fact, BrokerClockSeen):
            return offer(structs.replace(fact, wall_ns=tape.ours_ns(fact.wall_ns)))
        open_ns, close_ns = tape.ours_ns(fact.open_ns), tape.ours_ns(fact.close_ns)
        began_ns = tape.ours_ns(fact.began_ns)
        return offer(structs.replace(fact, open_ns=open_ns, close_ns=close_ns, began_ns=began_ns))

    await SessionSchedule(
        calendar=calendar,
        broker=broker,
        clock=tape,
        offer=translated,
        tell=tell,
        limits=_LOOKS,
    ).run()


async def tell_times_of_day(
    times: Callable[[], Times],
    *,
    broker: BrokerClock,
    clock: Clock,
    tape_speed_nanos: int,
    offer: Callable[[TimeOfDayReached], bool],
) -> None:
    """Tell times of day for ever: by our clock, or with a speed by a tape's, once that plays."""
    if not tape_speed_nanos:
        await TimesTold(times, clock=clock, offer=offer).run()
    tape = await _tape_time(broker, clock, tape_speed_nanos)

    def translated(fact: TimeOfDayReached) -> bool:
        return offer(TimeOfDayReached(due_ns=tape.ours_ns(fact.due_ns)))

    await TimesTold(times, clock=tape, offer=translated, look_every_ns=NANOS).run()


async def tell_dividends(
    held: Callable[[], Sequence[str]],
    broker: AlpacaBroker,
    clock: Clock,
    tape_speed_nanos: int,
    offer: Callable[[DividendsSeen], bool],
) -> None:
    """Tell what is announced for ever: by our clock, or with a speed by a tape's."""
    if not tape_speed_nanos:
        await DividendSchedule(held=held, broker=broker, clock=clock, offer=offer).run()
    tape = await _tape_time(broker, clock, tape_speed_nanos)

    def translated(fact: DividendsSeen) -> bool:
        ours = [
            structs.replace(
                each,
                ex_ns=tape.ours_ns(each.ex_ns),
                open_ns=tape.ours_ns(each.open_ns),
                payable_ns=tape.ours_ns(each.payable_ns),
            )
            for each in fact.dividends
        ]
        return offer(structs.replace(fact, dividends=tuple(ours)))

    limits = DividendLimits(look_every_ns=NANOS)
    await DividendSchedule(
        held=held, broker=broker, clock=tape, offer=translated, limits=limits
    ).run()


async def _tape_time(broker: BrokerClock, clock: Clock, tape_speed_nanos: int) -> TapeTime:
    """The tape's time from when it is seen to play."""
    playing_ns = await _playing(broker)
    return TapeTime(clock, tape_speed_nanos, playing_ns)


async def _playing(broker: BrokerClock) -> int:
    """The tape's time once two readings show that it moves."""
    before_ns: int | None = None
    while True:
        try:
            now_ns = (await broker.clock()).wall_ns
        except (BrokerUnavailable, Throttled):
            now_ns = before_ns or 0
        if before_ns is not None and now_ns > before_ns > 0:
            return now_ns
        before_ns = now_ns
        await asyncio.sleep(LOOK_S)
