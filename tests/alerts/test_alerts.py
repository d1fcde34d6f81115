import io
import json
import logging
import threading
from pathlib import Path

import pytest

from fuseboard.alerts.background import LINE_CHARACTERS_MAX, BackgroundLines
from fuseboard.alerts.console import ConsolePager
from fuseboard.alerts.delivery_times import IN_TIME_NS
from fuseboard.alerts.logfile import LogFile
from fuseboard.halts.heartbeats import boot_ns
from tests.e2e.processes import until


def _lines(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_an_alert_is_one_line_for_people_whatever_its_text() -> None:
    stream = io.StringIO()
    pager = ConsolePager(stream)
    pager.page("page", "drawdown", "account", "fell 5.10 %\n\x1b[2J → flat")
    pager.page("info", "operator", "account", "reset")
    pager.close()
    first, second = stream.getvalue().splitlines()
    assert first.endswith(" PAGE drawdown account: fell 5.10 %��[2J → flat")
    assert second.endswith(" INFO operator account: reset")


def test_a_stuck_terminal_never_blocks_and_the_gap_is_named_when_it_comes_back() -> None:
    is_stuck, goes_on = threading.Event(), threading.Event()
    written: list[str] = []

    def write(line: str) -> None:
        is_stuck.set()
        goes_on.wait(60)
        written.append(line)

    lines = BackgroundLines(write, name="test", lines_max=10)
    lines.put("line 0", missing_line=str)
    assert is_stuck.wait(60)
    for number in range(1, 100):  # would never end if it blocked
        lines.put(f"line {number}", missing_line=lambda count: f"{count} are missing")
    dropped = lines.dropped
    assert dropped == 89, "ten wait"
    goes_on.set()
    until(lambda: len(written) == 11, "what fitted is written")
    lines.put("last", missing_line=lambda count: f"{count} are missing")
    lines.close()
    assert written[-2:] == [f"{dropped} are missing\n", "last\n"]
    assert lines.dropped == dropped


def test_lines_are_cut_and_an_error_of_the_disk_costs_its_line_only() -> None:
    written: list[str] = []

    def write(line: str) -> None:
        if line == "bad\n":
            raise OSError(28, "no space left on device")
        written.append(line)

    lines = BackgroundLines(write, name="test")
    for line in ("a", "bad", "b" * 100_000):
        lines.put(line, missing_line=str)
    lines.close()
    lines.close()
    lines.put("after the end", missing_line=str)
    assert written == ["a\n", "b" * LINE_CHARACTERS_MAX + "\n"]
    assert lines.failed == 1


def test_alerts_and_log_messages_are_json_lines_in_order(tmp_path: Path) -> None:
    log_file = LogFile(tmp_path / "fuseboard.log")
    logger = logging.getLogger("test_alerts.fuseboard")
    logger.propagate = False
    log_file.attach(logger)
    log_file.page("page", "drawdown", "account", 'fell "5 %"\nfar')
    logger.getChild("wire").info("connected to %s", "broker")
    logger.debug("not this")
    try:
        int("what")
    except ValueError:
        logger.exception("failed")
    log_file.close()
    logger.warning("after close")
    alert, message, failure = _lines(tmp_path / "fuseboard.log")
    assert alert.pop("time") <= message.pop("time") <= failure.pop("time")
    assert alert == {
        "level": "page",
        "code": "drawdown",
        "scope": "account",
        "text": 'fell "5 %"\nfar',
    }
    assert message == {
        "level": "info",
        "logger": "test_alerts.fuseboard.wire",
        "text": "connected to broker",
    }
    assert failure["error"].startswith("ValueError: invalid literal")
    assert logger.handlers == []


def test_a_long_text_is_cut_and_the_line_stays_json(tmp_path: Path) -> None:
    log_file = LogFile(tmp_path / "fuseboard.log")
    log_file.page("page", "drawdown", "account", "\x00" * 100_000)
    log_file.close()
    (alert,) = _lines(tmp_path / "fuseboard.log")
    assert len(alert["text"]) == 1_500


def test_a_message_whose_arguments_do_not_fit_does_not_reach_the_caller(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log_file = LogFile(tmp_path / "fuseboard.log")
    logger = logging.getLogger("test_alerts.wrong")
    logger.propagate = False
    log_file.attach(logger)
    logger.info("%d", "no number")
    log_file.close()
    assert "Logging error" in capsys.readouterr().err
    assert (tmp_path / "fuseboard.log").read_text() == ""


def test_the_files_stay_within_their_bounds(tmp_path: Path) -> None:
    log_file = LogFile(tmp_path / "log", bytes_max=2_000, files_kept_max=2)
    for number in range(200):
        log_file.page("info", "operator", "account", f"alert {number}")
    log_file.close()
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["log", "log.1", "log.2"]
    assert all(0 < file.stat().st_size <= 2_100 for file in files)
    kept = [alert["text"] for file in reversed(files) for alert in _lines(file)]
    assert kept == [f"alert {number}" for number in range(200 - len(kept), 200)]


def test_a_log_on_a_full_disk_is_closed_without_a_word() -> None:
    log_file = LogFile(Path("/dev/full"))
    log_file.page("page", "node_fault", "account", "the disk is full")
    log_file.close()
    assert log_file.lines.failed == 1


def test_lines_of_alerts_count_how_long_after_their_events_they_were_written(
    tmp_path: Path,
) -> None:
    logger = logging.getLogger("test_alerts.timed")
    logger.propagate = False
    console, log_file = ConsolePager(io.StringIO()), LogFile(tmp_path / "log")
    log_file.attach(logger)
    assert (console.lines.says(), log_file.lines.says()) == ("", "")
    for pager in (console, log_file):
        pager.page("page", "guardian", "account", "told")
        pager.page("page", "guardian", "account", "late", age_ns=IN_TIME_NS)
    logger.info("no alert")
    for pager in (console, log_file):
        pager.close()
        assert (pager.lines.times.count, pager.lines.times.late) == (2, 1)
        assert pager.lines.oldest_ns() == 0
    assert console.lines.says().startswith("console: 2 written; slowest 5.0")
    assert log_file.lines.says().startswith("log: 2 written; slowest 5.0")


def test_a_line_that_is_stuck_or_found_no_room_is_not_taken() -> None:
    stuck, over = threading.Event(), threading.Event()

    def write(_line: str) -> None:
        stuck.set()
        over.wait(10)

    lines = BackgroundLines(write, name="stuck", lines_max=1)
    lines.put("first", missing_line=str, event_ns=boot_ns())
    assert stuck.wait(10)
    for text in ("second", "no room"):
        lines.put(text, missing_line=str, event_ns=boot_ns() - 60 * IN_TIME_NS)
    assert 0 < lines.oldest_ns() < IN_TIME_NS
    over.set()
    lines.close()
    assert (lines.oldest_ns(), lines.times.count, lines.times.late, lines.dropped) == (0, 2, 1, 1)
