import asyncio
import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace as msgspec_replace

from fuseboard.brokers.alpaca import AlpacaBroker, AlpacaOptions
from fuseboard.vocabulary.doors import Broker, BrokerUnavailable, KeyRefused, Throttled
from fuseboard.vocabulary.effects import CancelOrder, FindOrder, ReadLeg
from fuseboard.vocabulary.inputs import (
    AccountSeen,
    BrokerPosition,
    CancelRefused,
    ForeignOrderSeen,
    LegRead,
    LegReadFailed,
    OrderNotSent,
    OrderSent,
    OrderUnknown,
)
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Intent, OrderStatus
from fuseboard.vocabulary.reasons import Reason
from fuseboard.wire.alpaca import OrderBody, ns_from_rfc3339, parsed_order_body, rfc3339_from_ns
from fuseboard.wire.http_server import Request, Response
from tests.brokers.scripted_broker import (
    INSTANCE,
    ORDER,
    OURS,
    WIRE,
    Answer,
    ScriptedBroker,
    answer,
    broker_against,
    error,
    order_entry,
)

FIND = FindOrder(order_id=OURS, wire_id=WIRE, absent_after_ns=0)
LEG = ReadLeg(trip="drawdown#1", symbol="AAPL", attempt=1, order_id=OURS, wire_id=WIRE)
BY_ID = "GET /v2/orders:by_client_order_id"
ABSENT = error(404, 40_410_000, "order not found")


async def hanging(request: Request) -> Response:
    await asyncio.sleep(60)
    raise AssertionError


def submitted(scripted: Answer, **more: Any) -> Any:
    """The outcome of one submit against scripted answers, and what the broker was asked."""
    script = ScriptedBroker()
    script.answers = {"POST /v2/orders": scripted, **more.pop("answers", {})}
    allowed = more.pop("allowed", True)

    async def scenario() -> Any:
        async with broker_against(script, **more) as broker:
            return await broker.submit(ORDER, lambda: allowed)

    return asyncio.run(scenario()), script.requests


def test_the_adapter_fits_the_door() -> None:
    options = AlpacaOptions(base_url="http://h", key_id="k", secret="hidden", instance=INSTANCE)
    assert "hidden" not in repr(options)

    async def scenario() -> None:
        broker: Broker = AlpacaBroker(options)
        await broker.stop()

    asyncio.run(scenario())


def test_an_accepted_order_is_sent_exactly_as_meant_with_our_key_and_wire_id() -> None:
    outcome, requests = submitted(answer(200, order_entry()))
    assert outcome == OrderSent(order_id=OURS, broker_order_id="b-1", status=OrderStatus.WORKING)
    (request,) = requests
    assert request.headers["apca-api-key-id"] == "key"
    assert request.headers["apca-api-secret-key"] == "secret"
    assert parsed_order_body(request.body) == OrderBody(
        symbol=ORDER.symbol,
        side=ORDER.side,
        order_type=ORDER.order_type,
        time_in_force=ORDER.time_in_force,
        quantity_nanos=ORDER.quantity_nanos,
        client_order_id=WIRE,
        limit_price_nanos=ORDER.limit_price_nanos,
    )


@pytest.mark.parametrize(
    ("entry", "status", "filled", "price"),
    [
        ({"status": "filled", "filled_qty": "10", "filled_avg_price": "1.0000000005"}, "filled",
         10 * NANOS, NANOS + 1),
        ({"status": "partially_filled", "filled_qty": "4", "filled_avg_price": 2.5},
         "partially_filled", 4 * NANOS, 5 * NANOS // 2),
        ({"status": "rejected"}, "rejected", 0, 0),
        ({"status": "canceled", "filled_qty": None}, "canceled", 0, 0),
        ({"status": "expired"}, "expired", 0, 0),
        ({"status": "pending_new"}, "working", 0, 0),
        ({"status": "a word we do not know"}, "working", 0, 0),
    ],
)  # fmt: skip
def test_the_brokers_status_becomes_ours(
    entry: dict[str, Any], status: str, filled: int, price: int
) -> None:
    outcome, _ = submitted(answer(200, order_entry(**entry)))
    assert outcome.status is OrderStatus(status)
    assert (outcome.filled_quantity_nanos, outcome.filled_price_nanos) == (filled, price)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 410, 422])
