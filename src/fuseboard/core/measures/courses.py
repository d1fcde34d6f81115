"""The course of equity on one scope: where its periods opened, its peaks, its sessions' returns."""

from typing import Final

from msgspec import Struct, field

from fuseboard.core.fuses.window import PeakWindow
from fuseboard.core.throttles import Ring
from fuseboard.vocabulary.money import NANOS

ROLLING_SESSIONS: Final = 30
"""How many sessions `rolling_drawdown` looks back over, the present one included."""
RETURNS_MAX: Final = 252
"""How many sessions' returns are kept: a year of them."""
RETURNS_MIN: Final = 20
"""With fewer returns a Sharpe ratio says nothing."""
SESSIONS_A_YEAR: Final = 252
UNPROVEN_NANOS: Final = 1_000 * NANOS
"""What a Sharpe ratio counts as before there is one: own history that is not there yet condemns
nobody, or no account could begin."""


class Course(Struct, kw_only=True):
    """One scope's equity over time, in atto-units."""

    day_open_attos: int
    week_open_attos: int
    month_open_attos: int
    peak_attos: int
    """The highest equity of the session."""
    peaks: PeakWindow = field(default_factory=lambda: PeakWindow(days=ROLLING_SESSIONS - 1))
    returns_nanos: list[int] = []
    """The sessions' returns as fractions, rounded down, from the first that was not zero."""

    def see(self, equity_attos: int) -> None:
        """Take one equity: perhaps the session's peak."""
        self.peak_attos = max(self.peak_attos, equity_attos)

    def roll(self, equity_attos: int, *, week: bool, month: bool) -> None:
        """A session began at this equity, and with it perhaps a week or a month."""
        if self.day_open_attos > 0:
            earned_attos = equity_attos - self.day_open_attos
            earned_nanos = earned_attos * NANOS // self.day_open_attos
            if self.returns_nanos or earned_nanos:
                self.returns_nanos.append(earned_nanos)
                del self.returns_nanos[:-RETURNS_MAX]
        self.peaks.push(self.peak_attos)
        self.peak_attos = self.day_open_attos = equity_attos
        if week:
            self.week_open_attos = equity_attos
        if month:
            self.month_open_attos = equity_attos

    def rebase_by_ratio(self, *, before_attos: int, after_attos: int) -> None:
        """Money moved for a known reason: scale what equity is compared with, rounded up."""
        self.day_open_attos = -(-self.day_open_attos * after_attos // before_attos)
        self.week_open_attos = -(-self.week_open_attos * after_attos // before_attos)
        self.month_open_attos = -(-self.month_open_attos * after_attos // before_attos)
        self.peak_attos = -(-self.peak_attos * after_attos // before_attos)
        self.peaks.rescale(before_attos=before_attos, after_attos=after_attos)

    def shift(self, attos: int) -> None:
        """Move what equity is compared with by so much."""
        self.day_open_attos += attos
        self.week_open_attos += attos
        self.month_open_attos += attos
        self.peak_attos += attos
        self.peaks.shift(attos)

    def begin(self, equity_attos: int) -> None:
        """Every period begins at this equity, with no history."""
        self.returns_nanos = []
        self.peaks.forget()
        self.peak_attos = self.day_open_attos = equity_attos
        self.week_open_attos = self.month_open_attos = equity_attos

    def highest_attos(self) -> int:
        """The highest equity of the last sessions and of this one."""
        return max(self.peak_attos, self.peaks.peak() or 0)

    def sharpe_half_nanos(self) -> int:
        """The annualised Sharpe ratio of the returns kept, no riskless rate, in half nano-units.

        Mean over sample deviation, times the root of 252. No root is taken: its whole nanos are the
        most whose square is not above the ratio's own, which is a quotient of integers. A root that
        lies between two nanos stands half way, so that it compares with each nano as it is.
        `UNPROVEN_NANOS` before `RETURNS_MIN` returns, and when all are equal and none is a loss.
        """
        returns = self.returns_nanos
        count, total = len(returns), sum(returns)
        if count < RETURNS_MIN:
            return 2 * UNPROVEN_NANOS
        spread = count * sum(earned * earned for earned in returns) - total * total
        if spread == 0:
            return 2 * UNPROVEN_NANOS if total >= 0 else -2 * UNPROVEN_NANOS
        above = SESSIONS_A_YEAR * (count - 1) * total * total * NANOS * NANOS
        below = count * spread
        root = greatest_root(above // below)
        half_nanos = 2 * root if root * root * below == above else 2 * root + 1
        return half_nanos if total >= 0 else -half_nanos


def course_from(equity_attos: int) -> Course:
    """A course that begins now, at this equity."""
    return Course(
        day_open_attos=equity_attos,
        week_open_attos=equity_attos,
        month_open_attos=equity_attos,
        peak_attos=equity_attos,
    )


class SymbolCourse(Struct, kw_only=True):
    """What a symbol has made of the account's equity at the session's opening: see `symbols`."""

    course: Course
    cash_attos: int
    """With what the symbol is worth now it is the symbol's equity."""

    def rebase(self, worth_attos: int, *, before_attos: int, after_attos: int) -> None:
        """Begin to count in parts of another equity: what was lost stays the part that it was.

        Rounded up, the symbol's own equity alike: what lost nothing has lost nothing. Where there
        is no part to keep, losses stay in money.
        """
        equity_attos = self.cash_attos + worth_attos
        if before_attos > 0 and after_attos > 0:
            self.course.rebase_by_ratio(before_attos=before_attos, after_attos=after_attos)
            self.cash_attos += -(-equity_attos * after_attos // before_attos) - equity_attos
            return
        self.course.shift(after_attos - before_attos)
        self.cash_attos += after_attos - before_attos


class Symbols(Struct, kw_only=True):
    """The courses of the symbols that a policy asks for, and what fees are shared by."""

    courses: dict[str, SymbolCourse] = {}
    followed: dict[str, None] = {}
    """The symbols that have fuses by a rule for each."""
    traded_attos: dict[str, int] = {}
    """What was traded of each symbol since the broker's cash agreed, while there are courses."""
    settled: bool = False
    """Whether it agreed: what is traded next begins this anew."""
    rates: dict[str, Ring] = {}
    """When orders were asked for in the symbols whose rate a policy asks for."""


def greatest_root(square: int) -> int:
    """The greatest integer whose square is not above `square`, by comparing squares (Newton)."""
    assert square >= 0, "no integer's square is negative"
    if square == 0:
        return 0
    root = 1 << ((square.bit_length() + 1) >> 1)
    while root * root > square:
        root = (root + square // root) >> 1
    return root
