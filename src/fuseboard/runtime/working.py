"""Which orders work at the broker, by what came through the outlet, and what was sent of each.

The kernel keeps the book. This table is for the moment when the kernel cannot be trusted any more,
and for comparing what we sent with what the broker says that it got: it knows no rules.
"""

from collections.abc import Sequence

from fuseboard.vocabulary.copy_inputs import WorkingOrder, WorkingSeen
from fuseboard.vocabulary.effects import PublishOrder
from fuseboard.vocabulary.identifiers import is_foreign_order_id
from fuseboard.vocabulary.inputs import (
    FillReported,
    ForeignOrderSeen,
    Input,
    OrderEnded,
    OrderNotSent,
    OrderSent,
    OrderWorking,
)
from fuseboard.vocabulary.orders import TERMINAL_STATUSES, Side

WORKING_ORDERS_MAX = 65_536
ENDED_ORDERS_MAX = 4_096
_OF_ORDERS = OrderSent | OrderWorking | FillReported | OrderEnded | OrderNotSent
TOLD_MAX = 100
"""Orders that one comparison names, the oldest first; the others it counts."""


class WorkingOrders:
    """Order id → broker order id. When full, the oldest goes: a fault also asks the broker."""

    def __init__(
        self, *, working_max: int = WORKING_ORDERS_MAX, ended_max: int = ENDED_ORDERS_MAX
    ) -> None:
        self._working_max = working_max
        self._ended_max = ended_max
        self._working: dict[str, str] = {}
        self._ended: dict[str, None] = {}
        self._sent: dict[str, tuple[Side, int]] = {}
        self._differed = False

    def __len__(self) -> int:
        return len(self._working)

    def broker_order_id(self, order_id: str) -> str | None:
        """The broker's id of an order that works."""
        return self._working.get(order_id)

    def all(self) -> list[tuple[str, str]]:
        """(order id, broker order id) of every order that works."""
        return list(self._working.items())

    def sent(self, order_id: str, side: Side, quantity_nanos: int) -> None:
        """Remember what was sent, or shown as sent by an earlier run."""
        if order_id not in self._ended:
            self._sent[order_id] = (side, quantity_nanos)
            if len(self._sent) > self._working_max:
                del self._sent[next(iter(self._sent))]

    def compared(self, at_broker: Sequence[ForeignOrderSeen]) -> WorkingSeen | None:
        """Our orders in the broker's whole list that are not what was sent, as far as can be read;
        None when there are none, and were none the last time.
        """
        listed = {order.broker_order_id: order for order in at_broker}
        differing = []
        for order_id, broker_order_id in self._working.items():
            order, sent = listed.get(broker_order_id), self._sent.get(order_id)
            if order is None or (sent is None and order.side is not None):
                continue
            if (order.side, order.quantity_nanos) != sent:
                differing.append(
                    WorkingOrder(
                        order_id=order_id, side=order.side, quantity_nanos=order.quantity_nanos
                    )
                )
        differed, self._differed = self._differed, bool(differing)
        if not differing and not differed:
            return None
        named = tuple(differing[:TOLD_MAX])
        return WorkingSeen(differing=named, more=len(differing) - len(named))

    def adopted(self, order: PublishOrder) -> None:
        """Follow a foreign order that our book has adopted, as the kernel shows it."""
        if order.status in TERMINAL_STATUSES:
            self._end(order.order_id)
        elif order.broker_order_id is not None:
            self._ended.pop(order.order_id, None)  # what was final may be listed again
            self._work(order.order_id, order.broker_order_id)
            self.sent(order.order_id, order.side, order.quantity_nanos)

    def note(self, fact: Input) -> None:
        """Learn from a fact of the broker. The stream may be ahead of the answer to a submit, so
        an order that has ended stays ended. Of a foreign one, which may not be adopted, nothing.
        """
        if isinstance(fact, _OF_ORDERS) and is_foreign_order_id(fact.order_id):
            return
        if isinstance(fact, OrderSent):
            if fact.status in TERMINAL_STATUSES:
                self._end(fact.order_id)
            else:
                self._work(fact.order_id, fact.broker_order_id)
        elif isinstance(fact, OrderWorking):
            self._work(fact.order_id, fact.broker_order_id)
        elif isinstance(fact, FillReported):
            if fact.final:
                self._end(fact.order_id)
            else:
                self._work(fact.order_id, fact.broker_order_id)
        elif isinstance(fact, OrderEnded | OrderNotSent):
            self._end(fact.order_id)

    def _work(self, order_id: str, broker_order_id: str) -> None:
        if order_id in self._ended:
            return
        self._working[order_id] = broker_order_id
        if len(self._working) > self._working_max:
            del self._working[next(iter(self._working))]

    def _end(self, order_id: str) -> None:
        self._working.pop(order_id, None)
        self._sent.pop(order_id, None)
        self._ended[order_id] = None
        if len(self._ended) > self._ended_max:
            del self._ended[next(iter(self._ended))]
