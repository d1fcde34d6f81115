"""The rule fuse: a circuit breaker of the policy, over a condition of measures.

The condition is judged elsewhere (`core.breakers`); this is the machine that takes the verdicts.
One that holds trips the fuse: at once, or when the condition is over equity, once the breach is
confirmed as every breach of equity is. `NOTIFY` and `REDUCE` are gauges: they come with the
condition and go when it has failed for the rule's cooldown. A condition that cannot be judged asks
for REDUCE_ONLY until it can: the unknown denies new risk and never closes or kills. That is a gauge
too.
"""

from msgspec import Struct, field

from fuseboard.core.fuses.confirmation import Breach
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
    breach: Breach = field(default_factory=Breach)
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
        confirmed = not equity or self.breach.report(source, boot_ns)
        return FuseEvent.BREACHED if confirmed else None

    def fails(self, boot_ns: int) -> FuseEvent | None:
        """The condition fails: a breach is withdrawn, and a gauge goes after its cooldown."""
        self.breach.withdraw()
        if not self.notified and self.state is not FuseState.WARNING:
            return None
        if self.failing_boot_ns is None:
            self.failing_boot_ns = boot_ns
        if boot_ns - self.failing_boot_ns < self.rule.cooldown_ns:
            return None
        self.failing_boot_ns, self.notified = None, False
        return FuseEvent.CLEARED if self.state is FuseState.WARNING else None

    def check_confirmation(self, boot_ns: int) -> bool:
        """Whether an unconfirmed breach has just become too old; then REDUCE_ONLY is asked."""
        return self.watching() and self.breach.grows_old(boot_ns, self.rule.confirm_ns_max)

    def move(self, event: FuseEvent) -> Transition | Outcome:
        """Let the table decide about `event`; the state is changed here and nowhere else."""
        row = transition(self.state, event)
        if isinstance(row, Transition):
            self.state = row.after
            self.exhausted = event is FuseEvent.RESETS_EXHAUSTED
            if row.after is not row.before:
                self.breach.withdraw()
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
        doubtful = self.breach.unconfirmed or (
            self.unknown and self.rule.action is not Action.NOTIFY
        )
        return max(asked, Posture.REDUCE_ONLY) if doubtful else asked

    def trip(self) -> str:
        """The id of the trip of the present arming."""
        return trip_id(fuse=self.name, generation=self.generation)
