"""Order books of the stream: full ones and changes, and what becomes of one that is doubted."""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuseboard.feeds import alpaca
from fuseboard.feeds.alpaca import AlpacaFeed, AlpacaFeedOptions
from fuseboard.feeds.alpaca_books import (
    LEVELS_A_MESSAGE_MAX,
    LEVELS_KEPT_MAX,
    RENEWALS_MAX,
    Books,
)
from fuseboard.vocabulary.doors import BrokerUnavailable
from fuseboard.vocabulary.market_inputs import BookSeen, TradeSeen
from fuseboard.vocabulary.money import NANOS
from fuseboard.wire.alpaca import book_message, decoded_messages, encoded_messages
from fuseboard.wire.http_server import HttpServer
from tests.feeds.test_alpaca_feed import NOW_NS, QUICK, TRADE, ScriptedMarket, prices_into

Levels = tuple[tuple[int, int], ...]


def told(bids: Levels, asks: Levels, *, full: bool = False, at_ns: int = NOW_NS) -> dict[str, Any]:
    """A message of prices in dollars and sizes in whole ones, as it comes off the wire."""
    message = book_message(
        "BTC/USD",
        bids=[(price * NANOS, size * NANOS) for price, size in bids],
        asks=[(price * NANOS, size * NANOS) for price, size in asks],
        at_ns=at_ns,
        full=full,
    )
    (decoded,) = decoded_messages(encoded_messages([message], as_msgpack=True))
    return decoded