def test_a_refusal_is_final_and_carries_the_brokers_words(status: int) -> None:
    outcome, requests = submitted(error(status, 40_310_000, "insufficient buying power"))
    assert outcome == OrderNotSent(
        order_id=OURS,
        reason=Reason.BROKER_REJECTED,
        http_status=status,
        broker_code=40_310_000,
        message="insufficient buying power",
    )
    assert len(requests) == 1


@pytest.mark.parametrize(
    "scripted",
    [
        error(500, 50_010_000, "internal"),
        error(502, 0, "bad gateway"),
        error(503, 0, "unavailable"),
        error(504, 0, "timeout"),
        error(408, 0, "timeout"),
        error(499, 0, "gone"),
        Response(302, headers=(("Location", "/v2/orders"),)),
        Response(200, b"<html>"),
        Response(200, b"\xff"),
        Response(200, b"[]"),
        Response(204),
        answer(200, {"id": "b-1"}),
        answer(200, order_entry(client_order_id="another")),
        answer(200, order_entry(filled_qty="NaN")),
        answer(200, order_entry(side="sideways")),
    ],
)
def test_what_is_neither_taken_nor_refused_is_in_doubt_and_never_repeated(
    scripted: Response,
) -> None:
    outcome, requests = submitted(scripted)
    assert isinstance(outcome, OrderUnknown)
    assert len(requests) == 1


def test_silence_after_the_bytes_have_left_is_in_doubt() -> None:
    outcome, requests = submitted(hanging, timeout_s=0.2)
    assert isinstance(outcome, OrderUnknown)
    assert len(requests) == 1


