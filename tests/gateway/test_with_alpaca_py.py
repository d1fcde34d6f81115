"""The door as alpaca-py sees it: a client nobody here wrote, with its own retries and models."""

import datetime
import threading
import time
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest

from fuseboard.vocabulary.effects import AnswerDenied, PublishEquity, PublishPosture
from fuseboard.vocabulary.inputs import ReplaceRequested, RequestsDenied
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.postures import Posture
from fuseboard.vocabulary.reasons import Reason
from fuseboard.wire.alpaca import json_bytes, quote_message, trade_message
from tests.gateway.scripted import START_NS, Answer, RunningGateway, running

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # alpaca-py uses websockets.legacy.
    from alpaca.common.exceptions import APIError
    from alpaca.data.historical import StockHistoricalDataClient
    from alpaca.data.live import StockDataStream
    from alpaca.data.requests import StockLatestQuoteRequest
    from alpaca.trading.client import TradingClient
    from alpaca.trading.enums import OrderSide, OrderStatus, QueryOrderStatus, TimeInForce
    from alpaca.trading.requests import (
        ClosePositionRequest,
        GetCalendarRequest,
        GetOrdersRequest,
        LimitOrderRequest,
        MarketOrderRequest,
        ReplaceOrderRequest,
    )
    from alpaca.trading.stream import TradingStream


DAY = datetime.date(2010, 5, 6)


@pytest.fixture
def gateway() -> Iterator[RunningGateway]:
    with running() as started:
        yield started


@pytest.fixture
def client(gateway: RunningGateway) -> Any:
    return TradingClient(*gateway.one, url_override=gateway.url)


def _market(
    symbol: str = "AAPL", qty: float = 5, side: OrderSide = OrderSide.BUY, **more: Any
) -> Any:
    return MarketOrderRequest(
        symbol=symbol, qty=qty, side=side, time_in_force=TimeInForce.DAY, **more
    )


def _limit(symbol: str = "AAPL", qty: float = 5, price: float = 201.5, **more: Any) -> Any:
    return LimitOrderRequest(
        symbol=symbol,
        qty=qty,
        side=OrderSide.BUY,
        time_in_force=TimeInForce.GTC,
        limit_price=price,
        **more,
    )


def test_an_order_is_placed_read_listed_and_cancelled(gateway: RunningGateway, client: Any) -> None:
    order = client.submit_order(_limit(qty=0.1, client_order_id="mine"))
    assert order.status is OrderStatus.NEW
    assert order.client_order_id == "mine"
    assert (order.qty, order.limit_price) == ("0.1", "201.5")
    assert gateway.feed.watched == ["AAPL"]
    asked = gateway.loop.placed()[0]
    assert (asked.quantity_nanos, asked.limit_price_nanos) == (100_000_000, 201_500_000_000)
    assert client.get_order_by_id(order.id).id == order.id
    assert client.get_order_by_client_id("mine").id == order.id
    assert [each.id for each in client.get_orders()] == [order.id]
    client.cancel_order_by_id(order.id)
    assert client.get_orders() == []
    closed = client.get_orders(GetOrdersRequest(status=QueryOrderStatus.CLOSED))
    assert [each.status for each in closed] == [OrderStatus.CANCELED]
    with pytest.raises(APIError) as again:
        client.cancel_order_by_id(order.id)
    assert (again.value.status_code, again.value.code) == (422, 42210000)
    with pytest.raises(APIError) as unknown:
        client.cancel_order_by_id(uuid.uuid4())
    assert unknown.value.status_code == 404


def test_a_denial_is_final_and_says_why(gateway: RunningGateway, client: Any) -> None:
    gateway.loop.deny = AnswerDenied(
        request=0,
        strategy="",
        reason=Reason.MAX_POSITION,
        checks=("posture", "max_position"),
        observed="120000",
        limit="100000",
    )
    with pytest.raises(APIError) as denied:
        client.submit_order(_market())
    assert denied.value.status_code == 403
    assert denied.value.code == 40310000
    assert "orders are rejected by user request" in denied.value.message
    assert "[max_position] observed 120000 limit 100000" in denied.value.message
    assert len(gateway.loop.placed()) == 1


