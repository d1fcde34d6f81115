import asyncio
from collections.abc import Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from fuseboard.feeds.alpaca import SYMBOLS_MAX, AlpacaFeed, AlpacaFeedOptions
from fuseboard.vocabulary.doors import BrokerUnavailable, Feed, Throttled
from fuseboard.vocabulary.market_inputs import (
    FeedHeard,
    MarketFact,
    QuoteSeen,
    TradeSeen,
)
from fuseboard.vocabulary.money import NANOS
from fuseboard.wire.alpaca import (
    encoded_messages,
    json_bytes,
    quote_message,
    rest_object,
    trade_message,
)
from fuseboard.wire.http_server import HttpServer, Request, Response, WebSocketSession
from fuseboard.wire.websocket_client import StreamLimits

PATIENCE_S = 20.0
NOW_NS = 1_273_170_427_123_456_789
QUICK = StreamLimits(open_s_max=2.0, first_wait_s=0.01, wait_s_max=0.05)
QUOTE = quote_message(
    "AAPL",
    bid_nanos=199 * NANOS,
    ask_nanos=200 * NANOS + 1,
    bid_size_nanos=3 * NANOS,
    ask_size_nanos=NANOS,
    at_ns=NOW_NS,
)
TRADE = trade_message("AAPL", price_nanos=NANOS, size_nanos=2 * NANOS, at_ns=NOW_NS, trade_id=7)
QUOTE_SEEN = QuoteSeen(
    symbol="AAPL",
    bid_nanos=199 * NANOS,
    ask_nanos=200 * NANOS + 1,
    bid_size_nanos=3 * NANOS,
    ask_size_nanos=NANOS,
    event_ns=NOW_NS,
    bid_low_nanos=199 * NANOS,
    ask_high_nanos=200 * NANOS + 1,
)
TRADE_SEEN = TradeSeen(
    symbol="AAPL",
    price_nanos=NANOS,
    size_nanos=2 * NANOS,
    event_ns=NOW_NS,
    low_nanos=NANOS,
    high_nanos=NANOS,
)


STANDING_SEEN = msgspec.structs.replace(QUOTE_SEEN, standing=True)


class ScriptedMarket:
    """A data stream and data REST that say what a test tells them to."""

    def __init__(self) -> None:
        self.latest: Response = Response(200, json_bytes({"quotes": {}}))
        self.asked: list[str] = []
        self.subscribed: list[dict[str, Any]] = []
        self.session: WebSocketSession | None = None
        self.refuse = False
        self.changed = asyncio.Event()

    def handle(self, request: Request) -> Response:
        assert request.headers["apca-api-key-id"] == "key"
        self.asked.append(request.target)
        return self.latest

    async def stream(self, session: WebSocketSession) -> None:
        assert session.headers["content-type"] == "application/msgpack"
        self.say(session, {"T": "success", "msg": "connected"})
        command = await self.command(session)
        assert command == {"action": "auth", "key": "key", "secret": "secret"}
        if self.refuse:
            self.say(session, {"T": "error", "code": 402, "msg": "auth failed"})
            return
        self.say(session, {"T": "success", "msg": "authenticated"})
        self.session = session
        self.changed.set()
        while (command := await self.command(session)) is not None:
            self.subscribed.append(command)
            self.say(session, {"T": "subscription", **command})
            self.changed.set()

    async def command(self, session: WebSocketSession) -> Any:
        message = await session.receive()
        assert not isinstance(message, str)
        return None if message is None else msgspec.msgpack.decode(message)

    def say(self, session: WebSocketSession | None, *messages: dict[str, Any]) -> None:
        assert session is not None
        session.send(encoded_messages(list(messages), as_msgpack=True))

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                self.changed.clear()
                await self.changed.wait()


def prices_into(
    seen: list[Any], market: ScriptedMarket | None = None
) -> Callable[[MarketFact], None]:
    """Take all but heartbeats."""

    def deliver(fact: MarketFact) -> None:
        if not isinstance(fact, FeedHeard):
            seen.append(fact)
        if market is not None:
            market.changed.set()

    return deliver


@asynccontextmanager
async def feed_of(market: ScriptedMarket, kind: type[Any] = AlpacaFeed) -> Any:
    server = HttpServer(market.handle, market.stream)
    port = await server.start("127.0.0.1", 0)
    options = AlpacaFeedOptions(
        stream_url=f"ws://127.0.0.1:{port}/v2/iex",
        data_url=f"http://127.0.0.1:{port}",
        key_id="key",
        secret="secret",
        timeout_s=2.0,
    )
    assert "secret" not in repr(options)
    feed = kind(options, QUICK)
    door: Feed = feed
    assert door is feed
    try:
        yield feed
    finally:
        await feed.stop()
        await server.stop()


def test_watched_symbols_become_facts_and_everything_goes_to_listeners() -> None:
    market = ScriptedMarket()
    seen: list[Any] = []
    heard: list[Any] = []

    async def scenario() -> None:
        async with feed_of(market) as feed:
            await feed.start(prices_into(seen, market))
            feed.listen(heard.extend)
            await market.until(lambda: market.session)
            await feed.watch("AAPL")
            await market.until(lambda: any("trades" in said for said in market.subscribed))
            other = {**QUOTE, "S": "MSFT"}
            market.say(market.session, QUOTE, other, TRADE)
            await market.until(lambda: len(seen) == 2)
            assert seen == [QUOTE_SEEN, TRADE_SEEN]
            assert heard == [QUOTE, other, TRADE]

    asyncio.run(scenario())


