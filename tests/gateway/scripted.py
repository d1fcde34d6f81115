"""What stands behind the door in these tests: a scripted loop, a broker that answers reads, a feed.

The scripted loop is no kernel: it takes every order, or does what the test tells it to, and applies
the effects a kernel would. The server and the clients are real.
"""

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from msgspec import Struct, structs

from fuseboard.gateway.door import GatewayDoor
from fuseboard.gateway.doors import MarketDoor, ReadDoor
from fuseboard.gateway.keys import Keys
from fuseboard.gateway.limits import GatewayLimits
from fuseboard.gateway.orders import Node
from fuseboard.gateway.watchlists import Watchlists
from fuseboard.vocabulary.doors import BrokerUnavailable
from fuseboard.vocabulary.effects import (
    AnswerCancel,
    AnswerDenied,
    AnswerOrder,
    Effect,
    PublishOrder,
    PublishPosition,
    SubmitOrder,
)
from fuseboard.vocabulary.identifiers import order_id, wire_id
from fuseboard.vocabulary.inputs import (
    AccountSeen,
    CancelRequested,
    Input,
    OrderRequested,
    ReplaceRequested,
)
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import TERMINAL_STATUSES, Intent, OrderStatus, Side
from fuseboard.vocabulary.reasons import Reason
from fuseboard.wire.alpaca import asset_object, clock_object, json_bytes
from fuseboard.wire.websocket_server import WebSocketLimits

NODE = Node(instance="testtest", account="paper")
START_NS = 1_273_154_400_000_000_000
T = TypeVar("T")


class Answer(Struct, frozen=True):
    status: int
    body: bytes


