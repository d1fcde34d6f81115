import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuseboard.journal.file import (
    JournalAbsent,
    JournalDamaged,
    JournalExists,
    JournalLocked,
    create_journal,
    open_for_writing,
    read_head,
)
from fuseboard.journal.reader import anchor, lines, records
from fuseboard.journal.recovery import recover
from fuseboard.journal.verification import verify
from fuseboard.journal.writer import JournalFailed, JournalFull, JournalWriter
from tests.journal.making import (
    INSTANCE,
    Watermark,
    lines_between,
    record,
    records_between,
    state_at,
    writing,
    written,
)


def test_what_is_appended_is_read_back_byte_for_byte(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    last = written(path, [1, 4, 9, 2])
    assert list(lines(path)) == lines_between(1, last)
    assert list(records(path, 5)) == records_between(5, last)
    assert list(records(path, 6, 12)) == records_between(6, 12)
    assert list(records(path, last + 1)) == []
    assert verify(path).ok
    assert verify(path).records == last


@settings(max_examples=15)
@given(
    sizes=st.lists(st.integers(1, 7), min_size=1, max_size=12),
    commit_records_max=st.integers(1, 9),
    reopen_at=st.integers(0, 12),
    start=st.integers(1, 90),
)
def test_any_grouping_and_any_restart_give_the_same_lines_and_the_same_chain(
    tmp_path_factory: pytest.TempPathFactory,
    sizes: list[int],
    commit_records_max: int,
    reopen_at: int,
    start: int,
) -> None:
    path = tmp_path_factory.mktemp("journal") / "journal.db"
    last = 0
    for part in (sizes[:reopen_at], sizes[reopen_at:]):
        with writing(path, commit_records_max=commit_records_max) as (writer, _):
            for size in part:
                writer.append(records_between(last + 1, last + size))
                last += size
    together = path.with_name("together.db")
    written(together, [last])
    assert anchor(path) == anchor(together)
    assert list(lines(path, start)) == lines_between(start, last)
    assert verify(path).ok


def test_waiting_batches_are_committed_together_and_acknowledged_in_order(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with writing(path) as (writer, watermark):
        hold, release = threading.Event(), threading.Event()

        def holding(_: int) -> None:
            hold.set()
            assert release.wait(30)

        taken, writer._durable = writer._durable, holding
        writer.append([record(1)])
        assert hold.wait(30)
        for sequence in range(2, 102):
            writer.append([record(sequence)])
        writer._durable = taken
        release.set()
        watermark.wait_for(101)
        assert watermark.commits == [101]


def test_an_acknowledged_record_is_in_the_file_when_the_callback_runs(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    create_journal(path, INSTANCE, 1)
    recovered = recover(path)
    seen: list[tuple[int, int]] = []

    def durable(sequence: int) -> None:
        seen.append((sequence, anchor(path)[0]))

    writer = JournalWriter(
        path,
        last_sequence=0,
        last_chain=recovered.last_chain,
        durable=durable,
        failed=lambda error: pytest.fail(str(error)),
    )
    for sequence in range(1, 21):
        writer.append([record(sequence)])
        time.sleep(0.001)
    writer.close()
    assert seen[-1][0] == 20
    assert all(acknowledged <= present for acknowledged, present in seen)


def test_every_commit_waits_for_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with writing(path) as (writer, _):
        settings_of = writer._database.execute
        assert settings_of("PRAGMA synchronous").fetchone() == (2,)
        assert settings_of("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_full_queue_refuses_the_whole_call_and_takes_it_later(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with writing(path, queue_records_max=10) as (writer, watermark):
        with pytest.raises(JournalFull):
            writer.append(records_between(1, 11))
        writer.append(records_between(1, 10))
        watermark.wait_for(10)
        writer.append(records_between(11, 20))
        watermark.wait_for(20)
    assert list(lines(path)) == lines_between(1, 20)


def test_a_gap_a_repeat_or_time_going_back_is_refused_before_anything_is_taken(
    tmp_path: Path,
) -> None:
    path = tmp_path / "journal.db"
    with writing(path) as (writer, watermark):
        writer.append(records_between(1, 3))
        with pytest.raises(AssertionError):
            writer.append([record(5)])
        with pytest.raises(AssertionError):
            writer.append([record(4), record(4)])
        earlier = record(2)
        with pytest.raises(AssertionError):
            writer.append([type(earlier)(4, earlier.moment, earlier.input, ())])
        writer.append([])
        writer.append([record(4)])
        watermark.wait_for(4)
    with writing(path) as (writer, _), pytest.raises(AssertionError):
        writer.append([type(earlier)(5, earlier.moment, earlier.input, ())])
    assert list(lines(path)) == lines_between(1, 4)


def test_close_commits_what_is_queued_and_nothing_is_taken_after(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with writing(path) as (writer, watermark):
        for sequence in range(1, 301):
            writer.append([record(sequence)])
        writer.close()
        assert watermark.sequence == 300
        with pytest.raises(JournalFailed):
            writer.append([record(301)])
        with pytest.raises(JournalFailed):
            writer.snapshot(300, b"", "")
        writer.close()
        assert watermark.failures == []
    assert read_head(path).sequence == 300


def test_a_second_writer_is_refused_and_the_lock_goes_with_the_first(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with writing(path) as (writer, _):
        writer.append([record(1)])
        with pytest.raises(JournalLocked), writing(path):
            pass
    with writing(path) as (writer, _):
        writer.append([record(2)])


def test_a_writer_refuses_a_journal_that_does_not_end_where_recovery_ended(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    written(path, [3])
    recovered = recover(path)
    watermark = Watermark()
    for sequence, chain in ((2, recovered.last_chain), (3, bytes(32))):
        with pytest.raises(JournalDamaged):
            JournalWriter(
                path,
                last_sequence=sequence,
                last_chain=chain,
                durable=watermark.durable,
                failed=watermark.failed,
            )
    with writing(path) as (writer, watermark):
        writer.append([record(4)])
        watermark.wait_for(4)


def test_a_journal_is_never_overwritten_and_never_made_by_accident(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with pytest.raises(JournalAbsent):
        recover(path)
    with pytest.raises(JournalAbsent):
        list(records(path))
    with pytest.raises(JournalAbsent):
        open_for_writing(path)
    assert not verify(path).ok
    assert list(tmp_path.iterdir()) == []
    written(path, [2])
    with pytest.raises(JournalExists, match="never overwritten"):
        create_journal(path, INSTANCE, 1)
    path.unlink()
    with pytest.raises(JournalExists, match="gone"):
        create_journal(path, INSTANCE, 1)


def test_snapshots_are_stored_after_their_records_and_only_the_newest_are_kept(
    tmp_path: Path,
) -> None:
    path = tmp_path / "journal.db"
    with writing(path) as (writer, watermark):
        with pytest.raises(AssertionError):
            writer.snapshot(0, b"", "")
        writer.append(records_between(1, 5))
        with pytest.raises(AssertionError):
            writer.snapshot(4, b"", "")
        assert writer.snapshot(5, state_at(5), "five", policy_digest="policy")
    for last in (6, 7, 8):
        with writing(path) as (writer, watermark):
            writer.append([record(last)])
            watermark.wait_for(last)
            assert writer.snapshot(last, state_at(last), str(last))
    with closing(sqlite3.connect(path)) as database:
        kept = database.execute("SELECT sequence FROM snapshots ORDER BY sequence").fetchall()
    assert kept == [(6,), (7,), (8,)]
    assert verify(path).ok


def test_a_snapshot_is_skipped_while_the_one_before_waits_for_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with writing(path) as (writer, _):
        hold, release = threading.Event(), threading.Event()

        def holding(_: int) -> None:
            hold.set()
            assert release.wait(30)

        writer._durable = holding
        writer.append([record(1)])
        assert hold.wait(30)
        assert writer.snapshot(1, b"one", "one")
        writer.append([record(2)])
        assert not writer.snapshot(2, b"two", "two")
        release.set()
    snapshot = recover(path).snapshot
    assert snapshot is not None
    assert snapshot.body == b"one"


def test_reading_while_writing_sees_a_growing_good_prefix(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with writing(path) as (writer, watermark):
        for last in range(10, 310, 10):
            writer.append(records_between(last - 9, last))
            if last % 50 == 0:
                acknowledged = watermark.sequence
                verdict = verify(path)
                assert verdict.ok, verdict
                assert verdict.records >= acknowledged
                seen = list(lines(path))
                assert seen == lines_between(1, len(seen))
                assert len(seen) >= acknowledged
