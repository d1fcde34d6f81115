"""What the study keeps of a trial, and how it knows that a trial need not be run again."""

import hashlib
import re
from functools import cache
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct, structs

import fuseboard
from fuseboard.lab.result import Figures, Took
from fuseboard.lab.strategies.by_name import NAMES, strategy_by_name
from fuseboard.lab.study.detection import Detection
from fuseboard.lab.study.deterioration import TapeJudged
from fuseboard.lab.study.tapes import Grain, Kind, StudyTape
from fuseboard.lab.sweep import TrialAsked
from fuseboard.lab.terms import TrialTerms
from fuseboard.runtime.build import named
from fuseboard.vocabulary.money import NANOS

FORMAT: Final = 1
LARGER: Final = 4
"""On calm tapes that tell a spread two strategies play with so many times the cash as well: with
the study's own their orders are smaller than what CAUTIOUS lets through."""
LARGER_PLAYED: Final = ("hold", "dip-buyer")
_NO_SPREAD: Final = (Grain.BARS, Grain.DAILY, Grain.BANDS)
_ROOMS: Final = ("core", "exchange", "feeds", "lab", "policy", "runtime", "vocabulary")
_SHOWS_ONLY: Final = ("lab/demo", "lab/live", "lab/report", "lab/study", "lab/summary", "lab/sweep")
_JUDGES: Final = ("lab/study/detection.py", "lab/study/deterioration.py")


class StudyRow(Struct, frozen=True, kw_only=True):
    """One trial of the study: `error` says why there are no figures."""

    tape: str
    strategy: str
    protected: bool
    left_takes: bool
    equity_nanos: int
    """Cash at the beginning: the study's own, or `LARGER` times that."""
    key: str
    """Of everything that the trial depends on."""
    error: str = ""
    figures: Figures | None = None
    detection: Detection | None = None
    digest: str = ""
    """Of its result."""
    took: Took = Took()


class TapeRow(Struct, frozen=True, kw_only=True):
    """One tape of the study; `absent` says why it is not there."""

    name: str
    kind: Kind
    grain: Grain
    recorded: bool
    note: str = ""
    alone: bool = False
    judged: TapeJudged | None = None
    absent: str = ""


class Study(Struct, frozen=True, kw_only=True):
    """The whole study: the file `study.json`."""

    policy: str
    policy_digest: str
    build: str
    equity_nanos: int
    seed: int
    tapes: tuple[TapeRow, ...]
    rows: tuple[StudyRow, ...]
    wall_ns: int
    """Of the run that wrote it; trials that were there already took none of it."""
    reused: int
    jobs: int
    format: int = FORMAT


class StudyUnreadable(ValueError):
    """The file is no study; the message says what to do."""


@cache
def trial_build() -> str:
    """The version and a digest of all code that a trial's figures can come from."""
    place = Path(fuseboard.__file__).parent
    sources = sorted(
        path
        for room in _ROOMS
        for path in (place / room).rglob("*.py")
        if not (name := path.relative_to(place).as_posix()).startswith(_SHOWS_ONLY)
        or name in _JUDGES
    )
    return named(place, sources)


def key_of(asked: TrialAsked, tape_digest: str) -> str:
    """Hex SHA-256 of the options, the strategy's parameters, the tape's events and the code."""
    parameters = strategy_by_name(asked.strategy).parameters
    whole = msgspec.json.encode((asked, parameters, tape_digest, trial_build()))
    return hashlib.sha256(whole).hexdigest()


def asked_of_tape(tape: StudyTape, policy_text: str, terms: TrialTerms) -> list[TrialAsked]:
    """The eight trials of a tape, and some with the gate alone.

    Of a crash those in which the rest takes: not of bars, which nobody rests in. Without the gate
    three of the strategies take with market orders, whose rest always takes. Of a calm tape that
    tells a spread, those with more cash.
    """

    def trial(strategy: str, its: TrialTerms, *, protected: bool = True) -> TrialAsked:
        return TrialAsked(
            tape=tape.name,
            strategy=strategy,
            values={},
            policy_text=policy_text,
            protected=protected,
            terms=its,
        )

    asked = []
    larger = structs.replace(terms, equity_nanos=LARGER * terms.equity_nanos)
    tells_spread = tape.recorded and tape.grain not in _NO_SPREAD
    for strategy in NAMES:
        asked += [trial(strategy, terms, protected=False), trial(strategy, terms)]
        if tape.kind is Kind.CRASH and tape.grain is not Grain.BARS:
            asked.append(trial(strategy, structs.replace(terms, left_takes=True)))
        if tape.kind is Kind.CALM and tells_spread and strategy in LARGER_PLAYED:
            asked.append(trial(strategy, larger))
    return asked


def stem_of(trial: TrialAsked | StudyRow) -> str:
    """How the files of a trial are named: letters, digits, dots and dashes."""
    plain = re.sub(r"[^A-Za-z0-9-]", ".", trial.tape)
    way = "gate" if trial.protected else "bare"
    takes = ".takes" if trial.left_takes else ""
    own = TrialTerms().equity_nanos
    cash = "" if trial.equity_nanos == own else f".{trial.equity_nanos // NANOS}"
    return f"{plain}.{trial.strategy}.{way}{takes}{cash}"


def results_digest(study: Study) -> str:
    """Hex SHA-256 of the digests of all results, in the study's order."""
    return hashlib.sha256("\n".join(row.digest for row in study.rows).encode()).hexdigest()


def read_row(path: Path, key: str) -> StudyRow | None:
    """The row that a file has, if it is of the same trial and has figures."""
    try:
        row = msgspec.json.decode(path.read_bytes(), type=StudyRow)
    except (OSError, msgspec.MsgspecError):
        return None
    return row if row.key == key and row.figures is not None else None


def read_study(path: Path) -> Study:
    """The study in a file. Raises `StudyUnreadable`."""
    again = "run `fuseboard lab study` without --check first"
    try:
        study = msgspec.json.decode(path.read_bytes(), type=Study)
    except OSError as error:
        raise StudyUnreadable(f"{path} cannot be read: {error.strerror}: {again}") from error
    except msgspec.MsgspecError as error:
        raise StudyUnreadable(f"{path} is no study: {error}: {again}") from error
    if study.format != FORMAT:
        raise StudyUnreadable(f"{path} has the format {study.format}, not {FORMAT}: {again}")
    return study
