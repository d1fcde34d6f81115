"""Shaping: what a tier makes of an order before it is sent.

An order that opens is cut to the tier's value and clip, and priced at most the tier's offset
beyond the quote: a market order becomes a limit order there, a stop becomes a stop-limit that far
beyond its stop. What was already sent to take from the same book is taken off the clip, and in
DEFENSIVE off the value. Each of it makes the order smaller or less keen, so whatever check passed
before passes still. A proven reduction is never resized (law 13); a market order that reduces
becomes a limit order at the edge of the tier's exit collar, from the furthest price known, and
stays a market order where none is. Stops that reduce are left alone.
"""

from typing import Final

from msgspec import Struct

from fuseboard.core.asked import Asked
from fuseboard.core.book import Order
from fuseboard.core.liquidity.monitor import BESIDE_NS, TOP_LEVELS, Liquidity
from fuseboard.core.liquidity.tiers import Compiled
from fuseboard.core.market import Instrument
from fuseboard.core.state import Turn
from fuseboard.policy.liquidity_rules import TierRules
from fuseboard.vocabulary.closes import price_step_nanos
from fuseboard.vocabulary.liquidity import Tier
from fuseboard.vocabulary.liquidity_effects import RecordShaping
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Intent, OrderType, Side

_BUY: Final = Side.BUY
_MARKET, _LIMIT = OrderType.MARKET, OrderType.LIMIT
_STOP, _STOP_LIMIT = OrderType.STOP, OrderType.STOP_LIMIT
_REDUCE: Final = Intent.REDUCE
_DEFENSIVE: Final = Tier.DEFENSIVE


class Shape(Struct, frozen=True, gc=False):
    """An order as it would be sent; a quantity of 0 cannot be."""

    quantity_nanos: int
    order_type: OrderType
    limit_price_nanos: int | None

    def keeps(self, order: Order) -> bool:
        """Whether the order is this already."""
        return (
            self.quantity_nanos == order.quantity_nanos
            and self.limit_price_nanos == order.limit_price_nanos
            and self.order_type is order.order_type
        )


def opening_shape(order: Order, at: Liquidity, rules: TierRules, instrument: Instrument) -> Shape:
    """What a tier makes of an order that opens, under a usable book; nothing, where it would need a
    price that the book has left behind.
    """
    buys, stop_nanos = order.side is _BUY, order.stop_price_nanos
    start_nanos = stop_nanos or _best_nanos(at, instrument, buys=buys)
    edge_nanos = _edge_nanos(order.symbol, start_nanos, rules.offset_nanos, buys=buys)
    limit_nanos = order.limit_price_nanos
    if limit_nanos is None or (limit_nanos > edge_nanos if buys else limit_nanos < edge_nanos):
        limit_nanos = edge_nanos
        if stop_nanos is None and is_left_behind(at, instrument, edge_nanos, buys=buys):
            return Shape(0, _LIMIT, edge_nanos)
    worst_nanos = limit_nanos if buys else max(limit_nanos, stop_nanos or 0, instrument.ask_nanos)
    most_nanos = rules.order_value_nanos_max * NANOS // worst_nanos
    taken_nanos = 0
    if stop_nanos is None and (limit_nanos >= start_nanos if buys else limit_nanos <= start_nanos):
        taken_nanos = at.taken_asks_nanos if buys else at.taken_bids_nanos
    if at.gauge.tier is _DEFENSIVE:
        most_nanos -= taken_nanos
    if at.levels:
        top = (at.asks if buys else at.bids)[:TOP_LEVELS]
        clip_nanos = sum(size for _, size in top) * rules.clip_nanos // NANOS
        most_nanos = min(most_nanos, clip_nanos - taken_nanos)
    most_nanos = max(most_nanos, 0)
    quantity_nanos = order.quantity_nanos
    if quantity_nanos > most_nanos:
        whole = quantity_nanos % NANOS == 0 and "/" not in order.symbol
        quantity_nanos = most_nanos - most_nanos % NANOS if whole else most_nanos
    return Shape(quantity_nanos, _LIMIT if stop_nanos is None else _STOP_LIMIT, limit_nanos)


