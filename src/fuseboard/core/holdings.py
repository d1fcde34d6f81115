"""Taking positions from the broker as they stand: at the first start, and where books differed."""

from fuseboard.core import dividends, guardian_closes
from fuseboard.core.book import Order
from fuseboard.core.broker_latches import trade_again
from fuseboard.core.closes import closes_symbol
from fuseboard.core.measures import symbols
from fuseboard.core.measures.recording import note_position
from fuseboard.core.outgoing import show_position
from fuseboard.core.state import State, Turn
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE
from fuseboard.vocabulary.inputs import BrokerPosition
from fuseboard.vocabulary.market_effects import WatchSymbol
from fuseboard.vocabulary.orders import Side


def adopt(turn: Turn, position: BrokerPosition) -> None:
    """Our book holds what the broker holds; strategies' shares are fitted into it."""
    book = turn.state.book
    before_nanos = book.account.position(position.symbol).quantity_nanos
    book.account.adopt(
        position.symbol,
        position.quantity_nanos,
        position.average_price_nanos,
        position.price_nanos,
    )
    book.fit(position.symbol)
    symbols.taken(turn.state, position.symbol, position.quantity_nanos - before_nanos)
    note_position(turn, position.symbol)
    if position.quantity_nanos:
        trade_again(turn)
    turn.out.append(WatchSymbol(symbol=position.symbol))
    for strategy in ("", *book.strategies):
        show_position(turn, strategy, position.symbol)


def take_over(turn: Turn, scope: str = ACCOUNT_SCOPE) -> None:
    """Take the positions of a scope that differed and were left: what was traded was paid, too.

    A liquidation begins with this whatever the policy says: it closes what the broker holds. What
    it took is no difference any more, but a person has not said why there was one: unless the
    policy corrects, the discrepancy stands until a reset. While others differ, the broker's cash
    tells nothing of this one: what was traded counts at its mark.
    """
    state, account = turn.state, turn.state.book.account
    apart = list(state.positions_apart.values())
    taken = [at for at in apart if closes_symbol(state, scope, at.symbol)]
    if taken:
        guardian_closes.counted(turn)
    for position in taken:
        del state.positions_apart[position.symbol]
        before_nanos = account.position(position.symbol).quantity_nanos
        adopt(turn, position)
        at = account.position(position.symbol)
        account.cash_attos -= (at.quantity_nanos - before_nanos) * at.mark_nanos
        known = state.discrepancies.get(subject_of(position.symbol))
        if known is not None:
            known.until_reset = not turn.policy.reconciliation.auto_correct
    if taken and not state.positions_apart:
        dividends.taken(turn, state.broker_cash_attos - account.cash_attos)
        account.cash_attos = state.broker_cash_attos


def subject_of(symbol: str) -> str:
    """What a discrepancy of a position is known by."""
    return f"position {symbol}"


def symbol_of(subject: str) -> str:
    """The symbol that such a subject names."""
    return subject.removeprefix("position ")


def filled(state: State, order: Order, filled_nanos: int) -> None:
    """Our fill takes from what the broker holds, where that differed; the books are compared soon.

    Whether the broker's number already had the fill is not known: it moves towards zero and never
    past it, and a fill that adds to it counts with the next comparison.
    """
    apart = state.positions_apart.get(order.symbol)
    if apart is None:
        return
    state.compare_asked = True
    theirs_nanos = apart.quantity_nanos
    if order.side is Side.SELL and theirs_nanos > 0:
        theirs_nanos = max(theirs_nanos - filled_nanos, 0)
    elif order.side is Side.BUY and theirs_nanos < 0:
        theirs_nanos = min(theirs_nanos + filled_nanos, 0)
    state.positions_apart[order.symbol] = BrokerPosition(
        symbol=apart.symbol,
        quantity_nanos=theirs_nanos,
        average_price_nanos=apart.average_price_nanos,
        price_nanos=apart.price_nanos,
    )


def reduces_at_broker(state: State, symbol: str, *, sells: bool, quantity_nanos: int) -> bool:
    """Whether an order reduces what the broker holds, too, where that differs from our book.

    All that works on its side counts against the broker's position first.
    """
    theirs_nanos = state.positions_apart[symbol].quantity_nanos
    at = state.book.account.position(symbol)
    working_nanos = at.selling_nanos if sells else at.buying_nanos
    left_nanos = (theirs_nanos if sells else -theirs_nanos) - working_nanos
    return quantity_nanos <= left_nanos
