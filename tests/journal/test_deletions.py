"""Delete what makes "durable" true in the journal, and a test that pins it fails."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fuseboard.journal import file as journal_file
from fuseboard.journal.writer import JournalWriter
from tests.deletion import assert_pinned
from tests.journal import test_writer as writer

Row = tuple[Callable[..., Any], str, str, Callable[[Path], object]]
INSERT = 'self._database.execute(\n        "INSERT INTO commits'
ROWS: tuple[Row, ...] = (
    (
        JournalWriter._commit_from,
        INSERT,
        f"self._durable(last.last_sequence)\n    {INSERT}",
        writer.test_an_acknowledged_record_is_in_the_file_when_the_callback_runs,
    ),
    (
        journal_file._become_durable,
        "PRAGMA synchronous=FULL",
        "PRAGMA synchronous=NORMAL",
        writer.test_every_commit_waits_for_the_disk,
    ),
    (
        journal_file._become_durable,
        "PRAGMA journal_mode=WAL",
        "PRAGMA journal_mode=MEMORY",
        writer.test_every_commit_waits_for_the_disk,
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0].__qualname__}: {row[1]}")
def test_without_this_line_the_test_that_pins_it_fails(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, row: Row
) -> None:
    function, text, instead, test = row
    folders = iter((tmp_path / "whole", tmp_path / "cut"))

    def in_a_new_folder() -> None:
        folder = next(folders)
        folder.mkdir()
        test(folder)

    assert_pinned(monkeypatch, function, text, instead, in_a_new_folder)
