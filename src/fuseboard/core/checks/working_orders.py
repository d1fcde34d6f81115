"""Working orders: the book is bounded."""

from fuseboard.core.checks.proposal import ALLOWED, Finding, Proposal
from fuseboard.vocabulary.reasons import Reason


def working_orders(proposal: Proposal) -> Finding:
    """Deny when as many orders work as the policy admits."""
    working, most = len(proposal.book.working), proposal.limits.working_orders_max
    if working < most:
        return ALLOWED
    return Finding(Reason.WORKING_ORDERS_FULL, observed=str(working + 1), limit=str(most))
