"""The latch: a fuse without numbers. Operators, the register and faults of ours move it.

One per scope, made when first asked for. It uses the same machine as every fuse; `ARMED` and
`MONITORING` both mean that nobody holds this scope.
"""

from msgspec import Struct

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
from fuseboard.vocabulary.reasons import Reason


class Latch(Struct, kw_only=True):
    """One latch on one scope."""

    name: str
    scope: str
    state: FuseState = FuseState.ARMED
    generation: int = 1
    reason: Reason = Reason.ALLOWED
    resets_wall_ns: list[int] = []

    def move(self, event: FuseEvent) -> Transition | Outcome:
        """Let the table decide about `event`."""
        row = transition(self.state, event)
        if isinstance(row, Transition):
            self.state = row.after
        return row

    def latched(self) -> bool:
        """Whether only a person can loosen this latch."""
        return self.state in LATCHED

    def posture(self) -> Posture:
        """The posture this latch asks its scope for."""
        return POSTURE_OF[self.state]

    def trip(self) -> str:
        """The id of the present arming's trip."""
        return trip_id(fuse=self.name, generation=self.generation)
