import asyncio
import gc
import json
import socket
import warnings
from pathlib import Path
from typing import Any

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from fuseboard.wire.http_connection import HttpConnection
from fuseboard.wire.http_server import HttpServer, Request, Response
from tests.wire.raw import PATIENCE_S, answers, exchanged, served, tight

POST = (
    b"POST /v2/orders?a=1&b=%20x&a=2 HTTP/1.1\r\nHost: h\r\nAPCA-API-KEY-ID: k\r\n"
    b"Content-Length: 5\r\n\r\nhello"
)
LAST = b"GET /last HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
CHUNKED = (
    b"POST /chunked HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3;ext=1\r\nabc\r\n4\r\ndefg\r\n0\r\nTrailer: t\r\n\r\n"
)


def echo(request: Request) -> Response:
    told = {
        "method": request.method,
        "path": request.path,
        "query": request.query,
        "key": request.headers.get("apca-api-key-id"),
        "body": request.body.decode("latin-1"),
    }
    return Response(200, json.dumps(told).encode())


async def slow_echo(request: Request) -> Response:
    await asyncio.sleep(0.001 if request.path == "/v2/orders" else 0)
    return echo(request)


def bodies(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(body) for _, _, body in answers(data)]


EXPECTED_POST = {
    "method": "POST",
    "path": "/v2/orders",
    "query": {"a": "2", "b": " x"},
    "key": "k",
    "body": "hello",
}


@pytest.mark.parametrize("handle", [echo, slow_echo])
@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_pipelined_requests_split_at_any_byte_are_answered_whole_and_in_order(
    handle: Any, run: Any
) -> None:
    stream = POST + CHUNKED + POST + LAST

    async def scenario() -> None:
        async with served(handle) as port:
            for position in range(1, len(stream), 1 if handle is echo else 4):
                data = await exchanged(port, stream[:position], stream[position:])
                told = bodies(data)
                assert [t["path"] for t in told] == [
                    "/v2/orders",
                    "/chunked",
                    "/v2/orders",
                    "/last",
                ]
                assert told[0] == told[2] == EXPECTED_POST
                assert told[1]["body"] == "abcdefg"

    run(scenario())


def test_a_request_sent_byte_by_byte_is_answered() -> None:
    async def scenario() -> None:
        async with served(echo) as port:
            data = await exchanged(port, *(bytes([b]) for b in CHUNKED + LAST))
            assert [t["path"] for t in bodies(data)] == ["/chunked", "/last"]

    asyncio.run(scenario())


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([POST, CHUNKED]), st.integers(1, 40)), max_size=8),
    st.binary(max_size=60),
)
def test_noise_after_good_requests_neither_loses_their_answers_nor_kills_the_server(
    good: list[tuple[bytes, int]], noise: bytes
) -> None:
    async def scenario() -> None:
        async with served(slow_echo, limits=tight(receive_s_max=10)) as port:
            pieces: list[bytes] = []
            for request, size in good:
                pieces += [request[i : i + size] for i in range(0, len(request), size)]
            # A stray "GET " cannot be completed by accident: the noise ends in an illegal byte.
            told = answers(await exchanged(port, *pieces, noise + b"\x00"))
            assert [status for status, _, _ in told][: len(good)] == [200] * len(good)
            for status, headers, body in told:
                assert headers["content-type"] == "application/json"
                assert status == 200 or set(json.loads(body)) == {"code", "message"}
            assert bodies(await exchanged(port, LAST))[0]["path"] == "/last"

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("stream", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nBad Name : x\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"GET /%ff HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n", 405),
        (b"POST / HTTP/1.1\r\nContent-Length: 101\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 101\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n" + b"x" * 101, 413),
        (b"GET /" + b"x" * 2000 + b" HTTP/1.1\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nA: " + b"x" * 2000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nA: " + b"x" * 40_000, 431),
        (b"GET / HTTP/1.1\r\n" + b"A: x\r\n" * 11 + b"\r\n", 431),
        (b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n", 408),
        (b"GET / HT", 408),
    ],
)
def test_what_is_malformed_oversized_or_too_slow_is_refused_with_its_status(
    stream: bytes, status: int
) -> None:
    limits = tight(
        header_bytes_max=1000, header_fields_max=10, body_bytes_max=100, receive_s_max=0.1
    )

    async def scenario() -> None:
        async with served(echo, limits=limits) as port:
            told = answers(await exchanged(port, POST + stream))
            assert [answer[0] for answer in told] == [200, status]
            _, headers, body = told[1]
            assert headers["connection"] == "close"
            assert status == 405 or json.loads(body)["code"] == status * 100_000 + 10_000

    asyncio.run(scenario())


