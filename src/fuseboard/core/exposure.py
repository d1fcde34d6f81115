"""Exposure: what an order is for, what it is worth at worst, and what the account would reach."""

from fuseboard.core.book import Book, Order
from fuseboard.core.checks.proposal import Proposal
from fuseboard.core.market import Instrument
from fuseboard.policy.policy import Limits
from fuseboard.vocabulary.inputs import OrderRequested
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Intent, Side


def intent_of(book: Book, strategy: str, order: OrderRequested) -> Intent:
    """REDUCE only when proven: in the strategy's and in the account's book, orders counted.

    An order that is larger than what is left to reduce opens, also when its direction reduces.
    """
    own = book.strategy(strategy).position(order.symbol).reducible_nanos(order.side)
    whole = book.account.position(order.symbol).reducible_nanos(order.side)
    return Intent.REDUCE if order.quantity_nanos <= min(own, whole) else Intent.OPEN


def worst_price_nanos(order: OrderRequested, instrument: Instrument, limits: Limits) -> int:
    """The price an order is judged at: its own, or the collar's edge when it names none.

    A buy is judged at the most it can pay. A sell is judged at the greater of its limit and the
    ask, because a short is larger the dearer it is sold. Zero when nothing is known; then either
    the quote check denies it or it is a reduction, which is not valued.
    """
    ask_nanos = instrument.ask_nanos
    limit_nanos = order.limit_price_nanos
    if order.side is Side.SELL:
        return max(limit_nanos or 0, order.stop_price_nanos or 0, ask_nanos)
    if limit_nanos is not None:
        return limit_nanos
    start_nanos = max(ask_nanos, order.stop_price_nanos or 0)
    return -(-start_nanos * (NANOS + limits.price_collar_nanos) // NANOS)


def gross_with_attos(proposal: Proposal) -> int:
    """The account's worst-case gross exposure with the proposed order added."""
    order: Order = proposal.order
    position = proposal.position
    worst_attos = position.worst_with_attos(order.side, order.quantity_nanos, proposal.value_attos)
    return proposal.book.account.worst_attos - position.worst_attos() + worst_attos
