import multiprocessing
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from fuseboard.halts.block import Slot
from fuseboard.halts.copying import copied_history
from fuseboard.halts.history import (
    QUEUE_CHANGES_MAX,
    HaltChange,
    HaltsHistory,
    HistoryDamaged,
    append,
    changes,
    history_anchor,
    history_end,
    verify_history,
)
from fuseboard.halts.register import HaltsRegister
from fuseboard.vocabulary.postures import HaltLevel
from fuseboard.vocabulary.reasons import Reason
from tests.halts.making import LATER, MOMENT, halt, halted, made, read_only


def change(number: int) -> HaltChange:
    return HaltChange(
        what="latched",
        slot="operator",
        scope=f"symbol:{number}",
        level=HaltLevel.HALT,
        reason=Reason.OPERATOR,
        trip="",
        halt_epoch=number,
        detail="“why”\n",
        operator="ada",
        moment=MOMENT,
    )


def test_its_end_says_what_is_latched_and_where_it_is_damaged_what_was_so_far(
    tmp_path: Path,
) -> None:
    path, register_path = tmp_path / "halts.db", made(tmp_path)
    assert history_end(path) == ((), {}, "")
    with closing(
        HaltsRegister(register_path, Slot.OPERATOR, told=lambda change: append(path, change))
    ) as register:
        for scope in ("symbol:A", "symbol:B"):
            register.latch(halt(scope, 3), MOMENT)
        written = register.counters()[Slot.OPERATOR]
        register.clear("symbol:A", LATER, MOMENT, operator="ada")
        ends = history_end(path)
        assert [at.scope for at in ends.left] == ["symbol:B"]
        assert ends.counters == {"operator": register.counters()[Slot.OPERATOR]}
        assert ends.damage == ""
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE changes SET line = line || x'20' WHERE sequence = 3")
        database.commit()
    ends = history_end(path)
    assert [at.scope for at in ends.left] == ["symbol:A", "symbol:B"], "the clearing is in doubt"
    assert ends.counters == {"operator": written}
    assert ends.damage == "change 3 is missing or is not bytes"


def test_latches_and_clearings_of_all_slots_are_in_one_history(tmp_path: Path) -> None:
    path, register_path = tmp_path / "halts.db", made(tmp_path)
    history = HaltsHistory(path)
    assert list(changes(path)) == []
    for slot in (Slot.OPERATOR, Slot.GATEWAY):
        register = HaltsRegister(register_path, slot, told=history.note)
        register.latch(halt("symbol:A", 3), MOMENT)
        register.clear("symbol:A", LATER, MOMENT, operator="ada")
        register.close()
    history.close()
    history.close()
    found = [(entry.what, entry.slot, entry.operator) for entry in changes(path)]
    assert found == [
        ("latched", "operator", ""),
        ("cleared", "operator", "ada"),
        ("latched", "gateway", ""),
        ("cleared", "gateway", "ada"),
    ]
    assert verify_history(path) == (True, 4, "every change is good")
    assert history.failures == 0


def test_a_history_that_cannot_be_written_never_holds_back_a_latch(tmp_path: Path) -> None:
    register_path = made(tmp_path)
    history = HaltsHistory(tmp_path / "absent" / "halts.db")
    register = HaltsRegister(register_path, Slot.GATEWAY, told=history.note)
    register.latch(halt(), MOMENT)
    assert halted(register_path)
    register.clear("account", 1, MOMENT)
    assert not halted(register_path)
    history.close()
    assert history.failures == 2
    assert "unable to open" in history.failure
    register.close()


