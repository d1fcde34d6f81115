"""How near what is held is to its limits: alerts, when prices or fills bring it there (law 6).

A limit is *near* from its soft limit on, and *passed* when what is held exceeds it. Each is said
once for a limit and scope, and said again only after the measure was well below. Nothing is
denied here: the checks judge each order in the worst case, and a limit that was passed denies
whatever raises exposure, in any symbol it counts, while proven reductions are not asked.

One table (`ROWS`): a limit is a name, what is measured, and what it may be. Working orders do not
count, because they are no news to whoever sent them. A mark asks about its own symbol and about
the account, so its cost is that of the table's limited rows and not of the book.
"""

from collections.abc import Callable
from typing import Final

from msgspec import Struct

from fuseboard.core.state import State, Turn
from fuseboard.policy.limits import Limits
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE, symbol_scope
from fuseboard.vocabulary.money import ATTOS, NANOS, rounded_half_up, shown_money, shown_percent
from fuseboard.vocabulary.orders import Severity
from fuseboard.vocabulary.reasons import Reason

NEAR_PERCENT: Final = 80
NEAR_CLEAR_PERCENT: Final = 75
PASSED_CLEAR_PERCENT: Final = 95


class Row(Struct, frozen=True, kw_only=True):
    """One limit of the table."""

    name: str
    measured: Callable[[State, str], int]
    """What is held, in atto-units of money, not negative; of the symbol or of the account."""
    limit: Callable[[Limits], int | None]
    """In nano-units: money, or a fraction of equity. None: the policy has no such limit."""
    of_equity: bool
    of_symbol: bool
    """Each symbol is a scope of its own; otherwise the account is."""


def _gross_attos(state: State, _symbol: str) -> int:
    return state.book.account.held_attos


def _position_attos(state: State, symbol: str) -> int:
    position = state.book.account.positions.get(symbol)
    return 0 if position is None else position.held_attos


ROWS: Final = (
    Row(
        name="gross exposure",
        measured=_gross_attos,
        limit=lambda limits: limits.gross_exposure_nanos_max,
        of_equity=True,
        of_symbol=False,
    ),
    Row(
        name="position value",
        measured=_position_attos,
        limit=lambda limits: limits.position_value_nanos_max,
        of_equity=False,
        of_symbol=True,
    ),
    Row(
        name="position as a share of equity",
        measured=_position_attos,
        limit=lambda limits: limits.position_fraction_nanos_max,
        of_equity=True,
        of_symbol=True,
    ),
)


def watched_rows(limits: Limits) -> tuple[tuple[int, int], ...]:
    """The rows that these limits limit, each with its limit: what `Turn.watched` holds."""
    asked = [(index, row.limit(limits)) for index, row in enumerate(ROWS)]
    return tuple((index, most_nanos) for index, most_nanos in asked if most_nanos is not None)


def follow(turn: Turn) -> None:
    """A policy came into force: watch its limits, forget those it has not, judge everything."""
    turn.watched = watched_rows(turn.active.limits)
    unlimited = [row for row in ROWS if row.limit(turn.active.limits) is None]
    for key in list(turn.state.near):
        if any(key.startswith(f"{row.name} of ") for row in unlimited):
            del turn.state.near[key]
    judge_all(turn)


def judge(turn: Turn, symbol: str) -> None:
    """A mark or a fill moved a symbol: judge its limits and the account's."""
    state = turn.state
    if not state.reconciled:
        return
    account = state.book.account
    equity_attos = account.cash_attos + account.value_attos
    for index, most_nanos in turn.watched:
        row = ROWS[index]
        measured = row.measured(state, symbol) * NANOS
        limit = most_nanos * (equity_attos if row.of_equity else ATTOS)
        if 100 * measured >= NEAR_PERCENT * limit or state.near:
            _moved(turn, row, symbol, measured, limit)


def judge_all(turn: Turn) -> None:
    """Equity, limits or holdings changed other than by a mark or a fill: judge every symbol."""
    for symbol in turn.state.book.account.positions or ("",):
        judge(turn, symbol)


def _moved(turn: Turn, row: Row, symbol: str, measured: int, limit: int) -> None:
    """Take one measure of a limit that is near, or may have been."""
    known = turn.state.near
    scope = symbol_scope(symbol) if row.of_symbol else ACCOUNT_SCOPE
    key = f"{row.name} of {scope}"
    was_near, was_passed = key in known, known.get(key, False)
    passed = measured > limit
    if was_passed and not passed:
        passed = 100 * measured >= PASSED_CLEAR_PERCENT * limit
    from_percent = NEAR_CLEAR_PERCENT if was_near else NEAR_PERCENT
    near = passed or (measured > 0 and 100 * measured >= from_percent * limit)
    if near:
        known[key] = passed
    else:
        known.pop(key, None)
    if passed and not was_passed:
        _alert(turn, row, scope, measured, limit, passed=True)
    elif near and not was_near:
        _alert(turn, row, scope, measured, limit, passed=False)


def _alert(turn: Turn, row: Row, scope: str, measured: int, limit: int, *, passed: bool) -> None:
    held = shown_money(rounded_half_up(measured, ATTOS))
    most = shown_money(rounded_half_up(limit, ATTOS))
    share = (
        shown_percent(rounded_half_up(measured * NANOS, limit)) if limit > 0 else "more than all"
    )
    what = "passed: only reductions are allowed" if passed else "near"
    severity = Severity.WARNING if passed else Severity.INFO
    code = Reason.LIMIT_PASSED if passed else Reason.LIMIT_NEAR
    turn.alert(severity, code, f"{row.name} is {held}, {share} of its limit {most}: {what}", scope)
