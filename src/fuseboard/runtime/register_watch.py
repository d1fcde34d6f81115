"""Latches that another process writes into the halts register while the gateway runs.

The outlet reads the register at every send, so such a latch holds new risk back at once. Here it
also becomes an input: the kernel halts, cancels and shows it, and a person can reset it.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from fuseboard.halts.block import Latched, Slot
from fuseboard.halts.register import HaltsRegister
from fuseboard.vocabulary.inputs import Input, NodeStarted
from fuseboard.vocabulary.operator_inputs import OperatorHaltRequested

LOOK_EVERY_S: Final = 0.5


class RegisterWatch:
    """Looks at the other writers' slots; what the start has told the kernel is not news.

    `started` is what it was told: what was latched after the register was read for it is news.
    """

    def __init__(
        self, register: HaltsRegister, offer: Callable[[Input], bool], *, started: NodeStarted
    ) -> None:
        self._register = register
        self._offer = offer
        self._seen = {
            _name(latch)
            for latch in register.latched()
            if _is_news(latch) and _was_told(latch, started)
        }

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            self.look()

    def look(self) -> None:
        """Offer each latch of another writer that is new."""
        if not self._register.halted():
            self._seen.clear()
            return
        present = [latch for latch in self._register.latched() if _is_news(latch)]
        for latch in present:
            if _name(latch) in self._seen:
                continue
            self._offer(
                OperatorHaltRequested(
                    request=0,
                    operator=f"the register's {latch.slot.name.lower()}",
                    reason=f"{latch.reason.value}: {latch.detail}",
                    scope=latch.scope,
                    level=latch.level,
                    register_epoch=latch.halt_epoch,
                    code=latch.reason,
                )
            )
        self._seen = {_name(latch) for latch in present}


def _is_news(latch: Latched) -> bool:
    """Whether the kernel may not know of it: another's latch, or what cannot be believed."""
    return latch.slot is not Slot.GATEWAY or latch.wall_ns == 0


def _was_told(latch: Latched, started: NodeStarted) -> bool:
    """Whether a start has told of this latch, or of what cannot be believed."""
    if latch.wall_ns == 0:
        return started.register_unreadable or bool(started.register_doubt)
    return latch.as_scope() in started.latched


def _name(latch: Latched) -> tuple[Slot, int, str]:
    return latch.slot, latch.counter, latch.scope
