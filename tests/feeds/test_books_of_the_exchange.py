"""From a tape with levels to the clip of an order: exchange, stream, feed, kernel."""

import asyncio
from typing import Any

from msgspec import structs

from fuseboard.exchange.clock import TapeClock
from fuseboard.exchange.config import config_for
from fuseboard.exchange.direct import DirectFeed
from fuseboard.exchange.face import Face
from fuseboard.exchange.running import RunningExchange
from fuseboard.feeds.alpaca import AlpacaFeed, AlpacaFeedOptions
from fuseboard.feeds.tapes.by_name import tape_by_name
from fuseboard.feeds.tapes.tape import Tape, TapeLevels, TapeQuote
from fuseboard.vocabulary.effects import Effect
from fuseboard.vocabulary.liquidity import Tier
from fuseboard.vocabulary.liquidity_effects import RecordShaping
from fuseboard.vocabulary.market_inputs import BookSeen, MarketFact, QuoteSeen
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Side
from tests.core.liquidity.market import LiquidDesk, of
from tests.core.liquidity.test_shaping import ask

PATIENCE_S = 20.0
CENT = NANOS // 100
GAP_NS = 1_000_000
BIDS = tuple(((24_999 - n) * CENT, 100 * NANOS) for n in range(12))
ASKS = tuple(((25_001 + n) * CENT, 20 * NANOS) for n in range(12))
CLIP_NANOS = 25 * NANOS
"""A quarter of the asks of the best five levels."""


def quote(number: int, bids: TapeLevels = BIDS, asks: TapeLevels = ASKS) -> TapeQuote:
    (bid, bid_size), (ask, ask_size) = BIDS[0], ASKS[0]
    return TapeQuote(
        symbol="AAPL",
        at_ns=TAPE.session.open_ns + number * GAP_NS,
        bid_nanos=bid,
        ask_nanos=ask,
        bid_size_nanos=bid_size,
        ask_size_nanos=ask_size,
        bids=bids,
        asks=asks,
    )


TAPE = tape_by_name("normal")
DEEP: Tape = structs.replace(TAPE, read=lambda: (quote(number) for number in range(100_000)))


def clipped(desk: LiquidDesk) -> list[RecordShaping]:
    effects: tuple[Effect, ...] = ask(desk, Side.BUY, 150)
    return of(effects, RecordShaping)


def test_an_order_is_clipped_to_the_levels_that_a_tape_shows_through_stream_and_feed() -> None:
    wall, desk, seen = [0], LiquidDesk().at(Tier.NORMAL), list[MarketFact]()
    clock = TapeClock(
        start_ns=TAPE.session.open_ns, speed_nanos=NANOS, monotonic_ns=lambda: wall[0]
    )
    running = RunningExchange(DEEP, config_for(DEEP), clock)
    face = Face(running, key_pairs={"key": "secret"}, requests_per_minute=100, seed=1)
    heard: list[dict[str, Any]] = []

    def deliver(fact: MarketFact) -> None:
        seen.append(fact)
        desk.take(fact)

    async def scenario() -> None:
        port = await face.server.start("127.0.0.1", 0)
        feed = AlpacaFeed(
            AlpacaFeedOptions(
                stream_url=f"ws://127.0.0.1:{port}/v2/iex",
                data_url=f"http://127.0.0.1:{port}",
                key_id="key",
                secret="secret",
                real_time=False,
                books=True,
            )
        )
        feed.listen(heard.extend)
        clock.start()
        await feed.start(deliver)
        await feed.watch("AAPL")
        async with asyncio.timeout(PATIENCE_S):
            while not any(isinstance(fact, BookSeen) for fact in seen):
                wall[0] += GAP_NS
                running.catch_up()
                await asyncio.sleep(0.005)
        await feed.stop()
        await face.server.stop()

    asyncio.run(scenario())
    (book, *_) = [fact for fact in seen if isinstance(fact, BookSeen)]
    assert (book.bids, book.asks) == (BIDS[:10], ASKS[:10])
    with_book = [fact for fact in seen if isinstance(fact, BookSeen | QuoteSeen)]
    assert isinstance(with_book[with_book.index(book) + 1], QuoteSeen), "the quote is part of it"
    (message, *_) = [each for each in heard if each["T"] == "o"]
    assert (message["r"], len(message["b"]), len(message["a"])) == (True, 10, 10)
    assert desk.tier() is Tier.NORMAL
    (shaping,) = clipped(desk)
    assert shaping.quantity_nanos == CLIP_NANOS


def test_a_feed_in_this_process_tells_the_book_before_its_quote_and_to_who_comes_later() -> None:
    desk, feed, seen = LiquidDesk().at(Tier.NORMAL), DirectFeed(), list[MarketFact]()

    async def scenario() -> None:
        await feed.start(seen.append)
        feed.show_quote(quote(1))
        await feed.watch("AAPL")
        feed.show_quote(quote(2))
        feed.show_quote(quote(3, bids=(), asks=()))

    asyncio.run(scenario())
    kinds = [BookSeen, QuoteSeen, BookSeen, QuoteSeen, QuoteSeen]
    assert [type(fact) for fact in seen] == kinds
    for fact in seen:
        desk.take(fact)
    (shaping,) = clipped(desk)
    assert shaping.quantity_nanos == CLIP_NANOS
