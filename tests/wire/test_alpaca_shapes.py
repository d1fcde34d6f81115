import datetime
import json
from contextlib import suppress

import msgpack  # type: ignore[import-untyped]
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import OrderType, Side, TimeInForce
from fuseboard.wire import alpaca
from fuseboard.wire.alpaca_errors import AlpacaError
from fuseboard.wire.alpaca_stream import StreamMalformed, ns_from_extension, timestamp_extension
from fuseboard.wire.alpaca_values import decoded_json
from tests.wire.peers import (
    AccountConfiguration,
    Asset,
    Bar,
    Calendar,
    Clock,
    Orderbook,
    Position,
    Quote,
    Trade,
    TradeAccount,
    TradeUpdate,
)

NOW_NS = 1_273_170_427_123_456_789
amounts = st.integers(0, 10**5 * NANOS)
signed = st.integers(-(10**9) * NANOS, 10**9 * NANOS)


def through_json(value: object) -> dict[str, object]:
    decoded: dict[str, object] = json.loads(alpaca.json_bytes(value))
    return decoded


@given(st.integers(-(10**18), 9 * 10**18))
def test_a_time_survives_its_text_to_the_nanosecond(at_ns: int) -> None:
    text = alpaca.rfc3339_from_ns(at_ns)
    assert alpaca.ns_from_rfc3339(text) == at_ns
    parsed = datetime.datetime.fromisoformat(text)
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    assert (parsed - epoch) // datetime.timedelta(microseconds=1) == at_ns // 1000


@given(
    st.datetimes(
        min_value=datetime.datetime.fromisoformat("1971-01-01"),
        max_value=datetime.datetime.fromisoformat("2200-01-01"),
        timezones=st.integers(-14 * 60, 14 * 60).map(
            lambda minutes: datetime.timezone(datetime.timedelta(minutes=minutes))
        ),
    )
)
def test_a_time_in_any_zone_is_the_same_moment(moment: datetime.datetime) -> None:
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    wanted = (moment - epoch) // datetime.timedelta(microseconds=1) * 1000
    assert alpaca.ns_from_rfc3339(moment.isoformat()) == wanted


