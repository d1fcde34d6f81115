"""What the door denies by itself is counted, and told to the journal: once a second at most.

An order that cannot be read, or asks for what we do not support, never reaches the kernel. Its
denial is evidence all the same, but one record each would let a strategy fill the journal. So the
denials are counted by strategy and reason; the first is noted at once, the others with the next
note. There are at most as many counts as strategies with keys times reasons.
"""

import asyncio

from fuseboard.gateway.doors import IntakeDoor
from fuseboard.vocabulary.inputs import RequestsDenied
from fuseboard.vocabulary.reasons import Reason


class DoorDenials:
    """Counts denials and offers one note a strategy and reason every `every_s` seconds."""

    def __init__(self, intake: IntakeDoor, *, every_s: float) -> None:
        self._intake = intake
        self._every_s = every_s
        self._counts: dict[tuple[str, Reason], int] = {}
        self._next: asyncio.TimerHandle | None = None

    def note(self, strategy: str, reason: Reason) -> None:
        """The door has denied one request of the strategy."""
        self._counts[strategy, reason] = self._counts.get((strategy, reason), 0) + 1
        if self._next is None:
            self._offer()
            self._wait()

    def close(self) -> None:
        """Note what is counted and wait for nothing more."""
        if self._next is not None:
            self._next.cancel()
            self._next = None
        self._offer()

    def _wait(self) -> None:
        self._next = asyncio.get_running_loop().call_later(self._every_s, self._again)

    def _again(self) -> None:
        self._next = None
        if self._counts:
            self._offer()
            self._wait()

    def _offer(self) -> None:
        """Note every count; one that the intake does not take is kept for the next time."""
        for (strategy, reason), count in list(self._counts.items()):
            note = RequestsDenied(strategy=strategy, reason=reason, count=count)
            if self._intake.offer(note):
                del self._counts[strategy, reason]