def test_100_continue_is_said_once_the_body_is_awaited() -> None:
    async def scenario() -> None:
        async with served(slow_echo) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(POST + b"POST /c HTTP/1.1\r\nExpect: 100-continue\r\n")
            writer.write(b"Connection: close\r\nContent-Length: 2\r\n\r\n")
            data = await asyncio.wait_for(reader.readuntil(b"100 Continue\r\n\r\n"), PATIENCE_S)
            assert data.index(b"HTTP/1.1 200") == 0
            writer.write(b"hi")
            data = await asyncio.wait_for(reader.read(), PATIENCE_S)
            assert bodies(data)[0]["body"] == "hi"
            writer.close()
            await writer.wait_closed()

    asyncio.run(scenario())


@pytest.mark.parametrize("late", [False, True])
def test_a_failing_handler_is_answered_500_and_the_connection_goes_on(late: bool) -> None:
    async def fails_later() -> Response:
        await asyncio.sleep(0)
        raise KeyError("no")

    def handle(request: Request) -> Any:
        if request.path == "/last":
            return echo(request)
        if late:
            return fails_later()
        raise KeyError("no")

    async def scenario() -> None:
        async with served(handle) as port:
            told = answers(await exchanged(port, POST + POST + LAST))
            assert [answer[0] for answer in told] == [500, 500, 200]
            assert json.loads(told[0][2])["code"] == 50_010_000

    asyncio.run(scenario())


def test_an_answer_that_would_break_the_framing_becomes_a_500() -> None:
    def handle(request: Request) -> Response:
        wrong = {"/v2/orders": Response(200, headers=(("X", "a\rb"),)), "/chunked": Response(204)}
        return wrong.get(request.path, Response(204, b"body"))

    async def scenario() -> None:
        async with served(handle) as port:
            told = answers(await exchanged(port, POST + CHUNKED + LAST))
            assert [answer[0] for answer in told] == [500, 204, 500]

    asyncio.run(scenario())


def test_a_handler_that_takes_too_long_is_cancelled_and_answered_for() -> None:
    cancelled: list[bool] = []
    delivered: list[bool] = []

    async def handle(request: Request) -> Response:
        if request.path == "/last":
            return echo(request)
        try:
            await asyncio.sleep(PATIENCE_S)
        except asyncio.CancelledError:
            cancelled.append(True)
            return Response(200, delivered=delivered.append)
        raise AssertionError

    late = Response(418, b"{}")

    async def scenario() -> None:
        async with served(handle, limits=tight(answer_s_max=0.1, late=late)) as port:
            told = answers(await exchanged(port, POST + LAST))
            assert [answer[0] for answer in told] == [418, 200]
        assert cancelled == [True]
        assert delivered == [False]

    asyncio.run(scenario())


def test_delivered_tells_an_open_connection_from_a_gone_one() -> None:
    told: list[bool] = []
    go = asyncio.Event()
    entered = asyncio.Event()

    async def handle(request: Request) -> Response:
        entered.set()
        await go.wait()
        return Response(200, delivered=told.append)

    async def scenario() -> None:
        async with served(handle) as port:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(POST)
            await entered.wait()
            writer.close()
            await writer.wait_closed()
            await asyncio.sleep(0.05)
            go.set()
            while not told:
                await asyncio.sleep(0)
            assert told == [False]
            await exchanged(port, LAST)
            assert told == [False, True]

    asyncio.run(scenario())


