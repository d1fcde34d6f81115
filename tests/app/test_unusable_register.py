"""A halts register that is none any more: `status`, `verify`, `run` and `init` say one way on."""

import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from fuseboard.app.lost_register import usable_register
from fuseboard.control.state_directory import StateDirectory, StateRefused
from fuseboard.halts.block import BLOCK_BYTES, REGISTER_BYTES, Slot, offset_of
from fuseboard.halts.register import HaltsRegister
from fuseboard.vocabulary.operator_inputs import OperatorResetRequested
from tests.app.command_line import CommandLine
from tests.app.lived import halt, live
from tests.app.test_next_start import COMPARED
from tests.app.test_read_only_disk import read_only

KILL = ("halt", "--level", "kill", "--operator", "Ada", "--reason", "storm")
Break = Callable[[Path], object]


def of_length(length: int) -> Break:
    return lambda register: os.truncate(register, length)


def no_file(register: Path) -> None:
    register.unlink()
    register.mkdir()


UNUSABLE: dict[str, Break] = {
    "empty": of_length(0),
    "short": of_length(100),
    "half": of_length(REGISTER_BYTES // 2),
    "one byte less": of_length(REGISTER_BYTES - 1),
    "one byte more": of_length(REGISTER_BYTES + 1),
    "a folder": no_file,
}


def killed(fuseboard: CommandLine) -> StateDirectory:
    """A state whose register and history know a kill that the journal does not."""
    assert fuseboard.on_state("init").code == 0
    assert fuseboard.on_state(*KILL).code == 0
    return StateDirectory(fuseboard.state)


@pytest.mark.parametrize("fault", UNUSABLE)
def test_what_cannot_be_a_register_is_set_aside_and_what_its_history_knows_is_latched(
    fuseboard: CommandLine, fault: str
) -> None:
    state = killed(fuseboard)
    assert usable_register(state) == (), "a sound one stays"
    UNUSABLE[fault](state.register_file)
    before = fuseboard.on_state("status").out
    assert before.startswith("posture   KILLED"), before
    assert "next      `fuseboard run`, then `fuseboard reset" in before
    assert fuseboard.on_state("verify").code == 1

    (said,) = usable_register(state)
    (aside,) = state.path.glob("halts.register.damaged-*")
    assert str(aside) in said
    with closing(HaltsRegister(state.register_file, Slot.GATEWAY)) as register:
        held = {(at.slot, at.scope, at.level.name) for at in register.latched()}
    assert held == {(Slot.OPERATOR, "account", "KILL")}
    after = fuseboard.on_state("status").out
    assert after.startswith("posture   KILLED"), after
    assert fuseboard.on_state("verify").code == 0, "it is sound, and agrees with its history"


@pytest.mark.parametrize("by_init", [False, True])
def test_the_reason_is_that_it_could_not_be_read_until_a_reset(
    fuseboard: CommandLine, by_init: bool
) -> None:
    assert fuseboard.on_state("init").code == 0
    state = StateDirectory(fuseboard.state)
    reset = OperatorResetRequested(request=2, operator="ann", reason="seen", scope="account")
    live(state, *COMPARED, halt(), *COMPARED, reset)
    shown = fuseboard.on_state("status").out
    assert shown.startswith("posture   HALTED: no gateway runs; the next start"), shown
    os.truncate(state.register_file, 100)
    why = "why       account: HALTED, the halts register is absent or unreadable"
    assert why in fuseboard.on_state("status").out
    if by_init:
        assert fuseboard.on_state("init").code == 0
    else:
        usable_register(state)
    assert why in fuseboard.on_state("status").out
    live(state)
    assert why in fuseboard.on_state("status").out
    live(state, *COMPARED, reset)
    shown = fuseboard.on_state("status").out
    assert shown.startswith("posture   HALTED: no gateway runs; the next start"), shown


def test_a_register_that_is_missing_is_made_by_init_and_status_says_so(
    fuseboard: CommandLine,
) -> None:
    state = killed(fuseboard)
    state.register_file.unlink()
    assert fuseboard.on_state("verify").code == 1
    shown = fuseboard.on_state("status").out
    assert shown.startswith("posture   KILLED"), shown
    assert "next      `fuseboard init`, then `fuseboard run`, then `fuseboard reset" in shown
    with pytest.raises(StateRefused, match="is missing: make a new one, halted, with"):
        usable_register(state)
    assert fuseboard.on_state("init").code == 0
    shown = fuseboard.on_state("status").out
    assert shown.startswith("posture   KILLED"), shown
    assert "next      `fuseboard run`, then `fuseboard reset" in shown


def test_a_halt_that_finds_no_register_says_how_there_is_one(fuseboard: CommandLine) -> None:
    state = killed(fuseboard)
    os.truncate(state.register_file, 100)
    said = fuseboard.refused(*KILL, "--state", fuseboard.state)
    assert "`fuseboard run` makes it again and comes up halted, ask again then" in said
    assert "Start no gateway" not in said


def test_init_sets_aside_what_cannot_be_a_register(fuseboard: CommandLine) -> None:
    state = killed(fuseboard)
    os.truncate(state.register_file, 100)
    done = fuseboard.on_state("init")
    assert done.code == 0
    (aside,) = state.path.glob("halts.register.damaged-*")
    assert aside.name in done.out
    assert fuseboard.on_state("status").out.startswith("posture   KILLED")
    assert "already holds state" in fuseboard.refused("init", "--state", fuseboard.state)


def test_a_damaged_slot_hides_no_latch_that_the_history_knows(fuseboard: CommandLine) -> None:
    state = killed(fuseboard)
    with state.register_file.open("r+b") as file:
        file.seek(offset_of(Slot.OPERATOR, 0))
        file.write(bytes(2 * BLOCK_BYTES))
    shown = fuseboard.on_state("status").out
    assert shown.startswith("posture   KILLED"), shown
    found = fuseboard.on_state("verify")
    assert (found.code, "absent, short or damaged" in found.out) == (1, True)
    assert usable_register(state) == (), "damage serves: a latch mends it"


def test_a_register_that_may_not_be_written_is_refused_with_a_way_on(
    fuseboard: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = killed(fuseboard)
    image = state.register_file.read_bytes()
    read_only(monkeypatch)
    with pytest.raises(StateRefused, match=r"cannot be written \(Read-only file system\)"):
        usable_register(state)
    assert state.register_file.read_bytes() == image


def test_a_halt_after_a_kill_does_not_loosen_what_the_history_knows(
    fuseboard: CommandLine,
) -> None:
    state = killed(fuseboard)
    assert fuseboard.on_state("halt", "--operator", "Ben", "--reason", "too").code == 0
    os.truncate(state.register_file, 0)
    usable_register(state)
    assert fuseboard.on_state("status").out.startswith("posture   KILLED")
