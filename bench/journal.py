"""The journal: durable records a second, time per commit, and what it costs a busy loop beside it.

The peer, in the same run, is a plain file with one `write` and one `fdatasync` per commit, without
encoding, chain, index or recovery: the least that durability costs here.
"""

import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from fuseboard.journal.file import create_journal
from fuseboard.journal.recovery import recover
from fuseboard.journal.writer import JournalWriter
from fuseboard.vocabulary.effects import SubmitOrder
from fuseboard.vocabulary.inputs import Moment, OrderRequested
from fuseboard.vocabulary.orders import Intent, OrderType, Side, TimeInForce
from fuseboard.vocabulary.records import Record, encoded_record

ROUNDS = 5
COMMITS = 300
BUSY_SECONDS = 1
BUSY_RATE = 10_000
SWITCH_SECONDS = 2e-4
"""What the app sets: see `sys.setswitchinterval` in the writer's head."""


def order_record(sequence: int) -> Record:
    """An accepted order: the input and the submit it causes, about 630 bytes."""
    moment = Moment(boot_ns=sequence * 1_000, wall_ns=1_700_000_000_000_000_000 + sequence)
    order = OrderRequested(
        request=sequence,
        strategy="dip",
        client_order_id=f"dip-{sequence}",
        symbol="AAPL",
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.DAY,
        quantity_nanos=100_000_000_000,
        limit_price_nanos=250_000_000_000,
    )
    submit = SubmitOrder(
        order_id="12345678-1234-8123-8123-123456789abc",
        wire_id="fb-abcd1234-12345678-1234-8123-8123-123456789abc",
        symbol="AAPL",
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.DAY,
        quantity_nanos=100_000_000_000,
        intent=Intent.OPEN,
        raises_exposure=True,
        halt_epoch=3,
        limit_price_nanos=250_000_000_000,
    )
    return Record(sequence, moment, order, (submit,))


class Acknowledged:
    """How far the journal is durable, and a way to wait for it."""

    def __init__(self) -> None:
        self.sequence = 0
        self._wanted = 0
        self._reached = threading.Event()

    def durable(self, sequence: int) -> None:
        self.sequence = sequence
        if sequence >= self._wanted:
            self._reached.set()

    def failed(self, error: BaseException) -> None:
        raise SystemExit(f"the journal failed: {error}")

    def wait_for(self, sequence: int) -> None:
        self._reached.clear()
        self._wanted = sequence
        if self.sequence < sequence and not self._reached.wait(30):
            raise SystemExit("the journal does not answer")


def opened(path: Path, release: str = "") -> tuple[JournalWriter, Acknowledged]:
    create_journal(path, "abcd1234", 1)
    recovered = recover(path)
    acknowledged = Acknowledged()
    writer = JournalWriter(
        path,
        last_sequence=0,
        last_chain=recovered.last_chain,
        durable=acknowledged.durable,
        failed=acknowledged.failed,
        release=release,
    )
    return writer, acknowledged


def journal_commits(place: Path, size: int) -> list[int]:
    """Nanoseconds from append to durable, one commit at a time."""
    writer, acknowledged = opened(place / "journal.db")
    taken: list[int] = []
    for commit in range(COMMITS):
        first = commit * size + 1
        batch = [order_record(sequence) for sequence in range(first, first + size)]
        began = time.perf_counter_ns()
        writer.append(batch)
        acknowledged.wait_for(first + size - 1)
        taken.append(time.perf_counter_ns() - began)
    writer.close()
    return taken


