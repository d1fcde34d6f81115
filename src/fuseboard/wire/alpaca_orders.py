"""Alpaca's orders both ways: the body of `POST /v2/orders`, the Order object, the status words."""

import re

import msgspec
from msgspec import Raw, Struct

from fuseboard.vocabulary.money import NumberRefused, text_from_nanos
from fuseboard.vocabulary.orders import OrderStatus, OrderType, Side, TimeInForce
from fuseboard.vocabulary.reasons import Reason
from fuseboard.wire.alpaca_values import asset_id_of, nanos_of_raw, rfc3339_from_ns

CLIENT_ORDER_ID_CHARS_MAX = 128
_SYMBOL = re.compile(r"[A-Z0-9][A-Z0-9./_-]{0,31}", re.ASCII)
_KNOWN = {
    "symbol",
    "qty",
    "side",
    "type",
    "time_in_force",
    "limit_price",
    "stop_price",
    "client_order_id",
    "extended_hours",
    "order_class",
    "position_intent",
}
_UNSUPPORTED = {
    "notional": "orders by notional value are not supported: give qty",
    "legs": "multi-leg (mleg) orders are not supported",
    "take_profit": "bracket, oco and oto orders (take_profit) are not supported",
    "stop_loss": "bracket, oco and oto orders (stop_loss) are not supported",
    "trail_price": "trailing stop orders (trail_price) are not supported",
    "trail_percent": "trailing stop orders (trail_percent) are not supported",
    "advanced_instructions": "advanced_instructions are not supported",
}
_UNSUPPORTED_TYPES = frozenset({"trailing_stop"})
_UNSUPPORTED_TIMES = frozenset({"opg", "cls"})
_UNSUPPORTED_CLASSES = frozenset({"bracket", "oco", "oto", "mleg"})
_body_decoder = msgspec.json.Decoder(dict[str, Raw])


class OrderBodyRefused(Exception):
    """An order body that is not taken: why, as a reason code and as a sentence with the field."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class OrderBody(Struct, frozen=True, kw_only=True):
    """A parsed order. `client_order_id` is None when the client gave none."""

    symbol: str
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    quantity_nanos: int
    client_order_id: str | None = None
    limit_price_nanos: int | None = None
    stop_price_nanos: int | None = None
    extended_hours: bool = False


def parsed_order_body(body: bytes) -> OrderBody:
    """The order of a `POST /v2/orders` body; raises `OrderBodyRefused`.

    What is not understood is refused, never ignored: an unknown field might be a safety.
    """
    try:
        raw = _body_decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as wrong:
        raise OrderBodyRefused(Reason.MALFORMED, f"the body is not an order: {wrong}") from wrong
    fields = {name: value for name, value in raw.items() if bytes(value).strip() != b"null"}
    for name in fields:
        if name in _UNSUPPORTED:
            raise OrderBodyRefused(Reason.UNSUPPORTED, _UNSUPPORTED[name])
        if name not in _KNOWN:
            raise OrderBodyRefused(Reason.UNSUPPORTED, f"the field {name[:40]!r} is not supported")
    order_class = _text(fields, "order_class", "simple")
    if order_class in _UNSUPPORTED_CLASSES:
        raise OrderBodyRefused(Reason.UNSUPPORTED, f"{order_class} orders are not supported")
    if order_class not in {"", "simple"}:
        raise OrderBodyRefused(Reason.MALFORMED, f"order_class {order_class[:40]!r} is unknown")
    order = OrderBody(
        symbol=_symbol(fields),
        side=Side(_word(fields, "side", {side.value for side in Side}, frozenset())),
        order_type=OrderType(
            _word(fields, "type", {kind.value for kind in OrderType}, _UNSUPPORTED_TYPES)
        ),
        time_in_force=TimeInForce(
            _word(fields, "time_in_force", {t.value for t in TimeInForce}, _UNSUPPORTED_TIMES)
        ),
        quantity_nanos=_positive(fields, "qty"),
        client_order_id=_client_order_id(fields),
        limit_price_nanos=_positive(fields, "limit_price") if "limit_price" in fields else None,
        stop_price_nanos=_positive(fields, "stop_price") if "stop_price" in fields else None,
        extended_hours=_flag(fields, "extended_hours"),
    )
    _check_prices(order)
    return order


def _check_prices(order: OrderBody) -> None:
    """Each type has exactly its own prices."""
    kind = order.order_type
    for name, price, wanted in (
        ("limit_price", order.limit_price_nanos, kind in {OrderType.LIMIT, OrderType.STOP_LIMIT}),
        ("stop_price", order.stop_price_nanos, kind in {OrderType.STOP, OrderType.STOP_LIMIT}),
    ):
        if wanted != (price is not None):
            verb = "require" if wanted else "require no"
            raise OrderBodyRefused(Reason.MALFORMED, f"{kind.value} orders {verb} {name}")


def _text(fields: dict[str, Raw], name: str, default: str | None = None) -> str:
    if name not in fields:
        if default is None:
            raise OrderBodyRefused(Reason.MALFORMED, f"{name} is required")
        return default
    try:
        return msgspec.json.decode(fields[name], type=str)
    except (msgspec.DecodeError, UnicodeDecodeError) as wrong:
        raise OrderBodyRefused(Reason.MALFORMED, f"{name} is not a text") from wrong


def _word(fields: dict[str, Raw], name: str, known: set[str], unsupported: frozenset[str]) -> str:
    word = _text(fields, name)
    if word in known:
        return word
    if word in unsupported:
        raise OrderBodyRefused(Reason.UNSUPPORTED, f"{name} {word} is not supported")
    raise OrderBodyRefused(Reason.MALFORMED, f"{name} {word[:40]!r} is unknown")


def _symbol(fields: dict[str, Raw]) -> str:
    given = _text(fields, "symbol")
    symbol = given.upper()
    if not given.isascii() or _SYMBOL.fullmatch(symbol) is None:
        raise OrderBodyRefused(Reason.MALFORMED, f"symbol {symbol[:40]!r} is not a symbol")
    return symbol


def _client_order_id(fields: dict[str, Raw]) -> str | None:
    given = _text(fields, "client_order_id", "")
    if len(given) > CLIENT_ORDER_ID_CHARS_MAX or not given.isprintable():
        raise OrderBodyRefused(
            Reason.MALFORMED,
            f"client_order_id is not at most {CLIENT_ORDER_ID_CHARS_MAX} printable characters",
        )
    return given or None


def _positive(fields: dict[str, Raw], name: str) -> int:
    if name not in fields:
        raise OrderBodyRefused(Reason.MALFORMED, f"{name} is required")
    try:
        nanos = nanos_of_raw(fields[name])
    except (NumberRefused, msgspec.DecodeError, UnicodeDecodeError) as wrong:
        raise OrderBodyRefused(Reason.NUMBER_REFUSED, f"{name}: {wrong}") from wrong
    if nanos <= 0:
        raise OrderBodyRefused(Reason.NUMBER_REFUSED, f"{name} must be greater than 0")
    return nanos


def _flag(fields: dict[str, Raw], name: str) -> bool:
    flag = {b"true": True, b"false": False}.get(bytes(fields.get(name, b"false")).strip().lower())
    if flag is None:
        raise OrderBodyRefused(Reason.MALFORMED, f"{name} is not true or false")
    return flag


# --- statuses ------------------------------------------------------------------------------------

STATUS_WORDS: dict[OrderStatus, str] = {
    OrderStatus.SUBMITTING: "pending_new",
    OrderStatus.IN_DOUBT: "pending_new",
    OrderStatus.WORKING: "new",
    OrderStatus.PARTIALLY_FILLED: "partially_filled",
    OrderStatus.FILLED: "filled",
    OrderStatus.CANCELED: "canceled",
    OrderStatus.EXPIRED: "expired",
    OrderStatus.REJECTED: "rejected",
    OrderStatus.NOT_SENT: "rejected",
}
_FINAL_WORDS: dict[str, OrderStatus] = {
    "filled": OrderStatus.FILLED,
    "canceled": OrderStatus.CANCELED,
    "expired": OrderStatus.EXPIRED,
    "rejected": OrderStatus.REJECTED,
    "replaced": OrderStatus.CANCELED,
}


def status_of_word(word: str, *, filled_nanos: int) -> OrderStatus:
    """Our status for Alpaca's word; whatever is not surely final still works."""
    final = _FINAL_WORDS.get(word)
    if final is not None:
        return final
    return OrderStatus.PARTIALLY_FILLED if filled_nanos else OrderStatus.WORKING


