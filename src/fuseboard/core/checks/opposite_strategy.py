"""Two strategies may not hold or work opposite sides of one symbol: they would trade in a ring."""

from fuseboard.core.book import Position
from fuseboard.core.checks.proposal import ALLOWED, Finding, Proposal
from fuseboard.vocabulary.orders import Side
from fuseboard.vocabulary.reasons import Reason


def opposite_strategy(proposal: Proposal) -> Finding:
    """Deny when another strategy stands on the other side of the symbol."""
    book, order = proposal.book, proposal.order
    if len(book.strategies) == 1 and order.strategy in book.strategies:
        return ALLOWED
    for name, ledger in book.strategies.items():
        position = ledger.positions.get(order.symbol)
        if name != order.strategy and position and _opposes(position, order.side):
            return Finding(Reason.OPPOSITE_STRATEGY, observed=name, limit="one side a symbol")
    return ALLOWED


def _opposes(position: Position, side: Side) -> bool:
    """A holder who only reduces does not oppose; a position or a working order beyond it does."""
    if side is Side.BUY:
        return position.quantity_nanos < 0 or position.selling_nanos > position.quantity_nanos
    return position.quantity_nanos > 0 or position.buying_nanos > -position.quantity_nanos
