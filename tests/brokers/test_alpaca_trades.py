import asyncio
import json
import time
from typing import Any

import pytest

from fuseboard.brokers.alpaca_session import AlpacaOptions
from fuseboard.brokers.alpaca_trades import TradeStream, facts_of_update
from fuseboard.vocabulary.inputs import (
    BrokerStreamChanged,
    FillReported,
    ForeignOrderSeen,
    OrderEnded,
    OrderWorking,
)
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import OrderStatus, Side
from fuseboard.wire.alpaca_orders import ShapeUnknown
from tests.brokers.scripted_broker import (
    INSTANCE,
    OURS,
    PATIENCE_S,
    QUICK,
    Facts,
    ScriptedBroker,
    broker_against,
    order_entry,
)

UP, DOWN = BrokerStreamChanged(connected=True), BrokerStreamChanged(connected=False)


def fact(event: str, data: dict[str, Any] | None = None, **order: Any) -> Any:
    """The only fact of an update; None where it says nothing."""
    update = {"event": event, "order": order_entry(**order), **(data or {})}
    found = facts_of_update(INSTANCE, update)
    assert len(found) <= 1
    return found[0] if found else None


def test_a_fill_carries_its_own_numbers_and_the_cumulative_ones() -> None:
    numbers = {"price": "199.2500000015", "qty": "2"}
    seen = fact("partial_fill", numbers, filled_qty="3", filled_avg_price="199.123456789987654321")
    assert seen == FillReported(
        order_id=OURS,
        broker_order_id="b-1",
        quantity_nanos=2 * NANOS,
        price_nanos=199_250_000_002,
        filled_quantity_nanos=3 * NANOS,
        filled_price_nanos=199_123_456_790,
        final=False,
    )
    assert fact("fill", numbers, filled_qty="10", filled_avg_price="1").final


@pytest.mark.parametrize("event", ["new", "accepted", "pending_new"])
def test_a_working_order_works(event: str) -> None:
    assert fact(event) == OrderWorking(order_id=OURS, broker_order_id="b-1")


@pytest.mark.parametrize(
    ("event", "status"),
    [
        ("canceled", OrderStatus.CANCELED),
        ("expired", OrderStatus.EXPIRED),
        ("rejected", OrderStatus.REJECTED),
        ("replaced", OrderStatus.CANCELED),
    ],
)
def test_an_ended_order_ends_with_what_it_had_filled(event: str, status: OrderStatus) -> None:
    assert fact(event, {"reason": "why"}, filled_qty="1", filled_avg_price="2") == OrderEnded(
        order_id=OURS,
        broker_order_id="b-1",
        status=status,
        filled_quantity_nanos=NANOS,
        filled_price_nanos=2 * NANOS,
        message="why",
    )


def test_a_strangers_order_is_foreign_unless_it_has_ended() -> None:
    for event in ("new", "fill"):
        assert fact(event, client_order_id="theirs") == ForeignOrderSeen(
            wire_id="theirs",
            broker_order_id="b-1",
            symbol="AAPL",
            ours_by_prefix=False,
            side=Side.BUY,
            quantity_nanos=10 * NANOS,
        )
    assert fact("new", client_order_id="fb-other123-x").ours_by_prefix
    assert fact("canceled", client_order_id="theirs") is None


def test_an_event_that_decides_nothing_is_no_fact() -> None:
    for event in ("pending_cancel", "done_for_day", "an event we do not know"):
        assert fact(event) is None


@pytest.mark.parametrize(
    "data",
    [
        None,
        {},
        {"event": "fill"},
        {"event": "fill", "order": order_entry()},
        {"event": "fill", "order": order_entry(filled_qty="1"), "qty": "NaN", "price": "1"},
        {"event": "fill", "order": order_entry(filled_qty="1"), "qty": "0", "price": "1"},
        {"event": "fill", "order": order_entry(filled_qty="1"), "qty": "2", "price": "1"},
        {"event": "fill", "order": order_entry(filled_qty="1e5"), "qty": "2", "price": "1"},
        {"event": "new", "order": order_entry(client_order_id=None)},
    ],
)
def test_an_update_that_cannot_be_read_is_never_passed_over(data: Any) -> None:
    with pytest.raises(ShapeUnknown):
        facts_of_update(INSTANCE, data)


