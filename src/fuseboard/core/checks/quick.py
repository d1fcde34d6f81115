"""The quick pass: the table's comparisons for an order that opens, in one function.

Nearly every order passes, and then nothing needs to be said about it. So the comparisons of the
checks that are marked `quick` in the table stand here side by side, on numbers that are read once
and bounds that are worked out when equity moves. It only ever says yes: to whatever it does not
let pass it has no answer, and the table judges, denies and explains. A property holds that the
table passes all that passes here; checks without the mark are asked one by one.

Limits of one order alone are compared by their nearer bounds (`near`), and only beyond these by
themselves: an order that reaches one is marked, for `core.order_limits` to look at.
"""

from typing import Final

from fuseboard.core.book import Order
from fuseboard.core.checks import liquidity_tier, opposite_strategy, session, tick
from fuseboard.core.checks.bounds import Bounds
from fuseboard.core.checks.proposal import Proposal
from fuseboard.core.checks.volume import volume_nanos
from fuseboard.core.liquidity.monitor import Liquidity
from fuseboard.core.market import Instrument
from fuseboard.core.position import Position
from fuseboard.core.state import Turn
from fuseboard.core.throttles import RECENT_ORDERS_MAX, Ring
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Side
from fuseboard.vocabulary.postures import Posture
from fuseboard.vocabulary.reasons import Reason

_BUY: Final = Side.BUY
_UNTIGHTENED: Final = Posture.OPEN
_ALLOWED: Final = Reason.ALLOWED
_CENT_NANOS: Final = tick.CENT_NANOS
_HUNDRED_NANOS: Final = 100 * NANOS


def worst_if_passed(
    turn: Turn, order: Order, instrument: Instrument, at: Liquidity | None, like: str
) -> int | None:
    """The symbol's worst case with an order that opens, in atto-units, when every check passes.

    None: the table has to judge it. `at` is its symbol's liquidity, `like` its likeness, if any.
    """
    state, active, symbol, strategy = turn.state, turn.active, order.symbol, order.strategy
    bounds, limits, book, account = active.bounds, active.limits, state.book, state.book.account
    equity_attos = account.cash_attos + account.value_attos
    if equity_attos != bounds.equity_attos or state.multiplier != bounds.multiplier:
        bounds.follow(equity_attos, state.multiplier)
    position = account.positions.get(symbol) or account.position(symbol)
    side, quantity_nanos, price_nanos = order.side, order.quantity_nanos, order.worst_price_nanos
    value_attos = quantity_nanos * price_nanos
    worst_attos = position.worst_with_attos(side, quantity_nanos, price_nanos, value_attos)
    added_attos = worst_attos - position.worst_attos
    gross_attos = account.worst_attos + added_attos
    rate = state.throttles.rates.get(strategy) or state.throttles.rate_of(strategy)
    if (
        not state.reconciled
        or (quantity_nanos >= bounds.order_nanos_near and not _small(turn, order))
        or (value_attos >= bounds.order_attos_near and not _cheap(turn, order, value_attos))
        or worst_attos > bounds.symbol_attos_max
        or gross_attos > bounds.gross_attos_max
        or len(book.working) >= limits.working_orders_max
        or not _priced(turn, order, instrument, position)
        or _too_often(turn, rate, bounds, like)
        or (state.postures and turn.posture(strategy, symbol)[0] is not _UNTIGHTENED)
        or (state.judges_sessions and session.closed(turn, state.period))
        or (
            turn.liquidity is not None
            and not liquidity_tier.keeps(turn, order, value_attos, instrument, at)
        )
        or (len(book.strategies) > 1 and opposite_strategy.opponent(book, order))
        or (bounds.more and not _more(turn, order, value_attos, instrument, position, added_attos))
    ):
        return None
    if active.others:
        proposal = Proposal(  # by position, as in its declaration
            order,
            turn,
            active,
            limits,
            _UNTIGHTENED,
            _ALLOWED,
            instrument,
            position,
            rate,
            value_attos,
            worst_attos,
            gross_attos,
            equity_attos,
            like,
        )
        for check in active.others:
            if not check(proposal):
                return None
    return worst_attos


def _small(turn: Turn, order: Order) -> bool:
    """The quantity of an order, which is near its limit: whether it passes."""
    _mark(turn, order, "order_quantity_nanos_max")
    return order.quantity_nanos <= turn.active.limits.order_quantity_nanos_max


def _cheap(turn: Turn, order: Order, value_attos: int) -> bool:
    """The same of the value."""
    _mark(turn, order, "order_value_nanos_max")
    return value_attos <= turn.active.bounds.order_attos_max


def _mark(turn: Turn, order: Order, field: str) -> None:
    """An order is not well below a limit of one order alone."""
    if turn.near_order is not order:
        turn.near_order = order
        turn.near_fields = []
    turn.near_fields.append(field)


