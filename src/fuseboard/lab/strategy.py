"""What a strategy is in the lab: told what happens, it says which orders it wants.

A strategy has no clock, no file and no chance: what it is told carries the time, and the same
events lead to the same orders. It runs as it is with the gate and without; the loop, the exchange
and the tape are not its business. Prices, quantities and money are nano-units, times UTC
nanoseconds.
"""

from collections.abc import Sequence
from typing import Protocol, TypeAlias

from msgspec import Struct

from fuseboard.vocabulary.orders import OrderType, Side, TimeInForce


class Terms(Struct, frozen=True, kw_only=True):
    """What a strategy knows before the first event."""

    symbols: tuple[str, ...]
    equity_nanos: int
    """The account's equity at the beginning."""
    shares: bool
    """Whether whole shares are traded, at prices in whole cents; else fractions of a pair."""


# --- what it is told -----------------------------------------------------------------------------


class Quote(Struct, frozen=True, kw_only=True, gc=False):
    """The quotes of one symbol in one slice, conflated: the last, the extremes, and how many."""

    symbol: str
    at_ns: int
    bid_nanos: int
    ask_nanos: int
    bid_size_nanos: int
    ask_size_nanos: int
    bid_low_nanos: int
    ask_high_nanos: int
    count: int

    @property
    def middle_nanos(self) -> int:
        """Halfway between bid and ask; 0 while a side is missing or they are crossed."""
        if not 0 < self.bid_nanos <= self.ask_nanos:
            return 0
        return (self.bid_nanos + self.ask_nanos) // 2


class Trade(Struct, frozen=True, kw_only=True, gc=False):
    """The trades of one symbol in one slice, conflated: the last, the extremes, and how many."""

    symbol: str
    at_ns: int
    price_nanos: int
    size_nanos: int
    low_nanos: int
    high_nanos: int
    count: int


class Fill(Struct, frozen=True, kw_only=True, gc=False):
    """One execution, and the position after it (negative when short).

    `own_id` is empty where the gate closed the position: that order was not the strategy's.
    """

    symbol: str
    at_ns: int
    own_id: str
    side: Side
    quantity_nanos: int
    price_nanos: int
    position_nanos: int
    whole: bool
    """Whether nothing is left of the order."""


class End(Struct, frozen=True, kw_only=True, gc=False):
    """An order of the strategy's is over without being filled wholly.

    `how`: `denied` by the gate or not sent in time, `rejected` by the exchange, `canceled` or
    `expired`. `code` is the reason's, of a denial; `filled_nanos` what had been filled of it.
    """

    symbol: str
    at_ns: int
    own_id: str
    how: str
    code: str = ""
    message: str = ""
    filled_nanos: int = 0


# --- what it wants -------------------------------------------------------------------------------


class Place(Struct, frozen=True, kw_only=True, gc=False):
    """An order. `own_id` is the strategy's own, at most 100 characters, never used twice."""

    own_id: str
    symbol: str
    side: Side
    quantity_nanos: int
    order_type: OrderType = OrderType.MARKET
    time_in_force: TimeInForce = TimeInForce.DAY
    limit_price_nanos: int | None = None
    stop_price_nanos: int | None = None


class Cancel(Struct, frozen=True, kw_only=True, gc=False):
    """Cancel an order of its own; what cannot be cancelled any more is said by its end or fill."""

    own_id: str


Intent: TypeAlias = Place | Cancel


class Strategy(Protocol):
    """Told one thing at a time, in order; each answer is a sequence of intents, often empty."""

    def on_quote(self, quote: Quote) -> Sequence[Intent]:
        """The market shows another price."""

    def on_trade(self, trade: Trade) -> Sequence[Intent]:
        """Somebody traded."""

    def on_fill(self, fill: Fill) -> Sequence[Intent]:
        """Its order traded, or the gate closed what it held."""

    def on_end(self, end: End) -> Sequence[Intent]:
        """Its order is over: denied, rejected, cancelled or expired."""
