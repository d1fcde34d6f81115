"""Max position: one symbol's worst case, in money and as a fraction of equity (law 6).

The worst case is that of the symbol with every working order on the order's side filled.
"""

from fuseboard.core.checks.proposal import Finding, Proposal, found_attos
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.reasons import Reason


def passes(proposal: Proposal) -> bool:
    """Whether the symbol, with every working order on that side filled, is within its limits."""
    limits = proposal.limits
    worst_attos = proposal.symbol_worst_attos
    value_max, fraction_max = limits.position_value_nanos_max, limits.position_fraction_nanos_max
    if value_max is not None and worst_attos > value_max * NANOS:
        return False
    return fraction_max is None or worst_attos * NANOS <= fraction_max * proposal.equity_attos


def found(proposal: Proposal) -> Finding:
    """The symbol's worst case, and the smaller of the two limits."""
    limits = proposal.limits
    value_max, fraction_max = limits.position_value_nanos_max, limits.position_fraction_nanos_max
    asked: list[int] = []
    if value_max is not None:
        asked.append(value_max * NANOS)
    if fraction_max is not None:
        asked.append(fraction_max * proposal.equity_attos // NANOS)
    return found_attos(Reason.MAX_POSITION, proposal.symbol_worst_attos, min(asked, default=0))
