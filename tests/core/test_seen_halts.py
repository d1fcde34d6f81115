"""A reset lifts what its author saw, and not a halt of the scope that came after."""

from msgspec import structs

from fuseboard.core.kernel import Kernel
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary.postures import HaltLevel, Posture
from tests.core.test_known_failures import Desk
from tests.core.test_operators import CALM, asked, reset


def refusal(desk: Desk, seen: int | None, scope: str = "account") -> str:
    """What a reset is refused with that names the halt which was seen; empty when it is taken."""
    effects = desk.take(structs.replace(reset(scope), seen_epoch=seen))
    (answer,) = [effect for effect in effects if isinstance(effect, fx.AnswerOperator)]
    return "" if answer.accepted else answer.message


def test_a_halt_after_the_one_that_was_seen_refuses_the_reset_by_who_halted() -> None:
    desk = Desk(CALM)
    desk.take(asked(HaltLevel.HALT, operator="ann"))
    seen = desk.kernel.halt_epoch()
    desk.take(asked(HaltLevel.HALT, operator="bob"))
    desk.kernel = Kernel.restored(desk.kernel.snapshot())
    assert refusal(desk, seen) == (
        f"account was halted after you looked (halt {seen + 1}, you saw {seen}): bob: drill: see"
        " `fuseboard status`, then reset again"
    )
    assert desk.kernel._state.postures["account"] is Posture.HALTED
    assert refusal(desk, desk.kernel.halt_epoch()) == ""
    assert desk.kernel._state.postures == {}


def test_a_reset_that_names_no_halt_lifts_what_is_there() -> None:
    desk = Desk(CALM)
    desk.take(asked(HaltLevel.HALT))
    assert refusal(desk, None) == ""


def test_a_later_halt_of_another_scope_refuses_nothing() -> None:
    desk = Desk(CALM)
    desk.take(asked(HaltLevel.HALT, "symbol:AAPL"))
    seen = desk.kernel.halt_epoch()
    desk.take(asked(HaltLevel.HALT, "symbol:MSFT"))
    assert refusal(desk, seen, "symbol:AAPL") == ""
    assert desk.kernel._state.postures == {"symbol:MSFT": Posture.HALTED}


def test_what_was_cleared_is_no_later_halt() -> None:
    desk = Desk(CALM)
    desk.take(asked(HaltLevel.HALT))
    assert refusal(desk, None) == ""
    assert desk.kernel._state.last_halts == {}
    assert "is not halted" in refusal(desk, 0), "nor is it one for who saw an old status"
