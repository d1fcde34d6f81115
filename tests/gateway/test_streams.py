import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from websockets.exceptions import ConnectionClosedError

from fuseboard.gateway import keys as keys_module
from fuseboard.gateway.limits import GatewayLimits
from fuseboard.vocabulary.money import NANOS
from fuseboard.wire.alpaca import book_message, decoded_messages, quote_message, trade_message
from tests.gateway.calls import Stream, asked, opened, running_here
from tests.gateway.facts import shown_order
from tests.gateway.scripted import START_NS, Gateway

BODY = b'{"symbol":"AAPL","qty":5,"side":"buy","type":"market","time_in_force":"day"}'
MSGPACK = {"Content-Type": "application/msgpack"}


def _run(test: Callable[[Gateway], Awaitable[None]], limits: GatewayLimits | None = None) -> None:
    async def run() -> None:
        async with running_here(limits) as gateway:
            await test(gateway)

    asyncio.run(run())


async def _closed_with(stream: Stream) -> int:
    async with asyncio.timeout(10):
        with suppress(ConnectionClosedError):
            async for _ in stream.connection:
                pass
        await stream.connection.wait_closed()
    code = stream.connection.close_code
    assert code is not None
    return code


# --- trade_updates -------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/stream", "/stream/"])
@pytest.mark.parametrize("form", ["authenticate", "auth"])
def test_both_forms_of_authorization_are_answered_first_and_in_a_binary_frame(
    path: str, form: str
) -> None:
    async def test(gateway: Gateway) -> None:
        key_id, secret = gateway.one
        async with opened(gateway, path) as stream:
            if form == "auth":
                await stream.send({"action": "auth", "key": key_id, "secret": secret})
            else:
                data = {"key_id": key_id, "secret_key": secret}
                await stream.send({"action": "authenticate", "data": data})
            first = await stream.next()
            assert isinstance(first, bytes)
            assert msgspec.json.decode(first) == {
                "stream": "authorization",
                "data": {"status": "authorized", "action": "authenticate"},
            }

    _run(test)


@pytest.mark.parametrize(
    "message",
    [
        {"action": "authenticate", "data": {"key_id": "PK", "secret_key": "x"}},
        {"action": "authenticate", "data": {"key_id": 5, "secret_key": None}},
        {"action": "listen", "data": {"streams": ["trade_updates"]}},
        ["no object"],
        {},
    ],
)
def test_whoever_does_not_begin_with_a_valid_pair_is_told_and_closed(message: object) -> None:
    async def test(gateway: Gateway) -> None:
        async with opened(gateway, "/stream") as stream:
            await stream.send(message)
            told = await stream.next_object()
            assert told["stream"] == "authorization"
            assert told["data"]["status"] == "unauthorized"
            assert await _closed_with(stream) == 1008

    _run(test)


def test_whoever_says_nothing_is_closed() -> None:
    async def test(gateway: Gateway) -> None:
        async with opened(gateway, "/stream") as stream:
            assert await _closed_with(stream) == 1008

    _run(test, GatewayLimits(authorization_wait_s=0.05))


def test_only_listeners_are_told_and_an_empty_list_ends_listening() -> None:
    async def test(gateway: Gateway) -> None:
        async with opened(gateway, "/stream", authorize=True) as stream:
            await asked(gateway, "POST", "/v2/orders", BODY, key=gateway.two)
            await asked(gateway, "POST", "/v2/orders", BODY)
            update = await stream.next_object()
            assert update["stream"] == "trade_updates"
            assert update["data"]["event"] == "new"
            assert "price" not in update["data"]
            await stream.send({"action": "listen", "data": {"streams": []}})
            assert (await stream.next_object())["data"]["streams"] == []
            await asked(gateway, "POST", "/v2/orders", BODY)
            await stream.send({"action": "listen", "data": {"streams": ["trade_updates", "x"]}})
            assert (await stream.next_object())["data"]["streams"] == ["trade_updates"]

    _run(test)


