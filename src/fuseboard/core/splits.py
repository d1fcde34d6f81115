"""Splits of what is held: the quantity changes by a small ratio, the price by its inverse.

A split is taken when three things that nothing else brings together are seen at once: the broker
holds exactly so many times what our book holds, as companies split (n for 1, 1 for n, or m for n of
small numbers); the price has moved by about the inverse, and is nearer to that than to where it
was; the broker's cash has not moved. Every ledger's quantity is multiplied then and its price
divided, so that equity, and with it every mark and drawdown, stays (law 12); people are told.
Whatever is not clear (parts of a share paid out in cash) stays a difference, for a person.
"""

from typing import Final

from fuseboard.core import dividends
from fuseboard.core.measures.recording import note_position
from fuseboard.core.outgoing import show_position
from fuseboard.core.state import Turn
from fuseboard.vocabulary.identifiers import symbol_scope
from fuseboard.vocabulary.inputs import BrokerPosition
from fuseboard.vocabulary.money import text_from_nanos
from fuseboard.vocabulary.orders import Severity
from fuseboard.vocabulary.reasons import Reason

WHOLE_MAX: Final = 100
"""The most shares that become one, or that one becomes."""
PARTS_MAX: Final = 5
"""The most on either side of such as 3 for 2."""
PRICE_PARTS: Final = 4
"""By how much, as a part of itself, the price may have moved besides."""
CASH_PARTS: Final = 100
"""How much of the position's worth may have moved in cash, as a part of it: nothing was traded."""


def but_splits(turn: Turn, differences: list[BrokerPosition]) -> list[BrokerPosition]:
    """The differences that remain when splits were taken."""
    return [at for at in differences if not _taken(turn, at)]


def _taken(turn: Turn, theirs: BrokerPosition) -> bool:
    state = turn.state
    book, symbol = state.book, theirs.symbol
    own = book.account.position(symbol)
    ratio = _ratio(theirs.quantity_nanos, own.quantity_nanos)
    if ratio is None or theirs.price_nanos <= 0:
        return False
    new, old = ratio
    _, before_nanos = state.jumped.get(symbol, (0, own.mark_nanos))
    apart_nanos = abs(before_nanos * old - theirs.price_nanos * new)
    is_unmoved = 2 * apart_nanos >= before_nanos * abs(new - old)
    worth_attos = abs(theirs.quantity_nanos) * theirs.price_nanos
    moved_attos = abs(state.broker_cash_attos - book.account.cash_attos)
    if is_unmoved or apart_nanos * PRICE_PARTS > before_nanos * old:
        return False
    if moved_attos * CASH_PARTS > worth_attos:
        return False
    ledgers = [book.account, *book.strategies.values()]
    if any(ledger.position(symbol).quantity_nanos * new % old for ledger in ledgers):
        return False
    mark_nanos = own.mark_nanos
    if symbol not in state.jumped:  # our prices are of before it
        mark_nanos = mark_nanos * old // new
        state.instruments[symbol].split(mark_nanos)
    held, split = text_from_nanos(own.quantity_nanos), f"split {new} for {old}"
    for ledger in ledgers:
        at = ledger.position(symbol)
        average_nanos = at.average_price_nanos * old // new
        ledger.adopt(symbol, at.quantity_nanos * new // old, average_nanos, mark_nanos)
    state.positions_apart.pop(symbol, None)
    dividends.split(turn, symbol, new=new, old=old)
    note_position(turn, symbol)
    for strategy in ("", *book.strategies):
        show_position(turn, strategy, symbol)
    text = (
        f"{symbol}: {split}: the broker holds {text_from_nanos(theirs.quantity_nanos)}"
        f" in the place of {held}, its price moved alike and no cash did: nothing is lost by it"
    )
    turn.alert(Severity.WARNING, Reason.SPLIT, text, symbol_scope(symbol))
    return True


def _ratio(theirs_nanos: int, own_nanos: int) -> tuple[int, int] | None:
    """What a split of our quantity into theirs would be, in lowest terms; None: it is none."""
    if theirs_nanos * own_nanos <= 0:
        return None
    new, old = abs(theirs_nanos), abs(own_nanos)
    divisor, rest = new, old
    while rest:
        divisor, rest = rest, divisor % rest
    new, old = new // divisor, old // divisor
    is_whole = min(new, old) == 1 and max(new, old) <= WHOLE_MAX
    return (new, old) if is_whole or max(new, old) <= PARTS_MAX else None
