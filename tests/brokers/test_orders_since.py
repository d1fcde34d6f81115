"""After a restore Alpaca is asked for every order since the backup, page by page, newest first."""

from typing import Any

import pytest

from fuseboard.brokers.alpaca_session import PAGE_ORDERS_MAX, PAGES_MAX
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.restored_inputs import OrdersSinceSeen
from fuseboard.wire.alpaca_values import ns_from_rfc3339
from fuseboard.wire.http_messages import Request, Response
from tests.brokers.scripted_broker import answer
from tests.brokers.test_alpaca_broker import asked, working

BEGAN_NS = 1_700_000_000 * NANOS


def ours(number: int) -> dict[str, Any]:
    return {**working(number), "client_order_id": f"fb-abcd1234-{number}"}


def seen(orders: list[dict[str, Any]], since_ns: int = 0) -> tuple[OrdersSinceSeen, int]:
    """What the adapter makes of a list in Alpaca's order, and how many pages it asked for."""
    pages = 0

    def listed(request: Request) -> Response:
        nonlocal pages
        pages += 1
        assert (request.query["status"], request.query["direction"]) == ("all", "desc")
        until = ns_from_rfc3339(request.query.get("until", "2100-01-01T00:00:00Z"))
        newest = [o for o in reversed(orders) if ns_from_rfc3339(o["submitted_at"]) <= until]
        return answer(200, newest[: int(request.query["limit"])])

    found = asked({"GET /v2/orders": listed}, lambda broker: broker.orders_since(since_ns))
    return found, pages


@pytest.mark.parametrize("count", [0, 499, 500, 501, 1_501])
def test_every_order_is_told_once_though_moments_are_shared(count: int) -> None:
    found, _ = seen([ours(number) for number in range(count)])
    assert [order.broker_order_id for order in found.orders] == [
        f"b-{number}" for number in reversed(range(count))
    ]
    assert found.complete


def test_a_strangers_order_is_left_out_and_the_list_is_read_no_further_than_asked() -> None:
    orders = [ours(number) for number in range(1_200)]
    found, pages = seen([*orders, working(1_200)], BEGAN_NS + 1_200)
    assert pages == 1
    assert "foreign-1200" not in [order.wire_id for order in found.orders]
    assert len(found.orders) == PAGE_ORDERS_MAX - 1
    assert found.complete


def test_a_list_that_goes_on_is_cut_off_and_said_to_be() -> None:
    stuck = [{**ours(number), "submitted_at": "2026-01-01T00:00:00Z"} for number in range(501)]
    found, pages = seen(stuck)
    assert (found.complete, pages) == (False, 2)
    assert PAGES_MAX * PAGE_ORDERS_MAX == 20_000, "as many ids as the kernel keeps"
