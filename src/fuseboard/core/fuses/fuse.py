"""What every fuse is: a name on a scope, a state of the one machine, and the trip of its arming."""

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
from fuseboard.vocabulary.identifiers import trip_id
from fuseboard.vocabulary.postures import Posture


class Fuse(Struct, kw_only=True):
    """One protective machine on one scope; all of it is in the snapshot."""

    name: str
    scope: str
    state: FuseState = FuseState.ARMED
    generation: int = 1
    resets_boot_ns: list[int] = []

    def move(self, event: FuseEvent) -> Transition | Outcome:
        """Let the table decide about `event`; the state is changed here and nowhere else."""
        row = transition(self.state, event)
        if isinstance(row, Transition):
            self.state = row.after
        return row

    def latched(self) -> bool:
        """Whether only a person can loosen this fuse."""
        return self.state in LATCHED

    def posture(self) -> Posture:
        """The posture that the state asks the scope for."""
        return POSTURE_OF[self.state]

    def trip(self) -> str:
        """The id of the trip of the present arming."""
        return trip_id(fuse=self.name, generation=self.generation)


class TrippingFuse(Fuse, kw_only=True):
    """A fuse that numbers trip, once what they say is confirmed."""

    breach: Breach = field(default_factory=Breach)
    tripped_boot_ns: int = 0
    tripped_wall_ns: int = 0
    trips_boot_ns: list[int] = []
    exhausted: bool = False
    """Reset too often: the calendar does not reset it."""

    def move(self, event: FuseEvent) -> Transition | Outcome:
        """Let the table decide about `event`; a new state has nothing to confirm."""
        before = self.state
        row = super().move(event)
        if isinstance(row, Transition):
            self.exhausted = event is FuseEvent.RESETS_EXHAUSTED
            if self.state is not before:
                self.breach.withdraw()
        return row

    def watching(self) -> bool:
        """Whether numbers may still trip this fuse."""
        return self.state is FuseState.MONITORING or self.state is FuseState.WARNING

    def grows_old(self, boot_ns: int, confirm_ns_max: int) -> bool:
        """Whether an unconfirmed breach has just become too old; then REDUCE_ONLY is asked."""
        return self.watching() and self.breach.grows_old(boot_ns, confirm_ns_max)

    def posture(self) -> Posture:
        """The posture that the state asks the scope for, and what waits for confirmation."""
        asked = POSTURE_OF[self.state]
        return max(asked, Posture.REDUCE_ONLY) if self.breach.unconfirmed else asked
