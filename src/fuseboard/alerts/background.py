"""Lines written by a thread of their own: a stuck terminal or disk never blocks the loop."""

import os
import queue
import threading
from collections.abc import Callable
from io import UnsupportedOperation
from typing import Final, TextIO

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
    `write` is counted in `failed` and costs that line only.
    """

    def __init__(self, write: Callable[[str], None], *, name: str, lines_max: int = 10_000) -> None:
        self.dropped = 0
        self.failed = 0
        self._write = write
        self._missing = 0
        self._lines: queue.Queue[str | None] = queue.Queue(lines_max)
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, line: str, *, missing_line: Callable[[int], str]) -> None:
        """Queue one line without its newline; never blocks. `missing_line` words a gap."""
        if self._closed:
            return
        try:
            if self._missing:
                self._lines.put_nowait(missing_line(self._missing))
                self._missing = 0
            self._lines.put_nowait(line[:LINE_CHARACTERS_MAX])
        except queue.Full:
            self.dropped += 1
            self._missing += 1

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
        while (line := self._lines.get()) is not _END:
            try:
                self._write(line + "\n")
            except OSError:
                self.failed += 1