def test_a_peer_that_never_reads_stops_being_answered_and_is_dropped() -> None:
    answered = 0

    def handle(request: Request) -> Response:
        nonlocal answered
        answered += 1
        return Response(200, b"x" * 100_000)

    async def flood(writer: asyncio.StreamWriter) -> None:
        for _ in range(10_000):
            writer.write(POST * 10)
            await asyncio.wait_for(writer.drain(), PATIENCE_S)

    async def scenario() -> None:
        limits = tight(write_stall_s_max=0.2, requests_queued_max=8)
        async with served(handle, limits=limits) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
            with pytest.raises(ConnectionError):
                await flood(writer)
            writer.close()
            assert answered < 1_000
            assert reader is not None

    asyncio.run(scenario())


def test_answers_that_are_not_read_hold_back_further_answers() -> None:
    answered = 0

    def handle(request: Request) -> Response:
        nonlocal answered
        answered += 1
        return Response(200, b"x" * 200_000)

    async def scenario() -> None:
        async with served(handle, limits=tight(requests_queued_max=100_000)) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
            writer.write(POST * 2_000)
            await asyncio.sleep(0.2)
            assert 0 < answered < 1_000
            writer.transport.abort()
            assert reader is not None

    asyncio.run(scenario())


def test_requests_that_wait_are_bounded_and_the_rest_stays_with_the_peer() -> None:
    go = asyncio.Event()
    flood = b"GET /a HTTP/1.1\r\n\r\n" * 500_000

    async def handle(request: Request) -> Response:
        await go.wait()
        return Response(200)

    async def scenario() -> None:
        server = HttpServer(handle, limits=tight(requests_queued_max=8, drain_s_max=0.1))
        port = await server.start("127.0.0.1", 0)
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(flood)
        await asyncio.sleep(0.2)
        (connection,) = server._connections
        assert 8 <= len(connection._reader.arrived) < 8 + 16_384 // len(b"GET /a HTTP/1.1\r\n\r\n")
        assert len(connection._unparsed) < 1 << 20
        writer.transport.abort()
        go.set()
        await server.stop()

    asyncio.run(scenario())


def test_a_thousand_pipelined_requests_with_a_queue_of_four_are_all_answered_in_order() -> None:
    async def scenario() -> None:
        async with served(slow_echo, limits=tight(requests_queued_max=4)) as port:
            stream = b"".join(b"GET /%d HTTP/1.1\r\nHost: h\r\n\r\n" % n for n in range(1000))
            told = bodies(await exchanged(port, stream + LAST))
            assert [t["path"] for t in told] == [*(f"/{n}" for n in range(1000)), "/last"]

    asyncio.run(scenario())


def test_connections_above_the_limit_are_told_so_and_room_is_made_again() -> None:
    async def scenario() -> None:
        go_on = asyncio.Event()

        async def waiting(request: Request) -> Response:
            await go_on.wait()
            return echo(request)

        async with served(waiting, limits=tight(connections_max=2)) as port:
            held = [asyncio.create_task(exchanged(port, LAST)) for _ in range(2)]
            await asyncio.sleep(0.05)
            assert answers(await exchanged(port))[0][0] == 503, "each has a request under way"
            go_on.set()
            assert [answers(each)[0][0] for each in await asyncio.gather(*held)] == [200, 200]
            await asyncio.sleep(0.05)
            assert answers(await exchanged(port, LAST))[0][0] == 200

    asyncio.run(scenario())


GET = b"GET /one HTTP/1.1\r\nHost: h\r\n\r\n"


