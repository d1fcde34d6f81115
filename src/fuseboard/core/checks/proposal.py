"""What a check sees: one proposed order and the numbers it is judged by, gathered once."""

from msgspec import Struct

from fuseboard.core.book import Order
from fuseboard.core.checks.active import ALLOWED, Active, Finding
from fuseboard.core.market import Instrument
from fuseboard.core.position import Position
from fuseboard.core.state import Turn
from fuseboard.core.throttles import Ring
from fuseboard.policy.limits import Limits
from fuseboard.vocabulary.money import ATTOS, texts_apart
from fuseboard.vocabulary.postures import Posture
from fuseboard.vocabulary.reasons import Reason

__all__ = ["ALLOWED", "Finding", "Proposal", "found_attos"]


class Proposal(Struct, gc=False):
    """A proposed order with everything that checks read; they change nothing."""

    order: Order
    turn: Turn
    active: Active
    limits: Limits
    """Of the moment: the policy's, tightened by dynamic limits and by the posture REDUCED."""
    posture: Posture
    halting_reason: Reason
    instrument: Instrument
    position: Position
    """The account's, in the order's symbol."""
    rate: Ring
    """The orders of this strategy."""
    value_attos: int
    """Quantity times the worst price."""
    symbol_worst_attos: int
    """The symbol's worst case with this order, all working orders counted."""
    gross_worst_attos: int
    """The account's worst case with this order, all working orders counted."""
    equity_attos: int
    like: str = ""
    """What a duplicate of this order shares with it; empty where the policy looks for none."""
    counted_attos: int = 0
    """What counts as working where that is more than the order itself: it replaces another."""


def found_attos(reason: Reason, observed_attos: int, limit_attos: int) -> Finding:
    """What a check of money found, as text."""
    return Finding(reason, *texts_apart(observed_attos, limit_attos, ATTOS))
