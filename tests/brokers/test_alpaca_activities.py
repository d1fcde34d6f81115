"""The adapter's second source and its clock, against the exchange's own door and bad answers."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from msgspec import structs

from fuseboard.brokers.alpaca import AlpacaBroker, AlpacaOptions
from fuseboard.brokers.alpaca_activities import PAGE_MAX, PATH
from fuseboard.exchange.ledger import OrderFilled
from fuseboard.vocabulary.copy_inputs import EXECUTIONS_MAX, Execution, ExecutionsSeen
from fuseboard.vocabulary.doors import BrokerUnavailable, Throttled
from fuseboard.vocabulary.identifiers import wire_id as wire_id_of
from fuseboard.vocabulary.inputs import BrokerClockSeen, FillReported
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import OrderType, Side
from fuseboard.wire.alpaca import ns_from_rfc3339, rfc3339_from_ns
from fuseboard.wire.http_server import Request, Response
from tests.brokers.scripted_broker import (
    INSTANCE,
    ORDER,
    OURS,
    QUICK,
    Facts,
    ScriptedBroker,
    answer,
    broker_against,
    error,
)
from tests.exchange.serving import Served, served

Answer = TypeVar("Answer")


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path) as one:
        yield one


def asked(exchange: Served, ask: Callable[[AlpacaBroker], Awaitable[Answer]]) -> Answer:
    """What the adapter answers, in front of the exchange."""
    options = AlpacaOptions(
        base_url=exchange.url, key_id="PKTEST", secret="secret", instance=INSTANCE
    )

    async def scenario() -> Answer:
        broker = AlpacaBroker(options, QUICK)
        try:
            return await ask(broker)
        finally:
            await broker.stop()

    return asyncio.run(scenario())


def test_the_exchanges_clock_is_read_as_it_stands_and_says_whether_the_market_is_open(
    exchange: Served,
) -> None:
    now_ns = exchange.get("/sim/state")["now_ns"]
    seen = asked(exchange, lambda broker: broker.clock())
    assert seen == BrokerClockSeen(wall_ns=now_ns, is_open=True)
    assert rfc3339_from_ns(seen.wall_ns).startswith("2010-05-06T18:44:00")
    exchange.fault(too_many_requests=1)
    with pytest.raises(Throttled):
        asked(exchange, lambda broker: broker.clock())
    exchange.fault(server_error=1)
    with pytest.raises(BrokerUnavailable):
        asked(exchange, lambda broker: broker.clock())


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"timestamp": "2026-01-02 nine"}, "cannot be read"),
        ({"is_open": True}, "tells no time"),
        ({"timestamp": 5}, "tells no time"),
        ([], "tells no time"),
    ],
)
def test_a_clock_that_cannot_be_read_is_no_clock(body: Any, problem: str) -> None:
    with pytest.raises(BrokerUnavailable, match=problem):
        scripted({"GET /v2/clock": answer(200, body)}, lambda broker: broker.clock())


def test_a_clock_in_another_zone_is_the_same_moment_and_an_unclear_market_is_closed() -> None:
    body = {"timestamp": "2026-01-02T10:30:00.5-05:00", "is_open": "yes"}
    seen = scripted({"GET /v2/clock": answer(200, body)}, lambda broker: broker.clock())
    assert seen == BrokerClockSeen(wall_ns=ns_from_rfc3339("2026-01-02T15:30:00.5Z"), is_open=False)


def test_executions_are_read_from_a_known_one_on_and_agree_with_the_exchanges_ledger(
    exchange: Served,
) -> None:
    first = asked(exchange, lambda broker: broker.executions(None))
    assert first == ExecutionsSeen(after=None, newest="")
    exchange.order(qty="3")
    begun = asked(exchange, lambda broker: broker.executions(""))
    exchange.order(symbol="IBM", qty="2")
    rest = asked(exchange, lambda broker: broker.executions(begun.newest))
    told = begun.executions + rest.executions
    fills = [entry for entry in exchange.entries() if isinstance(entry, OrderFilled)]
    assert [
        (it.broker_order_id, it.side, it.quantity_nanos, it.price_nanos, it.filled_quantity_nanos)
        for it in told
    ] == [
        (it.order_id, it.side, it.quantity_nanos, it.price_nanos, it.filled_quantity_nanos)
        for it in fills
    ]
    assert (begun.newest, rest.newest) == (begun.executions[-1].execution, told[-1].execution)
    newest_page = asked(exchange, lambda broker: broker.executions(None))
    assert newest_page.executions == told
    nothing = asked(exchange, lambda broker: broker.executions(rest.newest))
    assert nothing == ExecutionsSeen(after=rest.newest, newest=rest.newest)


def test_the_stream_can_leave_an_execution_out_that_the_activities_tell_or_tell_it_twice(
    exchange: Served,
) -> None:
    market = structs.replace(ORDER, order_type=OrderType.MARKET, limit_price_nanos=None)
    orders = [
        structs.replace(
            market, order_id=order_id, wire_id=wire_id_of(instance=INSTANCE, order_id=order_id)
        )
        for order_id in (OURS, OURS[:-1] + "0")
    ]

    async def traded(broker: AlpacaBroker) -> list[FillReported]:
        facts = Facts()
        await broker.start(facts)
        await facts.taken(1)
        exchange.fault(hide_fills=1, repeat_fills=1)
        for order in orders:
            await broker.submit(order, lambda: True)
        came = await facts.taken(4)
        assert len((await broker.executions(None)).executions) == 2
        return [fact for fact in came if isinstance(fact, FillReported)]

    told = asked(exchange, traded)
    assert [fill.order_id for fill in told] == [orders[1].order_id] * 2
    assert told[0] == told[1]


def test_a_broker_without_a_feed_and_a_forgotten_place_are_told_apart_from_a_bad_moment() -> None:
    absent = scripted({}, lambda broker: broker.executions("a"))
    assert absent == ExecutionsSeen(after="a", newest="", problem="absent")
    refused = {f"GET {PATH}": error(422, 40_010_001, "page_token is unknown")}
    assert scripted(refused, lambda broker: broker.executions("a")).problem == "lost"
    for bad in (error(422, 1, "what?"), error(500, 1, "ill"), Response(200, b"{}")):
        with pytest.raises(BrokerUnavailable):
            scripted({f"GET {PATH}": bad}, lambda broker: broker.executions(None))


def entry(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"2026010210300{number:04d}::x",
        "activity_type": "FILL",
        "transaction_time": "2026-01-02T15:30:00Z",
        "price": "10.25",
        "qty": "1",
        "side": "sell_short",
        "symbol": "BTCUSD",
        "leaves_qty": "0",
        "order_id": f"o-{number}",
        "cum_qty": "1",
        **changes,
    }


def test_a_short_sale_is_a_sale_and_a_pair_is_spelled_as_we_sent_it() -> None:
    async def ask(broker: AlpacaBroker) -> ExecutionsSeen:
        broker._requests._learn_spelling("BTC/USD")
        return await broker.executions("x")

    seen = scripted({f"GET {PATH}": answer(200, [entry(1)])}, ask)
    assert seen.executions == (
        Execution(
            execution=entry(1)["id"],
            broker_order_id="o-1",
            symbol="BTC/USD",
            side=Side.SELL,
            quantity_nanos=NANOS,
            price_nanos=10_250_000_000,
            filled_quantity_nanos=NANOS,
            event_ns=ns_from_rfc3339("2026-01-02T15:30:00Z"),
        ),
    )


@pytest.mark.parametrize(
    "wrong",
    [{"qty": "0"}, {"qty": "-1"}, {"price": None}, {"side": "hold"}, {"order_id": ""},
     {"cum_qty": "NaN"}, {"transaction_time": "noon"}, {"symbol": 5}],
)  # fmt: skip
def test_an_activity_that_cannot_be_read_is_not_passed_over(wrong: dict[str, Any]) -> None:
    page = answer(200, [entry(1), entry(2, **wrong)])
    with pytest.raises(BrokerUnavailable):
        scripted({f"GET {PATH}": page}, lambda broker: broker.executions("x"))


def test_a_feed_without_an_end_is_read_in_bounded_parts_that_say_that_there_is_more() -> None:
    def page(request: Request) -> Response:
        start = int(request.query.get("page_token", "0::")[13:17] or 0)
        assert request.query["direction"] == "asc"
        return Response(200, json.dumps([entry(start + 1 + n) for n in range(PAGE_MAX)]).encode())

    seen = scripted({f"GET {PATH}": page}, lambda broker: broker.executions(""))
    assert len(seen.executions) == EXECUTIONS_MAX
    assert seen.more
    assert seen.newest == entry(EXECUTIONS_MAX)["id"]
    assert len({each.execution for each in seen.executions}) == EXECUTIONS_MAX


def scripted(answers: dict[str, Any], ask: Callable[[AlpacaBroker], Awaitable[Any]]) -> Any:
    script = ScriptedBroker()
    script.answers = answers

    async def scenario() -> Any:
        async with broker_against(script) as broker:
            return await ask(broker)

    return asyncio.run(scenario())
