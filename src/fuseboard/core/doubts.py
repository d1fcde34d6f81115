"""When our books cannot be trusted to show a loss: then no breach trips on them alone.

They are in doubt while the broker's cash differs and nothing explains it, while a position differs
and nobody has said why, and from a price that jumped by as much as a split until positions were
read: a price that halves overnight is a split of what is held as often as a loss (the broker holds
twice as much then). The account's breach needs the broker's own equity meanwhile. A strategy has
none there: its breach must hold with all that the books may be too low by, and waits where that is
not known.
"""

from typing import Final

from fuseboard.core.fuses.confirmation import BROKER_SOURCE
from fuseboard.core.fuses.drawdown import DrawdownFuse
from fuseboard.core.market import Instrument
from fuseboard.core.outgoing import read_account
from fuseboard.core.state import State, Turn
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE

DISAGREEMENTS: Final = 2
"""How many readings make an unexplained difference: one may be read while money moves."""
SPLIT_PARTS: Final = 6
"""A price that moved by less than a sixth of the higher one was not split: 5 for 4 is a fifth."""


def in_doubt(state: State) -> bool:
    """Whether our books may be wrong; see the module."""
    apart = state.equity_disagreements >= DISAGREEMENTS or bool(state.positions_apart)
    return apart or bool(state.jumped)


def may_be_split(state: State) -> bool:
    """Whether how much is held may be wrong: then a rise raises no mark either."""
    return bool(state.jumped) or any(
        at.quantity_nanos * state.book.account.position(at.symbol).quantity_nanos > 0
        for at in state.positions_apart.values()
    )


def doubtful(turn: Turn, fuse: DrawdownFuse) -> bool:
    """Whether a breach of this fuse may come from the doubt alone: then it does not trip."""
    if not in_doubt(turn.state):
        return False
    if fuse.scope == ACCOUNT_SCOPE:
        return fuse.breach.source != BROKER_SOURCE
    benefit_attos = benefit_of(turn.state, fuse.scope)
    return benefit_attos is None or fuse.equity_attos + benefit_attos > fuse.floor_attos


def benefit_of(state: State, scope: str) -> int | None:
    """How much more a strategy, or a symbol, may have brought than our books say, in attos; None:
    that is not known.
    """
    if scope.startswith("symbol:"):
        return _benefit_of_symbol(state, scope.removeprefix("symbol:"))
    account, ledger = state.book.account, state.book.strategies.get(scope.partition(":")[2])
    if ledger is not None and any(ledger.position(at).quantity_nanos for at in state.jumped):
        return None
    benefit_attos = max(0, state.broker_cash_attos - account.cash_attos)
    for at in state.positions_apart.values():
        own = account.position(at.symbol)
        benefit_attos += max(0, (at.quantity_nanos - own.quantity_nanos) * own.mark_nanos)
    return benefit_attos


def _benefit_of_symbol(state: State, symbol: str) -> int | None:
    if symbol in state.jumped:
        return None
    account, apart = state.book.account, state.positions_apart.get(symbol)
    benefit_attos = max(0, state.broker_cash_attos - account.cash_attos)
    if apart is not None:
        own = account.position(symbol)
        benefit_attos += max(0, (apart.quantity_nanos - own.quantity_nanos) * own.mark_nanos)
    return benefit_attos


def ask_broker(turn: Turn) -> None:
    """Ask for the second source of a breach: the equity, and after a jump the positions."""
    read_account(turn, positions=bool(turn.state.jumped))


def note_jump(turn: Turn, symbol: str, instrument: Instrument) -> None:
    """A price has jumped, and counts: of what is held, the positions are to be read."""
    before_nanos, instrument.jumped_from_nanos = instrument.jumped_from_nanos, 0
    state, after_nanos = turn.state, instrument.mark_nanos
    least_nanos, most_nanos = min(before_nanos, after_nanos), max(before_nanos, after_nanos)
    if SPLIT_PARTS * least_nanos > (SPLIT_PARTS - 1) * most_nanos:
        return
    at = state.book.account.positions.get(symbol)
    if at is None or not at.quantity_nanos or not state.reconciled:
        return
    _, first_nanos = state.jumped.get(symbol, (0, before_nanos))
    state.jumped[symbol] = turn.boot_ns, first_nanos
    state.compare_asked = True


def positions_read(state: State) -> None:
    """What is held was compared: prices that jumped before that was asked are prices."""
    asked_ns = state.compared_boot_ns
    state.jumped = {symbol: at for symbol, at in state.jumped.items() if at[0] > asked_ns}
