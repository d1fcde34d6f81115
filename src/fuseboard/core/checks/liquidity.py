"""Liquidity: one order is at most a part of the symbol's average daily volume (FIA)."""

from fuseboard.core.checks.proposal import Finding, Proposal
from fuseboard.core.checks.volume import volume_nanos
from fuseboard.vocabulary.money import NANOS, text_from_nanos
from fuseboard.vocabulary.reasons import Reason


def passes(proposal: Proposal) -> bool:
    """Whether the volume is known, and the quantity within the part of it."""
    share = proposal.limits.order_volume_share_nanos_max
    if share is None:
        return True
    known_nanos = volume_nanos(proposal.turn, proposal.order.symbol)
    if known_nanos is None:
        return False
    return proposal.order.quantity_nanos * NANOS <= share * known_nanos


def found(proposal: Proposal) -> Finding:
    """The quantity, and the part of the volume that it may be."""
    share = proposal.limits.order_volume_share_nanos_max or 0
    known_nanos = volume_nanos(proposal.turn, proposal.order.symbol)
    if known_nanos is None:
        return Finding(Reason.LIQUIDITY, "no average daily volume is known", "a known volume")
    quantity = text_from_nanos(proposal.order.quantity_nanos)
    return Finding(Reason.LIQUIDITY, quantity, text_from_nanos(share * known_nanos // NANOS))
