"""How far the journal is durable, told by its writer's thread, read by the loop."""

import asyncio
import threading
from collections.abc import Callable


class Watermark:
    """The last durable sequence, or why there will be no further one.

    `durable` and `failed` may be called from any thread; they are what a journal is given.
    """

    def __init__(self, sequence: int = 0) -> None:
        self.sequence = sequence
        self.failure: BaseException | None = None
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake: Callable[[], None] | None = None
        self._told = False

    def durable(self, sequence: int) -> None:
        """Every record up to `sequence` is on the disk."""
        assert sequence >= self.sequence, f"durable {sequence} after {self.sequence}"
        self.sequence = sequence
        self._tell()

    def at_once(self, sequence: int) -> None:
        """As `durable`, by a journal that is durable before it returns: the loop, which has just
        given it the records, needs no waking.
        """
        assert sequence >= self.sequence, f"durable {sequence} after {self.sequence}"
        self.sequence = sequence

    def failed(self, failure: BaseException) -> None:
        """A commit failed: nothing after the present sequence will ever be durable."""
        self.failure = failure
        self._tell()

    def attach(self, loop: asyncio.AbstractEventLoop, wake: Callable[[], None]) -> None:
        """Call `wake` in the loop's thread whenever there is news."""
        with self._lock:
            self._loop, self._wake, self._told = loop, wake, False

    def detach(self) -> None:
        """Stop calling; the loop is about to close."""
        with self._lock:
            self._loop = self._wake = None

    def _tell(self) -> None:
        with self._lock:  # so that the loop cannot close between the look and the call
            if self._loop is not None and not self._told:
                self._told = True
                self._loop.call_soon_threadsafe(self._call)

    def _call(self) -> None:
        self._told = False
        if self._wake is not None:
            self._wake()
