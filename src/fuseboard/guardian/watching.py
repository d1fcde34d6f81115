"""Whether the gateway makes progress, and if not, what is wrong with it. No I/O, no clock.

Silence is what this watcher has itself seen pass between its own looks, each look counting for at
most `LOOK_NS_MAX`: when the watcher was stopped, starved or the machine slept, that time does not
count against the gateway.
"""

from enum import Enum
from typing import Final, NamedTuple

from fuseboard.halts.heartbeats import Beat, Phase, ProcessSeen

LOOK_NS_MAX: Final = 500_000_000
CALL_NS_MAX: Final = 5_000_000_000
"""How long a call to the broker may take by the gateway's own bound."""
FAULT_NS_MAX: Final = 10_000_000_000
"""How long a gateway that found a fault in itself may take to cancel everything."""
START_NS_MAX: Final = 30_000_000_000
"""How long a gateway that begins may read what it finds, before its loop turns."""
JOURNAL_NS_MAX: Final = 5_000_000_000
"""How much longer than silence a journal may take that has records to write and writes none."""
_LONGER_NS: Final = {Phase.FAULTED: FAULT_NS_MAX, Phase.STARTING: START_NS_MAX}
_DEAD: Final = ("Z", "X")
_AT_WORK: Final = (Phase.RUNNING, Phase.STOPPING)
"""Phases whose beats are progress; a run that only ever starts, or fails, makes none."""


class Kind(Enum):
    """What is wrong, in words for people."""

    GONE = "the gateway's process is gone"
    STOPPED = "the gateway's process is stopped by a signal"
    HUNG = "the gateway's process runs and its loop does not turn"
    STUCK_CALL = "a call of the gateway to the broker does not come back"
    JOURNAL = "the gateway's journal takes nothing, so its disk hangs"
    SLOW = "the gateway's loop missed its beats for a while"
    UNREADABLE = "the gateway's heartbeat cannot be read"
    AGAIN = "the gateway was started again after an end that it did not announce"


class What(Enum):
    """What a look found."""

    NOBODY = "nobody"
    """There is no gateway to watch: none began, or it was dealt with, or it ended in order."""
    FINE = "fine"
    LATE = "late"
    """Half of the timeout has passed: said once."""
    BACK = "back"
    """It was late and goes on: a false alarm, or of another run, `Kind.AGAIN`."""
    MISSED = "missed"
    STOOD_DOWN = "stood down"
    """It ended in order while we watched."""


class Finding(NamedTuple):
    """One look's result; `silent_ns` is how long no progress was seen."""

    what: What
    kind: Kind | None = None
    silent_ns: int = 0

    def says(self) -> str:
        """One line for people."""
        cause = "" if self.kind is None else f"{self.kind.value}; "
        return f"{cause}no progress for {self.silent_ns / 1e9:.1f} s"


class Watch:
    """Follows one gateway run after another. `done` names runs that were dealt with already,
    `since` the run that this watch was begun for: one from then on that ended in order before we
    looked was ours all the same. 0: none.
    """

    def __init__(self, *, done: frozenset[int] = frozenset(), since: int = 0) -> None:
        self._since = since
        self._done = set(done)
        self._run = 0
        self._progress = (0, 0)
        self._silent_ns = 0
        self._looked_ns: int | None = None
        self._late: Kind | None = None
        self._seen_alive = False
        self._durable = 0
        self._unwritten_ns = 0

    @property
    def run_ns(self) -> int:
        """The run that is watched; 0 when none was seen."""
        return self._run

    def dealt_with(self) -> None:
        """The run that is watched needs nobody any more."""
        self._done.add(self._run)

    def look(
        self, beat: Beat | None, process: ProcessSeen | None, now_ns: int, timeout_ns: int
    ) -> Finding:
        """Judge what is seen now. `process` is what runs under the beat's process id."""
        passed_ns = 0 if self._looked_ns is None else now_ns - self._looked_ns
        passed_ns = max(0, min(passed_ns, LOOK_NS_MAX))
        self._looked_ns = now_ns
        if beat is None and (self._run == 0 or self._run in self._done):
            return Finding(What.NOBODY)
        if beat is not None and beat.run_ns != self._run:
            self._begin(beat)
        if self._run in self._done:
            return Finding(What.NOBODY)
        if beat is not None and beat.phase is Phase.STOPPED:
            self._done.add(self._run)
            return Finding(What.STOOD_DOWN if self._seen_alive else What.NOBODY)
        if beat is not None and (beat.iteration, beat.beat_ns) != self._progress:
            self._progress = (beat.iteration, beat.beat_ns)
            if beat.phase in _AT_WORK:
                return self._moved(beat, passed_ns, timeout_ns)
        self._silent_ns += passed_ns
        return self._still(beat, process, timeout_ns)

    def _begin(self, beat: Beat) -> None:
        if self._run == 0 or self._run in self._done:
            self._silent_ns = 0
            self._late = None
        else:  # the run before was missed by nobody yet: its silence goes on until this one works
            self._late = Kind.AGAIN
        self._run = beat.run_ns
        self._progress = (beat.iteration, beat.beat_ns)
        self._seen_alive = 0 < self._since <= beat.run_ns
        self._durable, self._unwritten_ns = beat.durable, 0

    def _moved(self, beat: Beat, passed_ns: int, timeout_ns: int) -> Finding:
        silent_ns, self._silent_ns = self._silent_ns, 0
        self._seen_alive = True
        if beat.oldest_call_age_ns > timeout_ns + CALL_NS_MAX:
            return Finding(What.MISSED, Kind.STUCK_CALL, beat.oldest_call_age_ns)
        is_written = beat.durable != self._durable or beat.durable >= beat.sequence
        self._durable = beat.durable
        self._unwritten_ns = 0 if is_written else self._unwritten_ns + passed_ns
        if self._unwritten_ns:
            allowed_ns = timeout_ns + JOURNAL_NS_MAX
            return self._overdue(Kind.JOURNAL, self._unwritten_ns, allowed_ns)
        if self._late is None:
            return Finding(What.FINE)
        kind = Kind.SLOW if self._late is Kind.HUNG else self._late
        self._late = None
        return Finding(What.BACK, kind, silent_ns)

    def _still(self, beat: Beat | None, process: ProcessSeen | None, timeout_ns: int) -> Finding:
        kind = _kind(beat, process)
        longer_ns = 0 if beat is None or kind is Kind.GONE else _LONGER_NS.get(beat.phase, 0)
        return self._overdue(kind, self._silent_ns, timeout_ns + longer_ns)

    def _overdue(self, kind: Kind, silent_ns: int, allowed_ns: int) -> Finding:
        if silent_ns >= allowed_ns:
            return Finding(What.MISSED, kind, silent_ns)
        if silent_ns * 2 >= allowed_ns and self._late is None:
            self._late = kind
            return Finding(What.LATE, kind, silent_ns)
        return Finding(What.FINE, silent_ns=silent_ns)


def _kind(beat: Beat | None, process: ProcessSeen | None) -> Kind:
    if beat is None:
        return Kind.UNREADABLE
    if process is None or process.start_ticks != beat.start_ticks or process.state in _DEAD:
        return Kind.GONE
    return Kind.STOPPED if process.state in {"T", "t"} else Kind.HUNG
