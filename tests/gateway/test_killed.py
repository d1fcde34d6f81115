"""A kill disconnects: streams and connections end, reading and cancelling stay possible."""

import asyncio
import threading
import time
import warnings
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosedError

from fuseboard.gateway.limits import GatewayLimits
from fuseboard.gateway.trade_stream import KILLED_REASON
from fuseboard.vocabulary.effects import AnswerDenied, PublishPosture
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE, strategy_scope
from fuseboard.vocabulary.postures import Posture
from fuseboard.vocabulary.reasons import Reason
from tests.gateway.calls import Stream, asked, opened, running_here
from tests.gateway.facts import shown_order
from tests.gateway.scripted import Gateway, RunningGateway, running

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # alpaca-py uses websockets.legacy.
    from alpaca.common.exceptions import APIError
    from alpaca.trading.client import TradingClient
    from alpaca.trading.enums import OrderSide, TimeInForce
    from alpaca.trading.requests import MarketOrderRequest
    from alpaca.trading.stream import TradingStream

BODY = b'{"symbol":"AAPL","qty":5,"side":"buy","type":"market","time_in_force":"day"}'
LIMITS = GatewayLimits(killed_pause_s=0.01)
KILLED = AnswerDenied(request=0, strategy="", reason=Reason.POSTURE_KILLED, checks=("posture",))


def _run(test: Callable[[Gateway], Awaitable[None]]) -> None:
    async def run() -> None:
        async with running_here(LIMITS) as gateway:
            await test(gateway)

    asyncio.run(run())


def _set(gateway: Gateway, posture: Posture, scope: str = strategy_scope("one")) -> None:
    gateway.door.apply(PublishPosture(scope=scope, posture=posture, reason=Reason.OPERATOR))


async def _ended(stream: Stream) -> tuple[int | None, str | None]:
    async with asyncio.timeout(10):
        with suppress(ConnectionClosedError):
            async for _ in stream.connection:
                pass
        await stream.connection.wait_closed()
    return stream.connection.close_code, stream.connection.close_reason


@asynccontextmanager
async def _data_stream(gateway: Gateway, key: tuple[str, str]) -> Any:
    async with opened(gateway, "/v2/iex") as stream:
        await stream.next()
        await stream.send({"action": "auth", "key": key[0], "secret": key[1]})
        answer = (await stream.next_object())[0]
        yield stream, answer


@pytest.mark.parametrize("scope", [ACCOUNT_SCOPE, strategy_scope("one")])
def test_a_kill_closes_the_streams_of_its_scope_with_a_reason(scope: str) -> None:
    async def test(gateway: Gateway) -> None:
        async with (
            opened(gateway, "/stream", authorize=True) as trades,
            _data_stream(gateway, gateway.one) as (data, _),
            _data_stream(gateway, gateway.two) as (other, _),
        ):
            _set(gateway, Posture.KILLED, scope)
            assert await _ended(trades) == (1008, KILLED_REASON)
            assert await _ended(data) == (1008, KILLED_REASON)
            if scope == ACCOUNT_SCOPE:
                assert await _ended(other) == (1008, KILLED_REASON)
            else:
                await other.send({"action": "subscribe", "quotes": ["AAPL"]})
                assert (await other.next_object())[0]["quotes"] == ["AAPL"]

    _run(test)


@pytest.mark.parametrize("posture", [p for p in Posture if p < Posture.KILLED])
def test_nothing_less_than_a_kill_disconnects(posture: Posture) -> None:
    async def test(gateway: Gateway) -> None:
        async with opened(gateway, "/stream", authorize=True) as trades:
            _set(gateway, posture)
            gateway.door.apply(shown_order(event="new"))
            assert (await trades.next_object())["data"]["event"] == "new"

    _run(test)


def test_a_killed_strategy_is_not_let_into_a_stream_until_it_is_reset() -> None:
    async def test(gateway: Gateway) -> None:
        key_id, secret = gateway.one
        authenticate = {"action": "authenticate", "data": {"key_id": key_id, "secret_key": secret}}
        _set(gateway, Posture.KILLED)
        async with opened(gateway, "/stream") as trades:
            await trades.send(authenticate)
            assert (await trades.next_object())["data"]["status"] == "unauthorized"
            assert await _ended(trades) == (1008, KILLED_REASON)
        async with _data_stream(gateway, gateway.one) as (data, answer):
            assert (answer["T"], answer["code"]) == ("error", 402)
            assert (await _ended(data))[0] == 1008
        _set(gateway, Posture.OPEN)
        async with opened(gateway, "/stream") as trades:
            await trades.send(authenticate)
            assert (await trades.next_object())["data"]["status"] == "authorized"
        async with _data_stream(gateway, gateway.one) as (_, answer):
            assert answer["msg"] == "authenticated"

    _run(test)


