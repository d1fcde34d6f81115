"""Soft limits of what is judged of one order alone: how large it is, and at which prices.

Nothing of these adds up, so each order that opens and passed its checks is looked at as it goes
out. One table (`ROWS`): every limit that one order alone can reach has a row, and is compared as
its check compares it. What is denied is not near; what a check did not judge is not either.

It is said once for a limit and a strategy, and again only after the strategy sent nothing near it
(75 %) for `QUIET_NS`, or of a limit tighter or looser than each that it was said of: a posture, a
dynamic limit or a person can move it. A limit that goes in and out is said at either end, once, and
no two words come within a minute. An order is never woken for: those times are looked at with the
next one. A strategy that always sends nearly what it may is said once.

The quick pass compares with three quarters of a limit where it would compare with the limit, and
marks which an order reaches (`Turn.near_fields`): an ordinary order is not looked at here, and one
that is near what it was said to be near has only its time noted.
"""

from collections.abc import Callable
from typing import Final

from msgspec import Struct

from fuseboard.core.book import Order
from fuseboard.core.checks.volume import volume_nanos
from fuseboard.core.market import Instrument
from fuseboard.core.state import Turn
from fuseboard.core.throttles import OrderNear
from fuseboard.policy.keys import KEYS
from fuseboard.policy.limits import (
    MINUTE_NS,
    NEAR_CLEAR_PERCENT,
    NEAR_PERCENT,
    Limits,
)
from fuseboard.vocabulary.identifiers import strategy_scope
from fuseboard.vocabulary.money import (
    ATTOS,
    NANOS,
    shown_money_apart,
    shown_share,
    texts_apart,
)
from fuseboard.vocabulary.orders import Intent, Severity, Side
from fuseboard.vocabulary.reasons import Reason

QUIET_NS: Final = 60 * MINUTE_NS
"""Orders come in waves, at the open, at the close, at each rebalancing: this is longer than the
pauses of one, and shorter than a night.
"""
SAID_EVERY_NS: Final = MINUTE_NS
"""At most once in this time for each limit and strategy, however its limit moves."""
NEAR_MAX: Final = 1_000
"""Strategies that are known to be near a limit; of more the first may be said again."""


class Row(Struct, frozen=True, kw_only=True):
    """One limit of the table."""

    field: str
    """Of `Limits`."""
    check: str
    """The row of the table of checks that denies beyond it."""
    used: Callable[[Turn, Order, Instrument, int], tuple[int, int]]
    """How much an order uses, by the limit, and of how much; both in one unit. Denied is more."""
    said: str
    """What is used, in words: `{}` is the order."""
    shown: Callable[[int, int], tuple[str, str]]
    """Both numbers, in words."""
    of: str = "its limit"


def _quantity(_turn: Turn, order: Order, _at: Instrument, limit: int) -> tuple[int, int]:
    return order.quantity_nanos * NANOS, limit * NANOS


def _value(_turn: Turn, order: Order, _at: Instrument, limit: int) -> tuple[int, int]:
    return order.quantity_nanos * order.worst_price_nanos, limit * NANOS


def _of_volume(turn: Turn, order: Order, _at: Instrument, limit: int) -> tuple[int, int]:
    known_nanos = volume_nanos(turn, order.symbol)
    return order.quantity_nanos * NANOS, limit * (known_nanos or 0)


def _beyond_quote(_turn: Turn, order: Order, at: Instrument, limit: int) -> tuple[int, int]:
    """How far the limit price is beyond the far side; nothing where the strategy named none."""
    price_nanos = order.limit_price_nanos
    if price_nanos is None or (order.asked and order.asked.limit_price_nanos is None):
        return 0, 0
    if order.side is Side.BUY:
        return (price_nanos - at.ask_nanos) * NANOS, limit * at.ask_nanos
    return (at.bid_nanos - price_nanos) * NANOS, limit * at.bid_nanos


def _floor(_turn: Turn, order: Order, at: Instrument, limit: int) -> tuple[int, int]:
    """A least price, turned around: how much of the price the floor is."""
    lowest_nanos = at.bid_nanos
    if order.side is Side.BUY and order.limit_price_nanos is not None:
        lowest_nanos = min(lowest_nanos, order.limit_price_nanos)
    return limit * NANOS, lowest_nanos * NANOS


def _shares(used: int, whole: int) -> tuple[str, str]:
    return texts_apart(used, whole, ATTOS)


def _money(used: int, whole: int) -> tuple[str, str]:
    used_shown, whole_shown = shown_money_apart(used, whole, ATTOS)
    return f"{used_shown} USD", f"{whole_shown} USD"


def _price(used: int, whole: int) -> tuple[str, str]:
    used_shown, whole_shown = texts_apart(used, whole, ATTOS)
    return f"{used_shown} USD", f"{whole_shown} USD"


