import asyncio
import base64
import os
import socket
import struct
from typing import Any

import pytest
import uvloop
import websockets
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import ClientConnection, connect
from websockets.frames import Frame, Opcode

from fuseboard.wire.http_server import Request, Response, WebSocketLimits, WebSocketSession
from tests.wire.raw import PATIENCE_S, answers, exchanged, served

RUNS = pytest.mark.parametrize("run", [asyncio.run, uvloop.run])


def plain(request: Request) -> Response:
    return Response(200, request.path.encode())


async def echo(session: WebSocketSession) -> None:
    while (message := await session.receive()) is not None:
        session.send(message)


def dialled(port: int, path: str = "/stream", **options: Any) -> connect:
    return connect(f"ws://127.0.0.1:{port}{path}", **options)


async def read_on(client: ClientConnection) -> None:
    while True:
        await client.recv()


async def close_code(client: ClientConnection) -> int | None:
    await asyncio.wait_for(client.wait_closed(), PATIENCE_S)
    return client.close_code


@RUNS
def test_text_binary_and_fragmented_messages_come_back_as_they_were(run: Any) -> None:
    async def scenario() -> None:
        async with served(plain, echo) as port, dialled(port) as client:
            await client.send("héllo")
            assert await client.recv() == "héllo"
            await client.send(b"\x00\xff")
            assert await client.recv() == b"\x00\xff"
            await client.send(["a", "b", "", "c"])
            assert await client.recv() == "abc"
            await client.send("")
            assert await client.recv() == ""
            await asyncio.wait_for(await client.ping(), PATIENCE_S)
            await client.close(1000, "bye")
            assert client.close_code == 1000

    run(scenario())


def test_the_session_knows_its_path_query_and_headers_and_http_goes_on_beside_it() -> None:
    seen: list[Any] = []

    async def look(session: WebSocketSession) -> None:
        seen.append((session.path, session.query, session.headers["content-type"]))
        session.close(4001, "enough")

    async def scenario() -> None:
        async with served(plain, look) as port:
            headers = {"Content-Type": "application/msgpack"}
            async with dialled(port, "/v2/iex?x=1", additional_headers=headers) as client:
                assert await close_code(client) == 4001
            data = await exchanged(port, b"GET /a HTTP/1.1\r\nConnection: close\r\n\r\n")
            assert answers(data)[0][2] == b"/a"
        assert seen == [("/v2/iex", {"x": "1"}, "application/msgpack")]

    asyncio.run(scenario())


def upgrade(*extra: bytes, key: bytes | None = None) -> bytes:
    key = base64.b64encode(os.urandom(16)) if key is None else key
    lines = [
        b"GET /s HTTP/1.1",
        b"Host: h",
        b"Connection: Upgrade",
        b"Upgrade: websocket",
        b"Sec-WebSocket-Version: 13",
        b"Sec-WebSocket-Key: " + key,
        *extra,
    ]
    return b"\r\n".join([*lines, b"", b""])


def test_a_bad_handshake_is_refused_in_json_and_without_websockets_it_is_not_found() -> None:
    async def scenario() -> None:
        async with served(plain, echo) as port:
            for bad in (upgrade(key=b"short"), upgrade(b"Sec-WebSocket-Version: 12")):
                status, headers, _ = answers(await exchanged(port, bad))[0]
                assert status == 400
                assert headers["content-type"] == "application/json"
        async with served(plain) as port:
            assert answers(await exchanged(port, upgrade()))[0][0] == 404

    asyncio.run(scenario())


@RUNS
def test_a_handshake_split_at_any_byte_behind_a_slow_request_is_taken_in_turn(run: Any) -> None:
    async def slow(request: Request) -> Response:
        await asyncio.sleep(0.001)
        return Response(200, b"slow")

    async def greet(session: WebSocketSession) -> None:
        session.send("hello")

    stream = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n" + upgrade()

    async def scenario() -> None:
        async with served(slow, greet, websocket_limits=WebSocketLimits(close_s_max=0.05)) as port:
            for position in range(1, len(stream), 9):
                data = await exchanged(port, stream[:position], stream[position:])
                assert data.startswith(b"HTTP/1.1 200")
                assert b"101 Switching" in data
                assert data.index(b"slow") < data.index(b"101 Sw") < data.index(b"hello")

    run(scenario())