@pytest.mark.parametrize(
    ("broker", "seen"),
    [
        ((403, 40310000), (403, 40310000)),
        ((422, 42210000), (422, 42210000)),
        ((404, 40410000), (404, 40410000)),
        ((401, 40110000), (403, 40110000)),
        ((429, 42910000), (403, 42910000)),
        ((504, 0), (403, 40310000)),
        ((408, 0), (403, 40310000)),
        ((503, 0), (403, 40310000)),
    ],
)
def test_a_brokers_rejection_is_passed_on_but_never_as_a_status_that_is_sent_again(
    gateway: RunningGateway,
    client: Any,
    broker: tuple[int, int],
    seen: tuple[int, int],
) -> None:
    gateway.loop.deny = AnswerDenied(
        request=0,
        strategy="",
        reason=Reason.BROKER_REJECTED,
        message="the broker's own words",
        http_status=broker[0],
        broker_code=broker[1],
    )
    with pytest.raises(APIError) as rejected:
        client.submit_order(_market())
    assert (rejected.value.status_code, rejected.value.code) == seen
    assert "the broker's own words" in rejected.value.message
    if seen[0] == 403:
        assert "orders are rejected by user request" in rejected.value.message
    assert len(gateway.loop.placed()) == 1


def test_a_full_intake_is_a_denial_and_is_not_sent_again(
    gateway: RunningGateway, client: Any
) -> None:
    gateway.loop.is_full = True
    started = time.monotonic()
    with pytest.raises(APIError) as denied:
        client.submit_order(_market())
    assert (denied.value.status_code, denied.value.code) == (403, 40310000)
    assert "intake_full" in denied.value.message
    assert time.monotonic() - started < 3  # alpaca-py waits three seconds before it sends again


def test_what_cannot_be_parsed_is_422_and_an_unknown_key_is_401(gateway: RunningGateway) -> None:
    client: Any = TradingClient(*gateway.one, url_override=gateway.url)
    with pytest.raises(APIError) as refused:
        client.submit_order(
            MarketOrderRequest(
                symbol="AAPL", notional=100, side=OrderSide.BUY, time_in_force=TimeInForce.DAY
            )
        )
    assert (refused.value.status_code, refused.value.code) == (422, 42210000)
    assert "notional" in refused.value.message
    stranger: Any = TradingClient(gateway.one[0], gateway.two[1], url_override=gateway.url)
    with pytest.raises(APIError) as unauthorized:
        stranger.get_orders()
    assert unauthorized.value.status_code == 401
    assert [type(fact) for fact in gateway.loop.inputs] == [RequestsDenied], "counted, not judged"


def test_a_replaced_order_is_a_new_one_that_names_the_old(
    gateway: RunningGateway, client: Any
) -> None:
    old = client.submit_order(_limit())
    new = client.replace_order_by_id(
        old.id, ReplaceOrderRequest(qty=3, limit_price=101.25, client_order_id="again")
    )
    asked = gateway.loop.inputs[-1]
    assert isinstance(asked, ReplaceRequested)
    assert (asked.order_id, asked.client_order_id) == (str(old.id), "again")
    assert (asked.quantity_nanos, asked.limit_price_nanos) == (3 * NANOS, 101_250_000_000)
    assert (asked.stop_price_nanos, asked.time_in_force) == (None, None)
    assert (new.replaces, new.client_order_id, new.status) == (
        old.id,
        "again",
        OrderStatus.PENDING_NEW,
    )
    assert (Decimal(new.qty), Decimal(new.limit_price)) == (Decimal(3), Decimal("101.25"))
    shown = client.get_order_by_id(old.id)
    assert (shown.status, shown.replaced_by) == (OrderStatus.PENDING_REPLACE, new.id)
    gateway.call(lambda: gateway.loop.replaced(str(old.id)))
    shown = client.get_order_by_id(old.id)
    assert shown.status is OrderStatus.REPLACED
    assert shown.replaced_at is not None
    assert [order.id for order in client.get_orders()] == [new.id]


def test_what_cannot_be_replaced_is_said_by_name(gateway: RunningGateway, client: Any) -> None:
    order = client.submit_order(_limit())
    for wanted, word in (
        (ReplaceOrderRequest(trail=1), "trail"),
        (ReplaceOrderRequest(time_in_force=TimeInForce.OPG), "opg"),
        (ReplaceOrderRequest(client_order_id="x"), "nothing is replaced"),
    ):
        with pytest.raises(APIError) as refused:
            client.replace_order_by_id(order.id, wanted)
        assert (refused.value.status_code, refused.value.code) == (422, 42210000)
        assert word in refused.value.message
    with pytest.raises(APIError) as unknown:
        client.replace_order_by_id(uuid.uuid4(), ReplaceOrderRequest(qty=3))
    assert unknown.value.status_code == 404
    assert not any(isinstance(fact, ReplaceRequested) for fact in gateway.loop.inputs)


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        (Reason.ORDER_NOT_REPLACEABLE, 422),
        (Reason.ORDER_UNKNOWN, 404),
        (Reason.MAX_POSITION, 403),
        (Reason.CLIENT_ORDER_ID_REUSED, 422),
    ],
)
def test_a_denied_replacement_is_final_to_the_client(
    gateway: RunningGateway, client: Any, reason: Reason, status: int
) -> None:
    order = client.submit_order(_limit())
    gateway.loop.deny = AnswerDenied(request=0, strategy="", reason=reason)
    with pytest.raises(APIError) as denied:
        client.replace_order_by_id(order.id, ReplaceOrderRequest(qty=3))
    assert denied.value.status_code == status


