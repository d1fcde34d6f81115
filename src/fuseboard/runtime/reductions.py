"""Reductions that are on their way, and what may not overtake them.

A reduction is proven against the position and against what was decided before it
(`core.exposure.intent_of`). What is decided after it on the same side of the same symbol, and is
no reduction itself, goes beyond the position. If that arrives first, it takes the position, and
the reduction is what opens: an order that no halt stops and no limit judges. So it waits until our
book knows what became of every such reduction before it. Nothing else waits: reductions fit into
the position together, in any order, and a plan's closes are sized from what the broker says.
"""

import asyncio

from fuseboard.runtime.gate import SECOND_NS
from fuseboard.vocabulary.effects import SubmitOrder
from fuseboard.vocabulary.orders import Intent, Side

UNANSWERED_MAX = 65_536
"""When full, the oldest is forgotten; the book has no more working orders than that."""


class Reductions:
    """Reductions that were sent and not yet answered, by symbol."""

    def __init__(self, unanswered_max: int = UNANSWERED_MAX) -> None:
        self._unanswered_max = unanswered_max
        self._symbols: dict[str, str] = {}
        """Order id → symbol, the oldest first."""
        self._sides: dict[str, dict[str, Side]] = {}
        """Symbol → order id → side."""
        self._changed = asyncio.Event()

    def before(self, order: SubmitOrder) -> list[str]:
        """The order ids for whose answers this order has to wait; it is one of them from now on
        when it is a reduction.
        """
        if order.intent is Intent.REDUCE:
            self._symbols[order.order_id] = order.symbol
            self._sides.setdefault(order.symbol, {})[order.order_id] = order.side
            if len(self._symbols) > self._unanswered_max:
                self.answered(next(iter(self._symbols)))
            return []
        on_their_way = self._sides.get(order.symbol)
        if on_their_way is None:
            return []
        return [order_id for order_id, side in on_their_way.items() if side is order.side]

    def answered(self, order_id: str) -> None:
        """It is known what became of an order."""
        symbol = self._symbols.pop(order_id, None)
        if symbol is None:
            return
        of_symbol = self._sides[symbol]
        del of_symbol[order_id]
        if not of_symbol:
            del self._sides[symbol]
        self._changed.set()

    async def are_answered(self, order_ids: list[str], wait_ns_max: int) -> bool:
        """Wait until all of these are answered; False when that took longer than `wait_ns_max`."""
        try:
            async with asyncio.timeout(wait_ns_max / SECOND_NS):
                while any(order_id in self._symbols for order_id in order_ids):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True
