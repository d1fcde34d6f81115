"""A restart on a journal of 1,000,000 records of the real kernel: how long until its posture is
known, that is, until snapshot and tail are verified and every record of the tail derived again.

Snapshots each 50,000 records, and nearly the longest tail there can be. Each restart is a new
process; `cold` drops the file from the page cache first. The peer, in the same run, is the same
recovery without a snapshot: every record from the first on.
"""

import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# Run as a file, as `make bench` does, only this folder is on the path.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.journal import opened, spread
from bench.replay_kernel import QUOTES_AN_ORDER, Recording, session
from fuseboard.journal.verification import verify
from fuseboard.runtime.build import build
from fuseboard.runtime.recovery import restored
from fuseboard.vocabulary.records import Record

ROUNDS = 5
SNAPSHOT_EVERY = 50_000
RECORDS_AN_ORDER = QUOTES_AN_ORDER + 4
COMMIT_RECORDS = 100


def make(path: Path, records: int) -> None:
    """A journal as a node writes it: records of the real kernel, and its snapshots."""
    writer, acknowledged = opened(path, release=build())
    waiting: list[Record] = []

    def keep(record: Record) -> None:
        waiting.append(record)
        last = record.sequence
        if len(waiting) == COMMIT_RECORDS or last % SNAPSHOT_EVERY == 0:
            writer.append(waiting)
            waiting.clear()
            if last - acknowledged.sequence > 10_000:
                acknowledged.wait_for(last)
        if last % SNAPSHOT_EVERY == 0 and last + SNAPSHOT_EVERY <= records:
            writer.snapshot(last, recording.kernel.snapshot(), recording.kernel.digest())

    recording = Recording(keep)
    session(recording, records // RECORDS_AN_ORDER)
    writer.append(waiting)
    writer.close()


def restart(path: Path) -> None:
    """What each measured process does: up to the kernel whose posture is known."""
    began = time.perf_counter_ns()
    came_back = restored(path)
    recovered = came_back.recovered
    snapshot = 0 if recovered.snapshot is None else recovered.snapshot.sequence
    took = (time.perf_counter_ns() - began) // 1_000
    print(took, recovered.last_sequence - snapshot, recovered.last_sequence)


def measured(path: Path, *, cold: bool) -> tuple[int, int, int]:
    """Microseconds of recovery and of the whole process, and the tail's length."""
    if cold:
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)
    began = time.perf_counter_ns()
    command = [sys.executable, __file__, "restart", str(path)]
    said = subprocess.run(command, check=True, capture_output=True).stdout.split()
    return int(said[0]), (time.perf_counter_ns() - began) // 1_000, int(said[1])


def main() -> None:
    if len(sys.argv) == 3:
        restart(Path(sys.argv[2]))
        return
    records = int(sys.argv[1]) if len(sys.argv) == 2 else 1_000_000
    with tempfile.TemporaryDirectory(dir=".") as place:
        path = Path(place) / "journal.db"
        began = time.perf_counter()
        make(path, records)
        size = path.stat().st_size // 1_000_000
        print(f"{records:,} records, {size:,} MB, made in {time.perf_counter() - began:.1f} s")
        for name, cold in (("warm", False), ("cold", True)):
            took = [measured(path, cold=cold) for _ in range(ROUNDS)]
            recovery, whole = ([each[part] // 1_000 for each in took] for part in (0, 1))
            print(
                f"{name}: known posture after {spread(recovery)} ms, whole process"
                f" {spread(whole)} ms, {took[0][2]:,} records after the snapshot"
            )
        with sqlite3.connect(path) as database:
            database.execute("DELETE FROM snapshots")
        took = [measured(path, cold=False) for _ in range(2)]
        print(f"without a snapshot: {spread([each[0] // 1_000 for each in took])} ms")
        began = time.perf_counter()
        verdict = verify(path)
        assert verdict.ok, verdict.what
        print(f"verify: {time.perf_counter() - began:.1f} s for {verdict.records:,} records")


if __name__ == "__main__":
    main()
