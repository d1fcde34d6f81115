"""A backup under a writing gateway: the worst wait for a commit and the worst pause of its loop.

    python bench/backup.py [RECORDS]

One process commits a record every two milliseconds, as a busy gateway does; `fuseboard backup`, as
the gateway starts it, copies its state and proves the copy. The peer, in the same run and turn by
turn, is the same process left alone for as long as the backup took.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

# Run as a file, as `make bench` does, only this folder is on the path.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import msgspec

from bench.journal import SWITCH_SECONDS, Acknowledged, opened
from bench.replay_kernel import QUOTES_AN_ORDER, Recording, quote, session
from fuseboard.control.state_directory import Identity, StateDirectory
from fuseboard.halts.register import HaltsRegister
from fuseboard.journal.writer import JournalWriter
from fuseboard.runtime.build import build
from fuseboard.vocabulary.records import Record

ROUNDS = 3
TICK_S = 0.002
BATCH = 1_000


class Gateway:
    """What writes: a kernel's records, one commit each."""

    def __init__(self, state: StateDirectory, records: int) -> None:
        self.writer: JournalWriter
        self.acknowledged: Acknowledged
        self.writer, self.acknowledged = opened(state.journal_file, release=build())
        self._waiting: list[Record] = []
        self.recording = Recording(self._keep)
        session(self.recording, records // (QUOTES_AN_ORDER + 4))
        self._send()
        self.acknowledged.wait_for(self.recording.count)
        self.writer.snapshot(
            self.recording.count, self.recording.kernel.snapshot(), self.recording.kernel.digest()
        )
        self.recording.keep = lambda record: self.writer.append([record])

    def _keep(self, record: Record) -> None:
        self._waiting.append(record)
        if len(self._waiting) == BATCH:
            self._send()
            if record.sequence - self.acknowledged.sequence > 10 * BATCH:
                self.acknowledged.wait_for(record.sequence)

    def _send(self) -> None:
        self.writer.append(self._waiting)
        self._waiting = []

    def beat(self, goes_on: Callable[[], bool]) -> tuple[list[int], list[int]]:
        """Microseconds of each commit, and how much later than asked each pause ended."""
        commits: list[int] = []
        late: list[int] = []
        while goes_on():
            began = time.perf_counter_ns()
            time.sleep(TICK_S)
            slept = time.perf_counter_ns()
            late.append((slept - began) // 1_000 - int(TICK_S * 1e6))
            self.recording.take(quote(self.recording.count))
            self.acknowledged.wait_for(self.recording.count)
            commits.append((time.perf_counter_ns() - slept) // 1_000)
        return commits, late


def _add(kept: list[list[int]], more: tuple[list[int], list[int]]) -> None:
    for values, new in zip(kept, more, strict=True):
        values.extend(new)


def _runs(process: "subprocess.Popen[bytes]") -> bool:
    return process.poll() is None


def _is_before(ends: float) -> bool:
    return time.monotonic() < ends


def shown(name: str, values: list[int]) -> str:
    ordered = sorted(values)
    p50, p99 = ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100]
    return f"{name} p50 {p50:,} p99 {p99:,} worst {ordered[-1]:,} µs"


def main() -> None:
    records = int(sys.argv[1]) if len(sys.argv) == 2 else 1_000_000
    sys.setswitchinterval(SWITCH_SECONDS)
    with tempfile.TemporaryDirectory(dir=".") as place:
        state = StateDirectory(Path(place).resolve())
        gateway = Gateway(state, records)
        identity = Identity(instance="abcd1234", account="A1", created_ns=1)
        state.identity_file.write_bytes(msgspec.json.encode(identity))
        HaltsRegister.create(state.register_file)
        size = state.journal_file.stat().st_size // 1_000_000
        print(f"{gateway.recording.count:,} records, {size:,} MB")
        alone: list[list[int]] = [[], []]
        beside: list[list[int]] = [[], []]
        took: list[float] = []
        for _ in range(ROUNDS):
            words = ["backup", "--state", str(state.path), "--scheduled", "--copies", "1"]
            began = time.monotonic()
            process = subprocess.Popen([sys.executable, "-m", "fuseboard", *words])
            _add(beside, gateway.beat(partial(_runs, process)))
            assert process.returncode == 0, "the backup failed"
            took.append(time.monotonic() - began)
            ends = time.monotonic() + took[-1]
            _add(alone, gateway.beat(partial(_is_before, ends)))
        print(f"a backup took {min(took):.1f} to {max(took):.1f} s, its proof included")
        for name, (commits, late) in (("alone", alone), ("beside a backup", beside)):
            print(f"{name:<16}{shown('commit', commits)}; {shown('pause', late)}")
        gateway.writer.close()


if __name__ == "__main__":
    main()
