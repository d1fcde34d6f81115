"""Restricted list: symbols that may only be reduced (SEC 15c3-5)."""

from fuseboard.core.checks.proposal import Finding, Proposal
from fuseboard.vocabulary.reasons import Reason


def passes(proposal: Proposal) -> bool:
    """Whether the symbol is on no restricted list."""
    return proposal.order.symbol not in proposal.turn.gate.restricted


def found(proposal: Proposal) -> Finding:
    """The symbol, and how many are restricted."""
    count = len(proposal.turn.gate.restricted)
    return Finding(Reason.RESTRICTED, proposal.order.symbol, f"none of {count} restricted symbols")
