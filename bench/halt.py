"""A halt under load, from the broker's side: what started after *accepted*, what arrived after
*settled*, and how long settling and cancelling take.

    python bench/halt.py [HALTS [RATE [SEED]]]
"""

import random
import statistics
import sys
import tempfile
from pathlib import Path

# Run as a file, as `make bench` does, only this folder is on the path.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.e2e.halt_proof import DOORS, Ground, Verdict, halted_once, judged
from tests.e2e.processes import Bots, world

DELAY_MS = 50
FLOW_S = 1.5
QUIET_S = 0.4


def under_load(folder: Path, halts: int, rate: int, seed: int) -> None:
    dice = random.Random(seed)
    with world(folder, Bots(folder)) as here:
        ground = Ground(here, delay_ms=DELAY_MS, rate=rate)
        doors = [DOORS[number % len(DOORS)] for number in range(halts)]
        dice.shuffle(doors)
        done = [halted_once(ground, door, dice, flow_s=FLOW_S, quiet_s=QUIET_S) for door in doors]
        counts = ground.load.lines()
        verdicts = judged(ground, done)
        ground.load.kill()
        assert ground.gateway.stop() == 0
        here.evidence_is_clean()
    said(verdicts)
    seconds = (counts[-1]["at"] - counts[0]["at"]) / 1e9
    shown = {key: round(value / seconds) for key, value in counts[-1].items() if key != "at"}
    print(f"load over the whole run of {seconds:.0f} s, a second: {shown}")


def said(verdicts: list[Verdict]) -> None:
    started = [late for each in verdicts for late in each.started_late]
    arrived = [(each.halt.door, name) for each in verdicts for name in each.arrived_late]
    print(f"halts {len(verdicts)}")
    print(f"starts after accepted:   {len(started)} {[f'{each / 1e3:.0f} us' for each in started]}")
    print(f"arrivals after settled:  {len(arrived)} {arrived}")
    for what, figures in (
        ("in flight at the halt", [each.in_flight for each in verdicts]),
        ("taken between the two", [each.arrived_between for each in verdicts]),
        ("in doubt at settled", [len(each.halt.in_doubt) for each in verdicts]),
        ("started in the last second", [each.started_a_second for each in verdicts]),
    ):
        print(f"{what:28} median {statistics.median(figures):.0f} [{min(figures)}..{max(figures)}]")
    for door in DOORS:
        mine = [each.halt for each in verdicts if each.halt.door == door]
        if mine:
            accepting = sorted((each.accepted_ns - each.asked_ns) / 1e6 for each in mine)
            settling = sorted((each.settled_ns - each.accepted_ns) / 1e6 for each in mine)
            print(
                f"{door:12} {len(mine):3}  asked to accepted, ms {spread(accepting)}"
                f"  accepted to settled, ms {spread(settling)}"
            )


def spread(figures: list[float]) -> str:
    p99 = figures[min(len(figures) - 1, len(figures) * 99 // 100)]
    return f"p50 {statistics.median(figures):.0f} p99 {p99:.0f} max {figures[-1]:.0f}"


def main() -> None:
    asked = sys.argv[1:]
    halts, rate, seed = map(int, [*asked, *("100", "1000", "1")[len(asked) :]])
    with tempfile.TemporaryDirectory(prefix="fuseboard-bench-") as name:
        under_load(Path(name), halts, rate, seed)


if __name__ == "__main__":
    main()
