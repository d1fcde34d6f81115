"""When a breach is confirmed, for every fuse that judges equity; and what counts within a day.

One bad print must not sell an account. A breach trips on its second report: by the same symbol's
next mark, or by a second source, the broker's own equity. Fills, cash and comparisons are no marks
and confirm nothing by themselves.
"""

from typing import Final

from msgspec import Struct

from fuseboard.vocabulary.money import NANOS

BROKER_SOURCE: Final = "(broker)"
BOOKS_SOURCE: Final = "(books)"
"""Equity changed without a mark: a fill, cash, a comparison, a reset, a session's roll."""
_NO_MARKS: Final = (BROKER_SOURCE, BOOKS_SOURCE)
DAY_NS: Final = 24 * 3600 * NANOS


def confirms(began: str, source: str) -> bool:
    """Whether a breach that `began` by one source is confirmed by this report of another."""
    if (source == BROKER_SOURCE) != (began == BROKER_SOURCE):
        return True
    return source == began and source not in _NO_MARKS


class Breach(Struct):
    """A fuse's breach that waits for its confirmation; without a source there is none."""

    source: str = ""
    began_boot_ns: int = 0
    unconfirmed: bool = False
    """Whether it has waited too long: then REDUCE_ONLY is asked."""

    def begin(self, source: str, boot_ns: int) -> None:
        """The first report; further ones change nothing here."""
        if not self.source:
            self.source, self.began_boot_ns = source, boot_ns

    def report(self, source: str, boot_ns: int) -> bool:
        """A figure breaches; whether this report confirms an earlier one."""
        began = self.source
        if not began:
            self.begin(source, boot_ns)
            return False
        if confirms(began, source):
            return True
        if began == BOOKS_SOURCE:
            self.source = source  # the first mark of a breach that a fill began
        return False

    def report_by_broker(self, boot_ns: int, *, breaches: bool, blind: bool) -> bool:
        """Judge by the broker's own equity: it confirms a breach of ours, or raises the question.

        `blind` says that our own marks cannot answer it; then twice in a row is enough. A figure
        that does not breach withdraws only what the broker reported.
        """
        if not breaches:
            if self.source == BROKER_SOURCE:
                self.withdraw()
            return False
        if blind and self.source == BROKER_SOURCE:
            return True
        return self.report(BROKER_SOURCE, boot_ns)

    def withdraw(self) -> None:
        """A figure of ours that does not breach withdraws a breach, whoever reported it."""
        self.source, self.unconfirmed = "", False

    def overdue_boot_ns(self, confirm_ns_max: int) -> int:
        """When it will have waited too long; 0 when nothing waits."""
        if not self.source or self.unconfirmed:
            return 0
        return self.began_boot_ns + confirm_ns_max

    def grows_old(self, boot_ns: int, confirm_ns_max: int) -> bool:
        """Whether it has just become too old."""
        due_boot_ns = self.overdue_boot_ns(confirm_ns_max)
        if not due_boot_ns or boot_ns < due_boot_ns:
            return False
        self.unconfirmed = True
        return True


def counted_within_a_day(times_boot_ns: list[int], now_boot_ns: int) -> list[int]:
    """The times that lie within the last 24 hours, as boot time counts them: a wall clock that is
    set on ages nothing, nor does the time while the machine was off.
    """
    return [at for at in times_boot_ns if now_boot_ns - at < DAY_NS]