ROWS: Final = (
    Row(
        field="order_quantity_nanos_max",
        check="order_quantity",
        used=_quantity,
        said="the quantity of {} is",
        shown=_shares,
    ),
    Row(
        field="order_value_nanos_max",
        check="order_value",
        used=_value,
        said="the value of {} is",
        shown=_money,
    ),
    Row(
        field="price_collar_nanos",
        check="price_collar",
        used=_beyond_quote,
        said="the limit price of {} is beyond the quote by",
        shown=_price,
    ),
    Row(
        field="price_floor_nanos",
        check="price_floor",
        used=_floor,
        said="the price floor under {} is",
        shown=_price,
        of="the price",
    ),
    Row(
        field="order_volume_share_nanos_max",
        check="liquidity",
        used=_of_volume,
        said="against the average daily volume the quantity of {} is",
        shown=_shares,
    ),
)
"""In the order in which the quick pass marks them."""
_ROW_OF: Final = {row.field: row for row in ROWS}


def passed(
    turn: Turn, order: Order, instrument: Instrument, limits: Limits, skips: tuple[str, ...] = ()
) -> None:
    """An order passed its checks under these limits: say which of them it is near.

    `skips` are the checks that it was not asked.
    """
    if order.intent is Intent.OPEN:
        for row in ROWS:
            if row.check not in skips:
                _look(turn, order, instrument, limits, row)


def passed_quickly(turn: Turn, order: Order, instrument: Instrument, limits: Limits) -> None:
    """The same of an order that the quick pass has marked."""
    near = None if turn.policy.checks_off else turn.state.near_orders.get(order.strategy)
    for field in turn.near_fields:
        known = None if near is None else near.get(field)
        if (
            known is not None
            and turn.boot_ns - known.near_boot_ns < QUIET_NS
            and known.least <= getattr(limits, field) <= known.most
        ):
            known.near_boot_ns = turn.boot_ns
        else:
            _look(turn, order, instrument, limits, _ROW_OF[field])


def node_started(turn: Turn) -> None:
    """A restart, by a clock that may be another: what was near then counts as near now at most."""
    for near in turn.state.near_orders.values():
        for known in near.values():
            known.near_boot_ns = min(known.near_boot_ns, turn.boot_ns)
            known.said_boot_ns = min(known.said_boot_ns, turn.boot_ns)


def _look(turn: Turn, order: Order, instrument: Instrument, limits: Limits, row: Row) -> None:
    """Look at one limit, if the policy has it: say that the order is near it if that is news."""
    limit = getattr(limits, row.field)
    if limit is None or row.check in turn.policy.checks_off:
        return
    used, whole = row.used(turn, order, instrument, limit)
    # More than all of it: two people let it pass, and know.
    if not 0 < used <= whole or 100 * used < NEAR_CLEAR_PERCENT * whole:
        return
    every = turn.state.near_orders
    near = every.get(order.strategy) or {}
    known = near.get(row.field)
    if known is not None and not _is_news(turn, limit, known):
        known.near_boot_ns = turn.boot_ns
        return
    if 100 * used < NEAR_PERCENT * whole:
        return
    near[row.field] = _said_now(turn, limit, known)
    every[order.strategy] = near
    if len(every) > NEAR_MAX:
        del every[next(iter(every))]
    turn.alert(
        Severity.INFO,
        Reason.LIMIT_NEAR,
        _said(order, row, used, whole),
        strategy_scope(order.strategy),
    )


def _is_quiet(turn: Turn, known: OrderNear) -> bool:
    return turn.boot_ns - known.near_boot_ns >= QUIET_NS


def _is_news(turn: Turn, limit: int, known: OrderNear) -> bool:
    """Whether what was said no longer stands: it was quiet since, or this limit is another one."""
    is_other = not known.least <= limit <= known.most
    return _is_quiet(turn, known) or (
        is_other and turn.boot_ns - known.said_boot_ns >= SAID_EVERY_NS
    )


def _said_now(turn: Turn, limit: int, known: OrderNear | None) -> OrderNear:
    """What is known once this limit is said; after quiet it is the only one."""
    least = most = limit
    if known is not None and not _is_quiet(turn, known):
        least, most = min(known.least, limit), max(known.most, limit)
    return OrderNear(least, most, said_boot_ns=turn.boot_ns, near_boot_ns=turn.boot_ns)


def _said(order: Order, row: Row, used: int, whole: int) -> str:
    """Who, which order, how much of what, by which line of the policy."""
    what = row.said.format(f"order {order.wire_id} in {order.symbol}")
    shown, limit = row.shown(used, whole)
    return (
        f"{order.strategy}: {what} {shown}, {shown_share(used, whole)} of {row.of} {limit}"
        f" ({KEYS[Limits][row.field]}): near"
    )