def test_of_two_sessions_only_the_one_that_listens_is_told() -> None:
    async def test(gateway: Gateway) -> None:
        async with (
            opened(gateway, "/stream", authorize=True) as one,
            opened(gateway, "/stream", authorize=True) as other,
        ):
            await other.send({"action": "listen", "data": {"streams": []}})
            await other.next()
            gateway.door.apply(shown_order(event="new"))
            assert (await one.next_object())["stream"] == "trade_updates"
            await other.send({"action": "listen", "data": {"streams": []}})
            assert (await other.next_object())["stream"] == "listening"

    _run(test)


def test_an_order_that_only_changes_its_view_is_not_streamed() -> None:
    async def test(gateway: Gateway) -> None:
        async with opened(gateway, "/stream", authorize=True) as stream:
            gateway.door.apply(shown_order())
            gateway.door.apply(shown_order(event="new"))
            assert (await stream.next_object())["data"]["event"] == "new"

    _run(test)


def test_what_a_start_publishes_without_an_event_is_read_and_not_streamed() -> None:
    async def test(gateway: Gateway) -> None:
        async with opened(gateway, "/stream", authorize=True) as stream:
            gateway.door.apply(shown_order(event=""))
            gateway.door.apply(shown_order(event="canceled"))
            assert (await stream.next_object())["data"]["event"] == "canceled"
            read = await asked(gateway, "GET", f"/v2/orders/{shown_order().order_id}")
            assert read.status == 200

    _run(test)


def test_a_session_ends_when_its_key_is_revoked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys_module, "CHECK_EVERY_NS", 0)

    async def test(gateway: Gateway) -> None:
        async with opened(gateway, "/stream", authorize=True) as stream:
            gateway.keys.revoke(gateway.one[0])
            gateway.door.apply(shown_order(event="fill"))
            assert await _closed_with(stream) == 1008

    _run(test)


def test_sessions_are_bounded_for_each_key_and_altogether() -> None:
    limits = GatewayLimits(sessions_of_a_key_max=1, trade_sessions_max=2)

    async def test(gateway: Gateway) -> None:
        key_id, secret = gateway.one
        message = {"action": "auth", "key": key_id, "secret": secret}
        async with opened(gateway, "/stream", authorize=True):
            async with opened(gateway, "/stream") as second:
                await second.send(message)
                assert (await second.next_object())["data"]["status"] == "unauthorized"
                assert await _closed_with(second) == 1013
            async with opened(gateway, "/stream"), opened(gateway, "/stream") as third:
                assert await _closed_with(third) == 1013
        await asyncio.sleep(0.01)
        async with opened(gateway, "/stream", authorize=True):
            pass  # The place of the session that ended is free again.

    _run(test, limits)


def test_a_message_that_is_no_object_ends_the_session() -> None:
    async def test(gateway: Gateway) -> None:
        async with opened(gateway, "/stream", authorize=True) as stream:
            await stream.connection.send("{not json")
            assert await _closed_with(stream) == 1003

    _run(test)


def test_there_is_no_stream_on_another_path() -> None:
    async def test(gateway: Gateway) -> None:
        async with opened(gateway, "/elsewhere") as stream:
            assert await _closed_with(stream) == 1008

    _run(test)


# --- market data ---------------------------------------------------------------------------------


async def _messages(stream: Stream) -> list[dict[str, Any]]:
    return decoded_messages(await stream.next())


async def _send(stream: Stream, message: dict[str, Any], *, as_msgpack: bool) -> None:
    if as_msgpack:
        await stream.connection.send(msgspec.msgpack.encode(message))
    else:
        await stream.send(message)


def _trade(symbol: str) -> dict[str, Any]:
    return trade_message(
        symbol, price_nanos=100_500_000_000, size_nanos=NANOS, at_ns=START_NS + 1, trade_id=7
    )


def _quote(symbol: str) -> dict[str, Any]:
    return quote_message(
        symbol,
        bid_nanos=99 * NANOS,
        ask_nanos=101 * NANOS,
        bid_size_nanos=NANOS,
        ask_size_nanos=NANOS,
        at_ns=START_NS,
    )


