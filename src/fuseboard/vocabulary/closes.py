"""The shape of a protective close: its side, its price, its time. The gateway and the guardian may
begin the same close, under the same id: what they send must be the same order.
"""

from typing import Final

from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Side, TimeInForce

_CENT_NANOS: Final = NANOS // 100
_PAIR_DIGITS: Final = 100_000


def protective_side(position_nanos: int) -> Side:
    """The side that reduces a position."""
    return Side.SELL if position_nanos > 0 else Side.BUY


def price_step_nanos(symbol: str, price_nanos: int) -> int:
    """What a price of a symbol is a multiple of.

    Shares (Regulation NMS, rule 612): a cent from a dollar on, a hundredth of one from a cent on,
    and the finest below. Pairs: five or six digits of the price, a cent at most.
    """
    if "/" not in symbol:
        if price_nanos >= NANOS:
            return _CENT_NANOS
        return _CENT_NANOS // 100 if price_nanos >= _CENT_NANOS else 1
    step_nanos = 1
    while step_nanos < _CENT_NANOS and step_nanos * 10 * _PAIR_DIGITS <= price_nanos:
        step_nanos *= 10
    return step_nanos


def collar_edge_nanos(symbol: str, start_nanos: int, side: Side, collar_nanos: int) -> int:
    """How far a close may trade from a price above 0: on the symbol's step, never below one."""
    step_nanos = price_step_nanos(symbol, start_nanos)
    if side is Side.SELL:
        edge_nanos = start_nanos * (NANOS - collar_nanos) // NANOS
        return max(edge_nanos // step_nanos * step_nanos, step_nanos)
    edge_nanos = -(-start_nanos * (NANOS + collar_nanos) // NANOS)
    return -(-edge_nanos // step_nanos) * step_nanos


def close_price_nanos(
    symbol: str,
    start_nanos: int,
    side: Side,
    *,
    first_nanos: int,
    most_nanos: int,
    tries: int,
    rests: bool,
) -> int:
    """The edge of the collar around a price: the first, doubled for each try up to the most. What
    `rests` asks for that price itself: who comes next would get all of a collar as a present.
    """
    collar_nanos = 0 if rests else min(first_nanos << tries, max(first_nanos, most_nanos))
    return collar_edge_nanos(symbol, start_nanos, side, collar_nanos)


def close_time_in_force(symbol: str, quantity_nanos: int, *, at_once: bool) -> TimeInForce:
    """At once: immediate or cancel. Else day for shares; crypto pairs, which Alpaca writes
    BASE/QUOTE, know no day. Parts of a share Alpaca takes for the day only.
    """
    if at_once and ("/" in symbol or quantity_nanos % NANOS == 0):
        return TimeInForce.IOC
    return TimeInForce.GTC if "/" in symbol else TimeInForce.DAY
