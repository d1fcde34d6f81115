"""Permissions: a strategy trades the symbols that the policy gives it (RTS 6 Art. 8)."""

from fuseboard.core.checks.proposal import Finding, Proposal
from fuseboard.vocabulary.reasons import Reason


def passes(proposal: Proposal) -> bool:
    """Whether the strategy may open this symbol."""
    permitted = proposal.turn.gate.permitted.get(proposal.order.strategy)
    return permitted is None or proposal.order.symbol in permitted


def found(proposal: Proposal) -> Finding:
    """The symbol, and what the strategy may trade."""
    permitted = proposal.turn.gate.permitted.get(proposal.order.strategy)
    limit = "every symbol" if permitted is None else f"one of {len(permitted)} permitted symbols"
    return Finding(Reason.NOT_PERMITTED, proposal.order.symbol, limit)
