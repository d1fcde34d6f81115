"""Which orders a client asked to see: the filters of `GET /v2/orders`."""

from collections.abc import Iterable

from msgspec import Struct

from fuseboard.vocabulary.effects import PublishOrder
from fuseboard.vocabulary.orders import Side

LIMIT_DEFAULT = 50
LIMIT_MAX = 500
STATUSES = ("open", "closed", "all")


class OrderFilter(Struct, frozen=True, kw_only=True):
    """Alpaca's filters. `after_ns` and `until_ns` exclude the moment they name.

    `before_id` and `after_id` page: only orders submitted before or after that order.
    """

    status: str = "open"
    limit: int = LIMIT_DEFAULT
    after_ns: int | None = None
    until_ns: int | None = None
    ascending: bool = False
    symbols: frozenset[str] | None = None
    side: Side | None = None
    asset_class: str = ""
    before_id: str | None = None
    after_id: str | None = None


def plain_symbol(symbol: str) -> str:
    """A symbol without its slash: Alpaca takes `BTC/USD` and `BTCUSD` for the same pair."""
    return symbol.replace("/", "").upper()


def selected(orders: Iterable[PublishOrder], wanted: OrderFilter) -> list[PublishOrder]:
    """The orders that pass the filter, newest first unless `ascending`, at most `limit`.

    Orders of the same moment keep the order in which they were given, which is their age.
    """
    aged = sorted(orders, key=lambda order: order.created_ns)
    aged = _paged(aged, wanted)
    kept = [order for order in aged if _passes(order, wanted)]
    if not wanted.ascending:
        kept.reverse()
    return kept[: wanted.limit]


def _passes(order: PublishOrder, wanted: OrderFilter) -> bool:
    return (
        (wanted.after_ns is None or order.created_ns > wanted.after_ns)
        and (wanted.until_ns is None or order.created_ns < wanted.until_ns)
        and (wanted.side is None or order.side is wanted.side)
        and (wanted.asset_class in {"", "all", _asset_class(order.symbol)})
        and (wanted.symbols is None or plain_symbol(order.symbol) in wanted.symbols)
    )


def _asset_class(symbol: str) -> str:
    return "crypto" if "/" in symbol else "us_equity"


def _paged(aged: list[PublishOrder], wanted: OrderFilter) -> list[PublishOrder]:
    """Cut at the named orders. A name that is not in the list selects nothing: never all."""
    places = {order.order_id: place for place, order in enumerate(aged)}
    first, end = 0, len(aged)
    if wanted.after_id is not None:
        first = places.get(wanted.after_id, len(aged)) + 1
    if wanted.before_id is not None:
        end = places.get(wanted.before_id, 0)
    return aged[first:end]
