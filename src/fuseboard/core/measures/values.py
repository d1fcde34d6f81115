"""What a measure of the catalogue is now: one table from the name to the function that reads it.

Values are exact (`measured.Value`): a quotient is its numerator and its denominator, never divided.
None says that the number is missing, still warming up, or too old: a condition over it is unknown.
"""

from collections.abc import Callable
from typing import Final

from msgspec import Struct

from fuseboard.core.book import Ledger
from fuseboard.core.liquidity.asked import (
    agreed_tier_number,
    lower,
    prior_score_nanos,
    score_nanos,
    tier_number,
)
from fuseboard.core.measures.courses import Course
from fuseboard.core.measures.recording import capital_nanos_of, equity_of
from fuseboard.core.measures.scores import Score
from fuseboard.core.measures.symbols import equity_attos_of, orders_of_a_second
from fuseboard.core.reporting import prior_value, reported_value
from fuseboard.core.state import Turn
from fuseboard.vocabulary.catalogue import MEASURES
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE, strategy_scope
from fuseboard.vocabulary.measured import Value
from fuseboard.vocabulary.money import NANOS

NOTHING_REQUIRED: Final = (1_000_000, 1)
"""Stands for equity over a requirement of nothing."""
NO_SCORE: Final = Score()


class Reading(Struct, gc=False):
    """One question: which scope, and the equity to answer by (a second source may give its own)."""

    turn: Turn
    scope: str
    strategy: str
    symbol: str
    ledger: Ledger | None
    """Of the strategy, else the account's; None when the strategy has none yet."""
    equity_attos: int | None
    """None where nothing says what it is: a symbol without a course, a strategy without capital,
    before the books have been compared."""


def value_of(turn: Turn, name: str, scope: str, equity_attos: int | None = None) -> Value:
    """The value of a STATE measure on `account`, `strategy:NAME` or `symbol:NAME`.

    `equity_attos` is judged in the place of our own where a second source reports it. Raises
    `KeyError` for a name that the catalogue does not hold as a STATE measure.
    """
    return VALUES[name](reading_of(turn, scope, equity_attos))


def reading_of(turn: Turn, scope: str, equity_attos: int | None = None) -> Reading:
    """What the functions of `VALUES` read; several names of one scope may share it."""
    book = turn.state.book
    if scope == ACCOUNT_SCOPE:
        strategy = symbol = ""
        ledger: Ledger | None = book.account
    elif scope.startswith("strategy:"):
        strategy, symbol = scope.removeprefix("strategy:"), ""
        ledger = book.strategies.get(strategy)
    else:
        strategy, symbol, ledger = "", scope.removeprefix("symbol:"), book.account
    if equity_attos is None:
        equity_attos = _equity_attos(turn, strategy, symbol)
    return Reading(turn, scope, strategy, symbol, ledger, equity_attos)


def _equity_attos(turn: Turn, strategy: str, symbol: str) -> int | None:
    if not turn.state.reconciled:
        return None
    if symbol:
        followed = symbol in turn.state.symbols.courses
        return equity_attos_of(turn.state, symbol) if followed else None
    if strategy and capital_nanos_of(turn, strategy) is None:
        return None
    return equity_of(turn, strategy_scope(strategy) if strategy else ACCOUNT_SCOPE)


def _equity(reading: Reading) -> int | None:
    return None if reading.symbol else reading.equity_attos


def _cash(reading: Reading) -> int | None:
    if reading.symbol or not reading.turn.state.account_known:
        return None
    return 0 if reading.ledger is None else reading.ledger.cash_attos


def _positions(reading: Reading) -> int | None:
    ledger = reading.ledger
    if ledger is None:
        return 0
    if reading.symbol:
        at = ledger.positions.get(reading.symbol)
        return 0 if at is None or at.quantity_nanos == 0 else 1
    return sum(at.quantity_nanos != 0 for at in ledger.positions.values())


def _working_orders(reading: Reading) -> int | None:
    book = reading.turn.state.book
    if not reading.strategy and not reading.symbol:
        return len(book.working)
    return len(book.working_orders(strategy=reading.strategy, symbol=reading.symbol))


