import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuseboard.vocabulary.money import NANOS, nanos_from_text, text_from_nanos
from fuseboard.vocabulary.orders import OrderStatus, OrderType, Side, TimeInForce
from fuseboard.vocabulary.reasons import Reason
from fuseboard.wire.alpaca import (
    STATUS_WORDS,
    OrderBody,
    OrderBodyRefused,
    OrderView,
    json_bytes,
    order_object,
    parsed_order_body,
    status_of_word,
)
from tests.wire.peers import LimitOrderRequest, Order, StopLimitOrderRequest

MARKET = {"symbol": "AAPL", "qty": "5", "side": "buy", "type": "market", "time_in_force": "day"}


def body(**changes: Any) -> bytes:
    return json.dumps({**MARKET, **changes}).encode()


def with_raw(name: str, raw: str) -> bytes:
    rest = ",".join(f'"{k}":"{v}"' for k, v in MARKET.items() if k != name)
    return f'{{{rest},"{name}":{raw}}}'.encode()


def refusal(data: bytes) -> OrderBodyRefused:
    with pytest.raises(OrderBodyRefused) as caught:
        parsed_order_body(data)
    return caught.value


def test_a_market_order_is_parsed() -> None:
    assert parsed_order_body(body(client_order_id="mine", order_class="", notional=None)) == (
        OrderBody(
            symbol="AAPL",
            side=Side.BUY,
            order_type=OrderType.MARKET,
            time_in_force=TimeInForce.DAY,
            quantity_nanos=5 * NANOS,
            client_order_id="mine",
        )
    )


def test_what_alpaca_py_sends_is_parsed_exactly() -> None:
    request = StopLimitOrderRequest(
        symbol="BTC/USD",
        qty=0.1,
        side="sell",
        time_in_force="gtc",
        limit_price=0.00001,
        stop_price=5.0,
        extended_hours=False,
    )
    sent = json.dumps(request.to_request_fields()).encode()
    assert b"1e-05" in sent
    order = parsed_order_body(sent)
    assert (order.symbol, order.quantity_nanos) == ("BTC/USD", 100_000_000)
    assert (order.limit_price_nanos, order.stop_price_nanos) == (10_000, 5 * NANOS)
    simple = LimitOrderRequest(
        symbol="A", qty=3, side="buy", time_in_force="ioc", limit_price=1.1, order_class="simple"
    )
    assert parsed_order_body(json.dumps(simple.to_request_fields()).encode()).limit_price_nanos == (
        1_100_000_000
    )


amounts = st.integers(1, 10**15 * NANOS - 1)


@given(amounts, st.integers(-30, 30))
def test_a_number_means_the_same_in_every_spelling(nanos: int, exponent: int) -> None:
    text = text_from_nanos(nanos)
    shifted = f"{Decimal(text).scaleb(-exponent):f}e{exponent}"
    spellings = [f'"{text}"', text, f" {text} ", shifted[:64]]
    for raw in spellings[: 4 if len(shifted) <= 64 else 3]:
        assert parsed_order_body(with_raw("qty", raw)).quantity_nanos == nanos


@given(st.floats(1e-9, 1e14))
def test_a_float_is_taken_by_its_shortest_text_or_refused_never_rounded(value: float) -> None:
    data = body(qty=value)
    exact = Decimal(repr(value))
    if exact == exact.quantize(Decimal("1e-9")):
        assert Decimal(parsed_order_body(data).quantity_nanos) / NANOS == exact
    else:
        assert refusal(data).reason is Reason.NUMBER_REFUSED


@pytest.mark.parametrize(
    "raw",
    [
        '"NaN"',
        '"Infinity"',
        '"1_000"',
        '"1e5"',
        '" 5"',
        '"+5"',
        '"５"',
        '""',
        '"0x10"',
        '"1,000"',
        '"5."',
        '".5"',
        "0",
        "-5",
        '"-5"',
        '"0.0000000001"',
        "0.0000000001",
        "1e-10",
        "1e15",
        "1e999999999",
        "1e-999999999",
        "1" * 70,
        "true",
        "[5]",
        "{}",
        '"5\\u0000"',
    ],
)
def test_a_number_outside_the_grammar_is_refused_as_one(raw: str) -> None:
    refused = refusal(with_raw("qty", raw))
    assert refused.reason is Reason.NUMBER_REFUSED
    assert "qty" in refused.message


