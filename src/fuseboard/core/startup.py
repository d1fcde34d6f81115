"""Coming up: the register, the orders that were in flight, the books compared.

Nothing trades until the comparison is done. What was latched stays latched, by the journal or by
the register, whichever holds it: a record that was lost with the disk's last moments leads to the
same trip id again, so its plan goes on instead of beginning anew.
"""

from typing import Final

from fuseboard.core import (
    broker_latches,
    cash,
    closes,
    comparing,
    consent,
    data_health,
    disconnects,
    dividends,
    draining,
    drop_copy,
    dynamic,
    freezing,
    guardian_closes,
    nearness,
    order_limits,
    overrides,
    rates,
    restoring,
    roster,
    sessions,
    standing,
    taking_away,
    waiting,
)
from fuseboard.core.fuses.latch import Latch
from fuseboard.core.fuses.machine import FuseState
from fuseboard.core.halting import (
    Tripping,
    cancel_scope,
    latch_scope,
    publish_postures,
    settle,
    trip,
)
from fuseboard.core.outgoing import cancel_again, publish, show_position
from fuseboard.core.state import State, Turn
from fuseboard.core.valuation import publish_fuses, publish_unmarked
from fuseboard.core.waking import wake_for_what_is_next
from fuseboard.vocabulary.effects import (
    ClearHalt,
    LatchHalt,
    PublishPosture,
    StopNode,
)
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE, OrderIds
from fuseboard.vocabulary.inputs import (
    BrokerStreamChanged,
    LatchedScope,
    NodeFaulted,
    NodeStarted,
)
from fuseboard.vocabulary.market_effects import WatchSymbol
from fuseboard.vocabulary.orders import OrderStatus, Severity
from fuseboard.vocabulary.postures import HaltLevel
from fuseboard.vocabulary.reasons import Reason

CLOSED_SHOWN_MAX: Final = 1_000
"""Closed orders that a restarted gateway shows, the newest."""


def node_started(turn: Turn, fact: NodeStarted) -> None:
    """Start HALTED in effect: unreconciled, with every latch that journal or register hold."""
    state = turn.state
    assert not state.instance or state.instance == fact.instance, "a journal of another instance"
    assert not state.account or state.account == fact.account, "a journal of another account"
    state.instance, state.account = fact.instance, fact.account
    turn.ids = OrderIds(instance=fact.instance, account=fact.account)
    state.reconciled = False
    state.stream_connected = False
    state.next_wake_boot_ns = 0
    cash.node_started(turn)
    state.strategies = fact.strategies
    roster.follow(turn)
    sessions.node_started(turn)
    data_health.node_started(turn)
    standing.node_started(turn)
    nearness.node_started(turn)
    rates.node_started(turn)
    order_limits.node_started(turn)
    draining.node_started(turn)
    disconnects.node_started(turn)
    for instrument in state.instruments.values():
        instrument.forget_quote()
    for order in state.book.working_orders():
        order.request = 0
        if order.status is OrderStatus.SUBMITTING:  # whoever would have told its outcome is dead
            order.status = OrderStatus.IN_DOUBT
    waiting.drop_all(turn, Reason.ANNIHILATED)
    overrides.forget(turn)
    consent.forget(turn)
    if turn.dynamics:
        dynamic.show(turn)
    _agree_with_register(turn, fact)
    # What was halted before now waits for the start's comparison: its number is not told again.
    state.compared_epoch = state.halt_epoch
    guardian_closes.node_started(turn, fact.guardian_closes)
    restoring.node_started(turn, fact)
    broker_latches.node_started(turn)
    publish_postures(turn)
    _show_all(turn)
    for symbol in dict.fromkeys([*state.instruments, *state.book.held()]):
        turn.out.append(WatchSymbol(symbol=symbol))
    taking_away.node_started(turn)
    cancel_again(turn)
    comparing.node_started(turn)
    drop_copy.node_started(turn)
    comparing.find_all(turn, state.book.working_orders())
    wake_for_what_is_next(turn)


def _show_all(turn: Turn) -> None:
    """Fill the views of a gateway that starts with nothing. No event: it happened before."""
    state = turn.state
    for scope, posture in state.postures.items():
        reason = state.halting_reasons.get(scope, Reason.ALLOWED)
        turn.out.append(
            PublishPosture(
                scope=scope,
                posture=posture,
                reason=reason,
                next_reset_wall_ns=state.next_resets.get(scope, 0),
            )
        )
    newest_closed = list(state.book.closed)[-CLOSED_SHOWN_MAX:]
    for order_id in [*newest_closed, *state.book.working]:
        publish(turn, state.book.orders[order_id])
    for strategy, ledger in [("", state.book.account), *state.book.strategies.items()]:
        for symbol, at in ledger.positions.items():
            if at.quantity_nanos:
                show_position(turn, strategy, symbol)
    publish_fuses(turn)
    publish_unmarked(turn)
    closes.show(turn)
    dividends.node_started(turn)


