"""Taking positions from the broker as they stand: at the first start, and where books differed."""

from fuseboard.core import guardian_closes
from fuseboard.core.book import Order
from fuseboard.core.broker_latches import trade_again
from fuseboard.core.measures.recording import note_position
from fuseboard.core.outgoing import show_position
from fuseboard.core.state import State, Turn
from fuseboard.vocabulary.inputs import BrokerPosition
from fuseboard.vocabulary.market_effects import WatchSymbol
from fuseboard.vocabulary.orders import Side


def adopt(turn: Turn, position: BrokerPosition) -> None:
    """Our book holds what the broker holds; strategies' shares are fitted into it."""
    book = turn.state.book
    book.account.adopt(
        position.symbol,
        position.quantity_nanos,
        position.average_price_nanos,
        position.price_nanos,
    )
    book.fit(position.symbol)
    note_position(turn, position.symbol)
    if position.quantity_nanos:
        trade_again(turn)
    turn.out.append(WatchSymbol(symbol=position.symbol))
    for strategy in ("", *book.strategies):
        show_position(turn, strategy, position.symbol)


def take_over(turn: Turn) -> None:
    """Take every position that differed and was left: what was traded was paid, too.

    A liquidation begins with this whatever the policy says: it closes what the broker holds.
    """
    state = turn.state
    if state.positions_apart:
        guardian_closes.counted(turn)
        apart = list(state.positions_apart.values())
        state.positions_apart.clear()
        for position in apart:
            adopt(turn, position)
        state.book.account.cash_attos = state.broker_cash_attos


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
