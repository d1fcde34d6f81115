"""The account's activities of the simulated exchange: Alpaca's shape and pages, and how it lies."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fuseboard.exchange.ledger import OrderFilled
from tests.exchange.serving import Served, served

FILLS = "/v2/account/activities/FILL"


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path) as one:
        yield one


def ids(page: list[dict[str, Any]]) -> list[str]:
    return [each["id"] for each in page]


def test_each_execution_of_the_ledger_is_one_activity_in_alpacas_shape(exchange: Served) -> None:
    bought = exchange.order(qty="3").json()
    exchange.order(symbol="IBM")
    fills = [entry for entry in exchange.entries() if isinstance(entry, OrderFilled)]
    told = exchange.get(f"{FILLS}?direction=asc")
    assert [each["order_id"] for each in told] == [fill.order_id for fill in fills]
    assert sum(float(each["qty"]) for each in told if each["order_id"] == bought["id"]) == 3
    first = told[0]
    assert first["activity_type"] == "FILL"
    assert first["side"] == "buy"
    assert first["id"].split("::")[1] == fills[0].execution_id
    assert first["id"][:8] == "20100506"
    assert float(first["cum_qty"]) + float(first["leaves_qty"]) == 3
    assert told[-1]["type"] == "fill"
    assert told[-1]["leaves_qty"] == "0"


def test_pages_follow_their_token_in_both_directions_and_a_wrong_token_is_refused(
    exchange: Served,
) -> None:
    for _ in range(5):
        exchange.order()
    everything = ids(exchange.get(f"{FILLS}?direction=asc"))
    assert ids(exchange.get(FILLS)) == everything[::-1]
    for direction, wanted in (("asc", everything), ("desc", everything[::-1])):
        found: list[str] = []
        while len(page := ids(exchange.get(_page(direction, found)))) == 2:
            found += page
        assert found + page == wanted
    for wrong in ("page_token=nobody", "page_size=0", "page_size=101", "direction=up", "after=x"):
        assert exchange.call("GET", f"{FILLS}?{wrong}").status_code == 422, wrong
    newest = exchange.get(FILLS)[0]
    assert not exchange.get(f"{FILLS}?after={newest['transaction_time']}")


def _page(direction: str, found: list[str]) -> str:
    token = f"&page_token={found[-1]}" if found else ""
    return f"{FILLS}?page_size=2&direction={direction}{token}"


def test_money_paid_in_and_out_is_an_activity_of_its_own_kind(exchange: Served) -> None:
    for amount in ("250", "-100.5"):
        exchange.call("POST", "/sim/cash", json={"amount": amount})
    exchange.order()
    kinds = [each["activity_type"] for each in exchange.get("/v2/account/activities")]
    assert kinds == ["FILL", "CSW", "CSD"]
    asked = exchange.get("/v2/account/activities?activity_types=CSW,CSD&direction=asc")
    assert [each["net_amount"] for each in asked] == ["250", "-100.5"]


def test_the_activities_can_leave_an_execution_out_or_tell_it_twice(exchange: Served) -> None:
    exchange.fault(hide_activities=1)
    hidden = exchange.order().json()["id"]
    exchange.fault(repeat_activities=1)
    twice = exchange.order().json()["id"]
    honest = exchange.order().json()["id"]
    told = [each["order_id"] for each in exchange.get(f"{FILLS}?direction=asc")]
    assert told == [twice, twice, honest]
    assert len(set(ids(exchange.get(FILLS)))) == 3
    filled = [entry.order_id for entry in exchange.entries() if isinstance(entry, OrderFilled)]
    assert filled == [hidden, twice, honest], "the ledger is what happened"


def test_an_execution_can_come_into_its_place_late(
    exchange: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fuseboard.exchange.face.LATE_S", 0.5)
    exchange.fault(late_activities=1)
    late = exchange.order().json()["id"]
    at_once = exchange.order().json()["id"]
    assert [each["order_id"] for each in exchange.get(FILLS)] == [at_once]
    ends = time.monotonic() + 20
    while len(exchange.get(FILLS)) < 2:
        assert time.monotonic() < ends
        time.sleep(0.05)
    told = [each["order_id"] for each in exchange.get(f"{FILLS}?direction=asc")]
    assert sorted(told) == sorted([late, at_once])