async def _authenticated(gateway: Gateway, stream: Stream, *, as_msgpack: bool) -> None:
    assert await _messages(stream) == [{"T": "success", "msg": "connected"}]
    key_id, secret = gateway.one
    auth = {"action": "auth", "key": key_id, "secret": secret}
    await _send(stream, auth, as_msgpack=as_msgpack)
    assert await _messages(stream) == [{"T": "success", "msg": "authenticated"}]


@pytest.mark.parametrize("as_msgpack", [True, False])
def test_a_subscriber_gets_its_symbols_in_its_encoding_until_it_unsubscribes(
    as_msgpack: bool,
) -> None:
    async def test(gateway: Gateway) -> None:
        headers = MSGPACK if as_msgpack else None
        async with opened(gateway, "/v2/sip", headers=headers) as stream:
            await _authenticated(gateway, stream, as_msgpack=as_msgpack)
            ask = {"action": "subscribe", "trades": ["AAPL"], "quotes": ["AAPL", "MSFT"]}
            await _send(stream, ask, as_msgpack=as_msgpack)
            told = (await _messages(stream))[0]
            assert told["T"] == "subscription"
            assert (told["trades"], told["quotes"]) == (["AAPL"], ["AAPL", "MSFT"])
            assert told["bars"] == []
            gateway.feed.say([_trade("MSFT"), _trade("AAPL"), _quote("MSFT"), _quote("XOM")])
            frame = await stream.next()
            assert isinstance(frame, bytes) == as_msgpack
            assert decoded_messages(frame) == [_trade("AAPL")]
            assert await _messages(stream) == [_quote("MSFT")]
            await _send(
                stream, {"action": "unsubscribe", "trades": ["AAPL"]}, as_msgpack=as_msgpack
            )
            assert (await _messages(stream))[0]["trades"] == []
            gateway.feed.say([_trade("AAPL"), _quote("AAPL")])
            assert await _messages(stream) == [_quote("AAPL")]
        assert gateway.feed.subscribed == [("trades", ("AAPL",)), ("quotes", ("AAPL", "MSFT"))]

    _run(test)


def test_order_books_are_passed_on_level_by_level() -> None:
    levels = ((99 * NANOS, NANOS // 3), (98 * NANOS, 7 * NANOS))
    book = book_message("AAPL", bids=levels, asks=levels[::-1], at_ns=START_NS, full=True)

    async def test(gateway: Gateway) -> None:
        async with opened(gateway, "/v2/iex") as stream:
            await _authenticated(gateway, stream, as_msgpack=False)
            await stream.send({"action": "subscribe", "orderbooks": ["AAPL"]})
            assert (await _messages(stream))[0]["orderbooks"] == ["AAPL"]
            gateway.feed.say([book])
            assert await _messages(stream) == [book]
        assert gateway.feed.subscribed == [("orderbooks", ("AAPL",))]

    _run(test)


def test_a_message_that_no_encoding_holds_is_passed_over() -> None:
    async def test(gateway: Gateway) -> None:
        async with opened(gateway, "/v2/sip") as stream:
            await _authenticated(gateway, stream, as_msgpack=False)
            await stream.send({"action": "subscribe", "trades": ["AAPL"]})
            await _messages(stream)
            gateway.feed.say([{**_trade("AAPL"), "t": 1 << 90}, _trade("AAPL")])
            assert await _messages(stream) == [_trade("AAPL")]

    _run(test)


def test_the_upstream_is_asked_for_each_symbol_once_whoever_subscribes() -> None:
    async def test(gateway: Gateway) -> None:
        async with opened(gateway, "/v2/iex") as first, opened(gateway, "/v2/iex") as second:
            for stream in (first, second):
                await _authenticated(gateway, stream, as_msgpack=False)
                await stream.send({"action": "subscribe", "trades": ["AAPL"]})
                await _messages(stream)
            gateway.feed.say([_trade("AAPL")])
            assert await _messages(first) == await _messages(second) == [_trade("AAPL")]
        assert gateway.feed.subscribed == [("trades", ("AAPL",))]

    _run(test)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"action": "subscribe", "trades": ["*"]}, 400),
        ({"action": "subscribe", "trades": "AAPL"}, 400),
        ({"action": "subscribe", "everything": ["AAPL"]}, 400),
        ({"action": "dance"}, 400),
        ({"action": "auth", "key": "a", "secret": "b"}, 403),
        ({"action": "subscribe", "trades": ["A", "B", "C"]}, 405),
    ],
)
def test_a_command_that_is_not_possible_is_answered_with_its_code(
    message: dict[str, Any], code: int
) -> None:
    async def test(gateway: Gateway) -> None:
        async with opened(gateway, "/v2/iex") as stream:
            await _authenticated(gateway, stream, as_msgpack=False)
            await stream.send(message)
            assert [each["code"] for each in await _messages(stream)] == [code]
        assert gateway.feed.subscribed == []

    _run(test, GatewayLimits(stream_symbols_max=2))


