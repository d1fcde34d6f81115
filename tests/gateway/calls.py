"""Raw calls of the door within the test's own event loop: HTTP by hand, WebSockets by a library."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from msgspec import Struct, json
from websockets.asyncio.client import ClientConnection, connect

from fuseboard.gateway.keys import Keys
from fuseboard.gateway.limits import GatewayLimits
from fuseboard.gateway.watchlists import Watchlists
from fuseboard.wire.websocket_server import WebSocketLimits
from tests.gateway.scripted import Gateway

PATIENCE_S = 20.0


class Called(Struct, frozen=True):
    """One answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    def object(self) -> dict[str, Any]:
        decoded = json.decode(self.body)
        assert isinstance(decoded, dict)
        return decoded

    def list(self) -> list[Any]:
        decoded = json.decode(self.body)
        assert isinstance(decoded, list)
        return decoded


@asynccontextmanager
async def running_here(
    limits: GatewayLimits | None = None,
    keys: Keys | None = None,
    watchlists: Watchlists | None = None,
    websocket_limits: WebSocketLimits | None = None,
) -> AsyncIterator[Gateway]:
    """A gateway on this event loop."""
    gateway = Gateway(limits, keys, watchlists=watchlists, websocket_limits=websocket_limits)
    gateway.port = await gateway.door.start()
    try:
        yield gateway
    finally:
        await gateway.door.stop()


async def asked(
    gateway: Gateway,
    method: str,
    target: str,
    body: bytes = b"",
    *,
    key: tuple[str, str] | None = None,
    headers: dict[str, str] | None = None,
    hang_up: bool = False,
) -> Called:
    """One request on a connection of its own; `hang_up` closes it without reading the answer."""
    pair = gateway.one if key is None else key
    fields = {"apca-api-key-id": pair[0], "apca-api-secret-key": pair[1]}
    fields = fields if headers is None else headers
    lines = [f"{method} {target} HTTP/1.1", "host: gateway", "connection: close"]
    lines += [f"{name}: {value}" for name, value in fields.items()]
    lines += [f"content-length: {len(body)}", "", ""]
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    try:
        writer.write("\r\n".join(lines).encode() + body)
        await writer.drain()
        if hang_up:
            # The request has to be handled before the connection is found closed.
            await asyncio.sleep(0.02)
            return Called(0, {}, b"")
        async with asyncio.timeout(PATIENCE_S):
            raw = await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()
    head, _, rest = raw.partition(b"\r\n\r\n")
    first, *rows = head.decode().split("\r\n")
    pairs = (row.split(": ", 1) for row in rows)
    return Called(int(first.split()[1]), {name.lower(): value for name, value in pairs}, rest)


class Stream:
    """An open WebSocket with patience."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def next(self) -> str | bytes:
        async with asyncio.timeout(PATIENCE_S):
            return await self.connection.recv()

    async def next_object(self) -> Any:
        return json.decode(await self.next())

    async def send(self, message: object) -> None:
        await self.connection.send(json.encode(message).decode())


@asynccontextmanager
async def opened(
    gateway: Gateway,
    path: str,
    *,
    authorize: bool = False,
    headers: dict[str, str] | None = None,
) -> AsyncIterator[Stream]:
    """A WebSocket to the gateway; `authorize` also listens to `trade_updates`."""
    url = f"ws://127.0.0.1:{gateway.port}{path}"
    async with connect(url, additional_headers=headers) as connection:
        stream = Stream(connection)
        if authorize:
            key_id, secret = gateway.one
            await stream.send(
                {"action": "authenticate", "data": {"key_id": key_id, "secret_key": secret}}
            )
            assert (await stream.next_object())["data"]["status"] == "authorized"
            await stream.send({"action": "listen", "data": {"streams": ["trade_updates"]}})
            assert (await stream.next_object())["stream"] == "listening"
        yield stream
