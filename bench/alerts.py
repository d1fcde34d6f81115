"""How long from the market's event until somebody's webhook has the alert.

    python bench/alerts.py [STEPS]

Real processes: the simulated exchange, the gateway, a webhook. The exchange plays a market that
falls step by step (`tests/e2e/alerted.py`); the event is the moment at which its clock shows the
first quote that breaches a breaker, the end is the moment at which the whole request of the alert
is in the webhook. A page needs the second quote too, 100 ms later: one quote alone trips nothing.
The floor is a bare POST of the same size to the same webhook, in the same run.

The disk is made slow by a library that the gateway is started with: each `fsync` and `fdatasync`
takes so much longer. The guardian's figure runs from the line `missed` in its journal, its
decision, to its page; the gateway was stopped by a signal.
"""

import http.client
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

# Run as a file, as `make bench` does, only this folder is on the path.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fuseboard.alerts.outward import COMMAND_NAME, WEBHOOK_NAME
from fuseboard.halts.heartbeats import Heart, HeartbeatFile
from fuseboard.rescue.journal import read_lines
from tests.e2e.alerted import HOOK, Fall, Hook, Market, lines_of
from tests.e2e.processes import Bots, World, until, world

STEPS = 16
QUIET_S, GAP_S = 15, 2
ORDERS_A_SECOND = 1_000
SYNC_MS = 1_000
FAILS = 2
BARE_POSTS = 100
GUARDIAN_ROUNDS = 5
ALL = ("page", "warning", "info")
SLOW_SYNC = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>
static int slowly(const char *name, int descriptor) {
    int (*real)(int) = dlsym(RTLD_NEXT, name);
    usleep(1000 * atoi(getenv("SLOW_SYNC_MS")));
    return real(descriptor);
}
int fsync(int descriptor) { return slowly("fsync", descriptor); }
int fdatasync(int descriptor) { return slowly("fdatasync", descriptor); }
"""


@contextmanager
def fresh() -> Iterator[World]:
    with (
        tempfile.TemporaryDirectory(prefix="fuseboard-bench-") as name,
        world(Path(name), Bots(Path(name))) as here,
    ):
        yield here


def said(what: str, figures: list[float], wanted: int) -> None:
    lost = f"  {wanted - len(figures)} NOT TAKEN" if len(figures) != wanted else ""
    if not figures:
        print(f"{what:48} nothing came{lost}")
        return
    middle, low, high = (
        1e3 * at for at in (statistics.median(figures), min(figures), max(figures))
    )
    print(f"{what:48} {len(figures):3}  {middle:8.1f} ms [{low:.1f}..{high:.1f}]{lost}", flush=True)


def bare_posts(hook: Hook) -> list[float]:
    """The floor: a connection and a POST for each, as an alert has it, and nothing around it."""
    began = []
    for number in range(BARE_POSTS):
        alert = {"severity": "info", "code": "bare", "text": f"post {number}: {'x' * 150}"}
        began.append(time.monotonic_ns())
        door = http.client.HTTPConnection("127.0.0.1", hook.port, timeout=10)
        door.request("POST", "/alerts", json.dumps(alert), {"Content-Type": "application/json"})
        door.getresponse().read()
        door.close()
    ended = [line["at"] for line in hook.posts() if line["code"] == "bare"]
    return [(end - begin) / 1e9 for begin, end in zip(began, ended, strict=True)]


def falls(
    what: str,
    steps: int,
    *,
    fails: int = 0,
    hangs: tuple[str, ...] = (),
    rate: int = 0,
    first_s: bool = False,
    more: Callable[[World], dict[str, str]] = lambda _here: {},
) -> None:
    """One market that falls: the lags of its pages and of its lesser alerts."""
    with fresh() as here:
        hook = here.kept(Hook(here.folder, fails=fails, hangs=hangs))
        beside = here.folder / "command.log"
        named = {WEBHOOK_NAME: hook.url, **more(here)}
        market = Market(here, Fall(QUIET_S, steps, GAP_S), rate=rate, doors=named)
        wanted = [step for step in range(1, steps + 1) if not _hangs(step, hangs, named)]

        def lags() -> dict[int, float]:
            return market.lags_s([*hook.posts(), *lines_of(beside)])

        seconds = steps * GAP_S + 60
        until(lambda: all(step in lags() for step in wanted), f"{what}: all are taken", seconds)
        found = lags()
        if first_s:
            said(f"{what}: bare POST", bare_posts(hook), BARE_POSTS)
        for kind, is_page in (("pages", True), ("lesser", False)):
            mine = [step for step in wanted if (step % 2 == 0) == is_page]
            if mine:
                said(f"{what}: {kind}", [found[step] for step in mine], len(mine))
        if market.load is not None:
            first, *_, last = market.load.lines()
            taken = (last["taken"] - first.get("taken", 0)) / ((last["at"] - first["at"]) / 1e9)
            print(f"    orders taken a second: {taken:.0f}")
        print(f"    the gateway says: {market.gateway.status()['about']['alerts']}")


def _hangs(step: int, hangs: tuple[str, ...], named: dict[str, str]) -> bool:
    """Whether no door takes a step's alert."""
    return COMMAND_NAME not in named and ("page" if step % 2 == 0 else "warning") in hangs