def test_every_open_order_of_this_strategy_is_cancelled_and_no_other(
    gateway: RunningGateway, client: Any
) -> None:
    other: Any = TradingClient(*gateway.two, url_override=gateway.url)
    mine = [client.submit_order(_limit(price=100 + n)).id for n in range(3)]
    theirs = other.submit_order(_limit()).id
    answers = client.cancel_orders()
    assert sorted(str(each.id) for each in answers) == sorted(str(each) for each in mine)
    assert {each.status for each in answers} == {200}
    assert client.get_orders() == []
    assert [each.id for each in other.get_orders()] == [theirs]
    with pytest.raises(APIError) as foreign:
        client.get_order_by_id(theirs)
    assert foreign.value.status_code == 404
    with pytest.raises(APIError) as foreign_cancel:
        client.cancel_order_by_id(theirs)
    assert foreign_cancel.value.status_code == 404


def test_positions_are_read_and_closed_whole_by_quantity_and_by_percentage(
    gateway: RunningGateway, client: Any
) -> None:
    gateway.loop.fills = True
    client.submit_order(_market(qty=10))
    client.submit_order(_market("MSFT", qty=4, side=OrderSide.SELL))
    held = client.get_open_position("AAPL")
    assert (held.qty, held.avg_entry_price, held.market_value) == ("10", "200", "2000")
    assert held.exchange.value == "NASDAQ"
    assert str(held.asset_id) == str(client.get_asset("AAPL").id)
    assert [each.symbol for each in client.get_all_positions()] == ["AAPL", "MSFT"]
    gateway.loop.fills = False
    part = client.close_position("AAPL", ClosePositionRequest(qty="2.5"))
    assert (part.qty, part.side) == ("2.5", OrderSide.SELL)
    share = client.close_position(str(held.asset_id), ClosePositionRequest(percentage="50"))
    assert share.qty == "5"
    with pytest.raises(APIError) as too_much:
        client.close_position("AAPL")
    assert (too_much.value.status_code, too_much.value.code) == (403, 40310000)
    assert client.get_open_position("AAPL").qty_available == "2.5"
    gateway.loop.fills = True
    answers = client.close_all_positions(cancel_orders=True)
    assert sorted((each.symbol, each.status) for each in answers) == [("AAPL", 200), ("MSFT", 200)]
    assert client.get_all_positions() == []
    with pytest.raises(APIError) as none:
        client.get_open_position("AAPL")
    assert none.value.status_code == 404


def test_the_account_is_complete_text_and_shows_the_posture(
    gateway: RunningGateway, client: Any
) -> None:
    with pytest.raises(APIError) as unread:
        client.get_account()
    assert unread.value.status_code == 503
    gateway.call(gateway.show_account)
    gateway.loop.fills = True
    client.submit_order(_market(qty=10))
    gateway.loop.fills = False
    client.submit_order(_limit(qty=1, price=100))
    gateway.call(
        lambda: gateway.door.apply(
            PublishEquity(
                fuse="drawdown:account",
                scope="account",
                state="monitoring",
                generation=1,
                equity_nanos=99_500 * NANOS,
                mark_nanos=100_000 * NANOS,
                drawdown_nanos=0,
                cash_nanos=97_500 * NANOS,
            )
        )
    )
    account = client.get_account()
    assert account.status.value == "ACTIVE"
    assert (account.equity, account.cash, account.last_equity) == ("99500", "97500", "99000")
    assert account.long_market_value == "2000"
    assert Decimal(account.buying_power) == 2 * 99_500 - 2_000 - 100
    assert account.trading_blocked is False
    assert client.get_account_configurations().suspend_trade is False
    halted = PublishPosture(scope="account", posture=Posture.HALTED, reason=Reason.DRAWDOWN)
    gateway.call(lambda: gateway.door.apply(halted))
    account = client.get_account()
    assert account.trading_blocked is True
    assert account.trade_suspended_by_user is True
    configuration = client.get_account_configurations()
    assert configuration.suspend_trade is True
    with pytest.raises(APIError) as refused:
        client.set_account_configurations(configuration)
    assert refused.value.status_code == 403


