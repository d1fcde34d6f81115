"""Small hand-made files in the formats of recorded tapes, and where the recorded ones are."""

import gzip
import os
from pathlib import Path
from zipfile import ZipFile

import pytest

from fuseboard.feeds.tapes.tape import Tape, TapeEvent, TapeQuote, TapeTrade

PROJECT = Path(__file__).parents[2]
DATA = Path(os.environ.get("FUSEBOARD_DATA") or PROJECT / "../shared/data").resolve()
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"no recorded market data at {DATA}")


def zipped(path: Path, members: dict[str, str]) -> Path:
    with ZipFile(path, "w") as folder:
        for name, text in members.items():
            folder.writestr(name, text)
    return path


def gzipped(path: Path, text: str) -> Path:
    path.write_bytes(gzip.compress(text.encode()))
    return path


def trades_in(tape: Tape) -> list[TapeTrade]:
    return [event for event in tape.read() if isinstance(event, TapeTrade)]


def quotes_in(tape: Tape) -> list[TapeQuote]:
    return [event for event in tape.read() if isinstance(event, TapeQuote)]


def first_of(tape: Tape, count: int) -> list[TapeEvent]:
    events = tape.read()
    return [next(events) for _ in range(count)]