def test_the_stream_authenticates_listens_delivers_and_comes_back_after_a_loss() -> None:
    script = ScriptedBroker()
    facts = Facts()

    async def scenario() -> None:
        async with broker_against(script) as broker:
            await broker.start(facts)
            assert await facts.taken(1) == [UP]
            await asyncio.wait_for(script.arrived.wait(), PATIENCE_S)
            assert script.heard == [
                {"action": "authenticate", "data": {"key_id": "key", "secret_key": "secret"}},
                {"action": "listen", "data": {"streams": ["trade_updates"]}},
            ]
            script.update("new", order_entry())
            assert await facts.taken(1) == [OrderWorking(order_id=OURS, broker_order_id="b-1")]
            for _ in range(3):
                script.sessions[-1].abort()
                assert await facts.taken(2) == [DOWN, UP]
            script.update("canceled", order_entry())
            assert isinstance((await facts.taken(1))[0], OrderEnded)
        assert facts.seen == []

    asyncio.run(scenario())


@pytest.mark.parametrize("is_told", [True, False])
def test_a_stream_whose_task_fails_is_told_or_raised_when_it_is_stopped(*, is_told: bool) -> None:
    told: list[str] = []

    def broken(_fact: object) -> None:
        raise AssertionError("the books do not add up")

    async def scenario() -> None:
        options = AlpacaOptions(base_url="http://127.0.0.1:1", key_id="k", secret="s", instance="i")
        stream = TradeStream(options, QUICK, told.append if is_told else None)
        stream.start(broken)
        assert stream._task._task is not None
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.wait([stream._task._task])
        await asyncio.sleep(0)
        if is_told:
            await stream.stop()
        else:
            with pytest.raises(AssertionError, match="do not add up"):
                await stream.stop()
        await stream.stop()

    asyncio.run(scenario())
    words = "the order stream died: AssertionError: the books do not add up"
    assert told == ([words] if is_told else [])


def test_an_update_that_cannot_be_read_breaks_the_stream_so_that_the_books_are_compared() -> None:
    script = ScriptedBroker()
    facts = Facts()

    async def scenario() -> None:
        async with broker_against(script) as broker:
            await broker.start(facts)
            assert await facts.taken(1) == [UP]
            script.update("fill", order_entry(), qty="NaN", price="1")
            assert await facts.taken(2) == [DOWN, UP]
            script.sessions[-1].send("nonsense")
            assert await facts.taken(2) == [DOWN, UP]

    asyncio.run(scenario())


def test_a_refused_key_is_told_once_and_tried_again_for_ever() -> None:
    script = ScriptedBroker()
    script.authorized = False
    facts = Facts()

    async def scenario() -> None:
        async with broker_against(script) as broker:
            await broker.start(facts)
            assert await facts.taken(1) == [DOWN]
            async with asyncio.timeout(PATIENCE_S):
                while len(script.heard) < 4:
                    await asyncio.sleep(0.01)
            script.authorized = True
            assert await facts.taken(1) == [UP]

    asyncio.run(scenario())


def test_a_broker_that_is_away_is_tried_with_growing_waits_and_stopping_is_quick() -> None:
    facts = Facts()

    async def scenario() -> float:
        async with broker_against(ScriptedBroker(), base_url="http://127.0.0.1:1") as broker:
            await broker.start(facts)
            assert await facts.taken(1) == [DOWN]
            began = time.monotonic()
        return time.monotonic() - began

    assert asyncio.run(scenario()) < PATIENCE_S / 2


def test_text_and_binary_frames_mean_the_same() -> None:
    script = ScriptedBroker()
    facts = Facts()
    message = {"stream": "trade_updates", "data": {"event": "new", "order": order_entry()}}

    async def scenario() -> None:
        async with broker_against(script) as broker:
            await broker.start(facts)
            await facts.taken(1)
            script.sessions[-1].send(json.dumps(message))
            script.sessions[-1].send(json.dumps(message).encode())
            first, second = await facts.taken(2)
            assert first == second

    asyncio.run(scenario())
