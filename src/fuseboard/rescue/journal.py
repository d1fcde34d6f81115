"""What the guardian or a person's rescue did, in JSON lines, each synced before the next act, read
by the next gateway.

A disk that hangs is not waited for: see `Disk`.
"""

import os
import time
from functools import partial
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct, structs

from fuseboard.rescue.disk import Disk
from fuseboard.vocabulary.guardian_inputs import GuardianClose, Sender

DETAIL_CHARACTERS_MAX: Final = 2_000
LINES_READ_MAX: Final = 100_000
TOOK_NOTHING: Final = "took nothing"
"""The act that names a close of which nothing was filled: nobody needs to know of it."""
CLOSES_TOLD_MAX: Final = 1_000
"""Closes that a start is told of, the newest; of the last run that was missed, all."""


class Line(Struct, frozen=True, kw_only=True):
    """One line: which act, about which gateway run, when (wall time), and the details."""

    act: str
    run_ns: int
    wall_ns: int
    detail: str = ""
    close: GuardianClose | None = None
    """What is about to be sent, where the act is to close."""
    by: Sender = Sender.GUARDIAN
    """Older releases wrote none."""


class GuardianJournal:
    """Appends lines. Where one cannot be made durable, acting goes on."""

    def __init__(self, path: Path, by: Sender = Sender.GUARDIAN) -> None:
        self._by = by
        self.disk = Disk("guardian journal")
        self._path = path
        self._descriptor = -1
        self._ends = b""

    def write(
        self, act: str, *, run_ns: int, detail: str = "", close: GuardianClose | None = None
    ) -> None:
        """One line, durable on return if the disk allows, and answers in time."""
        line = Line(
            act=act,
            run_ns=run_ns,
            wall_ns=time.time_ns(),
            detail=detail[:DETAIL_CHARACTERS_MAX],
            close=close and structs.replace(close, sent_by=self._by),
            by=self._by,
        )
        self.disk.do(partial(self._append, msgspec.json.encode(line)))

    def close(self) -> None:
        """Write what is to be written, if the disk answers, and let go of the file."""
        self.disk.do(self._let_go)
        self.disk.close()

    def _append(self, line: bytes) -> None:
        try:
            if self._descriptor < 0:
                self._open()
            os.write(self._descriptor, self._ends + line + b"\n")
            os.fsync(self._descriptor)
            self._ends = b""
        except OSError:
            self._ends = b"\n"

    def _open(self) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._descriptor = os.open(self._path, flags, 0o600)
        size = os.fstat(self._descriptor).st_size
        # A line that was torn by a crash must not spoil the next one.
        self._ends = b"" if os.pread(self._descriptor, 1, max(0, size - 1)) in b"\n" else b"\n"

    def _let_go(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)


def read_lines(path: Path) -> list[Line]:
    """The newest lines, oldest first; what is torn or strange is left out."""
    try:
        raw = path.read_bytes()
    except OSError:
        return []
    lines = []
    for each in raw.split(b"\n")[-LINES_READ_MAX:]:
        try:
            lines.append(msgspec.json.decode(each, type=Line))
        except msgspec.MsgspecError:
            continue
    return lines


def closes_told(path: Path) -> tuple[GuardianClose, ...]:
    """The newest closes that were about to be sent, oldest first, but those that took nothing."""
    lines = read_lines(path)
    nothing = {line.detail for line in lines if line.act == TOOK_NOTHING}
    told = [at for at in lines if at.close and at.close.client_order_id not in nothing]
    earlier = sum(at.run_ns != told[-1].run_ns for at in told)  # starts were told of these
    first = max(0, min(earlier, len(told) - CLOSES_TOLD_MAX))
    return tuple(at.close for at in told[first:] if at.close)


def done_runs(lines: list[Line]) -> frozenset[int]:
    """The gateway runs that were dealt with to the end: a clock that went back orders none."""
    return frozenset(line.run_ns for line in lines if line.act == "done")