@RUNS
def test_a_slow_reader_is_closed_and_cannot_eat_memory(run: Any) -> None:
    largest = 0
    ended = asyncio.Event()

    async def flood(session: WebSocketSession) -> None:
        nonlocal largest
        transport = session._transport
        while session.send(b"x" * 10_000):
            largest = max(largest, transport.get_write_buffer_size())
            await asyncio.sleep(0)
        assert not session.send(b"y")
        assert await session.receive() is None
        ended.set()

    async def scenario() -> None:
        limits = WebSocketLimits(outbound_bytes_max=200_000, close_s_max=0.1)
        async with served(plain, flood, websocket_limits=limits) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
            writer.write(upgrade())
            await asyncio.wait_for(ended.wait(), PATIENCE_S)
            writer.close()
            assert reader is not None
        assert 100_000 < largest <= 210_000

    run(scenario())


def test_pings_whose_answers_are_not_read_end_the_connection() -> None:
    gone = asyncio.Event()

    async def wait(session: WebSocketSession) -> None:
        await session.receive()
        gone.set()

    async def scenario() -> None:
        limits = WebSocketLimits(outbound_bytes_max=50_000)
        ping = Frame(Opcode.PING, b"x" * 125).serialize(mask=True, extensions=None)
        async with served(plain, wait, websocket_limits=limits) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
            writer.write(upgrade())
            async with asyncio.timeout(PATIENCE_S):
                while not gone.is_set():
                    writer.write(ping * 1_000)
                    await asyncio.sleep(0.001)
            writer.transport.abort()
            assert reader is not None

    asyncio.run(scenario())


def test_a_session_that_does_not_notice_its_peer_has_gone_is_ended() -> None:
    ended = asyncio.Event()

    async def sleep(session: WebSocketSession) -> None:
        try:
            await asyncio.sleep(PATIENCE_S)
        finally:
            ended.set()

    async def scenario() -> None:
        limits = WebSocketLimits(close_s_max=0.05)
        async with served(plain, sleep, websocket_limits=limits) as port:
            client = await dialled(port)
            client.transport.abort()
            await asyncio.wait_for(ended.wait(), PATIENCE_S / 2)

    asyncio.run(scenario())


def test_a_slow_reader_that_catches_up_is_told_1013() -> None:
    async def flood(session: WebSocketSession) -> None:
        while session.send(b"x" * 10_000):
            pass
        await asyncio.sleep(PATIENCE_S)

    async def scenario() -> None:
        limits = WebSocketLimits(outbound_bytes_max=200_000, close_s_max=1)
        async with (
            served(plain, flood, websocket_limits=limits) as port,
            dialled(port) as client,
        ):
            with pytest.raises(websockets.ConnectionClosedError):
                await read_on(client)
            assert client.close_code == 1013

    asyncio.run(scenario())


def test_a_writer_who_is_not_read_is_held_back_and_nothing_is_lost() -> None:
    begin = asyncio.Event()
    total = 3_000
    got: list[Any] = []

    async def late(session: WebSocketSession) -> None:
        await begin.wait()
        waiting = len(session._inbound)
        assert 8 <= waiting < total
        while len(got) < total:
            got.append(await session.receive())

    async def scenario() -> None:
        limits = WebSocketLimits(inbound_messages_max=8)
        async with served(plain, late, websocket_limits=limits) as port, dialled(port) as client:

            async def push() -> None:
                for number in range(total):
                    await client.send(f"{number}" + "x" * 5_000)

            pushing = asyncio.create_task(push())
            await asyncio.sleep(0.1)
            begin.set()
            await asyncio.wait_for(pushing, PATIENCE_S)
            assert await close_code(client) == 1000
        assert [int(message.rstrip("x")) for message in got] == list(range(total))

    asyncio.run(scenario())


