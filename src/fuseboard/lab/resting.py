"""Stretches of a tape in which nothing can happen, and how far time may leap over them.

The kernel reads the broker's account every 5 s and compares the books every 30 s, by day and by
night: of a year of daily bars that is nearly all there is to play. A trial's broker is an exchange
in the same process: until the tape's next event or an order's due time its answers cannot change.
So time leaps when all of this holds:

- a comparison has just been done, and since the one before it every input was a reading that said
  what the last one said, and the kernel answered each with nothing but the next question;
- nothing is under way in the kernel that a reading would count for: no order but those that rest
  at the exchange, no plan, no breach, no difference (`Kernel.rests_until_boot_ns`).

It leaps by whole times between two comparisons, so that readings fall when they would have fallen,
and stops before the tape's next event, the exchange's next due time, the kernel's own next deadline
(silence, blindness, cooldowns, rates), and each opening, close and beginning of a session. What was
due meanwhile, readings alone, is then done once. What that changes: the readings that are left out
are not counted, and the broker's clock is read at each landing and every 5 minutes from there.
"""

from collections.abc import Callable
from typing import Final

from fuseboard.exchange.calendar import MarketHours
from fuseboard.vocabulary.copy_inputs import ExecutionsSeen
from fuseboard.vocabulary.effects import ReadAccount, ReadExecutions, WakeAt
from fuseboard.vocabulary.inputs import (
    AccountSeen,
    BrokerClockSeen,
    Input,
    Moment,
    PositionsSeen,
    TimeAdvanced,
)
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.records import Record

DAY_NS: Final = 86_400 * NANOS
_PASSING: Final = frozenset({TimeAdvanced, BrokerClockSeen})
_READINGS: Final = frozenset({AccountSeen, PositionsSeen, ExecutionsSeen})
_ASKING: Final = frozenset({ReadAccount, ReadExecutions, WakeAt})


class Resting:
    """Watches the records of one node; `rests_until` is its kernel's, in boot time.

    `every_ns` is the shortest time between two comparisons that the policy asks for: those that
    come sooner were asked for by something else.
    """

    def __init__(
        self,
        hours: MarketHours,
        *,
        rests_until: Callable[[], int],
        every_ns: int,
        keep: Callable[[Record], None],
    ) -> None:
        self._hours = hours
        self._rests_until = rests_until
        self._every_ns = every_ns
        self._keep = keep
        self._said: dict[type, Input] = {}
        """What each kind of reading said last."""
        self._compared_boot_ns = 0
        """When the last comparison was done since which nothing else came; 0: none was."""
        self._cycle_ns = 0
        """How long before that the one before it was done; 0: something else came between."""

    def keep(self, record: Record) -> None:
        """One record of the journal."""
        self._keep(record)
        kind = type(record.input)
        same = kind in _PASSING
        if kind in _READINGS:
            same = self._said.get(kind) == record.input
            self._said[kind] = record.input
        if not same or any(type(effect) not in _ASKING for effect in record.effects):
            self._compared_boot_ns = self._cycle_ns = 0
        elif kind is PositionsSeen:
            boot_ns, before_ns = record.moment.boot_ns, self._compared_boot_ns
            self._cycle_ns = boot_ns - before_ns if before_ns else 0
            self._compared_boot_ns = boot_ns

    def leap_ns(self, now: Moment, due_in_ns: int) -> int:
        """How far time may leap; `due_in_ns` is when the world goes on. 0: not at all."""
        if not self._cycle_ns or self._compared_boot_ns != now.boot_ns:
            return 0
        if self._cycle_ns < self._every_ns or due_in_ns <= self._cycle_ns:
            return 0
        until_ns = min(
            due_in_ns,
            self._rests_until() - now.boot_ns,
            edge_ns(self._hours, now.wall_ns) - now.wall_ns,
        )
        return max(0, (until_ns - 1) // self._cycle_ns) * self._cycle_ns


def edge_ns(hours: MarketHours, now_ns: int) -> int:
    """When the market next opens or closes, or a session of it begins."""
    if hours.always:
        return (now_ns // DAY_NS + 1) * DAY_NS
    session = hours.current_or_next(now_ns)
    return session.close_ns if session.open_ns <= now_ns else session.open_ns