def test_the_latest_quote_is_delivered_once_and_a_symbol_without_one_is_watched_too() -> None:
    market = ScriptedMarket()
    market.latest = Response(200, json_bytes({"quotes": {"AAPL": rest_object(QUOTE)}}))
    seen: list[Any] = []

    async def scenario() -> None:
        async with feed_of(market) as feed:
            await feed.start(prices_into(seen))
            await feed.watch("AAPL")
            await feed.watch("AAPL")
            assert seen == [STANDING_SEEN]
            await feed.watch("BTC/USD")
            market.latest = Response(404, b"{}")
            await feed.watch("GONE")
            assert market.asked == [
                "/v2/stocks/quotes/latest?symbols=AAPL",
                "/v1beta3/crypto/us/latest/quotes?symbols=BTC%2FUSD",
                "/v2/stocks/quotes/latest?symbols=GONE",
            ]
            assert seen == [STANDING_SEEN]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("latest", "raised"),
    [
        (Response(500, b"{}"), BrokerUnavailable),
        (Response(401, b"{}"), BrokerUnavailable),
        (Response(200, b"{"), BrokerUnavailable),
        (Response(200, b"[]"), BrokerUnavailable),
        (Response(429, b"{}"), Throttled),
    ],
)
def test_a_latest_quote_that_cannot_be_read_is_asked_for_again(
    latest: Response, raised: type[Exception]
) -> None:
    market = ScriptedMarket()
    market.latest = latest
    seen: list[Any] = []

    async def scenario() -> None:
        async with feed_of(market) as feed:
            await feed.start(prices_into(seen))
            with pytest.raises(raised):
                await feed.watch("AAPL")
            market.latest = Response(200, json_bytes({"quotes": {"AAPL": rest_object(QUOTE)}}))
            await feed.watch("AAPL")
            assert seen == [STANDING_SEEN]

    asyncio.run(scenario())


def test_every_subscription_is_made_again_after_a_loss() -> None:
    market = ScriptedMarket()
    seen: list[Any] = []

    async def scenario() -> None:
        async with feed_of(market) as feed:
            await feed.subscribe("bars", ["AAPL"])
            await feed.start(prices_into(seen))
            await feed.watch("MSFT")
            await market.until(lambda: market.session and market.subscribed)
            for number in range(2, 5):
                market.subscribed.clear()
                assert market.session is not None
                lost, market.session = market.session, None
                lost.abort()
                await market.until(lambda: market.session and market.subscribed)
                (again,) = market.subscribed
                assert (again["quotes"], again["bars"]) == (["MSFT"], ["AAPL"])
                assert feed.counts.connections == number

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "changes",
    [
        {"bp": "NaN"},
        {"bp": -1},
        {"ap": None},
        {"bs": True},
        {"t": 5.5},
        {"t": None},
    ],
)
def test_a_quote_that_makes_no_sense_grows_stale_rather_than_wrong(changes: dict[str, Any]) -> None:
    market = ScriptedMarket()
    seen: list[Any] = []

    async def scenario() -> None:
        async with feed_of(market) as feed:
            await feed.start(prices_into(seen))
            await feed.watch("AAPL")
            await market.until(lambda: market.session and len(market.subscribed) >= 1)
            heard: list[Any] = []

            def listen(messages: list[dict[str, Any]]) -> None:
                heard.extend(messages)
                market.changed.set()

            feed.listen(listen)
            assert market.session is not None
            bad = {**QUOTE, "t": "2010-05-06T18:27:07Z", **changes}
            market.session.send(json_bytes([bad]).decode())
            market.say(market.session, TRADE)
            await market.until(lambda: TRADE in heard)
            assert seen == [TRADE_SEEN]
            assert feed.counts.refused == 1

    asyncio.run(scenario())


def test_a_message_of_no_shape_is_dropped_and_the_stream_goes_on() -> None:
    market = ScriptedMarket()
    seen: list[Any] = []
    heard: list[Any] = []

    async def scenario() -> None:
        async with feed_of(market) as feed:
            await feed.start(prices_into(seen, market))
            await feed.watch("AAPL")
            await market.until(lambda: market.session)
            feed.listen(heard.extend)
            no_shape = [{**QUOTE, "T": ["q"]}, {**QUOTE, "S": {"AAPL": 1}}, {"T": "q", "S": None}]
            market.say(market.session, *no_shape, {"T": "error", "code": [406]}, TRADE)
            await market.until(lambda: seen)
            assert (seen, heard) == ([TRADE_SEEN], [TRADE])
            assert (feed.counts.refused, feed.counts.connections) == (3, 1)

    asyncio.run(scenario())


def test_a_frame_that_cannot_be_read_or_a_refusal_makes_it_connect_again() -> None:
    market = ScriptedMarket()

    async def scenario() -> None:
        async with feed_of(market) as feed:
            market.refuse = True
            await feed.start(lambda fact: None)
            await asyncio.sleep(0.05)
            assert feed.counts.connections == 0
            market.refuse = False
            await market.until(lambda: market.session)
            for said in (
                "nonsense",
                b"\xc1",
                '[{"T":"q","t":"yesterday"}]',
                '[{"T":"error","code":406}]',
                '[{"T":"q","S":' + "[" * 50_000,
            ):
                assert market.session is not None
                lost, market.session = market.session, None
                lost.send(said)
                await market.until(lambda: market.session)

    asyncio.run(scenario())


def test_channels_and_symbols_are_bounded() -> None:
    async def scenario() -> None:
        async with feed_of(ScriptedMarket()) as feed:
            with pytest.raises(BrokerUnavailable):
                await feed.subscribe("secrets", ["AAPL"])
            await feed.subscribe("bars", [f"S{number}" for number in range(SYMBOLS_MAX)])
            with pytest.raises(BrokerUnavailable):
                await feed.subscribe("bars", ["ONE"])

    asyncio.run(scenario())
