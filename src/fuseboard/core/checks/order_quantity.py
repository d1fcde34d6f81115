"""Order quantity: one order is at most so large (RTS 6 Art. 15(1)(c))."""

from fuseboard.core.checks.proposal import ALLOWED, Finding, Proposal
from fuseboard.vocabulary.money import text_from_nanos
from fuseboard.vocabulary.reasons import Reason


def order_quantity(proposal: Proposal) -> Finding:
    """Deny a quantity above the limit."""
    quantity_nanos = proposal.order.quantity_nanos
    most_nanos = proposal.limits.order_quantity_nanos_max
    if quantity_nanos <= most_nanos:
        return ALLOWED
    return Finding(
        Reason.ORDER_QUANTITY,
        observed=text_from_nanos(quantity_nanos),
        limit=text_from_nanos(most_nanos),
    )
