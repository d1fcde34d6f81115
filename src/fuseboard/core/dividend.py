"""One cash dividend, from the word for it until its cash came: numbers alone, no step.

From its ex-date on a price lacks about the rate, and who held the symbol before is owed it; a short
position owes it. Until the cash moves, what of it counts in equity is no more than the price has
really fallen since: a dividend explains a fall, it never makes a gain.
"""

from typing import Final

from msgspec import Struct

from fuseboard.vocabulary.dividend_facts import Announced, DividendOwed
from fuseboard.vocabulary.money import nanos_from_attos
from fuseboard.vocabulary.operator_inputs import DividendSaid

PASSED_OVER_MAX: Final = 1_000
"""Announcements remembered that count for nothing; the oldest is forgotten, and told again."""


class Dividend(Struct, kw_only=True):
    """What was said of a dividend, and what of it counts as owed. Times are wall time."""

    symbol: str
    ex_date: str
    rate_nanos: int
    """Of each share."""
    ex_ns: int
    payable_ns: int
    is_ex: bool = False
    held: dict[str, int] = {}
    """What each ledger (`""` is the account's) held when it went ex, in nano-shares."""
    reference_nanos: int = 0
    """The last mark before it went ex."""
    counted_nanos: int = 0
    """How much of the rate the price has fallen by."""
    until_ns: int = 0
    """Until when a fall may be the dividend's; 0 before the first price without it."""
    closed: bool = False
    """Whether that time is over."""
    announced: bool = False
    """Whether it is the broker's word alone; a person's stands over that."""

    def say_again(self, said: DividendSaid | Announced) -> None:
        """Take another rate and another day of its cash."""
        self.rate_nanos, self.payable_ns = said.rate_nanos, said.payable_ns
        self.counted_nanos = min(self.counted_nanos, said.rate_nanos)

    def owed_attos(self, quantity_nanos: int) -> int:
        """What counts as owed for so much that was held; negative where we owe it.

        In the end a short position owes all of it, whatever the price did.
        """
        whole = self.closed and quantity_nanos < 0
        return quantity_nanos * (self.rate_nanos if whole else self.counted_nanos)

    def due_attos(self) -> int:
        """What the broker is to pay, or to take."""
        return self.held.get("", 0) * self.rate_nanos

    def fall_to(self, mark_nanos: int) -> bool:
        """Take a price without the dividend; whether more of the rate counts now."""
        fall_nanos = min(self.rate_nanos, self.reference_nanos - mark_nanos)
        falls = fall_nanos > self.counted_nanos
        if falls:
            self.counted_nanos = fall_nanos
        return falls

    def split(self, new: int, old: int) -> None:
        """What is held was split: the rate was of a share as it was held."""
        if self.is_ex:
            self.held = {name: size * new // old for name, size in self.held.items()}
            self.reference_nanos = self.reference_nanos * old // new
            self.rate_nanos = self.rate_nanos * old // new
            self.counted_nanos = self.counted_nanos * old // new


def key_of(said: DividendSaid | Announced) -> str:
    """What one dividend is known by, whoever says it."""
    return f"{said.symbol} {said.ex_date}"


def dividend_of(said: DividendSaid | Announced, *, announced: bool) -> Dividend:
    """A dividend as it is said, before its ex-date."""
    return Dividend(
        symbol=said.symbol,
        ex_date=said.ex_date,
        rate_nanos=said.rate_nanos,
        ex_ns=said.ex_ns,
        payable_ns=said.payable_ns,
        announced=announced,
    )


class Dividends(Struct, kw_only=True):
    """All that are said and not over, by symbol and ex-date, oldest first."""

    known: dict[str, Dividend] = {}
    owed: dict[str, int] = {}
    """What counts as owed to each ledger, in attos; empty when nothing does."""
    watched: dict[str, list[str]] = {}
    """By symbol, those whose price is still to fall, or falls."""
    passed_over: dict[str, int] = {}
    """Announcements that count for nothing, and until when (wall time) they are remembered."""
    unread: str = ""
    """Why the broker's announcements cannot be read; empty: they can."""
    shown: tuple[DividendOwed, ...] = ()
    """What was last published."""

    def end(self, key: str, *, until_ns: int) -> None:
        """It is over, or counts for nothing: announced again until then, it is passed over."""
        self.known.pop(key, None)
        self.passed_over.pop(key, None)
        self.passed_over[key] = until_ns
        while len(self.passed_over) > PASSED_OVER_MAX:
            del self.passed_over[next(iter(self.passed_over))]

    def count(self) -> None:
        """Bring `owed` and `watched` up to date."""
        self.owed, self.watched = {}, {}
        for key, at in self.known.items():
            if not at.closed:
                self.watched.setdefault(at.symbol, []).append(key)
            for name, quantity_nanos in at.held.items():
                owed_attos = self.owed.get(name, 0) + at.owed_attos(quantity_nanos)
                self.owed[name] = owed_attos
        self.owed = {name: attos for name, attos in self.owed.items() if attos}

    def lines(self) -> tuple[DividendOwed, ...]:
        """What counts as owed to the account, dividend by dividend."""
        found = [(at, at.owed_attos(at.held.get("", 0))) for at in self.known.values()]
        return tuple(
            DividendOwed(
                symbol=at.symbol,
                ex_date=at.ex_date,
                owed_nanos=nanos_from_attos(owed_attos),
                payable_wall_ns=at.payable_ns,
            )
            for at, owed_attos in found
            if owed_attos
        )
