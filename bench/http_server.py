"""The HTTP server: requests a second of a trivial handler at 1, 8 and 32 connections.

A POST of 200 bytes is answered with 600 bytes. Server and load are separate processes, both on
uvloop. The peer, in the same run and under the same load, is a bare httptools protocol that builds
no request, has no limits and always says the same bytes: the least a Python server can do.
"""

import asyncio
import functools
import multiprocessing
import statistics
import sys
import time
from multiprocessing.connection import Connection

import httptools
import uvloop

from fuseboard.wire.http_client import HttpClient
from fuseboard.wire.http_server import HttpServer, Request, Response

CONNECTIONS = (1, 8, 32)
ROUNDS = 3
SECONDS = 1.0
ANSWER = b"x" * 600
BODY = b'{"symbol":"AAPL","qty":"1","side":"buy","type":"market"}'.ljust(200)
REQUEST = (
    b"POST /v2/orders HTTP/1.1\r\nHost: h\r\nAPCA-API-KEY-ID: key\r\n"
    b"APCA-API-SECRET-KEY: secret\r\n"
    b"Content-Type: application/json\r\nContent-Length: 200\r\n\r\n" + BODY
)
PLAIN = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 600\r\n\r\n" + ANSWER


class Bare(asyncio.Protocol):
    """The peer."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_message_complete(self) -> None:
        self.transport.write(PLAIN)  # type: ignore[attr-defined]


def direct(request: Request) -> Response:
    return Response(200, ANSWER)


async def awaited(request: Request) -> Response:
    return Response(200, ANSWER)


def serve(kind: str, told: Connection) -> None:
    async def run() -> None:
        if kind == "bare":
            server = await asyncio.get_running_loop().create_server(Bare, "127.0.0.1", 0)
            told.send(server.sockets[0].getsockname()[1])
        else:
            ours = HttpServer(direct if kind == "direct" else awaited)
            told.send(await ours.start("127.0.0.1", 0))
        await asyncio.Event().wait()

    uvloop.run(run())


class Load(asyncio.Protocol):
    """One connection that keeps one request under way and notes how long each took."""

    def __init__(self, until: float) -> None:
        self.until = until
        self.took: list[float] = []
        self.done = asyncio.get_running_loop().create_future()
        self.size = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.send()

    def send(self) -> None:
        self.began = time.perf_counter()
        self.transport.write(REQUEST)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self.size += len(data)
        if self.size < len(PLAIN):
            return
        self.size = 0
        now = time.perf_counter()
        self.took.append(now - self.began)
        if now < self.until:
            self.send()
        else:
            self.transport.close()
            self.done.set_result(None)


def _itself(load: Load) -> Load:
    return load


async def loaded(port: int, connections: int) -> tuple[float, float, float]:
    """Requests a second, and the median and 99th percentile in µs."""
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    loads = [Load(began + SECONDS) for _ in range(connections)]
    for load in loads:
        await loop.create_connection(functools.partial(_itself, load), "127.0.0.1", port)
    await asyncio.gather(*(load.done for load in loads))
    took = sorted(t for load in loads for t in load.took)
    rate = len(took) / (time.perf_counter() - began)
    return rate, took[len(took) // 2] * 1e6, took[len(took) * 99 // 100] * 1e6


async def through_client(port: int, tasks: int) -> float:
    """Requests a second through our own client."""
    client = HttpClient(f"http://127.0.0.1:{port}")
    until = time.perf_counter() + SECONDS
    count = 0

    async def ask() -> None:
        nonlocal count
        while time.perf_counter() < until:
            await client.request("POST", "/v2/orders", {"APCA-API-KEY-ID": "key"}, BODY)
            count += 1

    await asyncio.gather(*(ask() for _ in range(tasks)))
    await client.close()
    return count / SECONDS


def main() -> int:
    ports: dict[str, int] = {}
    processes = []
    for kind in ("bare", "direct", "awaited"):
        ours, theirs = multiprocessing.Pipe()
        process = multiprocessing.Process(target=serve, args=(kind, theirs), daemon=True)
        process.start()
        processes.append(process)
        ports[kind] = ours.recv()
    for connections in CONNECTIONS:
        rates: dict[str, list[tuple[float, float, float]]] = {kind: [] for kind in ports}
        for _ in range(ROUNDS):
            for kind, port in ports.items():
                rates[kind].append(uvloop.run(loaded(port, connections)))
        bare = statistics.median(rate for rate, _, _ in rates["bare"])
        for kind, rounds in rates.items():
            rate, middle, high = (statistics.median(column) for column in zip(*rounds, strict=True))
            low, top = min(r for r, _, _ in rounds), max(r for r, _, _ in rounds)
            print(
                f"{connections:3d} connections  {kind:8s} {rate:8,.0f}/s ({low:,.0f}..{top:,.0f})"
                f"  {rate / bare:.2f} of bare  p50 {middle:,.0f} µs  p99 {high:,.0f} µs"
            )
        asked = [uvloop.run(through_client(ports["direct"], connections)) for _ in range(ROUNDS)]
        print(f"{connections:3d} connections  our client {statistics.median(asked):8,.0f}/s")
    for process in processes:
        process.terminate()
        process.join()
    return 0


if __name__ == "__main__":
    sys.exit(main())
