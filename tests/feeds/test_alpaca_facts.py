"""Statuses, bands, corrections and cancels become facts; a feed says that it is alive."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from fuseboard.exchange.halts import Halts
from fuseboard.exchange.ledger import TradingStatus
from fuseboard.feeds import alpaca
from fuseboard.feeds.alpaca_both import AlpacaFeeds, crypto_url
from fuseboard.feeds.alpaca_facts import fact_of
from fuseboard.vocabulary.market_inputs import (
    FeedHeard,
    MarketFact,
    QuoteSeen,
    TradeSeen,
    TradeWithdrawn,
    TradingHalted,
    TradingResumed,
)
from fuseboard.vocabulary.money import NANOS
from fuseboard.wire.alpaca import status_message
from tests.feeds.test_alpaca_feed import (
    NOW_NS,
    QUOTE,
    TRADE,
    TRADE_SEEN,
    ScriptedMarket,
    feed_of,
    prices_into,
)


def status(code: str, reason: str = "") -> MarketFact | None:
    return fact_of(status_message("AAPL", status=code, reason=reason, at_ns=NOW_NS))


@pytest.mark.parametrize(
    ("code", "reason", "level"),
    [
        ("H", "T1", 0),
        ("P", "LUDP", 0),
        ("2", "M", 0),
        ("H", "MWC1", 1),
        ("2", "2", 2),
        ("H", "MWC3", 3),
        ("1", "", 0),
        ("4", "", 0),
        ("?", "", 0),  # no plan has it: unknown is not safe
        ("", "", 0),
    ],
)
def test_halts_of_both_plans_and_unknown_codes_halt(code: str, reason: str, level: int) -> None:
    said = f"{code} {reason}".strip()
    assert status(code, reason) == TradingHalted(
        symbol="AAPL", code=said, event_ns=NOW_NS, level=level
    )


@pytest.mark.parametrize(("code", "reason"), [("T", "LUDP"), ("3", "M"), ("T", "MWCQ")])
def test_resumptions_of_both_plans_resume(code: str, reason: str) -> None:
    expected = TradingResumed(symbol="AAPL", code=f"{code} {reason}", event_ns=NOW_NS)
    assert status(code, reason) == expected


@pytest.mark.parametrize("code", "56789ABCDEFQ")
def test_information_neither_halts_nor_resumes(code: str) -> None:
    assert status(code) is None


def test_a_band_halts_when_it_is_suspended_and_never_resumes() -> None:
    band = {"T": "l", "S": "AAPL", "u": 3.24, "d": 2.65, "t": NOW_NS, "z": "C"}
    assert fact_of({**band, "i": "D"}) == TradingHalted(
        symbol="AAPL", code="LULD D", event_ns=NOW_NS
    )
    for indicator in ("A", "B", "E", "", None):
        assert fact_of({**band, "i": indicator}) is None


def test_the_halts_of_our_exchange_are_read_as_what_they_are() -> None:
    entries: list[Any] = []
    halts = Halts(("AAPL", "PG"), lambda kind, **fields: entries.append((kind, fields)))
    (pause,) = halts.halt(1, "AAPL")
    market = halts.halt(2, "", level=1)
    resumed = halts.resume(3, "")
    told = [pause, *market, *resumed]
    facts = [
        fact_of(status_message(t.symbol, status=t.status, reason=t.reason, at_ns=t.at_ns))
        for t in told
    ]
    levels = [fact.level for fact in facts if isinstance(fact, TradingHalted)]
    assert levels == [0, 1, 1]
    assert [type(fact) for fact in facts[3:]] == [TradingResumed] * 2
    assert [kind for kind, _ in entries] == [TradingStatus] * 5
    assert not halts.stops("AAPL")


def test_a_correction_and_a_cancel_take_a_trade_back() -> None:
    correction = {"T": "c", "S": "AAPL", "oi": 7, "op": 250, "os": 1, "ci": 8}
    assert fact_of({**correction, "cp": Decimal("249.5"), "t": NOW_NS}) == TradeWithdrawn(
        symbol="AAPL",
        price_nanos=250 * NANOS,
        event_ns=NOW_NS,
        corrected_nanos=NANOS * 499 // 2,
    )
    cancel = {"T": "x", "S": "AAPL", "i": 7, "p": 250, "s": 1, "a": "C", "t": NOW_NS}
    assert fact_of(cancel) == TradeWithdrawn(
        symbol="AAPL", price_nanos=250 * NANOS, event_ns=NOW_NS
    )


@pytest.mark.parametrize("nonsense", [{"T": "s", "S": "A"}, {"T": "s", "sc": "H", "t": 1}])
def test_a_status_that_makes_no_sense_is_refused(nonsense: dict[str, Any]) -> None:
    with pytest.raises((KeyError, ValueError)):
        fact_of(nonsense)


def test_statuses_of_watched_symbols_are_subscribed_and_delivered() -> None:
    market = ScriptedMarket()
    seen: list[Any] = []

    async def scenario() -> None:
        async with feed_of(market) as feed:
            await feed.start(prices_into(seen, market))
            await market.until(lambda: market.session)
            await feed.watch("AAPL")
            await market.until(lambda: any("lulds" in said for said in market.subscribed))
            assert any(said.get("statuses") == ["AAPL"] for said in market.subscribed)
            market.say(
                market.session,
                status_message("AAPL", status="P", reason="LUDP", at_ns=1),
                status_message("MSFT", status="P", reason="LUDP", at_ns=2),
                status_message("AAPL", status="T", reason="LUDP", at_ns=3),
            )
            await market.until(lambda: len(seen) == 2)
            assert [type(fact) for fact in seen] == [TradingHalted, TradingResumed]

    asyncio.run(scenario())


def test_a_feed_is_heard_while_it_is_connected_though_nothing_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(alpaca, "BEAT_S", 0.02)
    market = ScriptedMarket()
    beats: list[FeedHeard] = []

    def deliver(fact: MarketFact) -> None:
        assert isinstance(fact, FeedHeard)
        beats.append(fact)
        market.changed.set()

    async def scenario() -> None:
        async with feed_of(market) as feed:
            await feed.start(deliver)
            await market.until(lambda: len(beats) >= 4)  # only pongs came
            assert set(beats) == {FeedHeard(feed="stocks")}
            assert market.session is not None
            market.refuse = True
            market.session.abort()
            await asyncio.sleep(0.1)
            silent = len(beats)
            await asyncio.sleep(0.2)
            assert len(beats) == silent, "a feed that is lost is not heard"

    asyncio.run(scenario())


def test_crypto_pairs_have_their_own_stream_from_the_first_pair_on() -> None:
    assert crypto_url("wss://stream.data.alpaca.markets/v2/iex") == (
        "wss://stream.data.alpaca.markets/v1beta3/crypto/us"
    )
    market = ScriptedMarket()
    paths: list[str] = []
    facts: list[MarketFact] = []
    plain = market.stream

    async def stream(session: Any) -> None:
        paths.append(session.path)
        await plain(session)

    market.stream = stream  # type: ignore[method-assign]

    def deliver(fact: MarketFact) -> None:
        facts.append(fact)
        market.changed.set()

    async def scenario() -> None:
        async with feed_of(market, AlpacaFeeds) as feed:
            await feed.start(deliver)
            await market.until(lambda: market.session)
            await feed.watch("AAPL")
            assert paths == ["/v2/iex"]
            market.session = None
            await feed.subscribe("statuses", ["BTC/USD"])
            await feed.watch("BTC/USD")
            await market.until(lambda: market.session)
            assert paths == ["/v2/iex", "/v1beta3/crypto/us"]
            await market.until(lambda: "orderbooks" in market.subscribed[-1])
            assert market.subscribed[-1] == {"action": "subscribe", "orderbooks": ["BTC/USD"]}
            assert any(said.get("trades") == ["BTC/USD"] for said in market.subscribed)
            assert "BTC/USD" not in str([s.get("statuses") for s in market.subscribed])
            market.say(market.session, {**QUOTE, "S": "BTC/USD"}, {**TRADE, "S": "BTC/USD"})
            await market.until(lambda: sum(isinstance(f, TradeSeen) for f in facts) == 1)
            assert FeedHeard(feed="crypto") in facts
            assert [f.symbol for f in facts if isinstance(f, QuoteSeen)] == ["BTC/USD"]
            assert TRADE_SEEN not in facts

    asyncio.run(scenario())
