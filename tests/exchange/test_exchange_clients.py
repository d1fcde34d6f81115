"""The exchange as alpaca-py sees it: REST, trade stream, data stream, historic data."""

import asyncio
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the client's own use of old interfaces is not ours to mend
    from alpaca.common.exceptions import APIError
    from alpaca.data.enums import DataFeed
    from alpaca.data.historical import StockHistoricalDataClient
    from alpaca.data.live import StockDataStream
    from alpaca.data.requests import (
        StockBarsRequest,
        StockLatestQuoteRequest,
        StockLatestTradeRequest,
        StockQuotesRequest,
        StockSnapshotRequest,
        StockTradesRequest,
    )
    from alpaca.data.timeframe import TimeFrame
    from alpaca.trading.client import TradingClient
    from alpaca.trading.enums import OrderSide, OrderStatus, QueryOrderStatus, TimeInForce
    from alpaca.trading.requests import (
        ClosePositionRequest,
        GetAssetsRequest,
        GetCalendarRequest,
        GetOrdersRequest,
        GetPortfolioHistoryRequest,
        LimitOrderRequest,
        MarketOrderRequest,
        ReplaceOrderRequest,
        StopOrderRequest,
    )
    from alpaca.trading.stream import TradingStream

from tests.exchange.serving import WAIT_S_MAX, Served, served

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("clients"), speed_nanos=600 * 10**9) as exchange:
        yield exchange


@pytest.fixture(scope="module")
def trading(shared: Served) -> Any:
    return TradingClient("PKTEST", "secret", url_override=shared.url)


def test_account_assets_clock_calendar_and_history_satisfy_the_clients_models(
    trading: Any,
) -> None:
    account = trading.get_account()
    assert account.cash == account.equity == "100000"
    assert account.buying_power == "200000"
    assert account.status.value == "ACTIVE"
    assert trading.get_clock().is_open
    days = trading.get_calendar(GetCalendarRequest(start=date(2010, 5, 3), end=date(2010, 5, 7)))
    assert len(days) == 5
    symbols = [asset.symbol for asset in trading.get_all_assets(GetAssetsRequest())]
    assert symbols == ["AAPL", "IBM", "JPM", "MSFT", "PG", "XOM"]
    asset = trading.get_asset("AAPL")
    assert (asset.tradable, asset.fractionable) == (True, True)
    assert trading.get_asset(str(asset.id)).symbol == "AAPL"
    history = trading.get_portfolio_history(GetPortfolioHistoryRequest())
    assert history.equity[0] == 100_000
    assert trading.get_account_configurations().no_shorting is False


def test_the_owners_latches_hold_orders_back_until_they_are_lifted(trading: Any) -> None:
    short = MarketOrderRequest(
        symbol="MSFT", qty=1, side=OrderSide.SELL, time_in_force=TimeInForce.DAY
    )
    buy = MarketOrderRequest(
        symbol="MSFT", qty=1, side=OrderSide.BUY, time_in_force=TimeInForce.DAY
    )
    configuration = trading.get_account_configurations()
    configuration.no_shorting = True
    assert trading.set_account_configurations(configuration).no_shorting is True
    with pytest.raises(APIError, match="not allowed to short"):
        trading.submit_order(short)
    trading.submit_order(buy)
    configuration.suspend_trade = True
    assert trading.set_account_configurations(configuration).suspend_trade is True
    with pytest.raises(APIError, match="rejected by user request"):
        trading.submit_order(buy)
    configuration.no_shorting = configuration.suspend_trade = False
    trading.set_account_configurations(configuration)
    closed = trading.submit_order(short)
    assert trading.get_order_by_id(closed.id).status is OrderStatus.FILLED


def test_orders_and_positions_live_their_life(trading: Any) -> None:
    bought = trading.submit_order(
        MarketOrderRequest(symbol="JPM", qty=3, side=OrderSide.BUY, time_in_force=TimeInForce.DAY)
    )
    assert trading.get_order_by_id(bought.id).status is OrderStatus.FILLED
    assert trading.get_open_position("JPM").qty == "3"
    limit = trading.submit_order(
        LimitOrderRequest(
            symbol="JPM",
            qty=1,
            limit_price=99.5,
            side=OrderSide.SELL,
            time_in_force=TimeInForce.GTC,
            client_order_id="mine",
        )
    )
    assert trading.get_order_by_client_id("mine").id == limit.id
    replaced = trading.replace_order_by_id(limit.id, ReplaceOrderRequest(limit_price=98.25))
    stop = trading.submit_order(
        StopOrderRequest(
            symbol="JPM", qty=1, stop_price=1.5, side=OrderSide.SELL, time_in_force="gtc"
        )
    )
    working = trading.get_orders(GetOrdersRequest(status=QueryOrderStatus.OPEN, symbols=["JPM"]))
    assert {order.id for order in working} == {replaced.id, stop.id}
    trading.cancel_order_by_id(stop.id)
    with pytest.raises(APIError) as refused:
        trading.cancel_order_by_id(stop.id)
    assert (refused.value.status_code, refused.value.code) == (422, 42210000)
    part = trading.close_position("JPM", ClosePositionRequest(qty="1"))
    assert part.qty == "1"
    closed = trading.close_all_positions(cancel_orders=True)
    assert [each.status for each in closed] == [200]
    assert not trading.get_all_positions()


def test_a_refusal_is_an_api_error_with_alpacas_code(trading: Any) -> None:
    with pytest.raises(APIError) as refused:
        trading.submit_order(
            MarketOrderRequest(symbol="AAPL", qty=10**6, side="buy", time_in_force="day")
        )
    assert (refused.value.status_code, refused.value.code) == (403, 40310000)
    assert refused.value.message == "insufficient buying power"


