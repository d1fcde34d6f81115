"""Stretches of a tape in which nothing can happen, and how far time may leap over them.

The kernel reads the broker's account every 5 s and compares the books every 30 s, by day and by
night: of a year of daily bars that is nearly all there is to play. A trial's broker is an exchange
in the same process: until the tape's next event or an order's due time its answers cannot change.
So time leaps when all of this holds:

- a reading has just been done, it said what the one before it said, the kernel answered it with
  nothing but the next question, and no question is open;
- nothing is under way in the kernel that a reading would count for: no order but those that rest
  at the exchange, no plan, no breach, no difference (`Kernel.rests_until_boot_ns`).

After a reading of the account alone it leaps as far as to the next comparison; after a comparison
of which all of this holds by whole times between two. So readings fall when they would have
fallen. Time stops before the tape's next event, the exchange's next due time, the kernel's own next
deadline (silence, blindness, cooldowns, rates), the policy's times of day for a comparison, and
each opening, close and beginning of a session. What was due meanwhile, readings alone, is then done
once. What that changes: the readings that are left out are not counted, and the broker's clock is
read at each landing and every 5 minutes from there.
"""

from collections.abc import Callable
from typing import Final

from fuseboard.core.outgoing import ACCOUNT_READ_EVERY_NS
from fuseboard.exchange.calendar import MarketHours
from fuseboard.runtime.times_of_day import Times
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


class Resting:
    """Watches the records of one node; `rests_until` is its kernel's, in boot time.

    `every_ns` is the shortest time between two comparisons that the policy asks for; `times`
    are its times of day for one.
    """

    def __init__(
        self,
        hours: MarketHours,
        *,
        rests_until: Callable[[], int],
        every_ns: int,
        times: Times,
        keep: Callable[[Record], None],
    ) -> None:
        self._hours = hours
        self._rests_until = rests_until
        self._cycle_ns = -(-every_ns // ACCOUNT_READ_EVERY_NS) * ACCOUNT_READ_EVERY_NS
        """How far comparisons lie apart: one is done with the first reading that may have it."""
        self._times = times
        self._keep = keep
        self._said: dict[type, Input] = {}
        """What each kind of reading said last."""
        self._waits: dict[type, None] = {}
        """The kinds of reading that were asked for and are not done."""
        self._asked_boot_ns = 0
        """When a comparison was last asked for; 0: never."""
        self._read_boot_ns = 0
        """When the account last said again what it said; 0: something came since."""
        self._compared_boot_ns = 0
        """When a comparison last said again what the one before it said; 0: likewise."""

    def keep(self, record: Record) -> None:
        """One record of the journal."""
        self._keep(record)
        kind, boot_ns = type(record.input), record.moment.boot_ns
        same = kind in _PASSING
        if kind in _READINGS:
            same = self._said.get(kind) == record.input
            self._said[kind] = record.input
            self._waits.pop(kind, None)
        for effect in record.effects:
            if type(effect) is ReadAccount:
                self._waits[AccountSeen] = None
                if effect.positions:
                    self._waits[PositionsSeen] = None
                    self._asked_boot_ns = boot_ns
            elif type(effect) is ReadExecutions:
                self._waits[ExecutionsSeen] = None
            elif type(effect) is not WakeAt:
                same = False
        if not same:
            self._read_boot_ns = self._compared_boot_ns = 0
        elif kind is AccountSeen:
            self._read_boot_ns = boot_ns
        elif kind is PositionsSeen and self._read_boot_ns == boot_ns == self._asked_boot_ns:
            self._compared_boot_ns = boot_ns

    def leap_ns(self, now: Moment, due_in_ns: int) -> int:
        """How far time may leap; `due_in_ns` is when the world goes on. 0: not at all."""
        if self._read_boot_ns != now.boot_ns or self._waits or not self._asked_boot_ns:
            return 0
        if due_in_ns <= ACCOUNT_READ_EVERY_NS:
            return 0
        time_ns = self._times.next_after(now.wall_ns)
        until_ns = min(
            due_in_ns,
            due_in_ns if time_ns is None else time_ns - now.wall_ns,
            self._rests_until() - now.boot_ns,
            edge_ns(self._hours, now.wall_ns) - now.wall_ns,
        )
        last_ns = max(0, until_ns - 1)
        if self._compared_boot_ns == now.boot_ns and last_ns >= self._cycle_ns:
            return last_ns // self._cycle_ns * self._cycle_ns
        to_compare_ns = max(0, self._asked_boot_ns + self._cycle_ns - now.boot_ns)
        return min(last_ns, to_compare_ns) // ACCOUNT_READ_EVERY_NS * ACCOUNT_READ_EVERY_NS


def edge_ns(hours: MarketHours, now_ns: int) -> int:
    """When the market next opens or closes, or a session of it begins."""
    if hours.always:
        return (now_ns // DAY_NS + 1) * DAY_NS
    session = hours.current_or_next(now_ns)
    return session.close_ns if session.open_ns <= now_ns else session.open_ns
