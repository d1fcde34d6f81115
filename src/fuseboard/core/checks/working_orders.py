"""Working orders: the book is bounded."""

from fuseboard.core.checks.proposal import Finding, Proposal
from fuseboard.vocabulary.reasons import Reason


def passes(proposal: Proposal) -> bool:
    """Whether fewer orders work than the policy admits."""
    return len(proposal.turn.state.book.working) < proposal.limits.working_orders_max


def found(proposal: Proposal) -> Finding:
    """The working orders with this one, and the limit."""
    working, most = len(proposal.turn.state.book.working), proposal.limits.working_orders_max
    return Finding(Reason.WORKING_ORDERS_FULL, str(working + 1), str(most))