@pytest.mark.parametrize(
    "text", ["", "now", "2010-13-01T00:00:00Z", "2010-05-06T25:00:00Z", "2010-05-06", "٢٠١٠"]
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        alpaca.ns_from_rfc3339(text)


@given(signed.filter(bool), amounts, amounts)
def test_every_position_object_is_one_to_alpaca_py_and_its_sums_agree(
    quantity: int, average: int, price: int
) -> None:
    shown = through_json(
        alpaca.position_object(
            alpaca.PositionView(
                symbol="AAPL",
                quantity_nanos=quantity,
                average_price_nanos=average,
                price_nanos=price,
            )
        )
    )
    position = Position(**shown)  # type: ignore[arg-type]
    profit = alpaca.nanos_of_number(shown["unrealized_pl"])
    assert position.side.value == ("short" if quantity < 0 else "long")
    value = alpaca.nanos_of_number(shown["market_value"])
    assert profit == value - alpaca.nanos_of_number(shown["cost_basis"])
    assert abs(value * NANOS - quantity * price) <= NANOS // 2


def test_account_asset_clock_and_calendar_are_what_alpaca_py_reads() -> None:
    account = through_json(
        alpaca.account_object(
            alpaca.AccountView(
                id=alpaca.asset_id_of("account"),
                account_number="FB1",
                created_ns=NOW_NS,
                cash_nanos=-5 * NANOS,
                equity_nanos=100_000 * NANOS,
                last_equity_nanos=100_000 * NANOS,
                buying_power_nanos=NANOS,
            )
        )
    )
    assert TradeAccount(**account).cash == "-5"  # type: ignore[arg-type]
    for field in ("long_market_value", "short_market_value", "sma", "multiplier", "equity"):
        assert isinstance(account[field], str)
    for asset_class, exchange in (("us_equity", "NASDAQ"), ("crypto", "CRYPTO")):
        asset = through_json(
            alpaca.asset_object("BTC/USD", asset_class=asset_class, exchange=exchange)
        )
        assert Asset(**asset).symbol == "BTC/USD"  # type: ignore[arg-type]
    clock = alpaca.clock_object(
        now_ns=NOW_NS, is_open=True, next_open_ns=NOW_NS + 1, next_close_ns=NOW_NS
    )
    assert Clock(**through_json(clock)).is_open  # type: ignore[arg-type]
    day = alpaca.calendar_object(datetime.date(2010, 5, 6), opens="09:30", closes="16:00")
    assert Calendar(**through_json(day)).close.hour == 16
    configuration = alpaca.configuration_object(no_shorting=True, multiplier=2)
    assert AccountConfiguration(**through_json(configuration)).no_shorting  # type: ignore[arg-type]


def test_a_trade_update_is_one_to_alpaca_py() -> None:
    order = alpaca.order_object(
        alpaca.OrderView(
            id=alpaca.asset_id_of("order"),
            client_order_id="c",
            symbol="AAPL",
            side=Side.BUY,
            order_type=OrderType.MARKET,
            time_in_force=TimeInForce.DAY,
            quantity_nanos=2 * NANOS,
            status="partially_filled",
            created_ns=NOW_NS,
            updated_ns=NOW_NS,
        )
    )
    message = alpaca.trade_update(
        "partial_fill",
        order,
        at_ns=NOW_NS,
        execution_id=alpaca.asset_id_of("e"),
        quantity_nanos=NANOS,
        price_nanos=NANOS,
        position_nanos=-NANOS,
    )
    data = through_json(message)["data"]
    update = TradeUpdate(**data)  # type: ignore[arg-type]
    assert (update.qty, update.position_qty) == (1.0, -1.0)
    assert "price" not in alpaca.trade_update("new", order, at_ns=1, execution_id="e")["data"]  # type: ignore[operator]


QUOTE = alpaca.quote_message(
    "AAPL",
    bid_nanos=199_250_000_001,
    ask_nanos=199_300_000_000,
    bid_size_nanos=2 * NANOS,
    ask_size_nanos=NANOS,
    at_ns=NOW_NS,
)
TRADE = alpaca.trade_message("AAPL", price_nanos=NANOS, size_nanos=NANOS, at_ns=NOW_NS, trade_id=7)
BAR = alpaca.bar_message(
    "AAPL",
    open_nanos=NANOS,
    high_nanos=NANOS,
    low_nanos=NANOS,
    close_nanos=NANOS,
    volume_nanos=NANOS,
    trades=3,
    average_price_nanos=None,
    at_ns=NOW_NS,
)


@pytest.mark.parametrize("as_msgpack", [True, False])
def test_market_data_survives_both_encodings_exactly(as_msgpack: bool) -> None:
    messages = [QUOTE, TRADE, BAR, {"T": "subscription", "quotes": ["AAPL"]}]
    assert alpaca.decoded_messages(alpaca.encoded_messages(messages, as_msgpack=as_msgpack)) == (
        messages
    )


def test_market_data_in_messagepack_is_what_alpaca_py_reads() -> None:
    data = alpaca.encoded_messages([QUOTE, TRADE, BAR], as_msgpack=True)
    quote, trade, bar = msgpack.unpackb(data)
    for message in (quote, trade, bar):
        message["t"] = message["t"].to_datetime()
    assert Quote("AAPL", quote).bid_price == 199.250000001
    assert Trade("AAPL", trade).price == 1.0
    assert Bar("AAPL", bar).trade_count == 3
    assert Quote("AAPL", through_json(alpaca.rest_object(QUOTE))).ask_price == 199.3


def test_an_order_book_in_messagepack_is_what_alpaca_py_reads() -> None:
    bids = ((27_511_780_830_000, 262_656_680), (27_500 * NANOS, 0))
    book = alpaca.book_message("BTC/USD", bids=bids, asks=(), at_ns=NOW_NS, full=True)
    message = msgpack.unpackb(alpaca.encoded_messages([book], as_msgpack=True))[0]
    message["t"] = message["t"].to_datetime()
    read = Orderbook("BTC/USD", message)
    assert [(level.price, level.size) for level in read.bids] == [
        (27_511.78083, 0.26265668),
        (27_500.0, 0.0),
    ]
    assert (read.asks, read.reset) == ([], True)


@given(st.integers(0, 2**34 * NANOS - 1))
def test_timestamps_of_every_width_are_read_to_the_nanosecond(at_ns: int) -> None:
    assert ns_from_extension(timestamp_extension(at_ns)) == at_ns
    packed = msgpack.packb([{"t": msgpack.Timestamp(*divmod(at_ns, NANOS))}])
    assert alpaca.decoded_messages(packed) == [{"t": at_ns}]


@given(st.binary(max_size=60) | st.text(max_size=60))
def test_noise_on_the_stream_is_refused_as_malformed(data: bytes | str) -> None:
    with suppress(StreamMalformed):
        for message in alpaca.decoded_messages(data):
            assert isinstance(message, dict)
    with suppress(StreamMalformed):
        alpaca.credentials_of(alpaca.decoded_command(data))


@pytest.mark.parametrize("data", ["[" * 50_000, b"\x91" * 50_000, b"[" * 50_000])
def test_what_is_nested_without_end_is_refused_as_malformed(data: bytes | str) -> None:
    for read in (alpaca.decoded_messages, alpaca.decoded_command):
        with pytest.raises(StreamMalformed):
            read(data)
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)):
        decoded_json(data)


@pytest.mark.parametrize("as_msgpack", [True, False])
@pytest.mark.parametrize("wrong", [{"t": 1 << 100}, {"t": -(1 << 100)}, {"i": 1 << 100}])
def test_a_number_that_an_encoding_does_not_hold_is_refused(
    wrong: dict[str, int], as_msgpack: bool
) -> None:
    if not as_msgpack and "i" in wrong:
        return  # JSON holds every integer
    with pytest.raises(StreamMalformed, match="does not fit"):
        alpaca.encoded_messages([{**TRADE, **wrong}], as_msgpack=as_msgpack)


def test_credentials_are_found_in_both_forms_and_nowhere_else() -> None:
    old = {"action": "authenticate", "data": {"key_id": "k", "secret_key": "s"}}
    new = {"action": "auth", "key": "k", "secret": "s"}
    assert alpaca.credentials_of(old) == alpaca.credentials_of(new) == ("k", "s")
    wrongs: list[object] = [None, [], {}, {"action": "auth"}, {"action": "authenticate", "data": 5}]
    for wrong in wrongs:
        assert alpaca.credentials_of(wrong) in (None, ("", ""))


def test_an_error_body_is_read_however_malformed_it_is() -> None:
    answer = alpaca.error_answer(403, 40_310_000, "no", symbol="AAPL")
    assert alpaca.read_error(answer.body) == AlpacaError(40_310_000, "no")
    assert alpaca.read_error(b"<html>") == AlpacaError(0, "<html>")
    assert alpaca.read_error(b"[1]") == AlpacaError(0, "[1]")
    assert alpaca.read_error(b'{"code":"x"}') == AlpacaError(0, "")
