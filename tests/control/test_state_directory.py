"""The state directory: one gateway, one identity, and an `init` that may be cut off anywhere."""

import fcntl
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from fuseboard.control.state_directory import (
    StateDirectory,
    StateRefused,
)


def made(path: Path) -> StateDirectory:
    state = StateDirectory(path)
    state.finish(state.begin(account="default", now_ns=1))
    return state


def test_only_a_finished_init_has_an_identity(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path / "state")
    with pytest.raises(StateRefused, match="make it with `fuseboard init --state"):
        state.identity()
    identity = state.begin(account="mine", now_ns=7)
    with pytest.raises(StateRefused):
        state.identity()
    state.finish(identity)
    assert state.identity() == identity
    assert (identity.account, identity.created_ns, len(identity.instance)) == ("mine", 7, 8)
    assert sorted(at.name for at in state.path.iterdir()) == ["instance.json"]
    assert state.path.stat().st_mode & 0o777 == 0o700
    assert state.identity_file.stat().st_mode & 0o777 == 0o600


def test_an_init_that_was_cut_off_is_begun_anew(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path / "state")
    first = state.begin(account="a", now_ns=1)
    for left in ("journal.db", "journal.db.head", "journal.db.new-wal", "halts.register.new"):
        (state.path / left).write_bytes(b"half")
    (state.path / "policy.yaml").write_text("name: mine\n")
    second = state.begin(account="a", now_ns=2)
    assert first.instance != second.instance
    left_now = sorted(at.name for at in state.path.iterdir())
    assert left_now == ["init.unfinished", "policy.yaml"], "a person's policy is kept"


@pytest.mark.parametrize("name", ["journal.db", "halts.register", "keys.json", "halts.db"])
def test_state_without_its_identity_is_not_put_to_new_use(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"somebody's")
    with pytest.raises(StateRefused, match=f"{name} without instance.json: restore"):
        StateDirectory(tmp_path).begin(account="a", now_ns=1)
    assert (tmp_path / name).read_bytes() == b"somebody's"


def test_a_second_init_changes_nothing(tmp_path: Path) -> None:
    state = made(tmp_path)
    before = state.identity_file.read_bytes()
    with pytest.raises(StateRefused, match="already holds state"):
        state.begin(account="other", now_ns=2)
    assert state.identity_file.read_bytes() == before


@pytest.mark.parametrize("account", ["", "x" * 65, "a\nb", "\x1b[2J"])
def test_an_account_is_a_printable_name(tmp_path: Path, account: str) -> None:
    with pytest.raises(StateRefused, match="--account"):
        StateDirectory(tmp_path / "s").begin(account=account, now_ns=1)
    assert not (tmp_path / "s").exists()


def test_a_file_is_no_state_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StateRefused, match="is not a directory"):
        StateDirectory(tmp_path / "file").begin(account="a", now_ns=1)


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"[]",
        b"\xff",
        b'{"instance":"UPPER678","account":"a","created_ns":1}',
        b'{"instance":"abcdefgh","account":"a","created_ns":1,"more":2}',
    ],
)
def test_a_damaged_identity_is_not_replaced_by_a_new_one(tmp_path: Path, damage: bytes) -> None:
    state = made(tmp_path)
    state.identity_file.write_bytes(damage)
    with pytest.raises(StateRefused, match="restore it from a backup"):
        state.identity()


def test_the_lock_is_one_gateways_and_ends_with_it(tmp_path: Path) -> None:
    state = made(tmp_path)
    assert not state.is_running()
    assert not state.lock_file.exists(), "looking makes nothing"
    held = state.lock()
    assert state.is_running()
    with pytest.raises(StateRefused, match="another gateway runs"):
        state.lock()
    os.close(held)
    assert not state.is_running()
    os.close(state.lock())


def test_a_child_does_not_keep_the_lock(tmp_path: Path) -> None:
    state = made(tmp_path)
    held = state.lock()
    with subprocess.Popen(
        [sys.executable, "-c", "print('up', flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        close_fds=False,
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"up\n"
        os.close(held)
        assert not state.is_running()
        child.communicate(b"\n")


def test_a_start_outlasts_somebody_who_only_looks(tmp_path: Path) -> None:
    state = made(tmp_path)
    os.close(state.lock())
    looking = os.open(state.lock_file, os.O_RDONLY)
    fcntl.flock(looking, fcntl.LOCK_SH)
    letting_go = threading.Timer(0.03, os.close, (looking,))
    letting_go.start()
    os.close(state.lock())
    letting_go.join()


def test_identities_are_not_alike(tmp_path: Path) -> None:
    names = set()
    for number in range(20):
        state = made(tmp_path / str(number))
        names.add(state.identity().instance)
    assert len(names) == 20
