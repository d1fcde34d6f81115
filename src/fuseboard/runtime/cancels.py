"""The way of a cancel to the broker: at once, never behind an order, never twice at a time.

A cancel whose order has left without a broker order id yet is remembered and goes out when the id
is known. The kernel repeats its cancels until an order is final, so repeating is harmless here: a
cancel that is on its way, or that the broker took less than `cancel_again_ns_min` ago, is not sent
again.
"""

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from msgspec import Struct

from fuseboard.runtime.crew import Crew
from fuseboard.runtime.gate import SECOND_NS, Gate
from fuseboard.vocabulary.doors import Broker, Clock, Throttled
from fuseboard.vocabulary.effects import CancelOrder
from fuseboard.vocabulary.inputs import CancelRefused

Kept = TypeVar("Kept")


class CancelLimits(Struct, frozen=True, kw_only=True):
    """Bounds of cancelling."""

    cancels_in_flight_max: int = 32
    cancels_waiting_max: int = 65_536
    cancels_remembered_max: int = 65_536
    cancel_again_ns_min: int = SECOND_NS // 4


class CancelLine:
    """Cancels under way and remembered. `refused` gets what the broker did not take."""

    def __init__(
        self,
        *,
        broker: Broker,
        gate: Gate,
        crew: Crew,
        clock: Clock,
        refused: Callable[[CancelRefused], None],
        limits: CancelLimits,
    ) -> None:
        self.limits = limits
        self._broker = broker
        self._gate = gate
        self._crew = crew
        self._clock = clock
        self._refused = refused
        self._waiting: deque[CancelOrder] = deque()
        self._under_way: dict[str, CancelOrder] = {}
        self._in_flight = 0
        self._remembered: dict[str, None] = {}
        self._taken_ns: dict[str, int] = {}
        self._doubted: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._under_way)

    def cancel(self, order: CancelOrder) -> None:
        """Send a cancel by broker order id, or remember it while there is no id."""
        if order.broker_order_id is None:
            _keep(self._remembered, order.order_id, None, self.limits.cancels_remembered_max)
            return
        self._remembered.pop(order.order_id, None)
        if order.order_id in self._under_way or self._taken_lately(order.order_id):
            return
        assert len(self._under_way) < self.limits.cancels_waiting_max, "too many cancels wait"
        self._under_way[order.order_id] = order
        self._waiting.append(order)
        self._start_next()

    def is_wanted(self, order_id: str) -> bool:
        """Whether a cancel waits for this order's broker order id."""
        return order_id in self._remembered

    def awaits(self, order_id: str) -> bool:
        """Whether protection waits for news of this order: its cancel has no broker order id yet,
        or was refused, so that the order may be final without our knowing.
        """
        return order_id in self._remembered or order_id in self._doubted

    def known(self, order_id: str, broker_order_id: str) -> None:
        """The broker's id of an order is known: a remembered cancel goes out."""
        if order_id in self._remembered:
            self.cancel(CancelOrder(order_id=order_id, broker_order_id=broker_order_id))

    def forget(self, order_id: str) -> None:
        """The order is final: no cancel is wanted any more."""
        self._remembered.pop(order_id, None)
        self._doubted.pop(order_id, None)

    def _taken_lately(self, order_id: str) -> bool:
        taken_ns = self._taken_ns.get(order_id)
        if taken_ns is None:
            return False
        return self._clock.now().boot_ns - taken_ns < self.limits.cancel_again_ns_min

    def _start_next(self) -> None:
        while self._waiting and self._in_flight < self.limits.cancels_in_flight_max:
            order = self._waiting.popleft()
            self._in_flight += 1
            self._crew.start(self._send(order), partial(self._ended, order))

    def _ended(self, order: CancelOrder) -> None:
        self._in_flight -= 1
        del self._under_way[order.order_id]
        self._start_next()

    async def _send(self, order: CancelOrder) -> None:
        while True:
            await self._gate.turn(protective=True)
            try:
                refused = await self._broker.cancel(order)
            except Throttled as refusal:
                self._gate.throttled(refusal)  # protection keeps trying
                continue
            self._gate.accepted()
            if refused is None:
                taken_ns = self._clock.now().boot_ns
                self._taken_ns.pop(order.order_id, None)
                _keep(self._taken_ns, order.order_id, taken_ns, self.limits.cancels_remembered_max)
            else:
                order_id = order.order_id
                _keep(self._doubted, order_id, None, self.limits.cancels_remembered_max)
                self._refused(refused)
            return


def _keep(kept: dict[str, Kept], key: str, value: Kept, entries_max: int) -> None:
    kept[key] = value
    if len(kept) > entries_max:  # the oldest goes: the kernel repeats a cancel that matters
        del kept[next(iter(kept))]
