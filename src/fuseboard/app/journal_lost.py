"""A journal that cannot be read: a start is refused with a way on; the register still speaks."""

from collections.abc import Callable
from contextlib import closing
from typing import Final

from msgspec import structs

from fuseboard.control.board import Board
from fuseboard.control.state_directory import Identity, StateDirectory, StateRefused
from fuseboard.control.status import PostureLine, Status, status_of
from fuseboard.control.taken_up import postures_of, register_line
from fuseboard.core.kernel import Kernel
from fuseboard.halts.block import Slot
from fuseboard.halts.evidence import weigh
from fuseboard.halts.register import HaltsRegister
from fuseboard.journal.file import JournalAbsent, JournalDamaged
from fuseboard.runtime.meter import MeteredKernel
from fuseboard.runtime.recovery import Restored, restored
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE
from fuseboard.vocabulary.postures import Posture
from fuseboard.vocabulary.reasons import Reason

WAY_ON: Final = (
    "orders may still work at the broker: cancel there; then `fuseboard restore`,"
    " see docs/runbook.md"
)


class JournalLost(StateRefused):
    """The state's journal cannot be read; the message names the file, the damage and the way on."""

    def __init__(self, said: str) -> None:
        super().__init__(f"{said}; {WAY_ON}")
        self.said = said


def restored_of(
    state: StateDirectory, told: Callable[[int, int], None] = lambda _record, _last: None
) -> Restored:
    """The kernel of a state's journal; `told` as for `restored`. Raises `JournalLost`."""
    try:
        return restored(state.journal_file, told=told)
    except JournalAbsent as absent:
        raise JournalLost(str(absent)) from absent
    except JournalDamaged as damage:
        raise JournalLost(f"{state.journal_file}: {damage}") from damage


def status_without_journal(state: StateDirectory, identity: Identity, said: str) -> Status:
    """What the register and its history hold; the account is at least HALTED, for none may start.

    `said` is the journal's damage. No order, position or fuse is known.
    """
    with closing(HaltsRegister(state.register_file, Slot.OPERATOR)) as register:
        weighed = weigh(register, state.history_file)
        in_register = register.latched()
    postures = {ACCOUNT_SCOPE: (Posture.HALTED, Reason.JOURNAL_DAMAGED)}
    for scope, posture in postures_of(weighed.latched).items():
        if posture > postures.get(scope, (Posture.OPEN, Reason.ALLOWED))[0]:
            postures[scope] = (posture, Reason.REGISTER_LATCHED)
    lines = [register_line(at) for at in in_register]
    if weighed.unreadable:
        lines.append("a block of it cannot be read: what it held is unknown")
    about = {"account": identity.account, "instance": identity.instance, "state": str(state.path)}
    return structs.replace(
        status_of(Board(), MeteredKernel(Kernel()).measured(), about=about, durable_sequence=0),
        running=False,
        journal_lost=said,
        posture=postures[ACCOUNT_SCOPE][0].name,
        postures=tuple(
            PostureLine(scope=scope, posture=posture.name, reason=reason.value)
            for scope, (posture, reason) in postures.items()
        ),
        register=tuple(lines),
    )
