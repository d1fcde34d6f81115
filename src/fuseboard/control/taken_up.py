"""What the halts register on disk holds and a running gateway does not show.

The gateway asks the register before each send, so such a latch holds new risk back at once. But
only what its kernel has taken up is cancelled, shown and reset: that takes it half a second, and
one that hangs never does it.
"""

from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Final

from msgspec import structs

from fuseboard.control.board import Board
from fuseboard.control.status import PostureLine, Status, status_of
from fuseboard.halts.block import Latched, Slot
from fuseboard.halts.register import HaltsRegister
from fuseboard.runtime.meter import NOTHING_MEASURED
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE
from fuseboard.vocabulary.inputs import LatchedScope
from fuseboard.vocabulary.postures import HaltLevel, Posture
from fuseboard.vocabulary.reasons import Reason

UNKNOWN: Final = "UNKNOWN"
"""The posture of an account that the register does not halt and whose gateway does not answer."""


def register_line(at: Latched) -> str:
    """One halt of the register, for people."""
    return f"{at.scope}: {at.level.name} ({at.reason.value}), {at.slot.name.lower()}: {at.detail}"


def with_register(ask: Callable[[], Status], register_file: Path) -> Status:
    """A running gateway's status, and what the register holds beyond it.

    Only what the register held before the gateway was asked and still holds afterwards: what came
    or went meanwhile is no difference.
    """
    before = latched_in(register_file)
    status = ask()
    still = {(at.slot, at.scope, at.level) for at in latched_in(register_file)} if before else set()
    missed = [at for at in before if (at.slot, at.scope, at.level) in still]
    lines = tuple(register_line(at) for at in missed if not _is_shown(at, status))
    return structs.replace(status, not_taken_up=lines)


def status_unanswered(register_file: Path, about: dict[str, str], why: str) -> Status | None:
    """What the register holds while a gateway that runs does not answer; None when it is nothing.

    No order, position or fuse is known.
    """
    latched = latched_in(register_file)
    if not latched:
        return None
    postures = postures_of(at.as_scope() for at in latched)
    account = postures.get(ACCOUNT_SCOPE)
    return structs.replace(
        status_of(Board(), NOTHING_MEASURED, about=about, durable_sequence=0),
        posture=UNKNOWN if account is None else account.name,
        postures=tuple(
            PostureLine(scope=scope, posture=posture.name, reason=Reason.REGISTER_LATCHED.value)
            for scope, posture in postures.items()
        ),
        not_taken_up=tuple(register_line(at) for at in latched),
        unanswered=why,
    )


def postures_of(latched: Iterable[LatchedScope]) -> dict[str, Posture]:
    """By scope, what the latches alone let it do."""
    postures: dict[str, Posture] = {}
    for at in latched:
        posture = Posture.KILLED if at.level is HaltLevel.KILL else Posture.HALTED
        postures[at.scope] = max(posture, postures.get(at.scope, posture))
    return postures


def latched_in(register_file: Path) -> tuple[Latched, ...]:
    """All latches of all slots; what cannot be read is one too."""
    with closing(HaltsRegister(register_file, Slot.OPERATOR)) as register:
        return register.latched()


def _is_shown(at: Latched, status: Status) -> bool:
    """Whether the gateway shows the scope at least as tight as the latch asks for."""
    shown = [Posture[line.posture] for line in status.postures if line.scope == at.scope]
    return max(shown, default=Posture.OPEN) >= _asked(at, status)


def _asked(at: Latched, status: Status) -> Posture:
    """A kill is HALTED while it recovers; a trip, which only the gateway latches, is REDUCE_ONLY
    until its plan and its cooldown end.
    """
    recovers = any(fuse.scope == at.scope and fuse.state == "RECOVERY" for fuse in status.fuses)
    if at.level is HaltLevel.KILL and not recovers:
        return Posture.KILLED
    return Posture.REDUCE_ONLY if at.trip else Posture.HALTED
