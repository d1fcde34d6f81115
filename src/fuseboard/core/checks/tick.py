"""Tick and lot: prices the exchange can hold, and no fraction of a share sold short.

A share is quoted in whole cents from 1 USD on and in hundredths of a cent under it (Regulation
NMS, rule 612). Crypto pairs (`BTC/USD`) have increments of their own, which the broker checks.
"""

from typing import Final

from fuseboard.core.book import Order
from fuseboard.core.checks.proposal import Finding, Proposal
from fuseboard.vocabulary.money import NANOS, text_from_nanos
from fuseboard.vocabulary.orders import Intent, Side
from fuseboard.vocabulary.reasons import Reason

CENT_NANOS: Final = NANOS // 100
SUB_PENNY_NANOS: Final = NANOS // 10_000
_OPEN: Final = Intent.OPEN
_SELL: Final = Side.SELL


def passes(proposal: Proposal) -> bool:
    """Whether the prices are on the tick, and a short is of whole shares."""
    order = proposal.order
    price_nanos, stop_nanos = order.limit_price_nanos, order.stop_price_nanos
    if price_nanos is not None and price_nanos % CENT_NANOS and off_tick(order, price_nanos):
        return False
    if stop_nanos is not None and stop_nanos % CENT_NANOS and off_tick(order, stop_nanos):
        return False
    return order.side is not _SELL or not order.quantity_nanos % NANOS or not _short(proposal)


def off_tick(order: Order, price_nanos: int) -> bool:
    """Asked of a price that is not in whole cents."""
    if "/" in order.symbol:
        return False
    return price_nanos >= NANOS or price_nanos % SUB_PENNY_NANOS != 0


def _short(proposal: Proposal) -> bool:
    """Whether the sell may leave a fraction of a share sold short."""
    order = proposal.order
    return order.intent is _OPEN and "/" not in order.symbol


def found(proposal: Proposal) -> Finding:
    """The price that is off the tick, else the quantity when it is a short's, else the price."""
    order = proposal.order
    for price_nanos in (order.limit_price_nanos, order.stop_price_nanos):
        if price_nanos is not None and price_nanos % CENT_NANOS and off_tick(order, price_nanos):
            tick_nanos = CENT_NANOS if price_nanos >= NANOS else SUB_PENNY_NANOS
            tick = text_from_nanos(tick_nanos)
            return Finding(Reason.TICK, text_from_nanos(price_nanos), f"a multiple of {tick}")
    quantity = text_from_nanos(order.quantity_nanos)
    if order.side is _SELL and _short(proposal):
        return Finding(Reason.LOT, quantity, "whole shares for a short sale")
    price_nanos = order.limit_price_nanos
    price = "no price" if price_nanos is None else text_from_nanos(price_nanos)
    return Finding(Reason.TICK, price, "the symbol's tick")
