"""A process that appends to a journal until it is killed: prints each sequence once durable.

Run with the journal's path and a fault: `none`; `full BYTES` limits the size of any file it writes
(what SQLite sees on a full disk); `broken` takes the WAL's descriptor away.
The first ten commits are made one by one, so that a slow disk cannot put the fault before the work.
After a failure it tries to go on, as a careless loop would, and prints what it was told.
"""

import os
import resource
import sys
import threading
import time
from pathlib import Path

from fuseboard.journal.recovery import recover
from fuseboard.journal.writer import JournalFailed, JournalFull, JournalWriter
from tests.journal.making import record, records_between, state_at

ONE_BY_ONE = 10


def said(text: str) -> None:
    os.write(1, f"{text}\n".encode())


def break_descriptors_of(name: str) -> None:
    """Put a read-only /dev/null where the process has the named file open."""
    nothing = os.open("/dev/null", os.O_RDONLY)
    for descriptor in Path("/proc/self/fd").iterdir():
        if descriptor.exists() and descriptor.readlink().name == name:
            os.dup2(nothing, int(descriptor.name))


def main() -> None:
    path, fault = Path(sys.argv[1]), sys.argv[2]
    recovered = recover(path)
    ended = threading.Event()
    commits: list[int] = []

    def durable(sequence: int) -> None:
        commits.append(sequence)
        said(f"durable {sequence}")

    def failed(error: BaseException) -> None:
        said(f"failed {type(error).__name__}")
        ended.set()

    writer = JournalWriter(
        path,
        last_sequence=recovered.last_sequence,
        last_chain=recovered.last_chain,
        durable=durable,
        failed=failed,
    )
    if fault == "full":
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
    sequence = recovered.last_sequence
    while not ended.is_set():
        size = 1 + sequence % 5
        try:
            writer.append(records_between(sequence + 1, sequence + size))
        except JournalFull:
            time.sleep(0.001)
            continue
        except JournalFailed:
            break
        sequence += size
        if sequence % 50 < 5:
            writer.snapshot(sequence, state_at(sequence), "")
        if len(commits) < ONE_BY_ONE:
            while commits[-1:] != [sequence] and not ended.is_set():
                time.sleep(0.0002)
        elif fault == "broken":
            break_descriptors_of(f"{path.name}-wal")
        time.sleep(0.0003)
    ended.wait(10)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    for _ in range(3):
        try:
            writer.append([record(sequence + 1)])
            said("taken")
        except JournalFailed:
            said("refused")
    writer.close()
    said("ended")


if __name__ == "__main__":
    main()