# --- the Order object ----------------------------------------------------------------------------


class OrderView(Struct, frozen=True, kw_only=True):
    """Everything that Alpaca's Order object shows. `status` is Alpaca's word; times in ns."""

    id: str
    client_order_id: str
    symbol: str
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    quantity_nanos: int
    status: str
    created_ns: int
    updated_ns: int
    submitted_ns: int | None = None
    filled_quantity_nanos: int = 0
    filled_price_nanos: int = 0
    limit_price_nanos: int | None = None
    stop_price_nanos: int | None = None
    extended_hours: bool = False
    filled_ns: int | None = None
    expired_ns: int | None = None
    canceled_ns: int | None = None
    failed_ns: int | None = None
    replaced_ns: int | None = None
    replaced_by: str | None = None
    replaces: str | None = None
    asset_id: str | None = None
    asset_class: str = "us_equity"


def order_object(order: OrderView) -> dict[str, object]:
    """Alpaca's Order: money and quantities as strings, `type` and `order_type` both."""
    filled = order.filled_quantity_nanos
    return {
        "id": order.id,
        "client_order_id": order.client_order_id,
        "created_at": rfc3339_from_ns(order.created_ns),
        "updated_at": rfc3339_from_ns(order.updated_ns),
        "submitted_at": rfc3339_from_ns(order.submitted_ns or order.created_ns),
        "filled_at": _time(order.filled_ns),
        "expired_at": _time(order.expired_ns),
        "canceled_at": _time(order.canceled_ns),
        "failed_at": _time(order.failed_ns),
        "replaced_at": _time(order.replaced_ns),
        "replaced_by": order.replaced_by,
        "replaces": order.replaces,
        "asset_id": order.asset_id or asset_id_of(order.symbol),
        "symbol": order.symbol,
        "asset_class": order.asset_class,
        "notional": None,
        "qty": text_from_nanos(order.quantity_nanos),
        "filled_qty": text_from_nanos(filled),
        "filled_avg_price": text_from_nanos(order.filled_price_nanos) if filled else None,
        "order_class": "simple",
        "order_type": order.order_type.value,
        "type": order.order_type.value,
        "side": order.side.value,
        "time_in_force": order.time_in_force.value,
        "limit_price": _amount(order.limit_price_nanos),
        "stop_price": _amount(order.stop_price_nanos),
        "status": order.status,
        "extended_hours": order.extended_hours,
        "legs": None,
        "trail_percent": None,
        "trail_price": None,
        "hwm": None,
        "subtag": None,
        "source": None,
    }


def _time(at_ns: int | None) -> str | None:
    return None if at_ns is None else rfc3339_from_ns(at_ns)


def _amount(nanos: int | None) -> str | None:
    return None if nanos is None else text_from_nanos(nanos)