def exit_price_nanos(turn: Turn, order: Order, at: Liquidity | None, collar: int) -> int | None:
    """The edge of an exit's collar from the furthest price that is known; None: none is.

    What is older than the policy lets a quote be is not known any more: a price that the market
    has left behind would trap the exit.
    """
    buys = order.side is _BUY
    known: list[int] = []
    instrument = turn.state.instruments.get(order.symbol)
    if instrument is not None:
        if instrument.priced(turn.policy.data, turn.boot_ns):
            known.append(instrument.ask_nanos if buys else instrument.bid_nanos)
        age_ns = turn.boot_ns - instrument.traded_boot_ns
        if instrument.last_trade_nanos and age_ns <= turn.policy.data.quote_age_ns_max:
            known.append(instrument.last_trade_nanos)
    if at is not None and at.bids and _is_fresh(turn, at):
        known.append(at.asks[0][0] if buys else at.bids[0][0])
    if not known:
        return None
    if buys:
        edge_nanos = -(-max(known) * (NANOS + collar) // NANOS)
        step = price_step_nanos(order.symbol, edge_nanos)
        return -(-edge_nanos // step) * step
    edge_nanos = min(known) * (NANOS - collar) // NANOS
    step = price_step_nanos(order.symbol, edge_nanos)
    return max(edge_nanos // step * step, step)


def _is_fresh(turn: Turn, at: Liquidity) -> bool:
    """Whether a book is young enough to price an exit; one from before an exchange's halt is not,
    though the halt was no silence.
    """
    age_ns = turn.boot_ns - at.seen_boot_ns
    return turn.boot_ns <= at.stale_boot_ns and age_ns <= turn.policy.data.quote_age_ns_max


def note_taken(turn: Turn, order: Order, at: Liquidity, instrument: Instrument) -> None:
    """An order that opens was sent: what it would take is off the book, until one that knows of it
    (`TAKEN_STANDS_NS`).
    """
    if not (at.levels or at.gauge.tier is _DEFENSIVE):
        return
    limit_nanos = order.limit_price_nanos
    if not at.bids or limit_nanos is None or order.stop_price_nanos is not None:
        return
    if order.side is _BUY:
        if limit_nanos >= _best_nanos(at, instrument, buys=True):
            at.taken_asks_nanos += order.quantity_nanos
            at.taken_boot_ns = turn.boot_ns
    elif limit_nanos <= _best_nanos(at, instrument, buys=False):
        at.taken_bids_nanos += order.quantity_nanos
        at.taken_boot_ns = turn.boot_ns


def _best_nanos(at: Liquidity, instrument: Instrument, *, buys: bool) -> int:
    """The nearer of quote and book, on the side that would be taken; the good quote where it is so
    much newer than the levels of a book that still stands.
    """
    if at.levels and instrument.quoted_boot_ns - at.book_boot_ns >= BESIDE_NS:
        return instrument.ask_nanos if buys else instrument.bid_nanos
    if buys:
        return min(instrument.ask_nanos, at.asks[0][0])
    return max(instrument.bid_nanos, at.bids[0][0])


def is_left_behind(at: Liquidity, instrument: Instrument, edge_nanos: int, *, buys: bool) -> bool:
    """Whether the latest quote prices nothing (law 12), and the edge, which is then of an old one,
    does not reach the book.
    """
    if not instrument.excluded:
        return False
    return edge_nanos < at.asks[0][0] if buys else edge_nanos > at.bids[0][0]


def _edge_nanos(symbol: str, start_nanos: int, offset_nanos: int, *, buys: bool) -> int:
    """A price so far beyond the start at most, on the symbol's step.

    A pair's step is a guess at its market's, which may be finer: it never rounds the edge short of
    the start, where the order would not trade.
    """
    if buys:
        edge_nanos = start_nanos * (NANOS + offset_nanos) // NANOS
        step_nanos = price_step_nanos(symbol, edge_nanos)
        edge_nanos = edge_nanos // step_nanos * step_nanos
        return start_nanos if edge_nanos < start_nanos and "/" in symbol else edge_nanos
    edge_nanos = -(-start_nanos * (NANOS - offset_nanos) // NANOS)
    step_nanos = price_step_nanos(symbol, edge_nanos)
    edge_nanos = -(-edge_nanos // step_nanos) * step_nanos
    return start_nanos if edge_nanos > start_nanos and "/" in symbol else edge_nanos


def shaped(turn: Turn, tiers: Compiled, order: Order, instrument: Instrument, worst: int) -> int:
    """Shape an order that passed every check; the symbol's worst case with it, in atto-units.

    `worst` is that of the order as it was asked for.
    """
    at = turn.state.liquidity.get(order.symbol)
    tier = Tier.EMERGENCY if at is None else at.gauge.tier
    if order.intent is _REDUCE:
        if order.order_type is not _MARKET:
            return worst
        price_nanos = exit_price_nanos(turn, order, at, tiers.exit_collars_nanos[tier])
        if price_nanos is None:
            return worst
        shape = Shape(order.quantity_nanos, _LIMIT, price_nanos)
    else:
        rules = tiers.of_tier[tier]
        assert at is not None, "the check lets nothing through that is not measured"
        assert rules is not None, "the check lets nothing open in this tier"
        shape = opening_shape(order, at, rules, instrument)
        assert shape.quantity_nanos > 0, "the check lets nothing through that is cut to nothing"
        if shape.keeps(order):
            return worst
    _record(turn, order, shape, tier)
    order.asked = Asked(order.quantity_nanos, order.order_type, order.limit_price_nanos)
    order.quantity_nanos, order.order_type = shape.quantity_nanos, shape.order_type
    order.limit_price_nanos = shape.limit_price_nanos
    if order.side is _BUY:
        assert shape.limit_price_nanos is not None
        order.worst_price_nanos = shape.limit_price_nanos
    position = turn.state.book.account.position(order.symbol)
    quantity_nanos, price_nanos = order.quantity_nanos, order.worst_price_nanos
    value_attos = quantity_nanos * price_nanos
    return position.worst_with_attos(order.side, quantity_nanos, price_nanos, value_attos)


def _record(turn: Turn, order: Order, shape: Shape, tier: Tier) -> None:
    turn.out.append(
        RecordShaping(
            order_id=order.order_id,
            strategy=order.strategy,
            symbol=order.symbol,
            tier=tier.name,
            asked_quantity_nanos=order.quantity_nanos,
            quantity_nanos=shape.quantity_nanos,
            asked_type=order.order_type,
            order_type=shape.order_type,
            asked_limit_nanos=order.limit_price_nanos,
            limit_price_nanos=shape.limit_price_nanos,
        )
    )
