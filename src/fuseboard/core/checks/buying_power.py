"""Buying power: what the broker's margin multiplier admits, working orders counted (law 6)."""

from fuseboard.core.checks.proposal import ALLOWED, Finding, Proposal
from fuseboard.vocabulary.money import nanos_from_attos, text_from_nanos
from fuseboard.vocabulary.reasons import Reason


def buying_power(proposal: Proposal) -> Finding:
    """Deny when the worst case needs more than equity times the account's multiplier."""
    worst_attos = proposal.gross_worst_attos
    power_attos = proposal.equity_attos * proposal.multiplier
    if worst_attos <= power_attos:
        return ALLOWED
    return Finding(
        Reason.BUYING_POWER,
        observed=text_from_nanos(nanos_from_attos(worst_attos)),
        limit=text_from_nanos(nanos_from_attos(power_attos)),
    )