def test_assets_clock_calendar_and_data_come_from_the_broker_without_any_key(
    gateway: RunningGateway, client: Any
) -> None:
    assert client.get_asset("AAPL").symbol == "AAPL"
    assert client.get_clock().is_open is True
    days = client.get_calendar(GetCalendarRequest(start=DAY, end=DAY))
    assert str(days[0].date) == "2010-05-06"
    quote = {"ap": 2, "as": 1, "bp": 1, "bs": 1, "t": "2010-05-06T14:00:00Z", "c": [], "z": "C"}
    gateway.broker.answers["/v2/stocks/quotes/latest?symbols=AAPL"] = Answer(
        200, json_bytes({"quotes": {"AAPL": {**quote, "ax": "V", "bx": "V"}}})
    )
    data: Any = StockHistoricalDataClient(*gateway.one, url_override=gateway.url)
    latest = data.get_stock_latest_quote(StockLatestQuoteRequest(symbol_or_symbols="AAPL"))
    assert latest["AAPL"].ask_price == 2
    asked = repr(gateway.broker.asked)
    assert gateway.one[0] not in asked
    assert gateway.one[1] not in asked


@contextmanager
def _running_stream(
    stream: Any, started: Callable[[], object], nudge: Callable[[], object]
) -> Iterator[None]:
    """A stream client in a thread. It looks for its own stop only after a message: `nudge`."""
    thread = threading.Thread(target=stream.run)
    thread.start()
    try:
        _wait(lambda: bool(started()))
        yield
    finally:
        stream.stop()
        while thread.is_alive():
            nudge()
            thread.join(0.05)


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def test_the_trade_stream_tells_a_strategy_of_its_own_orders_only(gateway: RunningGateway) -> None:
    client: Any = TradingClient(*gateway.one, url_override=gateway.url)
    other: Any = TradingClient(*gateway.two, url_override=gateway.url)
    stream = TradingStream(
        *gateway.one, url_override=f"ws://127.0.0.1:{gateway.port}/stream", raw_data=False
    )
    updates: list[Any] = []

    async def take(update: Any) -> None:
        updates.append(update)

    stream.subscribe_trade_updates(take)
    listened = gateway.door._trades.is_wanted
    with _running_stream(stream, lambda: listened("one"), lambda: client.submit_order(_limit())):
        other.submit_order(_limit())
        gateway.loop.fills = True
        order = client.submit_order(_market(qty=3))
        _wait(lambda: len(updates) == 2)
    assert [update.event for update in updates[:2]] == ["new", "fill"]
    assert {update.order.id for update in updates[:2]} == {order.id}
    assert (updates[1].qty, updates[1].price, updates[1].position_qty) == (3.0, 200.0, 3.0)
    assert updates[1].order.status is OrderStatus.FILLED


def test_the_data_stream_carries_what_was_subscribed_to(gateway: RunningGateway) -> None:
    stream = StockDataStream(*gateway.one, url_override=f"ws://127.0.0.1:{gateway.port}/v2/iex")
    quotes: list[Any] = []

    async def take(quote: Any) -> None:
        quotes.append(quote)

    stream.subscribe_quotes(take, "AAPL")

    def quote(symbol: str) -> dict[str, Any]:
        return quote_message(
            symbol,
            bid_nanos=100 * NANOS,
            ask_nanos=101 * NANOS,
            bid_size_nanos=NANOS,
            ask_size_nanos=NANOS,
            at_ns=START_NS + 123_456_789,
        )

    trade = trade_message(
        "AAPL", price_nanos=100 * NANOS, size_nanos=NANOS, at_ns=START_NS, trade_id=1
    )

    def nudge() -> None:
        gateway.call(lambda: gateway.feed.say([quote("AAPL")]))

    with _running_stream(stream, lambda: gateway.feed.subscribed, nudge):
        gateway.call(lambda: gateway.feed.say([quote("MSFT"), trade, quote("AAPL")]))
        _wait(lambda: len(quotes) == 1)
    assert gateway.feed.subscribed == [("quotes", ("AAPL",))]
    assert (quotes[0].symbol, quotes[0].bid_price, quotes[0].ask_price) == ("AAPL", 100, 101)
    assert quotes[0].timestamp.timestamp() == pytest.approx(START_NS / 1e9 + 0.123456, abs=1e-5)
