"""Price floor: nothing that trades under this price is opened."""

from fuseboard.core.checks.proposal import Finding, Proposal
from fuseboard.vocabulary.money import text_from_nanos
from fuseboard.vocabulary.reasons import Reason


def passes(proposal: Proposal) -> bool:
    """Whether the symbol's bid, which the quote check has found good, is at the floor or above."""
    floor_nanos = proposal.limits.price_floor_nanos
    return floor_nanos is None or proposal.instrument.bid_nanos >= floor_nanos


def found(proposal: Proposal) -> Finding:
    """The bid, and the floor."""
    floor_nanos = proposal.limits.price_floor_nanos
    bid = text_from_nanos(proposal.instrument.bid_nanos)
    return Finding(Reason.PRICE_FLOOR, bid, text_from_nanos(floor_nanos or 0))
