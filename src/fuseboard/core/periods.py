"""Which session it is: what the calendar said, and what the broker's clock says about that."""

from typing import Final

from msgspec import Struct

from fuseboard.vocabulary.inputs import SessionRolled
from fuseboard.vocabulary.money import NANOS

ALWAYS: Final = "24/7"
"""The calendar of a market that never closes: whatever a broker's hours are."""
BROKER_CLOCK_AGE_NS_MAX: Final = 15 * 60 * NANOS
"""A broker's clock that was read longer ago than this agrees with nothing."""
CLOCKS_APART_NS_MAX: Final = 10 * NANOS
"""How far the broker's clock may be from ours: the answer's own way, and honest clocks' drift."""
CLOCK_WAIT_NS_MAX: Final = 60 * NANOS
"""How long a session waits for the broker's clock before people are told."""
SESSION_AHEAD_NS_MAX: Final = 21 * 24 * 3600 * NANOS
"""No exchange closes for longer before its next session opens."""


class Period(Struct):
    """The present session. Dates are empty until one has begun."""

    calendar: str = ""
    session: str = ""
    week_began: str = ""
    month_began: str = ""
    open_ns: int = 0
    close_ns: int = 0
    began_ns: int = 0
    """Wall time: what tripped before it has tripped in an earlier session."""
    resets_wait: bool = False
    """Whether what the policy lets the calendar reset waits for this session's open."""
    cooling: list[str] = []
    """The fuses that the calendar resets in this session once their cooldown has run out."""
    open_told: bool = False
    """Whether people were told that the open has passed, and that it still waits."""
    pending: SessionRolled | None = None
    """A session that the calendar says has begun, and that nothing has confirmed yet."""
    pending_boot_ns: int = 0
    late: bool = False
    """Whether the pending one began at another time than now: we were down, or had to wait."""
    resumed_attos: dict[str, int] = {}
    """Each scope's equity when the node went down, until the first roll after its start."""
    alerted: bool = False
    broker_ahead_ns: int = 0
    """The broker's clock less ours when it was read."""
    broker_read_boot_ns: int | None = None
    read_wall_ns: int = 0
    """Our wall time when it was read."""
    clocks_apart: bool = False
    """Whether the clocks differ: until a reading of the broker's agrees, nothing is opened."""
    broker_is_open: bool | None = None

    def ahead_ns(self, boot_ns: int, wall_ns: int) -> int:
        """The broker's clock less our wall clock, now: what has passed since it was read counts in
        boot time, so that a wall clock that was set shows at once. 0 before the first reading.
        """
        if self.broker_read_boot_ns is None:
            return 0
        passed_ns = boot_ns - self.broker_read_boot_ns
        return self.broker_ahead_ns + passed_ns - (wall_ns - self.read_wall_ns)

    def differs(self, boot_ns: int, wall_ns: int) -> bool:
        """Whether the clocks are further apart than honest ones are."""
        return abs(self.ahead_ns(boot_ns, wall_ns)) > CLOCKS_APART_NS_MAX

    def broker_says_closed(self, boot_ns: int, wall_ns: int) -> bool:
        """Whether the broker's clock says closed: a recent word, and no session opened since."""
        if self.broker_is_open is not False or self.broker_read_boot_ns is None:
            return False
        said_ns = self.read_wall_ns + self.broker_ahead_ns
        opened_since = said_ns < self.open_ns <= wall_ns + self.ahead_ns(boot_ns, wall_ns)
        recent = boot_ns - self.broker_read_boot_ns <= BROKER_CLOCK_AGE_NS_MAX
        return recent and not opened_since

    def doubt(self, boot_ns: int, wall_ns: int) -> str:
        """Why the pending session cannot begin yet, in words; empty when it can."""
        pending = self.pending
        assert pending is not None, "only a pending session is doubted"
        if clock := self._clock_doubt(boot_ns, wall_ns):
            return clock
        if wall_ns >= pending.close_ns:
            return "that session is over by our clock"
        if pending.open_ns - wall_ns > SESSION_AHEAD_NS_MAX:
            return "that session is too far ahead of our clock"
        return ""

    def open_doubt(self, boot_ns: int, wall_ns: int) -> str:
        """Why the present session cannot be known to be open, in words; empty when it is.

        It takes the broker's word from after the open, but where a market never closes: a holiday
        that the calendar does not know opens nothing.
        """
        if not 0 < self.open_ns <= wall_ns < self.close_ns:
            return "it is closed by its calendar"
        if clock := self._clock_doubt(boot_ns, wall_ns):
            return clock
        if self.calendar == ALWAYS:
            return ""
        if self.read_wall_ns + self.broker_ahead_ns < self.open_ns:
            return "the broker's clock has not been read since the open"
        return "" if self.broker_is_open else "the broker's clock says closed"

    def _clock_doubt(self, boot_ns: int, wall_ns: int) -> str:
        """Why the broker's clock does not confirm ours, in words; empty when it does."""
        read_boot_ns = self.broker_read_boot_ns
        if read_boot_ns is None or boot_ns - read_boot_ns > BROKER_CLOCK_AGE_NS_MAX:
            return "the broker's clock has not been read"
        if self.differs(boot_ns, wall_ns):
            return self.apart_says(boot_ns, wall_ns)
        return ""

    def apart_says(self, boot_ns: int, wall_ns: int) -> str:
        """How far the clocks are apart, blaming neither: we cannot know here which one is wrong."""
        ahead_ns = self.ahead_ns(boot_ns, wall_ns)
        where = "behind" if ahead_ns > 0 else "ahead of"
        return f"our time is {abs(ahead_ns) // NANOS} s {where} the broker's clock"
