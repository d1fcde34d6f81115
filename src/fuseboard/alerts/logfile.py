"""Alerts and the program's log as JSON lines in a file of bounded size.

A log is for people: nothing is read back from it, and it never delays the loop. `LogFile` is a
`Pager`, and its `attach` makes it the destination of the standard library's logging.
"""

import json
import logging
from contextlib import suppress
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path

from fuseboard.alerts.background import BackgroundLines
from fuseboard.halts.heartbeats import boot_ns

FILE_BYTES_MAX = 50 * 1024 * 1024
FILES_KEPT_MAX = 4
FIELD_CHARACTERS_MAX = 1_500


class LogFile:
    """A file of JSON lines: `time`, `level`, and either an alert or a log message."""

    def __init__(
        self,
        path: Path,
        *,
        lines_max: int = 10_000,
        bytes_max: int = FILE_BYTES_MAX,
        files_kept_max: int = FILES_KEPT_MAX,
    ) -> None:
        self._file = _RotatingLines(
            path, maxBytes=bytes_max, backupCount=files_kept_max, encoding="utf-8"
        )
        self.lines = BackgroundLines(self._file.write_line, name="log", lines_max=lines_max)
        self._logger: logging.Logger | None = None
        self._bridge = _Bridge(self)

    def page(self, severity: str, code: str, scope: str, text: str, *, age_ns: int = 0) -> None:
        """Log one alert."""
        fields = {"level": severity, "code": code, "scope": scope, "text": text}
        self._put(fields, event_ns=boot_ns() - age_ns)

    def attach(self, logger: logging.Logger, level: int = logging.INFO) -> None:
        """Log what `logger` and its children say, from `level` on, until `close`."""
        assert self._logger is None
        logger.addHandler(self._bridge)
        logger.setLevel(level)
        self._logger = logger

    def write_record(self, record: logging.LogRecord) -> None:
        """Log one record of the standard library's logging."""
        fields = {"level": record.levelname.lower(), "logger": record.name}
        fields["text"] = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            fields["error"] = f"{type(error).__name__}: {error}"
        self._put(fields)

    def close(self) -> None:
        """Write what is queued and close the file."""
        if self._logger is not None:
            self._logger.removeHandler(self._bridge)
            self._logger = None
        self.lines.close()
        with suppress(OSError):  # on a full disk what could not be written is tried once more
            self._file.close()

    def _put(self, fields: dict[str, str], *, event_ns: int | None = None) -> None:
        self.lines.put(
            _json_line(fields),
            event_ns=event_ns,
            missing_line=lambda count: _json_line(
                {"level": "warning", "text": f"{count} lines are missing here: the log lagged"}
            ),
        )


class _RotatingLines(RotatingFileHandler):
    """The standard library's rotation, fed with finished lines and letting its errors out."""

    def write_line(self, line: str) -> None:
        record = logging.makeLogRecord({"msg": line.rstrip("\n")})
        if self.shouldRollover(record):
            self.doRollover()
        stream = self.stream or self._open()
        stream.write(line)
        stream.flush()


class _Bridge(logging.Handler):
    """Hands log records to the file's queue."""

    def __init__(self, log_file: LogFile) -> None:
        super().__init__()
        self._log_file = log_file

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._log_file.write_record(record)
        except (TypeError, ValueError):  # its arguments do not fit its format
            self.handleError(record)


def _json_line(fields: dict[str, str]) -> str:
    cut = {name: text[:FIELD_CHARACTERS_MAX] for name, text in fields.items()}
    now = datetime.now(UTC).isoformat(timespec="microseconds")
    return json.dumps({"time": now, **cut}, ensure_ascii=False)
