"""Soft limits of what is judged of one order alone: how large it is, and at which prices.

Nothing of these adds up, so each order that opens and passed its checks is looked at as it goes
out. One table (`ROWS`): every limit that one order alone can reach has a row, and is compared as
its check compares it. What is denied is not near; what a check did not judge is not either.

It is said once for a limit and a strategy, and again only after the strategy sent nothing near it
(75 %) for `QUIET_NS`, or of a looser limit. An order is never woken for: that time is looked at
with the next one. A strategy that always sends nearly what it may is said once.

The quick pass compares with three quarters of a limit where it would compare with the limit, and
marks an order that reaches them (`Turn.near_order`): an ordinary order is not looked at here.
"""

from collections.abc import Callable
from typing import Final

from msgspec import Struct

from fuseboard.core.book import Order
from fuseboard.core.checks.volume import volume_nanos
from fuseboard.core.market import Instrument
from fuseboard.core.state import Turn
from fuseboard.policy.keys import KEYS
from fuseboard.policy.limits import (
    MINUTE_NS,
    NEAR_CLEAR_PERCENT,
    NEAR_PERCENT,
    TIGHTENED_BY_MORE,
    Limits,
)
from fuseboard.vocabulary.identifiers import strategy_scope
from fuseboard.vocabulary.money import (
    NANOS,
    nanos_from_attos,
    rounded_half_up,
    shown_money,
    shown_percent,
    text_from_nanos,
)
from fuseboard.vocabulary.orders import Intent, Severity, Side
from fuseboard.vocabulary.reasons import Reason

QUIET_NS: Final = 60 * MINUTE_NS
"""Orders come in waves, at the open, at the close, at each rebalancing: this is longer than the
pauses of one, and shorter than a night.
"""
NEAR_MAX: Final = 1_000
"""Limits that are known to be near; of more the one that was said first may be said again."""


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
    shown: Callable[[int], str]
    """Either number, in words."""
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


def _shares(attos: int) -> str:
    return text_from_nanos(nanos_from_attos(attos))


def _money(attos: int) -> str:
    return f"{shown_money(nanos_from_attos(attos))} USD"


def _price(attos: int) -> str:
    return f"{text_from_nanos(nanos_from_attos(attos))} USD"


ROWS: Final = (
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
        field="order_value_nanos_max",
        check="order_value",
        used=_value,
        said="the value of {} is",
        shown=_money,
    ),
    Row(
        field="order_quantity_nanos_max",
        check="order_quantity",
        used=_quantity,
        said="the quantity of {} is",
        shown=_shares,
    ),
    Row(
        field="order_volume_share_nanos_max",
        check="liquidity",
        used=_of_volume,
        said="against the average daily volume the quantity of {} is",
        shown=_shares,
    ),
)


def passed(
    turn: Turn, order: Order, instrument: Instrument, limits: Limits, skips: tuple[str, ...] = ()
) -> None:
    """An order passed its checks under these limits: say which of them it is near.

    `skips` are the checks that it was not asked.
    """
    if order.intent is not Intent.OPEN:
        return
    off = turn.policy.checks_off
    for row in ROWS:
        limit = getattr(limits, row.field)
        if limit is None or row.check in off or row.check in skips:
            continue
        used, whole = row.used(turn, order, instrument, limit)
        # More than all of it: two people let it pass, and know.
        if 0 < used <= whole and 100 * used >= NEAR_CLEAR_PERCENT * whole:
            _close(turn, order, row, limit, used, whole)


def node_started(turn: Turn) -> None:
    """A restart, by a clock that may be another: what was near then counts as near now at most."""
    near = turn.state.near_orders
    for key, (limit, near_boot_ns) in near.items():
        near[key] = limit, min(near_boot_ns, turn.boot_ns)


def _close(turn: Turn, order: Order, row: Row, limit: int, used: int, whole: int) -> None:
    """Take an order that is not well below a limit: say so if it is near and that is news."""
    near, key = turn.state.near_orders, f"{row.field}\n{order.strategy}"
    known = near.get(key)
    if known is not None and not _is_news(turn, row, limit, known):
        near[key] = known[0], turn.boot_ns
        return
    if 100 * used < NEAR_PERCENT * whole:
        return
    near.pop(key, None)
    near[key] = limit, turn.boot_ns
    if len(near) > NEAR_MAX:
        del near[next(iter(near))]
    text = (
        f"{order.strategy}: {row.said.format(f'order {order.wire_id} in {order.symbol}')}"
        f" {row.shown(used)}, {shown_percent(rounded_half_up(used * NANOS, whole))} of {row.of}"
        f" {row.shown(whole)} ({KEYS[Limits][row.field]}): near"
    )
    turn.alert(Severity.INFO, Reason.LIMIT_NEAR, text, strategy_scope(order.strategy))


def _is_news(turn: Turn, row: Row, limit: int, known: tuple[int, int]) -> bool:
    """Whether what was said no longer stands: it was quiet since, or this limit is a looser one."""
    before, near_boot_ns = known
    is_looser = limit < before if row.field in TIGHTENED_BY_MORE else limit > before
    return is_looser or turn.boot_ns - near_boot_ns >= QUIET_NS