def _priced(turn: Turn, order: Order, instrument: Instrument, position: Position) -> bool:
    """Tick, quote, collar and self-match: whether the prices pass."""
    limit_nanos, stop_nanos = order.limit_price_nanos, order.stop_price_nanos
    if stop_nanos is not None and stop_nanos % _CENT_NANOS and tick.off_tick(order, stop_nanos):
        return False
    bid_nanos, ask_nanos = instrument.bid_nanos, instrument.ask_nanos
    if (
        bid_nanos <= 0
        or turn.boot_ns - instrument.quoted_boot_ns > turn.policy.data.quote_age_ns_max
    ):
        return False
    if order.side is _BUY:
        if limit_nanos is None:
            return not position.selling_nanos
        if limit_nanos > ask_nanos:
            bounds = turn.active.bounds
            if (limit_nanos - ask_nanos) * _HUNDRED_NANOS >= ask_nanos * bounds.collar_near:
                _mark(turn, order, "price_collar_nanos")
                collar_nanos = bounds.limits.price_collar_nanos
                if limit_nanos * NANOS > ask_nanos * (NANOS + collar_nanos):
                    return False
        if position.selling_nanos and limit_nanos >= position.selling_price_nanos_min:
            return False
    else:
        if order.quantity_nanos % NANOS and "/" not in order.symbol:
            return False
        if limit_nanos is None:
            return not position.buying_nanos
        if limit_nanos < bid_nanos:
            bounds = turn.active.bounds
            if (bid_nanos - limit_nanos) * _HUNDRED_NANOS >= bid_nanos * bounds.collar_near:
                _mark(turn, order, "price_collar_nanos")
                collar_nanos = bounds.limits.price_collar_nanos
                if limit_nanos * NANOS < bid_nanos * (NANOS - collar_nanos):
                    return False
        if position.buying_nanos and limit_nanos <= position.buying_price_nanos_max:
            return False
    return not limit_nanos % _CENT_NANOS or not tick.off_tick(order, limit_nanos)


def _too_often(turn: Turn, rate: Ring, bounds: Bounds, like: str) -> bool:
    """Order rates and duplicates: whether one may deny, or this order reaches a soft limit.

    So what passes quickly leaves every rate below its soft limit (`core.rates`).
    """
    throttles, boot_ns, limits = turn.state.throttles, turn.boot_ns, bounds.limits
    near, window_ns = bounds.order_times_near, limits.order_rate_window_ns
    times = rate.times_boot_ns
    if len(times) >= near and (not near or boot_ns - times[rate.at - near] < window_ns):
        return True
    account = throttles.account
    if account is not None and account.full(near, window_ns, boot_ns):
        return True
    if like:
        recent = throttles.recent
        if len(recent) >= RECENT_ORDERS_MAX:
            return True
        before_boot_ns = recent.get(like)
        if before_boot_ns is not None:
            return boot_ns - before_boot_ns < (limits.duplicate_window_ns or 0)
    return False


def _more(
    turn: Turn,
    order: Order,
    value_attos: int,
    instrument: Instrument,
    position: Position,
    added_attos: int,
) -> bool:
    """What only some policies limit: whether it passes."""
    state, gate, bounds = turn.state, turn.gate, turn.active.bounds
    limits, account, throttles = bounds.limits, state.book.account, state.throttles
    symbol, lowest_nanos = order.symbol, instrument.bid_nanos
    lowest_attos = account.value_attos - account.selling_attos
    highest_attos = account.value_attos + account.buying_attos
    if order.side is _BUY:
        highest_attos += value_attos
        limit_nanos = order.limit_price_nanos
        if limit_nanos is not None and limit_nanos < lowest_nanos:
            lowest_nanos = limit_nanos
    else:
        lowest_attos -= value_attos
    if lowest_nanos <= bounds.floor_nanos_near:
        if lowest_nanos < bounds.bid_nanos_min:
            return False
        _mark(turn, order, "price_floor_nanos")
    permitted = gate.permitted.get(order.strategy)
    if (
        lowest_attos < bounds.net_attos_min
        or highest_attos > bounds.net_attos_max
        or throttles.daily_orders >= bounds.daily_orders_max
        or account.occupied + (not position.occupied) > bounds.positions_max
        or symbol in gate.restricted
        or (permitted is not None and symbol not in permitted)
    ):
        return False
    if limits.messages_max is not None:
        most, times = bounds.message_times_max, throttles.messages.times_boot_ns
        if len(times) >= most and throttles.messages.full(
            most, limits.messages_window_ns, turn.boot_ns
        ):
            return False
    if limits.sector_fraction_nanos_max is not None:
        sector = position.sector
        sector_attos = account.sectors.get(sector, 0) + added_attos
        if not sector or sector_attos > bounds.sector_attos_max:
            return False
    share_nanos = limits.order_volume_share_nanos_max
    if share_nanos is None:
        return True
    known_nanos = volume_nanos(turn, symbol)
    if known_nanos is None:
        return False
    if order.quantity_nanos * _HUNDRED_NANOS < bounds.volume_near * known_nanos:
        return True
    _mark(turn, order, "order_volume_share_nanos_max")
    return order.quantity_nanos * NANOS <= share_nanos * known_nanos
