"""Keys of operators: shown once, kept hashed, and good for nothing once revoked or unreadable."""

from pathlib import Path

import pytest

from fuseboard.control.operator_keys import OperatorKeys
from fuseboard.control.state_directory import StateRefused


def test_a_key_opens_as_its_holder_and_its_secret_is_nowhere_in_the_file(tmp_path: Path) -> None:
    keys = OperatorKeys(tmp_path / "operators.json")
    assert keys.holder_of("OP00.x") is None
    key = keys.mint("Ada", "admin")
    holder = keys.holder_of(key)
    assert holder is not None
    assert (holder.name, holder.role) == ("Ada", "admin")
    secret = key.partition(".")[2]
    assert secret not in (tmp_path / "operators.json").read_text()
    assert (tmp_path / "operators.json").stat().st_mode & 0o077 == 0
    for wrong in ("", holder.key_id, f"{holder.key_id}.", f"{key}x", f"OP00.{secret}", "\udcff.x"):
        assert keys.holder_of(wrong) is None, wrong


def test_a_revoked_key_opens_nothing_at_once(tmp_path: Path) -> None:
    path = tmp_path / "operators.json"
    keys, other = OperatorKeys(path), OperatorKeys(path)
    key, kept = keys.mint("Ada", "viewer"), keys.mint("Bo", "viewer")
    assert other.revoke(key.partition(".")[0])
    assert not other.revoke("OP00")
    assert keys.holder_of(key) is None
    assert keys.holder_of(kept) is not None


@pytest.mark.parametrize("content", [b"", b"[]", b'{"version":2,"operators":[]}'])
def test_a_file_that_is_none_of_ours_opens_nothing_and_is_not_written_over(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "operators.json"
    keys = OperatorKeys(path)
    key = keys.mint("Ada", "admin")
    path.write_bytes(content)
    assert keys.holder_of(key) is None
    with pytest.raises(StateRefused):
        keys.mint("Eve", "admin")
    assert path.read_bytes() == content


def test_a_file_that_others_can_read_opens_nothing(tmp_path: Path) -> None:
    keys = OperatorKeys(tmp_path / "operators.json")
    key = keys.mint("Ada", "admin")
    (tmp_path / "operators.json").chmod(0o640)
    assert keys.holder_of(key) is None


@pytest.mark.parametrize(("name", "role"), [("", "admin"), ("a\nb", "admin"), ("Ada", "root")])
def test_who_has_no_name_or_no_role_of_ours_gets_no_key(
    tmp_path: Path, name: str, role: str
) -> None:
    with pytest.raises(StateRefused):
        OperatorKeys(tmp_path / "operators.json").mint(name, role)
