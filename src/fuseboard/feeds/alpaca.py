"""One of Alpaca's data streams behind the `Feed` door: one upstream connection, fanned out.

Each frame goes two ways: quotes, trades, their cancels and corrections, and trading statuses of
watched symbols become facts, and the messages as decoded go to whoever listens (the gateway, for
strategies' own data streams). Once a second the feed says that it is alive, if it is.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final
from urllib.parse import quote

import msgspec
from msgspec import Struct
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from fuseboard.feeds.alpaca_books import Books
from fuseboard.feeds.alpaca_facts import KINDS, Message, fact_of, quote_of
from fuseboard.vocabulary.doors import BrokerUnavailable, Throttled
from fuseboard.vocabulary.identifiers import STOCKS_FEED, feed_of
from fuseboard.vocabulary.market_inputs import BookSeen, FeedHeard, MarketFact
from fuseboard.wire.alpaca_stream import (
    MSGPACK_CONTENT_TYPE,
    StreamMalformed,
    decoded_messages,
)
from fuseboard.wire.alpaca_values import decoded_json
from fuseboard.wire.http_client import AnswerLost, HttpClient, NotWritten
from fuseboard.wire.websocket_client import (
    Died,
    StreamLimits,
    StreamRefused,
    StreamTask,
    kept_connected,
)

CHANNELS = frozenset(
    {
        "trades",
        "quotes",
        "bars",
        "updatedBars",
        "dailyBars",
        "statuses",
        "lulds",
        "corrections",
        "orderbooks",
    }
)
BOOKS: Final = "orderbooks"
SYMBOLS_MAX = 10_000
STOCK_CHANNELS = frozenset({"statuses", "lulds", "corrections"})
"""What only the stock stream has. Cancels and corrections of trades come with the trades."""
BEAT_S = 1.0
"""How often a feed that was heard says so; one that said nothing is pinged as often."""
_CONTROL = frozenset({"success", "error", "subscription"})
_REFUSALS = frozenset({401, 402, 403, 404, 406, 409})
"""Codes of the stream after which this connection carries nothing."""
logger = logging.getLogger(__name__)


class AlpacaFeedOptions(Struct, frozen=True, kw_only=True):
    """Where the data stream (`ws://host/v2/iex`) and the data REST are, and the key to both."""

    stream_url: str
    data_url: str
    key_id: str
    secret: str
    timeout_s: float = 5.0
    feed: str = STOCKS_FEED
    real_time: bool = True
    """Whether the times of its messages are the present, and no tape's."""
    lacks: tuple[str, ...] = ()
    """What it does not give: words of `vocabulary.market_inputs.LACKS`."""
    books: bool = False
    """Whether it has order books: Alpaca's crypto stream and the simulated exchange do."""

    def __repr__(self) -> str:
        return f"AlpacaFeedOptions(stream_url={self.stream_url!r}, data_url={self.data_url!r})"


class FeedCounts(Struct):
    """What the feed has seen since it began."""

    frames: int = 0
    facts: int = 0
    refused: int = 0
    """Messages whose shape, numbers or times made no sense; none of them became a fact."""
    connections: int = 0