def test_messages_too_large_or_not_utf8_close_with_their_codes() -> None:
    async def scenario() -> None:
        limits = WebSocketLimits(message_bytes_max=1_000)
        async with served(plain, echo, websocket_limits=limits) as port:
            async with dialled(port) as client:
                await client.send("x" * 1_001)
                assert await close_code(client) == 1009
            async with dialled(port) as client:
                await client.send([b"x" * 600, b"x" * 600])
                assert await close_code(client) == 1009
            async with dialled(port) as client:
                await client.send(b"\xff\xfe", text=True)
                assert await close_code(client) == 1007

    asyncio.run(scenario())


def test_a_dead_peer_is_noticed_and_a_live_silent_one_is_kept() -> None:
    gone: list[str] = []

    async def wait(session: WebSocketSession) -> None:
        assert await session.receive() is None
        gone.append(session.path)

    async def scenario() -> None:
        limits = WebSocketLimits(ping_s=0.1, pong_s_max=0.1)
        async with served(plain, wait, websocket_limits=limits) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(upgrade())
            async with dialled(port, "/live", ping_interval=None):
                await asyncio.wait_for(reader.read(), PATIENCE_S)  # Never answers the pings.
                await asyncio.sleep(0.3)
                assert gone == ["/s"]
            writer.close()
        assert gone == ["/s", "/live"]

    asyncio.run(scenario())


def test_a_failing_session_closes_with_1011_and_stopping_with_1001() -> None:
    async def fail(session: WebSocketSession) -> None:
        if session.path == "/fail":
            raise KeyError("no")
        await session.receive()

    async def scenario() -> None:
        async with served(plain, fail) as port:
            async with dialled(port, "/fail") as client:
                assert await close_code(client) == 1011
            client = await dialled(port, "/stay")
        assert await close_code(client) == 1001

    asyncio.run(scenario())


def test_what_a_server_said_before_it_reset_the_connection_is_heard() -> None:
    async def scenario() -> None:
        class Gone(asyncio.Protocol):
            def connection_made(self, transport: Any) -> None:
                reset = (socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                transport.get_extra_info("socket").setsockopt(*reset)
                transport.write(b"told")
                asyncio.get_running_loop().call_later(0.01, transport.abort)

        server = await asyncio.get_running_loop().create_server(Gone, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        for half_close in (False, True):
            many = [b"more"] * 3_000
            assert await exchanged(port, *many, half_close=half_close) == b"told"
        server.close()
        await server.wait_closed()

    asyncio.run(scenario())


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.binary(min_size=1, max_size=40),
            st.builds(
                lambda opcode, data, fin: Frame(opcode, data, fin).serialize(
                    mask=True, extensions=None
                ),
                st.sampled_from([Opcode.TEXT, Opcode.BINARY, Opcode.CONT]),
                st.binary(max_size=30),
                st.booleans(),
            ),
        ),
        max_size=6,
    ),
    st.integers(1, 30),
)
def test_no_bytes_on_a_websocket_kill_the_server(chunks: list[bytes], size: int) -> None:
    async def scenario() -> None:
        limits = WebSocketLimits(close_s_max=0.01, message_bytes_max=50)
        async with served(plain, echo, websocket_limits=limits) as port:
            data = b"".join(chunks)
            pieces = [data[i : i + size] for i in range(0, len(data), size)]
            close = Frame(Opcode.CLOSE, b"\x03\xe8").serialize(mask=True, extensions=None)
            told = await exchanged(port, upgrade(), *pieces, close, half_close=True)
            assert told.startswith(b"HTTP/1.1 101")
            async with dialled(port) as live:
                await live.send("alive")
                assert await live.recv() == "alive"

    asyncio.run(scenario())
