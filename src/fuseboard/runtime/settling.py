"""When a halt is settled: every request that had started is answered, or listed as in doubt.

Once a halt is latched, nothing that raises exposure starts (law 5). What had started before may
still arrive at the broker until it is answered; after that, or after `SETTLE_NS_MAX`, whoever
halted is told which orders may.
"""

import asyncio

from fuseboard.runtime.gate import SECOND_NS
from fuseboard.runtime.submits import SubmitLine
from fuseboard.vocabulary.effects import SubmitOrder
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE, strategy_scope, symbol_scope
from fuseboard.vocabulary.inputs import (
    FillReported,
    Input,
    OrderEnded,
    OrderNotSent,
    OrderSent,
    OrderUnknown,
    OrderWorking,
)

SETTLE_NS_MAX = 2 * SECOND_NS
IN_DOUBT_MAX = 65_536
"""How many orders in doubt are kept; the book has no more working orders than that."""
_SAID = (OrderSent, OrderNotSent, OrderWorking, FillReported, OrderEnded)


class Settling:
    """Follows what is in doubt, and waits for what has started."""

    def __init__(self, submits: SubmitLine) -> None:
        self._submits = submits
        self._in_doubt: dict[str, None] = {}

    def note(self, fact: Input) -> None:
        """Take a fact of the broker: an order comes into doubt, or is known again."""
        if isinstance(fact, OrderUnknown):
            self._in_doubt[fact.order_id] = None
            if len(self._in_doubt) > IN_DOUBT_MAX:
                del self._in_doubt[next(iter(self._in_doubt))]
        elif isinstance(fact, _SAID):
            self._in_doubt.pop(fact.order_id, None)
            self._submits.shown(fact.order_id)

    async def settled(self, scope: str) -> tuple[str, ...]:
        """Wait until every submit of the scope that has started is answered, at most
        `SETTLE_NS_MAX`; the ids of those that are in doubt then.
        """
        started = [
            order.order_id for order in self._submits.started_orders() if _is_of(order, scope)
        ]
        try:
            async with asyncio.timeout(SETTLE_NS_MAX / SECOND_NS):
                while any(self._submits.has_started(order_id) for order_id in started):
                    await self._submits.next_outcome()
        except TimeoutError:
            pass
        return tuple(
            order_id
            for order_id in started
            if order_id in self._in_doubt or self._submits.has_started(order_id)
        )


def _is_of(order: SubmitOrder, scope: str) -> bool:
    if not order.raises_exposure:
        return False
    return scope in (ACCOUNT_SCOPE, strategy_scope(order.strategy), symbol_scope(order.symbol))
