"""Alpaca's stock and crypto streams as one feed: a symbol with a slash is a crypto pair.

The crypto stream is connected to when the first pair is asked for. Each stream tells its own
heartbeat, so that the silence of one is not covered by the other.
"""

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from msgspec import structs

from fuseboard.feeds.alpaca import AlpacaFeed, AlpacaFeedOptions
from fuseboard.vocabulary.identifiers import CRYPTO_FEED, feed_of
from fuseboard.vocabulary.market_inputs import MarketFact
from fuseboard.wire.websocket_client import Died, StreamLimits

CRYPTO_PATH = "/v1beta3/crypto/us"


def crypto_url(stream_url: str) -> str:
    """The crypto stream beside a stock stream."""
    parts = urlsplit(stream_url)
    return urlunsplit((parts.scheme, parts.netloc, CRYPTO_PATH, "", ""))


class AlpacaFeeds:
    """Implements `vocabulary.doors.Feed`, and `subscribe` and `listen` for the gateway."""

    def __init__(
        self,
        options: AlpacaFeedOptions,
        limits: StreamLimits | None = None,
        died: Died | None = None,
    ) -> None:
        crypto = structs.replace(
            options,
            stream_url=crypto_url(options.stream_url),
            feed=CRYPTO_FEED,
            lacks=(),
            books=True,
        )
        self._stocks = AlpacaFeed(options, limits, died)
        self._crypto = AlpacaFeed(crypto, limits, died)
        self._deliver: Callable[[MarketFact], None] | None = None
        self._crypto_wanted = self._crypto_started = False

    async def start(self, deliver: Callable[[MarketFact], None]) -> None:
        """Connect and deliver until `stop`, reconnecting for ever."""
        self._deliver = deliver
        await self._stocks.start(deliver)
        await self._start_crypto()

    async def stop(self) -> None:
        """Close every connection."""
        self._deliver = None
        await self._stocks.stop()
        await self._crypto.stop()

    async def watch(self, symbol: str) -> None:
        """As `AlpacaFeed.watch`, on the symbol's own stream."""
        await (await self._of(symbol)).watch(symbol)

    async def subscribe(self, channel: str, symbols: Sequence[str]) -> None:
        """As `AlpacaFeed.subscribe`, each symbol on its own stream."""
        pairs = [symbol for symbol in symbols if feed_of(symbol) == CRYPTO_FEED]
        stocks = [symbol for symbol in symbols if feed_of(symbol) != CRYPTO_FEED]
        if stocks or not pairs:
            await self._stocks.subscribe(channel, stocks)
        if pairs:
            await (await self._of(pairs[0])).subscribe(channel, pairs)

    def tell_books(self, wanted: bool) -> None:
        """As `AlpacaFeed.tell_books`, of both streams."""
        self._stocks.tell_books(wanted)
        self._crypto.tell_books(wanted)

    def listen(self, callback: Callable[[list[dict[str, Any]]], None]) -> None:
        """Call back with the market data of each frame of either stream."""
        self._stocks.listen(callback)
        self._crypto.listen(callback)

    async def _of(self, symbol: str) -> AlpacaFeed:
        if feed_of(symbol) != CRYPTO_FEED:
            return self._stocks
        self._crypto_wanted = True
        await self._start_crypto()
        return self._crypto

    async def _start_crypto(self) -> None:
        if self._crypto_wanted and not self._crypto_started and self._deliver is not None:
            self._crypto_started = True
            await self._crypto.start(self._deliver)
