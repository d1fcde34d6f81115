import asyncio
import shutil
import ssl
import subprocess
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import uvloop

from fuseboard.wire.http_client import (
    AnswerLost,
    ClientLimits,
    HttpClient,
    NotWritten,
    WriteRefused,
)
from fuseboard.wire.http_server import Request, Response
from tests.wire.raw import PATIENCE_S, served

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
Script = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


def echo(request: Request) -> Response:
    return Response(200, request.method.encode() + request.target.encode() + request.body)


@asynccontextmanager
async def scripted(script: Script, tls: ssl.SSLContext | None = None) -> Any:
    """A server that reads one request head after the other and does what the script says."""
    opened: list[asyncio.StreamWriter] = []

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.append(writer)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                await script(await reader.readuntil(b"\r\n\r\n"), writer)
        writer.close()

    server = await asyncio.start_server(connection, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1], opened
    finally:
        server.close()
        for writer in opened:
            writer.transport.abort()
        await server.wait_closed()


@asynccontextmanager
async def client_of(port: int, **limits: Any) -> Any:
    client = HttpClient(f"http://127.0.0.1:{port}", limits=ClientLimits(**limits))
    try:
        yield client
    finally:
        await client.close()


async def answering(head: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(OK)


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_requests_share_a_bounded_pool_and_each_gets_its_own_answer(run: Any) -> None:
    together = 0
    most = 0

    async def handle(request: Request) -> Response:
        nonlocal together, most
        together += 1
        most = max(most, together)
        await asyncio.sleep(0.002)
        together -= 1
        return echo(request)

    async def scenario() -> None:
        async with served(handle) as port, client_of(port, connections_max=4) as client:
            answers = await asyncio.gather(
                *(client.request("POST", f"/{n}", body=b"x" * n) for n in range(100))
            )
            assert [answer.body for answer in answers] == [
                b"POST/%d" % n + b"x" * n for n in range(100)
            ]
            assert most == 4
            assert len(client._links) == 4

    run(scenario())


def test_before_write_is_asked_once_with_a_connection_in_hand_and_no_byte_written() -> None:
    heads: list[bytes] = []

    async def note(head: bytes, writer: asyncio.StreamWriter) -> None:
        heads.append(head)
        writer.write(OK)

    async def scenario() -> None:
        async with scripted(note) as (port, opened), client_of(port) as client:
            asked: list[int] = []

            def refuse() -> bool:
                asked.append(len(client._links))
                return False

            with pytest.raises(WriteRefused):
                await client.request("POST", "/a", before_write=refuse)
            assert asked == [1]
            assert (await client.request("POST", "/b", before_write=lambda: True)).status == 200
            assert [head.split()[1] for head in heads] == [b"/b"]
            assert len(opened) == 1

    asyncio.run(scenario())


def test_a_failing_before_write_loses_no_connection() -> None:
    def fail() -> bool:
        raise KeyError("no")

    async def scenario() -> None:
        async with scripted(answering) as (port, _), client_of(port, connections_max=1) as client:
            with pytest.raises(KeyError):
                await client.request("GET", "/", before_write=fail)
            assert (await client.request("GET", "/")).body == b"ok"

    asyncio.run(scenario())


def test_no_listener_means_not_written() -> None:
    async def scenario() -> None:
        async with scripted(answering) as (port, _):
            pass
        async with client_of(port) as client:
            with pytest.raises(NotWritten):
                await client.request("POST", "/")

    asyncio.run(scenario())


def test_no_free_connection_in_time_means_not_written_and_the_place_is_not_lost() -> None:
    go = asyncio.Event()

    async def wait(head: bytes, writer: asyncio.StreamWriter) -> None:
        await go.wait()
        writer.write(OK)

    async def scenario() -> None:
        async with (
            scripted(wait) as (port, _),
            client_of(port, connections_max=1, waiting_max=1) as client,
        ):
            first = asyncio.create_task(client.request("GET", "/1"))
            await asyncio.sleep(0)
            second = asyncio.create_task(client.request("GET", "/2", timeout_s=0.1))
            await asyncio.sleep(0.02)
            with pytest.raises(NotWritten, match="too many"):
                await client.request("GET", "/3")
            with pytest.raises(NotWritten, match="in time"):
                await second
            third = asyncio.create_task(client.request("GET", "/4"))
            go.set()
            assert (await first).body == (await third).body == b"ok"

    asyncio.run(scenario())


def test_a_place_given_to_a_request_that_is_cancelled_goes_to_the_next() -> None:
    async def scenario() -> None:
        async with scripted(answering) as (port, _), client_of(port, connections_max=1) as client:

            async def first() -> None:
                await client.request("GET", "/1")
                second.cancel()  # In the very step in which its place was given to it.

            leading = asyncio.create_task(first())
            await asyncio.sleep(0)
            second = asyncio.create_task(client.request("GET", "/2"))
            third = asyncio.create_task(client.request("GET", "/3", timeout_s=1.0))
            await leading
            with pytest.raises(asyncio.CancelledError):
                await second
            assert (await third).status == 200

    asyncio.run(scenario())


async def silence(head: bytes, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(PATIENCE_S)


async def reset(head: bytes, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


def saying(data: bytes, *, then_close: bool = True) -> Script:
    async def say(head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        if then_close:
            raise ConnectionError

    return say


@pytest.mark.parametrize(
    "script",
    [
        silence,
        reset,
        saying(b""),
        saying(OK[:-1]),
        saying(b"HTTP/1.1 200 OK\r\nContent-Le"),
        saying(b"HTTP/1.1 200 OK\r\n\r\nuntil the end"),
        saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n"),
        saying(b"nonsense\r\n\r\n"),
        saying(b"HTTP/1.1 100 Continue\r\n\r\n"),
        saying(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
        saying(b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n" + b"x" * 2000),
    ],
)
def test_once_bytes_have_left_anything_but_a_whole_answer_is_lost(script: Script) -> None:
    async def scenario() -> None:
        async with scripted(script) as (port, _), client_of(port, answer_bytes_max=1000) as client:
            with pytest.raises(AnswerLost):
                await client.request("POST", "/", timeout_s=0.3)
            assert not client._idle

    asyncio.run(scenario())


def test_an_answer_in_pieces_after_an_interim_one_is_whole() -> None:
    data = (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 403 Forbidden\r\nRetry-After: 3\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
    )

    async def dribble(head: bytes, writer: asyncio.StreamWriter) -> None:
        for byte in data:
            writer.write(bytes([byte]))
            await asyncio.sleep(0)

    async def scenario() -> None:
        async with scripted(dribble) as (port, opened), client_of(port) as client:
            for _ in range(2):
                answer = await client.request("GET", "/")
                assert (answer.status, answer.body) == (403, b"abc")
                assert answer.headers["retry-after"] == "3"
            assert len(opened) == 1

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "gone_by", ["close", "idle", "stray with it", "stray later", "connection: close"]
)
def test_a_pooled_connection_that_is_no_good_is_replaced_before_a_byte_is_written(
    gone_by: str,
) -> None:
    heads: list[bytes] = []

    async def script(head: bytes, writer: asyncio.StreamWriter) -> None:
        heads.append(head)
        closing = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        stray = OK + b"HTTP/1.1 200 OK\r\n"
        writer.write({"connection: close": closing, "stray with it": stray}.get(gone_by, OK))
        if gone_by == "close":
            raise ConnectionError
        if gone_by == "stray later":
            await asyncio.sleep(0.01)
            writer.write(b"\r\n")

    async def scenario() -> None:
        idle_s_max = 0 if gone_by == "idle" else 15.0
        async with (
            scripted(script) as (port, opened),
            client_of(port, connections_max=1, idle_s_max=idle_s_max) as client,
        ):
            for _ in range(3):
                assert (await client.request("POST", "/")).status == 200
                async with asyncio.timeout(PATIENCE_S):
                    while gone_by != "idle" and any(link.is_usable() for link in client._idle):
                        await asyncio.sleep(0.001)
            assert len(heads) == len(opened) == 3

    asyncio.run(scenario())


def test_a_cancelled_request_frees_its_place_and_its_answer_goes_to_nobody() -> None:
    async def scenario() -> None:
        async with scripted(silence) as (port, _), client_of(port, connections_max=1) as client:
            task = asyncio.create_task(client.request("GET", "/"))
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            with pytest.raises(AnswerLost):
                await client.request("GET", "/", timeout_s=0.1)

    asyncio.run(scenario())


def test_closing_ends_what_is_under_way() -> None:
    async def scenario() -> None:
        async with scripted(silence) as (port, _), client_of(port, connections_max=1) as client:
            tasks = [asyncio.create_task(client.request("GET", "/")) for _ in range(2)]
            await asyncio.sleep(0.05)
            await client.close()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
            assert [type(outcome) for outcome in outcomes] == [AnswerLost, NotWritten]
            with pytest.raises(NotWritten):
                await client.request("GET", "/")

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("target", "headers"),
    [
        ("/a b", {}),
        ("/a\r\nX: y", {}),
        ("a", {}),
        ("/é", {}),
        ("/", {"X": "a\r\nb"}),
        ("/", {"X:": "a"}),
    ],
)
def test_what_would_break_the_framing_is_not_sent(target: str, headers: dict[str, str]) -> None:
    async def scenario() -> None:
        async with scripted(answering) as (port, opened), client_of(port) as client:
            with pytest.raises(ValueError, match="not a"):
                await client.request("GET", target, headers)
            assert not opened

    asyncio.run(scenario())


@pytest.mark.parametrize("origin", ["ftp://h", "h", "http://h/path", "http://u:p@h", ""])
def test_an_origin_is_a_scheme_a_host_and_a_port(origin: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        HttpClient(origin)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl to make a certificate")
def test_an_unknown_certificate_means_not_written_and_a_trusted_one_works(tmp_path: Path) -> None:
    key, certificate = str(tmp_path / "key.pem"), str(tmp_path / "certificate.pem")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *(
                "-nodes",
                "-keyout",
                key,
                "-out",
                certificate,
                "-days",
                "2",
                "-subj",
                "/CN=localhost",
            ),
            *("-addext", "subjectAltName=DNS:localhost"),
        ],
        check=True,
        capture_output=True,
    )
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    theirs.load_cert_chain(certificate, key)

    async def scenario() -> None:
        async with scripted(answering, theirs) as (port, _):
            strict = HttpClient(f"https://localhost:{port}")
            with pytest.raises(NotWritten):
                await strict.request("POST", "/")
            await strict.close()
            trusting = ssl.create_default_context(cafile=certificate)
            client = HttpClient(f"https://localhost:{port}", tls=trusting)
            assert (await client.request("POST", "/")).body == b"ok"
            await client.close()

    asyncio.run(scenario())
