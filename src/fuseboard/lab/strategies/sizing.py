"""How many and at which price: quantities from money, prices on the market's steps."""

from typing import Final

from fuseboard.lab.strategy import Quote, Terms
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import TimeInForce

SPREAD_NANOS_MAX: Final = NANOS // 100
"""A quote that is wider than 1 % of its middle is none to act on."""
_CENT_NANOS: Final = NANOS // 100
_DIGITS: Final = 100_000
"""Pairs are priced in five or six digits."""


def is_good(quote: Quote) -> bool:
    """Whether both sides are there, not crossed, and at most 1 % apart."""
    middle_nanos = quote.middle_nanos
    if middle_nanos == 0:
        return False
    return (quote.ask_nanos - quote.bid_nanos) * NANOS <= middle_nanos * SPREAD_NANOS_MAX


def part_of(nanos: int, fraction_nanos: int) -> int:
    """A fraction of an amount, rounded down."""
    return nanos * fraction_nanos // NANOS


def quantity_for(terms: Terms, *, value_nanos: int, price_nanos: int) -> int:
    """How much that money buys: whole shares, a fraction of one where it does not buy one."""
    quantity_nanos = value_nanos * NANOS // price_nanos
    if terms.shares and quantity_nanos >= NANOS:
        return quantity_nanos // NANOS * NANOS
    return quantity_nanos


def time_in_force(terms: Terms) -> TimeInForce:
    """Shares for the day; pairs, which know no end of day, until cancelled."""
    return TimeInForce.DAY if terms.shares else TimeInForce.GTC


def price_below(terms: Terms, price_nanos: int) -> int:
    """The highest price on the market's steps that is not above this one."""
    step_nanos = _step_nanos(terms, price_nanos)
    return max(price_nanos // step_nanos * step_nanos, step_nanos)


def price_above(terms: Terms, price_nanos: int) -> int:
    """The lowest price on the market's steps that is not below this one."""
    step_nanos = _step_nanos(terms, price_nanos)
    return -(-price_nanos // step_nanos) * step_nanos


def _step_nanos(terms: Terms, price_nanos: int) -> int:
    """Regulation NMS rule 612 for shares; for pairs a step of about 10^-5 of the price."""
    if terms.shares:
        return _CENT_NANOS if price_nanos >= NANOS else _CENT_NANOS // 100
    step_nanos = 1
    while step_nanos * 10 * _DIGITS <= price_nanos:
        step_nanos *= 10
    return step_nanos
