"""Max position: one symbol's worst case, in money and as a fraction of equity (law 6)."""

from fuseboard.core.checks.proposal import ALLOWED, Finding, Proposal
from fuseboard.vocabulary.money import NANOS, nanos_from_attos, text_from_nanos
from fuseboard.vocabulary.reasons import Reason


def max_position(proposal: Proposal) -> Finding:
    """Deny when the symbol, with every working order on that side filled, would be too large."""
    limits = proposal.limits
    value_max, fraction_max = limits.position_value_nanos_max, limits.position_fraction_nanos_max
    if value_max is None and fraction_max is None:
        return ALLOWED
    worst_attos = proposal.symbol_worst_attos
    if value_max is not None and worst_attos > value_max * NANOS:
        return _denied(worst_attos, value_max * NANOS)
    if fraction_max is not None and worst_attos * NANOS > fraction_max * proposal.equity_attos:
        return _denied(worst_attos, fraction_max * proposal.equity_attos // NANOS)
    return ALLOWED


def _denied(worst_attos: int, most_attos: int) -> Finding:
    return Finding(
        Reason.MAX_POSITION,
        observed=text_from_nanos(nanos_from_attos(worst_attos)),
        limit=text_from_nanos(nanos_from_attos(most_attos)),
    )
