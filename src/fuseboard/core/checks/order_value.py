"""Order value: one order is worth at most so much (RTS 6 Art. 15(1)(b))."""

from fuseboard.core.checks.proposal import ALLOWED, Finding, Proposal
from fuseboard.vocabulary.money import NANOS, nanos_from_attos, text_from_nanos
from fuseboard.vocabulary.reasons import Reason


def order_value(proposal: Proposal) -> Finding:
    """Deny a value, at the worst price, above the limit."""
    most_nanos = proposal.limits.order_value_nanos_max
    if proposal.value_attos <= most_nanos * NANOS:
        return ALLOWED
    return Finding(
        Reason.ORDER_VALUE,
        observed=text_from_nanos(nanos_from_attos(proposal.value_attos)),
        limit=text_from_nanos(most_nanos),
    )
