"""Order rate: at most so many orders in a window (RTS 6 Art. 15(1)(d); the Knight case)."""

from fuseboard.core.checks.proposal import Finding, Proposal
from fuseboard.vocabulary.reasons import Reason


def passes(proposal: Proposal) -> bool:
    """Whether the windows of the strategy and of the account have room for one more order."""
    turn, limits = proposal.turn, proposal.limits
    boot_ns = turn.boot_ns
    most, window_ns = limits.order_rate_max, limits.order_rate_window_ns
    if proposal.rate.full(most, window_ns, boot_ns):
        return False
    account = turn.state.throttles.account
    return account is None or not account.full(most, window_ns, boot_ns)


def found(proposal: Proposal) -> Finding:
    """The orders in the fuller window with this one, and the limit."""
    limits, boot_ns = proposal.limits, proposal.turn.boot_ns
    window_ns = limits.order_rate_window_ns
    counted = proposal.rate.within(window_ns, boot_ns)
    account = proposal.turn.state.throttles.account
    if account is not None:
        counted = max(counted, account.within(window_ns, boot_ns))
    window_ms = window_ns // 1_000_000
    return Finding(
        Reason.ORDER_RATE,
        observed=f"{counted + 1} in {window_ms} ms",
        limit=f"{limits.order_rate_max} in {window_ms} ms",
    )
