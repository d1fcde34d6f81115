"""A restart on a journal of 1,000,000 records: how long until the tail is verified and decoded.

Snapshots each 50,000 records, and the longest tail there can be: the newest snapshot is 50,000
records old. Each restart is a new process; `cold` drops the file from the page cache first. The
peer, in the same run, is the same recovery without a snapshot: every record from the first on.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# Run as a file, as `make bench` does, only this folder is on the path.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.journal import opened, order_record, spread
from fuseboard.journal.recovery import recover
from fuseboard.journal.verification import verify

ROUNDS = 5
SNAPSHOT_EVERY = 50_000
SNAPSHOT_BYTES = 2_000_000
COMMIT_RECORDS = 100


def make(path: Path, records: int) -> None:
    writer, acknowledged = opened(path)
    for last in range(COMMIT_RECORDS, records + 1, COMMIT_RECORDS):
        writer.append([order_record(n) for n in range(last - COMMIT_RECORDS + 1, last + 1)])
        if last - acknowledged.sequence > 10_000:
            acknowledged.wait_for(last)
        if last % SNAPSHOT_EVERY == 0 and last < records:
            writer.snapshot(last, os.urandom(SNAPSHOT_BYTES), f"digest {last}")
    writer.close()


def restart(path: Path, *, with_snapshot: bool) -> None:
    """What each measured process does; prints its own time and the length of the tail."""
    began = time.perf_counter_ns()
    recovered = recover(path, release=None if with_snapshot else "another release")
    tail = sum(1 for _ in recovered.tail)
    print((time.perf_counter_ns() - began) // 1_000, tail, recovered.last_sequence)


def measured(path: Path, kind: str, *, cold: bool) -> tuple[int, int]:
    """Microseconds of recovery and of the whole process."""
    if cold:
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)
    command = [sys.executable, __file__, kind, str(path)]
    began = time.perf_counter_ns()
    said = subprocess.run(command, check=True, capture_output=True).stdout.split()
    whole = (time.perf_counter_ns() - began) // 1_000
    expected = SNAPSHOT_EVERY if kind == "snapshot" else int(said[2])
    assert int(said[1]) == expected, "the tail is as long as it was made"
    return int(said[0]), whole


def main() -> None:
    if len(sys.argv) == 3:
        restart(Path(sys.argv[2]), with_snapshot=sys.argv[1] == "snapshot")
        return
    records = int(sys.argv[1]) if len(sys.argv) == 2 else 1_000_000
    with tempfile.TemporaryDirectory(dir=".") as place:
        path = Path(place) / "journal.db"
        began = time.perf_counter()
        make(path, records)
        size = path.stat().st_size // 1_000_000
        print(f"{records:,} records, {size:,} MB, written in {time.perf_counter() - began:.1f} s")
        medians = []
        for name, kind, cold in (
            ("newest snapshot, warm", "snapshot", False),
            ("newest snapshot, cold", "snapshot", True),
            ("no snapshot, warm", "whole", False),
        ):
            rounds = ROUNDS if kind == "snapshot" else 2
            took = [measured(path, kind, cold=cold) for _ in range(rounds)]
            recovery, whole = ([each[part] // 1_000 for each in took] for part in (0, 1))
            medians.append(statistics.median(recovery))
            print(f"{name:<24} recovery {spread(recovery)} ms, whole process {spread(whole)} ms")
        print(f"no snapshot / newest snapshot: {medians[2] / medians[0]:.1f}")
        began = time.perf_counter()
        verdict = verify(path)
        assert verdict.ok, verdict.what
        print(f"verify: {time.perf_counter() - began:.1f} s for {verdict.records:,} records")


if __name__ == "__main__":
    main()