@pytest.mark.parametrize(
    ("headers", "retry_ns"),
    [({}, None), ({"Retry-After": "3"}, 3 * NANOS), ({"Retry-After": "0.5"}, NANOS),
     ({"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, None)],
)  # fmt: skip
def test_429_is_throttled_with_the_wait_that_was_asked_for(
    headers: dict[str, str], retry_ns: int | None
) -> None:
    with pytest.raises(Throttled) as caught:
        submitted(answer(429, {"message": "slow down"}, **headers))
    assert caught.value.retry_after_ns == retry_ns


def test_429_without_a_wait_is_throttled_until_the_window_that_alpaca_names_ends() -> None:
    for left_s, least_s, most_s in ((20, 15, 20), (-5, 0, 0)):
        reset = str(int(time.time()) + left_s)
        with pytest.raises(Throttled) as caught:
            submitted(answer(429, {"message": "slow down"}, **{"X-RateLimit-Reset": reset}))
        asked_ns = caught.value.retry_after_ns
        assert (asked_ns is None) == (left_s < 0)
        assert least_s * NANOS <= (asked_ns or 0) <= most_s * NANOS


def test_a_halt_at_the_socket_writes_nothing() -> None:
    outcome, requests = submitted(answer(200, order_entry()), allowed=False)
    assert outcome == OrderNotSent(order_id=OURS, reason=Reason.HALT_EPOCH)
    assert requests == []


def test_an_unreachable_broker_was_sent_nothing() -> None:
    outcome, requests = submitted(answer(200, order_entry()), base_url="http://127.0.0.1:1")
    assert outcome.reason is Reason.BROKER_UNREACHABLE
    assert requests == []


TAKEN = error(422, 40_010_001, "client_order_id must be unique")


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        (answer(200, order_entry(status="filled", filled_qty="10")), OrderSent),
        (ABSENT, OrderUnknown),
        (error(500, 0, ""), OrderUnknown),
        (hanging, OrderUnknown),
    ],
)
def test_an_id_that_is_taken_is_our_own_order_and_is_looked_up(found: Answer, kind: Any) -> None:
    outcome, requests = submitted(TAKEN, answers={BY_ID: found}, timeout_s=0.3)
    assert type(outcome) is kind
    assert [request.method for request in requests] == ["POST", "GET"]
    assert requests[1].query == {"client_order_id": WIRE}


def taken_after(
    told: str, at: str | None, *, status: str = "filled", intent: Intent = Intent.OPEN
) -> Any:
    """What a submit comes to whose id an order of `at` has, after the broker told a time: with an
    order that it took (`took`), with its clock (`clock`), or never (`never`).
    """
    other = msgspec_replace(ORDER, order_id=f"{OURS[:-1]}x", wire_id=f"{WIRE[:-1]}x")
    told_at = "2026-01-02T15:00:00Z"

    def took(request: Request) -> Response:
        if json.loads(request.body)["client_order_id"] == WIRE:
            return TAKEN
        return answer(200, order_entry(client_order_id=other.wire_id, submitted_at=told_at))

    script = ScriptedBroker()
    script.answers = {
        "POST /v2/orders": took,
        "GET /v2/clock": answer(200, {"timestamp": told_at, "is_open": True}),
        BY_ID: answer(200, order_entry(status=status, filled_qty="10", submitted_at=at)),
    }

    async def scenario() -> Any:
        async with broker_against(script) as broker:
            if told == "took":
                await broker.submit(other, lambda: True)
            if told == "clock":
                await broker.clock()
            return await broker.submit(msgspec_replace(ORDER, intent=intent), lambda: True)

    return asyncio.run(scenario())


@pytest.mark.parametrize("told", ["took", "clock"])
@pytest.mark.parametrize("intent", [Intent.OPEN, Intent.REDUCE])
@pytest.mark.parametrize("status", ["filled", "canceled"])
def test_an_id_that_an_older_order_took_is_used_up_and_its_fill_is_not_this_orders(
    told: str, intent: Intent, status: str
) -> None:
    outcome = taken_after(told, "2026-01-02T14:59:29.999Z", status=status, intent=intent)
    assert outcome == OrderNotSent(
        order_id=OURS,
        reason=Reason.CLIENT_ORDER_ID_REUSED,
        message="the broker had an order of this id at 2026-01-02T14:59:29.999Z",
    )


@pytest.mark.parametrize(
    ("told", "at", "more"),
    [
        ("took", "2026-01-02T14:59:30Z", {}),  # as young as one whose answer was lost may be
        ("took", "2026-01-02T15:00:01Z", {}),
        ("never", "2026-01-02T14:00:00Z", {}),
        ("took", None, {}),
        ("took", "long ago", {}),
        ("took", "2026-01-02T14:00:00Z", {"status": "new"}),  # our book forgets none that works
        ("took", "2026-01-02T14:00:00Z", {"intent": Intent.PLAN}),  # plans repeat their ids
    ],
)
def test_an_id_that_is_taken_is_our_own_orders_unless_that_one_is_surely_older(
    told: str, at: str | None, more: dict[str, Any]
) -> None:
    outcome = taken_after(told, at, **more)
    assert (type(outcome), outcome.filled_quantity_nanos) == (OrderSent, 10 * NANOS)


def asked(answers: dict[str, Answer], ask: Any, **options: Any) -> Any:
    script = ScriptedBroker()
    script.answers = answers

    async def scenario() -> Any:
        async with broker_against(script, **options) as broker:
            return await ask(broker)

    return asyncio.run(scenario())


@pytest.mark.parametrize(
    ("scripted", "kind"),
    [
        (answer(200, order_entry()), OrderSent),
        (ABSENT, OrderNotSent),
        (Response(404, b"<html>no such page</html>"), OrderUnknown),
        (answer(404, {"message": "not found"}), OrderUnknown),
        (error(401, 40_110_000, "unauthorized"), OrderUnknown),
        (error(500, 0, ""), OrderUnknown),
        (answer(200, order_entry(client_order_id="x")), OrderUnknown),
        (hanging, OrderUnknown),
    ],
)
def test_only_the_brokers_own_not_found_says_an_order_never_arrived(
    scripted: Answer, kind: Any
) -> None:
    outcome = asked({BY_ID: scripted}, lambda broker: broker.find(FIND), timeout_s=0.3)
    assert type(outcome) is kind
    if kind is OrderNotSent:
        assert outcome.reason is Reason.NEVER_ARRIVED


@pytest.mark.parametrize(
    ("scripted", "reason"),
    [
        (Response(204), None),
        (error(422, 42_210_000, "order is not cancelable"), Reason.ORDER_NOT_CANCELABLE),
        (ABSENT, Reason.ORDER_NOT_CANCELABLE),
        (Response(404, b"<html>"), Reason.BROKER_REJECTED),
        (error(403, 40_310_000, "no"), Reason.BROKER_REJECTED),
        (error(500, 0, ""), Reason.BROKER_UNREACHABLE),
        (hanging, Reason.BROKER_UNREACHABLE),
    ],
)
def test_a_cancel_is_taken_or_refused_with_a_reason(
    scripted: Answer, reason: Reason | None
) -> None:
    refused: CancelRefused | None = asked(
        {"DELETE /v2/orders/b-1": scripted},
        lambda broker: broker.cancel(CancelOrder(order_id=OURS, broker_order_id="b-1")),
        timeout_s=0.3,
    )
    assert (refused and refused.reason) == reason


ALL = "DELETE /v2/orders"


def test_all_are_cancelled_by_one_request_and_each_orders_answer_is_read() -> None:
    entries = [
        {"id": "b-1", "status": 200},
        {"id": "b-2", "status": 500, "body": {"code": 50010000, "message": "not cancelable"}},
        {"id": "b-3", "status": 422},
        {"id": "b-4", "status": 204, "body": None},
    ]
    assert asked({ALL: answer(207, entries)}, lambda broker: broker.cancel_all()) == ["b-1", "b-4"]
    assert asked({ALL: answer(207, [])}, lambda broker: broker.cancel_all()) == []


@pytest.mark.parametrize(
    "scripted",
    [
        error(500, 0, "Failed to cancel order"),
        error(404, 0, "no"),
        hanging,
        answer(207, {"id": "b-1", "status": 200}),
        answer(207, [{"id": "b-1"}]),
        answer(207, [{"id": "b-1", "status": "200"}]),
        Response(207, b"<html>"),
    ],
)
def test_what_became_of_all_is_not_known_without_an_answer_that_makes_sense(
    scripted: Answer,
) -> None:
    with pytest.raises(BrokerUnavailable):
        asked({ALL: scripted}, lambda broker: broker.cancel_all(), timeout_s=0.3)


def test_a_throttled_cancel_or_read_is_throttled() -> None:
    cancel = CancelOrder(order_id=OURS, broker_order_id="b-1")
    for path, ask in (
        ("DELETE /v2/orders/b-1", lambda b: b.cancel(cancel)),
        (ALL, lambda b: b.cancel_all()),
        (BY_ID, lambda b: b.find(FIND)),
        ("GET /v2/account", lambda b: b.account()),
        ("GET /v2/orders", lambda b: b.read_leg(LEG)),
    ):  # fmt: skip
        with pytest.raises(Throttled):
            asked({path: answer(429, {})}, ask)


@pytest.mark.parametrize(
    ("path", "scripted", "is_key"),
    [
        ("/v2/account", answer(401, {"message": "unauthorized."}), True),
        ("/v2/account", error(403, 40_110_000, "access key verification failed"), True),
        ("/v2/positions", answer(403, {"message": "forbidden."}), True),
        ("/v2/positions", answer(403, "forbidden"), False),  # in nobody's shape
        ("/v2/positions", answer(503, {"message": "unauthorized."}), False),
        ("/v2/clock", answer(401, {"message": "unauthorized."}), True),
        ("/v2/clock", answer(403, {"message": "forbidden."}), False),  # this one request
        ("/v1beta1/news", answer(401, {"message": "unauthorized."}), False),  # a plan without it
    ],
)
def test_a_refused_key_is_told_apart_from_a_refused_request_and_from_a_proxys_word(
    path: str, scripted: Answer, is_key: bool
) -> None:
    with pytest.raises(BrokerUnavailable) as refused:
        asked({f"GET {path}": scripted}, lambda b: b._session.read(path))
    assert isinstance(refused.value, KeyRefused) is is_key


def working(number: int, **changes: Any) -> dict[str, Any]:
    return order_entry(
        id=f"b-{number}",
        client_order_id=f"foreign-{number}",
        side="sell",
        submitted_at=rfc3339_from_ns(1_700_000_000 * NANOS + number // 3),
        **changes,
    )


def book(orders: list[dict[str, Any]]) -> Any:
    """The list of orders as Alpaca pages it: strictly after a time, a limited number."""

    def listed(request: Request) -> Response:
        after = ns_from_rfc3339(request.query.get("after", "1970-01-01T00:00:00Z"))
        page = [o for o in orders if ns_from_rfc3339(o["submitted_at"]) > after]
        assert request.query["status"] == "open"
        return answer(200, page[: int(request.query["limit"])])

    return listed


def leg_of(
    quantity: str, side: str, orders: list[dict[str, Any]], found: Answer = ABSENT
) -> LegRead | LegReadFailed:
    position = {"symbol": "AAPL", "qty": quantity, "side": side, "avg_entry_price": "1"}
    read: LegRead | LegReadFailed = asked(
        {
            "GET /v2/positions/AAPL": answer(200, position) if quantity else ABSENT,
            "GET /v2/orders": book(orders),
            BY_ID: found,
        },
        lambda broker: broker.read_leg(LEG),
    )
    return read


def test_a_leg_counts_what_already_works_against_the_position() -> None:
    orders = [
        working(1, qty="10", filled_qty="4"),
        working(2, qty="3"),
        {**working(3, qty="50"), "side": "buy"},
        working(4, symbol="MSFT", qty="50"),
    ]
    leg = leg_of("100", "long", orders)
    assert leg == LegRead(
        trip=LEG.trip, symbol="AAPL", attempt=1, position_nanos=100 * NANOS, against_nanos=9 * NANOS
    )
    for short in ("-100", "100"):  # Alpaca has been seen to write both.
        leg = leg_of(short, "short", orders)
        assert isinstance(leg, LegRead)
        assert (leg.position_nanos, leg.against_nanos) == (-100 * NANOS, 50 * NANOS)


def test_an_order_by_value_counts_as_the_whole_position_and_flat_is_flat() -> None:
    leg = leg_of("100", "long", [working(1, qty=None)])
    assert isinstance(leg, LegRead)
    assert leg.against_nanos == leg.position_nanos
    flat = leg_of("", "", [working(1)], answer(200, order_entry(status="filled", filled_qty="10")))
    assert isinstance(flat, LegRead)
    assert (flat.position_nanos, flat.against_nanos) == (0, 0)
    assert flat.found is not None
    assert flat.found.status is OrderStatus.FILLED


@pytest.mark.parametrize("count", [499, 500, 501, 1500, 1501])
def test_every_page_of_working_orders_counts_once_though_moments_are_shared(count: int) -> None:
    leg = leg_of("1", "long", [working(n, qty="1") for n in range(count)])
    assert isinstance(leg, LegRead)
    assert leg.against_nanos == count * NANOS


def test_pages_that_do_not_end_fail_the_read_rather_than_count_short() -> None:
    same = [{**working(n), "submitted_at": "2026-01-01T00:00:00Z"} for n in range(501)]
    assert isinstance(leg_of("1", "long", same), LegReadFailed)


@pytest.mark.parametrize(
    ("path", "scripted"),
    [
        ("GET /v2/positions/AAPL", error(500, 0, "")),
        ("GET /v2/positions/AAPL", Response(404, b"<html>")),
        ("GET /v2/positions/AAPL", answer(200, {"symbol": "MSFT", "qty": "1", "side": "long",
                                                "avg_entry_price": "1"})),
        ("GET /v2/positions/AAPL", answer(200, {"symbol": "AAPL", "qty": "NaN", "side": "long",
                                                "avg_entry_price": "1"})),
        ("GET /v2/positions/AAPL", answer(200, {"symbol": "AAPL", "qty": "1", "side": "?",
                                                "avg_entry_price": "1"})),
        ("GET /v2/orders", error(500, 0, "")),
        ("GET /v2/orders", answer(200, {})),
        ("GET /v2/orders", answer(200, [{"id": "x"}])),
        (BY_ID, error(500, 0, "")),
        (BY_ID, hanging),
    ],
)  # fmt: skip
def test_a_leg_that_cannot_be_read_whole_is_not_read(path: str, scripted: Answer) -> None:
    position = {"symbol": "AAPL", "qty": "5", "side": "long", "avg_entry_price": "1"}
    answers: dict[str, Answer] = {
        "GET /v2/positions/AAPL": answer(200, position),
        "GET /v2/orders": answer(200, []),
        BY_ID: ABSENT,
    }
    read = asked({**answers, path: scripted}, lambda broker: broker.read_leg(LEG), timeout_s=0.3)
    assert isinstance(read, LegReadFailed)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10), st.integers(0, 10), st.integers(0, 2))
