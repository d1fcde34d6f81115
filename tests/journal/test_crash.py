"""What was acknowledged is there after kill -9, a full disk, a broken descriptor."""

import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fuseboard.journal.file import create_journal
from fuseboard.journal.reader import lines
from fuseboard.journal.recovery import recover
from fuseboard.journal.verification import verify
from fuseboard.journal.writer import JournalFailed, JournalWriter
from tests.journal.making import INSTANCE, lines_between, record, records_between, writing, written

ROOT = Path(__file__).resolve().parents[2]


def appending(path: Path, *fault: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.journal.append_forever", str(path), *fault]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)


def good_up_to(path: Path) -> int:
    """The last sequence, once everything up to it is what was appended."""
    verdict = verify(path)
    assert verdict.ok, verdict
    assert list(lines(path)) == lines_between(1, verdict.records)
    recovered = recover(path)
    start = 0 if recovered.snapshot is None else recovered.snapshot.sequence
    assert list(recovered.tail) == records_between(start + 1, verdict.records)
    return verdict.records


def append_until_refused(writer: JournalWriter) -> int:
    """Go on from record 10 until the writer refuses; returns the last one taken."""
    for last in range(10, 10_000, 10):
        try:
            writer.append(records_between(last + 1, last + 10))
        except JournalFailed:
            return last
        time.sleep(0.0005)
    pytest.fail("the disk never failed")


def test_everything_acknowledged_is_there_after_kill_9_at_any_moment(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    create_journal(path, INSTANCE, 1)
    dice = random.Random(20)
    acknowledged = 0
    for _ in range(20):
        process = appending(path, "none")
        assert process.stdout is not None
        first = process.stdout.readline()
        time.sleep(dice.random() * 0.08)
        process.send_signal(signal.SIGKILL)
        said = first + process.stdout.read()
        process.stdout.close()
        assert process.wait() == -signal.SIGKILL
        whole = [line.split() for line in said.decode().splitlines(keepends=True) if "\n" in line]
        assert whole, "it must have got to work before it was killed"
        assert {words[0] for words in whole} == {"durable"}
        assert int(whole[-1][1]) > acknowledged
        acknowledged = int(whole[-1][1])
        assert good_up_to(path) >= acknowledged


@pytest.mark.parametrize("fault", [("full", "400000"), ("broken",)])
def test_a_disk_that_fails_is_reported_once_and_nothing_is_acknowledged_after(
    tmp_path: Path, fault: tuple[str, ...]
) -> None:
    path = tmp_path / "journal.db"
    create_journal(path, INSTANCE, 1)
    process = appending(path, *fault)
    said, _ = process.communicate(timeout=60)
    words = [line.split() for line in said.decode().splitlines()]
    failed_at = [word for word, *_ in words].index("failed")
    acknowledged = [int(rest[0]) for word, *rest in words[:failed_at]]
    assert len(acknowledged) >= 10, "it failed before it worked"
    assert acknowledged == sorted(set(acknowledged))
    assert words[failed_at] == ["failed", "OperationalError"]
    assert words[failed_at + 1 :] == [["refused"]] * 3 + [["ended"]]
    assert good_up_to(path) >= acknowledged[-1]
    last = written(path, [3])
    assert good_up_to(path) == last


def test_a_database_that_may_not_grow_fails_once_and_recovers_to_the_durable_prefix(
    tmp_path: Path,
) -> None:
    path = tmp_path / "journal.db"
    with writing(path) as (writer, watermark):
        writer.append(records_between(1, 10))
        watermark.wait_for(10)
        pages = writer._database.execute("PRAGMA page_count").fetchone()[0]
        writer._database.execute(f"PRAGMA max_page_count = {pages + 3}")
        last = append_until_refused(writer)
        watermark.wait_for_failure()
        writer._database.execute("PRAGMA max_page_count = 1000000")
        with pytest.raises(JournalFailed):
            writer.append([record(last + 1)])
        with pytest.raises(JournalFailed):
            writer.snapshot(last, b"", "")
        writer.close()
        assert len(watermark.failures) == 1
        assert isinstance(watermark.failures[0], sqlite3.OperationalError)
    assert good_up_to(path) == watermark.sequence


def test_a_snapshot_that_cannot_be_stored_stops_the_journal_too(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with writing(path) as (writer, watermark):
        writer.append(records_between(1, 10))
        watermark.wait_for(10)
        pages = writer._database.execute("PRAGMA page_count").fetchone()[0]
        writer._database.execute(f"PRAGMA max_page_count = {pages + 1}")
        writer.snapshot(10, bytes(100_000), "too big")
        watermark.wait_for_failure()
        with pytest.raises(JournalFailed):
            writer.append([record(11)])
    assert good_up_to(path) == 10
    assert len(watermark.failures) == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_callback_that_breaks_stops_the_journal_and_is_said(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"

    def broken(_: int) -> None:
        raise RuntimeError("the loop is closed")

    with writing(path) as (writer, watermark):
        writer._durable = broken
        writer.append([record(1)])
        watermark.wait_for_failure()
        with pytest.raises(JournalFailed):
            writer.append([record(2)])
    assert len(watermark.failures) == 1
    assert good_up_to(path) == 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of one mebibyte, where one may mount."""
    place = tmp_path / "small"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("mounting a small file system needs root")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_on_a_really_full_disk_the_durable_prefix_is_kept_and_room_lets_it_go_on(
    small_disk: Path,
) -> None:
    path = small_disk / "journal.db"
    with writing(path) as (writer, watermark):
        writer.append(records_between(1, 10))
        watermark.wait_for(10)
        filler = small_disk / "filler"
        with contextlib.suppress(OSError), tempfile.TemporaryFile(dir=small_disk) as room:
            room.write(bytes(65_536))
            room.flush()
            with filler.open("wb", buffering=0) as file:
                while file.write(bytes(4096)):
                    pass
        append_until_refused(writer)
        watermark.wait_for_failure()
        assert len(watermark.failures) == 1
    filler.unlink()
    assert good_up_to(path) >= watermark.sequence >= 10
    last = written(path, [5])
    assert good_up_to(path) == last
