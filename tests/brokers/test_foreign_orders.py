"""Foreign orders as the broker's list and stream tell them: all that adopting takes, or nothing."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fuseboard.brokers.alpaca import AlpacaBroker
from fuseboard.brokers.alpaca_session import AlpacaOptions
from fuseboard.brokers.alpaca_trades import facts_of_update
from fuseboard.vocabulary.effects import CancelOrder, FindOrder
from fuseboard.vocabulary.foreign_inputs import ForeignTerms
from fuseboard.vocabulary.identifiers import foreign_order_id
from fuseboard.vocabulary.inputs import (
    BrokerStreamChanged,
    FillReported,
    ForeignOrderSeen,
    OrderEnded,
    OrderNotSent,
    OrderSent,
)
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import OrderStatus, OrderType, Side, TimeInForce
from fuseboard.wire.alpaca_orders import ShapeUnknown, seen_order
from fuseboard.wire.alpaca_values import ns_from_rfc3339
from tests.brokers.scripted_broker import INSTANCE, Facts, order_entry
from tests.exchange.serving import Served, served

LIMIT = {
    "client_order_id": "by-hand",
    "type": "limit",
    "limit_price": "250.5",
    "time_in_force": "gtc",
    "order_class": "",
    "asset_class": "us_equity",
}
TERMS = ForeignTerms(
    order_type=OrderType.LIMIT,
    time_in_force=TimeInForce.GTC,
    limit_price_nanos=250 * NANOS + NANOS // 2,
)


def entry(**changes: Any) -> dict[str, Any]:
    return order_entry(**{**LIMIT, **changes})


def of_update(event: str, data: dict[str, Any] | None = None, **changes: Any) -> Any:
    return facts_of_update(INSTANCE, {"event": event, "order": entry(**changes), **(data or {})})


def test_an_order_tells_all_that_adopting_it_takes() -> None:
    assert seen_order(entry()).terms == TERMS
    stop = seen_order(entry(type="stop_limit", stop_price="250", extended_hours=True)).terms
    assert stop is not None
    assert (stop.order_type, stop.stop_price_nanos) == (OrderType.STOP_LIMIT, 250 * NANOS)
    assert stop.extended_hours
    ended = seen_order(entry(status="expired", filled_qty="3", filled_avg_price="251")).terms
    assert ended is not None
    assert (ended.ended, ended.filled_quantity_nanos) == (OrderStatus.EXPIRED, 3 * NANOS)
    assert ended.filled_price_nanos == 251 * NANOS


def test_an_end_is_dated_by_the_first_time_after_its_last_fill() -> None:
    late, early = "2026-11-20T15:00:00Z", "2026-11-13T15:00:00Z"
    times = {"filled_at": early, "updated_at": late}
    assert _ended_ns(status="filled", **times) == ns_from_rfc3339(early)
    assert _ended_ns(status="canceled", canceled_at=early, updated_at=late) == ns_from_rfc3339(
        early
    )
    assert _ended_ns(status="filled", filled_at=None, updated_at=late) == ns_from_rfc3339(late)
    assert _ended_ns(status="filled", filled_at="soon", updated_at=None) == 0
    assert _ended_ns(status="partially_filled", **times) == 0, "it works"


def _ended_ns(**changes: Any) -> int:
    terms = seen_order(entry(**changes)).terms
    assert terms is not None
    return terms.ended_wall_ns


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "trailing_stop"},
        {"time_in_force": "opg"},
        {"order_class": "bracket"},
        {"order_class": "oco"},
        {"asset_class": "us_option"},
        {"legs": [entry()]},
        {"qty": None, "notional": "500"},
        {"notional": "500"},
        {"limit_price": None},
        {"limit_price": "0"},
        {"limit_price": "-1"},
        {"limit_price": "NaN"},
        {"stop_price": "240"},
        {"type": "stop"},
        {"type": None},
    ],
)
def test_what_is_not_modelled_has_no_terms_and_is_told_all_the_same(
    changes: dict[str, Any],
) -> None:
    (seen,) = of_update("new", **changes)
    assert isinstance(seen, ForeignOrderSeen)
    assert (seen.wire_id, seen.terms) == ("by-hand", None)
    assert of_update("canceled", **changes) == ()


def test_a_fill_tells_the_order_as_it_stood_before_and_then_the_fill() -> None:
    seen, fill = of_update(
        "partial_fill", {"qty": "2", "price": "250"}, filled_qty="5", filled_avg_price="249.4"
    )
    assert seen.terms.filled_quantity_nanos == 3 * NANOS
    assert seen.terms.filled_price_nanos == 249 * NANOS
    assert fill == FillReported(
        order_id="foreign-b-1",
        broker_order_id="b-1",
        quantity_nanos=2 * NANOS,
        price_nanos=250 * NANOS,
        filled_quantity_nanos=5 * NANOS,
        filled_price_nanos=249_400_000_000,
        final=False,
    )
    seen, fill = of_update(
        "fill", {"qty": "10", "price": "250"}, status="filled", filled_qty="10",
        filled_avg_price="250",
    )  # fmt: skip
    assert (seen.terms.filled_quantity_nanos, seen.terms.ended) == (0, None)
    assert fill.final


def test_a_fill_of_one_that_may_be_adopted_is_never_passed_over() -> None:
    with pytest.raises(ShapeUnknown):
        of_update("fill", {"qty": "NaN", "price": "250"}, filled_qty="10")
    assert len(of_update("fill", {"qty": "NaN", "price": "250"}, order_class="mleg")) == 1


@pytest.mark.parametrize(
    ("event", "status"),
    [
        ("canceled", OrderStatus.CANCELED),
        ("expired", OrderStatus.EXPIRED),
        ("rejected", OrderStatus.REJECTED),
        ("replaced", OrderStatus.CANCELED),
    ],
)
def test_an_end_tells_how_it_ended(event: str, status: OrderStatus) -> None:
    seen, ended = of_update(event, {"reason": "why"}, filled_qty="1", filled_avg_price="2")
    assert (seen.terms.ended, seen.terms.filled_quantity_nanos) == (status, NANOS)
    assert ended == OrderEnded(
        order_id="foreign-b-1",
        broker_order_id="b-1",
        status=status,
        filled_quantity_nanos=NANOS,
        filled_price_nanos=2 * NANOS,
        message="why",
    )


def test_of_a_twins_order_nothing_is_told_that_would_adopt_it() -> None:
    (seen,) = of_update("new", client_order_id="fb-other123-x")
    assert (seen.ours_by_prefix, seen.terms) == (True, None)
    fill = {"qty": "1", "price": "250"}
    assert len(of_update("fill", fill, client_order_id="fb-other123-x", filled_qty="1")) == 1


# --- against the exchange, with orders that came by another way -----------------------------------


def against(folder: Path, scenario: Callable[[AlpacaBroker, Served, Facts], Any]) -> None:
    """Our adapter and somebody who places orders at the exchange without it."""

    async def run(exchange: Served) -> None:
        options = AlpacaOptions(
            base_url=exchange.url, key_id="PKTEST", secret="secret", instance=INSTANCE
        )
        broker, facts = AlpacaBroker(options), Facts()
        try:
            await broker.start(facts)
            assert await facts.taken(1) == [BrokerStreamChanged(connected=True)]
            await scenario(broker, exchange, facts)
        finally:
            await broker.stop()

    with served(folder) as exchange:
        asyncio.run(run(exchange))


def find_of(placed: dict[str, Any]) -> FindOrder:
    return FindOrder(
        order_id=foreign_order_id(placed["id"]),
        wire_id=placed["client_order_id"],
        absent_after_ns=0,
        broker_order_id=placed["id"],
    )


def test_an_order_by_hand_is_seen_found_replaced_and_cancelled(tmp_path: Path) -> None:
    async def scenario(broker: AlpacaBroker, exchange: Served, facts: Facts) -> None:
        placed = exchange.order(type="limit", limit_price="1", time_in_force="gtc", qty="7").json()
        (seen,) = await facts.taken(1)
        (listed,) = await broker.foreign_orders(lambda _wire: False)
        assert listed == seen
        assert isinstance(seen, ForeignOrderSeen)
        assert (seen.side, seen.quantity_nanos) == (Side.BUY, 7 * NANOS)
        assert seen.terms == ForeignTerms(
            order_type=OrderType.LIMIT, time_in_force=TimeInForce.GTC, limit_price_nanos=NANOS
        )
        found = await broker.find(find_of(placed))
        assert found == OrderSent(
            order_id=f"foreign-{placed['id']}",
            broker_order_id=placed["id"],
            status=OrderStatus.WORKING,
        )
        # Replaced by hand: the broker's new order has a new id.
        path = f"/v2/orders/{placed['id']}"
        new = exchange.call("PATCH", path, json={"qty": "9"}).json()
        told = await facts.taken(3)
        ended = [fact for fact in told if isinstance(fact, OrderEnded)]
        assert [(fact.broker_order_id, fact.status) for fact in ended] == [
            (placed["id"], OrderStatus.CANCELED)
        ]
        (other,) = [fact for fact in told if getattr(fact, "broker_order_id", "") == new["id"]]
        assert isinstance(other, ForeignOrderSeen)
        assert (other.quantity_nanos, other.terms) == (9 * NANOS, seen.terms)
        assert (
            await broker.cancel(
                CancelOrder(order_id=foreign_order_id(new["id"]), broker_order_id=new["id"])
            )
            is None
        )
        _, gone = await facts.taken(2)
        assert isinstance(gone, OrderEnded)
        assert await broker.foreign_orders(lambda _wire: False) == []
        assert await broker.foreign_since(0) == [], "nothing of them was filled"
        found = await broker.find(find_of(new))
        assert isinstance(found, OrderSent)
        assert found.status is OrderStatus.CANCELED
        absent = await broker.find(find_of({"id": "nobody's", "client_order_id": "x"}))
        assert isinstance(absent, OrderNotSent)

    against(tmp_path, scenario)


def test_an_order_by_hand_that_fills_at_once_is_told_and_is_in_the_list_of_what_ended(
    tmp_path: Path,
) -> None:
    async def scenario(broker: AlpacaBroker, exchange: Served, facts: Facts) -> None:
        placed = exchange.order(qty="3").json()
        told = [*await facts.taken(3)]
        assert [type(fact) for fact in told] == [ForeignOrderSeen, ForeignOrderSeen, FillReported]
        fill = told[-1]
        assert isinstance(fill, FillReported)
        assert (fill.order_id, fill.final) == (f"foreign-{placed['id']}", True)
        assert fill.filled_quantity_nanos == 3 * NANOS
        before = told[1]
        assert isinstance(before, ForeignOrderSeen)
        assert before.terms is not None
        assert (before.terms.filled_quantity_nanos, before.terms.ended) == (0, None)
        (ended,) = await broker.foreign_since(0)
        assert ended.terms is not None
        assert (ended.broker_order_id, ended.terms.ended) == (placed["id"], OrderStatus.FILLED)
        assert ended.terms.filled_price_nanos == fill.filled_price_nanos
        dated = await broker.positions(timed=True)
        assert 0 <= dated.after_broker_ns - ended.terms.ended_wall_ns < 60 * NANOS

    against(tmp_path, scenario)