def shown(seen: BookSeen | None) -> tuple[Levels, Levels] | None:
    if seen is None:
        return None
    bids, asks = (
        tuple((price // NANOS, size // NANOS) for price, size in side)
        for side in (seen.bids, seen.asks)
    )
    return bids, asks


FULL = told(((9, 5), (8, 6), (7, 7)), ((11, 5), (12, 6)), full=True)


def test_a_full_book_then_its_changes_best_first() -> None:
    books = Books()
    assert books.take(told(((9, 1),), ())) is None
    assert shown(books.take(FULL)) == (((9, 5), (8, 6), (7, 7)), ((11, 5), (12, 6)))
    changed = books.take(told(((9, 0), (6, 1)), ((10, 2), (12, 9), (13, 0))))
    assert shown(changed) == (((8, 6), (7, 7), (6, 1)), ((10, 2), (11, 5), (12, 9)))
    assert shown(books.take(told((), ((50, 1),), full=True))) == ((), ((50, 1),))


def test_ten_levels_are_told_and_a_message_may_have_more_in_any_order() -> None:
    many = tuple((price, price) for price in range(1, 40))
    seen = shown(Books().take(told(many, (), full=True)))
    assert seen is not None
    assert seen[0] == tuple((price, price) for price in range(39, 29, -1))


def test_json_and_msgpack_say_the_same_to_the_last_decimal() -> None:
    levels = [{"p": Decimal("27511.78083"), "s": Decimal("0.26265668")}]
    message = {"T": "o", "S": "BTC/USD", "t": NOW_NS, "b": levels, "a": levels, "r": True}
    seen = []
    for as_msgpack in (True, False):
        (decoded,) = decoded_messages(encoded_messages([message], as_msgpack=as_msgpack))
        seen.append(Books().take(decoded))
    assert seen[0] == seen[1]
    assert seen[0] is not None
    assert seen[0].bids == ((27_511_780_830_000, 262_656_680),)


@pytest.mark.parametrize(
    "changes",
    [
        {"b": [{"p": "NaN", "s": 1}]},
        {"b": [{"p": -1, "s": 1}]},
        {"b": [{"p": 0, "s": 1}]},
        {"b": [{"p": 1, "s": -1}]},
        {"b": [{"p": 1, "s": True}]},
        {"b": [{"p": 1.5, "s": 1}]},
        {"b": [{"p": 1}]},
        {"a": [[1, 2]]},
        {"a": {"p": 1, "s": 1}},
        {"a": "all"},
        {"r": "yes"},
        {"r": 1},
        {"t": None},
        {"t": NOW_NS - 1},
        {"S": ["BTC/USD"]},
        {"b": [{"p": 1, "s": 1}] * (LEVELS_A_MESSAGE_MAX + 1)},
    ],
)
def test_a_book_that_makes_no_sense_is_refused_and_forgotten(changes: dict[str, Any]) -> None:
    books = Books()
    books.take(FULL)
    with pytest.raises((ValueError, KeyError)):
        books.take({**told((), ()), **changes})
    if "S" in changes:  # of no symbol: no book came to be doubted
        assert books.doubted() == []
        return
    assert books.take(told((), ())) is None
    assert books.doubted() == ["BTC/USD"]
    assert books.doubted() == []
    assert books.take(FULL) is not None


def test_a_message_without_a_time_is_refused() -> None:
    with pytest.raises(KeyError):
        Books().take({key: value for key, value in FULL.items() if key != "t"})


def test_a_book_is_asked_for_anew_so_often_within_one_connection() -> None:
    books = Books()
    for _ in range(RENEWALS_MAX + 3):
        with pytest.raises(ValueError, match="NaN"):
            books.take({**FULL, "b": [{"p": "NaN", "s": 1}]})
        books.doubted()
    with pytest.raises(ValueError, match="NaN"):
        books.take({**FULL, "b": [{"p": "NaN", "s": 1}]})
    assert books.doubted() == []
    books.forget()
    with pytest.raises(ValueError, match="NaN"):
        books.take({**FULL, "b": [{"p": "NaN", "s": 1}]})
    assert books.doubted() == ["BTC/USD"]


def test_a_book_keeps_its_best_levels_when_it_outgrows_its_bound() -> None:
    books = Books()
    books.take(told(((1, 1),), (), full=True))
    for start in range(2, 2 * LEVELS_KEPT_MAX, 500):
        levels = tuple((price, 1) for price in range(start, start + 500))
        seen = shown(books.take(told(levels, ())))
        assert seen is not None
        assert seen[0][0] == levels[-1]
        assert len(books._books["BTC/USD"].bids) <= LEVELS_KEPT_MAX


sides = st.lists(st.tuples(st.integers(1, 14), st.integers(0, 3)), max_size=12)


@given(st.lists(st.tuples(st.booleans(), sides, sides), max_size=12))
def test_what_is_told_is_what_a_plain_map_says(messages: list[tuple[bool, Any, Any]]) -> None:
    books = Books()
    plain: tuple[dict[int, int], dict[int, int]] | None = None
    for full, bids, asks in messages:
        if full:
            plain = ({}, {})
        if plain is not None:
            for side, levels in zip(plain, (bids, asks), strict=True):
                side.update(levels)
        seen = shown(books.take(told(tuple(bids), tuple(asks), full=full)))
        if plain is None:
            assert seen is None
            continue
        standing = [sorted((p, s) for p, s in side.items() if s) for side in plain]
        assert seen == (tuple(standing[0][::-1][:10]), tuple(standing[1][:10]))


def run(scenario: Callable[[ScriptedMarket, AlpacaFeed, list[Any]], Any], books: bool) -> None:
    async def whole() -> None:
        market, seen = ScriptedMarket(), list[Any]()
        server = HttpServer(market.handle, market.stream)
        port = await server.start("127.0.0.1", 0)
        feed = AlpacaFeed(
            AlpacaFeedOptions(
                stream_url=f"ws://127.0.0.1:{port}/v1beta3/crypto/us",
                data_url=f"http://127.0.0.1:{port}",
                key_id="key",
                secret="secret",
                feed="crypto",
                books=books,
            ),
            QUICK,
        )
        try:
            await feed.start(prices_into(seen, market))
            await feed.watch("BTC/USD")
            await market.until(lambda: market.session and market.subscribed)
            await scenario(market, feed, seen)
        finally:
            await feed.stop()
            await server.stop()

    asyncio.run(whole())


def asked_for_books(market: ScriptedMarket) -> list[dict[str, Any]]:
    return [said for said in market.subscribed if "orderbooks" in said]


def test_books_are_asked_for_apart_and_a_loss_forgets_them() -> None:
    async def scenario(market: ScriptedMarket, feed: AlpacaFeed, seen: list[Any]) -> None:
        await feed.subscribe("orderbooks", ["ETH/USD"])
        await market.until(lambda: len(asked_for_books(market)) == 2)
        alone = [{"action": "subscribe", "orderbooks": [pair]} for pair in ("BTC/USD", "ETH/USD")]
        assert asked_for_books(market) == alone
        market.say(market.session, FULL, {**FULL, "S": "ETH/USD"})
        await market.until(lambda: seen)
        market.subscribed.clear()
        assert market.session is not None
        lost, market.session = market.session, None
        lost.abort()
        await market.until(lambda: len(asked_for_books(market)) == 2)
        assert asked_for_books(market) == alone
        market.say(market.session, told(((9, 0),), ()), {**TRADE, "S": "BTC/USD"})
        await market.until(lambda: len(seen) == 2)
        assert [type(fact) for fact in seen] == [BookSeen, TradeSeen]

    run(scenario, books=True)


def test_a_broken_book_never_ends_the_stream_and_is_asked_for_anew() -> None:
    async def scenario(market: ScriptedMarket, feed: AlpacaFeed, seen: list[Any]) -> None:
        await market.until(lambda: asked_for_books(market))
        broken = {**FULL, "b": [["x"]]}
        market.say(market.session, FULL, broken, {**FULL, "S": [1]}, {"T": ["o"]}, {"S": {}})
        market.say(market.session, told(((9, 0),), ()), {**TRADE, "S": "BTC/USD"})
        await market.until(lambda: len(asked_for_books(market)) == 3)
        assert [type(fact) for fact in seen] == [BookSeen, TradeSeen]
        assert asked_for_books(market)[1]["action"] == "unsubscribe"
        assert asked_for_books(market)[2]["action"] == "subscribe"
        assert (feed.counts.refused, feed.counts.connections) == (4, 1)

    run(scenario, books=True)


def test_books_that_nobody_measures_are_neither_asked_for_nor_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(alpaca, "BEAT_S", 0.02)

    async def scenario(market: ScriptedMarket, feed: AlpacaFeed, seen: list[Any]) -> None:
        await market.until(lambda: asked_for_books(market))
        feed.tell_books(False)
        await feed.watch("ETH/USD")
        market.say(market.session, FULL, {**TRADE, "S": "BTC/USD"})
        await market.until(lambda: any("ETH/USD" in str(said) for said in market.subscribed))
        await market.until(lambda: seen)
        assert [type(fact) for fact in seen] == [TradeSeen]
        assert len(asked_for_books(market)) == 1
        feed.tell_books(True)
        await market.until(lambda: len(asked_for_books(market)) == 2)
        assert asked_for_books(market)[1] == {"action": "subscribe", "orderbooks": ["ETH/USD"]}
        market.say(market.session, told(((9, 0),), ()))
        await market.until(lambda: len(seen) == 2)
        assert shown(seen[1]) == (((8, 6), (7, 7)), ((11, 5), (12, 6)))
        assert len(asked_for_books(market)) == 2

    run(scenario, books=True)


def test_a_stream_without_books_is_not_asked_for_them() -> None:
    async def scenario(market: ScriptedMarket, feed: AlpacaFeed, seen: list[Any]) -> None:
        feed.tell_books(True)
        await feed.watch("ETH/USD")
        with pytest.raises(BrokerUnavailable):
            await feed.subscribe("orderbooks", ["BTC/USD"])
        await market.until(lambda: any("trades" in said for said in market.subscribed))
        assert asked_for_books(market) == []

    run(scenario, books=False)
