"""The disk of the state directory, from a thread of its own: one that hangs stops no act.

Calls are done in order. Who asks waits for the end of theirs, and for the first that does not come
back no longer than `WAIT_S_MAX`: from then on nobody waits until the disk has caught up with it.
"""

import logging
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

WAIT_S_MAX: Final = 1.0
"""How long acting waits, once, for a disk that does not come back."""
CALLS_MAX: Final = 1_000
_END: Final = None


class Disk:
    """Does what one thread asks for; what finds no room in its line is dropped and counted."""

    def __init__(self, name: str, *, calls_max: int = CALLS_MAX) -> None:
        self.dropped = 0
        self._asked = self._done = 0
        self._failed = 0  # the newest call, where it ended in a fault
        self._awaited = 0  # the newest call that did not come back in time
        self._calls: queue.Queue[Callable[[], object] | None] = queue.Queue(calls_max)
        self._moved = threading.Condition()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def do(self, call: Callable[[], object]) -> bool:
        """Whether the call is done; else it is when the disk allows, or ended in a fault."""
        try:
            self._calls.put_nowait(call)
        except queue.Full:
            self.dropped += 1
            return False
        self._asked += 1
        return self._waited(self._asked) and self._failed != self._asked

    def is_idle(self) -> bool:
        """Whether the disk has done all that it was asked for."""
        return self._done == self._asked

    def behind(self) -> int:
        """How many calls are not done, or never will be."""
        return self._asked - self._done + self.dropped

    def close(self) -> None:
        """Do what is asked for, if that comes back, and end."""
        with suppress(queue.Full):
            self._calls.put_nowait(_END)
            if self._waited(self._asked):
                self._thread.join()

    def _waited(self, number: int) -> bool:
        with self._moved:
            if self._done >= self._awaited:
                self._moved.wait_for(lambda: self._done >= number, WAIT_S_MAX)
            if self._done < number:
                self._awaited = number
            return self._done >= number

    def _run(self) -> None:
        while (call := self._calls.get()) is not _END:
            is_done = False
            try:
                with suppress(OSError):
                    call()
                    is_done = True
            except Exception:  # the outermost place: what is asked next is not lost with it
                logging.getLogger(__name__).exception("a fault of the guardian's own")
            with self._moved:
                self._done += 1
                self._failed = 0 if is_done else self._done
                self._moved.notify_all()
