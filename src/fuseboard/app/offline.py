"""What can be read and mended while no gateway runs."""

import time
from collections import deque
from contextlib import closing
from pathlib import Path
from typing import Final

from msgspec import structs

from fuseboard.app.guardian_link import guardian_alerted, guardian_without_gateway
from fuseboard.app.journal_lost import (
    JournalLost,
    restored_of,
    status_without_journal,
)
from fuseboard.app.kill_ways import halt_file_of
from fuseboard.app.replaying import Replaying
from fuseboard.app.starting import start_fact, strategies_of
from fuseboard.app.time_ahead import time_about
from fuseboard.control.board import AlertLine, Board
from fuseboard.control.render import utc
from fuseboard.control.saying import say_aside
from fuseboard.control.state_directory import Identity, StateDirectory, StateRefused
from fuseboard.control.status import PostureLine, Status, status_of
from fuseboard.control.taken_up import register_line
from fuseboard.core.fuses.machine import POSTURE_OF, FuseState
from fuseboard.gateway.keys import Keys, KeysUnreadable
from fuseboard.guardian.orders import Place
from fuseboard.halts.block import Slot
from fuseboard.halts.evidence import weigh
from fuseboard.halts.history import HaltChange, HistoryDamaged, changes
from fuseboard.halts.register import HaltsRegister
from fuseboard.runtime.halt_file import halt_by
from fuseboard.runtime.meter import MeteredKernel
from fuseboard.upkeep.restore import untold_restore
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE
from fuseboard.vocabulary.inputs import Moment
from fuseboard.vocabulary.orders import Severity
from fuseboard.vocabulary.postures import Posture
from fuseboard.vocabulary.reasons import Reason
from fuseboard.vocabulary.restored_inputs import Restored

CHANGES_SHOWN_MAX: Final = 5


def offline_status(state: StateDirectory) -> Status:
    """What the state directory holds: the journal's last state, and the register as it is.

    A kernel that is thrown away is asked what a start would show. The posture is that of the
    latches: every start also waits for its books to be compared, which is left out here. Where the
    journal cannot be read it is what the register holds, with `journal_lost`.
    """
    identity = state.identity()
    try:
        came_back = restored_of(state, Replaying(say_aside).told)
    except JournalLost as lost:
        status = status_without_journal(state, identity, lost.said)
        return structs.replace(status, history=_last_changes(state.history_file))
    with closing(HaltsRegister(state.register_file, Slot.OPERATOR)) as register:
        weighed = weigh(register, state.history_file)
        in_register = register.latched()
        strategies, restored, refusals = _told_by_files(state, came_back.kernel.restored_wall_ns())
        start = start_fact(
            register,
            weighed,
            identity=identity,
            strategies=strategies,
            restored=restored,
            guardian=Place(state.path).journal_file,
            last=came_back.recovered.last_moment,
        )
    board = Board()
    meter = MeteredKernel(came_back.kernel)
    moment = came_back.recovered.last_moment or Moment(0, 0)
    same = came_back.kernel.policy_again()
    halt_file = halt_file_of(state)
    facts = (start, halt_by(state.halt_file)) if halt_file else (start,)
    for fact in facts if same is None else (same, *facts):
        for effect in meter.step(moment, fact):
            board.apply(effect)
    status = status_of(
        board,
        meter.measured(),
        about={
            **_about(state, identity),
            **time_about(moment.wall_ns, max(0, moment.wall_ns - time.time_ns())),
        },
        durable_sequence=came_back.recovered.last_sequence,
        halt_file=halt_file,
        compared_wall_ns=came_back.kernel.compared_wall_ns(),
    )
    postures = _latched_postures(board)
    at_account = [at.posture for at in postures if at.scope == ACCOUNT_SCOPE]
    return structs.replace(
        status,
        running=False,
        recorded_wall_ns=moment.wall_ns,
        posture=at_account[0] if at_account else Posture.OPEN.name,
        postures=postures,
        alerts=tuple(_alert(text) for text in (*came_back.recovered.refused, *refusals)),
        register=tuple(register_line(at) for at in in_register),
        history=_last_changes(state.history_file),
        before_start="" if state.register_file.exists() else "fuseboard init",
    )


def _about(state: StateDirectory, identity: Identity) -> dict[str, str]:
    return {
        "account": identity.account,
        "instance": identity.instance,
        "state": str(state.path),
        "guardian": guardian_without_gateway(state),
        **guardian_alerted(Place(state.path)),
    }


def _told_by_files(
    state: StateDirectory, told_wall_ns: int
) -> tuple[tuple[str, ...], Restored | None, list[str]]:
    """The strategies with a key, the restore that was not told, and why a start is refused for
    what of it cannot be read.
    """
    strategies: tuple[str, ...] = ()
    restored: Restored | None = None
    refusals: list[str] = []
    try:
        strategies = strategies_of(Keys(state.keys_file))
    except KeysUnreadable as unreadable:
        refusals.append(f"a start is refused: {unreadable}")
    try:
        restored = untold_restore(state, told_wall_ns)
    except StateRefused as refused:
        refusals.append(f"a start is refused: {refused}")
    return strategies, restored, refusals


def _last_changes(history: Path) -> tuple[str, ...]:
    """What was latched and cleared last, and by whom; or why that cannot be said."""
    last: deque[HaltChange] = deque(maxlen=CHANGES_SHOWN_MAX)
    said: list[str] = []
    try:
        last.extend(changes(history))
    except HistoryDamaged as damage:
        said.append(f"damaged: {damage}; see `fuseboard verify`")
    lines = [
        f"{utc(at.moment.wall_ns)} {at.what} {at.scope} {at.level.name} [{at.reason.value}]"
        f" {at.detail}{f', by {at.operator}' if at.operator else ''}"
        for at in last
    ]
    return (*lines, *said)


def _latched_postures(board: Board) -> tuple[PostureLine, ...]:
    """What each scope is allowed by its latches and fuses, the register's among them.

    The start shows `NOT_RECONCILED` for the account only where nothing halts it anyway; then its
    fuses say what it will be allowed.
    """
    tightest = {at.scope: (at.posture, at.reason) for at in board.postures.values()}
    if tightest.get(ACCOUNT_SCOPE, (Posture.OPEN, None))[1] is Reason.NOT_RECONCILED:
        states = [at.state for at in board.fuses.values() if at.scope == ACCOUNT_SCOPE]
        posture = max((POSTURE_OF[FuseState(state)] for state in states), default=Posture.OPEN)
        tightest[ACCOUNT_SCOPE] = (posture, Reason.DRAWDOWN)
    return tuple(
        PostureLine(
            scope=scope,
            posture=posture.name,
            reason=reason.value,
            next_reset_wall_ns=board.postures[scope].next_reset_wall_ns,
        )
        for scope, (posture, reason) in tightest.items()
        if posture is not Posture.OPEN
    )


def _alert(text: str) -> AlertLine:
    return AlertLine(
        severity=Severity.WARNING.value,
        code=Reason.NODE_FAULT.value,
        scope=ACCOUNT_SCOPE,
        text=text,
    )
