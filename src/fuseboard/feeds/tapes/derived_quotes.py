"""Quotes where the record has none: derived from a price that was, and labelled so."""

from fuseboard.feeds.tapes.tape import TapeQuote, TapeTrade
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Side


class PriceStep:
    """The smallest price step that the prices seen can be written with, a power of ten."""

    def __init__(self) -> None:
        self._decimals = 0

    def see(self, price: str) -> None:
        """One price as it is written; zeros at its end are not decimals."""
        decimals = price.partition(".")[2].rstrip("0")
        if len(decimals) > self._decimals:
            self._decimals = len(decimals)

    @property
    def nanos(self) -> int:
        """The step in nano-units, at least one."""
        step: int = 10 ** (9 - min(self._decimals, 9))
        return step


def quote_after(trade: TapeTrade, step_nanos: int) -> TapeQuote:
    """The quote right after a trade, one price step wide, both sizes the trade's.

    The taker's side tells which side of the book traded, the other side is a step away; where it is
    not told, the bid traded.
    """
    price_nanos = trade.price_nanos
    bid_nanos = price_nanos - step_nanos if trade.aggressor is Side.BUY else price_nanos
    bid_nanos = max(bid_nanos, step_nanos)
    return TapeQuote(
        symbol=trade.symbol,
        at_ns=trade.at_ns,
        bid_nanos=bid_nanos,
        ask_nanos=bid_nanos + step_nanos,
        bid_size_nanos=trade.size_nanos,
        ask_size_nanos=trade.size_nanos,
        derived=True,
    )


def quote_around(trade: TapeTrade, *, spread_basis_points: int, step_nanos: int) -> TapeQuote:
    """A quote of a stated spread around a price, at least two steps wide, sizes the trade's."""
    half_nanos = trade.price_nanos * spread_basis_points // 20_000
    half_nanos = max(half_nanos // step_nanos, 1) * step_nanos
    return TapeQuote(
        symbol=trade.symbol,
        at_ns=trade.at_ns,
        bid_nanos=max(trade.price_nanos - half_nanos, min(step_nanos, NANOS)),
        ask_nanos=trade.price_nanos + half_nanos,
        bid_size_nanos=trade.size_nanos,
        ask_size_nanos=trade.size_nanos,
        derived=True,
    )
