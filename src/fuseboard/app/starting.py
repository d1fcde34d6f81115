"""What a start tells the kernel of the halts register, its history, and who may trade."""

import time
from collections.abc import Callable
from pathlib import Path
from shlex import quote
from typing import Final

from fuseboard.control.state_directory import Identity
from fuseboard.core.kernel import Kernel
from fuseboard.gateway.keys import Keys
from fuseboard.halts.evidence import Weighed, found, weigh
from fuseboard.halts.history import HaltsHistory
from fuseboard.halts.register import HaltsRegister
from fuseboard.rescue.journal import closes_told, read_lines
from fuseboard.runtime.build import build
from fuseboard.runtime.clock import machine_boot_ns
from fuseboard.vocabulary.inputs import Moment, NodeStarted
from fuseboard.vocabulary.postures import HaltLevel
from fuseboard.vocabulary.restored_inputs import Restored

LATCH_NAME: Final = "latch:"
"""What the trips of a person's latch begin with, and no fuse's do."""
SENT_TOLD_MAX: Final = 10_000


def strategies_of(keys: Keys) -> tuple[str, ...]:
    """The strategies that have a key, an ephemeral one too."""
    return tuple(dict.fromkeys(line.strategy for line in keys.listed()))


def start_fact(
    register: HaltsRegister,
    weighed: Weighed,
    *,
    identity: Identity,
    strategies: tuple[str, ...],
    restored: Restored | None,
    guardian: Path,
    last: Moment | None,
) -> NodeStarted:
    """What a start says, of what was weighed; the same for who only looks at the next start.

    `guardian` is the guardian's journal, `last` the moment of ours.
    """
    last_wall_ns = 0 if last is None else last.wall_ns
    return NodeStarted(
        instance=identity.instance,
        account=identity.account,
        release=build(),
        strategies=strategies,
        latched=weighed.latched,
        register_unreadable=weighed.unreadable,
        register_epochs=register.epochs(),
        register_doubt=weighed.register_doubt,
        history_doubt=weighed.history_doubt,
        restored=restored,
        guardian_closes=closes_told(guardian),
        guardian_sent=_sent_since(guardian, last_wall_ns),
        last_wall_ns=last_wall_ns,
    )


def flattens_not_begun(started: NodeStarted, kernel: Kernel) -> list[str]:
    """What to tell people of flattenings that a person asked for and the journal does not have.

    The kernel is as the journal left it, before this start. They come up as halts: what was held
    then may have been closed since. A fuse's own trip begins again by itself.
    """
    return [
        f"a flattening of {at.scope} was asked for and not begun: it is halted, and nothing is"
        " closed: look at the positions, then ask again with"
        f" `fuseboard halt --level flatten --scope {quote(at.scope)}`"
        for at in started.latched
        if at.level is HaltLevel.FLATTEN
        and at.halt_epoch > kernel.halt_epoch()
        # By its plan, too: a register that was made again counts its halts anew.
        and at.trip not in kernel.trips_planned()
        and (not at.trip or at.trip.startswith(LATCH_NAME))
    ]


def node_started(
    register: HaltsRegister,
    history: HaltsHistory,
    *,
    identity: Identity,
    strategies: tuple[str, ...],
    restored: Restored | None,
    guardian: Path,
    last: Moment | None,
    warn: Callable[[str], None],
) -> NodeStarted:
    """Weigh register and history; what a crash took out of the history is noted in it and said."""
    weighed = weigh(register, history.path)
    if not weighed.history_doubt:
        moment = Moment(machine_boot_ns(), time.time_ns())
        counters = register.counters()
        for slot, behind in weighed.behind.items():
            history.note(found(slot, behind, counters[slot], moment))
            warn(f"{history.path.name} lacks {behind} writes of the {slot.name.lower()} slot")
    return start_fact(
        register,
        weighed,
        identity=identity,
        strategies=strategies,
        restored=restored,
        guardian=guardian,
        last=last,
    )


def _sent_since(guardian: Path, wall_ns: int) -> tuple[str, ...]:
    """The newest order ids of what the guardian, or a rescue, was about to send since a time."""
    closes = [line.close for line in read_lines(guardian) if line.close]
    return tuple(at.order_id for at in closes if at.at_wall_ns >= wall_ns)[-SENT_TOLD_MAX:]
