"""Alpaca's orders as they come: bodies of `POST` and `PATCH`, status words, Order objects."""

import hashlib
import re

import msgspec
from msgspec import Raw, Struct

from fuseboard.vocabulary.foreign_inputs import ForeignTerms
from fuseboard.vocabulary.money import NumberRefused
from fuseboard.vocabulary.orders import OrderStatus, OrderType, Side, TimeInForce
from fuseboard.vocabulary.reasons import Reason
from fuseboard.wire.alpaca_terms import terms_of
from fuseboard.wire.alpaca_values import (
    nanos_of_number,
    nanos_of_raw,
    nanos_rounded,
    ns_from_rfc3339,
    rfc3339_from_ns,
)

CLIENT_ORDER_ID_CHARS_MAX = 128
_OPTION = re.compile(r"[A-Z0-9.]{1,8}\d{6}[CP]\d{8}", re.ASCII)
"""The OCC's symbol of an option: root, day, call or put, strike."""
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
_REPLACEABLE = {"qty", "time_in_force", "limit_price", "stop_price", "client_order_id"}
_UNREPLACEABLE = {
    "trail": "trailing stop orders (trail) are not supported",
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
    closes_only: bool = False
    """`position_intent` is `buy_to_close` or `sell_to_close`."""


def parsed_order_body(body: bytes) -> OrderBody:
    """The order of a `POST /v2/orders` body; raises `OrderBodyRefused`.

    What is not understood is refused, never ignored: an unknown field might be a safety.
    """
    fields = _fields(body)
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
    side = Side(_word(fields, "side", {side.value for side in Side}, frozenset()))
    order = OrderBody(
        symbol=_symbol(fields),
        side=side,
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
        closes_only=_closes_only(fields, side),
    )
    _check_prices(order)
    return order


def _closes_only(fields: dict[str, Raw], side: Side) -> bool:
    """Whether the intent says that a position is closed; one that is not the side's is refused."""
    intent = _text(fields, "position_intent", "")
    if intent in {"", f"{side.value}_to_open"}:
        return False
    if intent == f"{side.value}_to_close":
        return True
    raise OrderBodyRefused(
        Reason.MALFORMED,
        f"position_intent {intent[:40]!r} is none of {side.value}_to_open, {side.value}_to_close",
    )


class ReplaceBody(Struct, frozen=True, kw_only=True):
    """A parsed replacement. None: the client gave none, what the old order has stays."""

    client_order_id: str | None = None
    quantity_nanos: int | None = None
    limit_price_nanos: int | None = None
    stop_price_nanos: int | None = None
    time_in_force: TimeInForce | None = None


def parsed_replace_body(body: bytes) -> ReplaceBody:
    """The changes of a `PATCH /v2/orders/{id}` body; raises `OrderBodyRefused`.

    The numbers have the grammar of orders. A body that changes nothing is refused.
    """
    fields = _fields(body or b"{}")
    for name in fields:
        if name in _UNREPLACEABLE:
            raise OrderBodyRefused(Reason.UNSUPPORTED, _UNREPLACEABLE[name])
        if name not in _REPLACEABLE:
            raise OrderBodyRefused(Reason.UNSUPPORTED, f"{name[:40]!r} cannot be replaced")
    if not set(fields) - {"client_order_id"}:
        told = "nothing is replaced: give qty, limit_price, stop_price or time_in_force"
        raise OrderBodyRefused(Reason.MALFORMED, told)
    wanted_time = None
    if "time_in_force" in fields:
        known = {each.value for each in TimeInForce}
        wanted_time = TimeInForce(_word(fields, "time_in_force", known, _UNSUPPORTED_TIMES))
    return ReplaceBody(
        client_order_id=_client_order_id(fields),
        quantity_nanos=_positive(fields, "qty") if "qty" in fields else None,
        limit_price_nanos=_positive(fields, "limit_price") if "limit_price" in fields else None,
        stop_price_nanos=_positive(fields, "stop_price") if "stop_price" in fields else None,
        time_in_force=wanted_time,
    )


def _fields(body: bytes) -> dict[str, Raw]:
    """The fields that say something; null is as good as absent."""
    try:
        raw = _body_decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as wrong:
        raise OrderBodyRefused(Reason.MALFORMED, f"the body is not an order: {wrong}") from wrong
    return {name: value for name, value in raw.items() if bytes(value).strip() != b"null"}


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
    OrderStatus.REPLACED: "replaced",
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


# --- an Order object as a broker sends it --------------------------------------------------------


class ShapeUnknown(ValueError):
    """Something a broker sent is not in the shape it should have."""


class SeenOrder(Struct, frozen=True, kw_only=True):
    """What we need of an Order object. `quantity_nanos` is None for an order by notional value,
    `side` for one that cannot be read.
    """

    id: str
    client_order_id: str
    symbol: str
    side: Side | None
    status: OrderStatus
    quantity_nanos: int | None
    filled_quantity_nanos: int
    filled_price_nanos: int
    submitted_at: str
    legs: tuple[str, ...] = ()
    """The symbols of the legs, of an order that cannot be read."""
    is_multi_leg: bool = False
    terms: ForeignTerms | None = None
    """What else an order says that is adopted; None: it cannot be."""

    def may_trade(self, symbol: str) -> bool:
        """Whether an order that cannot be read may trade a symbol: where it names none, any one;
        several legs at once are options (Alpaca: Multi-Leg Orders).
        """
        named = self.legs or ((self.symbol,) if self.symbol else ())
        if named:
            return symbol.replace("/", "") in [each.replace("/", "") for each in named]
        return not self.is_multi_leg or _OPTION.fullmatch(symbol) is not None

    def says(self) -> str:
        """Which it is, for people."""
        what = "unreadable" if self.side is None else self.side.value
        return f"{what} {self.symbol or 'order'} ({self.id})"

    def just_before_submitted(self) -> str:
        """The time to page after, so that orders of the same moment are not missed."""
        return rfc3339_from_ns(self.submitted_ns() - 1)

    def just_after_submitted(self) -> str:
        """The time to page back from, as above."""
        return rfc3339_from_ns(self.submitted_ns() + 1)

    def submitted_ns(self) -> int:
        """When it was submitted, by the broker's clock. Raises `ShapeUnknown`."""
        try:
            return ns_from_rfc3339(self.submitted_at)
        except ValueError as wrong:
            raise ShapeUnknown(f"order {self.id}: {wrong}") from wrong


def seen_order(entry: object) -> SeenOrder:
    """The order of a decoded Order object; raises `ShapeUnknown`."""
    if not isinstance(entry, dict):
        raise ShapeUnknown("an order is not an object")
    texts = [entry.get(name) for name in ("id", "client_order_id", "symbol", "side", "status")]
    order_id, client_order_id, symbol, side, word = texts
    if not all(isinstance(text, str) and text for text in texts):
        raise ShapeUnknown(f"an order lacks its id, symbol, side or status: {texts}")
    try:
        filled = nanos_of_number(entry.get("filled_qty") or 0)
        price = nanos_rounded(entry.get("filled_avg_price") or 0)
        status = status_of_word(str(word), filled_nanos=filled)
        quantity = entry.get("qty")
        return SeenOrder(
            id=str(order_id),
            client_order_id=str(client_order_id),
            symbol=str(symbol),
            side=Side(side),
            status=status,
            quantity_nanos=None if quantity is None else nanos_of_number(quantity),
            filled_quantity_nanos=filled,
            filled_price_nanos=price,
            submitted_at=str(entry.get("submitted_at") or entry.get("created_at") or ""),
            terms=terms_of(entry, status=status, filled_nanos=filled, price_nanos=price),
        )
    except ValueError as wrong:
        raise ShapeUnknown(f"order {order_id}: {wrong}") from wrong


def listed_order(entry: object) -> SeenOrder:
    """An order of a broker's list. One that cannot be read works all the same: it is told with
    what is clear of it, and without a side. Several legs have neither a symbol nor a side above.
    """
    try:
        return seen_order(entry)
    except ShapeUnknown:
        fields = entry if isinstance(entry, dict) else {}
    names = ("id", "client_order_id", "symbol", "status", "order_class")
    order_id, client_order_id, symbol, word, order_class = (_clear(fields, name) for name in names)
    digest = hashlib.sha256(repr(entry).encode("utf-8", "replace")).hexdigest()[:16]
    order_id = order_id or f"unreadable-{digest}"
    legs = fields.get("legs")
    named = [_clear(leg, "symbol") for leg in legs] if isinstance(legs, list) else []
    return SeenOrder(
        id=order_id,
        client_order_id=client_order_id or order_id,
        symbol=symbol,
        side=None,
        status=status_of_word(word, filled_nanos=0),
        quantity_nanos=None,
        filled_quantity_nanos=0,
        filled_price_nanos=0,
        submitted_at=_clear(fields, "submitted_at") or _clear(fields, "created_at"),
        legs=tuple(named) if all(named) else (),
        is_multi_leg=order_class == "mleg",
    )


def _clear(fields: object, name: str) -> str:
    """A field's text; empty where it has none."""
    value = fields.get(name) if isinstance(fields, dict) else None
    return value if isinstance(value, str) else ""
