"""What a measure of the catalogue is now: one table from the name to the function that reads it.

Values are integers in the catalogue's scale. None says that the number is missing, still warming
up, or too old: a condition over it is unknown. A quotient is rounded against the trader to the
nano-unit.
"""

from collections.abc import Callable
from typing import Final

from msgspec import Struct

from fuseboard.core.book import Ledger
from fuseboard.core.state import Turn
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE
from fuseboard.vocabulary.money import NANOS


class Reading(Struct, gc=False):
    """One question: which scope, and the equity to answer by (a second source may give its own)."""

    turn: Turn
    scope: str
    strategy: str
    symbol: str
    ledger: Ledger | None
    """Of the strategy, else the account's; None when the strategy has none yet."""
    equity_attos: int | None
    """None where nothing says what it is: a symbol, a strategy without capital, before the books
    have been compared."""


def value_of(turn: Turn, name: str, scope: str, equity_attos: int | None = None) -> int | None:
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
        equity_attos = _equity_attos(turn, strategy, symbol, ledger)
    return Reading(turn, scope, strategy, symbol, ledger, equity_attos)


def _equity_attos(turn: Turn, strategy: str, symbol: str, ledger: Ledger | None) -> int | None:
    if symbol or not turn.state.reconciled:
        return None
    if not strategy:
        account = turn.state.book.account
        return account.cash_attos + account.value_attos
    for rule in turn.policy.strategies:
        if rule.name == strategy:
            profit_attos = 0 if ledger is None else ledger.cash_attos + ledger.value_attos
            return rule.capital_nanos * NANOS + profit_attos
    return None


def _equity(reading: Reading) -> int | None:
    equity_attos = reading.equity_attos
    return None if equity_attos is None else equity_attos // NANOS


def _cash(reading: Reading) -> int | None:
    if reading.symbol or not reading.turn.state.account_known:
        return None
    return 0 if reading.ledger is None else reading.ledger.cash_attos // NANOS


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


def _gross_exposure(reading: Reading) -> int | None:
    return _of_equity(reading, sum(abs(value) for value in _values_attos(reading)))


def _net_exposure(reading: Reading) -> int | None:
    return _of_equity(reading, sum(_values_attos(reading)))


def _leverage(reading: Reading) -> int | None:
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


def _of_equity(reading: Reading, attos: int) -> int | None:
    """A value as a fraction of equity (a symbol's: of the account's), away from zero."""
    equity_attos = reading.equity_attos
    if reading.symbol:
        equity_attos = _equity_attos(reading.turn, "", "", reading.ledger)
    if equity_attos is None or equity_attos <= 0:
        return None
    magnitude = -(-abs(attos) * NANOS // equity_attos)
    return magnitude if attos >= 0 else -magnitude


def _order_rate(reading: Reading) -> int | None:
    if reading.strategy or reading.symbol:
        return None
    since_boot_ns = reading.turn.boot_ns - NANOS
    return sum(at > since_boot_ns for at in reading.turn.state.rate.times_boot_ns)


def _unknown(reading: Reading) -> int | None:
    return None


VALUES: Final[dict[str, Callable[[Reading], int | None]]] = {
    "equity": _equity,
    "cash": _cash,
    "buying_power": _unknown,
    "daily_pnl": _unknown,
    "weekly_pnl": _unknown,
    "monthly_pnl": _unknown,
    "drawdown": _unknown,
    "rolling_drawdown": _unknown,
    "gross_exposure": _gross_exposure,
    "net_exposure": _net_exposure,
    "leverage": _leverage,
    "maintenance_margin": _unknown,
    "max_position_divergence": _unknown,
    "positions": _positions,
    "working_orders": _working_orders,
    "order_rate": _order_rate,
    "messages": _unknown,
    "daily_orders": _unknown,
    "reject_rate": _unknown,
    "error_count_1h": _unknown,
    "consecutive_losses": _unknown,
    "fill_quality": _unknown,
    "sharpe": _unknown,
    "liquidity_score": _unknown,
    "vix": _unknown,
}
