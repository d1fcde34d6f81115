"""`fuseboard lab study`: the flash crash study, made again with one command."""

import argparse
import shlex
import sys
from pathlib import Path

from fuseboard.control.policy_file import loaded_policy
from fuseboard.control.saying import say
from fuseboard.control.state_directory import StateRefused
from fuseboard.lab.report.build import report
from fuseboard.lab.report.plotting import PlottingMissing
from fuseboard.lab.study.page import empty_page, filled, stale
from fuseboard.lab.study.rows import Study, read_study, trial_build
from fuseboard.lab.study.running import StudyAsked, drawn_files, run_study
from fuseboard.lab.study.tables import tables
from fuseboard.lab.study.tapes import LEFT_OUT, TAPES, StudyTape
from fuseboard.policy.policy import Policy, canonical_text, digest_of
from fuseboard.vocabulary.money import NANOS


def command_lab_study(options: argparse.Namespace) -> int:
    """Run what is not there yet and write tables and page; or only check them."""
    policy = loaded_policy(options.policy).policy
    page: Path = options.page or options.out / "tables.md"
    if options.check:
        return _check(read_study(options.out / "study.json"), policy, page)
    if options.out.exists() and not options.out.is_dir():
        raise StateRefused(f"{options.out} is a file: name a folder for the results")
    if options.page is not None and not page.is_file():
        raise StateRefused(f"there is no page {page} to write the tables into")
    line = _Line(shows=sys.stderr.isatty())
    study = run_study(
        StudyAsked(
            tapes=_chosen(options.tape), policy=policy, folder=options.out, jobs=options.jobs
        ),
        line,
    )
    line.end()
    drawn = tables(study)
    before = page.read_text() if options.page is not None else empty_page(drawn)
    page.write_text(filled(before, drawn))
    drawing = _draw(study, options)
    return _say(study, page, drawing, every=not options.tape, out=options.out)


def _draw(study: Study, options: argparse.Namespace) -> str:
    """The HTML page of the crash days; what was written, or why nothing was."""
    files = drawn_files(study, options.out)
    if not files:
        return "none: no tape that crashed was played"
    words = ["fuseboard", "lab", "study", "--policy", options.policy, "--out", options.out]
    try:
        made = report(files, command=shlex.join(map(str, words)))
    except PlottingMissing as missing:
        return f"none: {missing}"
    path: Path = options.out / "study.html"
    path.write_text(made.html)
    left = f"; {made.left_out} plots had no room" if made.left_out else ""
    return f"{path}: {made.results} trials of days that crashed, {made.plots} plots{left}"


def _chosen(names: list[str] | None) -> tuple[StudyTape, ...]:
    if not names:
        return TAPES
    known = {tape.name: tape for tape in TAPES}
    for name in names:
        if name not in known:
            raise StateRefused(f"{name!r} is no tape of the study: use {', '.join(known)}")
    return tuple(known[name] for name in dict.fromkeys(names))


class _Line:
    """One line of progress on a terminal; nothing anywhere else."""

    def __init__(self, *, shows: bool) -> None:
        self._shows = shows

    def __call__(self, text: str) -> None:
        if self._shows:
            sys.stderr.write(f"\r{text}\x1b[K")
            sys.stderr.flush()

    def end(self) -> None:
        """Take it away."""
        if self._shows:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def _check(study: Study, policy: Policy, page: Path) -> int:
    if not page.is_file():
        raise StateRefused(f"there is no page {page}: run `fuseboard lab study` without --check")
    found = [f"table {name} is not that of the results" for name in _stale(study, page)]
    if study.policy_digest != digest_of(canonical_text(policy)):
        found.append(f"the results are of another policy than {policy.name!r} now is")
    if study.build != trial_build():
        found.append(f"the results are of the build {study.build}, this is {trial_build()}")
    for text in found:
        say(f"STALE {text}")
    if found:
        say("run `fuseboard lab study` again, without --check")
        return 1
    say(f"{page}: {len(study.rows)} trials, every table fresh")
    return 0


def _stale(study: Study, page: Path) -> list[str]:
    return stale(page.read_text(), tables(study))


def _say(study: Study, page: Path, drawing: str, *, every: bool, out: Path) -> int:
    failures = [row for row in study.rows if row.error]
    for tape in study.tapes:
        if tape.absent:
            say(f"absent  {tape.name}: {tape.absent}")
    if every:
        for name, why in LEFT_OUT.items():
            say(f"not in  {name}: {why}")
    for row in failures:
        say(f"FAILED  {row.tape} {row.strategy}: {row.error}")
    seconds = study.wall_ns // NANOS
    say(
        f"{len(study.rows)} trials, {study.reused} of them there already, in"
        f" {seconds // 60} min {seconds % 60} s with {study.jobs} processes"
    )
    say(f"tables  {page}")
    say(f"results {out / 'study.json'}")
    say(f"report  {drawing}")
    return 1 if failures else 0
