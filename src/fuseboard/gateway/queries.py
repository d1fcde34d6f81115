"""Query strings as Alpaca's clients send them, read strictly: what is not understood is refused."""

from collections.abc import Mapping

from fuseboard.gateway.closing import WHOLE_PERCENT_NANOS, CloseAsked
from fuseboard.gateway.order_list import (
    LIMIT_DEFAULT,
    LIMIT_MAX,
    STATUSES,
    OrderFilter,
    plain_symbol,
)
from fuseboard.vocabulary.money import NumberRefused, nanos_from_text
from fuseboard.vocabulary.orders import Side
from fuseboard.wire.alpaca import ns_from_rfc3339

SYMBOLS_ASKED_MAX = 500
_ASSET_CLASSES = ("us_equity", "crypto", "all", "")


class QueryRefused(ValueError):
    """A query that cannot be understood; the message names the field."""


def order_filter(query: Mapping[str, str]) -> OrderFilter:
    """The filter of `GET /v2/orders`. Raises `QueryRefused`."""
    side = _choice(query, "side", ("", "buy", "sell"), "")
    return OrderFilter(
        status=_choice(query, "status", STATUSES, "open"),
        limit=_limit(query),
        after_ns=_time(query, "after"),
        until_ns=_time(query, "until"),
        ascending=_choice(query, "direction", ("asc", "desc"), "desc") == "asc",
        symbols=_symbols(query),
        side=Side(side) if side else None,
        asset_class=_choice(query, "asset_class", _ASSET_CLASSES, ""),
        before_id=query.get("before_order_id") or None,
        after_id=query.get("after_order_id") or None,
    )


def close_asked(query: Mapping[str, str]) -> CloseAsked:
    """How much of a position to close. Raises `QueryRefused`."""
    quantity, percentage = query.get("qty") or None, query.get("percentage") or None
    if quantity is not None and percentage is not None:
        raise QueryRefused("give qty or percentage, not both")
    if quantity is not None:
        return CloseAsked(quantity_nanos=_positive("qty", quantity))
    if percentage is not None:
        share = _positive("percentage", percentage)
        if share > WHOLE_PERCENT_NANOS:
            raise QueryRefused("percentage is more than 100")
        return CloseAsked(percentage_nanos=share)
    return CloseAsked()


def flag(query: Mapping[str, str], name: str) -> bool:
    """A boolean; Python clients send `True`, others `true`. Absent is false."""
    value = query.get(name, "").lower()
    if value not in {"", "true", "false"}:
        raise QueryRefused(f"{name} is not true or false")
    return value == "true"


def _choice(query: Mapping[str, str], name: str, known: tuple[str, ...], default: str) -> str:
    value = query.get(name, "").lower() or default
    if value not in known:
        raise QueryRefused(f"{name} {value[:40]!r} is not one of {', '.join(filter(None, known))}")
    return value


def _limit(query: Mapping[str, str]) -> int:
    text = query.get("limit") or str(LIMIT_DEFAULT)
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and int(text) >= 1):
        raise QueryRefused(f"limit {text[:40]!r} is not a number from 1 to {LIMIT_MAX}")
    return min(int(text), LIMIT_MAX)


def _time(query: Mapping[str, str], name: str) -> int | None:
    """A moment; a date alone is its midnight UTC. A plus sign may have arrived as a blank."""
    text = query.get(name)
    if not text:
        return None
    if len(text) == len("2010-05-06"):
        text += "T00:00:00Z"
    head, blank, zone = text.rpartition(" ")
    if blank and "T" in head:
        text = f"{head}+{zone}"
    try:
        return ns_from_rfc3339(text)
    except ValueError as wrong:
        raise QueryRefused(f"{name}: {wrong}") from wrong


def _symbols(query: Mapping[str, str]) -> frozenset[str] | None:
    text = query.get("symbols")
    if not text:
        return None
    names = text.split(",", SYMBOLS_ASKED_MAX)
    if len(names) > SYMBOLS_ASKED_MAX:
        raise QueryRefused(f"more than {SYMBOLS_ASKED_MAX} symbols")
    return frozenset(plain_symbol(name.strip()) for name in names if name.strip())


def _positive(name: str, text: str) -> int:
    try:
        nanos = nanos_from_text(text)
    except NumberRefused as wrong:
        raise QueryRefused(f"{name}: {wrong}") from wrong
    if nanos <= 0:
        raise QueryRefused(f"{name} must be greater than 0")
    return nanos
