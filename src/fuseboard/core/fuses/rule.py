"""The rule fuse: a circuit breaker of the policy, over a condition of measures.

The condition is judged elsewhere (`core.breakers`); this is the machine that takes the verdicts.
One that holds trips the fuse: at once, or when the condition is over equity, once the breach is
confirmed as every breach of equity is. `NOTIFY` and `REDUCE` are gauges: they come with the
condition and go when it has failed for the rule's cooldown. A condition that cannot be judged asks
for REDUCE_ONLY until it can: the unknown denies new risk and never closes or kills. That is a gauge
too.
"""

from msgspec import Struct

from fuseboard.core.fuses.confirmation import BOOKS_SOURCE, BROKER_SOURCE, confirms
from fuseboard.core.fuses.machine import (
    LATCHED,
    POSTURE_OF,
    FuseEvent,
    FuseState,
    Outcome,
    Transition,
    transition,
)
from fuseboard.policy.rules import BreakerRule
from fuseboard.vocabulary.actions import Action
from fuseboard.vocabulary.identifiers import trip_id
from fuseboard.vocabulary.postures import Posture


class RuleFuse(Struct, kw_only=True):
    """One breaker on one scope; all of it is in the snapshot."""

    name: str
    scope: str
    rule: BreakerRule
    state: FuseState = FuseState.ARMED
    generation: int = 1
    said: str = ""
    """The condition and the numbers it was last judged by."""
    breach_source: str = ""
    breach_boot_ns: int = 0
    unconfirmed: bool = False
    unknown: bool = False
    notified: bool = False
    failing_boot_ns: int | None = None
    """Since when a gauge's condition has failed again; None while it holds or nothing shows."""
    tripped_boot_ns: int = 0
    trips_wall_ns: list[int] = []
    resets_wall_ns: list[int] = []
    exhausted: bool = False
    """HALTED because it was reset too often: the calendar does not reset it."""

    def holds(self, source: str, boot_ns: int, *, equity: bool) -> FuseEvent | None:
        """The condition holds; the event that this calls for.

        `equity`: it is over equity, and `source` is what moved it.
        """
        self.failing_boot_ns = None
        if self.rule.action is Action.NOTIFY:
            return None
        if self.rule.action is Action.REDUCE:
            return FuseEvent.WARNED if self.state is FuseState.MONITORING else None
        return self._breached(source, boot_ns) if equity else FuseEvent.BREACHED

    def _breached(self, source: str, boot_ns: int) -> FuseEvent | None:
        began = self.breach_source
        if not began:
            self.breach_source, self.breach_boot_ns = source, boot_ns
            return None
        if confirms(began, source):
            return FuseEvent.BREACHED
        if began == BOOKS_SOURCE:
            self.breach_source = source  # the first mark of a breach that a fill began
        return None

    def doubt(self, source: str, boot_ns: int) -> None:
        """It holds by one report only: a breach that waits for the next one."""
        if not self.breach_source:
            self.breach_source, self.breach_boot_ns = source, boot_ns

    def fails(self, boot_ns: int) -> FuseEvent | None:
        """The condition fails: a breach is withdrawn, and a gauge goes after its cooldown."""
        self.withdraw()
        if not self.notified and self.state is not FuseState.WARNING:
            return None
        if self.failing_boot_ns is None:
            self.failing_boot_ns = boot_ns
        if boot_ns - self.failing_boot_ns < self.rule.cooldown_ns:
            return None
        self.failing_boot_ns, self.notified = None, False
        return FuseEvent.CLEARED if self.state is FuseState.WARNING else None

    def judged_by_broker(self, boot_ns: int, *, holds: bool, blind: bool) -> FuseEvent | None:
        """The condition over the broker's own equity: it confirms, or raises the question.

        `blind` says that our own marks cannot answer it; then twice in a row is enough.
        """
        if not holds:
            if self.breach_source == BROKER_SOURCE:
                self.withdraw()
            return None
        if blind and self.breach_source == BROKER_SOURCE:
            return FuseEvent.BREACHED
        return self._breached(BROKER_SOURCE, boot_ns)

    def withdraw(self) -> None:
        """A figure that does not breach withdraws a breach, whoever reported it."""
        self.breach_source, self.unconfirmed = "", False

    def check_confirmation(self, boot_ns: int) -> bool:
        """Whether an unconfirmed breach has just become too old; then REDUCE_ONLY is asked."""
        due = self.breach_source and boot_ns >= self.breach_boot_ns + self.rule.confirm_ns_max
        if due and not self.unconfirmed and self.watching():
            self.unconfirmed = True
            return True
        return False

    def move(self, event: FuseEvent) -> Transition | Outcome:
        """Let the table decide about `event`; the state is changed here and nowhere else."""
        row = transition(self.state, event)
        if isinstance(row, Transition):
            self.state = row.after
            self.exhausted = event is FuseEvent.RESETS_EXHAUSTED
            if row.after is not row.before:
                self.withdraw()
                self.failing_boot_ns = None
        return row

    def watching(self) -> bool:
        """Whether numbers may still trip this fuse."""
        return self.state is FuseState.MONITORING or self.state is FuseState.WARNING

    def latched(self) -> bool:
        """Whether only a person can loosen this fuse."""
        return self.state in LATCHED

    def posture(self) -> Posture:
        """The posture this fuse asks its scope for: its state's, and its gauges'."""
        asked = POSTURE_OF[self.state]
        doubtful = self.unconfirmed or (self.unknown and self.rule.action is not Action.NOTIFY)
        return max(asked, Posture.REDUCE_ONLY) if doubtful else asked

    def trip(self) -> str:
        """The id of the trip of the present arming."""
        return trip_id(fuse=self.name, generation=self.generation)
