"""What facts do to the measures: each function takes one thing that happened, once."""

from typing import Final

from fuseboard.core.book import Order
from fuseboard.core.fuses.rule import RuleFuse
from fuseboard.core.market import Instrument
from fuseboard.core.measures import symbols
from fuseboard.core.measures.courses import course_from
from fuseboard.core.measures.scores import Score, Trade
from fuseboard.core.position import Position
from fuseboard.core.state import INSTRUMENTS_MAX, State, Turn
from fuseboard.vocabulary.identifiers import (
    ACCOUNT_SCOPE,
    is_foreign_order_id,
    strategy_scope,
    symbol_scope,
)
from fuseboard.vocabulary.inputs import BrokerPosition
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Side

SCORES_MAX: Final = 2 * INSTRUMENTS_MAX
_BUY: Final = Side.BUY


def equity_of(turn: Turn, scope: str) -> int:
    """The equity of the account, or of a strategy: its capital with its profit and loss; and what
    is owed to it of dividends. Of a symbol: see `symbols`.
    """
    book, owed = turn.state.book, turn.state.dividends.owed
    if scope == ACCOUNT_SCOPE:
        equity_attos = book.account.cash_attos + book.account.value_attos
        return equity_attos + owed.get("", 0) if owed else equity_attos
    if scope.startswith("symbol:"):
        return symbols.equity_attos_of(turn.state, scope.removeprefix("symbol:"))
    name = scope.removeprefix("strategy:")
    ledger = book.strategies.get(name)
    profit_attos = 0 if ledger is None else ledger.cash_attos + ledger.value_attos
    if owed:
        profit_attos += owed.get(name, 0)
    return (capital_nanos_of(turn, name) or 0) * NANOS + profit_attos


def capital_nanos_of(turn: Turn, name: str) -> int | None:
    """What a strategy is measured on; of one that the policy no longer names, what it had.

    None where neither says it.
    """
    for rule in turn.policy.strategies:
        if rule.name == name:
            return rule.capital_nanos
    return turn.state.former_capitals.get(name)


def begin_courses(turn: Turn) -> None:
    """The books are compared: each scope that has no course yet begins one at its equity now.

    The account's begins at least at the broker's equity at the prior close.
    """
    state = turn.state
    scopes = [ACCOUNT_SCOPE, *(strategy_scope(rule.name) for rule in turn.policy.strategies)]
    for scope in scopes:
        if scope in state.courses:
            continue
        opening_attos = equity_of(turn, scope)
        if scope == ACCOUNT_SCOPE:
            opening_attos = max(opening_attos, state.prior_close_attos)
        state.courses[scope] = course_from(opening_attos)
    for scope in list(state.courses):
        if scope not in scopes:
            del state.courses[scope]
    symbols.begin(turn)


def see_equity(turn: Turn, source: str) -> None:
    """Equity moved, by a symbol's mark or otherwise: take it where peaks are asked for."""
    for scope, course in turn.state.courses.items():
        course.see(equity_of(turn, scope))
    if turn.state.symbols.courses:
        symbols.see(turn.state, source)


def _score(state: State, scope: str) -> Score:
    """A scope's score, a new one when it has none, which nobody keeps when there are too many."""
    score = state.scores.get(scope)
    if score is None:
        score = Score()
        if len(state.scores) < SCORES_MAX:
            state.scores[scope] = score
    return score


def scopes_of(order: Order) -> list[str]:
    """The scopes that an order is scored on."""
    scopes = [ACCOUNT_SCOPE, symbol_scope(order.symbol)]
    return [*scopes, strategy_scope(order.strategy)] if order.strategy else scopes


def expected_price_nanos(order: Order, instrument: Instrument) -> int:
    """What an order should fill at: its stop; else the better of its limit and the quote's far
    side, at acceptance. 0 when neither is known: then its fills are not scored.
    """
    if order.stop_price_nanos is not None:
        return order.stop_price_nanos
    limit_nanos, buys = order.limit_price_nanos, order.side is _BUY
    far_nanos = instrument.ask_nanos if buys else instrument.bid_nanos
    if limit_nanos is None or far_nanos == 0:
        return limit_nanos or far_nanos
    return limit_nanos if (limit_nanos < far_nanos) is buys else far_nanos


