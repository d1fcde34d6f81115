"""Messages: orders, replacements and cancels in a window (RTS 6 Art. 15(1)(d)); cancels pass."""

from fuseboard.core.checks.proposal import Finding, Proposal
from fuseboard.core.throttles import messages_max
from fuseboard.vocabulary.reasons import Reason


def passes(proposal: Proposal) -> bool:
    """Whether the window holds no more messages than the limit, this order's own counted."""
    limits = proposal.limits
    ring = proposal.turn.state.throttles.messages
    boot_ns = proposal.turn.boot_ns
    return not ring.full(messages_max(limits), limits.messages_window_ns, boot_ns)


def found(proposal: Proposal) -> Finding:
    """The messages in the window, this order's own counted, and the limit."""
    window_ns, boot_ns = proposal.limits.messages_window_ns, proposal.turn.boot_ns
    counted = proposal.turn.state.throttles.messages.within(window_ns, boot_ns)
    window_ms = window_ns // 1_000_000
    return Finding(
        Reason.MESSAGE_RATE,
        observed=f"{counted} in {window_ms} ms",
        limit=f"{proposal.limits.messages_max} in {window_ms} ms",
    )
