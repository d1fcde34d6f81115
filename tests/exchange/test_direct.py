"""The exchange in this process, behind the same two doors as a broker far away."""

import asyncio

from fuseboard.exchange.direct import _STATUS, DirectBroker, DirectFeed
from fuseboard.exchange.halts import StatusTold
from fuseboard.exchange.orders import Status, Ticket
from fuseboard.feeds.tapes.tape import TapeQuote, TapeTrade
from fuseboard.vocabulary.doors import BrokerFact
from fuseboard.vocabulary.effects import CancelOrder, FindOrder, ReadLeg, SubmitOrder
from fuseboard.vocabulary.identifiers import wire_id
from fuseboard.vocabulary.inputs import (
    BrokerStreamChanged,
    CancelRefused,
    FillReported,
    ForeignOrderSeen,
    OrderEnded,
    OrderNotSent,
    OrderSent,
    OrderWorking,
)
from fuseboard.vocabulary.market_inputs import (
    MarketFact,
    QuoteSeen,
    TradingHalted,
    TradingResumed,
)
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Intent, OrderStatus, OrderType, Side, TimeInForce
from fuseboard.vocabulary.reasons import Reason
from tests.exchange.worlds import World

INSTANCE = "abcd1234"


def order(
    name: str, *, side: Side = Side.BUY, shares: int = 10, limit: int | None = None
) -> SubmitOrder:
    return SubmitOrder(
        order_id=name,
        wire_id=wire_id(instance=INSTANCE, order_id=name),
        symbol="AAPL",
        side=side,
        order_type=OrderType.MARKET if limit is None else OrderType.LIMIT,
        time_in_force=TimeInForce.DAY,
        quantity_nanos=shares * NANOS,
        intent=Intent.OPEN,
        raises_exposure=True,
        halt_epoch=0,
        limit_price_nanos=None if limit is None else limit * NANOS,
    )


class Desk:
    """A broker in front of a world with one quote, and what it delivered."""

    def __init__(self) -> None:
        self.world = World()
        self.world.quote(9_990, 10_010)
        self.broker = DirectBroker(self.world.exchange, INSTANCE, lambda: self.world.now_ns)
        self.facts: list[BrokerFact] = []
        asyncio.run(self.broker.start(self.facts.append))

    def submit(self, wanted: SubmitOrder, *, allowed: bool = True) -> OrderSent | OrderNotSent:
        outcome = asyncio.run(self.broker.submit(wanted, lambda: allowed))
        assert isinstance(outcome, OrderSent | OrderNotSent)
        return outcome


def test_every_status_of_the_exchange_has_its_word() -> None:
    assert set(_STATUS) == set(Status)


def test_what_is_not_allowed_at_the_socket_never_reaches_the_book() -> None:
    desk = Desk()
    outcome = desk.submit(order("1"), allowed=False)
    assert outcome == OrderNotSent(order_id="1", reason=Reason.HALT_EPOCH)
    assert desk.world.exchange.orders() == []


def test_a_fill_is_delivered_as_the_broker_reports_it() -> None:
    desk = Desk()
    sent = desk.submit(order("1"))
    assert isinstance(sent, OrderSent)
    assert (sent.status, sent.filled_quantity_nanos) == (OrderStatus.FILLED, 10 * NANOS)
    assert desk.facts[0] == BrokerStreamChanged(connected=True)
    fills = [at for at in desk.facts if isinstance(at, FillReported)]
    assert [(at.order_id, at.quantity_nanos, at.final) for at in fills] == [("1", 10 * NANOS, True)]
    assert fills[0].price_nanos == 10_010 * NANOS // 100
    account = asyncio.run(desk.broker.account())
    assert account.cash_nanos == 10**15 - 1_001 * NANOS
    (held,) = asyncio.run(desk.broker.positions()).positions
    assert (held.symbol, held.quantity_nanos) == ("AAPL", 10 * NANOS)


def test_a_rejection_carries_the_brokers_words() -> None:
    desk = Desk()
    outcome = desk.submit(order("1", shares=10**9))
    assert isinstance(outcome, OrderNotSent)
    assert outcome.reason is Reason.BROKER_REJECTED
    assert outcome.http_status == 403
    assert "buying power" in outcome.message


def test_a_cancel_ends_the_order_once_and_a_second_is_refused() -> None:
    desk = Desk()
    sent = desk.submit(order("1", limit=50))
    assert isinstance(sent, OrderSent)
    cancel = CancelOrder(order_id="1", broker_order_id=sent.broker_order_id)
    assert asyncio.run(desk.broker.cancel(cancel)) is None
    ended = [at for at in desk.facts if isinstance(at, OrderEnded)]
    assert [(at.order_id, at.status) for at in ended] == [("1", OrderStatus.CANCELED)]
    assert any(isinstance(at, OrderWorking) for at in desk.facts)
    refused = asyncio.run(desk.broker.cancel(cancel))
    assert isinstance(refused, CancelRefused)
    assert refused.reason is Reason.ORDER_NOT_CANCELABLE


