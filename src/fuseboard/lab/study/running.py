"""Runs the study: tapes are judged, then each trial is played, in processes of their own.

A trial whose row is in the folder with the same key is not played again.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from fuseboard.feeds.tapes.by_name import tape_by_name
from fuseboard.feeds.tapes.tape import Tape, TapeUnreadable
from fuseboard.lab.result import encoded
from fuseboard.lab.stage import TrialImpossible
from fuseboard.lab.study.detection import Watching
from fuseboard.lab.study.deterioration import TapeJudged, judged
from fuseboard.lab.study.rows import (
    Study,
    StudyRow,
    TapeRow,
    asked_of_tape,
    key_of,
    read_row,
    stem_of,
    trial_build,
)
from fuseboard.lab.study.tapes import Kind, StudyTape
from fuseboard.lab.sweep import JOBS_MAX, STOPS, TrialAsked, options_of
from fuseboard.lab.terms import TrialTerms
from fuseboard.lab.trial import run_trial
from fuseboard.policy.policy import Policy, canonical_text, digest_of

Told = Callable[[str], None]
_Done = TypeVar("_Done")


class StudyAsked(Struct, frozen=True, kw_only=True):
    """What is studied, and where its files go."""

    tapes: tuple[StudyTape, ...]
    policy: Policy
    folder: Path
    jobs: int = 1
    terms: TrialTerms = TrialTerms()


class _Trial(Struct, frozen=True, kw_only=True):
    asked: TrialAsked
    tape: TapeJudged
    key: str
    folder: str


def run_study(asked: StudyAsked, told: Told) -> Study:
    """All of it; `told` hears of each step in a few words. Writes `trials/` and `study.json`.

    Raises `TrialImpossible` for a number of jobs that cannot be.
    """
    if not 1 <= asked.jobs <= JOBS_MAX:
        raise TrialImpossible(f"from 1 to {JOBS_MAX} jobs run beside each other")
    began_ns = time.monotonic_ns()
    (asked.folder / "trials").mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(asked.jobs, mp_context=get_context("spawn")) as pool:
        looked = {at: pool.submit(_judge, at.name, asked.terms.seed) for at in asked.tapes}
        tapes = [_tape_row(at, _said(future, told)) for at, future in looked.items()]
        trials = _trials(asked, tapes)
        rows = {at: row for at, each in enumerate(trials) if (row := _known(each)) is not None}
        reused = len(rows)
        waiting = {pool.submit(_play, each): at for at, each in enumerate(trials) if at not in rows}
        for future in as_completed(waiting):
            at = waiting[future]
            rows[at] = _row_of(future, trials[at])
            told(f"{len(rows)} of {len(trials)} trials: {rows[at].tape} {rows[at].strategy}")
    text = canonical_text(asked.policy)
    study = Study(
        policy=asked.policy.name,
        policy_digest=digest_of(text),
        build=trial_build(),
        equity_nanos=asked.terms.equity_nanos,
        seed=asked.terms.seed,
        tapes=tuple(tapes),
        rows=tuple(rows[at] for at in range(len(trials))),
        wall_ns=time.monotonic_ns() - began_ns,
        reused=reused,
        jobs=asked.jobs,
    )
    (asked.folder / "study.json").write_bytes(msgspec.json.encode(study))
    return study


def drawn_files(study: Study, folder: Path) -> list[Path]:
    """The files of the results that are drawn, in the study's order: of the days that crashed."""
    crashed = [tape.name for tape in study.tapes if tape.kind is Kind.CRASH]
    return [
        folder / "trials" / f"{stem_of(row)}.json"
        for row in study.rows
        if row.figures is not None and row.tape in crashed and not row.left_takes
    ]


def _said(future: "Future[_Done]", told: Told) -> _Done:
    done = future.result()
    told("tapes are looked at")
    return done


@lru_cache(maxsize=1)
def _tape(name: str, seed: int) -> Tape:
    """The last one is kept: a process plays the trials of one tape after each other."""
    return tape_by_name(name, seed)


def _judge(name: str, seed: int) -> TapeJudged | str:
    """A tape by the rule, or why it cannot be read."""
    try:
        return judged(_tape(name, seed), name)
    except TapeUnreadable as absent:
        return str(absent)


def _tape_row(tape: StudyTape, looked: TapeJudged | str) -> TapeRow:
    return TapeRow(
        name=tape.name,
        kind=tape.kind,
        grain=tape.grain,
        recorded=tape.recorded,
        note=tape.note,
        alone=tape.alone,
        judged=looked if isinstance(looked, TapeJudged) else None,
        absent=looked if isinstance(looked, str) else "",
    )


def _trials(asked: StudyAsked, tapes: Sequence[TapeRow]) -> list[_Trial]:
    text = canonical_text(asked.policy)
    return [
        _Trial(
            asked=each, tape=at.judged, key=key_of(each, at.judged.digest), folder=str(asked.folder)
        )
        for tape, at in zip(asked.tapes, tapes, strict=True)
        if at.judged is not None
        for each in asked_of_tape(tape, text, asked.terms)
    ]


def _known(trial: _Trial) -> StudyRow | None:
    stem = Path(trial.folder, "trials", stem_of(trial.asked))
    if not stem.with_name(f"{stem.name}.json").is_file():
        return None
    return read_row(stem.with_name(f"{stem.name}.row.json"), trial.key)


def _play(trial: _Trial) -> StudyRow:
    """One trial here; its result and its row are files when it returns."""
    asked = trial.asked
    options = options_of(asked)
    watching = Watching(trial.tape, options.policy.liquidity)
    try:
        result = run_trial(_tape(asked.tape, asked.terms.seed), options, keep=watching.keep)
    except STOPS as failure:
        return _failed(trial, f"{type(failure).__name__}: {failure}")
    row = StudyRow(
        tape=asked.tape,
        strategy=asked.strategy,
        protected=asked.protected,
        left_takes=asked.left_takes,
        equity_nanos=asked.equity_nanos,
        key=trial.key,
        figures=result.figures,
        detection=watching.detection() if asked.protected else None,
        digest=result.digest,
        took=result.took,
    )
    place, stem = Path(trial.folder, "trials"), stem_of(asked)
    (place / f"{stem}.json").write_bytes(encoded(result))
    (place / f"{stem}.row.json").write_bytes(msgspec.json.encode(row))
    return row


def _row_of(future: "Future[StudyRow]", trial: _Trial) -> StudyRow:
    failure = future.exception()
    if failure is None:
        return future.result()
    return _failed(trial, f"{type(failure).__name__}: {failure}")


def _failed(trial: _Trial, why: str) -> StudyRow:
    asked = trial.asked
    return StudyRow(
        tape=asked.tape,
        strategy=asked.strategy,
        protected=asked.protected,
        left_takes=asked.left_takes,
        equity_nanos=asked.equity_nanos,
        key=trial.key,
        error=why,
    )
