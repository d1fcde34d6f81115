"""What a rescue came to, in words for people: only what the broker's reads showed."""

from typing import Final

from msgspec import Struct

from fuseboard.vocabulary.inputs import BrokerPosition
from fuseboard.vocabulary.money import text_from_nanos

NAMED_MAX: Final = 50
"""Positions that one line names; the journal's lines hold 2,000 characters."""


class Left(Struct, frozen=True, kw_only=True):
    """What a close came to: how much of the position is left, and why; 0 is flat."""

    symbol: str
    left_nanos: int | None
    """None where it was never read."""
    why: str = ""

    def says(self) -> str:
        """One line for people."""
        if self.left_nanos == 0:
            return f"{self.symbol} is flat"
        left = "an unread part" if self.left_nanos is None else text_from_nanos(self.left_nanos)
        return f"{self.symbol}: {left} left, {self.why}"


class Outcome(Struct, frozen=True, kw_only=True):
    """How it ended: `cancelled` when two reads agreed; what is open, None when no read says so."""

    cancelled: bool
    left: tuple[Left, ...] = ()
    held: tuple[BrokerPosition, ...] | None = None
    unread: tuple[str, ...] = ()
    """Symbols whose positions the last read showed and that could not be understood."""
    kept: str = ""
    """Why positions that are not in `left` were not to be closed; empty where all were."""
    why: str = ""
    """What the broker said last, where it was asked until the time was over."""
    has_key: bool = True
    """False where the broker refuses it: nothing more was asked."""

    def says(self) -> str:
        """One line for people; "flat" is only what a read of the broker's showed after closing."""
        if not self.cancelled:
            begun = self.held is not None
            held = f"{self._says_held()}; what they fill from then on stays open"
            closed = held if begun else "positions were not closed"
            return f"orders may still work at the broker: {self.why}; {closed}"
        return f"nothing works any more; {self._says_held()}"

    def _says_held(self) -> str:
        left = [each.says() for each in self.left if each.left_nanos != 0 or self.kept]
        if self.kept:
            return "; ".join([*left, self._says_kept()])
        if self.held is None:
            left.append(f"then: {self.why}; positions may be open, look at the broker")
            return "; ".join(left)
        if self.held or self.unread:
            left.append(f"the broker's last read: {named(self.held, self.unread)} are open")
        return "; ".join(left) or "all that was to be closed is flat"

    def _says_kept(self) -> str:
        if self.held == () and not self.unread:
            return "no position is held"
        others = "other positions" if self.left else "positions"
        if self.held is None:
            read = f"and cannot be read: {self.why}; look at the broker"
            return f"{others} were NOT closed ({self.kept}), {read}"
        return f"{others} were NOT closed ({self.kept}): {named(self.held, self.unread)} are open"


def named(held: tuple[BrokerPosition, ...], unread: tuple[str, ...] = ()) -> str:
    """Quantities and symbols; a short position's quantity is negative."""
    names = [f"{symbol} (which cannot be read)" for symbol in unread]
    names += [f"{text_from_nanos(at.quantity_nanos)} {at.symbol}" for at in held]
    more = len(names) - NAMED_MAX
    return ", ".join(names[:NAMED_MAX]) + (f" and {more} more" if more > 0 else "")