class AlpacaFeed:
    """Implements `vocabulary.doors.Feed`, and `subscribe` and `listen` for the gateway."""

    def __init__(
        self,
        options: AlpacaFeedOptions,
        limits: StreamLimits | None = None,
        died: Died | None = None,
    ) -> None:
        self._options = options
        self._limits = limits or StreamLimits()
        self._client = HttpClient(options.data_url)
        self._wanted: dict[str, dict[str, None]] = {"quotes": {}, "trades": {}}
        self._watched: set[str] = set()
        self._latest_seen: set[str] = set()
        self._listeners: list[Callable[[list[dict[str, Any]]], None]] = []
        self._books = Books()
        self._tells_books = options.books
        self._connection: ClientConnection | None = None
        self._deliver: Callable[[MarketFact], None]
        self._task = StreamTask(f"the data stream {options.feed}", died)
        self.counts = FeedCounts()

    async def start(self, deliver: Callable[[MarketFact], None]) -> None:
        """Connect and deliver until `stop`, reconnecting for ever."""
        self._deliver = deliver
        self._task.start(
            kept_connected(
                self._options.stream_url,
                self._session,
                lost=self._lost,
                headers={"Content-Type": MSGPACK_CONTENT_TYPE},
                limits=self._limits,
            )
        )

    async def stop(self) -> None:
        """Close every connection; raises as `StreamTask.stop`."""
        await self._task.stop()
        await self._client.close()

    async def watch(self, symbol: str) -> None:
        """Subscribe, and deliver the latest quote once if there is one. Idempotent.

        Raises `BrokerUnavailable` or `Throttled` when the latest quote could not be read.
        """
        self._watched.add(symbol)
        await self.subscribe("quotes", [symbol])
        await self.subscribe("trades", [symbol])
        await self.subscribe("statuses", [symbol])
        await self.subscribe("lulds", [symbol])
        if self._tells_books:
            await self.subscribe(BOOKS, [symbol])
        if symbol in self._latest_seen:
            return
        latest = await self._latest_quote(symbol)
        self._latest_seen.add(symbol)
        if latest is not None:
            self._take({**latest, "T": "q", "S": symbol}, partial(quote_of, standing=True))

    async def subscribe(self, channel: str, symbols: Sequence[str]) -> None:
        """Have the upstream connection carry a channel of these symbols, now and after each
        reconnection. Raises `BrokerUnavailable` for an unknown channel or too many symbols.
        """
        if channel not in CHANNELS or (channel == BOOKS and not self._options.books):
            raise BrokerUnavailable(f"the data stream has no channel {channel[:20]!r}")
        if channel in STOCK_CHANNELS and self._options.feed != STOCKS_FEED:
            return
        wanted = self._wanted.setdefault(channel, {})
        fresh = [symbol for symbol in symbols if symbol not in wanted]
        if len(wanted) + len(fresh) > SYMBOLS_MAX:
            raise BrokerUnavailable(f"more than {SYMBOLS_MAX} symbols in {channel}")
        wanted |= dict.fromkeys(fresh)
        if fresh and self._connection is not None:
            with suppress(ConnectionClosed):  # The next connection subscribes to all of it.
                await _subscribe(self._connection, {channel: fresh})

    def tell_books(self, wanted: bool) -> None:
        """Whether books are asked for and delivered, where there are any: at first they are.

        Those of symbols that are watched already are asked for with the next beat.
        """
        self._tells_books = wanted and self._options.books

    def listen(self, callback: Callable[[list[dict[str, Any]]], None]) -> None:
        """Call back with the market data of each frame, as `decoded_messages` gives it."""
        self._listeners.append(callback)

    # --- the upstream connection -----------------------------------------------------------------

    async def _session(self, connection: ClientConnection, settled: Callable[[], None]) -> None:
        options = self._options
        async with asyncio.timeout(self._limits.open_s_max):
            await self._expect(connection, "connected")
            await _send(
                connection, {"action": "auth", "key": options.key_id, "secret": options.secret}
            )
            await self._expect(connection, "authenticated")
            channels = {name: list(wanted) for name, wanted in self._wanted.items() if wanted}
            self._connection = connection
            await _subscribe(connection, channels)
        settled()
        self.counts.connections += 1
        self._heard()
        beating = asyncio.create_task(self._beat(connection))
        try:
            async for frame in connection:
                self._take_frame(_messages(frame))
        finally:
            beating.cancel()

    async def _beat(self, connection: ClientConnection) -> None:
        """Say each second that the feed is alive: it spoke, or it answered a ping; and ask for
        books that came to be wanted or doubted.

        While a ping is unanswered nothing is said; a connection that is gone ends the session.
        """
        frames = self.counts.frames
        with suppress(ConnectionClosed):
            while True:
                await asyncio.sleep(BEAT_S)
                if self.counts.frames == frames:
                    await (await connection.ping())
                frames = self.counts.frames
                self._heard()
                if self._tells_books:
                    with suppress(BrokerUnavailable):  # One too many stays without levels.
                        await self.subscribe(BOOKS, sorted(self._watched))
                for symbol in self._books.doubted():
                    await _send(connection, {"action": "unsubscribe", BOOKS: [symbol]})
                    await _subscribe(connection, {BOOKS: [symbol]})

    def _heard(self) -> None:
        options = self._options
        heard = FeedHeard(feed=options.feed, real_time=options.real_time, lacks=options.lacks)
        self._deliver(heard)

    async def _expect(self, connection: ClientConnection, word: str) -> None:
        messages = _messages(await connection.recv())
        if not any(m.get("T") == "success" and m.get("msg") == word for m in messages):
            raise StreamRefused(f"the data stream did not say {word!r} but {str(messages)[:200]}")

    def _lost(self) -> None:
        self._connection = None
        self._books.forget()

    def _take_frame(self, messages: list[dict[str, Any]]) -> None:
        self.counts.frames += 1
        market = []
        for message in messages:
            kind = message.get("T")
            if not isinstance(kind, str) or not isinstance(message.get("S", ""), str):
                self._refuse(message)
            elif kind in _CONTROL:
                _control(message)
            else:
                market.append(message)
                if message.get("S") not in self._watched:
                    continue
                if kind == "o":
                    self._take(message, self._book_of)
                elif kind in KINDS:
                    self._take(message, fact_of)
        if market:
            for listener in self._listeners:
                listener(market)

    def _book_of(self, message: Message) -> BookSeen | None:
        """Every book is followed, for who subscribed to it may not be the one who wants it told."""
        book = self._books.take(message)
        return book if self._tells_books else None

    def _take(self, message: Message, read: Callable[[Message], MarketFact | None]) -> None:
        """Deliver what a message says; one that makes no sense is counted and dropped, so that the
        data grows stale rather than wrong.
        """
        try:
            fact = read(message)
        except (KeyError, ValueError) as wrong:
            self._refuse(wrong)
            return
        if fact is not None:
            self.counts.facts += 1
            self._deliver(fact)

    def _refuse(self, wrong: object) -> None:
        self.counts.refused += 1
        if self.counts.refused.bit_count() == 1:  # Said at 1, 2, 4, 8, ... so never a flood.
            said = repr(wrong)[:200]
            logger.warning("%d market data refused: %s", self.counts.refused, said)

    # --- the data REST ---------------------------------------------------------------------------

    async def _latest_quote(self, symbol: str) -> dict[str, Any] | None:
        name = quote(symbol, safe="")
        crypto = feed_of(symbol) != STOCKS_FEED
        path = "/v1beta3/crypto/us/latest/quotes" if crypto else "/v2/stocks/quotes/latest"
        headers = {
            "APCA-API-KEY-ID": self._options.key_id,
            "APCA-API-SECRET-KEY": self._options.secret,
        }
        try:
            answer = await self._client.request(
                "GET", f"{path}?symbols={name}", headers, timeout_s=self._options.timeout_s
            )
        except (NotWritten, AnswerLost) as failure:
            raise BrokerUnavailable(str(failure)) from failure
        if answer.status == 429:
            raise Throttled(None)
        if answer.status in {400, 404, 422}:
            return None  # The symbol is unknown there: there is no quote.
        try:
            decoded = decoded_json(answer.body) if answer.status == 200 else None
        except (msgspec.DecodeError, UnicodeDecodeError) as wrong:
            raise BrokerUnavailable(f"the latest quote cannot be read: {wrong}") from wrong
        quotes = decoded.get("quotes") if isinstance(decoded, dict) else None
        if not isinstance(quotes, dict):
            raise BrokerUnavailable(f"the latest quote was answered with {answer.status}")
        found = quotes.get(symbol)
        return found if isinstance(found, dict) else None


def _control(message: dict[str, Any]) -> None:
    if message["T"] != "error":
        return
    code = message.get("code")
    if isinstance(code, int) and code in _REFUSALS:
        raise StreamRefused(f"the data stream says {str(message)[:200]}")
    logger.error("the data stream says %s", str(message)[:200])


def _messages(frame: bytes | str) -> list[dict[str, Any]]:
    try:
        return decoded_messages(frame)
    except StreamMalformed as wrong:
        raise StreamRefused(str(wrong)) from wrong


async def _subscribe(connection: ClientConnection, channels: dict[str, list[str]]) -> None:
    """Subscribe to channels; to each book by itself, since a plan that has fewer refuses a whole
    command.
    """
    others = {channel: symbols for channel, symbols in channels.items() if channel != BOOKS}
    if others:
        await _send(connection, {"action": "subscribe", **others})
    for symbol in channels.get(BOOKS, ()):
        await _send(connection, {"action": "subscribe", BOOKS: [symbol]})


async def _send(connection: ClientConnection, command: dict[str, Any]) -> None:
    await connection.send(msgspec.msgpack.encode(command))
