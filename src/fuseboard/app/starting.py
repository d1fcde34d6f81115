"""What a start tells the kernel of the halts register, its history, and who may trade."""

import time
from collections.abc import Callable
from shlex import quote
from typing import Final

from fuseboard.control.state_directory import Identity
from fuseboard.gateway.keys import Keys
from fuseboard.halts.evidence import Weighed, found, weigh
from fuseboard.halts.history import HaltsHistory
from fuseboard.halts.register import HaltsRegister
from fuseboard.runtime.build import build
from fuseboard.runtime.clock import machine_boot_ns
from fuseboard.vocabulary.guardian_inputs import GuardianClose
from fuseboard.vocabulary.inputs import Moment, NodeStarted
from fuseboard.vocabulary.postures import HaltLevel
from fuseboard.vocabulary.restored_inputs import Restored

LATCH_NAME: Final = "latch:"
"""What the trips of a person's latch begin with, and no fuse's do."""


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
    guardian_closes: tuple[GuardianClose, ...],
) -> NodeStarted:
    """What a start says, of what was weighed; the same for who only looks at the next start."""
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
        guardian_closes=guardian_closes,
    )


def flattens_not_begun(
    started: NodeStarted, halt_epoch: int, planned: tuple[str, ...]
) -> list[str]:
    """What to tell people of flattenings that a person asked for and the journal does not have.

    `halt_epoch` and the trips with plans are the journal's, before this start. They come up as
    halts: what was held then may have been closed since. A fuse's own trip begins again by itself.
    """
    return [
        f"a flattening of {at.scope} was asked for and not begun: it is halted, and nothing is"
        " closed: look at the positions, then ask again with"
        f" `fuseboard halt --level flatten --scope {quote(at.scope)}`"
        for at in started.latched
        if at.level is HaltLevel.FLATTEN
        and at.halt_epoch > halt_epoch
        and at.trip not in planned  # a register that was made again counts its halts anew
        and (not at.trip or at.trip.startswith(LATCH_NAME))
    ]


def node_started(
    register: HaltsRegister,
    history: HaltsHistory,
    *,
    identity: Identity,
    strategies: tuple[str, ...],
    restored: Restored | None,
    guardian_closes: tuple[GuardianClose, ...],
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
        guardian_closes=guardian_closes,
    )
