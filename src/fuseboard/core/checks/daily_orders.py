"""Daily orders: at most so many accepted orders in a session (RTS 6 Art. 8)."""

from fuseboard.core.checks.proposal import Finding, Proposal
from fuseboard.vocabulary.reasons import Reason


def passes(proposal: Proposal) -> bool:
    """Whether the session has room for one more order."""
    most = proposal.limits.daily_orders_max
    return most is None or proposal.turn.state.throttles.daily_orders < most


def found(proposal: Proposal) -> Finding:
    """The orders of the session with this one, and the limit."""
    counted = proposal.turn.state.throttles.daily_orders + 1
    return Finding(Reason.DAILY_ORDERS, str(counted), str(proposal.limits.daily_orders_max))
