"""What a foreign fill does to the strategies' ledgers: as when a reset takes positions over.

Nobody's profit comes of it: what a strategy gains or gives up of a position, it does at the mark. A
single strategy holds what the account holds. Of several, none gains; a fill that reduces what the
account holds takes from what is nobody's first, then from the holders on that side, in order.
"""

from fuseboard.core.book import Book


def give_way(book: Book, symbol: str, signed_nanos: int) -> None:
    """Bring the strategies' positions in line, after a foreign fill moved the account's."""
    ledgers = book.strategies.values()
    if len(ledgers) == 1:
        book.fit(symbol)
        return
    held = [(each, each.positions.get(symbol)) for each in ledgers]
    theirs_nanos = sum(at.quantity_nanos for _, at in held if at is not None)
    before_nanos = book.account.position(symbol).quantity_nanos - signed_nanos
    nobodys_nanos = before_nanos - theirs_nanos
    if before_nanos * signed_nanos >= 0:
        return
    left_nanos = signed_nanos if abs(signed_nanos) < abs(before_nanos) else -before_nanos
    if nobodys_nanos * left_nanos < 0:
        left_nanos = _less(left_nanos, abs(nobodys_nanos))
    for ledger, at in held:
        if at is None or at.quantity_nanos * left_nanos >= 0:
            continue
        kept_nanos = _less(at.quantity_nanos, abs(left_nanos))
        left_nanos = _less(left_nanos, abs(at.quantity_nanos))
        moved_nanos = kept_nanos - at.quantity_nanos
        mark_nanos = book.account.position(symbol).mark_nanos
        ledger.adopt(symbol, kept_nanos, at.average_price_nanos if kept_nanos else 0, mark_nanos)
        ledger.cash_attos -= moved_nanos * at.mark_nanos


def _less(signed_nanos: int, by_nanos: int) -> int:
    """A signed quantity, nearer to zero by so much, and never past it."""
    size_nanos = max(0, abs(signed_nanos) - by_nanos)
    return size_nanos if signed_nanos > 0 else -size_nanos