def test_a_history_whose_first_writer_was_killed_is_empty_and_not_damaged(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode=WAL")
    assert verify_history(path) == (True, 0, "every change is good")
    append(path, change(1))
    assert verify_history(path)[:2] == (True, 1)


def test_a_history_whose_first_writer_was_killed_in_a_write_is_rolled_back_and_read(
    tmp_path: Path,
) -> None:
    path = tmp_path / "history.db"
    sqlite3.connect(path).execute("PRAGMA user_version=1").connection.close()
    child = os.fork()
    if not child:
        database = sqlite3.connect(path, isolation_level=None)
        database.execute("PRAGMA cache_size=1")
        database.execute("BEGIN IMMEDIATE")
        database.execute("CREATE TABLE begun(text)")
        for _ in range(100):  # more than its cache holds: a part is in the file already
            database.execute("INSERT INTO begun VALUES(?)", ("x" * 4_000,))
        os._exit(0)
    os.waitpid(child, 0)
    assert path.with_name("history.db-journal").stat().st_size > 0
    assert verify_history(path) == (True, 0, "every change is good")


def test_a_stuck_disk_makes_the_history_lose_changes_and_say_so_but_nobody_waits(
    tmp_path: Path,
) -> None:
    path = tmp_path / "halts.db"
    append(path, change(1))
    history = HaltsHistory(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as blocker:
        blocker.execute("BEGIN IMMEDIATE")
        for number in range(QUEUE_CHANGES_MAX + 10):
            history.note(change(number))
        assert history.failures >= 9
        assert "too many" in history.failure
        while not history._queue.empty():
            history._queue.get_nowait()
        blocker.execute("ROLLBACK")
    history.close()
    assert verify_history(path)[0]


def _append_many(path: Path, first: int) -> None:
    for number in range(first, first + 20):
        append(path, change(number))


def test_processes_that_append_at_the_same_time_keep_one_chain(tmp_path: Path) -> None:
    path = tmp_path / "halts.db"
    append(path, change(0))
    context = multiprocessing.get_context("fork")
    processes = [
        context.Process(target=_append_many, args=(path, first)) for first in (100, 200, 300)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert verify_history(path) == (True, 61, "every change is good")
    epochs = sorted(entry.halt_epoch for entry in changes(path))
    assert epochs == [0, *range(100, 120), *range(200, 220), *range(300, 320)]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE changes SET line = replace(line, 'ada', 'bob') WHERE sequence = 2",
        "UPDATE changes SET line = CAST(line AS TEXT) WHERE sequence = 2",
        "UPDATE changes SET chain = zeroblob(32) WHERE sequence = 2",
        "DELETE FROM changes WHERE sequence = 2",
        "UPDATE changes SET sequence = 9 WHERE sequence = 2",
        "ALTER TABLE changes RENAME TO other",
    ],
)
def test_a_changed_history_is_found(tmp_path: Path, statement: str) -> None:
    path = tmp_path / "halts.db"
    for number in range(3):
        append(path, change(number))
    assert verify_history(path)[0]
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(statement)
    good, count, what = verify_history(path)
    assert not good
    assert count < 2
    assert what
    with pytest.raises(HistoryDamaged):
        list(changes(path))


def test_flipped_bits_of_the_history_are_found_or_harmless(tmp_path: Path) -> None:
    path = tmp_path / "halts.db"
    for number in range(5):
        append(path, change(number))
    expected = list(changes(path))
    sound = path.read_bytes()
    found = 0
    for offset in range(0, len(sound), 17):
        damaged = bytearray(sound)
        damaged[offset] ^= 1 << (offset % 8)
        path.write_bytes(damaged)
        good, count, _ = verify_history(path)
        if good and count == len(expected):
            assert list(changes(path)) == expected
        else:
            found += 1
            assert count <= len(expected)
    assert found > 20
    os.truncate(path, len(sound) // 2)
    assert not verify_history(path)[0]


def test_on_a_disk_that_takes_nothing_a_closed_history_is_read_as_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "halts.db"
    append(path, change(1))
    append(path, change(2))
    read_only(monkeypatch, tmp_path)
    before = sorted(tmp_path.iterdir())
    reading = changes(path)
    assert next(reading) == change(1)
    assert sorted(tmp_path.iterdir()) == before, "SQLite makes files beside one that it opens"
    assert list(reading) == [change(2)]
    assert verify_history(path, history_anchor(path)) == (True, 2, "every change is good")
    copied_history(path, tmp_path / "copy.db")
    assert list(changes(tmp_path / "copy.db")) == [change(1), change(2)]


def test_what_a_killed_writer_left_beside_it_is_read_there_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "halts.db"
    append(path, change(1))
    with closing(sqlite3.connect(path)) as writer:  # it stays open: nothing is folded in
        writer.execute("SELECT * FROM changes").fetchall()
        append(path, change(2))
        read_only(monkeypatch, tmp_path)
        assert path.with_name("halts.db-wal").stat().st_size > 0
        assert list(changes(path)) == [change(1), change(2)]
