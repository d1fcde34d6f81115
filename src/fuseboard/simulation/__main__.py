"""`python -m fuseboard.simulation`: run one seed as a test did, or many; the exit code is 1 when a
law did not hold.
"""

import argparse
import sys
import time
from collections.abc import Sequence

from fuseboard.simulation.memory import Broken
from fuseboard.simulation.run import Report, run_seed


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line says; 0 when every law held."""
    parser = argparse.ArgumentParser(prog="python -m fuseboard.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="the (first) seed")
    parser.add_argument("--seeds", type=int, default=1, help="how many, from there on")
    parser.add_argument(
        "--crash",
        type=int,
        default=None,
        help="die at this door only; 0: at none; else by the seed",
    )
    parser.add_argument("--stranger", action="store_true", help="somebody trades by hand, too")
    options = parser.parse_args(arguments)
    began = time.monotonic()
    failed = 0
    for seed in range(options.seed, options.seed + options.seeds):
        try:
            report = run_seed(seed, crash=options.crash, stranger=options.stranger)
        except Broken as broken:
            failed += 1
            _say(f"seed {seed}: {broken}")
            continue
        failed += bool(report.broken)
        if report.broken or options.seeds == 1:
            _say(_told(report))
    _say(f"{options.seeds} seeds in {time.monotonic() - began:.1f} s, {failed} broke a law")
    return 1 if failed else 0


def _told(report: Report) -> str:
    head = (
        f"seed {report.seed}: {report.doors} doors, {report.records} records,"
        f" {report.starts} starts, {report.faults} faults, {report.accepted} orders at the broker"
    )
    lines = [head]
    lines += [f"  crash at door {door}: {name}" for door, name in report.crashes]
    return "\n".join([*lines, *(f"  {text}" for text in report.broken)])


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main())