def _values_attos(reading: Reading) -> list[int]:
    """The signed value of each position of the scope."""
    ledger = reading.ledger
    if ledger is None:
        return []
    if reading.symbol:
        at = ledger.positions.get(reading.symbol)
        return [] if at is None else [at.quantity_nanos * at.mark_nanos]
    return [at.quantity_nanos * at.mark_nanos for at in ledger.positions.values()]


def _gross_exposure(reading: Reading) -> Value:
    return _of_equity(reading, sum(abs(value) for value in _values_attos(reading)))


def _net_exposure(reading: Reading) -> Value:
    return _of_equity(reading, sum(_values_attos(reading)))


def _leverage(reading: Reading) -> Value:
    ledger = reading.ledger
    if ledger is None:
        worst_attos = 0
    elif reading.symbol:
        at = ledger.positions.get(reading.symbol)
        worst_attos = 0 if at is None else at.worst_attos
    elif not reading.strategy:
        worst_attos = ledger.worst_attos
    else:
        worst_attos = sum(
            max(
                abs(at.quantity_nanos * at.mark_nanos),
                at.quantity_nanos * at.mark_nanos + at.buying_attos,
                at.selling_attos - at.quantity_nanos * at.mark_nanos,
            )
            for at in ledger.positions.values()
        )
    return _of_equity(reading, worst_attos)


def _of_equity(reading: Reading, attos: int) -> Value:
    """A value as a fraction of equity (a symbol's: of the account's)."""
    equity_attos = reading.equity_attos
    if reading.symbol:
        equity_attos = _equity_attos(reading.turn, "", "")
    if equity_attos is None or equity_attos <= 0:
        return None
    return attos, equity_attos


def _order_rate(reading: Reading) -> int | None:
    """Orders of the last second; never more than the policy's rate, which denies the others."""
    throttles = reading.turn.state.throttles
    if reading.symbol:
        return orders_of_a_second(reading.turn, reading.symbol)
    if not reading.strategy and throttles.account is not None:
        return throttles.account.within(NANOS, reading.turn.boot_ns)
    rings = throttles.rates
    if reading.strategy:
        ring = rings.get(reading.strategy)
        return 0 if ring is None else ring.within(NANOS, reading.turn.boot_ns)
    return sum(ring.within(NANOS, reading.turn.boot_ns) for ring in rings.values())


def _messages(reading: Reading) -> int | None:
    if reading.strategy or reading.symbol or not reading.turn.gate.counts_messages:
        return None
    return reading.turn.state.throttles.messages.within(NANOS, reading.turn.boot_ns)


def _daily_orders(reading: Reading) -> int | None:
    if reading.strategy or reading.symbol:
        return None
    return reading.turn.state.throttles.daily_orders


def _course(reading: Reading) -> Course | None:
    state = reading.turn.state
    if not reading.symbol:
        return state.courses.get(reading.scope)
    at = state.symbols.courses.get(reading.symbol)
    return None if at is None else at.course


def _profit(reading: Reading, opening_attos: int) -> Value:
    """What was earned since, as a fraction of the opening equity."""
    if reading.equity_attos is None or opening_attos <= 0:
        return None
    return reading.equity_attos - opening_attos, opening_attos


def _daily_pnl(reading: Reading) -> Value:
    course = _course(reading)
    return None if course is None else _profit(reading, course.day_open_attos)


def _weekly_pnl(reading: Reading) -> Value:
    course = _course(reading)
    return None if course is None else _profit(reading, course.week_open_attos)


def _monthly_pnl(reading: Reading) -> Value:
    course = _course(reading)
    return None if course is None else _profit(reading, course.month_open_attos)


def _loss(reading: Reading, peak_attos: int) -> Value:
    """How far equity is below a peak, as a fraction of it; 0 above it."""
    if reading.equity_attos is None or peak_attos <= 0:
        return None
    return max(0, peak_attos - reading.equity_attos), peak_attos


def _drawdown(reading: Reading) -> Value:
    course = _course(reading)
    return None if course is None else _loss(reading, course.peak_attos)


def _rolling_drawdown(reading: Reading) -> Value:
    course = _course(reading)
    return None if course is None else _loss(reading, course.highest_attos())


def _sharpe(reading: Reading) -> int | None:
    course = _course(reading)
    return None if course is None else course.sharpe_half_nanos()


