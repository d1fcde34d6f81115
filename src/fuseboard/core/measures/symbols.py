"""The courses of symbols: what each has earned, in parts of the account's equity.

A symbol has no capital of its own. Its equity is the account's at the session's opening, and what
the symbol alone has brought since: cash of its fills, its worth at its mark, dividends owed and
paid, its share of fees. So a loss is a part of the account's opening equity, a drawdown the fall
from the highest that this came to; the next session begins at the account's equity again, and
everything older is rebased by the ratio, so that what was lost stays the part that it was.

Money that goes in or out is no symbol's: marks and the symbol's equity rebase alike by it. A
position that is taken as the broker holds it counts at its mark, as if bought there. A split moves
the quantity and the price, and so nothing. Only the symbols that a policy asks for are followed.
"""

from typing import Final

from fuseboard.core.measures.courses import SymbolCourse, course_from
from fuseboard.core.state import INSTRUMENTS_MAX, State, Turn
from fuseboard.core.throttles import Ring
from fuseboard.core.watchlist import EVERY, EVERY_SYMBOL
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE
from fuseboard.vocabulary.money import NANOS

SYMBOLS_MAX: Final = INSTRUMENTS_MAX
"""Symbols that a rule for each has a fuse for: orders come in no more. What is held beyond them has
none."""


def equity_attos_of(state: State, symbol: str) -> int:
    """The account's equity at the session's opening, with what the symbol has made since."""
    at = state.symbols.courses.get(symbol)
    return worth_attos(state, symbol) + (0 if at is None else at.cash_attos)


def worth_attos(state: State, symbol: str) -> int:
    """What the account holds of a symbol at its mark, and is owed of its dividends."""
    at = state.book.account.positions.get(symbol)
    held_attos = 0 if at is None else at.quantity_nanos * at.mark_nanos
    if not state.dividends.owed:
        return held_attos
    known = state.dividends.known.values()
    return held_attos + sum(
        each.owed_attos(each.held.get("", 0)) for each in known if each.symbol == symbol
    )


def _worth_at_start_attos(state: State, symbol: str) -> int:
    """The worth that a course begins at: before a price that may be a split's, not between it and
    the quantity that the broker tells.
    """
    worth = worth_attos(state, symbol)
    at = state.book.account.positions.get(symbol)
    if at is None or symbol not in state.jumped:
        return worth
    _, before_nanos = state.jumped[symbol]
    return worth + at.quantity_nanos * (before_nanos - at.mark_nanos)


def follow_traded(turn: Turn) -> bool:
    """Where a rule is for each symbol, follow those that are held or were traded; whether one is
    new.
    """
    state, symbols = turn.state, turn.state.symbols
    if not any(rule.scope == EVERY_SYMBOL for rule in turn.policy.breakers):
        symbols.followed = {}
        return False
    known = len(symbols.followed)
    for symbol, at in state.book.account.positions.items():
        if (at.quantity_nanos or at.moves) and len(symbols.followed) < SYMBOLS_MAX:
            symbols.followed[symbol] = None
    return len(symbols.followed) > known


def begin(turn: Turn) -> None:
    """Each symbol that the policy asks for and that has no course yet begins one, having earned
    nothing; the courses that it does not ask for end.
    """
    state, symbols = turn.state, turn.state.symbols
    account = state.courses.get(ACCOUNT_SCOPE)
    wanted = _wanted(state, turn.watchlist.courses_of)
    for symbol in wanted:
        if symbol not in symbols.courses and account is not None:
            opening_attos = account.day_open_attos
            symbols.courses[symbol] = SymbolCourse(
                course=course_from(opening_attos),
                cash_attos=opening_attos - _worth_at_start_attos(state, symbol),
            )
    symbols.courses = {symbol: at for symbol, at in symbols.courses.items() if symbol in wanted}
    if not symbols.courses:
        symbols.traded_attos = {}
    rated = _wanted(state, turn.watchlist.rates_of)
    symbols.rates = {symbol: at for symbol, at in symbols.rates.items() if symbol in rated}
    for ring in symbols.rates.values():
        ring.follow(turn.gate.lengths.orders)


def _wanted(state: State, asked: dict[str, None]) -> dict[str, None]:
    """The symbols that are asked for, by name or because each is."""
    named = {symbol: None for symbol in asked if symbol != EVERY}
    return named | state.symbols.followed if EVERY in asked else named


