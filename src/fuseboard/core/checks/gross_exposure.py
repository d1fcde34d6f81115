"""Gross exposure: the sum of all symbols' worst cases as a fraction of equity (law 6)."""

from fuseboard.core.checks.proposal import ALLOWED, Finding, Proposal
from fuseboard.vocabulary.money import NANOS, nanos_from_attos, text_from_nanos
from fuseboard.vocabulary.reasons import Reason


def gross_exposure(proposal: Proposal) -> Finding:
    """Deny when the account, with every working order filled, would be too exposed."""
    worst_attos = proposal.gross_worst_attos
    most_attos_nanos = proposal.limits.gross_exposure_nanos_max * proposal.equity_attos
    if worst_attos * NANOS <= most_attos_nanos:
        return ALLOWED
    return Finding(
        Reason.GROSS_EXPOSURE,
        observed=text_from_nanos(nanos_from_attos(worst_attos)),
        limit=text_from_nanos(nanos_from_attos(most_attos_nanos // NANOS)),
    )
