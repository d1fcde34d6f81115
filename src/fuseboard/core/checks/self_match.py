"""Self-match prevention: no order may trade against a working order of the same account (FIA).

An order crosses when it would trade at a price that a working order on the other side asks; a
market order trades at the far side of the quote if that shows enough for it. Else it may go beyond:
by the widest tier's offset where liquidity is measured, because that is the limit it is sent with,
and without by as much as it is judged, `MARKET_WORST_NANOS`. A limit of its own bounds it. Stops
rest at no price before they are triggered, so neither the order nor what works is asked while it is
one. The book keeps the keenest prices, so that an order that crosses none of them costs one
comparison;
only else the symbol's orders are looked at.
"""

from typing import Final

from fuseboard.core.book import Order
from fuseboard.core.checks.proposal import Finding, Proposal
from fuseboard.core.exposure import MARKET_WORST_NANOS
from fuseboard.vocabulary.money import NANOS, text_from_nanos
from fuseboard.vocabulary.orders import Intent, OrderType, Side
from fuseboard.vocabulary.reasons import Reason

_BUY: Final = Side.BUY
_PLAN: Final = Intent.PLAN
_STOPS: Final = (OrderType.STOP, OrderType.STOP_LIMIT)


def passes(proposal: Proposal) -> bool:
    """Whether no working order of the account on the other side would trade with this one."""
    order, position = proposal.order, proposal.position
    if order.side is _BUY:
        if not position.selling_nanos:
            return True
        if _reached_nanos(proposal) < position.selling_price_nanos_min:
            return True
    else:
        if not position.buying_nanos:
            return True
        if _reached_nanos(proposal) > position.buying_price_nanos_max:
            return True
    return _crossed(proposal) is None


def _reached_nanos(proposal: Proposal) -> int:
    """The price up to which (for a sell: down to which) the order may trade now."""
    order, instrument = proposal.order, proposal.instrument
    if order.limit_price_nanos is not None:
        return order.limit_price_nanos
    if order.side is _BUY:
        if order.quantity_nanos <= instrument.ask_size_nanos:
            return instrument.ask_nanos
        return -(-instrument.ask_nanos * (NANOS + _beyond_nanos(proposal)) // NANOS)
    if order.quantity_nanos <= instrument.bid_size_nanos:
        return instrument.bid_nanos
    return instrument.bid_nanos * (NANOS - _beyond_nanos(proposal)) // NANOS


def _beyond_nanos(proposal: Proposal) -> int:
    """How far beyond the quote a market order may trade, as a fraction of it."""
    tiers = proposal.turn.liquidity
    if tiers is None or proposal.order.intent is not Intent.OPEN:
        return MARKET_WORST_NANOS
    return tiers.offset_nanos_max


def _crossed(proposal: Proposal) -> Order | None:
    order = proposal.order
    if order.order_type in _STOPS:
        return None
    reached_nanos = _reached_nanos(proposal)
    for other in proposal.turn.state.book.working_orders(symbol=order.symbol):
        if other.side is order.side or other.order_type in _STOPS or other.intent is _PLAN:
            continue
        price_nanos = other.limit_price_nanos
        if price_nanos is None:
            return other
        if reached_nanos >= price_nanos if order.side is _BUY else reached_nanos <= price_nanos:
            return other
    return None


def found(proposal: Proposal) -> Finding:
    """The working order that would trade with this one, if any."""
    other = _crossed(proposal)
    if other is None:
        return Finding(Reason.SELF_MATCH, "no order of ours crosses", "none may")
    price_nanos = other.limit_price_nanos
    price = "the market" if price_nanos is None else text_from_nanos(price_nanos)
    observed = f"{other.side.value} of {other.strategy or 'a foreign order'} at {price}"
    return Finding(Reason.SELF_MATCH, observed, "no own order at a crossing price")
