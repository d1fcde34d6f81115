"""Sector: the sum of the worst cases of one sector's symbols as a fraction of equity (law 6)."""

from fuseboard.core.checks.proposal import Finding, Proposal, found_attos
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.reasons import Reason


def passes(proposal: Proposal) -> bool:
    """Whether the symbol has a sector, and this, all working orders filled, is within its limit."""
    fraction_max, position = proposal.limits.sector_fraction_nanos_max, proposal.position
    if fraction_max is None:
        return True
    if not position.sector:
        return False
    return _worst_attos(proposal) * NANOS <= fraction_max * proposal.equity_attos


def _worst_attos(proposal: Proposal) -> int:
    position = proposal.position
    others_attos = proposal.turn.state.book.account.sectors.get(position.sector, 0)
    return others_attos - position.worst_attos + proposal.symbol_worst_attos


def found(proposal: Proposal) -> Finding:
    """The sector's worst case with this order, and the limit."""
    if not proposal.position.sector:
        return Finding(Reason.SECTOR, f"{proposal.order.symbol} has no sector", "a known sector")
    fraction_max = proposal.limits.sector_fraction_nanos_max or 0
    most_attos = fraction_max * proposal.equity_attos // NANOS
    return found_attos(Reason.SECTOR, _worst_attos(proposal), most_attos)