def wait_for(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + WAIT_S_MAX
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def run_stream(stream: Any, wake: Callable[[], Any] = lambda: None) -> Callable[[], None]:
    """Run a client's stream in a thread as its `run` does; returns what stops it.

    The client looks whether to stop only when a message comes or 5 s have passed: `wake` makes one.
    """

    def target() -> None:
        with asyncio.Runner() as runner:
            runner.run(stream._run_forever())

    thread = threading.Thread(target=target)
    thread.start()

    def stop() -> None:
        stream.stop()
        wake()
        thread.join(WAIT_S_MAX)
        assert not thread.is_alive()

    return stop


def test_the_trade_stream_tells_each_event_of_an_order(shared: Served, trading: Any) -> None:
    seen: list[Any] = []

    async def remember(update: Any) -> None:
        seen.append(update)

    stream = TradingStream("PKTEST", "secret", url_override=f"ws://127.0.0.1:{shared.port}/stream")
    stream.subscribe_trade_updates(remember)

    def probe() -> bool:
        """Events before the subscription are lost, so ask until one is seen."""
        resting = trading.submit_order(
            LimitOrderRequest(symbol="IBM", qty=1, limit_price=1, side="buy", time_in_force="day")
        )
        trading.cancel_order_by_id(resting.id)
        return bool(seen)

    stop = run_stream(stream, wake=probe)
    try:
        wait_for(probe)
        bought = trading.submit_order(
            MarketOrderRequest(symbol="IBM", qty=2, side="buy", time_in_force="day")
        )
        wait_for(lambda: [u for u in seen if u.order.id == bought.id and u.event == "fill"])
        events = [u for u in seen if u.order.id == bought.id]
        assert [u.event for u in events] == ["new", "fill"]
        assert (events[-1].qty, events[-1].position_qty) == (2, 2)
        assert events[-1].price > 100
        assert all(event in [u.event for u in seen] for event in ("new", "canceled", "fill"))
    finally:
        stop()


@pytest.mark.parametrize("path", ["/v2/iex", "/v2/sip"])
def test_the_data_stream_sends_what_was_subscribed(tmp_path: Path, path: str) -> None:
    """On an exchange of its own: at this speed the tape is over in seconds."""
    quotes: list[Any] = []
    trades: list[Any] = []

    async def on_quote(quote: Any) -> None:
        quotes.append(quote)

    async def on_trade(trade: Any) -> None:
        trades.append(trade)

    with served(tmp_path, speed_nanos=600 * 10**9) as exchange:
        stream = StockDataStream(
            "PKTEST",
            "secret",
            feed=DataFeed.IEX,
            url_override=f"ws://127.0.0.1:{exchange.port}{path}",
        )
        stream.subscribe_quotes(on_quote, "AAPL", "MSFT")
        stream.subscribe_trades(on_trade, "AAPL")
        stop = run_stream(stream)
        try:
            wait_for(lambda: stream._running)  # what it wants has been sent
            exchange.call("POST", "/sim/start")
            wait_for(lambda: len(quotes) >= 20 and len(trades) >= 3)
            assert {quote.symbol for quote in quotes} == {"AAPL", "MSFT"}
            assert {trade.symbol for trade in trades} == {"AAPL"}
            first = quotes[0]
            assert first.timestamp.year == 2010
            assert 0 < first.bid_price < first.ask_price
            times = [quote.timestamp for quote in quotes]
            assert times == sorted(times)
        finally:
            stop()


def test_historic_and_latest_data_come_from_the_tape_so_far(shared: Served) -> None:
    shared.call("POST", "/sim/start")
    wait_for(lambda: len(shared.get("/v2/stocks/bars?symbols=AAPL")["bars"].get("AAPL", [])) >= 3)
    data: Any = StockHistoricalDataClient("PKTEST", "secret", url_override=shared.url)
    both = ["AAPL", "PG"]
    quotes = data.get_stock_latest_quote(StockLatestQuoteRequest(symbol_or_symbols=both))
    assert set(quotes) == set(both)
    trade = data.get_stock_latest_trade(StockLatestTradeRequest(symbol_or_symbols="AAPL"))
    assert 190 < trade["AAPL"].price < 250
    start = datetime(2010, 5, 6, 18, 44, tzinfo=UTC)
    end = datetime(2010, 5, 6, 18, 45, 59, tzinfo=UTC)
    bars = data.get_stock_bars(
        StockBarsRequest(symbol_or_symbols="AAPL", timeframe=TimeFrame.Minute, start=start, end=end)
    )
    assert [bar.timestamp.minute for bar in bars["AAPL"]] == [44, 45]
    trades = data.get_stock_trades(
        StockTradesRequest(symbol_or_symbols="AAPL", start=start, end=end, limit=10)
    )
    assert len(trades["AAPL"]) == 10
    assert all(bars["AAPL"][0].low <= t.price <= bars["AAPL"][0].high for t in trades["AAPL"])
    many = data.get_stock_quotes(StockQuotesRequest(symbol_or_symbols=both, start=start, end=end))
    assert {len(many["AAPL"]), len(many["PG"])} <= {120, 121}
    snapshot = data.get_stock_snapshot(StockSnapshotRequest(symbol_or_symbols="AAPL"))["AAPL"]
    assert snapshot.daily_bar.high >= snapshot.latest_trade.price >= snapshot.daily_bar.low