class _Line:
    """A connection that is kept open between requests."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, key: tuple[str, str], request: str, body: bytes = b"") -> None:
        lines = [f"{request} HTTP/1.1", "host: gateway", f"content-length: {len(body)}"]
        lines += [f"apca-api-key-id: {key[0]}", f"apca-api-secret-key: {key[1]}", "", ""]
        self.writer.write("\r\n".join(lines).encode() + body)
        await self.writer.drain()

    async def answer(self) -> str:
        async with asyncio.timeout(10):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode().lower()
            if "content-length: " in head:
                await self.reader.readexactly(int(head.split("content-length: ")[1].split()[0]))
        return head

    async def is_ended(self) -> bool:
        async with asyncio.timeout(10):
            return await self.reader.read() == b""


async def _line(gateway: Gateway, key: tuple[str, str]) -> _Line:
    line = _Line(*await asyncio.open_connection("127.0.0.1", gateway.port))
    await line.send(key, "GET /v2/positions")
    assert "connection: close" not in await line.answer()
    return line


def test_a_kill_ends_open_connections_after_the_answer_in_progress() -> None:
    async def test(gateway: Gateway) -> None:
        idle, busy = await _line(gateway, gateway.one), await _line(gateway, gateway.one)
        other = await _line(gateway, gateway.two)
        gateway.loop.is_silent = True
        await busy.send(gateway.one, "POST /v2/orders", BODY)
        while not gateway.loop.placed():
            await asyncio.sleep(0)
        _set(gateway, Posture.KILLED)
        assert await idle.is_ended()
        gateway.loop.answer(gateway.loop.placed()[0])
        head = await busy.answer()
        assert head.startswith("http/1.1 200")
        assert "connection: close" in head
        assert await busy.is_ended()
        await other.send(gateway.two, "GET /v2/positions")
        assert (await other.answer()).startswith("http/1.1 200")
        for line in (idle, busy, other):
            line.writer.close()

    _run(test)


def test_a_killed_strategy_still_reads_and_cancels_and_its_orders_are_denied() -> None:
    async def test(gateway: Gateway) -> None:
        order = (await asked(gateway, "POST", "/v2/orders", BODY)).object()
        gateway.loop.deny = KILLED
        _set(gateway, Posture.KILLED)
        assert (await asked(gateway, "GET", "/v2/orders")).list()[0]["id"] == order["id"]
        denied = await asked(gateway, "POST", "/v2/orders", BODY)
        assert (denied.status, denied.object()["reason"]) == (403, "posture_killed")
        assert "orders are rejected by user request" in denied.object()["message"]
        assert (await asked(gateway, "DELETE", f"/v2/orders/{order['id']}")).status == 204

    _run(test)


def _wait(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def _buy(gateway: RunningGateway) -> Any:
    client: Any = TradingClient(*gateway.one, url_override=gateway.url)
    order = MarketOrderRequest(
        symbol="AAPL", qty=5, side=OrderSide.BUY, time_in_force=TimeInForce.DAY
    )
    return client.submit_order(order)


def test_alpaca_pys_trade_stream_is_cut_off_and_comes_back_after_the_reset() -> None:
    with running(LIMITS) as gateway:
        stream: Any = TradingStream(
            *gateway.one, url_override=f"ws://127.0.0.1:{gateway.port}/stream"
        )
        stream._reconnect_min_backoff, stream._reconnect_max_backoff = 0.02, 0.1
        updates: list[Any] = []

        async def take(update: Any) -> None:
            updates.append(update)

        stream.subscribe_trade_updates(take)
        thread = threading.Thread(target=stream.run)
        thread.start()
        trades = gateway.door._trades
        _wait(lambda: trades.is_wanted("one"))
        gateway.call(lambda: _set(gateway, Posture.KILLED))
        gateway.loop.deny = KILLED
        _wait(lambda: not trades.is_wanted("one"))
        with pytest.raises(APIError) as denied:
            _buy(gateway)
        assert denied.value.status_code == 403
        gateway.loop.deny = None
        gateway.call(lambda: _set(gateway, Posture.OPEN))
        _wait(lambda: trades.is_wanted("one"))
        _buy(gateway)
        _wait(lambda: updates)
        assert updates[0].event == "new"
        stream.stop()
        while thread.is_alive():
            _buy(gateway)
            thread.join(0.05)
