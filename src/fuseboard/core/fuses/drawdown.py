"""The drawdown fuse: trips when equity has fallen by the limit from its reference.

Exact and cheap. Equity and mark are integers in atto-units, the limit is a fraction in nano-units.
`drawdown >= limit` is `equity * 10^9 <= mark * (10^9 - limit)`; the right side is divided down
once, when the mark moves, which for an integer equity is the same comparison. What is left for an
equity that changes nothing is one chained comparison, whatever the mark is a reference of.

The mark is the highest equity since the session rolled, of the last sessions, or ever, and then it
rises with equity; or it is the equity at which the session, the week or the month opened, and then
it stays. `roll` is the only thing that may lower a mark without a person.

A steep rise of the mark is confirmed too: the second report counts, and the lower of the two.
A breach is confirmed before it trips (one bad print must not sell an account): see
`core.fuses.confirmation`. While our own marks are blind, the broker's equity counts as marks do:
twice in a row. A breach that is neither confirmed nor withdrawn within `confirm_ns_max` asks for
REDUCE_ONLY, and lets go when the numbers do: that part is a gauge. The trip itself is a latch.
"""

from typing import Final

from msgspec import field

from fuseboard.core.fuses.confirmation import BROKER_SOURCE, confirms
from fuseboard.core.fuses.fuse import TrippingFuse
from fuseboard.core.fuses.machine import FuseEvent, FuseState, Outcome, Transition
from fuseboard.core.fuses.window import PeakWindow
from fuseboard.policy.rules import LossRule
from fuseboard.vocabulary.actions import Reference
from fuseboard.vocabulary.money import NANOS, rounded_half_up

_NO_CEILING_ATTOS: Final = 10**40
"""More than any equity: nothing above a mark that stays is news."""
STEEP_PARTS: Final = 5
"""A rise by more than this part of the limit in one step is steep: a fifth."""
_STAYING: Final = (Reference.SESSION_OPEN, Reference.WEEK_OPEN, Reference.MONTH_OPEN)


