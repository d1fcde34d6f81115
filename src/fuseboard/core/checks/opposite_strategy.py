"""Two strategies may not hold or work opposite sides of one symbol: they would trade in a ring."""

from fuseboard.core.book import Book, Order
from fuseboard.core.checks.proposal import Finding, Proposal
from fuseboard.core.position import Position
from fuseboard.vocabulary.orders import Side
from fuseboard.vocabulary.reasons import Reason


def passes(proposal: Proposal) -> bool:
    """Whether no other strategy stands on the other side of the symbol."""
    book = proposal.turn.state.book
    if len(book.strategies) == 1 and proposal.order.strategy in book.strategies:
        return True
    return not opponent(book, proposal.order)


def opponent(book: Book, order: Order) -> str:
    """The first strategy on the other side; empty when there is none."""
    for name, ledger in book.strategies.items():
        position = ledger.positions.get(order.symbol)
        if name != order.strategy and position and _opposes(position, order.side):
            return name
    return ""


def _opposes(position: Position, side: Side) -> bool:
    """A holder who only reduces does not oppose; a position or a working order beyond it does."""
    if side is Side.BUY:
        return position.quantity_nanos < 0 or position.selling_nanos > position.quantity_nanos
    return position.quantity_nanos > 0 or position.buying_nanos > -position.quantity_nanos


def found(proposal: Proposal) -> Finding:
    """Who stands on the other side."""
    other = opponent(proposal.turn.state.book, proposal.order) or "nobody"
    return Finding(Reason.OPPOSITE_STRATEGY, observed=other, limit="one side a symbol")