def test_a_fill_while_a_leg_is_read_never_makes_the_close_too_large(
    position: int, closing: int, fills_before: int
) -> None:
    """One close works against a position and fills between any two of our requests."""
    closing = min(closing, position)
    held = {"position": position, "working": closing, "requests": 0}

    def moment(request: Request) -> Response:
        if held["requests"] == fills_before:
            held["position"] -= held["working"]
            held["working"] = 0
        held["requests"] += 1
        if request.path == "/v2/orders":
            rest = [working(1, qty=str(held["working"]))] if held["working"] else []
            return answer(200, rest)
        if request.path == "/v2/positions/AAPL" and held["position"]:
            entry = {"symbol": "AAPL", "qty": str(held["position"]), "side": "long"}
            return answer(200, {**entry, "avg_entry_price": "1"})
        return ABSENT

    answers: dict[str, Answer] = dict.fromkeys(
        ("GET /v2/positions/AAPL", "GET /v2/orders", BY_ID), moment
    )
    read = asked(answers, lambda broker: broker.read_leg(LEG))
    assert isinstance(read, LegRead)
    assert max(0, read.position_nanos - read.against_nanos) <= (position - closing) * NANOS


def test_the_account_is_read_exactly() -> None:
    entry = {
        "cash": "-12.345678901234",
        "equity": "100000",
        "last_equity": "99999.99",
        "multiplier": "4",
        "shorting_enabled": True,
    }
    path = "GET /v2/account"
    assert asked({path: answer(200, entry)}, lambda b: b.account()) == AccountSeen(
        cash_nanos=-12_345_678_901,
        equity_nanos=100_000 * NANOS,
        last_equity_nanos=99_999_990_000_000,
        multiplier=4,
        shorting_enabled=True,
    )
    for wrong in (answer(200, {**entry, "equity": "NaN"}), answer(200, []), answer(200, {}),
                  Response(200, b"{"), error(500, 0, "")):  # fmt: skip
        with pytest.raises(BrokerUnavailable):
            asked({path: wrong}, lambda b: b.account())


