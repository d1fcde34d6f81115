"""What another writer latches while the gateway runs becomes an input, once."""

from pathlib import Path

import pytest

from fuseboard.halts.block import LATCHES_PER_SLOT_MAX, SLOTS, Slot
from fuseboard.halts.register import HaltsRegister
from fuseboard.runtime.register_watch import RegisterWatch
from fuseboard.vocabulary.effects import ClearHalt, LatchHalt
from fuseboard.vocabulary.inputs import Input, NodeStarted
from fuseboard.vocabulary.operator_inputs import OperatorHaltRequested
from fuseboard.vocabulary.postures import HaltLevel
from fuseboard.vocabulary.reasons import Reason
from tests.core.test_known_failures import Desk
from tests.core.test_operators import reset
from tests.halts.making import MOMENT, halt


def made(path: Path) -> tuple[HaltsRegister, RegisterWatch, list[Input]]:
    HaltsRegister.create(path)
    register = HaltsRegister(path, Slot.GATEWAY, lifts=SLOTS)
    offered: list[Input] = []

    def offer(fact: Input) -> bool:
        offered.append(fact)
        return True

    return register, RegisterWatch(register, offer, started=started(register)), offered


def started(register: HaltsRegister) -> NodeStarted:
    """What a start tells of the register as it is."""
    latched, unreadable = register.at_start()
    return NodeStarted(
        instance="deskdesk",
        account="A1",
        release="0",
        latched=latched,
        register_unreadable=unreadable,
    )


def test_a_latch_of_another_writer_is_offered_once(tmp_path: Path) -> None:
    register, watch, offered = made(tmp_path / "register")
    watch.look()
    assert offered == []
    register.latch(halt("strategy:own"), MOMENT)
    watch.look()
    assert offered == []
    HaltsRegister(tmp_path / "register", Slot.OPERATOR).latch(halt("symbol:AAPL"), MOMENT)
    watch.look()
    watch.look()
    (asked,) = offered
    assert isinstance(asked, OperatorHaltRequested)
    assert (asked.scope, asked.level) == ("symbol:AAPL", HaltLevel.HALT)


def test_an_overflow_of_their_slot_asks_to_close_only_what_somebody_asked_to_close(
    tmp_path: Path,
) -> None:
    _register, watch, offered = made(tmp_path / "register")
    theirs = HaltsRegister(tmp_path / "register", Slot.OPERATOR)
    for number in range(LATCHES_PER_SLOT_MAX):
        theirs.latch(halt(f"symbol:{number}"), MOMENT)
    theirs.latch(halt("symbol:AAPL", level=HaltLevel.FLATTEN), MOMENT)
    watch.look()
    asked = [each for each in offered if isinstance(each, OperatorHaltRequested)]
    assert [(each.scope, each.level) for each in asked] == [
        ("account", HaltLevel.HALT),
        ("symbol:AAPL", HaltLevel.FLATTEN),
    ]


@pytest.mark.parametrize("when", ["before", "between"])
def test_a_latch_that_was_there_at_the_start_is_the_starts_business(
    tmp_path: Path, when: str
) -> None:
    """What came between the start's reading and the watch's first is news."""
    HaltsRegister.create(tmp_path / "register")
    theirs = HaltsRegister(tmp_path / "register", Slot.OPERATOR)
    offered: list[Input] = []

    def offer(fact: Input) -> bool:
        offered.append(fact)
        return True

    register = HaltsRegister(tmp_path / "register", Slot.GATEWAY)
    if when == "before":
        theirs.latch(halt(), MOMENT)
    told = started(register)
    if when == "between":
        theirs.latch(halt(), MOMENT)
    RegisterWatch(register, offer, started=told).look()
    assert len(offered) == (when == "between")


@pytest.mark.parametrize("was_told", [True, False])
def test_damage_that_a_start_did_not_tell_of_is_news(tmp_path: Path, *, was_told: bool) -> None:
    register, _watch, offered = made(tmp_path / "register")
    told = started(register)
    (tmp_path / "register").unlink()
    told = started(register) if was_told else told

    def offer(fact: Input) -> bool:
        offered.append(fact)
        return True

    RegisterWatch(register, offer, started=told).look()
    assert len(offered) == (not was_told)


def test_a_person_resets_what_another_writer_latched_twice(tmp_path: Path) -> None:
    register, watch, offered = made(tmp_path / "register")
    theirs = HaltsRegister(tmp_path / "register", Slot.OPERATOR)
    for _ in range(2):
        theirs.latch(halt(), MOMENT)
    watch.look()
    desk = Desk()
    effects = [effect for fact in offered for effect in desk.take(fact)]
    latch = next(effect for effect in effects if isinstance(effect, LatchHalt))
    assert latch.reason is Reason.DRAWDOWN, "as the register has it"
    register.latch(latch, MOMENT)
    effects = list(desk.take(reset()))
    clear = next(effect for effect in effects if isinstance(effect, ClearHalt))
    register.clear(clear.scope, clear.halt_epoch, MOMENT, operator="ann", reason="seen")
    assert not register.halted()


@pytest.mark.parametrize("how", ["damaged", "put back", "gone"])
def test_what_cannot_be_believed_reaches_the_kernel_with_its_reason(
    tmp_path: Path, how: str
) -> None:
    path = tmp_path / "register"
    register, watch, offered = made(path)
    old = path.read_bytes()
    register.latch(halt("symbol:AAPL"), MOMENT)
    watch.look()
    assert offered == []
    if how == "gone":
        path.unlink()
    else:
        with path.open("r+b") as file:
            file.write(old if how == "put back" else b"?")
    watch.look()
    watch.look()
    (asked,) = offered
    assert isinstance(asked, OperatorHaltRequested)
    assert asked.scope == "account"
    rolled_back = how == "put back"
    assert asked.code is (
        Reason.REGISTER_ROLLED_BACK if rolled_back else Reason.REGISTER_UNREADABLE
    )
    desk = Desk()
    desk.take(asked)
    assert desk.kernel._state.latches["account"].reason is asked.code
