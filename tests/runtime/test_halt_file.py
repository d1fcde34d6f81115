"""The file HALT halts by being there, whatever it is, and nothing about it loosens."""

import os
from collections.abc import Callable
from pathlib import Path

from fuseboard.runtime.halt_file import ASKED_LOOKS_MAX, HaltFile
from fuseboard.vocabulary.inputs import Input
from fuseboard.vocabulary.operator_inputs import OperatorHaltRequested
from fuseboard.vocabulary.postures import HaltLevel


class Desk:
    """A register that says what it is told, and what was offered."""

    def __init__(self, path: Path) -> None:
        self.halted = False
        self.asked: list[OperatorHaltRequested] = []
        self.file = HaltFile(path, self, self.offer)

    def halts(self, strategy: str, symbol: str) -> bool:
        assert (strategy, symbol) == ("", "")
        return self.halted

    def offer(self, fact: Input) -> bool:
        assert isinstance(fact, OperatorHaltRequested)
        self.asked.append(fact)
        return True


def test_no_file_asks_for_nothing_and_a_file_halts_the_account_with_its_first_line(
    tmp_path: Path,
) -> None:
    desk = Desk(tmp_path / "HALT")
    desk.file.look()
    assert not desk.asked
    (tmp_path / "HALT").write_text("\n  feed is wrong\x1b[2J \nmore\n")
    desk.file.look()
    (fact,) = desk.asked
    assert (fact.scope, fact.level) == ("account", HaltLevel.HALT)
    assert (fact.operator, fact.reason) == ("the file HALT", "feed is wrong?[2J")


def test_it_halts_once_until_it_is_reset_and_a_reset_does_not_last_while_it_is_there(
    tmp_path: Path,
) -> None:
    desk = Desk(tmp_path / "HALT")
    (tmp_path / "HALT").touch()
    for _ in range(ASKED_LOOKS_MAX - 1):
        desk.file.look()
    assert len(desk.asked) == 1
    desk.halted = True
    for _ in range(3 * ASKED_LOOKS_MAX):
        desk.file.look()
    assert len(desk.asked) == 1
    desk.halted = False  # somebody reset it
    desk.file.look()
    assert len(desk.asked) == 2


def test_a_halt_that_did_not_arrive_is_asked_for_again(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "HALT")
    (tmp_path / "HALT").touch()
    for _ in range(2 * ASKED_LOOKS_MAX):
        desk.file.look()
    assert len(desk.asked) == 2


def test_taking_it_away_asks_for_nothing_and_a_new_one_is_journaled_though_halted(
    tmp_path: Path,
) -> None:
    desk = Desk(tmp_path / "HALT")
    (tmp_path / "HALT").touch()
    desk.file.look()
    desk.halted = True
    (tmp_path / "HALT").unlink()
    desk.file.look()
    assert len(desk.asked) == 1
    (tmp_path / "HALT").write_text("again")
    desk.file.look()
    assert [fact.reason for fact in desk.asked] == ["it says no reason", "again"]


def test_whatever_has_the_name_halts(tmp_path: Path) -> None:
    made: dict[str, Callable[[Path], object]] = {
        "folder": Path.mkdir,
        "pipe": os.mkfifo,
        "broken link": lambda path: path.symlink_to(tmp_path / "nowhere"),
        "binary": lambda path: path.write_bytes(b"\xff\xfe" * 9_000),
    }
    for name, make in made.items():
        path = tmp_path / name / "HALT"
        path.parent.mkdir()
        make(path)
        desk = Desk(path)
        desk.file.look()
        assert len(desk.asked) == 1, name
        assert desk.asked[0].reason.isprintable()
