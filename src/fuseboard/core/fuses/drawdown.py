"""The drawdown fuse: trips when equity has fallen by the limit from its high-water mark.

Exact and cheap. Equity and mark are integers in atto-units, the limit is a fraction in nano-units.
`drawdown >= limit` is `equity * 10^9 <= mark * (10^9 - limit)`; the right side is divided down
once, when the mark rises, which for an integer equity is the same comparison. What is left for an
equity that changes nothing is one chained comparison.

A breach is confirmed before it trips (one bad print must not sell an account): by a second mark
of the same symbol that still breaches, or by a second source, the broker's own equity. A fill is
no mark and confirms nothing by itself. While our own marks are blind, the broker's equity counts
as marks do: twice in a row. A breach that is neither confirmed nor withdrawn within
`confirm_ns_max` asks for REDUCE_ONLY, and lets go when the numbers do: that part is a gauge. The
trip itself is a latch.
"""

from typing import Final

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
from fuseboard.policy.rules import LossRule
from fuseboard.vocabulary.identifiers import trip_id
from fuseboard.vocabulary.money import NANOS, rounded_half_up
from fuseboard.vocabulary.postures import Posture

BROKER_SOURCE: Final = "(broker)"
BOOKS_SOURCE: Final = "(books)"
"""Equity changed without a mark: a fill, cash, a comparison, a reset."""
_NO_MARKS: Final = (BROKER_SOURCE, BOOKS_SOURCE)
DAY_NS: Final = 24 * 3600 * NANOS


