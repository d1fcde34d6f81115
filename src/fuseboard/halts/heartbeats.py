"""Heartbeats that carry progress: a small file of one size in which each process has its slot.

A beat says how far its writer has come, not merely that it lives: a process whose loop hangs, or
that was stopped, writes nothing new. Each slot has two checksummed blocks, written in turn, so a
write that was torn leaves the beat before it. Nothing is synced: a beat is for who looks now, on
this machine; after a power loss every beat is stale anyway.
"""

import os
import struct
import time
import zlib
from collections.abc import Iterator
from contextlib import suppress
from enum import IntEnum
from pathlib import Path
from typing import Final, NamedTuple

_MAGIC: Final = b"FBBEATS1"
_BLOCK: Final = struct.Struct(">8sBBQqQQQQQQQQ")
_CHECKSUM: Final = struct.Struct(">I")
BLOCK_BYTES: Final = 128
BLOCKS_PER_SLOT: Final = 2
STAT_FIELD_STATE: Final = 0
STAT_FIELD_START: Final = 19
"""Of `/proc/PID/stat` behind the command's name (proc(5): fields 3 and 22)."""


class Heart(IntEnum):
    """Who beats: each has a slot of its own and is its only writer."""

    GATEWAY = 0
    GUARDIAN = 1


FILE_BYTES: Final = len(Heart) * BLOCKS_PER_SLOT * BLOCK_BYTES


class Phase(IntEnum):
    """What the writer is doing."""

    RUNNING = 1
    FAULTED = 2
    """The gateway found a fault in itself: it cancels, then ends with an error."""
    STOPPING = 3
    STOPPED = 4
    """The last beat of an orderly end: nobody is to be missed."""
    ACTING = 5
    """The guardian is at work at the broker."""
    STARTING = 6
    """The gateway is about to be at work at the broker, and reads what the guardian left. Of the
    guardian: it has not looked at a gateway yet.
    """


_PHASES: Final = tuple(Phase)


class Beat(NamedTuple):
    """One beat. `pid` and `start_ticks` name a process on this boot; `run_ns`, the wall time at
    which it began, names the run for good. Times and ages are boot time in nanoseconds.
    """

    phase: Phase
    pid: int
    start_ticks: int
    run_ns: int
    beat_ns: int
    iteration: int
    sequence: int = 0
    durable: int = 0
    oldest_call_age_ns: int = 0
    """How long the oldest submit has waited for the broker's answer."""
    intake: int = 0
    """How many facts wait for the loop."""


class ProcessSeen(NamedTuple):
    """A process as `/proc` shows it: its state letter (proc(5)) and when it began."""

    state: str
    start_ticks: int


def boot_ns() -> int:
    """Nanoseconds since boot, suspension included."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def process_seen(pid: int) -> ProcessSeen | None:
    """What runs under a process id now; None when nothing does."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        return ProcessSeen(fields[STAT_FIELD_STATE].decode(), int(fields[STAT_FIELD_START]))
    except (OSError, IndexError, ValueError):
        return None


def own_beat(phase: Phase, *, run_ns: int, iteration: int) -> Beat:
    """A beat of this process, now."""
    seen = process_seen(os.getpid())
    ticks = 0 if seen is None else seen.start_ticks
    return Beat(phase, os.getpid(), ticks, run_ns, boot_ns(), iteration)


class HeartbeatFile:
    """The file as one writer, or as a reader of both slots. Made, at its one size, if absent; who
    `only_reads` changes nothing of it, and needs no disk that can be written to.
    """

    def __init__(self, path: Path, *, only_reads: bool = False) -> None:
        how = os.O_RDONLY if only_reads else os.O_RDWR | os.O_CREAT
        self._descriptor = os.open(path, how | os.O_CLOEXEC, 0o600)
        if not only_reads and os.fstat(self._descriptor).st_size < FILE_BYTES:
            # Its blocks are taken now: a disk that is full later does not silence anybody.
            os.posix_fallocate(self._descriptor, 0, FILE_BYTES)
        self._writes = [max((at for at, _ in self._sound(heart)), default=0) for heart in Heart]

    def write(self, heart: Heart, beat: Beat) -> None:
        """Write a beat over the older block of a slot. Raises `OSError`."""
        count = self._writes[heart] = self._writes[heart] + 1
        head = _BLOCK.pack(_MAGIC, heart, beat[0], count, *beat[1:])
        raw = (head + _CHECKSUM.pack(zlib.crc32(head))).ljust(BLOCK_BYTES, b"\0")
        block = heart * BLOCKS_PER_SLOT + count % BLOCKS_PER_SLOT
        os.pwrite(self._descriptor, raw, block * BLOCK_BYTES)

    def read(self, heart: Heart) -> Beat | None:
        """The newest sound beat of a slot; None when there is none, or it cannot be read."""
        sound = dict(self._sound(heart))
        return sound[max(sound)] if sound else None

    def _sound(self, heart: Heart) -> Iterator[tuple[int, Beat]]:
        """The sound blocks of a slot: the count of the write, and the beat."""
        size = BLOCKS_PER_SLOT * BLOCK_BYTES
        raw = b""
        with suppress(OSError):
            raw = os.pread(self._descriptor, size, heart * size)
        for at in range(0, len(raw) - BLOCK_BYTES + 1, BLOCK_BYTES):
            head = raw[at : at + _BLOCK.size]
            (checksum,) = _CHECKSUM.unpack_from(raw, at + _BLOCK.size)
            magic, slot, phase, count, *values = _BLOCK.unpack(head)
            if (magic, slot, checksum) == (_MAGIC, heart, zlib.crc32(head)) and phase in _PHASES:
                yield count, Beat(Phase(phase), *values)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._descriptor)
