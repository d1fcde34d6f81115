"""Buying power: what the broker's margin multiplier admits, working orders counted (law 6)."""

from fuseboard.core.checks.proposal import Finding, Proposal, found_attos
from fuseboard.vocabulary.reasons import Reason


def passes(proposal: Proposal) -> bool:
    """Whether the worst case needs no more than equity times the account's multiplier."""
    return proposal.gross_worst_attos <= proposal.equity_attos * proposal.turn.state.multiplier


def found(proposal: Proposal) -> Finding:
    """The account's worst case, and equity times the multiplier."""
    power_attos = proposal.equity_attos * proposal.turn.state.multiplier
    return found_attos(Reason.BUYING_POWER, proposal.gross_worst_attos, power_attos)
