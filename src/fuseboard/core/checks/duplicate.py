"""Duplicate: an order equal to one of this strategy's in the window (SEC 15c3-5).

Equal: the same symbol, side, type, quantity and prices under another client order id. Denied orders
are no originals; a reduction is not denied, and is an original for what would open after it.
"""

from fuseboard.core.checks.proposal import Finding, Proposal
from fuseboard.core.throttles import RECENT_ORDERS_MAX, likeness
from fuseboard.vocabulary.reasons import Reason


def passes(proposal: Proposal) -> bool:
    """Whether no accepted order of the window is like this one, and all of them are known."""
    window_ns = proposal.limits.duplicate_window_ns
    if window_ns is None:
        return True
    recent = proposal.turn.state.throttles.recent
    before_boot_ns = recent.get(proposal.like)
    if before_boot_ns is not None and proposal.turn.boot_ns - before_boot_ns < window_ns:
        return False
    return len(recent) < RECENT_ORDERS_MAX


def found(proposal: Proposal) -> Finding:
    """How long ago an order like it was accepted, and the window."""
    before_boot_ns = proposal.turn.state.throttles.recent.get(likeness(proposal.order))
    limit = f"{(proposal.limits.duplicate_window_ns or 0) // 1_000_000} ms"
    if before_boot_ns is None:
        counted = len(proposal.turn.state.throttles.recent)
        return Finding(Reason.DUPLICATE, f"none among {counted} recent orders", limit)
    age_ms = (proposal.turn.boot_ns - before_boot_ns) // 1_000_000
    return Finding(Reason.DUPLICATE, f"one {age_ms} ms ago", limit)
