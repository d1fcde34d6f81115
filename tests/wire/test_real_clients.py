import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import requests

from fuseboard.vocabulary.money import NANOS
from fuseboard.wire import alpaca
from fuseboard.wire.http_server import HttpServer, Request, Response
from tests.wire.peers import APIError, LimitOrderRequest, Order, Position, TradingClient

NOW_NS = 1_767_366_000_123_456_789
SEEN: list[Request] = []


def small_broker(request: Request) -> Response:
    """Enough of Alpaca for one client to place an order and look around."""
    SEEN.append(request)
    if (request.method, request.path) == ("POST", "/v2/orders"):
        body = alpaca.parsed_order_body(request.body)
        if body.symbol == "DENIED":
            return alpaca.error_answer(403, 40_310_000, "orders are rejected by user request")
        view = alpaca.OrderView(
            id=alpaca.asset_id_of("order"),
            client_order_id=body.client_order_id or "minted",
            symbol=body.symbol,
            side=body.side,
            order_type=body.order_type,
            time_in_force=body.time_in_force,
            quantity_nanos=body.quantity_nanos,
            limit_price_nanos=body.limit_price_nanos,
            status="new",
            created_ns=NOW_NS,
            updated_ns=NOW_NS,
        )
        return Response(200, alpaca.json_bytes(alpaca.order_object(view)))
    if request.method == "DELETE":
        return Response(204)
    if request.path == "/v2/positions/BTC/USD":
        position = alpaca.PositionView(
            symbol="BTCUSD",
            quantity_nanos=NANOS // 2,
            average_price_nanos=60_000 * NANOS,
            price_nanos=61_000 * NANOS,
            asset_class="crypto",
            exchange="CRYPTO",
        )
        return Response(200, alpaca.json_bytes(alpaca.position_object(position)))
    return alpaca.error_answer(404, 40_410_000, "nothing here")


@contextmanager
def running() -> Iterator[str]:
    """The server on a loop in its own thread, as a separate process would be."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = HttpServer(small_broker)
    try:
        starting = asyncio.run_coroutine_threadsafe(server.start("127.0.0.1", 0), loop)
        yield f"http://127.0.0.1:{starting.result(10)}"
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def test_alpaca_py_places_cancels_and_reads_through_the_server() -> None:
    with running() as address:
        client = TradingClient("key", "secret", url_override=address)
        order = client.submit_order(
            LimitOrderRequest(
                symbol="AAPL", qty=0.1, side="buy", time_in_force="day", limit_price=199.25
            )
        )
        assert isinstance(order, Order)
        assert (order.qty, order.limit_price, order.status.value) == ("0.1", "199.25", "new")
        client.cancel_order_by_id(order.id)
        position = client.get_open_position("BTC/USD")
        assert isinstance(position, Position)
        assert position.market_value == "30500"
        with pytest.raises(APIError) as caught:
            client.get_account()
        assert caught.value.code == 40_410_000
        client._session.close()


def test_a_denial_is_final_to_alpaca_py() -> None:
    with running() as address:
        SEEN.clear()
        client = TradingClient("key", "secret", url_override=address)
        with pytest.raises(APIError, match="rejected by user request"):
            client.submit_order(
                LimitOrderRequest(
                    symbol="DENIED", qty=1, side="buy", time_in_force="day", limit_price=1
                )
            )
        assert len(SEEN) == 1
        client._session.close()


def test_requests_keeps_its_connection_and_may_send_a_body_in_chunks() -> None:
    with running() as address, requests.Session() as session:
        SEEN.clear()
        chunks = iter([b'{"symbol":"AAPL","qty":"1","side":"buy",', b'"type":"market",',
                       b'"time_in_force":"day"}'])  # fmt: skip
        assert session.post(f"{address}/v2/orders", data=chunks, timeout=10).ok
        assert session.delete(f"{address}/v2/orders/x", timeout=10).status_code == 204
        assert session.get(f"{address}/v2/a?b=%20c", timeout=10).json()["code"] == 40_410_000
        assert len({request.peer for request in SEEN}) == 1
        assert SEEN[-1].query == {"b": " c"}
