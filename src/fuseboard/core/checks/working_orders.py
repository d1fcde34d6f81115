"""Working orders: the book is bounded, and exits have room that the policy's number does not take.

An order that opens passes while fewer orders work than the policy admits. One that provably reduces
passes up to `WORKING_ORDERS_MAX`, whatever the policy's number or a dynamic limit says: orders that
open, in another symbol or of another strategy, trap no exit (law 13).
"""

from fuseboard.core.checks.proposal import Finding, Proposal
from fuseboard.policy.limits import WORKING_ORDERS_MAX
from fuseboard.vocabulary.orders import Intent
from fuseboard.vocabulary.reasons import Reason


def _most(proposal: Proposal) -> int:
    if proposal.order.intent is Intent.OPEN:
        return proposal.limits.working_orders_max
    return max(proposal.limits.working_orders_max, WORKING_ORDERS_MAX)


def passes(proposal: Proposal) -> bool:
    """Whether fewer orders work than may."""
    return len(proposal.turn.state.book.working) < _most(proposal)


def found(proposal: Proposal) -> Finding:
    """The working orders with this one, and the limit."""
    working = len(proposal.turn.state.book.working)
    return Finding(Reason.WORKING_ORDERS_FULL, str(working + 1), str(_most(proposal)))
