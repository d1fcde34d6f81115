"""Price floor: nothing that trades under this price is opened, and nothing is bid for under it."""

from fuseboard.core.checks.proposal import Finding, Proposal
from fuseboard.vocabulary.money import text_from_nanos
from fuseboard.vocabulary.orders import Side
from fuseboard.vocabulary.reasons import Reason


def passes(proposal: Proposal) -> bool:
    """Whether the symbol's bid, which the quote check has found good, is at the floor or above.

    So must be the limit price of what buys: one below the floor can only fill below it.
    """
    floor_nanos = proposal.limits.price_floor_nanos
    return floor_nanos is None or _lowest_nanos(proposal) >= floor_nanos


def found(proposal: Proposal) -> Finding:
    """The bid, or the limit price that is below it, and the floor."""
    floor_nanos = proposal.limits.price_floor_nanos
    lowest = text_from_nanos(_lowest_nanos(proposal))
    return Finding(Reason.PRICE_FLOOR, lowest, text_from_nanos(floor_nanos or 0))


def _lowest_nanos(proposal: Proposal) -> int:
    order, bid_nanos = proposal.order, proposal.instrument.bid_nanos
    if order.side is not Side.BUY or order.limit_price_nanos is None:
        return bid_nanos
    return min(bid_nanos, order.limit_price_nanos)
