"""Alpaca's `trade_updates` stream, turned into facts; connected again for ever."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import msgspec
from websockets.asyncio.client import ClientConnection

from fuseboard.brokers.alpaca_foreign import REASON_CHARS_MAX, execution_of, facts_of_foreign
from fuseboard.brokers.alpaca_session import AlpacaOptions
from fuseboard.vocabulary.doors import BrokerFact
from fuseboard.vocabulary.identifiers import order_id_of_wire_id
from fuseboard.vocabulary.inputs import (
    BrokerStreamChanged,
    FillReported,
    OrderEnded,
    OrderWorking,
)
from fuseboard.vocabulary.orders import OrderStatus
from fuseboard.wire.alpaca_orders import SeenOrder, ShapeUnknown, listed_order, seen_order
from fuseboard.wire.alpaca_values import decoded_json
from fuseboard.wire.websocket_client import (
    Died,
    StreamLimits,
    StreamRefused,
    StreamTask,
    kept_connected,
)

_FILLS = frozenset({"fill", "partial_fill"})
_WORKING = frozenset({"new", "accepted", "pending_new", "accepted_for_bidding", "restated"})
_ENDED = {
    "canceled": OrderStatus.CANCELED,
    "expired": OrderStatus.EXPIRED,
    "rejected": OrderStatus.REJECTED,
    "replaced": OrderStatus.CANCELED,
}
logger = logging.getLogger(__name__)


def facts_of_update(instance: str, data: object) -> tuple[BrokerFact, ...]:
    """The facts of one trade update; none when it changes nothing for us.

    Raises `ShapeUnknown`: an update that cannot be read must not be passed over in silence.
    """
    if not isinstance(data, dict) or not isinstance(data.get("event"), str):
        raise ShapeUnknown("a trade update has no event")
    event = data["event"]
    order = _order(instance, data.get("order"))
    order_id = order_id_of_wire_id(instance, order.client_order_id)
    if order_id is None:
        return facts_of_foreign(order, data, fills=event in _FILLS, ends=_ENDED.get(event))
    if event in _FILLS:
        return (_fill(order_id, order, data),)
    if event in _WORKING:
        return (OrderWorking(order_id=order_id, broker_order_id=order.id),)
    if event in _ENDED:
        ended = OrderEnded(
            order_id=order_id,
            broker_order_id=order.id,
            status=_ENDED[event],
            filled_quantity_nanos=order.filled_quantity_nanos,
            filled_price_nanos=order.filled_price_nanos,
            message=str(data.get("reason") or "")[:REASON_CHARS_MAX],
        )
        return (ended,)
    return ()


def _order(instance: str, entry: object) -> SeenOrder:
    """The order of an update; one that is clearly a stranger's need not be clear in all else."""
    try:
        return seen_order(entry)
    except ShapeUnknown:
        wire_id = entry.get("client_order_id") if isinstance(entry, dict) else None
        if not isinstance(wire_id, str) or not wire_id or order_id_of_wire_id(instance, wire_id):
            raise
    return listed_order(entry)


def _fill(order_id: str, order: SeenOrder, data: dict[str, Any]) -> FillReported:
    quantity, price = execution_of(order, data)
    return FillReported(
        order_id=order_id,
        broker_order_id=order.id,
        quantity_nanos=quantity,
        price_nanos=price,
        filled_quantity_nanos=order.filled_quantity_nanos,
        filled_price_nanos=order.filled_price_nanos,
        final=data["event"] == "fill",
    )


class TradeStream:
    """Delivers facts from `start` to `stop`; connection and loss are facts too."""

    def __init__(
        self,
        options: AlpacaOptions,
        limits: StreamLimits | None = None,
        died: Died | None = None,
    ) -> None:
        self._options = options
        self._limits = limits or StreamLimits()
        self._url = f"ws{options.base_url.removeprefix('http').rstrip('/')}/stream"
        self._connected: bool | None = None
        self._deliver: Callable[[BrokerFact], None]
        self._task = StreamTask("the order stream", died)

    def start(self, deliver: Callable[[BrokerFact], None]) -> None:
        """Begin connecting."""
        self._deliver = deliver
        self._task.start(
            kept_connected(
                self._url,
                self._session,
                lost=lambda: self._changed(connected=False),
                limits=self._limits,
            )
        )

    async def stop(self) -> None:
        """Disconnect; raises as `StreamTask.stop`."""
        await self._task.stop()

    def _changed(self, *, connected: bool) -> None:
        if connected is not self._connected:
            self._connected = connected
            self._deliver(BrokerStreamChanged(connected=connected))

    async def _session(self, connection: ClientConnection, settled: Callable[[], None]) -> None:
        credentials = {"key_id": self._options.key_id, "secret_key": self._options.secret}
        async with asyncio.timeout(self._limits.open_s_max):
            await _send(connection, {"action": "authenticate", "data": credentials})
            stream, data = _message(await connection.recv())
            if stream != "authorization" or data.get("status") != "authorized":
                raise StreamRefused("the order stream did not accept the key")
            await _send(connection, {"action": "listen", "data": {"streams": ["trade_updates"]}})
            while True:
                stream, data = _message(await connection.recv())
                if stream == "listening":
                    break
                self._take(stream, data)
        if "trade_updates" not in (data.get("streams") or ()):
            raise StreamRefused("the order stream does not carry trade_updates")
        settled()
        self._changed(connected=True)
        async for frame in connection:
            self._take(*_message(frame))

    def _take(self, stream: str, data: dict[str, Any]) -> None:
        if stream != "trade_updates":
            logger.info("the order stream said %s", stream[:40])
            return
        try:
            facts = facts_of_update(self._options.instance, data)
        except ShapeUnknown as wrong:
            # Connecting again makes the loss visible: the books are then compared with the broker.
            raise StreamRefused(f"a trade update cannot be read: {wrong}") from wrong
        for fact in facts:
            self._deliver(fact)


async def _send(connection: ClientConnection, message: dict[str, Any]) -> None:
    await connection.send(msgspec.json.encode(message).decode())


def _message(frame: bytes | str) -> tuple[str, dict[str, Any]]:
    """Stream and data of a frame, text or binary."""
    try:
        decoded = decoded_json(frame)
    except (msgspec.DecodeError, UnicodeDecodeError) as wrong:
        raise StreamRefused(f"a frame of the order stream is not JSON: {wrong}") from wrong
    if not isinstance(decoded, dict) or not isinstance(decoded.get("stream"), str):
        raise StreamRefused("a frame of the order stream names no stream")
    data = decoded.get("data")
    return decoded["stream"], data if isinstance(data, dict) else {}
