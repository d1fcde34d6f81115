"""How a scope is let go: the next arming of its fuses, the register, the cash that differs."""

from fuseboard.core import discrepancies, dividends, drop_copy
from fuseboard.core.fuses.latch import Latch
from fuseboard.core.halting import Tripping
from fuseboard.core.holdings import take_over
from fuseboard.core.measures.recording import equity_of
from fuseboard.core.state import State, Turn
from fuseboard.vocabulary.effects import ClearHalt


def fuses_of(state: State, scope: str) -> list[Tripping | Latch]:
    """Every fuse on exactly this scope."""
    return [fuse for fuse in state.fuses() if fuse.scope == scope]


def arm_again(state: State, fuse: Tripping | Latch) -> None:
    """Begin the next arming: from now on another trip has another id."""
    state.plans.pop(fuse.trip(), None)
    fuse.generation = max(fuse.generation + 1, state.generation_min)


def clear(turn: Turn, scope: str, *, operator: str, reason: str) -> None:
    """Clear the register for a scope once none of its fuses is latched."""
    if any(fuse.latched() for fuse in fuses_of(turn.state, scope)):
        return
    turn.state.cleared_epochs[scope] = turn.state.halt_epoch
    turn.state.last_halts.pop(scope, None)
    turn.state.frozen.pop(scope, None)
    turn.out.append(
        ClearHalt(scope=scope, halt_epoch=turn.state.halt_epoch, operator=operator, reason=reason)
    )


def accept_difference(turn: Turn, *, operator: str, reason: str) -> None:
    """A person who resets the account takes the broker's word for what differs: positions, fills,
    and cash as it was last read. Marks stay.
    """
    state = turn.state
    if state.discrepancies:
        apart = list(state.positions_apart)
        take_over(turn)
        drop_copy.accept(turn, taken=[at for at in apart if at not in state.positions_apart])
        discrepancies.accept(turn, operator=operator, reason=reason)
    if state.equity_disagreements:
        state.equity_disagreements = 0
        discrepancies.end_cash(turn, "accepted", operator=operator, reason=reason)
        difference_attos = state.broker_cash_attos - state.book.account.cash_attos
        if state.book.working:
            dividends.paid(turn, difference_attos)
        else:
            dividends.taken(turn, difference_attos)
            state.book.account.cash_attos = state.broker_cash_attos
    for fuse in state.drawdowns.values():  # whether they still breach is asked next
        fuse.equity_attos = equity_of(turn, fuse.scope)
