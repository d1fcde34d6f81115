import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from fuseboard.journal.file import Head, JournalDamaged, head_path_of, head_text, read_head
from fuseboard.journal.reader import anchor, records
from fuseboard.journal.recovery import adopt, recover
from fuseboard.journal.verification import verify
from tests.journal.making import INSTANCE, record, records_between, state_at, writing, written


def changed(path: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        assert database.execute(statement, values).rowcount == 1


def test_an_empty_journal_recovers_to_the_beginning(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    written(path, [])
    recovered = recover(path)
    assert recovered.instance == INSTANCE
    assert recovered.snapshot is None
    assert recovered.last_moment is None
    assert (recovered.last_sequence, list(recovered.tail)) == (0, [])
    assert verify(path, (0, recovered.last_chain.hex())).ok


def test_recovery_takes_the_newest_snapshot_and_only_the_records_after_it(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    written(path, [4, 3], snapshots=True)
    written(path, [2, 2])
    recovered = recover(path)
    assert recovered.snapshot is not None
    assert (recovered.snapshot.sequence, recovered.snapshot.body) == (7, state_at(7))
    assert recovered.snapshot.digest == "digest 7"
    assert recovered.snapshot.release == "1.0"
    assert recovered.refused == ()
    assert list(recovered.tail) == records_between(8, 11)
    assert recovered.last_moment == record(11).moment
    assert (recovered.last_sequence, recovered.last_chain.hex()) == anchor(path)


def test_a_damaged_snapshot_is_named_and_the_one_before_is_used(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    written(path, [4], snapshots=True)
    written(path, [3], snapshots=True)
    changed(path, "UPDATE snapshots SET body = ? WHERE sequence = 7", b"other")
    recovered = recover(path)
    assert recovered.snapshot is not None
    assert recovered.snapshot.sequence == 4
    assert list(recovered.tail) == records_between(5, 7)
    assert len(recovered.refused) == 1
    verdict = verify(path)
    assert (verdict.ok, verdict.first_bad_sequence) == (False, 7)


@pytest.mark.parametrize("column", ["chain", "digest", "release", "policy_digest", "checksum"])
def test_any_changed_column_of_a_snapshot_makes_it_unusable(tmp_path: Path, column: str) -> None:
    path = tmp_path / "journal.db"
    written(path, [4], snapshots=True)
    value: object = bytes(32) if column in {"chain", "checksum"} else "other"
    changed(path, f"UPDATE snapshots SET {column} = ?", value)
    recovered = recover(path)
    assert recovered.snapshot is None
    assert list(recovered.tail) == records_between(1, 4)
    assert not verify(path).ok


def test_a_sound_snapshot_of_another_history_is_not_used(tmp_path: Path) -> None:
    path, other = tmp_path / "journal.db", tmp_path / "other.db"
    written(path, [4, 3])
    with writing(other) as (writer, _):
        elsewhere = record(1)
        writer.append([type(elsewhere)(1, elsewhere.moment, elsewhere.input, ())])
        writer.append(records_between(2, 4))
        writer.snapshot(4, b"of another history", "other")
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("ATTACH ? AS other", (str(other),))
        database.execute("INSERT INTO snapshots SELECT * FROM other.snapshots")
    recovered = recover(path)
    assert recovered.snapshot is None
    assert recovered.refused == ("the snapshot at 4 is not of this chain",)
    assert list(recovered.tail) == records_between(1, 7)
    assert not verify(path).ok


def test_a_snapshot_of_another_release_is_not_used_when_a_release_is_named(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    written(path, [4], snapshots=True)
    assert recover(path, release="1.0").snapshot is not None
    recovered = recover(path, release="2.0")
    assert recovered.snapshot is None
    assert "release 1.0" in recovered.refused[0]
    assert list(recovered.tail) == records_between(1, 4)


def test_damage_in_the_tail_is_raised_where_it_is(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    written(path, [4, 3, 3])
    changed(path, "UPDATE commits SET body = replace(body, 'AAPL', 'AAPM') WHERE first_sequence=5")
    recovered = recover(path)
    with pytest.raises(JournalDamaged) as raised:
        list(recovered.tail)
    assert raised.value.sequence == 5


def test_a_lost_end_is_seen_against_the_head_file(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    written(path, [4, 3, 3])
    changed(path, "DELETE FROM commits WHERE first_sequence = 8")
    with pytest.raises(JournalDamaged, match="rolled back"):
        recover(path)
    verdict = verify(path)
    assert (verdict.ok, verdict.records, verdict.first_bad_sequence) == (False, 7, 8)
    assert "lost" in verdict.what


def test_a_lost_wal_is_seen_against_the_head_file(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    written(path, [2])
    with writing(path) as (writer, watermark):
        writer.append(records_between(3, 9))
        watermark.wait_for(9)
        copy = tmp_path / "copy.db"
        copy.write_bytes(path.read_bytes())
        writer.close()
        head_path_of(copy).write_bytes(head_path_of(path).read_bytes())
    with pytest.raises(JournalDamaged, match="rolled back"):
        recover(copy)


def test_a_lost_end_is_seen_against_an_anchor_that_a_person_wrote_down(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    written(path, [4, 3])
    early = anchor(path)
    written(path, [3])
    late = anchor(path)
    assert verify(path, early).ok
    assert verify(path, late).ok
    changed(path, "DELETE FROM commits WHERE first_sequence = 8")
    head_path_of(path).unlink()
    assert verify(path).ok, "without head file and anchor a shorter journal is a good one"
    assert verify(path, early).ok
    assert not verify(path, late).ok
    assert not verify(path, (7, late[1])).ok
    assert not verify(path, (7, "not hex")).ok


def test_a_head_file_that_lags_is_good_and_one_of_another_history_is_not(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    written(path, [4, 3])
    early = read_head(path)
    written(path, [3])
    head_path_of(path).write_bytes(head_text(early))
    assert recover(path).last_sequence == 10
    assert verify(path).ok
    head_path_of(path).write_bytes(head_text(Head(7, bytes(32))))
    with pytest.raises(JournalDamaged, match="another history"):
        recover(path)
    assert not verify(path).ok


def test_every_flipped_bit_of_the_head_file_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    written(path, [4, 3])
    sound = head_path_of(path).read_bytes()
    for bit in range(len(sound) * 8):
        damaged = bytearray(sound)
        damaged[bit // 8] ^= 1 << (bit % 8)
        head_path_of(path).write_bytes(damaged)
        with pytest.raises(JournalDamaged):
            read_head(path)
    assert not verify(path).ok


def test_without_a_head_file_only_a_person_with_the_anchor_can_go_on(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    written(path, [4])
    before = anchor(path)
    written(path, [3])
    kept = anchor(path)
    head_path_of(path).unlink()
    with pytest.raises(JournalDamaged, match="absent"):
        recover(path)
    with pytest.raises(JournalDamaged):
        adopt(path, (6, kept[1]))
    with pytest.raises(JournalDamaged):
        adopt(path, (8, kept[1]))
    with pytest.raises(JournalDamaged):
        adopt(path, before)
    assert not head_path_of(path).exists()
    adopt(path, kept)
    assert recover(path).last_sequence == 7


def test_on_a_disk_that_takes_nothing_a_closed_journal_is_read_as_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal.db"
    written(path, [20])
    told = os.statvfs(tmp_path)
    values = [*told[:8], told.f_flag | os.ST_RDONLY, *told[9:]]
    with writing(path) as (writer, watermark):
        writer.append(records_between(21, 30))
        watermark.wait_for(30)
        monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result(values))
        assert list(records(path)) == records_between(1, 30), "what a WAL has is read, too"
    before = sorted(tmp_path.iterdir())
    reading = records(path)
    assert next(reading) == record(1)
    assert sorted(tmp_path.iterdir()) == before, "SQLite makes files beside one that it opens"
    assert list(reading) == records_between(2, 30)
    assert verify(path).ok
    assert recover(path).last_sequence == 30
