"""Order value: one order is worth at most so much at its worst price (RTS 6 Art. 15(1)(b))."""

from fuseboard.core.checks.proposal import Finding, Proposal, found_attos
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.reasons import Reason


def passes(proposal: Proposal) -> bool:
    """Whether the value, at the worst price, is within the limit."""
    return proposal.value_attos <= proposal.limits.order_value_nanos_max * NANOS


def found(proposal: Proposal) -> Finding:
    """The value at the worst price, and the limit."""
    most_attos = proposal.limits.order_value_nanos_max * NANOS
    return found_attos(Reason.ORDER_VALUE, proposal.value_attos, most_attos)