@pytest.mark.parametrize("data", [b"", b"[]", b"null", b"{", b"\xff", b'{"qty":NaN}', b'"x"'])
def test_a_body_that_is_not_an_object_is_malformed(data: bytes) -> None:
    assert refusal(data).reason is Reason.MALFORMED


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"notional": 100}, "notional"),
        ({"order_class": "bracket", "take_profit": {"limit_price": 1}}, "take_profit"),
        ({"order_class": "bracket"}, "bracket"),
        ({"order_class": "oco"}, "oco"),
        ({"order_class": "oto"}, "oto"),
        ({"order_class": "mleg"}, "mleg"),
        ({"legs": []}, "mleg"),
        ({"stop_loss": {"stop_price": 1}}, "stop_loss"),
        ({"type": "trailing_stop"}, "trailing_stop"),
        ({"trail_price": 1}, "trail_price"),
        ({"trail_percent": 1}, "trail_percent"),
        ({"time_in_force": "opg"}, "opg"),
        ({"time_in_force": "cls"}, "cls"),
        ({"advanced_instructions": {}}, "advanced_instructions"),
        ({"reduce_only": True}, "reduce_only"),
    ],
)
def test_what_is_not_supported_is_named(changes: dict[str, Any], named: str) -> None:
    refused = refusal(body(**changes))
    assert refused.reason is Reason.UNSUPPORTED
    assert named in refused.message


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"symbol": None}, "symbol"),
        ({"symbol": "A B"}, "symbol"),
        ({"symbol": "ß"}, "symbol"),
        ({"symbol": 5}, "symbol"),
        ({"side": "hold"}, "side"),
        ({"side": None}, "side"),
        ({"type": "iceberg"}, "type"),
        ({"time_in_force": None}, "time_in_force"),
        ({"qty": None}, "qty"),
        ({"order_class": "odd"}, "order_class"),
        ({"limit_price": 5}, "require no limit_price"),
        ({"type": "limit"}, "require limit_price"),
        ({"type": "limit", "limit_price": 5, "stop_price": 4}, "require no stop_price"),
        ({"type": "stop", "limit_price": 5, "stop_price": 4}, "require no limit_price"),
        ({"type": "stop_limit", "stop_price": 4}, "require limit_price"),
        ({"client_order_id": "x" * 129}, "client_order_id"),
        ({"client_order_id": "a\n"}, "client_order_id"),
        ({"extended_hours": "yes"}, "extended_hours"),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, Any], named: str) -> None:
    refused = refusal(body(**changes))
    assert refused.reason is Reason.MALFORMED
    assert named in refused.message


@settings(max_examples=40)
@given(st.recursive(st.none() | st.booleans() | st.text() | st.integers() | st.floats(), st.lists))
def test_any_value_in_any_field_is_parsed_or_refused(value: object) -> None:
    for name in (*MARKET, "limit_price", "extended_hours", "client_order_id", "order_class"):
        try:
            order = parsed_order_body(body(**{name: value}))
        except OrderBodyRefused:
            continue
        assert order.quantity_nanos > 0


def test_every_status_word_leads_back_to_where_it_came_from() -> None:
    for status, word in STATUS_WORDS.items():
        back = status_of_word(word, filled_nanos=1 if status is OrderStatus.PARTIALLY_FILLED else 0)
        folded = {
            OrderStatus.SUBMITTING: OrderStatus.WORKING,
            OrderStatus.IN_DOUBT: OrderStatus.WORKING,
            OrderStatus.NOT_SENT: OrderStatus.REJECTED,
            OrderStatus.REPLACED: OrderStatus.CANCELED,  # ours are cancelled at the broker
        }
        assert back is folded.get(status, status)


@pytest.mark.parametrize(
    "word", ["pending_cancel", "done_for_day", "held", "stopped", "suspended", "calculated", "?"]
)
def test_a_status_that_is_not_surely_final_still_works(word: str) -> None:
    assert status_of_word(word, filled_nanos=0) is OrderStatus.WORKING
    assert status_of_word(word, filled_nanos=1) is OrderStatus.PARTIALLY_FILLED


orders = st.builds(
    OrderView,
    id=st.uuids().map(str),
    client_order_id=st.text(min_size=1, max_size=20),
    symbol=st.sampled_from(["AAPL", "BTC/USD"]),
    side=st.sampled_from(Side),
    order_type=st.sampled_from(OrderType),
    time_in_force=st.sampled_from(TimeInForce),
    quantity_nanos=amounts,
    status=st.sampled_from(sorted(set(STATUS_WORDS.values()))),
    created_ns=st.integers(0, 4 * 10**18),
    updated_ns=st.integers(0, 4 * 10**18),
    filled_quantity_nanos=st.integers(0, 10**12),
    filled_price_nanos=amounts,
    limit_price_nanos=st.none() | amounts,
    stop_price_nanos=st.none() | amounts,
    filled_ns=st.none() | st.integers(0, 4 * 10**18),
)


@given(orders)
def test_every_order_object_is_one_to_alpaca_py(order: OrderView) -> None:
    seen = Order(**json.loads(json_bytes(order_object(order))))
    assert str(seen.id) == order.id
    assert nanos_from_text(str(seen.qty)) == order.quantity_nanos
    assert (seen.limit_price is None) == (order.limit_price_nanos is None)
    assert seen.status.value == order.status
    assert seen.created_at.timestamp() == pytest.approx(order.created_ns / 1e9, abs=1e-5)


def test_a_body_nested_beyond_reason_is_refused_as_malformed() -> None:
    with pytest.raises(OrderBodyRefused):
        parsed_order_body(b'{"a":' * 50_000)


@pytest.mark.parametrize(
    ("side", "intent", "closes"),
    [
        ("sell", "sell_to_close", True),
        ("buy", "buy_to_close", True),
        ("buy", "buy_to_open", False),
        ("sell", "sell_to_open", False),
        ("buy", "", False),
    ],
)
def test_an_intent_to_close_is_kept(side: str, intent: str, closes: bool) -> None:
    assert parsed_order_body(body(side=side, position_intent=intent)).closes_only is closes


@pytest.mark.parametrize("intent", ["sell_to_close", "sell_to_open", "close", "BUY_TO_OPEN"])
def test_an_intent_that_is_not_the_sides_is_refused(intent: str) -> None:
    refused = refusal(body(side="buy", position_intent=intent))
    assert refused.reason is Reason.MALFORMED
    assert "position_intent" in refused.message