class DrawdownFuse(Struct, kw_only=True):
    """One drawdown fuse with its mark; all of it is in the snapshot."""

    name: str
    scope: str
    rule: LossRule
    state: FuseState = FuseState.ARMED
    generation: int = 1
    equity_attos: int = 0
    mark_attos: int = 0
    floor_attos: int = 0
    calm_floor_attos: int = 0
    """Above this and not above the mark, an equity changes nothing in the present state."""
    breach_source: str = ""
    breach_boot_ns: int = 0
    unconfirmed: bool = False
    tripped_boot_ns: int = 0
    trips_wall_ns: list[int] = []
    resets_wall_ns: list[int] = []

    def watch(self, equity_attos: int, source: str, boot_ns: int) -> FuseEvent | None:
        """Judge one equity; the event it calls for, None when it changes nothing.

        `source` is the symbol whose mark moved equity, or `BOOKS_SOURCE`.
        """
        if self.calm_floor_attos < equity_attos <= self.mark_attos:
            self.equity_attos = equity_attos
            return None
        return self._watch_closely(equity_attos, source, boot_ns)

    def _watch_closely(self, equity_attos: int, source: str, boot_ns: int) -> FuseEvent | None:
        self.equity_attos = equity_attos
        if self.state is FuseState.ARMED:
            return FuseEvent.MARKED
        if not self.watching():
            return None
        if equity_attos <= self.floor_attos:
            return self._breached(source, boot_ns)
        self._withdraw()
        if equity_attos > self.mark_attos:
            self._raise_mark(equity_attos)
        return self._gauge(equity_attos)

    def watch_broker(self, equity_attos: int, boot_ns: int, *, blind: bool) -> FuseEvent | None:
        """Judge the broker's own equity: it confirms a breach of ours, or raises the question.

        `blind` says that our own marks cannot answer it.
        """
        if not self.watching():
            return None
        if equity_attos > self.floor_attos:
            if self.breach_source == BROKER_SOURCE:
                self._withdraw()
            return None
        if blind and self.breach_source == BROKER_SOURCE:
            self.equity_attos = equity_attos
            return FuseEvent.BREACHED
        return self._breached(BROKER_SOURCE, boot_ns)

    def _breached(self, source: str, boot_ns: int) -> FuseEvent | None:
        began = self.breach_source
        if not began:
            self.breach_source, self.breach_boot_ns = source, boot_ns
            self.set_calm_floor()
            return None
        if (source == BROKER_SOURCE) != (began == BROKER_SOURCE):
            return FuseEvent.BREACHED
        if source == began and source not in _NO_MARKS:
            return FuseEvent.BREACHED
        if began == BOOKS_SOURCE:
            self.breach_source = source  # the first mark of a breach that a fill began
        return None

    def _withdraw(self) -> None:
        """A figure above the floor withdraws a breach, whoever reported it."""
        if self.breach_source:
            self.breach_source, self.unconfirmed = "", False
            self.set_calm_floor()
        assert not self.unconfirmed, self.name

    def _gauge(self, equity_attos: int) -> FuseEvent | None:
        """The warning level, with hysteresis."""
        warning_nanos, clear_nanos = self.rule.warning_nanos, self.rule.warning_clear_nanos
        if warning_nanos is None:
            return FuseEvent.CLEARED if self.state is FuseState.WARNING else None
        if self.state is FuseState.MONITORING:
            return FuseEvent.WARNED if equity_attos <= self._floor(warning_nanos) else None
        if clear_nanos is None:
            clear_nanos = warning_nanos
        return FuseEvent.CLEARED if equity_attos > self._floor(clear_nanos) else None

    def _floor(self, fraction_nanos: int) -> int:
        """The greatest equity that has lost at least this fraction of the mark."""
        return self.mark_attos * (NANOS - fraction_nanos) // NANOS

    def _raise_mark(self, equity_attos: int) -> None:
        self.mark_attos = equity_attos
        self.floor_attos = self._floor(self.rule.limit_nanos)
        self.set_calm_floor()

    def set_calm_floor(self) -> None:
        """Recompute the one comparison of the hot path; call when state, mark or breach changed."""
        watching_closely = (
            self.state is not FuseState.MONITORING or self.breach_source or self.unconfirmed
        )
        if watching_closely:
            self.calm_floor_attos = self.mark_attos
        elif self.rule.warning_nanos is not None:
            self.calm_floor_attos = self._floor(self.rule.warning_nanos)
        else:
            self.calm_floor_attos = self.floor_attos

    def take_mark(self, reference_attos: int) -> None:
        """The first mark of an arming: the reference that losses are measured from."""
        self._raise_mark(reference_attos)

    def adopt_rule(self, rule: LossRule) -> None:
        """Follow a new policy's numbers; state and mark stay as they are."""
        self.rule = rule
        self.floor_attos = self._floor(rule.limit_nanos)
        self.set_calm_floor()

    def rebase_by_ratio(self, *, before_attos: int, after_attos: int) -> None:
        """Money moved for a known reason: scale the mark so that the drawdown does not change.

        Rounded up, against the trader. Ignored when there is no reference to scale.
        """
        if self.mark_attos > 0 and before_attos > 0 and after_attos > 0:
            self.equity_attos = self.equity_attos * after_attos // before_attos
            self._raise_mark(-(-self.mark_attos * after_attos // before_attos))

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
            if row.after is not row.before:
                self.breach_source, self.unconfirmed = "", False
            self.set_calm_floor()
        return row

    def breaches(self) -> bool:
        """Whether the last equity still breaches: asked when a person resets without rebasing."""
        return self.equity_attos <= self.floor_attos

    def watching(self) -> bool:
        """Whether numbers may still trip this fuse."""
        return self.state is FuseState.MONITORING or self.state is FuseState.WARNING

    def latched(self) -> bool:
        """Whether only a person can loosen this fuse."""
        return self.state in LATCHED

    def posture(self) -> Posture:
        """The posture this fuse asks its scope for: its state's, and its gauge's."""
        asked = POSTURE_OF[self.state]
        return max(asked, Posture.REDUCE_ONLY) if self.unconfirmed else asked

    def trip(self) -> str:
        """The id of the trip of the present arming."""
        return trip_id(fuse=self.name, generation=self.generation)

    def drawdown_nanos(self) -> int:
        """The fraction lost from the mark, 1 = 10^9, half up: for showing, never for judging."""
        if self.mark_attos <= 0:
            return 0
        return rounded_half_up((self.mark_attos - self.equity_attos) * NANOS, self.mark_attos)


def counted_within_a_day(times_wall_ns: list[int], now_wall_ns: int) -> list[int]:
    """The times that lie within the last 24 hours."""
    return [at for at in times_wall_ns if now_wall_ns - at < DAY_NS]
