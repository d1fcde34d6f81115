"""What a person froze stays open: neither an orderly stop nor anything that began before closes it.

A freeze stands until its scope is reset, or closing it is asked for anew: by a person, or by a fuse
that trips later, on that scope or the account.
"""

from typing import Final

from fuseboard.core.closes import freeze
from fuseboard.core.state import State, Turn
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE

FROZEN_MAX: Final = 1_000
"""Scopes; one more stops its plans and is not remembered."""


def froze(turn: Turn, scope: str, operator: str) -> list[str]:
    """A person froze a scope; the trips whose plans that stops."""
    frozen = turn.state.frozen
    if scope in frozen or len(frozen) < FROZEN_MAX:
        frozen[scope] = operator
    return freeze(turn, scope)


def thaw(state: State, scope: str) -> None:
    """Closing is asked for anew, which for the account is everything."""
    state.frozen.pop(scope, None)
    if scope == ACCOUNT_SCOPE:
        state.frozen.clear()


def said(state: State) -> tuple[str, ...]:
    """What is frozen, in words."""
    return tuple(f"{scope} {_by(operator)}" for scope, operator in state.frozen.items())


def is_account(state: State) -> bool:
    """Whether all of the account is frozen."""
    return ACCOUNT_SCOPE in state.frozen


def kept(state: State) -> dict[str, str]:
    """The symbols that a plan of the account leaves alone, and why.

    A symbol that a frozen strategy holds is left whole: what others hold of it with it.
    """
    found: dict[str, str] = {}
    for scope, operator in state.frozen.items():
        kind, _, name = scope.partition(":")
        symbols = [name] if kind == "symbol" else []
        if kind == "strategy":
            symbols = state.book.held(strategy=name)
        found |= dict.fromkeys(symbols, _by(operator))
    return found


def _by(operator: str) -> str:
    return f"frozen by {operator}: left open"