def test_a_wrong_pair_a_feed_we_do_not_have_and_too_many_sessions_are_refused() -> None:
    async def test(gateway: Gateway) -> None:
        async with opened(gateway, "/v2/iex") as stream:
            await _messages(stream)
            await stream.send({"action": "auth", "key": gateway.one[0], "secret": "x"})
            assert (await _messages(stream))[0]["code"] == 402
            assert await _closed_with(stream) == 1008
        async with opened(gateway, "/v1beta3/crypto/us") as stream:
            await _messages(stream)
            assert (await _messages(stream))[0]["msg"] == "insufficient subscription"
        async with opened(gateway, "/v2/iex") as first, opened(gateway, "/v2/iex") as second:
            await _authenticated(gateway, first, as_msgpack=False)
            await first.send({"action": "subscribe"})
            await _messages(first)
            await _messages(second)
            key_id, secret = gateway.one
            await second.send({"action": "auth", "key": key_id, "secret": secret})
            assert (await _messages(second))[0]["code"] == 406

    _run(test, GatewayLimits(sessions_of_a_key_max=1))


def test_without_an_upstream_a_subscription_is_refused_and_may_be_asked_again() -> None:
    async def test(gateway: Gateway) -> None:
        async with opened(gateway, "/v2/iex") as stream:
            await _authenticated(gateway, stream, as_msgpack=False)
            gateway.feed.unavailable = True
            await stream.send({"action": "subscribe", "trades": ["AAPL"]})
            assert (await _messages(stream))[0]["code"] == 500
            gateway.feed.unavailable = False
            await stream.send({"action": "subscribe", "trades": ["AAPL"]})
            assert (await _messages(stream))[0]["trades"] == ["AAPL"]

    _run(test)


def test_a_data_session_ends_when_its_key_is_revoked_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(keys_module, "CHECK_EVERY_NS", 0)

    async def test(gateway: Gateway) -> None:
        async with opened(gateway, "/v2/iex") as stream:
            await _authenticated(gateway, stream, as_msgpack=False)
            await stream.send({"action": "subscribe", "trades": ["AAPL"]})
            await _messages(stream)
            gateway.keys.revoke(gateway.one[0])
            gateway.feed.say([_trade("AAPL")])
            assert await _closed_with(stream) == 1008
        async with asyncio.timeout(10):
            while gateway.door._data._by_topic:
                await asyncio.sleep(0.01)

    _run(test)


def test_data_sessions_and_what_the_upstream_carries_are_bounded() -> None:
    async def test(gateway: Gateway) -> None:
        async with opened(gateway, "/v2/iex") as stream:
            await _authenticated(gateway, stream, as_msgpack=False)
            async with opened(gateway, "/v2/iex") as second:
                assert await _closed_with(second) == 1013
            names = [f"S{n}" for n in range(11)]
            await stream.send({"action": "subscribe", "trades": names})
            assert (await _messages(stream))[0]["code"] == 500
            await stream.send({"action": "subscribe", "trades": names[:9]})
            assert (await _messages(stream))[0]["trades"] == names[:9]

    _run(test, GatewayLimits(data_sessions_max=1, symbols_max=1))