def test_all_that_works_is_cancelled_at_once() -> None:
    desk = Desk()
    sent = [desk.submit(order(name, limit=50)) for name in ("1", "2", "3")]
    ids = [each.broker_order_id for each in sent if isinstance(each, OrderSent)]
    assert asyncio.run(desk.broker.cancel_all()) == ids
    ended = [at for at in desk.facts if isinstance(at, OrderEnded)]
    assert [(at.order_id, at.status) for at in ended] == [
        (name, OrderStatus.CANCELED) for name in ("1", "2", "3")
    ]
    assert asyncio.run(desk.broker.cancel_all()) == []


def test_an_order_is_found_by_its_wire_id_or_never_arrived() -> None:
    desk = Desk()
    desk.submit(order("1", limit=50))

    def find(name: str) -> object:
        wire = wire_id(instance=INSTANCE, order_id=name)
        asked = FindOrder(order_id=name, wire_id=wire, absent_after_ns=1)
        return asyncio.run(desk.broker.find(asked))

    assert isinstance(find("1"), OrderSent)
    assert find("2") == OrderNotSent(order_id="2", reason=Reason.NEVER_ARRIVED)


def test_a_leg_counts_the_position_and_what_works_against_it() -> None:
    desk = Desk()
    desk.submit(order("1", shares=10))
    desk.submit(order("2", side=Side.SELL, shares=4, limit=500))
    desk.submit(order("3", side=Side.BUY, shares=7, limit=50))
    wire = wire_id(instance=INSTANCE, order_id="2")
    leg = ReadLeg(trip="t#1", symbol="AAPL", attempt=1, order_id="2", wire_id=wire)
    read = asyncio.run(desk.broker.read_leg(leg))
    assert (read.position_nanos, read.against_nanos) == (10 * NANOS, 4 * NANOS)
    assert read.found is not None
    assert read.found.status is OrderStatus.WORKING
    none = asyncio.run(
        desk.broker.read_leg(
            ReadLeg(trip="t#1", symbol="MSFT", attempt=1, order_id="9", wire_id="fb-x-9")
        )
    )
    assert (none.position_nanos, none.against_nanos, none.found) == (0, 0, None)


def test_a_strangers_order_is_seen_but_not_delivered_as_ours() -> None:
    desk = Desk()
    ticket = Ticket(
        client_order_id="fb-other123-1",
        symbol="AAPL",
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.DAY,
        quantity_nanos=NANOS,
        limit_price_nanos=50 * NANOS,
    )
    desk.world.exchange.submit(desk.world.now_ns, ticket)
    desk.submit(order("1", limit=50))
    desk.broker.pump()
    assert {at.order_id for at in desk.facts if isinstance(at, OrderWorking)} == {"1"}
    ours = wire_id(instance=INSTANCE, order_id="1")
    (foreign,) = asyncio.run(desk.broker.foreign_orders(lambda wire: wire == ours))
    assert isinstance(foreign, ForeignOrderSeen)
    assert (foreign.wire_id, foreign.ours_by_prefix) == ("fb-other123-1", True)


def test_a_halt_and_a_resumption_of_what_is_watched_are_facts() -> None:
    feed = DirectFeed()
    seen: list[MarketFact] = []

    def told(status: str, reason: str, symbol: str = "AAPL") -> None:
        feed.show_status(StatusTold(symbol=symbol, at_ns=7, status=status, reason=reason))

    async def run() -> None:
        await feed.start(seen.append)
        await feed.watch("AAPL")
        told("P", "LUDP")
        told("H", "MWC2")
        told("P", "LUDP", "MSFT")
        told("T", "LUDP")

    asyncio.run(run())
    assert seen == [
        TradingHalted(symbol="AAPL", code="P LUDP", event_ns=7),
        TradingHalted(symbol="AAPL", code="H MWC2", event_ns=7, level=2),
        TradingResumed(symbol="AAPL", code="T LUDP", event_ns=7),
    ]


def test_after_stop_nothing_is_delivered() -> None:
    desk = Desk()
    asyncio.run(desk.broker.stop())
    before = len(desk.facts)
    desk.submit(order("1"))
    assert len(desk.facts) == before


def test_a_feed_delivers_what_is_watched_beginning_with_the_latest_quote() -> None:
    feed = DirectFeed()
    seen: list[MarketFact] = []

    def quote(bid: int) -> TapeQuote:
        return TapeQuote(
            symbol="AAPL",
            at_ns=bid,
            bid_nanos=bid,
            ask_nanos=bid + 2,
            bid_size_nanos=5,
            ask_size_nanos=6,
        )

    trade = TapeTrade(symbol="AAPL", at_ns=9, price_nanos=11, size_nanos=2)

    async def run() -> None:
        await feed.start(seen.append)
        feed.show_quote(quote(10))
        feed.show_trade(trade)
        assert seen == []
        await feed.watch("AAPL")
        await feed.watch("AAPL")
        feed.show_quote(quote(12))
        feed.show_trade(trade)
        await feed.stop()
        feed.show_quote(quote(14))

    asyncio.run(run())
    assert [type(at).__name__ for at in seen] == ["QuoteSeen", "QuoteSeen", "TradeSeen"]
    first = seen[0]
    assert isinstance(first, QuoteSeen)
    assert (first.bid_nanos, first.ask_nanos, first.bid_low_nanos, first.count) == (10, 12, 10, 1)
