"""Price collar: a limit price may not be far beyond the quote (RTS 6 Art. 15(1)(a)).

A buy may not be priced too far above the ask, a sell too far below the bid. An order without a
limit price has no price to be wrong about; other checks value it by
`MARKET_WORST_NANOS`, which no collar moves.
"""

from typing import Final

from fuseboard.core.checks.proposal import Finding, Proposal
from fuseboard.vocabulary.money import NANOS, text_from_nanos
from fuseboard.vocabulary.orders import Side
from fuseboard.vocabulary.reasons import Reason

_BUY: Final = Side.BUY


def passes(proposal: Proposal) -> bool:
    """Whether the limit price lies within the collar of the quote's far side."""
    price_nanos = proposal.order.limit_price_nanos
    if price_nanos is None:
        return True
    collar_nanos = proposal.limits.price_collar_nanos
    if proposal.order.side is _BUY:
        far_nanos = proposal.instrument.ask_nanos
        return price_nanos <= far_nanos or price_nanos * NANOS <= far_nanos * (NANOS + collar_nanos)
    far_nanos = proposal.instrument.bid_nanos
    return price_nanos >= far_nanos or price_nanos * NANOS >= far_nanos * (NANOS - collar_nanos)


def found(proposal: Proposal) -> Finding:
    """The limit price, and the collar's edge on its side."""
    collar_nanos = proposal.limits.price_collar_nanos
    if proposal.order.side is _BUY:
        bound_nanos = proposal.instrument.ask_nanos * (NANOS + collar_nanos) // NANOS
    else:
        bound_nanos = -(-proposal.instrument.bid_nanos * (NANOS - collar_nanos) // NANOS)
    price_nanos = proposal.order.limit_price_nanos
    price = "no limit price" if price_nanos is None else text_from_nanos(price_nanos)
    return Finding(Reason.PRICE_COLLAR, price, text_from_nanos(bound_nanos))
