"""The exchange's door, by plain requests: Alpaca's answers, faults, limits."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from fuseboard.exchange.ledger import (
    CashMoved,
    OrderAccepted,
    OrderFilled,
    RequestRefused,
    read_ledger,
)
from tests.exchange.serving import HEADERS, WAIT_S_MAX, Served, served


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("exchange")) as exchange:
        yield exchange


def test_a_request_without_a_known_key_pair_is_unauthorized(shared: Served) -> None:
    for headers in (
        {},
        {**HEADERS, "APCA-API-SECRET-KEY": "wrong"},
        {"APCA-API-KEY-ID": "nobody", "APCA-API-SECRET-KEY": ""},
        {"Authorization": "Basic !!!"},
    ):
        answer = requests.get(f"{shared.url}/v2/account", headers=headers, timeout=WAIT_S_MAX)
        assert answer.status_code == 401
        assert answer.json() == {"message": "unauthorized"}
    basic = requests.get(f"{shared.url}/v2/account", auth=("PKTEST", "secret"), timeout=WAIT_S_MAX)
    assert basic.status_code == 200


def test_refusals_have_alpacas_codes_and_words(shared: Served) -> None:
    taken = shared.order(client_order_id="once", type="limit", limit_price="1.00", symbol="IBM")
    assert taken.status_code == 200
    for fields, status, code, words in (
        ({"client_order_id": "once"}, 422, 40010001, "client_order_id must be unique"),
        ({"symbol": "NOPE"}, 422, 42210000, 'asset "NOPE" not found'),
        ({"qty": "1000000"}, 403, 40310000, "insufficient buying power"),
        ({"qty": "NaN"}, 422, 42210000, "qty"),
        ({"type": "limit", "limit_price": 100.001}, 422, 42210000, "sub-penny"),
        ({"notional": "5"}, 422, 42210000, "notional"),
        ({"symbol": "IBM", "side": "sell"}, 403, 40310000, "cannot open a short sell"),
    ):
        answer = shared.order(**fields)
        assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
        assert words in answer.json()["message"]
    unknown = "00000000-0000-4000-8000-000000000000"
    assert shared.call("GET", f"/v2/orders/{unknown}").json()["code"] == 40410000
    assert shared.call("DELETE", f"/v2/orders/{unknown}").status_code == 404
    assert shared.call("GET", "/v2/positions/JPM").json()["message"] == "position does not exist"
    assert shared.call("GET", "/v2/watchlists").status_code == 404
    assert shared.call("DELETE", f"/v2/orders/{taken.json()['id']}").status_code == 204
    again = shared.call("DELETE", f"/v2/orders/{taken.json()['id']}")
    assert (again.status_code, again.json()["code"]) == (422, 42210000)


def test_orders_are_listed_as_the_filters_ask(shared: Served) -> None:
    ids = [
        shared.order(type="limit", limit_price="1.00", symbol=symbol).json()["id"]
        for symbol in ("XOM", "JPM", "XOM")
    ]
    assert [o["id"] for o in shared.get("/v2/orders?symbols=XOM,JPM")] == ids[::-1]
    assert [o["id"] for o in shared.get("/v2/orders?symbols=XOM&direction=asc")] == ids[::2]
    assert [o["id"] for o in shared.get("/v2/orders?symbols=XOM&limit=1")] == ids[2:]
    assert not shared.get("/v2/orders?symbols=XOM&status=closed")
    assert not shared.get("/v2/orders?symbols=XOM&side=sell")
    created = shared.get(f"/v2/orders/{ids[0]}")["created_at"]
    assert not shared.get(f"/v2/orders?symbols=XOM&status=all&after={created}")
    assert shared.get(f"/v2/orders?symbols=XOM&status=all&until={created}")
    assert shared.call("GET", "/v2/orders?status=odd").status_code == 422
    assert shared.call("GET", "/v2/orders?limit=501").status_code == 422
    answer = shared.call("DELETE", "/v2/orders")
    assert answer.status_code == 207
    assert {each["id"] for each in answer.json()} >= set(ids)
    assert not shared.get("/v2/orders")


def test_a_position_is_held_by_its_orders_and_closed_by_delete(shared: Served) -> None:
    bought = shared.order(symbol="MSFT", qty="4").json()
    assert shared.get(f"/v2/orders/{bought['id']}")["status"] == "filled"
    working = shared.order(symbol="MSFT", qty="3", side="sell", type="limit", limit_price="99")
    assert working.status_code == 200
    refused = shared.order(symbol="MSFT", qty="2", side="sell")
    assert refused.status_code == 403
    body = refused.json()
    assert body["message"] == "insufficient qty available for order (requested: 2, available: 1)"
    assert (body["existing_qty"], body["held_for_orders"], body["available"]) == ("4", "3", "1")
    position = shared.get("/v2/positions/MSFT")
    assert (position["qty"], position["qty_available"], position["side"]) == ("4", "1", "long")
    part = shared.call("DELETE", "/v2/positions/MSFT?percentage=25").json()
    assert (part["qty"], part["side"]) == ("1", "sell")
    closed = shared.call("DELETE", "/v2/positions?cancel_orders=True")
    assert closed.status_code == 207
    mine = next(each for each in closed.json() if each["symbol"] == "MSFT")
    assert (mine["status"], mine["body"]["qty"]) == (200, "3")
    assert not shared.get("/v2/positions")


def test_a_replaced_order_has_a_new_id_and_the_old_one_says_so(shared: Served) -> None:
    old = shared.order(type="limit", limit_price="1.00", symbol="PG", qty="5").json()
    new = shared.call("PATCH", f"/v2/orders/{old['id']}", json={"qty": 2, "limit_price": "1.5"})
    assert new.status_code == 200
    assert (new.json()["qty"], new.json()["limit_price"]) == ("2", "1.5")
    assert new.json()["replaces"] == old["id"]
    before = shared.get(f"/v2/orders/{old['id']}")
    assert (before["status"], before["replaced_by"]) == ("replaced", new.json()["id"])
    assert shared.call("PATCH", f"/v2/orders/{old['id']}", json={"qty": 1}).status_code == 422
    odd = shared.call("PATCH", f"/v2/orders/{new.json()['id']}", json={"side": "sell"})
    assert odd.status_code == 422
    shared.call("DELETE", "/v2/orders")


def test_clock_and_calendar_know_the_nyse(shared: Served) -> None:
    clock = shared.get("/v2/clock")
    assert clock["is_open"] is True
    assert clock["timestamp"].startswith("2010-05-06T18:44:00")
    assert clock["next_close"] == "2010-05-06T20:00:00Z"
    assert clock["next_open"] == "2010-05-07T13:30:00Z"
    days = shared.get("/v2/calendar?start=2025-11-24&end=2025-12-01")
    assert [(day["date"][-2:], day["close"]) for day in days] == [
        ("24", "16:00"),
        ("25", "16:00"),
        ("26", "16:00"),
        ("28", "13:00"),
        ("01", "16:00"),
    ]


def test_an_order_lost_after_it_was_taken_is_in_the_ledger_and_found_by_its_id(
    tmp_path: Path,
) -> None:
    with served(tmp_path) as exchange:
        exchange.fault(drop_after_accept=1, server_error_after_accept=1)
        with pytest.raises(requests.ConnectionError):
            exchange.order(client_order_id="lost")
        assert exchange.order(client_order_id="hidden").status_code == 500
        assert exchange.order(client_order_id="fine").status_code == 200
        exchange.fault(drop_before_accept=1, server_error=0)
        with pytest.raises(requests.ConnectionError):
            exchange.order(client_order_id="never")
        accepted = [e.client_order_id for e in exchange.entries() if isinstance(e, OrderAccepted)]
        assert accepted == ["lost", "hidden", "fine"]
        path = "/v2/orders:by_client_order_id?client_order_id="
        assert exchange.get(path + "lost")["client_order_id"] == "lost"
        assert exchange.call("GET", path + "never").status_code == 404


def test_faults_count_down_delay_and_are_checked(tmp_path: Path) -> None:
    with served(tmp_path) as exchange:
        exchange.fault(too_many_requests=2, server_error=1)
        statuses = [exchange.call("GET", "/v2/account").status_code for _ in range(4)]
        assert statuses == [429, 429, 500, 200]
        exchange.fault(delay_ms=150)
        before = time.monotonic()
        exchange.get("/v2/account")
        assert time.monotonic() - before >= 0.15
        for wrong in ({"delay_ms": -1}, {"nonsense": 1}, {"server_error": 10**9}):
            assert exchange.call("POST", "/sim/faults", json=wrong).status_code == 422


def test_the_request_limit_answers_429_with_what_to_wait(tmp_path: Path) -> None:
    with served(tmp_path, requests_per_minute=3) as exchange:
        answers = [exchange.order(client_order_id=f"n{n}") for n in range(5)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
        left = [answer.headers["X-RateLimit-Remaining"] for answer in answers]
        assert left == ["2", "1", "0", "0", "0"]
        assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60
        assert answers[-1].json()["code"] == 42910000
        other = {"APCA-API-KEY-ID": "PKOTHER", "APCA-API-SECRET-KEY": "other"}
        assert exchange.call("GET", "/v2/account", headers=other).status_code == 429
        assert exchange.call("GET", "/v2/stocks/trades/latest?symbols=AAPL").status_code == 200
        assert len([e for e in exchange.entries() if isinstance(e, OrderAccepted)]) == 3


def test_the_clock_stands_until_it_is_started_and_the_last_quotes_stay(tmp_path: Path) -> None:
    with served(tmp_path, tape="normal@10:00-10:02", speed_nanos=4_000 * 10**9) as exchange:
        first = exchange.get("/sim/state")
        assert (first["running"], first["tape_ended"]) == (False, False)
        assert exchange.get("/sim/state")["now_ns"] == first["now_ns"]
        exchange.call("POST", "/sim/start")
        deadline = time.monotonic() + WAIT_S_MAX
        while not (state := exchange.get("/sim/state"))["tape_ended"]:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        later = exchange.get("/sim/state")
        assert later["now_ns"] > state["now_ns"] - 1
        assert later["market"] == state["market"]
        assert later["market"]["AAPL"]["last"] is not None
        assert exchange.order().status_code == 200


def test_the_process_writes_its_port_and_a_ledger_that_can_be_read_back(tmp_path: Path) -> None:
    port_file, ledger = tmp_path / "port", tmp_path / "ledger.jsonl"
    program = (
        "import asyncio, pathlib\n"
        "from fuseboard.exchange.process import ExchangeOptions, serve\n"
        f"asyncio.run(serve(ExchangeOptions(port_file=pathlib.Path({str(port_file)!r}),"
        f" ledger=pathlib.Path({str(ledger)!r}), tape='normal')))\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, env=dict(os.environ)
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline().decode()
            port = int(port_file.read_text())
            assert f":{port} " in line
            headers = {"APCA-API-KEY-ID": "SIMULATED", "APCA-API-SECRET-KEY": "simulated"}
            url = f"http://127.0.0.1:{port}/v2/orders"
            body: dict[str, Any] = {"symbol": "AAPL", "qty": 2, "side": "buy", "type": "market"}
            for tif in ("day", "opg"):
                fields = {**body, "time_in_force": tif}
                requests.post(url, json=fields, headers=headers, timeout=WAIT_S_MAX)
            oversize = {**body, "qty": 10**6, "time_in_force": "day"}
            requests.post(url, json=oversize, headers=headers, timeout=WAIT_S_MAX)
        finally:
            process.kill()
    entries = read_ledger(ledger)
    assert [e.quantity_nanos for e in entries if isinstance(e, OrderFilled)] == [2 * 10**9]
    assert [e.message for e in entries if isinstance(e, RequestRefused)] == [
        "insufficient buying power"
    ]


def test_cash_is_paid_in_and_out_and_written_down(tmp_path: Path) -> None:
    with served(tmp_path) as exchange:
        for wrong in ({}, {"amount": "much"}, {"amount": 5}):
            assert exchange.call("POST", "/sim/cash", json=wrong).status_code == 422
        before = float(exchange.get("/sim/state")["cash"])
        exchange.call("POST", "/sim/cash", json={"amount": "-250.5"})
        assert float(exchange.get("/sim/state")["cash"]) == before - 250.5
        entry = exchange.entries()[-1]
        assert isinstance(entry, CashMoved)
        assert entry.amount_nanos == -250_500_000_000
