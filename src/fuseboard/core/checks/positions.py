"""Positions: how many symbols may be held or on their way to be."""

from fuseboard.core.checks.proposal import Finding, Proposal
from fuseboard.vocabulary.reasons import Reason


def passes(proposal: Proposal) -> bool:
    """Whether the symbols that are held or ordered, this one counted, are within the limit."""
    most = proposal.limits.positions_max
    return most is None or _counted(proposal) <= most


def _counted(proposal: Proposal) -> int:
    return proposal.turn.state.book.account.occupied + (not proposal.position.occupied)


def found(proposal: Proposal) -> Finding:
    """The symbols that are held or ordered, this one counted, and the limit."""
    most = proposal.limits.positions_max
    return Finding(Reason.POSITIONS, str(_counted(proposal)), str(most))
