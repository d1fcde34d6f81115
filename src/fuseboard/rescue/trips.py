"""The gateway's own liquidations, as the register tells of them: who goes on takes their ids."""

from contextlib import closing
from pathlib import Path

from fuseboard.halts.block import Slot
from fuseboard.halts.register import HaltsRegister
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE
from fuseboard.vocabulary.postures import HaltLevel


def gateways_trips(register_file: Path) -> dict[str, str]:
    """The trips of what the gateway was closing and nobody froze, by their scope."""
    with closing(HaltsRegister(register_file, Slot.GUARDIAN)) as register:
        latched = register.latched()
    frozen = {latch.scope for latch in latched if latch.level is HaltLevel.FREEZE}
    begun = {}
    for latch in latched:
        trip = latch.flattening() if latch.slot is Slot.GATEWAY else ""
        if trip and not frozen & {ACCOUNT_SCOPE, latch.scope}:
            begun[latch.scope] = trip
    return begun
