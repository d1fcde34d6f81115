"""Lines written by a thread of their own: a stuck terminal or disk never blocks the loop."""

import os
import queue
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from io import UnsupportedOperation
from typing import Final, TextIO

from fuseboard.alerts.delivery_times import DeliveryTimes
from fuseboard.halts.heartbeats import boot_ns

LINE_CHARACTERS_MAX = 40_000
CLOSE_S_MAX = 5.0
_END: Final = None


def write_through(stream: TextIO | None, line: str) -> None:
    """Write past the stream's buffer: of a write that is stuck there the interpreter could not end.
    Where it was closed before we began, the line goes nowhere. Raises `OSError`.
    """
    if stream is None:
        return
    try:
        descriptor = stream.fileno()
    except UnsupportedOperation:  # a stream of this process alone
        stream.write(line)
        return
    left = line.encode(errors="backslashreplace")
    while left:
        left = left[os.write(descriptor, left) :]


class BackgroundLines:
    """A bounded queue of lines before a blocking `write`.

    When it is full, a line is dropped and counted; the next line that fits is preceded by one that
    says how many are missing. A line longer than `LINE_CHARACTERS_MAX` is cut. An `OSError` of
    `write` is counted in `failed` and costs that line only. `times` counts how long after their
    events the lines of alerts were written.
    """

    def __init__(self, write: Callable[[str], None], *, name: str, lines_max: int = 10_000) -> None:
        self.name = name
        self.dropped = 0
        self.failed = 0
        self.times = DeliveryTimes()
        self._write = write
        self._missing = 0
        self._lines: queue.Queue[tuple[str, int | None] | None] = queue.Queue(lines_max)
        self._untaken: deque[int] = deque()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(
        self, line: str, *, missing_line: Callable[[int], str], event_ns: int | None = None
    ) -> None:
        """Queue one line without its newline; never blocks. `missing_line` words a gap; of an
        alert `event_ns` is when its event was, boot time.
        """
        if self._closed:
            return
        try:
            if self._missing:
                self._lines.put_nowait((missing_line(self._missing), None))
                self._missing = 0
            self._put(line[:LINE_CHARACTERS_MAX], event_ns)
        except queue.Full:
            self.dropped += 1
            self._missing += 1

    def _put(self, line: str, event_ns: int | None) -> None:
        if event_ns is None:
            self._lines.put_nowait((line, None))
            return
        self._untaken.append(event_ns)
        try:
            self._lines.put_nowait((line, event_ns))
        except queue.Full:
            self._untaken.remove(event_ns)
            raise

    def oldest_ns(self) -> int:
        """How long ago the oldest event was whose line is not written yet; 0: all are."""
        with suppress(IndexError):
            return boot_ns() - self._untaken[0]
        return 0

    def says(self) -> str:
        """For the status: how long alerts took to be written; empty before the first."""
        times = self.times
        return f"{self.name}: {times.count} written; {times.says()}" if times.count else ""

    def close(self) -> None:
        """Write what is queued, for at most `CLOSE_S_MAX` seconds, and stop."""
        if self._closed:
            return
        self._closed = True
        try:
            self._lines.put(_END, timeout=CLOSE_S_MAX)
        except queue.Full:
            return  # the writer is stuck; the thread is a daemon and ends with the process
        self._thread.join(CLOSE_S_MAX)

    def _run(self) -> None:
        while (waiting := self._lines.get()) is not _END:
            line, event_ns = waiting
            try:
                self._write(line + "\n")
            except OSError:
                self.failed += 1
            else:
                if event_ns is not None:
                    self.times.took(boot_ns() - event_ns)
            if event_ns is not None:
                self._untaken.remove(event_ns)
