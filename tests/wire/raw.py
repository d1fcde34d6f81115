"""A raw client for tests: bytes in, bytes out, and answers read by an independent parser."""

import asyncio
import http.client
import io
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from fuseboard.wire.http_server import HttpLimits, HttpServer, RequestHandler, WebSocketSession

PATIENCE_S = 20.0


@asynccontextmanager
async def served(
    handle: RequestHandler,
    websocket: Callable[[WebSocketSession], Awaitable[None]] | None = None,
    **options: Any,
) -> Any:
    server = HttpServer(handle, websocket, **options)
    port = await server.start("127.0.0.1", 0)
    try:
        yield port
    finally:
        await server.stop()


async def exchanged(port: int, *pieces: bytes, half_close: bool = False) -> bytes:
    """Send the pieces one by one; what the server said meanwhile and until it closed.

    A server that has heard enough may reset the connection while we still write: what it said
    before that was said, so we read from the beginning on.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    received = bytearray()
    reading = asyncio.create_task(_read_on(reader, received))
    try:
        with suppress(OSError):  # a reset, or nobody there any more to half-close to
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
            if half_close:
                writer.write_eof()
        await asyncio.wait_for(reading, PATIENCE_S)
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
    return bytes(received)


async def _read_on(reader: asyncio.StreamReader, into: bytearray) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(1 << 16):
            into += data


class _Stream:
    def __init__(self, data: bytes) -> None:
        self.file = io.BytesIO(data)

    def makefile(self, *_: object) -> io.BytesIO:
        return self.file


def answers(data: bytes) -> list[tuple[int, dict[str, str], bytes]]:
    """Every answer in the bytes, parsed by the standard library."""
    found = []
    rest = data
    while rest:
        stream = _Stream(rest)
        # Reading through a file that must survive the response object's own close.
        keep = stream.file
        keep.close = lambda: None  # type: ignore[method-assign]
        response = http.client.HTTPResponse(stream)  # type: ignore[arg-type]
        response.begin()
        headers = {name.lower(): value for name, value in response.getheaders()}
        found.append((response.status, headers, response.read()))
        rest = rest[keep.tell() :]
    return found


def tight(**changes: Any) -> HttpLimits:
    return HttpLimits(**{"linger_s_max": 0.2, **changes})
