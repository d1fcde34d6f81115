"""The command line, in an empty folder, with nothing of the tester's own environment."""

from pathlib import Path

import pytest

from tests.app.command_line import CommandLine, without_variables


@pytest.fixture
def fuseboard(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> CommandLine:
    monkeypatch.chdir(tmp_path)
    without_variables(monkeypatch)
    return CommandLine(capsys, tmp_path)