def slow_disk(here: World) -> dict[str, str]:
    source, library = here.folder / "slow_sync.c", here.folder / "slow_sync.so"
    source.write_text(SLOW_SYNC)
    build = ["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"]
    subprocess.run(build, check=True)
    return {"LD_PRELOAD": str(library), "SLOW_SYNC_MS": str(SYNC_MS)}


def command_beside(here: World) -> dict[str, str]:
    return {COMMAND_NAME: f"{sys.executable} {HOOK} append {here.folder / 'command.log'}"}


def guardian_paged() -> tuple[float, float]:
    """Seconds from the guardian's decision, and from SIGSTOP, to its page in the webhook."""
    with fresh() as here:
        hook = here.kept(Hook(here.folder))
        market = Market(
            here, Fall(4 * QUIET_S, 1, GAP_S), "--guardian", doors={WEBHOOK_NAME: hook.url}
        )
        beats = HeartbeatFile(here.state / "heartbeats")
        until(lambda: (beat := beats.read(Heart.GUARDIAN)) and beat.iteration > 20, "it watches")
        beats.close()
        stopped_ns = time.time_ns()
        os.kill(market.gateway.process.pid, signal.SIGSTOP)

        def page() -> int:
            posts = [line for line in hook.posts() if "the guardian acts" in line["text"]]
            return posts[0]["wall"] if posts else 0

        paged_ns = until(page, "the guardian pages")
        lines = read_lines(here.state / "guardian.jsonl")
        decided_ns = next(line.wall_ns for line in lines if line.act == "missed")
        until(
            lambda: any(line.act == "done" for line in read_lines(here.state / "guardian.jsonl")),
            "it is done",
        )
    return (paged_ns - decided_ns) / 1e9, (paged_ns - stopped_ns) / 1e9


def main() -> None:
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else STEPS
    print("from the event to the webhook: how many, median [lowest..highest]")
    falls("idle", steps, first_s=True)
    falls(f"{ORDERS_A_SECOND:,} orders a second", steps, rate=ORDERS_A_SECOND)
    falls(f"each sync of the disk takes {SYNC_MS / 1000:g} s", steps, more=slow_disk)
    what = f"{ORDERS_A_SECOND:,} orders a second on that disk"
    falls(what, steps, rate=ORDERS_A_SECOND, more=slow_disk)
    falls(f"the webhook fails {FAILS} times first", steps, fails=FAILS)
    falls("lesser alerts hang in the webhook", steps, hangs=("warning", "info"))
    falls("the webhook hangs, a command is beside it", steps, hangs=ALL, more=command_beside)
    decided, stopped = zip(*(guardian_paged() for _ in range(GUARDIAN_ROUNDS)), strict=True)
    said("the guardian's page, from its decision", list(decided), GUARDIAN_ROUNDS)
    said("the guardian's page, from SIGSTOP", list(stopped), GUARDIAN_ROUNDS)


if __name__ == "__main__":
    main()
