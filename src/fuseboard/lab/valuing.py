"""What an account is worth by the tape: cash by each fill, positions at the middle.

A position counts at the middle of the last quote that is two-sided, not crossed and at most 5 %
wide; while the quotes of its symbol are not, at the last trade since (as the gate itself marks,
DESIGN law 12); before the first of either at the prior close. It is the same with the gate and
without, and it is nobody's view but the tape's.
"""

from typing import Final

from fuseboard.exchange.orders import Fill
from fuseboard.feeds.tapes.tape import TapeQuote, TapeTrade
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Side

WIDTHS_MIN: Final = 20
"""A usable quote's middle is at least so many times as large as its spread: 5 %."""


class Valuing:
    """Cash and positions as the exchange's fills move them, marks as the tape tells them."""

    def __init__(self, *, cash_nanos: int, closes: dict[str, int]) -> None:
        self.cash_attos = cash_nanos * NANOS
        self.positions: dict[str, int] = {}
        self.marks: dict[str, int] = dict(closes)
        self._usable: dict[str, bool] = {}

    def on_quote(self, quote: TapeQuote) -> int:
        """The middle of a usable quote; 0 for another one."""
        bid_nanos, ask_nanos = quote.bid_nanos, quote.ask_nanos
        twice_nanos = bid_nanos + ask_nanos
        usable = 0 < bid_nanos <= ask_nanos and (
            (ask_nanos - bid_nanos) * 2 * WIDTHS_MIN <= twice_nanos
        )
        self._usable[quote.symbol] = usable
        if not usable:
            return 0
        middle_nanos = twice_nanos // 2
        self.marks[quote.symbol] = middle_nanos
        return middle_nanos

    def on_trade(self, trade: TapeTrade) -> None:
        """A trade counts while no quote does."""
        if not self._usable.get(trade.symbol, False):
            self.marks[trade.symbol] = trade.price_nanos

    def on_fill(self, symbol: str, side: Side, fill: Fill) -> None:
        """One execution."""
        signed_nanos = fill.quantity_nanos if side is Side.BUY else -fill.quantity_nanos
        self.cash_attos -= signed_nanos * fill.price_nanos + fill.fee_nanos * NANOS
        if fill.position_nanos:
            self.positions[symbol] = fill.position_nanos
        else:
            self.positions.pop(symbol, None)

    def equity_nanos(self) -> int:
        """Cash and all positions, rounded down."""
        total_attos = self.cash_attos
        for symbol, quantity_nanos in self.positions.items():
            total_attos += quantity_nanos * self.marks.get(symbol, 0)
        return total_attos // NANOS
