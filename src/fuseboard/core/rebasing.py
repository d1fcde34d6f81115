"""Marks that are rebased: by money that moved, or by a person; and what is said of that."""

from collections.abc import Sequence
from typing import Final

from fuseboard.core.fuses.drawdown import DrawdownFuse
from fuseboard.core.fuses.latch import Latch
from fuseboard.core.fuses.rule import RuleFuse
from fuseboard.core.measures import symbols
from fuseboard.core.state import State
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE
from fuseboard.vocabulary.money import nanos_from_attos, shown_money

FUSES_SHOWN_MAX: Final = 5


def rebase_marks(state: State, scope: str, *, before_attos: int, after_attos: int) -> None:
    """Money moved for a known reason: every stored mark of a scope moves by the ratio of equity."""
    if before_attos <= 0 or after_attos <= 0:
        return
    for fuse in state.marked():
        if fuse.scope == scope:
            fuse.rebase_by_ratio(before_attos=before_attos, after_attos=after_attos)
    course = state.courses.get(scope)
    if course is not None:
        course.rebase_by_ratio(before_attos=before_attos, after_attos=after_attos)
    if scope == ACCOUNT_SCOPE:
        symbols.rebase(state, before_attos=before_attos, after_attos=after_attos)


def rebased_text(fuses: Sequence[DrawdownFuse | RuleFuse | Latch]) -> str:
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