def plain_commits(place: Path, size: int) -> list[int]:
    """The peer: nanoseconds of one write and one fdatasync of the same bytes."""
    taken: list[int] = []
    descriptor = os.open(place / "plain", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    for commit in range(COMMITS):
        first = commit * size + 1
        lines = [encoded_record(order_record(n)) for n in range(first, first + size)]
        body = b"\n".join(lines)
        began = time.perf_counter_ns()
        os.write(descriptor, body)
        os.fdatasync(descriptor)
        taken.append(time.perf_counter_ns() - began)
    os.close(descriptor)
    return taken


def busy_loop(place: Path, size: int, *, appends: bool) -> tuple[int, int, int]:
    """A loop that computes without a pause and appends `BUSY_RATE` records a second, or only looks.

    Returns microseconds: the worst step of the loop, append to durable p50 and p99.
    """
    writer, acknowledged = opened(place / "journal.db")
    records = [order_record(n) for n in range(1, int(BUSY_RATE * BUSY_SECONDS) + size + 1)]
    marks: list[tuple[int, int]] = []
    note = acknowledged.durable

    def durable(sequence: int) -> None:
        marks.append((sequence, time.perf_counter_ns()))
        note(sequence)

    writer._durable = durable
    appended: list[tuple[int, int]] = []
    sequence, worst_ns = 0, 0
    began = before = time.perf_counter_ns()
    while before - began < BUSY_SECONDS * 1_000_000_000:
        sum(number * number for number in range(60))
        if (before - began) * BUSY_RATE >= (sequence + size) * 1_000_000_000:
            batch = records[sequence : sequence + size]
            sequence += size
            if appends:
                writer.append(batch)
                appended.append((sequence, time.perf_counter_ns()))
        now = time.perf_counter_ns()
        worst_ns, before = max(worst_ns, now - before), now
    writer.close()
    waits: list[int] = []
    mark = 0
    for last, at in appended:
        while marks[mark][0] < last:
            mark += 1
        waits.append((marks[mark][1] - at) // 1_000)
    waits = sorted(waits) or [0]
    return worst_ns // 1_000, waits[len(waits) // 2], waits[len(waits) * 99 // 100]


def spread(values: list[int]) -> str:
    return f"{int(statistics.median(values)):,} [{min(values):,}..{max(values):,}]"


class Figures:
    """By round: records a second, and microseconds of p50, p99 and the worst commit."""

    def __init__(self, name: str, measure: Callable[[Path, int], list[int]]) -> None:
        self.name = name
        self.measure = measure
        self.rates: list[int] = []
        self.halves: list[int] = []
        self.tails: list[int] = []
        self.worsts: list[int] = []

    def take(self, size: int) -> None:
        with tempfile.TemporaryDirectory(dir=".") as place:
            taken = sorted(self.measure(Path(place), size))
        self.rates.append(size * COMMITS * 1_000_000_000 // sum(taken))
        self.halves.append(taken[COMMITS // 2] // 1_000)
        self.tails.append(taken[COMMITS * 99 // 100] // 1_000)
        self.worsts.append(taken[-1] // 1_000)

    def line(self) -> str:
        return (
            f"{self.name:<10}  {spread(self.rates)} records/s  p50 {spread(self.halves)} us"
            f"  p99 {spread(self.tails)} us  worst {spread(self.worsts)} us"
        )


def one_at_a_time(size: int) -> None:
    both = Figures("journal", journal_commits), Figures("plain file", plain_commits)
    for _ in range(ROUNDS):
        for figures in both:
            figures.take(size)
    ratios = [
        ours * 100 // plain for ours, plain in zip(both[0].halves, both[1].halves, strict=True)
    ]
    for figures in both:
        print(f"{size:>4} a commit  {figures.line()}")
    print(f"{size:>4} a commit  p50 journal / plain file, by round: {spread(ratios)} percent")


def beside_a_busy_loop(size: int) -> None:
    rows: list[tuple[int, ...]] = []
    for _ in range(ROUNDS):
        row: list[int] = []
        for appends in (False, True):
            with tempfile.TemporaryDirectory(dir=".") as place:
                row += busy_loop(Path(place), size, appends=appends)
        rows.append(tuple(row))
    alone, _, _, worst, half, tail = (list(column) for column in zip(*rows, strict=True))
    print(
        f"{size:>4} an append  worst step of the loop {spread(worst)} us (without a journal"
        f" {spread(alone)} us)  append to durable p50 {spread(half)} us p99 {spread(tail)} us"
    )


def main() -> None:
    print(f"median [min..max] of {ROUNDS} rounds of {COMMITS} commits, one at a time")
    for size in (1, 10, 100):
        one_at_a_time(size)
    for interval in (SWITCH_SECONDS, sys.getswitchinterval()):
        sys.setswitchinterval(interval)
        print(f"beside a busy loop at {BUSY_RATE:,} records/s, switch interval {interval:g} s")
        for size in (1, 10, 100):
            beside_a_busy_loop(size)


if __name__ == "__main__":
    main()
