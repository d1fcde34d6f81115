import json
import multiprocessing
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuseboard.gateway.keys import CHECK_EVERY_NS, Keys, KeysUnreadable


class SteppedClock:
    def __init__(self) -> None:
        self.now_ns = 0

    def __call__(self) -> int:
        return self.now_ns


def test_a_minted_pair_names_its_strategy_and_a_wrong_secret_names_none(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "keys.json")
    key_id, secret = keys.mint("dip-buyer")
    other_id, other_secret = keys.mint("other")
    assert len(key_id) == 20
    assert key_id.startswith("PK")
    assert keys.strategy_of(key_id, secret) == "dip-buyer"
    assert keys.strategy_of(key_id, other_secret) is None
    assert keys.strategy_of(other_id, secret) is None
    assert keys.strategy_of(key_id, "") is None
    assert keys.strategy_of("PK" + "A" * 18, secret) is None


def test_the_file_holds_no_secret_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    _, secret = Keys(path).mint("dip-buyer")
    text = path.read_text()
    assert secret not in text
    assert "dip-buyer" in text
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir() if each.name.endswith(".new")] == []


def test_pairs_survive_a_restart_but_ephemeral_ones_do_not(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    keys = Keys(path)
    key_id, secret = keys.mint("kept")
    brief_id, brief_secret = keys.add_ephemeral("launched")
    assert keys.strategy_of(brief_id, brief_secret) == "launched"
    again = Keys(path)
    assert again.strategy_of(key_id, secret) == "kept"
    assert again.strategy_of(brief_id, brief_secret) is None


def test_a_revoked_pair_is_unknown_at_once_here_and_within_a_second_elsewhere(
    tmp_path: Path,
) -> None:
    path = tmp_path / "keys.json"
    clock = SteppedClock()
    keys = Keys(path)
    key_id, secret = keys.mint("s")
    running = Keys(path, clock)
    assert running.strategy_of(key_id, secret) == "s"
    assert keys.revoke(key_id)
    assert not keys.revoke(key_id)
    assert keys.strategy_of(key_id, secret) is None
    clock.now_ns += CHECK_EVERY_NS
    assert running.strategy_of(key_id, secret) is None
    assert not running.is_live(key_id)


def test_a_pair_minted_by_another_process_is_found_at_once(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    clock = SteppedClock()
    running = Keys(path, clock)
    assert running.strategy_of("PKNOBODY", "nothing") is None
    key_id, secret = Keys(path).mint("late")
    assert running.strategy_of(key_id, secret) == "late"


def test_a_damaged_file_makes_every_stored_pair_unknown_and_stops_a_start(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    clock = SteppedClock()
    running = Keys(path, clock)
    key_id, secret = running.mint("s")
    path.write_bytes(path.read_bytes()[:-9])
    clock.now_ns += CHECK_EVERY_NS
    assert running.strategy_of(key_id, secret) is None
    with pytest.raises(KeysUnreadable):
        Keys(path)
    with pytest.raises(KeysUnreadable):
        running.mint("next")


@pytest.mark.parametrize("change", ["version", "extra"])
def test_a_file_of_another_shape_is_refused(tmp_path: Path, change: str) -> None:
    path = tmp_path / "keys.json"
    Keys(path).mint("s")
    held = json.loads(path.read_text())
    if change == "version":
        held["version"] = 2
    else:
        held["keys"][0]["secret"] = "plain"
    path.write_text(json.dumps(held))
    with pytest.raises(KeysUnreadable):
        Keys(path)


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    Keys(path).mint("s")
    path.chmod(0o640)
    with pytest.raises(KeysUnreadable, match="chmod 600"):
        Keys(path)


@given(st.text(max_size=80))
def test_a_strategy_name_is_plain_or_refused(name: str) -> None:
    keys = Keys(None)
    plain = (
        0 < len(name) <= 64
        and name.isascii()
        and all(c.isalnum() or c in "._-" for c in name)
        and name[0].isalnum()
    )
    if plain:
        key_id, secret = keys.mint(name)
        assert keys.strategy_of(key_id, secret) == name
    else:
        with pytest.raises(ValueError, match="strategy"):
            keys.mint(name)


@given(st.text(max_size=60), st.text(max_size=60))
def test_no_pair_made_up_by_a_caller_is_accepted_or_raises(key_id: str, secret: str) -> None:
    keys = Keys(None)
    keys.mint("s")
    assert keys.strategy_of(key_id, secret) is None


def _mint_many(path: Path, name: str) -> None:
    keys = Keys(path)
    for _ in range(10):
        keys.mint(name)


def test_two_processes_minting_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_mint_many, args=(path, f"s{n}")) for n in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == os.EX_OK
    assert len(Keys(path).listed()) == 20
