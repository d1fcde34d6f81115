"""One symbol in one ledger, and the worst that its working orders may make of it.

Each side of a symbol counts on its own: every unfilled buy as if bought, no sell as if sold, and
the other way round. What goes through zero is valued at the dearest price that has worked on that
side: the cheap orders may be the ones that close the position, so their average would count too
little.
"""

from dataclasses import dataclass
from typing import Final

from fuseboard.vocabulary.orders import OrderType, Side

_BUY: Final = Side.BUY
_SELL: Final = Side.SELL
_STOP: Final = OrderType.STOP
_STOP_LIMIT: Final = OrderType.STOP_LIMIT
NOTHING_ASKED_NANOS: Final = 10**18 * 10**9
"""Above every price: no sell works that is not a stop."""


@dataclass(slots=True)
class Position:
    """One symbol in one ledger: what is held, what works, and the mark it is valued at.

    No struct: each order sets eight fields, which takes a struct four times as long.
    """

    quantity_nanos: int = 0
    average_price_nanos: int = 0
    mark_nanos: int = 0
    buying_nanos: int = 0
    selling_nanos: int = 0
    buying_attos: int = 0
    selling_attos: int = 0
    buying_price_nanos_max: int = 0
    selling_price_nanos_max: int = 0
    """The dearest worst price on a side since nothing worked there."""
    selling_price_nanos_min: int = NOTHING_ASKED_NANOS
    """The lowest price that a sell, which is no stop, has asked since nothing worked there."""
    worst_attos: int = 0
    """The greatest absolute value this symbol can reach; kept for the account's ledger only."""
    held_attos: int = 0
    """The absolute value of what is held at its mark; kept for the account's ledger only."""
    sector: str = ""
    """The policy's sector of the symbol; of the account's ledger only."""
    occupied: bool = False
    """Whether it is held or has working orders; kept for the account's ledger only."""
    moves: int = 0
    """How often its orders moved: what was read from the broker before the last one is stale."""

    def worst_with_attos(self, side: Side, added_nanos: int, price_nanos: int, attos: int) -> int:
        """The greatest absolute value with one more order on `side`, of this size and price;
        `attos` is the one times the other.
        """
        held, mark = self.quantity_nanos, self.mark_nanos
        buying, buying_attos = self.buying_nanos, self.buying_attos
        selling, selling_attos = self.selling_nanos, self.selling_attos
        buying_max, selling_max = self.buying_price_nanos_max, self.selling_price_nanos_max
        if side is _BUY:
            buying += added_nanos
            buying_attos += attos
            if held >= 0 and buying and not selling:
                return held * mark + buying_attos
            if price_nanos > buying_max:
                buying_max = price_nanos
        else:
            selling += added_nanos
            selling_attos += attos
            if price_nanos > selling_max:
                selling_max = price_nanos
        worst = abs(held * mark)
        if buying:
            reached = _reached_attos(held, mark, buying, buying_attos, buying_max)
            if reached > worst:
                worst = reached
        if selling:
            reached = _reached_attos(-held, mark, selling, selling_attos, selling_max)
            if reached > worst:
                worst = reached
        return worst

    def count(self, side: Side, quantity_nanos: int, price_nanos: int) -> None:
        """Count (or, negative, uncount) what works on a side at its worst price."""
        self.moves += 1
        if side is _BUY:
            working_nanos = self.buying_nanos = self.buying_nanos + quantity_nanos
            self.buying_attos += quantity_nanos * price_nanos
            if working_nanos == 0:
                self.buying_price_nanos_max = 0
            elif price_nanos > self.buying_price_nanos_max:
                self.buying_price_nanos_max = price_nanos
        else:
            working_nanos = self.selling_nanos = self.selling_nanos + quantity_nanos
            self.selling_attos += quantity_nanos * price_nanos
            if working_nanos == 0:
                self.selling_price_nanos_max = 0
                self.selling_price_nanos_min = NOTHING_ASKED_NANOS
            elif price_nanos > self.selling_price_nanos_max:
                self.selling_price_nanos_max = price_nanos
        assert working_nanos >= 0, "more was uncounted than works"

    def add(self, side: Side, quantity_nanos: int, price_nanos: int, attos: int) -> None:
        """Count a new order, as `count` does; `attos` is its quantity times its price."""
        self.moves += 1
        if side is _BUY:
            self.buying_nanos += quantity_nanos
            self.buying_attos += attos
            if price_nanos > self.buying_price_nanos_max:
                self.buying_price_nanos_max = price_nanos
        else:
            self.selling_nanos += quantity_nanos
            self.selling_attos += attos
            if price_nanos > self.selling_price_nanos_max:
                self.selling_price_nanos_max = price_nanos

    def ask(self, side: Side, order_type: OrderType, limit_price_nanos: int | None) -> None:
        """Keep the lowest price that a sell asks; a market order asks nothing, a stop no price."""
        if side is _SELL and order_type is not _STOP and order_type is not _STOP_LIMIT:
            price_nanos = limit_price_nanos or 0
            if price_nanos < self.selling_price_nanos_min:
                self.selling_price_nanos_min = price_nanos

    def reducible_nanos(self, side: Side) -> int:
        """How much an order on `side` may still reduce, less what already works to reduce it."""
        if side is _SELL:
            return max(0, self.quantity_nanos - self.selling_nanos)
        return max(0, -self.quantity_nanos - self.buying_nanos)


def _reached_attos(
    held: int, mark: int, working: int, working_attos: int, price_nanos_max: int
) -> int:
    """The value on one side when all its working orders fill; `held` is negative on the other side.

    What first closes the opposite position does not count.
    """
    if held >= 0:
        return held * mark + working_attos
    beyond = working + held
    return min(beyond * price_nanos_max, working_attos) if beyond > 0 else 0
