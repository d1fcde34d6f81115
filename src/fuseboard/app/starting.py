"""What a start tells the kernel of the halts register, its history, and who may trade."""

import time
from collections.abc import Callable

from fuseboard.control.state_directory import Identity
from fuseboard.gateway.keys import Keys
from fuseboard.halts.evidence import Weighed, found, weigh
from fuseboard.halts.history import HaltsHistory
from fuseboard.halts.register import HaltsRegister
from fuseboard.runtime.build import build
from fuseboard.runtime.clock import machine_boot_ns
from fuseboard.vocabulary.guardian_inputs import GuardianClose
from fuseboard.vocabulary.inputs import Moment, NodeStarted
from fuseboard.vocabulary.restored_inputs import Restored


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
