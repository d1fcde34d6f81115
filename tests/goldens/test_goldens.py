"""Every golden says what the kernel does now. FUSEBOARD_WRITE_GOLDENS=1 writes them again."""

import os
from pathlib import Path

import pytest

from tests.goldens.words import played

GOLDENS = sorted(Path(__file__).resolve().parent.glob("*.txt"))


def test_there_are_goldens() -> None:
    assert len(GOLDENS) >= 9


@pytest.mark.parametrize("path", GOLDENS, ids=lambda path: path.stem)
def test_the_golden_says_what_happens(path: Path) -> None:
    written = path.read_text()
    now = played(written)
    if os.environ.get("FUSEBOARD_WRITE_GOLDENS"):
        path.write_text(now)
        return
    assert now == written
