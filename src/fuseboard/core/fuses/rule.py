"""The rule fuse: a circuit breaker of the policy, over a condition of measures.

The condition is judged elsewhere (`core.breakers`); this is the machine that takes the verdicts.
One that holds trips the fuse: at once, or when the condition is over equity, once the breach is
confirmed as every breach of equity is. `NOTIFY` and `REDUCE` are gauges: they come with the
condition and go when it has failed for the rule's cooldown. A condition that cannot be judged asks
for REDUCE_ONLY until it can: the unknown denies new risk and never closes or kills. That is a gauge
too.
"""

from fuseboard.core.fuses.fuse import TrippingFuse
from fuseboard.core.fuses.machine import FuseEvent, FuseState, Outcome, Transition
from fuseboard.policy.rules import BreakerRule
from fuseboard.vocabulary.actions import Action
from fuseboard.vocabulary.postures import Posture


class RuleFuse(TrippingFuse, kw_only=True):
    """One breaker on one scope; all of it is in the snapshot."""

    rule: BreakerRule
    said: str = ""
    """The condition and the numbers it was last judged by."""
    unknown: bool = False
    notified: bool = False
    failing_boot_ns: int | None = None
    """Since when a gauge's condition has failed again; None while it holds or nothing shows."""

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

    def move(self, event: FuseEvent) -> Transition | Outcome:
        """Let the table decide about `event`; a new state forgets since when a gauge fails."""
        before = self.state
        row = super().move(event)
        if self.state is not before:
            self.failing_boot_ns = None
        return row

    def posture(self) -> Posture:
        """The posture that the state, the breach and the unknown ask the scope for."""
        asked = super().posture()
        denies = self.unknown and self.rule.action is not Action.NOTIFY
        return max(asked, Posture.REDUCE_ONLY) if denies else asked
