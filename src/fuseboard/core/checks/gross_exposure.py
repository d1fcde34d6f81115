"""Gross exposure: the sum of all symbols' worst cases as a fraction of equity (law 6)."""

from fuseboard.core.checks.proposal import Finding, Proposal, found_attos
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.reasons import Reason


def passes(proposal: Proposal) -> bool:
    """Whether the account, with every working order filled, is not too exposed."""
    most_attos_nanos = proposal.limits.gross_exposure_nanos_max * proposal.equity_attos
    return proposal.gross_worst_attos * NANOS <= most_attos_nanos


def found(proposal: Proposal) -> Finding:
    """The account's worst case, and the limit."""
    most_attos = proposal.limits.gross_exposure_nanos_max * proposal.equity_attos // NANOS
    return found_attos(Reason.GROSS_EXPOSURE, proposal.gross_worst_attos, most_attos)
