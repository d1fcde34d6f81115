"""The command line in this process: exit code, standard output, standard error."""

import json
import os
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from fuseboard.cli import main


class Done(NamedTuple):
    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


class CommandLine:
    """Runs commands as a person types them; the state directory is the fixture's."""

    def __init__(self, capsys: pytest.CaptureFixture[str], folder: Path) -> None:
        self._capsys = capsys
        self.folder = folder
        self.state = folder / "state"

    def __call__(self, *words: str | Path) -> Done:
        self._capsys.readouterr()
        try:
            code = main([str(word) for word in words])
        except SystemExit as usage:  # argparse says what is wrong and exits
            code = int(str(usage.code or 0))
        out, err = self._capsys.readouterr()
        return Done(code, out, err)

    def on_state(self, *words: str | Path) -> Done:
        return self(*words, "--state", self.state)

    def refused(self, *words: str | Path) -> str:
        """The one sentence of a refusal; nothing else was said, and no traceback."""
        done = self(*words)
        assert done.code == 1, done
        assert done.out == "", done
        (line,) = done.err.splitlines()
        assert line.startswith(f"fuseboard {words[0]}: "), line
        return line


def without_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the tester's own environment chooses a broker or a state."""
    for name in list(os.environ):
        if name.startswith(("ALPACA_", "APCA_", "FUSEBOARD_STATE")):
            monkeypatch.delenv(name)
