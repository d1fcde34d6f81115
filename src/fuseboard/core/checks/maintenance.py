"""Maintenance margin: the equity that an order may leave at worst, of gross exposure (law 6)."""

from fuseboard.core.checks.proposal import Finding, Proposal, found_attos
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.reasons import Reason


def passes(proposal: Proposal) -> bool:
    """Whether equity is at least the policy's fraction of the account's worst case."""
    least = proposal.limits.maintenance_margin_nanos_min
    return least is None or proposal.equity_attos * NANOS >= least * proposal.gross_worst_attos


def found(proposal: Proposal) -> Finding:
    """Equity, and the least that the worst case needs."""
    least = proposal.limits.maintenance_margin_nanos_min or 0
    least_attos = -(-least * proposal.gross_worst_attos // NANOS)
    return found_attos(Reason.MAINTENANCE_MARGIN, proposal.equity_attos, least_attos)