def test_positions_are_read_signed_and_in_the_spelling_of_orders() -> None:
    entries = [
        {"symbol": "AAPL", "qty": "-5", "side": "short", "avg_entry_price": "1.5",
         "current_price": "2"},
        {"symbol": "BTCUSD", "qty": "0.5", "side": "long", "avg_entry_price": "60000.123456789012",
         "current_price": None},
    ]  # fmt: skip

    async def ask(broker: AlpacaBroker) -> Any:
        await broker.submit(msgspec_replace(ORDER, symbol="BTC/USD"), lambda: False)
        return (await broker.positions()).positions

    assert asked({"GET /v2/positions": answer(200, entries)}, ask) == (
        BrokerPosition(
            symbol="AAPL",
            quantity_nanos=-5 * NANOS,
            average_price_nanos=3 * NANOS // 2,
            price_nanos=2 * NANOS,
        ),
        BrokerPosition(
            symbol="BTC/USD",
            quantity_nanos=NANOS // 2,
            average_price_nanos=60_000_123_456_789,
            price_nanos=0,
        ),
    )


def test_unknown_working_orders_are_reported_and_ours_by_prefix_is_told() -> None:
    orders = [working(1), {**working(2), "client_order_id": "fb-zzzz9999-x"}, order_entry(id="b-0")]
    found = asked(
        {"GET /v2/orders": answer(200, orders)},
        lambda broker: broker.foreign_orders(lambda wire: wire == WIRE),
    )
    assert [(order.wire_id, order.ours_by_prefix) for order in found] == [
        ("foreign-1", False),
        ("fb-zzzz9999-x", True),
    ]
    assert all(isinstance(order, ForeignOrderSeen) for order in found)


def test_reading_is_passed_through_with_our_key_and_nothing_else_is() -> None:
    async def ask(broker: AlpacaBroker) -> Any:
        with pytest.raises(ValueError, match="only reading"):
            await broker.fetch("POST", "/v2/orders")
        return await broker.fetch("GET", "/v2/clock")

    found = asked({"GET /v2/clock": answer(200, {"is_open": True})}, ask)
    assert (found.status, json.loads(found.body)) == (200, {"is_open": True})
    with pytest.raises(BrokerUnavailable):
        asked({}, lambda b: b.fetch("GET", "/v2/clock"), base_url="http://127.0.0.1:1")
