"""Price collar: a limit price may not be far beyond the quote (RTS 6 Art. 15(1)(a))."""

from typing import Final

from fuseboard.core.checks.proposal import ALLOWED, Finding, Proposal
from fuseboard.vocabulary.money import NANOS, text_from_nanos
from fuseboard.vocabulary.orders import Side
from fuseboard.vocabulary.reasons import Reason

_BUY: Final = Side.BUY


def price_collar(proposal: Proposal) -> Finding:
    """Deny a buy priced too far above the ask, a sell too far below the bid.

    An order without a limit price has no price to be wrong about; it is valued at the collar.
    """
    price_nanos = proposal.order.limit_price_nanos
    if price_nanos is None:
        return ALLOWED
    collar_nanos = proposal.limits.price_collar_nanos
    if proposal.order.side is _BUY:
        far_nanos = proposal.instrument.ask_nanos
        if price_nanos <= far_nanos or price_nanos * NANOS <= far_nanos * (NANOS + collar_nanos):
            return ALLOWED
        bound_nanos = far_nanos * (NANOS + collar_nanos) // NANOS
    else:
        far_nanos = proposal.instrument.bid_nanos
        if price_nanos >= far_nanos or price_nanos * NANOS >= far_nanos * (NANOS - collar_nanos):
            return ALLOWED
        bound_nanos = -(-far_nanos * (NANOS - collar_nanos) // NANOS)
    return Finding(
        Reason.PRICE_COLLAR,
        observed=text_from_nanos(price_nanos),
        limit=text_from_nanos(bound_nanos),
    )
