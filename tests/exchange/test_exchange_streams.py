"""The exchange's streams and clock, message by message."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import msgpack, structs
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import ClientConnection, connect

from fuseboard.exchange.clock import TapeClock
from fuseboard.exchange.config import config_for
from fuseboard.exchange.face import Face
from fuseboard.exchange.orders import Order, Ticket
from fuseboard.exchange.running import RunningExchange
from fuseboard.feeds.tapes.by_name import tape_by_name
from fuseboard.feeds.tapes.tape import TapeQuote
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import OrderType, Side, TimeInForce
from fuseboard.wire.http_server import Request, Response
from tests.exchange.serving import HEADERS, KEYS, WAIT_S_MAX, Served, served


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path, speed_nanos=100 * NANOS) as each:
        yield each


def dialed(exchange: Served, path: str, **options: Any) -> ClientConnection:
    socket: ClientConnection = connect(f"ws://127.0.0.1:{exchange.port}{path}", **options)
    return socket


def tell(socket: ClientConnection, **command: Any) -> Any:
    socket.send(json.dumps(command))
    return heard(socket)


def heard(socket: ClientConnection) -> Any:
    return json.loads(socket.recv(WAIT_S_MAX))


def authenticate(socket: ClientConnection, secret: str = "secret") -> Any:
    return tell(socket, action="authenticate", data={"key_id": "PKTEST", "secret_key": secret})


LISTEN = {"action": "listen", "data": {"streams": ["trade_updates"]}}


def test_order_events_are_binary_json_for_those_who_listen(exchange: Served) -> None:
    with dialed(exchange, "/stream/") as socket:
        assert authenticate(socket)["data"]["status"] == "authorized"
        assert tell(socket, **LISTEN)["data"]["streams"] == ["trade_updates"]
        order = exchange.order(qty="2").json()
        raw = socket.recv(WAIT_S_MAX)
        assert isinstance(raw, bytes)
        assert json.loads(raw)["data"]["event"] == "new"
        fill = heard(socket)["data"]
        assert (fill["event"], fill["qty"], fill["position_qty"]) == ("fill", "2", "2")
        assert fill["order"]["id"] == order["id"]
        assert fill["order"]["filled_qty"] == "2"


def test_nobody_listens_without_the_right_secret(exchange: Served) -> None:
    with dialed(exchange, "/stream") as socket:
        socket.send(json.dumps(LISTEN))
        exchange.order()
        assert authenticate(socket, "wrong")["data"]["status"] == "unauthorized"
        assert list(socket) == []
    with dialed(exchange, "/v2/iex") as socket:
        assert heard(socket) == [{"T": "success", "msg": "connected"}]
        assert tell(socket, action="subscribe", quotes=["*"])[0]["code"] == 401
        assert tell(socket, action="auth", key="PKTEST", secret="wrong")[0]["code"] == 402
        assert list(socket) == []


def test_lost_stream_events_and_dropped_streams_are_faults(exchange: Served) -> None:
    with dialed(exchange, "/stream") as socket:
        authenticate(socket)
        tell(socket, **LISTEN)
        exchange.fault(drop_stream_events=1)
        exchange.order()
        assert heard(socket)["data"]["event"] == "fill"
        answer = exchange.call("POST", "/sim/drop-streams")
        assert answer.json() == {"dropped": 1}
        with pytest.raises(ConnectionClosedError):
            socket.recv(WAIT_S_MAX)


@pytest.mark.parametrize("as_msgpack", [True, False])
def test_market_data_is_sent_as_subscribed_in_the_clients_encoding(
    exchange: Served, as_msgpack: bool
) -> None:
    kind = {"Content-Type": "application/msgpack"} if as_msgpack else {}
    with dialed(exchange, "/v2/sip", additional_headers=kind) as socket:

        def messages() -> list[dict[str, Any]]:
            raw = socket.recv(WAIT_S_MAX)
            decoded = msgpack.decode(raw) if isinstance(raw, bytes) else json.loads(raw)
            assert isinstance(raw, bytes) is as_msgpack
            assert isinstance(decoded, list)
            return decoded

        messages()
        auth = {"action": "auth", "key": "PKTEST", "secret": "secret"}
        socket.send(msgpack.encode(auth) if as_msgpack else json.dumps(auth))
        assert messages()[0]["msg"] == "authenticated"
        wanted = {"action": "subscribe", "quotes": ["AAPL", "PG"], "trades": ["*"], "bars": ["IBM"]}
        socket.send(json.dumps(wanted))
        messages()
        less = {"action": "unsubscribe", "quotes": ["PG"]}
        socket.send(json.dumps(less))
        assert messages()[0]["quotes"] == ["AAPL"]
        exchange.call("POST", "/sim/start")
        seen: list[dict[str, Any]] = []
        while "b" not in {each["T"] for each in seen}:
            seen += messages()
        assert {each["S"] for each in seen if each["T"] == "q"} == {"AAPL"}
        assert {each["S"] for each in seen if each["T"] == "t"} > {"AAPL", "PG"}
        assert {each["S"] for each in seen if each["T"] == "b"} == {"IBM"}


class FakeTime:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.now_ns = 0

    def __call__(self) -> int:
        return self.now_ns


def standing(speed: int = 1) -> tuple[RunningExchange, FakeTime]:
    tape = tape_by_name("flash-crash@14:44-14:49")
    wall = FakeTime()
    clock = TapeClock(start_ns=tape.session.open_ns, speed_nanos=speed * NANOS, monotonic_ns=wall)
    running = RunningExchange(tape, config_for(tape), clock)
    clock.start()
    return running, wall


def test_a_request_sees_all_that_the_tape_showed_by_then_and_nothing_later() -> None:
    running, wall = standing(speed=10)
    face = Face(running, key_pairs=KEYS, requests_per_minute=1_000, seed=1)
    request = Request(
        method="GET",
        path="/v2/stocks/quotes/latest",
        query={"symbols": "AAPL"},
        headers={name.lower(): value for name, value in HEADERS.items()},
        body=b"",
        peer="",
        target="",
    )
    events = [e for e in running.tape.read() if isinstance(e, TapeQuote) and e.symbol == "AAPL"]
    for seconds in (0, 1, 7, 20):
        wall.now_ns = seconds * NANOS
        answer = face.handle(request)
        assert isinstance(answer, Response)
        shown = json.loads(answer.body)["quotes"]["AAPL"]
        now_ns = running.tape.session.open_ns + seconds * 10 * NANOS
        last = [event for event in events if event.at_ns <= now_ns][-1]
        assert round(shown["bp"] * 100) == last.bid_nanos * 100 // NANOS
        assert round(shown["ap"] * 100) == last.ask_nanos * 100 // NANOS


def test_the_same_requests_at_the_same_times_give_the_same_ledger() -> None:
    ledgers = []
    for pauses in (1, 4):
        running, wall = standing()
        for second in range(240):
            for part in range(pauses):  # how often it is asked between makes no difference
                wall.now_ns = second * NANOS + part * NANOS // pauses
                running.catch_up()
            if second % 9 == 0:
                wall.now_ns = second * NANOS + NANOS * 9 // 10
                now_ns = running.catch_up()
                ticket = Ticket(
                    client_order_id=f"c{second}",
                    symbol="AAPL" if second % 2 else "PG",
                    side=Side.BUY,
                    order_type=OrderType.MARKET,
                    time_in_force=TimeInForce.DAY,
                    quantity_nanos=3 * NANOS,
                )
                running.exchange.submit(now_ns, ticket)
        ledgers.append(running.ledger_lines)
    assert ledgers[0] == ledgers[1]
    assert len(ledgers[0]) > 60


def test_an_order_that_is_returned_is_a_copy() -> None:
    running, _ = standing()
    now_ns = running.catch_up()
    ticket = Ticket(
        client_order_id="c",
        symbol="AAPL",
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.DAY,
        quantity_nanos=NANOS,
        limit_price_nanos=NANOS,
    )
    order = running.exchange.submit(now_ns, ticket)
    assert isinstance(order, Order)
    before = structs.replace(order)
    running.exchange.cancel(now_ns, order.order_id)
    assert structs.asdict(order) == structs.asdict(before)
