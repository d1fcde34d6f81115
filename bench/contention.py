"""Contention: the share of evaluations that waited behind other work before they were folded.

    python -m bench.contention

The shipped loop, intake, kernel and journal (SQLite, `synchronous=FULL`) in one process, with 100
symbols held and the limits of `bench/marks.py`; quotes and orders come spread evenly over each
second. An evaluation waited when its quote stood in the intake for more than 1 ms, whatever for:
other facts, the event loop's other work, a machine that is busy with something else.
"""

import asyncio
import gc
import tempfile
import time
from pathlib import Path

from bench.gate import request
from bench.marks import quote, ready
from fuseboard.journal.file import create_journal
from fuseboard.journal.recovery import recover
from fuseboard.journal.writer import JournalWriter
from fuseboard.runtime.clock import SystemClock
from fuseboard.runtime.intake import Intake
from fuseboard.runtime.loop import Loop
from fuseboard.runtime.meter import MeteredKernel
from fuseboard.runtime.watermark import Watermark
from fuseboard.vocabulary.effects import Effect
from fuseboard.vocabulary.inputs import Moment

HELD = 100
SECONDS = 8.0
LOADS = ((100, 10), (1_000, 100), (5_000, 500))
"""Quotes and orders a second."""


class Nowhere:
    """An outlet whose effects reach nobody."""

    def leave(self, effect: Effect, moment: Moment) -> None:
        pass

    def annihilate(self, order_id: str) -> None:
        pass

    def seal(self, detail: str, moment: Moment) -> None:
        raise SystemExit(detail)

    async def cancel_everything(self) -> None:
        pass


async def offer_all(intake: Intake, quotes_a_s: int, orders_a_s: int) -> None:
    began, quotes, orders = time.perf_counter(), 0, 0
    while (passed := time.perf_counter() - began) < SECONDS:
        while quotes < passed * quotes_a_s:
            assert intake.offer(quote(quotes, HELD))
            quotes += 1
            if orders < passed * orders_a_s:
                assert intake.offer(request(orders, HELD))
                orders += 1
        await asyncio.sleep(1 / quotes_a_s)


async def under_load(folder: Path, quotes_a_s: int, orders_a_s: int) -> None:
    path = folder / f"{quotes_a_s}.db"
    create_journal(path, "benchben", time.time_ns())
    watermark, intake = Watermark(0), Intake()
    journal = JournalWriter(
        path,
        last_sequence=0,
        last_chain=recover(path).last_chain,
        durable=watermark.durable,
        failed=watermark.failed,
        release="0",
    )
    meter = MeteredKernel(ready(HELD))
    loop = Loop(
        kernel=meter,
        clock=SystemClock(Moment(0, 0)),
        intake=intake,
        journal=journal,
        watermark=watermark,
        outlet=Nowhere(),
    )
    serving = asyncio.create_task(loop.run())
    await offer_all(intake, quotes_a_s, orders_a_s)
    loop.request_stop()
    await serving
    journal.close()
    seen = meter.measured(waited=intake.waited)
    print(
        f"{quotes_a_s:>8,} {orders_a_s:>8,} {seen.evaluations:>12,} {seen.waited:>8,}"
        f" {seen.waited / seen.evaluations:>8.3%}"
    )


def main() -> None:
    gc.collect()
    gc.freeze()
    print(f"{'quotes/s':>8} {'orders/s':>8} {'evaluations':>12} {'waited':>8} {'share':>8}")
    with tempfile.TemporaryDirectory(prefix="fuseboard-bench-") as folder:
        for quotes_a_s, orders_a_s in LOADS:
            asyncio.run(under_load(Path(folder), quotes_a_s, orders_a_s))


if __name__ == "__main__":
    main()
