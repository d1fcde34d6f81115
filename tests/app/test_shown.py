"""What a broker and a market say is shown to the gateway and delivered to the node, both whole."""

import asyncio

import pytest

from fuseboard.app.shown import ShownBroker, ShownFeed
from fuseboard.exchange.direct import DirectBroker, DirectFeed
from fuseboard.feeds.tapes.tape import TapeTrade
from fuseboard.vocabulary.doors import BrokerFact, BrokerUnavailable
from fuseboard.vocabulary.effects import CancelOrder, FindOrder, ReadLeg
from fuseboard.vocabulary.inputs import (
    AccountSeen,
    CancelRefused,
    OrderNotSent,
    OrderSent,
    PositionsSeen,
)
from fuseboard.vocabulary.market_inputs import MarketFact
from tests.exchange.test_direct import INSTANCE, order
from tests.exchange.worlds import World

Shown = AccountSeen | PositionsSeen | MarketFact


def test_a_feeds_facts_are_shown_before_they_are_delivered() -> None:
    seen: list[tuple[str, Shown]] = []
    feed = DirectFeed()
    shown = ShownFeed(feed, lambda fact: seen.append(("shown", fact)))

    async def run() -> None:
        await shown.start(lambda fact: seen.append(("delivered", fact)))
        await shown.watch("AAPL")
        feed.show_trade(TapeTrade(symbol="AAPL", at_ns=1, price_nanos=2, size_nanos=3))
        await shown.stop()
        feed.show_trade(TapeTrade(symbol="AAPL", at_ns=2, price_nanos=2, size_nanos=3))

    asyncio.run(run())
    assert [who for who, _ in seen] == ["shown", "delivered"]
    assert seen[0][1] == seen[1][1]


def test_a_brokers_figures_are_shown_and_everything_else_passes_through() -> None:
    world = World()
    world.quote(9_990, 10_010)
    facts: list[BrokerFact] = []
    shown: list[Shown] = []
    broker = ShownBroker(DirectBroker(world.exchange, INSTANCE, lambda: world.now_ns), shown.append)

    async def run() -> None:
        await broker.start(facts.append)
        sent = await broker.submit(order("1"), lambda: True)
        assert isinstance(sent, OrderSent)
        assert isinstance(await broker.submit(order("2"), lambda: False), OrderNotSent)
        cancel = CancelOrder(order_id="1", broker_order_id=sent.broker_order_id)
        assert isinstance(await broker.cancel(cancel), CancelRefused)
        found = await broker.find(FindOrder(order_id="9", wire_id="fb-9", absent_after_ns=1))
        assert isinstance(found, OrderNotSent)
        leg = ReadLeg(trip="t", symbol="AAPL", attempt=1, order_id="9", wire_id="fb-9")
        assert getattr(await broker.read_leg(leg), "position_nanos", 0) > 0
        assert await broker.foreign_orders(lambda _wire: True) == []
        assert shown == []
        read = [await broker.account(), await broker.positions()]
        assert read == shown
        await broker.stop()

    asyncio.run(run())
    assert [type(at) for at in shown] == [AccountSeen, PositionsSeen]
    assert facts


def test_a_read_that_fails_is_not_shown() -> None:
    class Away(DirectBroker):
        async def account(self) -> AccountSeen:
            raise BrokerUnavailable("away")

    shown: list[Shown] = []
    broker = ShownBroker(Away(World().exchange, INSTANCE, lambda: 0), shown.append)
    with pytest.raises(BrokerUnavailable):
        asyncio.run(broker.account())
    assert shown == []
