from pathlib import Path

import pytest

from fuseboard.halts.whole_file import write_atomically


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "file"
    write_atomically(target, b"one")
    write_atomically(target, b"two" * 100_000)
    assert target.read_bytes() == b"two" * 100_000
    assert target.stat().st_mode & 0o777 == 0o600
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(OSError, match="directory"):
        write_atomically(folder, b"x")
    assert sorted(at.name for at in tmp_path.iterdir()) == ["file", "folder"], "nothing is left"
