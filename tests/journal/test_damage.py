"""Random damage to the journal's files is found, or has changed nothing that anybody reads."""

import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from fuseboard.journal.file import JournalDamaged, head_path_of
from fuseboard.journal.reader import anchor, lines
from fuseboard.journal.recovery import recover
from fuseboard.journal.verification import verify
from fuseboard.vocabulary.inputs import Moment
from fuseboard.vocabulary.records import encoded_record
from tests.journal.making import (
    lines_between,
    record,
    records_between,
    state_at,
    writing,
    written,
)

SEEDS = 250


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copied from under a running writer: database, WAL and head, with free pages and snapshots."""
    place = tmp_path_factory.mktemp("journal")
    path, copy = place / "live.db", place / "journal.db"
    written(path, [1, 40, 3, 25, 9] * 4, snapshots=True)
    with writing(path) as (writer, watermark):
        last = watermark.sequence
        for size in (30, 1, 5, 60):
            writer.append(records_between(last + 1, last + size))
            last += size
            watermark.wait_for(last)
            writer.snapshot(last, state_at(last), "")
        writer.append([record(last + 1)])
        watermark.wait_for(last + 1)
        for suffix in ("", "-wal"):
            shutil.copy(f"{path}{suffix}", f"{copy}{suffix}")
        writer.close()
    shutil.copy(head_path_of(path), head_path_of(copy))
    assert verify(copy).ok
    return copy


def copied(journal: Path, place: Path) -> Path:
    path = place / "journal.db"
    for file in place.iterdir():
        file.unlink()
    for suffix in ("", "-wal", ".head"):
        shutil.copy(f"{journal}{suffix}", f"{path}{suffix}")
    return path


def changes_nothing(path: Path, expected: list[bytes]) -> bool:
    """Whether verification finds the damage, or recovery and reading give exactly what was."""
    verdict = verify(path)
    if not verdict.ok:
        assert verdict.what
        assert verdict.records <= len(expected)
        return False
    assert list(lines(path)) == expected
    recovered = recover(path)
    start = 0 if recovered.snapshot is None else recovered.snapshot.sequence
    assert [encoded_record(found) for found in recovered.tail] == expected[start:]
    if recovered.snapshot is not None:
        assert recovered.snapshot.body == state_at(start)
    return True


def recovery_is_right_or_refuses(path: Path, expected: list[bytes]) -> None:
    try:
        recovered = recover(path)
        start = 0 if recovered.snapshot is None else recovered.snapshot.sequence
        tail = [encoded_record(found) for found in recovered.tail]
    except JournalDamaged:
        return
    assert tail == expected[start:]
    assert recovered.snapshot is None or recovered.snapshot.body == state_at(start)


def test_flipped_bits_anywhere_in_database_or_wal_are_found_or_harmless(
    journal: Path, tmp_path: Path
) -> None:
    expected = lines_between(1, verify(journal).records)
    found = 0
    for seed in range(SEEDS):
        dice = random.Random(seed)
        path = copied(journal, tmp_path)
        target = path if dice.random() < 0.6 else Path(f"{path}-wal")
        damaged = bytearray(target.read_bytes())
        for _ in range(dice.choice((1, 1, 1, 8))):
            # The first page, with SQLite's own bookkeeping, is hit more often than by its size.
            reach = 4096 if dice.random() < 0.2 else len(damaged)
            damaged[dice.randrange(reach)] ^= 1 << dice.randrange(8)
        target.write_bytes(damaged)
        recovery_is_right_or_refuses(path, expected)
        found += not changes_nothing(path, expected)
    assert found > SEEDS // 2, "most damage must hit something"


def test_a_file_cut_anywhere_is_found(journal: Path, tmp_path: Path) -> None:
    expected = lines_between(1, verify(journal).records)
    for seed in range(60):
        dice = random.Random(seed)
        path = copied(journal, tmp_path)
        target = path if seed % 2 else Path(f"{path}-wal")
        target.write_bytes(target.read_bytes()[: dice.randrange(target.stat().st_size)])
        recovery_is_right_or_refuses(path, expected)
        changes_nothing(path, expected)


def test_zeroed_and_swapped_pages_are_found_or_harmless(journal: Path, tmp_path: Path) -> None:
    expected = lines_between(1, verify(journal).records)
    for seed in range(60):
        dice = random.Random(seed)
        path = copied(journal, tmp_path)
        pages = bytearray(path.read_bytes())
        one, two = (4096 * dice.randrange(len(pages) // 4096) for _ in range(2))
        first, second = bytes(pages[one : one + 4096]), bytes(pages[two : two + 4096])
        pages[one : one + 4096] = second if seed % 2 else bytes(4096)
        if seed % 2:
            pages[two : two + 4096] = first
        path.write_bytes(pages)
        recovery_is_right_or_refuses(path, expected)
        changes_nothing(path, expected)


CHANGES = {
    "a deleted row": "DELETE FROM commits WHERE first_sequence = 45",
    "the first row deleted": "DELETE FROM commits WHERE first_sequence = 1",
    "a changed body": "UPDATE commits SET body = replace(body, 'buy', 'sell') WHERE rowid = 2",
    "a body that is text": "UPDATE commits SET body = CAST(body AS TEXT) WHERE rowid = 2",
    "a changed chain": "UPDATE commits SET chain = zeroblob(32) WHERE rowid = 2",
    "a short chain": "UPDATE commits SET chain = zeroblob(31) WHERE rowid = 2",
    "a wrong upper bound": "UPDATE commits SET last_sequence = 40 WHERE rowid = 2",
    "a bound that is text": "UPDATE commits SET last_sequence = 'x' WHERE rowid = 2",
    "a moved row": "UPDATE commits SET rowid = 7777 WHERE rowid = 42",
    "another instance": "UPDATE meta SET value = 'zzzz9999' WHERE key = 'instance'",
    "a meta that is no number": "UPDATE meta SET value = 'x' WHERE key = 'created_ns'",
    "a missing meta": "DELETE FROM meta WHERE key = 'created_ns'",
    "one meta too many": "INSERT INTO meta VALUES('extra', '1')",
    "another schema": "ALTER TABLE commits RENAME TO commits2",
    "a table too many": "CREATE TABLE extra(a)",
    "a trigger": "CREATE TRIGGER t AFTER INSERT ON commits BEGIN DELETE FROM commits; END",
    "a future schema": "UPDATE meta SET value = '2' WHERE key = 'schema_version'",
    "another program's file": "PRAGMA application_id = 1",
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_row_changed_by_hand_is_found(journal: Path, tmp_path: Path, change: str) -> None:
    path = copied(journal, tmp_path)
    assert verify(path).ok
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(CHANGES[change])
    verdict = verify(path)
    assert not verdict.ok
    assert verdict.records < 45


def test_two_swapped_bodies_of_equal_length_are_found_at_the_first(
    journal: Path, tmp_path: Path
) -> None:
    path = copied(journal, tmp_path)
    with closing(sqlite3.connect(path)) as database, database:
        one, two = database.execute(
            "SELECT first_sequence, last_sequence, body, chain FROM commits"
            " WHERE last_sequence - first_sequence = 2 ORDER BY 1 LIMIT 2"
        ).fetchall()
        for row, other in ((one, two), (two, one)):
            database.execute(
                "UPDATE commits SET body = ?, chain = ? WHERE first_sequence = ?",
                (other[2], other[3], row[0]),
            )
    verdict = verify(path)
    assert (verdict.ok, verdict.first_bad_sequence) == (False, one[0])
    assert verdict.records == one[0] - 1


def rechained(path: Path, body_lines: list[bytes]) -> None:
    """Replace all by one commit whose chain is right: what a careless tool would do."""
    from fuseboard.journal.file import chained, genesis_of, open_for_reading, read_meta

    with closing(open_for_reading(path)) as database:
        chain = genesis_of(read_meta(database))
    for line in body_lines:
        chain = chained(chain, line)
    head_path_of(path).unlink()
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("DELETE FROM snapshots")
        database.execute("DELETE FROM commits")
        values = (1, len(body_lines), b"\n".join(body_lines), chain)
        database.execute("INSERT INTO commits VALUES(?, ?, ?, ?)", values)


@pytest.mark.parametrize(
    ("fault", "expected_bad"),
    [("undecodable", 4), ("another sequence", 5), ("time goes back", 6), ("not UTF-8", 2)],
)
def test_records_that_make_no_sense_are_found_even_when_the_chain_is_right(
    journal: Path, tmp_path: Path, fault: str, expected_bad: int
) -> None:
    path = copied(journal, tmp_path)
    kept = anchor(path)
    body_lines = lines_between(1, 8)
    if fault == "undecodable":
        body_lines[3] = b'{"sequence":4}'
    elif fault == "another sequence":
        body_lines[4] = encoded_record(record(6))
    elif fault == "time goes back":
        body_lines[5] = encoded_record(replace(record(6), moment=Moment(boot_ns=1, wall_ns=1)))
    else:
        body_lines[1] = body_lines[1].replace(b"dip", b"d\xffp")
    rechained(path, body_lines)
    verdict = verify(path)
    assert (verdict.ok, verdict.first_bad_sequence) == (False, expected_bad)
    assert verdict.records == expected_bad - 1
    rechained_anchor = verify(path, kept)
    assert not rechained_anchor.ok


@pytest.mark.parametrize("bounds", ["a gap before it", "one too few", "one too many"])
def test_a_row_whose_bounds_are_wrong_is_found_even_when_the_chain_is_right(
    journal: Path, tmp_path: Path, bounds: str
) -> None:
    path = copied(journal, tmp_path)
    rechained(path, lines_between(1, 8))
    wrong = {
        "a gap before it": "first_sequence = 3, last_sequence = 10",
        "one too few": "last_sequence = 7",
        "one too many": "last_sequence = 9",
    }[bounds]
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(f"UPDATE commits SET {wrong}")
    verdict = verify(path)
    assert (verdict.ok, verdict.records) == (False, 0)
    with pytest.raises(JournalDamaged):
        list(lines(path))


def test_damage_that_only_the_next_write_would_meet_is_found(journal: Path, tmp_path: Path) -> None:
    """The list of free pages: no reader needs it, a writer would hand out a page in use."""
    path = copied(journal, tmp_path)
    with closing(sqlite3.connect(path)) as database:
        database.execute("DELETE FROM snapshots WHERE sequence < 300")
        database.commit()
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert database.execute("PRAGMA freelist_count").fetchone()[0] > 0
    Path(f"{path}-wal").unlink(missing_ok=True)
    assert verify(path).ok
    image = bytearray(path.read_bytes())
    image[32:36] = (2).to_bytes(4, "big")
    path.write_bytes(image)
    verdict = verify(path)
    assert not verdict.ok
    assert "SQLite finds damage" in verdict.what


def test_a_whole_history_made_anew_is_found_against_an_anchor(
    journal: Path, tmp_path: Path
) -> None:
    path = copied(journal, tmp_path)
    kept = anchor(path)
    forged = lines_between(1, kept[0])
    forged[10] = encoded_record(replace(record(11), effects=()))
    rechained(path, forged)
    assert verify(path).ok
    verdict = verify(path, kept)
    assert (verdict.ok, verdict.first_bad_sequence) == (False, kept[0])


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0", b"not a database" * 1000])
def test_what_is_no_journal_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(content)
    verdict = verify(path)
    assert (verdict.ok, verdict.records) == (False, 0)
    with pytest.raises(JournalDamaged):
        list(lines(path))
