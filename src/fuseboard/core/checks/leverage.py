"""Leverage: gross exposure in the worst case as a multiple of equity (law 6; RTS 6 Art. 15(4))."""

from fuseboard.core.checks.proposal import Finding, Proposal, found_attos
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.reasons import Reason


def passes(proposal: Proposal) -> bool:
    """Whether the worst case is within the multiple of equity."""
    most = proposal.limits.leverage_nanos_max
    return most is None or proposal.gross_worst_attos * NANOS <= most * proposal.equity_attos


def found(proposal: Proposal) -> Finding:
    """The account's worst case, and the limit in money."""
    most_attos = (proposal.limits.leverage_nanos_max or 0) * proposal.equity_attos // NANOS
    return found_attos(Reason.LEVERAGE, proposal.gross_worst_attos, most_attos)
