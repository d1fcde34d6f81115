"""Alerts as lines on standard error, for the person in front of the terminal."""

import sys
from datetime import UTC, datetime
from functools import partial
from typing import TextIO

from fuseboard.alerts.background import BackgroundLines, write_through
from fuseboard.halts.heartbeats import boot_ns


class ConsolePager:
    """A `Pager` that prints `12:00:01 PAGE drawdown account: text`, one line per alert."""

    def __init__(self, stream: TextIO | None = None, *, lines_max: int = 1_000) -> None:
        self._stream = sys.stderr if stream is None else stream
        write = partial(write_through, self._stream)
        self.lines = BackgroundLines(write, name="console", lines_max=lines_max)

    def page(self, severity: str, code: str, scope: str, text: str, *, age_ns: int = 0) -> None:
        """Print one alert; what breaks a line or hides in a terminal is replaced."""
        parts = (_printable(part) for part in (code, scope, text))
        line = "{} {} {} {}: {}".format(_now(), severity.upper(), *parts)
        self.lines.put(
            line,
            missing_line=lambda count: f"{_now()} {count} alerts were not shown",
            event_ns=boot_ns() - age_ns,
        )

    def close(self) -> None:
        """Print what is queued and stop."""
        self.lines.close()


def _now() -> str:
    return datetime.now(UTC).strftime("%H:%M:%S")


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else "�" for each in text)
