"""Order quantity: one order is at most so large (RTS 6 Art. 15(1)(c))."""

from fuseboard.core.checks.proposal import Finding, Proposal
from fuseboard.vocabulary.money import text_from_nanos
from fuseboard.vocabulary.reasons import Reason


def passes(proposal: Proposal) -> bool:
    """Whether the quantity is within the limit."""
    return proposal.order.quantity_nanos <= proposal.limits.order_quantity_nanos_max


def found(proposal: Proposal) -> Finding:
    """The quantity, and the limit."""
    return Finding(
        Reason.ORDER_QUANTITY,
        observed=text_from_nanos(proposal.order.quantity_nanos),
        limit=text_from_nanos(proposal.limits.order_quantity_nanos_max),
    )
