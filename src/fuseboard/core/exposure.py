"""Exposure: what an order is for, and what it is worth at worst."""

from typing import Final

from fuseboard.core.book import Book
from fuseboard.core.market import Instrument
from fuseboard.vocabulary.inputs import OrderRequested
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Intent, Side

MARKET_WORST_NANOS: Final = NANOS // 10
"""How far beyond the ask an order without a limit price is thought to fill, as a fraction of it.

It is the wider of the usual price bands outside of which stocks may not trade: 5 % and 10 % of the
reference price above 3 USD (Limit Up-Limit Down Plan, Appendix A, Tier 1 and 2). It is no limit of
the policy on purpose: such an order is sent without a price, so a narrower collar does not make
what it pays less, and must not make it worth less to the other checks either.
"""
_OPEN: Final = Intent.OPEN
_REDUCE: Final = Intent.REDUCE
_SELL: Final = Side.SELL


def intent_of(book: Book, strategy: str, order: OrderRequested) -> Intent:
    """REDUCE only when proven: in the strategy's and in the account's book, orders counted.

    An order that is larger than what is left to reduce opens, also when its direction reduces.
    """
    position = book.account.positions.get(order.symbol)
    if position is None or position.quantity_nanos == 0:
        return _OPEN
    if order.quantity_nanos > position.reducible_nanos(order.side):
        return _OPEN
    own = book.strategy(strategy).position(order.symbol).reducible_nanos(order.side)
    return _REDUCE if order.quantity_nanos <= own else _OPEN


def worst_price_nanos(order: OrderRequested, instrument: Instrument) -> int:
    """The price an order is judged at: its own, or `MARKET_WORST_NANOS` beyond the ask.

    A buy is judged at the most it can pay. A sell is judged at the greater of its limit and the
    ask, because a short is larger the dearer it is sold. Zero when nothing is known; then either
    the quote check denies it or it is a reduction, which is not valued.
    """
    limit_nanos = order.limit_price_nanos
    if limit_nanos is not None and order.side is not _SELL:
        return limit_nanos
    ask_nanos = instrument.ask_nanos
    if order.side is _SELL:
        return max(limit_nanos or 0, order.stop_price_nanos or 0, ask_nanos)
    start_nanos = max(ask_nanos, order.stop_price_nanos or 0)
    return -(-start_nanos * (NANOS + MARKET_WORST_NANOS) // NANOS)
