"""What became of the guardian's alerts is in a file that any status can show."""

import re
import threading
from pathlib import Path

import pytest

from fuseboard.alerts.outward import OutwardPager
from fuseboard.guardian.alerts_told import AlertsTold, alerts_told


def test_the_counts_of_each_door_are_written_where_they_changed(tmp_path: Path) -> None:
    file, taken = tmp_path / "guardian.alerts", threading.Event()
    doors = [OutwardPager(lambda _body: taken.set(), name="one"), OutwardPager(print, name="two")]
    told = AlertsTold(file, doors)
    assert alerts_told(file) == ""
    told.note()
    assert alerts_told(file).startswith("by the guardian since 2")
    assert alerts_told(file).endswith(": one: 0 delivered, 0 given up, 0 dropped"
                                      "; two: 0 delivered, 0 given up, 0 dropped")  # fmt: skip
    file.unlink()
    told.note()
    assert not file.exists(), "nothing changed"
    doors[0].page("page", "guardian", "account", "it is gone")
    assert taken.wait(10)
    for door in doors:
        door.close()
    told.note()
    said = alerts_told(file)
    assert re.search(
        r": one: 1 delivered, 0 given up, 0 dropped; slowest \d+\.\d{3} s after its event,"
        r" 0 later than 5 s; two: 0 delivered, ",
        said,
    ), said


def test_without_a_door_or_a_disk_nothing_is_written_and_nothing_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    AlertsTold(tmp_path / "none", []).note()
    door = OutwardPager(print, name="one")
    told = AlertsTold(tmp_path / "gone" / "guardian.alerts", [door])
    told.note()
    door.close()
    assert list(tmp_path.iterdir()) == []