class Held:
    """A connection that is left open."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def asked(self) -> bool:
        """Whether the connection, asked now, is still answered."""
        try:
            self._writer.write(GET)
            head = await asyncio.wait_for(self._reader.readuntil(b"\r\n\r\n"), PATIENCE_S)
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            await self._reader.readexactly(length)
        except (ConnectionError, asyncio.IncompleteReadError):
            return False
        return head.startswith(b"HTTP/1.1 200")

    def close(self) -> None:
        self._writer.close()


async def opened(port: int, *sent: bytes) -> Held:
    held = Held(*await asyncio.open_connection("127.0.0.1", port))
    for each in sent:
        held._writer.write(each)
    await asyncio.sleep(0.01)
    return held


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_leaked_connections_turn_nobody_away(run: Any) -> None:
    async def scenario() -> None:
        async with served(echo, limits=tight(connections_max=8)) as port:
            in_use = await opened(port)
            assert await in_use.asked()
            leaked = [await opened(port, sent) for sent in [b"", b"GET /hal"] * 8]
            fresh = await opened(port)
            assert await fresh.asked()
            assert await in_use.asked(), "those that never sent a whole request go first"
            assert not await leaked[0].asked()
            for each in [in_use, fresh, *leaked]:
                each.close()

    run(scenario())


def test_of_connections_that_were_used_the_longest_idle_makes_room() -> None:
    async def scenario() -> None:
        async with served(echo, limits=tight(connections_max=3)) as port:
            used = [await opened(port) for _ in range(3)]
            for at in (1, 0, 2):
                assert await used[at].asked()
                await asyncio.sleep(0.01)
            fresh = await opened(port)
            assert await fresh.asked()
            assert [await used[at].asked() for at in (0, 2)] == [True, True]
            assert not await used[1].asked()
            for each in [fresh, *used]:
                each.close()

    asyncio.run(scenario())


def test_a_newcomer_is_given_its_turn_where_used_connections_hold_the_places() -> None:
    async def scenario() -> None:
        async with served(echo, limits=tight(connections_max=8)) as port:
            used = [await opened(port) for _ in range(8)]
            assert all([await each.asked() for each in used])
            first, second = await opened(port), await opened(port)
            assert [await first.asked(), await second.asked()] == [True, True]
            for each in [first, second, *used]:
                each.close()

    asyncio.run(scenario())


def test_an_idle_connection_is_closed_without_a_word() -> None:
    async def scenario() -> None:
        async with served(echo, limits=tight(idle_s_max=0.1)) as port:
            assert await exchanged(port) == b""
            assert len(answers(await exchanged(port, POST))) == 1

    asyncio.run(scenario())


def test_a_connection_is_not_idle_while_a_request_arrives_or_is_answered() -> None:
    async def handle(request: Request) -> Response:
        await asyncio.sleep(0.3)
        return echo(request)

    async def scenario() -> None:
        async with served(handle, limits=tight(idle_s_max=0.1)) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(POST[:-2])
            await asyncio.sleep(0.3)
            writer.write(POST[-2:])
            answered = await asyncio.wait_for(reader.read(), PATIENCE_S)
            assert [answer[0] for answer in answers(answered)] == [200]
            writer.close()
            await writer.wait_closed()

    asyncio.run(scenario())


def test_stopping_answers_what_has_arrived_and_closes_the_rest() -> None:
    entered = asyncio.Event()
    go = asyncio.Event()

    async def handle(request: Request) -> Response:
        entered.set()
        await go.wait()
        return echo(request)

    async def scenario() -> None:
        server = HttpServer(handle)
        port = await server.start("127.0.0.1", 0)
        idle = asyncio.create_task(exchanged(port))
        busy = asyncio.create_task(exchanged(port, POST + POST))
        await entered.wait()
        stopping = asyncio.create_task(server.stop())
        assert await idle == b""
        go.set()
        told = answers(await busy)
        assert [answer[0] for answer in told] == [200, 200]
        assert told[1][1]["connection"] == "close"
        await stopping
        with pytest.raises(ConnectionError):
            await asyncio.open_connection("127.0.0.1", port)

    asyncio.run(scenario())


def test_a_refused_peer_that_does_not_go_away_is_dropped() -> None:
    async def scenario() -> None:
        server = HttpServer(echo, limits=tight(linger_s_max=0.1))
        port = await server.start("127.0.0.1", 0)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"nonsense\r\n\r\n")
        assert answers(await asyncio.wait_for(reader.read(), PATIENCE_S))[0][0] == 400
        async with asyncio.timeout(PATIENCE_S):
            while server._connections:
                await asyncio.sleep(0.01)
        writer.transport.abort()
        await server.stop()

    asyncio.run(scenario())


def test_stopping_does_not_wait_for_ever() -> None:
    async def handle(request: Request) -> Response:
        await asyncio.sleep(PATIENCE_S)
        return echo(request)

    async def scenario() -> None:
        server = HttpServer(handle, limits=tight(drain_s_max=0.1))
        port = await server.start("127.0.0.1", 0)
        busy = asyncio.create_task(exchanged(port, POST))
        await asyncio.sleep(0.05)
        await server.stop()
        assert await busy == b""
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(scenario())


def test_an_old_or_upgrading_client_is_answered_and_then_closed() -> None:
    h2c = b"GET /h2 HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"

    async def scenario() -> None:
        async with served(echo) as port:
            for stream in (
                h2c,
                b"GET /old HTTP/1.0\r\n\r\n",
                b"GET http://h/a?b=1 HTTP/1.0\r\n\r\n",
            ):
                told = answers(await exchanged(port, stream))
                assert [answer[0] for answer in told] == [200]

    asyncio.run(scenario())


def test_a_unix_socket_is_served_and_a_dead_one_replaced(tmp_path: Path) -> None:
    path = tmp_path / "door"

    async def scenario() -> None:
        for _ in range(2):
            server = HttpServer(echo)
            await server.start_unix(path)
            reader, writer = await asyncio.open_unix_connection(str(path))
            writer.write(LAST)
            assert bodies(await asyncio.wait_for(reader.read(), PATIENCE_S))[0]["path"] == "/last"
            writer.close()
            await writer.wait_closed()
            await server.stop()
            if not path.exists():  # As a killed process leaves it.
                with socket.socket(socket.AF_UNIX) as dead:
                    dead.bind(str(path))
            assert path.is_socket()

    asyncio.run(scenario())


@pytest.mark.parametrize("turns", range(6))
def test_a_connection_that_is_just_being_accepted_is_closed_by_a_stop(turns: int) -> None:
    """Selector loop: `uvloop` tells nobody of a transport that is left open."""

    async def main() -> bytes:
        server = HttpServer(echo)
        port = await server.start("127.0.0.1", 0)
        with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as client:
            for _ in range(turns):
                await asyncio.sleep(0)
            await server.stop()
            try:
                return client.recv(1)
            except ConnectionResetError:
                return b""

    with warnings.catch_warnings(record=True) as left_open:
        warnings.simplefilter("always", ResourceWarning)
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            assert runner.run(main()) == b""
        gc.collect()
    assert [str(each.message) for each in left_open] == []


def test_a_connection_that_is_made_after_the_stop_is_closed_at_once() -> None:
    async def main() -> None:
        server = HttpServer(echo)
        await server.start("127.0.0.1", 0)
        await server.stop()
        ours, theirs = socket.socketpair()
        loop = asyncio.get_running_loop()
        await loop.connect_accepted_socket(lambda: HttpConnection(server), ours)
        theirs.setblocking(False)
        async with asyncio.timeout(PATIENCE_S):
            assert await loop.sock_recv(theirs, 1) == b""
        theirs.close()

    asyncio.run(main())
