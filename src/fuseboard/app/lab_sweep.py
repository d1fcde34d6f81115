"""`fuseboard lab sweep`: many trials at once, a table at the end."""

import argparse
import sys
from pathlib import Path
from typing import Final

import msgspec

from fuseboard.app.lab_terms import trial_terms
from fuseboard.app.policy_variants import variants_of
from fuseboard.control.render import table
from fuseboard.control.saying import say, say_json
from fuseboard.control.state_directory import StateRefused
from fuseboard.feeds.tapes.by_name import tape_by_name
from fuseboard.lab.sweep import SweepOptions, TrialRow, asked_of, run_sweep
from fuseboard.vocabulary.money import shown_percent

HEAD: Final = (
    "tape",
    "strategy",
    "policy",
    "kept",
    "drawdown",
    "trips",
    "allowed",
    "cut",
    "denied",
)
NUMBERS: Final = (3, 4, 5, 6, 7, 8)


def command_lab_sweep(options: argparse.Namespace) -> int:
    """Run the trials; 1 when one of them failed."""
    if options.out is not None:
        refuse_out(options.out)
    for name in options.tape:
        tape_by_name(name, options.seed)  # refused before anything is run
    asked = asked_of(
        SweepOptions(
            tapes=tuple(dict.fromkeys(options.tape)),
            strategies=tuple(dict.fromkeys(options.strategy)),
            variants=variants_of(options.policy, options.set),
            unprotected=options.unprotected,
            terms=trial_terms(options),
        )
    )

    def done(count: int, row: TrialRow) -> None:
        if sys.stderr.isatty():
            ended = "\n" if count == len(asked) else ""
            sys.stderr.write(
                f"\r{count} of {len(asked)} trials: {row.tape} {row.strategy}\x1b[K{ended}"
            )
            sys.stderr.flush()

    rows = run_sweep(asked, jobs=options.jobs, done=done)
    if options.out is not None:
        options.out.write_bytes(msgspec.json.encode(rows))
    if options.json:
        say_json(rows)
    else:
        _say(rows)
    return 1 if any(row.error for row in rows) else 0


def refuse_out(path: Path) -> None:
    """Refuse a file that could not be written in the end, before anything is run."""
    if not path.parent.is_dir():
        raise StateRefused(f"there is no folder {path.parent} for the result")
    if path.is_dir():
        raise StateRefused(f"{path} is a folder: name a file for the result")


def _say(rows: list[TrialRow]) -> None:
    failures = [row for row in rows if row.error]
    say(table(HEAD, [_cells(row) for row in rows], NUMBERS))
    for row in failures:
        say(f"FAILED {row.tape} {row.strategy} {_policy(row)}: {row.error}")
    if failures:
        say(f"{len(failures)} of {len(rows)} trials failed")


def _cells(row: TrialRow) -> tuple[str, ...]:
    figures = row.figures
    if figures is None:
        return (row.tape, row.strategy, _policy(row), "failed", "", "", "", "", "")
    return (
        row.tape,
        row.strategy,
        _policy(row),
        shown_percent(figures.capital_kept_nanos),
        shown_percent(figures.worst_drawdown_nanos),
        f"{figures.trips:,}",
        f"{figures.orders.allowed:,}",
        f"{figures.orders.resized:,}",
        f"{figures.orders.denied + figures.orders.rejected:,}",
    )


def _policy(row: TrialRow) -> str:
    if not row.protected:
        return "no gate"
    return (
        ", ".join(f"{key.rpartition('.')[2]} {value}" for key, value in row.values.items())
        or "as it is"
    )
