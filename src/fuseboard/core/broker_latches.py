"""The broker's own latches around a liquidation of the whole account.

A plan of the account forbids new short sales when it begins to close what is held long, and
suspends trading once it ended flat, as the guardian does. Both last until a person's reset. Only
for a halt that stands: an orderly stop latches nothing. A plan of a strategy, tag or symbol sets
neither, because the latches bind the whole account. What may have to be closed after all takes the
suspension back first: an exit is not trapped by our own latch.
"""

from fuseboard.core.closes import ONGOING_STAGES, left_of
from fuseboard.core.legs import Plan
from fuseboard.core.state import State, Turn
from fuseboard.vocabulary.broker_latch_effects import LatchBroker
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE


def node_started(turn: Turn) -> None:
    """The guardian may have suspended trading: a close takes that back before it is sent."""
    turn.state.trade_suspended = _account_is_halted(turn.state)


def closing(turn: Turn, plan: Plan, *, again: bool = False) -> None:
    """A plan begins to close, or goes on (`again`) after a restart: no new short sales."""
    state = turn.state
    if plan.scope != ACCOUNT_SCOPE or not _account_is_halted(state):
        return
    if any(state.book.account.position(symbol).quantity_nanos > 0 for symbol in plan.legs):
        turn.out.append(LatchBroker(no_shorting=True, again=again))


def ended(turn: Turn, *, again: bool = False) -> None:
    """A plan ended, or had (`again`) before a restart: flat and halted, no new orders at all.

    Of plans that tripped together the account's may end before another, so each end looks.
    """
    state = turn.state
    plans = state.plans.values()
    if any(plan.stage in ONGOING_STAGES for plan in plans) or state.book.held():
        return
    flat = any(plan.scope == ACCOUNT_SCOPE and _ended_flat(state, plan) for plan in plans)
    if not flat or not _account_is_halted(state):
        return
    state.trade_suspended = True
    turn.out.append(LatchBroker(suspend_trade=True, again=again))


def _ended_flat(state: State, plan: Plan) -> bool:
    return plan.stage == "ended" and not left_of(state, plan)


def trade_again(turn: Turn) -> None:
    """Something is held: what we suspended at the broker must not refuse its close."""
    if turn.state.trade_suspended:
        turn.state.trade_suspended = False
        turn.out.append(LatchBroker(suspend_trade=False))


def _account_is_halted(state: State) -> bool:
    return any(fuse.latched() for fuse in state.fuses() if fuse.scope == ACCOUNT_SCOPE)