def _agree_with_register(turn: Turn, fact: NodeStarted) -> None:
    """Latch what either holds. Where the register is in doubt, nothing in it counts as cleared."""
    state = turn.state
    in_journal_epoch = state.halt_epoch
    doubts = _doubts(state, fact)
    for reason, detail in doubts:
        latch_scope(turn, ACCOUNT_SCOPE, HaltLevel.HALT, reason, detail=detail)
    in_register: dict[str, None] = {}
    for latched in fact.latched:
        in_register[latched.scope] = None
        state.halt_epoch = max(state.halt_epoch, latched.halt_epoch)
        if doubts:
            _latch_from_register(turn, latched)
        elif latched.halt_epoch <= state.cleared_epochs.get(latched.scope, -1):
            _clear_again(turn, latched)
        elif latched.halt_epoch > in_journal_epoch or not _latched_in_journal(turn, latched.scope):
            _latch_from_register(turn, latched)
    for fuse in state.fuses():
        if fuse.latched() and fuse.scope not in in_register:
            _write_again(turn, fuse)


def _doubts(state: State, fact: NodeStarted) -> list[tuple[Reason, str]]:
    """Why the register, its history or the journal is not what it was: each halts the account.

    A latch is in the register before its record is durable, and a reset is durable before it
    reaches the register. So a gateway's slot that is behind the journal is an older copy, and a
    journal that is behind a register that holds nothing newer is one too. Whoever is ahead wins:
    the next epoch is later than both.
    """
    found: list[tuple[Reason, str]] = []
    made_again = any(  # a register that was made again since says so itself
        at.reason is Reason.REGISTER_UNREADABLE and at.halt_epoch > state.halt_epoch
        for at in fact.latched
    )
    if fact.register_unreadable or made_again:
        detail = "restore the state directory, or reset once you know why"
        found.append((Reason.REGISTER_UNREADABLE, detail))
    if fact.register_doubt:
        found.append((Reason.REGISTER_ROLLED_BACK, fact.register_doubt))
    epochs = fact.register_epochs
    if epochs is not None:
        held = max((latched.halt_epoch for latched in fact.latched), default=0)
        if epochs.gateway < state.halt_epoch and not found:
            detail = f"it ends at halt {epochs.gateway}, the journal at {state.halt_epoch}"
            found.append((Reason.REGISTER_ROLLED_BACK, detail))
        if epochs.highest > max(state.halt_epoch, held):
            detail = f"it ends at halt {state.halt_epoch}, the register at {epochs.highest}"
            found.append((Reason.JOURNAL_ROLLED_BACK, detail))
        state.halt_epoch = max(state.halt_epoch, epochs.highest)
    if fact.history_doubt:
        found.append((Reason.HISTORY_DAMAGED, fact.history_doubt))
    return found


def _latched_in_journal(turn: Turn, scope: str) -> bool:
    return any(fuse.latched() for fuse in turn.state.fuses() if fuse.scope == scope)


def _clear_again(turn: Turn, latched: LatchedScope) -> None:
    """The reset was durable and we died before the register was cleared."""
    turn.out.append(
        ClearHalt(
            scope=latched.scope,
            halt_epoch=turn.state.cleared_epochs[latched.scope],
            operator="",
            reason="the reset in the journal is newer than the latch in the register",
        )
    )


def _latch_from_register(turn: Turn, latched: LatchedScope) -> None:
    """The latch overtook the disk and its record was lost: trip again, under the same id."""
    for fuse in turn.state.tripping():
        if fuse.trip() == latched.trip and fuse.watching():
            trip(turn, fuse, why="the halts register holds this trip, the journal had lost it")
            settle(turn)
            return
    if latched.level is HaltLevel.FREEZE:
        freezing.froze(turn, latched.scope, "a person")
    detail = f"{latched.reason.value} ({latched.trip or 'no trip'}) in the halts register"
    level = HaltLevel.KILL if latched.level is HaltLevel.KILL else HaltLevel.HALT
    latch_scope(turn, latched.scope, level, Reason.REGISTER_LATCHED, detail=detail)


def _write_again(turn: Turn, fuse: Tripping | Latch) -> None:
    """The journal holds a latch that the register does not: write it again."""
    turn.state.halt_epoch += 1
    turn.out.append(
        LatchHalt(
            scope=fuse.scope,
            level=HaltLevel.KILL if fuse.state is FuseState.KILLED else HaltLevel.HALT,
            reason=Reason.REGISTER_LATCHED,
            trip=fuse.trip(),
            halt_epoch=turn.state.halt_epoch,
            detail="latched in the journal",
        )
    )


def broker_stream_changed(turn: Turn, fact: BrokerStreamChanged) -> None:
    """The order stream came or went: without it fills are unseen, and new risk is denied."""
    state = turn.state
    if state.stream_connected == fact.connected:
        return
    state.stream_connected = fact.connected
    publish_postures(turn)
    if not fact.connected:
        text = "the broker's order stream is lost: reduce-only until it is back"
        turn.alert(Severity.WARNING, Reason.BROKER_UNREACHABLE, text)
    else:  # what was said while nobody listened: the answers to submits will come by themselves
        comparing.find_all(turn, comparing.answered_orders(state))


def node_faulted(turn: Turn, fact: NodeFaulted) -> None:
    """A fault of ours: halt, cancel, say so, stop."""
    latch_scope(turn, ACCOUNT_SCOPE, HaltLevel.HALT, Reason.NODE_FAULT, detail=fact.detail)
    cancel_scope(turn, ACCOUNT_SCOPE, HaltLevel.KILL)
    turn.out.append(StopNode(detail=fact.detail))
