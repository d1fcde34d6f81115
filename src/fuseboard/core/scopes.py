"""Which scopes mean something: a mistyped one is latched all the same, and said to be unknown."""

from typing import Final

from fuseboard.core.state import Turn
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE, TAG_KINDS, is_tag_scope

SCOPE_KINDS: Final = ("strategy", "symbol", *TAG_KINDS)
KNOWN_SHOWN_MAX: Final = 10
"""How many names a note lists."""


def is_scope(scope: str) -> bool:
    """Whether this is a scope by its form."""
    kind, colon, name = scope.partition(":")
    return scope == ACCOUNT_SCOPE or (kind in SCOPE_KINDS and bool(colon and name))


def unknown(turn: Turn, scope: str) -> str:
    """What to say of a scope that nothing known bears; empty where something does.

    Tags are left out: the answer to their halt names who has them.
    """
    if scope == ACCOUNT_SCOPE or is_tag_scope(scope):
        return ""
    kind, _, name = scope.partition(":")
    known = _strategies(turn) if kind == "strategy" else _symbols(turn)
    if name in known or any(fuse.scope == scope for fuse in turn.state.tripping()):
        return ""
    names = sorted(known)
    more = len(names) - KNOWN_SHOWN_MAX
    listed = ", ".join(names[:KNOWN_SHOWN_MAX]) or "none"
    listed += f" and {more} more" if more > 0 else ""
    if kind == "symbol":  # the broker may list it all the same
        return f'symbol "{name}" has no price, order or position yet; with one: {listed}'
    return f'no {kind} "{name}" is known; known: {listed}'


def _strategies(turn: Turn) -> dict[str, None]:
    """The strategies with a key, an order or a used ledger, and those that the policy names.

    An empty ledger proves nothing: asking for a liquidation makes one.
    """
    book = turn.state.book
    named = [row.name for row in turn.policy.strategies]
    used = [name for name, at in book.strategies.items() if at.positions or at.cash_attos]
    ordering = [order.strategy for order in book.orders.values() if order.strategy]
    return dict.fromkeys([*turn.state.strategies, *named, *used, *ordering])


def _symbols(turn: Turn) -> dict[str, None]:
    """The symbols with a price, a position, an order or an exchange's halt, and the policy's.

    That somebody asked for a symbol is not enough: they may have mistyped it too.
    """
    state, policy = turn.state, turn.policy
    priced = [
        symbol
        for symbol, at in state.instruments.items()
        if at.mark_nanos or at.bid_nanos or at.last_trade_nanos
    ]
    held = [
        symbol
        for symbol, at in state.book.account.positions.items()
        if at.quantity_nanos or at.moves
    ]
    ordered = [order.symbol for order in state.book.orders.values()]
    halted = [symbol for symbol in state.trading_halts if symbol]
    named = [*policy.sectors, *policy.restricted]
    for row in policy.strategies:
        named += row.symbols
    return dict.fromkeys([*priced, *held, *ordered, *halted, *named])