def _of_broker(reading: Reading, name: str) -> bool:
    """Whether the broker's own figures are the account's and fresh enough."""
    read_boot_ns, age_ns_max = reading.turn.state.figures_boot_ns, MEASURES[name].age_ns_max
    if read_boot_ns is None or reading.strategy or reading.symbol:
        return False
    return age_ns_max is None or reading.turn.boot_ns - read_boot_ns <= age_ns_max


def _buying_power(reading: Reading) -> int | None:
    return reading.turn.state.buying_power_nanos if _of_broker(reading, "buying_power") else None


def _maintenance_margin(reading: Reading) -> Value:
    """Equity over what the broker requires; very large when nothing is required."""
    return _margin(reading, reading.turn.state.maintenance_nanos)


def _margin(reading: Reading, required_nanos: int | None) -> Value:
    fresh = _of_broker(reading, "maintenance_margin")
    if required_nanos is None or reading.equity_attos is None or not fresh:
        return None
    if required_nanos <= 0:
        return NOTHING_REQUIRED
    return reading.equity_attos, required_nanos * NANOS


def _max_position_divergence(reading: Reading) -> Value:
    state, age_ns_max = reading.turn.state, MEASURES["max_position_divergence"].age_ns_max
    compared_boot_ns = state.divergence_boot_ns
    if reading.scope != ACCOUNT_SCOPE or compared_boot_ns is None or age_ns_max is None:
        return None
    fresh = reading.turn.boot_ns - compared_boot_ns <= age_ns_max
    return state.divergence if fresh else None


def _score(reading: Reading) -> Score:
    return reading.turn.state.scores.get(reading.scope) or NO_SCORE


def _consecutive_losses(reading: Reading) -> int | None:
    return _score(reading).losses


def _fill_quality(reading: Reading) -> int | None:
    return _score(reading).fill_points_nanos()


def _reject_rate(reading: Reading) -> int | None:
    return _score(reading).rejects()


def _error_count_1h(reading: Reading) -> int | None:
    return _score(reading).errors(reading.turn.boot_ns)


def _liquidity_score(reading: Reading) -> int | None:
    reported = reported_value(reading.turn, "liquidity_score", reading.symbol)
    return lower(score_nanos(reading.turn, reading.strategy, reading.symbol), reported)


def _liquidity_tier(reading: Reading) -> int | None:
    return tier_number(reading.turn, reading.strategy, reading.symbol)


def _prior_liquidity_score(reading: Reading) -> int | None:
    reported = prior_value(reading.turn, "liquidity_score", reading.symbol)
    before = prior_score_nanos(reading.turn, reading.strategy, reading.symbol)
    return lower(before, reported)


def _vix(reading: Reading) -> int | None:
    return reported_value(reading.turn, "vix")


VALUES: Final[dict[str, Callable[[Reading], Value]]] = {
    "equity": _equity,
    "cash": _cash,
    "buying_power": _buying_power,
    "daily_pnl": _daily_pnl,
    "weekly_pnl": _weekly_pnl,
    "monthly_pnl": _monthly_pnl,
    "drawdown": _drawdown,
    "rolling_drawdown": _rolling_drawdown,
    "gross_exposure": _gross_exposure,
    "net_exposure": _net_exposure,
    "leverage": _leverage,
    "maintenance_margin": _maintenance_margin,
    "max_position_divergence": _max_position_divergence,
    "positions": _positions,
    "working_orders": _working_orders,
    "order_rate": _order_rate,
    "messages": _messages,
    "daily_orders": _daily_orders,
    "reject_rate": _reject_rate,
    "error_count_1h": _error_count_1h,
    "consecutive_losses": _consecutive_losses,
    "fill_quality": _fill_quality,
    "sharpe": _sharpe,
    "liquidity_score": _liquidity_score,
    "liquidity_tier": _liquidity_tier,
    "vix": _vix,
}
PRIOR: Final[dict[str, Callable[[Reading], Value]]] = {
    "buying_power": lambda reading: reading.turn.state.prior_buying_power_nanos,
    "maintenance_margin": lambda reading: _margin(
        reading, reading.turn.state.prior_maintenance_nanos
    ),
    "liquidity_score": _prior_liquidity_score,
    "liquidity_tier": lambda reading: agreed_tier_number(
        reading.turn, reading.strategy, reading.symbol
    ),
    "vix": lambda reading: prior_value(reading.turn, "vix"),
}
"""Measures that rest on one report of somebody else: by the report before the last one."""