class ReadingBroker:
    """Answers reads; `answers` by target, `asked` records every call."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.unavailable = False
        clock = clock_object(
            now_ns=START_NS, is_open=True, next_open_ns=START_NS, next_close_ns=START_NS + NANOS
        )
        self.answers: dict[str, Answer] = {
            "/v2/clock": Answer(200, json_bytes(clock)),
            "/v2/calendar?start=2010-05-06&end=2010-05-06": Answer(
                200, b'[{"date":"2010-05-06","open":"09:30","close":"16:00"}]'
            ),
        }
        for symbol in ("AAPL", "MSFT"):
            self.answers[f"/v2/assets/{symbol}"] = Answer(200, json_bytes(asset_object(symbol)))

    async def fetch(self, method: str, target: str) -> Answer:
        self.asked.append((method, target))
        if self.unavailable:
            raise BrokerUnavailable("switched off by the test")
        return self.answers.get(target, Answer(404, b'{"code":40410000,"message":"not found"}'))


class ScriptedFeed:
    """Watches at once, or never when `silent`; `say` plays messages of the upstream stream."""

    def __init__(self) -> None:
        self.watched: list[str] = []
        self.subscribed: list[tuple[str, tuple[str, ...]]] = []
        self.silent = False
        self.unavailable = False
        self.say: Callable[[list[dict[str, Any]]], None]

    async def watch(self, symbol: str) -> None:
        self.watched.append(symbol)
        if self.unavailable:
            raise BrokerUnavailable("switched off by the test")
        if self.silent:
            await asyncio.Event().wait()

    async def subscribe(self, channel: str, symbols: Sequence[str]) -> None:
        if self.unavailable:
            raise BrokerUnavailable("switched off by the test")
        self.subscribed.append((channel, tuple(symbols)))

    def listen(self, callback: Callable[[list[dict[str, Any]]], None]) -> None:
        self.say = callback


class ScriptedLoop:
    """Takes inputs; answers with effects in the next turn of the event loop, unless told not to."""

    def __init__(self) -> None:
        self.inputs: list[Input] = []
        self.orders: dict[str, PublishOrder] = {}
        self.positions: dict[tuple[str, str], int] = {}
        self.apply: Callable[[Effect], None]
        self.deny: AnswerDenied | None = None
        self.is_full = False
        self.is_silent = False
        self.fills = False
        self.breaks = False
        self.cancels_take_s = 0.0

    def offer(self, fact: Input) -> bool:
        if self.is_full:
            return False
        self.inputs.append(fact)
        if self.breaks:
            raise RuntimeError("broken by the test")
        if not self.is_silent:
            asyncio.get_running_loop().call_soon(self.answer, fact)
        return True

    def answer(self, fact: Input) -> None:
        if isinstance(fact, OrderRequested):
            self._order(fact)
        elif isinstance(fact, CancelRequested):
            self._cancel(fact)
        elif isinstance(fact, ReplaceRequested):
            self._replace(fact)

    def _order(self, fact: OrderRequested) -> None:
        our_id = order_id(
            instance=NODE.instance,
            account=NODE.account,
            strategy=fact.strategy,
            client_order_id=fact.client_order_id,
        )
        if our_id in self.orders:
            self.apply(AnswerOrder(request=fact.request, order_id=our_id, repeated=True))
            return
        if self.deny is not None:
            self.apply(structs.replace(self.deny, request=fact.request, strategy=fact.strategy))
            return
        submit = SubmitOrder(
            order_id=our_id,
            wire_id=wire_id(instance=NODE.instance, order_id=our_id),
            symbol=fact.symbol,
            side=fact.side,
            order_type=fact.order_type,
            time_in_force=fact.time_in_force,
            quantity_nanos=fact.quantity_nanos,
            intent=Intent.OPEN,
            raises_exposure=True,
            halt_epoch=0,
            strategy=fact.strategy,
            client_order_id=fact.client_order_id,
            created_ns=START_NS + len(self.orders),
            limit_price_nanos=fact.limit_price_nanos,
            stop_price_nanos=fact.stop_price_nanos,
        )
        self.apply(submit)
        shown = self.change(self._first(submit), status=OrderStatus.WORKING, event="new")
        if self.fills:
            self.fill(shown.order_id, price_nanos=200 * NANOS)
        self.apply(AnswerOrder(request=fact.request, order_id=our_id))

    def _first(self, submit: SubmitOrder) -> PublishOrder:
        fields = {name: getattr(submit, name) for name in structs.asdict(submit)}
        for name in ("raises_exposure", "halt_epoch"):
            del fields[name]
        return PublishOrder(
            **fields,
            broker_order_id="at-the-broker",
            filled_quantity_nanos=0,
            filled_price_nanos=0,
            status=OrderStatus.SUBMITTING,
            updated_ns=submit.created_ns,
        )

    def change(self, order: PublishOrder, **changed: Any) -> PublishOrder:
        shown = structs.replace(order, updated_ns=order.updated_ns + 1, **changed)
        self.orders[order.order_id] = shown
        self.apply(shown)
        return shown

    def fill(self, our_id: str, *, price_nanos: int) -> None:
        order = self.orders[our_id]
        signed = order.quantity_nanos if order.side is Side.BUY else -order.quantity_nanos
        key = (order.strategy, order.symbol)
        self.positions[key] = self.positions.get(key, 0) + signed
        self.change(
            order,
            status=OrderStatus.FILLED,
            event="fill",
            filled_quantity_nanos=order.quantity_nanos,
            filled_price_nanos=price_nanos,
            fill_quantity_nanos=order.quantity_nanos,
            fill_price_nanos=price_nanos,
            position_nanos=self.positions[key],
        )
        for strategy in (order.strategy, ""):
            self.apply(
                PublishPosition(
                    strategy=strategy,
                    symbol=order.symbol,
                    quantity_nanos=self.positions[key],
                    average_price_nanos=price_nanos,
                )
            )

    def _cancel(self, fact: CancelRequested) -> None:
        order = self.orders.get(fact.order_id)
        if order is None or order.strategy != fact.strategy:
            reason = Reason.ORDER_UNKNOWN
        elif order.status in TERMINAL_STATUSES:
            reason = Reason.ORDER_NOT_CANCELABLE
        else:
            reason = Reason.ALLOWED
            if self.cancels_take_s:
                asyncio.get_running_loop().call_later(self.cancels_take_s, self._canceled, order)
            else:
                self._canceled(order)
        self.apply(AnswerCancel(request=fact.request, order_id=fact.order_id, reason=reason))

    def _replace(self, fact: ReplaceRequested) -> None:
        """Accept a replacement, and see the old order gone at once."""
        if self.deny is not None:
            self.apply(structs.replace(self.deny, request=fact.request, strategy=fact.strategy))
            return
        old = self.orders[fact.order_id]
        our_id = order_id(
            instance=NODE.instance,
            account=NODE.account,
            strategy=fact.strategy,
            client_order_id=fact.client_order_id,
        )
        self.change(
            structs.replace(old, event=""),
            order_id=our_id,
            client_order_id=fact.client_order_id,
            quantity_nanos=fact.quantity_nanos or old.quantity_nanos,
            limit_price_nanos=fact.limit_price_nanos or old.limit_price_nanos,
            status=OrderStatus.SUBMITTING,
            replaces=old.order_id,
        )
        self.change(old, event="pending_replace", replaced_by=our_id)
        self.apply(AnswerOrder(request=fact.request, order_id=our_id))

    def replaced(self, our_id: str) -> None:
        """The old order of a replacement is gone."""
        self.change(self.orders[our_id], status=OrderStatus.REPLACED, event="replaced")

    def _canceled(self, order: PublishOrder) -> None:
        self.change(order, status=OrderStatus.CANCELED, event="canceled")

    def placed(self) -> list[OrderRequested]:
        return [fact for fact in self.inputs if isinstance(fact, OrderRequested)]

    def cancelled(self) -> list[str]:
        return [fact.order_id for fact in self.inputs if isinstance(fact, CancelRequested)]


class Gateway:
    """A door with its scripted surroundings. `port` is set once it listens."""

    def __init__(
        self,
        limits: GatewayLimits | None = None,
        keys: Keys | None = None,
        *,
        broker: ReadDoor | None = None,
        market: MarketDoor | None = None,
        watchlists: Watchlists | None = None,
        websocket_limits: WebSocketLimits | None = None,
    ) -> None:
        self.loop = ScriptedLoop()
        self.broker = ReadingBroker()
        self.feed = ScriptedFeed()
        self.keys = keys or Keys(None)
        self.one = self.keys.mint("one")
        self.two = self.keys.mint("two")
        self.door = GatewayDoor(
            node=NODE,
            intake=self.loop,
            keys=self.keys,
            broker=broker or self.broker,
            market=market or self.feed,
            limits=limits,
            watchlists=watchlists,
            websocket_limits=websocket_limits,
        )
        self.loop.apply = self.door.apply
        self.port = 0

    def show_account(self) -> None:
        self.door.apply(
            AccountSeen(
                cash_nanos=100_000 * NANOS,
                equity_nanos=100_000 * NANOS,
                last_equity_nanos=99_000 * NANOS,
                multiplier=2,
                shorting_enabled=True,
            )
        )


class RunningGateway(Gateway):
    """A gateway on an event loop in a thread of its own, for clients that block."""

    def __init__(self, limits: GatewayLimits | None = None) -> None:
        super().__init__(limits)
        self._events = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._events.run_forever)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def call(self, function: Callable[[], T]) -> T:
        """Run a function on the gateway's loop, as the outlet would, and wait for it."""

        async def run() -> T:
            return function()

        return asyncio.run_coroutine_threadsafe(run(), self._events).result(10)

    def start(self) -> None:
        self._thread.start()
        self.port = asyncio.run_coroutine_threadsafe(self.door.start(), self._events).result(10)

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self.door.stop(), self._events).result(10)
        self._events.call_soon_threadsafe(self._events.stop)
        self._thread.join()
        self._events.close()


@contextmanager
def running(limits: GatewayLimits | None = None) -> Iterator[RunningGateway]:
    gateway = RunningGateway(limits)
    gateway.start()
    try:
        yield gateway
    finally:
        gateway.stop()
