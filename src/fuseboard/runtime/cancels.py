"""The way of a cancel to the broker: at once, never behind an order, never twice at a time.

A cancel whose order has left without a broker order id yet is remembered and goes out when the id
is known. The kernel repeats its cancels until an order is final, so repeating is harmless here: a
cancel that is on its way, or that the broker took less than `cancel_again_ns_min` ago, is not sent
again. Many at a time are asked for as one where that takes nothing else away (`bulk_cancels`); one
that waits for its turn while its order becomes final is dropped.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar

from msgspec import Struct

from fuseboard.runtime.bulk_cancels import BulkCancels
from fuseboard.runtime.crew import Crew
from fuseboard.runtime.gate import SECOND_NS, Gate
from fuseboard.vocabulary.doors import Broker, Clock, Throttled
from fuseboard.vocabulary.effects import CancelOrder
from fuseboard.vocabulary.inputs import CancelRefused, ForeignOrderSeen

Kept = TypeVar("Kept")
ORDER_ID_CHARACTERS: Final = 36
"""An order's wire id ends with our order id."""


class CancelLimits(Struct, frozen=True, kw_only=True):
    """Bounds of cancelling."""

    cancels_in_flight_max: int = 32
    cancels_waiting_max: int = 65_536
    cancels_remembered_max: int = 65_536
    cancel_again_ns_min: int = SECOND_NS // 4


class _Cancel:
    """One cancel under way: in line, waiting for its turn, or at the broker."""

    __slots__ = ("is_moot", "may_drop", "order", "task")

    def __init__(self, order: CancelOrder) -> None:
        self.order = order
        self.task: asyncio.Task[None] | None = None
        self.is_moot = False
        """Nobody waits for it any more: its order is final, or all were cancelled at once."""
        self.may_drop = True
        """Whether nothing was asked of the broker for it yet."""


class CancelLine:
    """Cancels under way and remembered. `refused` gets what the broker did not take; `bulk` asks
    for many as one, and is given once.
    """

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
        self._bulk: BulkCancels | None = None
        self._bulk_asked: asyncio.Event | None = None
        self._waiting: deque[_Cancel] = deque()
        self._under_way: dict[str, _Cancel] = {}
        self._in_flight = 0
        self._remembered: dict[str, None] = {}
        self._asked_at_broker: dict[str, None] = {}
        self._not_again_until_ns: dict[str, int] = {}
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
        entries_max = self.limits.cancels_remembered_max
        _keep(self._asked_at_broker, order.broker_order_id, None, entries_max)
        cancel = self._under_way[order.order_id] = _Cancel(order)
        self._waiting.append(cancel)
        self._start_next()

    def ask_for_many_with(self, bulk: BulkCancels) -> None:
        """From now on many cancels are asked for as one, where `bulk` says that it may be."""
        self._bulk = bulk

    def is_wanted(self, order_id: str) -> bool:
        """Whether a cancel waits for this order's broker order id."""
        return order_id in self._remembered

    def wants(self, seen: ForeignOrderSeen) -> bool:
        """Whether the cancel of an order that works was asked for."""
        is_asked = seen.broker_order_id in self._asked_at_broker
        return is_asked or seen.wire_id[-ORDER_ID_CHARACTERS:] in self._remembered

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
        """The order is final: no cancel is wanted any more, also none that waits for its turn."""
        self._remembered.pop(order_id, None)
        self._doubted.pop(order_id, None)
        if order_id in self._under_way:
            _drop(self._under_way[order_id])

    def _taken_lately(self, order_id: str) -> bool:
        return self._clock.now().boot_ns < self._not_again_until_ns.get(order_id, 0)

    def _took(self, order_id: str, not_again_ns: int) -> None:
        until_ns = self._clock.now().boot_ns + not_again_ns
        self._not_again_until_ns.pop(order_id, None)
        _keep(self._not_again_until_ns, order_id, until_ns, self.limits.cancels_remembered_max)

    def _start_next(self) -> None:
        while self._waiting and self._in_flight < self.limits.cancels_in_flight_max:
            cancel = self._waiting.popleft()
            if cancel.is_moot:
                del self._under_way[cancel.order.order_id]
                continue
            self._in_flight += 1
            cancel.task = self._crew.start(self._send(cancel), partial(self._ended, cancel))

    def _ended(self, cancel: _Cancel) -> None:
        self._in_flight -= 1
        del self._under_way[cancel.order.order_id]
        self._start_next()

    async def _send(self, cancel: _Cancel) -> None:
        order = cancel.order
        if self._bulk is not None:
            await self._ask_for_many(self._bulk, cancel)
        while not cancel.is_moot:
            await self._gate.turn(protective=True)
            cancel.may_drop = False
            try:
                refused = await self._broker.cancel(order)
            except Throttled as refusal:
                self._gate.throttled(refusal)  # protection keeps trying
                cancel.may_drop = True
                continue
            self._gate.accepted()
            if refused is None:
                self._took(order.order_id, self.limits.cancel_again_ns_min)
            else:
                order_id = order.order_id
                _keep(self._doubted, order_id, None, self.limits.cancels_remembered_max)
                self._refused(refused)
            return

    # --- many at a time --------------------------------------------------------------------------

    async def _ask_for_many(self, bulk: BulkCancels, cancel: _Cancel) -> None:
        """Wait for a bulk cancel that is asked for, or ask for one if that is worth it; the wait is
        bounded, and the bulk cancel may go on after it.
        """
        if self._bulk_asked is None:
            waiting = sum(each.may_drop and not each.is_moot for each in self._under_way.values())
            if cancel.is_moot or not bulk.is_worth(waiting):
                return
            asked = self._bulk_asked = asyncio.Event()
            self._crew.start(self._ask(bulk, asked), partial(self._bulk_ended, asked))
        await self._bulk_asked.wait()

    async def _ask(self, bulk: BulkCancels, asked: asyncio.Event) -> None:
        taken = frozenset(await bulk.ask(asked.set))
        for each in self._under_way.values():
            if each.order.broker_order_id in taken:
                self._took(each.order.order_id, bulk.limits.taken_ns)
                _drop(each)

    def _bulk_ended(self, asked: asyncio.Event) -> None:
        self._bulk_asked = None
        asked.set()


def _drop(cancel: _Cancel) -> None:
    cancel.is_moot = True
    if cancel.task is not None and cancel.may_drop:
        cancel.task.cancel()


def _keep(kept: dict[str, Kept], key: str, value: Kept, entries_max: int) -> None:
    kept[key] = value
    if len(kept) > entries_max:  # the oldest goes: the kernel repeats a cancel that matters
        del kept[next(iter(kept))]