def note_fill(turn: Turn, order: Order, *, filled_nanos: int, cost_attos: int) -> None:
    """The book took a fill: score its price, and close the trades that it ended."""
    state = turn.state
    sign = 1 if order.side is Side.BUY else -1
    if order.expected_price_nanos:
        expected_attos = order.expected_price_nanos * filled_nanos
        adverse_attos = sign * (cost_attos - expected_attos)
        for scope in scopes_of(order):
            _score(state, scope).filled(
                expected_attos=expected_attos,
                adverse_attos=adverse_attos,
                allowed_nanos=turn.policy.execution.slippage_nanos_max,
            )
    signed_nanos, signed_attos = sign * filled_nanos, sign * cost_attos
    symbols.filled(state, order.symbol, signed_attos)
    book = state.book
    if is_foreign_order_id(order.order_id):
        _go_on_from_here(turn, order.symbol)
        return
    owners = [order.strategy] if order.strategy else list(book.strategies)
    waited = not _score(state, ACCOUNT_SCOPE).settled
    closed: list[str] = []
    for owner in ("", *owners):
        ledger = book.strategies[owner] if owner else book.account
        held = ledger.positions.get(order.symbol)
        held_nanos = 0 if held is None else held.quantity_nanos
        trades = state.trades.setdefault(strategy_scope(owner) if owner else ACCOUNT_SCOPE, {})
        trade = trades.get(order.symbol)
        if trade is None:
            moved_nanos = signed_nanos if not owner or order.strategy else 0
            trade = trades[order.symbol] = Trade(quantity_nanos=held_nanos - moved_nanos)
        result = trade.follow(held_nanos, filled_nanos=signed_nanos, cost_attos=signed_attos)
        if result is None:
            continue
        scopes = [strategy_scope(owner)] if owner else [ACCOUNT_SCOPE, symbol_scope(order.symbol)]
        for scope in scopes:
            _score(state, scope).closed(result)
        closed += scopes
    if closed:
        earlier = state.closed_last if waited else ()
        state.closed_last = tuple(dict.fromkeys([*earlier, *closed]))


def _go_on_from_here(turn: Turn, symbol: str) -> None:
    """A foreign fill moved positions: no trade of ours has a result by it. Those whose position it
    moved go on from what is held.
    """
    state = turn.state
    for owner, ledger in [("", state.book.account), *state.book.strategies.items()]:
        held = ledger.positions.get(symbol)
        scope = strategy_scope(owner) if owner else ACCOUNT_SCOPE
        trade = state.trades.get(scope, {}).get(symbol)
        known_nanos = 0 if trade is None else trade.quantity_nanos
        if held is not None and held.quantity_nanos != known_nanos:
            state.trades.setdefault(scope, {})[symbol] = _trade_of(held)


def _trade_of(held: Position) -> Trade:
    quantity_nanos = held.quantity_nanos
    return Trade(
        quantity_nanos=quantity_nanos, paid_attos=quantity_nanos * held.average_price_nanos
    )


def note_position(turn: Turn, symbol: str) -> None:
    """A position was taken from the broker: its trades go on from what the books now hold."""
    state = turn.state
    for owner, ledger in [("", state.book.account), *state.book.strategies.items()]:
        held = ledger.positions.get(symbol)
        scope = strategy_scope(owner) if owner else ACCOUNT_SCOPE
        if held is not None:
            state.trades.setdefault(scope, {})[symbol] = _trade_of(held)


def note_fee(turn: Turn, fee_attos: int) -> None:
    """Cash went that no fill explains: fees of the trades that closed since cash agreed."""
    trades = len(_score(turn.state, ACCOUNT_SCOPE).results_attos)
    share_attos = -(-fee_attos // max(trades, 1))
    for scope in turn.state.closed_last:
        _score(turn.state, scope).charge(share_attos)
    symbols.charge(turn.state, fee_attos)


def note_cash_agrees(state: State) -> None:
    """The broker's cash is ours: a fee that comes to light later is of later trades."""
    for scope in state.closed_last:
        _score(state, scope).settled = True
    state.symbols.settled = True


def note_submitted(turn: Turn, order: Order, *, rejected: bool) -> None:
    """The broker took an order, or rejected it. A foreign one was not ours to submit."""
    if is_foreign_order_id(order.order_id):
        return
    for scope in scopes_of(order):
        _score(turn.state, scope).submitted(rejected=rejected)
    if rejected:
        note_error(turn, order)


def note_error(turn: Turn, order: Order | None = None) -> None:
    """A submit, a cancel or a read failed."""
    for scope in [ACCOUNT_SCOPE] if order is None else scopes_of(order):
        _score(turn.state, scope).failed(turn.boot_ns)


def note_comparison(turn: Turn, differences: list[BrokerPosition], *, whole: bool) -> None:
    """The books were compared: the largest difference, as a fraction of the larger side.

    It falls only with a `whole` comparison: what could not be read may differ as it did.
    """
    state = turn.state
    worst = (0, 1) if whole else state.divergence
    for position in differences:
        own_nanos = state.book.account.position(position.symbol).quantity_nanos
        largest = max(abs(own_nanos), abs(position.quantity_nanos))
        apart = abs(own_nanos - position.quantity_nanos)
        if apart * worst[1] > worst[0] * largest:
            worst = apart, largest
    state.divergence, state.divergence_boot_ns = worst, turn.boot_ns


def forget(turn: Turn, fuse: RuleFuse) -> None:
    """A person rebases a rule's fuse: its scope's windows begin empty."""
    turn.state.scores.pop(fuse.scope, None)
    course = turn.state.courses.get(fuse.scope)
    if course is not None:
        course.begin(equity_of(turn, fuse.scope))
    if fuse.scope.startswith("symbol:"):
        symbols.begin_again(turn, fuse.scope.removeprefix("symbol:"))