class DrawdownFuse(TrippingFuse, kw_only=True):
    """One drawdown fuse with its mark; all of it is in the snapshot."""

    rule: LossRule
    equity_attos: int = 0
    mark_attos: int = 0
    floor_attos: int = 0
    calm_floor_attos: int = 0
    calm_ceiling_attos: int = 0
    """Above the floor and not above this, an equity changes nothing in the present state."""
    session_peak_attos: int = 0
    """The highest equity of this session; kept for a rolling peak only."""
    peaks: PeakWindow = field(default_factory=lambda: PeakWindow(days=0))
    """Of the ended sessions that a rolling peak looks back on."""
    high_source: str = ""
    """Whose print rose steeply above the reference and waits for a second one; empty: nobody's."""
    high_attos: int = 0

    def watch(self, equity_attos: int, source: str, boot_ns: int) -> FuseEvent | None:
        """Judge one equity; the event it calls for, None when it changes nothing.

        `source` is the symbol whose mark moved equity, or `BOOKS_SOURCE`.
        """
        if self.calm_floor_attos < equity_attos <= self.calm_ceiling_attos:
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
            self._forget_high()
            confirmed = self.breach.report(source, boot_ns)
            self.set_calm_floor()
            return FuseEvent.BREACHED if confirmed else None
        if self.breach.source:
            self.breach.withdraw()
            self.set_calm_floor()
        self._rise(equity_attos, source)
        return self._gauge(equity_attos)

    def watch_broker(self, equity_attos: int, boot_ns: int, *, blind: bool) -> FuseEvent | None:
        """Judge the broker's own equity, a second source: see `Breach.report_by_broker`."""
        if not self.watching():
            return None
        twice = blind and self.breach.source == BROKER_SOURCE
        breaches = equity_attos <= self.floor_attos
        confirmed = self.breach.report_by_broker(boot_ns, breaches=breaches, blind=blind)
        self.set_calm_floor()
        if not confirmed:
            return None
        if twice:
            self.equity_attos = equity_attos  # the figure that tripped it
        return FuseEvent.BREACHED

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

    def _rise(self, equity_attos: int, source: str) -> None:
        """Raise what this equity is above: the session's peak, and a mark that rises.

        A steep rise waits for a second report, and then the lower of the two counts: measured
        from one print that is too high, the return to normal would look like a loss.
        """
        reference = self.rule.reference
        if reference in _STAYING:
            return
        rolling = reference is Reference.ROLLING_PEAK
        peak_attos = self.session_peak_attos if rolling else self.mark_attos
        if equity_attos <= peak_attos:
            self._forget_high()
            return
        steep_attos = self.mark_attos * (self.rule.limit_nanos // STEEP_PARTS)
        if (equity_attos - peak_attos) * NANOS > steep_attos:
            began, high_attos = self.high_source, self.high_attos
            if not began or not confirms(began, source):
                if not began or equity_attos < high_attos:
                    self.high_source, self.high_attos = began or source, equity_attos
                    self.set_calm_floor()
                return
            self.high_source, self.high_attos = source, equity_attos
            equity_attos = min(equity_attos, high_attos)
        else:
            self._forget_high()
        if rolling and equity_attos > self.session_peak_attos:
            self.session_peak_attos = equity_attos
            self.set_calm_floor()
        if equity_attos > self.mark_attos:
            self._set_mark(equity_attos)

    def _forget_high(self) -> None:
        if self.high_source:
            self.high_source, self.high_attos = "", 0
            self.set_calm_floor()

    def _set_mark(self, mark_attos: int) -> None:
        self.mark_attos = mark_attos
        self.floor_attos = self._floor(self.rule.limit_nanos)
        self.set_calm_floor()

    def set_calm_floor(self) -> None:
        """Recompute the one comparison of the hot path; call when state, mark or breach changed."""
        watching_closely = (
            self.state is not FuseState.MONITORING or self.breach.source or self.high_source
        )
        if watching_closely:
            self.calm_floor_attos = self.calm_ceiling_attos = self.mark_attos
            return
        self.calm_floor_attos = self.floor_attos
        if self.rule.warning_nanos is not None:
            self.calm_floor_attos = self._floor(self.rule.warning_nanos)
        self.calm_ceiling_attos = self.mark_attos
        if self.rule.reference is Reference.ROLLING_PEAK:
            self.calm_ceiling_attos = self.session_peak_attos
        elif self.rule.reference in _STAYING:
            self.calm_ceiling_attos = _NO_CEILING_ATTOS

    def take_mark(self, reference_attos: int) -> None:
        """The first mark of an arming: the reference that losses are measured from."""
        self._forget_high()
        self.peaks.forget()
        self.session_peak_attos = reference_attos
        self._set_mark(reference_attos)

    def roll(self, equity_attos: int, *, week: bool, month: bool) -> bool:
        """A session began at this equity (and with it, perhaps, a week or a month).

        Whether the mark moved. An equity that is nothing, or a fuse that has no mark yet, rolls
        nothing: there would be no reference to lose a fraction of.
        """
        reference = self.rule.reference
        stays = (
            (reference is Reference.PEAK)
            or (reference is Reference.WEEK_OPEN and not week)
            or (reference is Reference.MONTH_OPEN and not month)
        )
        if stays or equity_attos <= 0 or self.mark_attos <= 0:
            return False
        self._forget_high()
        mark_attos = equity_attos
        if reference is Reference.ROLLING_PEAK:
            days = max(0, self.rule.window_days - 1)
            if self.peaks.days != days:
                self.peaks = self.peaks.resized(days)
            self.peaks.push(self.session_peak_attos)
            self.session_peak_attos = equity_attos
            mark_attos = max(equity_attos, self.peaks.peak() or 0)
        before_attos = self.mark_attos
        self._set_mark(mark_attos)
        return mark_attos != before_attos

    def adopt_rule(self, rule: LossRule) -> None:
        """Follow a new policy's numbers; state and mark stay as they are."""
        if self.rule.reference is not Reference.ROLLING_PEAK:
            self.session_peak_attos = self.mark_attos
        self.rule = rule
        self.floor_attos = self._floor(rule.limit_nanos)
        self.set_calm_floor()

    def rebase_by_ratio(self, *, before_attos: int, after_attos: int) -> None:
        """Money moved for a known reason: scale the mark so that the drawdown does not change.

        Rounded up, against the trader. Ignored when there is no reference to scale.
        """
        if self.mark_attos > 0 and before_attos > 0 and after_attos > 0:
            self._forget_high()
            self.equity_attos = self.equity_attos * after_attos // before_attos
            self.session_peak_attos = -(-self.session_peak_attos * after_attos // before_attos)
            self.peaks.rescale(before_attos=before_attos, after_attos=after_attos)
            self._set_mark(-(-self.mark_attos * after_attos // before_attos))

    def move(self, event: FuseEvent) -> Transition | Outcome:
        """Let the table decide about `event`; only a fuse that watches waits for a second high."""
        row = super().move(event)
        if not self.watching():
            self.high_source, self.high_attos = "", 0
        self.set_calm_floor()
        return row

    def breaches(self) -> bool:
        """Whether the last equity still breaches: asked when a person resets without rebasing."""
        return self.equity_attos <= self.floor_attos

    def drawdown_nanos(self) -> int:
        """The fraction lost from the mark, 1 = 10^9, half up: for showing, never for judging."""
        if self.mark_attos <= 0:
            return 0
        return rounded_half_up((self.mark_attos - self.equity_attos) * NANOS, self.mark_attos)
