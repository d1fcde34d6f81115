"""What is said of a rebase: which marks are given up, and what takes their place."""

from collections.abc import Sequence
from typing import Final

from fuseboard.core.fuses.drawdown import DrawdownFuse
from fuseboard.core.fuses.latch import Latch
from fuseboard.core.fuses.rule import RuleFuse
from fuseboard.core.halting import Tripping
from fuseboard.vocabulary.money import nanos_from_attos, shown_money

FUSES_SHOWN_MAX: Final = 5


def rebased_text(fuses: Sequence[Tripping | Latch]) -> str:
    """Each fuse's old mark and the equity that the new one begins with, while the old one stands.

    The new mark is the next equity that is seen, which may differ from the present one by then.
    """
    said = [
        f"{fuse.name} gives up its mark of {shown_money(nanos_from_attos(fuse.mark_attos))} and"
        f" takes the next equity, now {shown_money(nanos_from_attos(fuse.equity_attos))}"
        if isinstance(fuse, DrawdownFuse)
        else f"{fuse.name} begins anew"
        for fuse in fuses
        if isinstance(fuse, DrawdownFuse | RuleFuse)
    ]
    more = len(said) - FUSES_SHOWN_MAX
    listed = "; ".join(said[:FUSES_SHOWN_MAX]) or "nothing here keeps a mark"
    return f"{listed}{f'; and {more} more' if more > 0 else ''}"
