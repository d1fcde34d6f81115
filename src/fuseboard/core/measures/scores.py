"""How trading goes on one scope: closed trades, fills, submits, errors, in bounded windows.

A window that is not full yet counts what is missing as good: own history that is not there
condemns nobody, or no account could begin. Windows survive restarts; `reset --rebase` empties them.
"""

from typing import Final

from msgspec import Struct

from fuseboard.vocabulary.money import NANOS

LOSSES_MAX: Final = 100
"""A run of losses is counted over the last so many closed trades."""
FILLS: Final = 50
SUBMITS: Final = 100
ERRORS_MAX: Final = 1_000
"""The newest errors that are kept; more in one hour count as so many."""
HOUR_NS: Final = 3_600 * NANOS
FULL_SCORE: Final = 100


class Trade(Struct):
    """One symbol from flat to flat: what is held of it and what has been paid for it so far."""

    quantity_nanos: int = 0
    paid_attos: int = 0

    def follow(self, held_nanos: int, *, filled_nanos: int, cost_attos: int) -> int | None:
        """A fill brought the position to `held_nanos`; the trade's result when that closed it.

        `filled_nanos` and `cost_attos` are the fill's, signed as bought; only the part by which
        this position moved counts. Costs are rounded up, against the trader. A fill that goes
        through zero closes one trade and opens the next.
        """
        before_nanos = self.quantity_nanos
        moved_nanos = held_nanos - before_nanos
        if moved_nanos == 0:
            return None
        paid_attos = -(-cost_attos * moved_nanos // filled_nanos)
        self.quantity_nanos = held_nanos
        if before_nanos == 0 or before_nanos * held_nanos > 0:
            self.paid_attos += paid_attos
            return None
        closing_attos = -(paid_attos * before_nanos // moved_nanos)
        result_attos = -(self.paid_attos + closing_attos)
        self.paid_attos = paid_attos - closing_attos
        return result_attos


class Score(Struct):
    """The windows of one scope."""

    losses: int = 0
    """Closed trades that lost, one after the other, up to now."""
    losses_before: int = 0
    """The same before the first of `results_attos`: a late fee may still make them losses."""
    results_attos: list[int] = []
    """Of the trades that closed since the broker's cash last agreed with ours, oldest first."""
    settled: bool = False
    """Whether it has agreed since the last of them closed."""
    shortfalls_nanos: list[int] = []
    """What the last fills scored less than 100, oldest first."""
    rejected: list[int] = []
    """Of the last submits, 1 for each that the broker rejected."""
    errors_boot_ns: list[int] = []

    def closed(self, result_attos: int) -> None:
        """A trade closed with this result, its fills' fees not counted yet."""
        if self.settled:
            self.losses_before, self.results_attos, self.settled = self.losses, [], False
        self.results_attos.append(result_attos)
        if len(self.results_attos) > LOSSES_MAX:
            self.losses_before = _streak(self.losses_before, self.results_attos.pop(0))
        self.losses = _streak(self.losses, result_attos)

    def charge(self, fee_attos: int) -> None:
        """A fee for each trade that closed since cash last agreed came to light."""
        self.results_attos = [result_attos - fee_attos for result_attos in self.results_attos]
        self.losses, self.settled = self.losses_before, True
        for result_attos in self.results_attos:
            self.losses = _streak(self.losses, result_attos)

    def filled(self, *, expected_attos: int, adverse_attos: int, allowed_nanos: int) -> None:
        """A fill that cost `adverse_attos` more (or brought less) than was expected of it.

        Within the allowed fraction of what was expected it scores 100.
        """
        shortfall_nanos = 0
        if adverse_attos * NANOS > allowed_nanos * expected_attos:
            points_nanos = -(-adverse_attos * 10_000 * NANOS // expected_attos)
            shortfall_nanos = min(points_nanos, FULL_SCORE * NANOS)
        self.shortfalls_nanos.append(shortfall_nanos)
        del self.shortfalls_nanos[:-FILLS]

    def submitted(self, *, rejected: bool) -> None:
        """The broker took or rejected a submit."""
        self.rejected.append(int(rejected))
        del self.rejected[:-SUBMITS]

    def failed(self, boot_ns: int) -> None:
        """An error happened now."""
        recent = [at for at in self.errors_boot_ns if boot_ns - at < HOUR_NS]
        self.errors_boot_ns = [*recent, boot_ns][-ERRORS_MAX:]

    def fill_points_nanos(self) -> int:
        """The scores of the last `FILLS` fills together."""
        return FULL_SCORE * FILLS * NANOS - sum(self.shortfalls_nanos)

    def rejects(self) -> int:
        """How many of the last `SUBMITS` submits the broker rejected."""
        return sum(self.rejected)

    def errors(self, boot_ns: int) -> int:
        """How many errors happened in the last hour."""
        return sum(boot_ns - at < HOUR_NS for at in self.errors_boot_ns)


def _streak(losses: int, result_attos: int) -> int:
    """How many trades in a row have lost after one more."""
    return min(losses + 1, LOSSES_MAX) if result_attos < 0 else 0