def order_asked(turn: Turn, symbol: str) -> None:
    """An order that opens was asked for: it counts in its symbol's rate as in the account's."""
    symbols, asked = turn.state.symbols, turn.watchlist.rates_of
    if symbol not in asked and not (EVERY in asked and symbol in symbols.followed):
        return
    ring = symbols.rates.get(symbol)
    if ring is None:
        ring = symbols.rates[symbol] = Ring()
    ring.count(turn.gate.lengths.orders, turn.boot_ns)


def orders_of_a_second(turn: Turn, symbol: str) -> int | None:
    """How many there were; None where no rule asks for it."""
    asked = turn.watchlist.rates_of
    if symbol not in asked and EVERY not in asked:
        return None
    ring = turn.state.symbols.rates.get(symbol)
    return 0 if ring is None else ring.within(NANOS, turn.boot_ns)


def begin_again(turn: Turn, symbol: str) -> None:
    """A person rebases the symbol: it has earned nothing."""
    state = turn.state
    at, account = state.symbols.courses.get(symbol), state.courses.get(ACCOUNT_SCOPE)
    if at is None or account is None:
        return
    at.course.begin(account.day_open_attos)
    at.cash_attos = account.day_open_attos - _worth_at_start_attos(state, symbol)


def see(state: State, source: str) -> None:
    """Equity moved: by one symbol's mark, or by anything."""
    courses = state.symbols.courses
    moved = courses.get(source)
    if moved is not None:
        moved.course.see(equity_attos_of(state, source))
    elif source not in state.instruments:
        for symbol, at in courses.items():
            at.course.see(equity_attos_of(state, symbol))


def roll(turn: Turn, openings_attos: dict[str, int], *, week: bool, month: bool) -> None:
    """A session began, and the account's course with it: each symbol goes on from what it came to,
    in parts of the account's equity now.
    """
    state = turn.state
    if not state.symbols.courses:
        return
    after_attos = state.courses[ACCOUNT_SCOPE].day_open_attos
    for symbol, at in state.symbols.courses.items():
        opening_attos = openings_attos[symbol]
        at.course.roll(opening_attos, week=week, month=month)
        worth = worth_attos(state, symbol)
        at.rebase(worth, before_attos=opening_attos, after_attos=after_attos)


def rebase(state: State, *, before_attos: int, after_attos: int) -> None:
    """Money moved for a known reason: no symbol earned or lost by it."""
    for symbol, at in state.symbols.courses.items():
        worth = worth_attos(state, symbol)
        at.rebase(worth, before_attos=before_attos, after_attos=after_attos)


# --- what moves cash ------------------------------------------------------------------------------


def filled(state: State, symbol: str, signed_cost_attos: int) -> None:
    """The account bought for so much, or sold when it is negative."""
    symbols = state.symbols
    if not symbols.courses:
        return
    at = symbols.courses.get(symbol)
    if at is not None:
        at.cash_attos -= signed_cost_attos
    if symbols.settled:
        symbols.traded_attos, symbols.settled = {}, False
    traded_attos = symbols.traded_attos.get(symbol, 0) + abs(signed_cost_attos)
    symbols.traded_attos[symbol] = traded_attos


def taken(state: State, symbol: str, moved_nanos: int) -> None:
    """A position was taken as the broker holds it: what moved counts at its mark."""
    at = state.symbols.courses.get(symbol)
    if at is not None:
        at.cash_attos -= moved_nanos * state.book.account.position(symbol).mark_nanos


def paid(state: State, symbol: str, attos: int) -> None:
    """A dividend's cash came, or went, as far as it had counted."""
    at = state.symbols.courses.get(symbol)
    if at is not None:
        at.cash_attos += attos


def charge(state: State, fee_attos: int) -> None:
    """Cash went that no fill explains: each symbol traded since cash agreed bears it by what was
    traded of it, rounded up.
    """
    symbols = state.symbols
    total_attos = sum(symbols.traded_attos.values())
    for symbol, traded_attos in symbols.traded_attos.items():
        at = symbols.courses.get(symbol)
        if at is not None and total_attos:
            at.cash_attos -= -(-fee_attos * traded_attos // total_attos)
