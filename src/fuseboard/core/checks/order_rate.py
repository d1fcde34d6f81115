"""Order rate: at most so many orders in a window (RTS 6 Art. 15(1)(d); the Knight case)."""

from fuseboard.core.checks.proposal import ALLOWED, Finding, Proposal
from fuseboard.vocabulary.reasons import Reason


def order_rate(proposal: Proposal) -> Finding:
    """Deny when the window already holds the allowed number of orders."""
    limits = proposal.limits
    if not proposal.rate.full(limits, proposal.boot_ns):
        return ALLOWED
    window_ms = limits.order_rate_window_ns // 1_000_000
    return Finding(
        Reason.ORDER_RATE,
        observed=f"{limits.order_rate_max + 1} in {window_ms} ms",
        limit=f"{limits.order_rate_max} in {window_ms} ms",
    )
