"""How long records have waited for the journal's disk: people are told by the gateway itself.

A commit that hangs raises nothing: nothing new leaves, nobody is answered, and the loop turns on.
The guardian acts on it later, where there is one. An alert needs neither journal nor disk.
"""

from collections.abc import Callable
from typing import Final

from fuseboard.vocabulary.orders import Severity

WAITED_NS_MAX: Final = 5_000_000_000
"""How long records may wait, and none become durable, before people are told."""
LOOK_NS_MAX: Final = 500_000_000
"""What one look may count for: a process that was stopped did not watch its disk meanwhile."""


class DiskWait:
    """`look` at each beat of the loop; `told` hears once that the disk hangs, once that it ended.

    `told` must not block.
    """

    def __init__(self, told: Callable[[Severity, str], None]) -> None:
        self._told = told
        self._durable = 0
        self._waits = False
        self._waited_ns = 0
        self._looked_ns = 0
        self._hangs = False

    def look(self, sequence: int, durable: int, now_ns: int) -> None:
        """The journal was given records up to `sequence`, and those up to `durable` are on disk."""
        passed_ns = min(now_ns - self._looked_ns, LOOK_NS_MAX) if self._waits else 0
        self._looked_ns = now_ns
        self._waits = durable < sequence
        if not self._waits or durable != self._durable:
            self._durable = durable
            self._moves()
            return
        self._waited_ns += passed_ns
        if self._waited_ns >= WAITED_NS_MAX and not self._hangs:
            self._hangs = True
            text = (
                f"the journal has written nothing for {self._waited_ns / 1e9:.1f} s and"
                f" {sequence - durable} records wait: before they are on the disk nothing new is"
                " sent and nobody is answered; look at the disk, and at the broker"
            )
            self._told(Severity.PAGE, text)

    def _moves(self) -> None:
        waited_ns, self._waited_ns = self._waited_ns, 0
        if self._hangs:
            self._hangs = False
            self._told(Severity.WARNING, f"the journal goes on, after {waited_ns / 1e9:.1f} s")
