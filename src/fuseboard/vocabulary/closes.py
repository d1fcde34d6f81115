"""The shape of a protective close: its side, its price, its time. The gateway and the guardian may
begin the same close, under the same id: what they send must be the same order.
"""

from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Side, TimeInForce


def protective_side(position_nanos: int) -> Side:
    """The side that reduces a position."""
    return Side.SELL if position_nanos > 0 else Side.BUY


def price_step_nanos(price_nanos: int) -> int:
    """A cent above a dollar, a hundredth of one above a cent; below, only a coin trades: finest."""
    if price_nanos >= NANOS:
        return NANOS // 100
    return NANOS // 10_000 if price_nanos >= NANOS // 100 else 1


def collar_edge_nanos(start_nanos: int, side: Side, collar_nanos: int) -> int:
    """How far a close may trade from a price above 0: on the price's own step, never below one."""
    step_nanos = price_step_nanos(start_nanos)
    if side is Side.SELL:
        edge_nanos = start_nanos * (NANOS - collar_nanos) // NANOS
        return max(edge_nanos // step_nanos * step_nanos, step_nanos)
    edge_nanos = -(-start_nanos * (NANOS + collar_nanos) // NANOS)
    return -(-edge_nanos // step_nanos) * step_nanos


def close_time_in_force(symbol: str) -> TimeInForce:
    """Day for shares; crypto pairs, which Alpaca writes BASE/QUOTE, know no day."""
    return TimeInForce.GTC if "/" in symbol else TimeInForce.DAY
