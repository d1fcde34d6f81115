"""A reset stands on books that were compared with the broker's after what it lifts was halted."""

from msgspec import structs

from fuseboard.core.kernel import Kernel
from fuseboard.core.resets import NOT_COMPARED
from fuseboard.policy.limits import Limits
from fuseboard.policy.policy import Policy
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.operator_inputs import OperatorResetRequested
from fuseboard.vocabulary.postures import HaltLevel, Posture
from fuseboard.vocabulary.reasons import Reason
from tests.core.compared import policy_of
from tests.core.test_known_failures import SECOND, Desk
from tests.core.test_operators import CALM, asked, reset

COMPARE = fx.ReadAccount(positions=True)


def halted(policy: Policy = CALM, *, held: int = 0) -> Desk:
    """A desk whose account a person halted, and whose broker tells nothing by itself."""
    desk = Desk(policy, held=held)
    desk.answers = False
    assert desk.take(asked(HaltLevel.HALT)).count(COMPARE) == 1, "asked at once"
    return desk


def refusal(desk: Desk, fact: OperatorResetRequested | None = None) -> str:
    (answer,) = [e for e in desk.take(fact or reset()) if isinstance(e, fx.AnswerOperator)]
    return "" if answer.accepted else answer.message


def told(desk: Desk, halt_epoch: int | None) -> None:
    """The broker's answer to a reading that began under this halt."""
    desk.take(structs.replace(desk.own_positions(), halt_epoch=halt_epoch))


def test_it_is_refused_until_the_broker_has_answered_and_says_what_is_waited_for() -> None:
    desk = halted()
    assert refusal(desk).startswith(f"{NOT_COMPARED}: the broker was asked and has not answered")
    assert desk.kernel._state.postures["account"] is Posture.HALTED
    desk.now_ns += 60 * SECOND
    desk.take(facts.TimeAdvanced())
    assert refusal(desk).startswith(NOT_COMPARED), "time alone compares nothing"
    desk.take(facts.BrokerStreamChanged(connected=False))
    assert refusal(desk) == (
        f"{NOT_COMPARED}: the broker's order stream is lost; reset again once it is back"
    )
    desk.take(facts.BrokerStreamChanged(connected=True))
    told(desk, desk.kernel.halt_epoch())
    assert refusal(desk) == ""


def test_an_answer_that_was_on_its_way_when_the_halt_came_is_none() -> None:
    desk = halted()
    before = desk.kernel.halt_epoch()
    desk.take(asked(HaltLevel.HALT, operator="bob"))
    told(desk, before)
    assert refusal(desk).startswith(NOT_COMPARED)
    desk.kernel = Kernel.restored(desk.kernel.snapshot())
    assert refusal(desk).startswith(NOT_COMPARED), "a snapshot knows it too"
    told(desk, desk.kernel.halt_epoch())
    assert refusal(desk) == ""


def test_what_the_comparison_finds_halts_anew_and_a_person_who_did_not_see_that_is_refused() -> (
    None
):
    desk = halted(Policy(limits=Limits()), held=100)
    seen = desk.kernel.halt_epoch()
    desk.held = 40
    at = desk.own_positions().positions[0]
    short = facts.PositionsSeen(
        positions=(structs.replace(at, quantity_nanos=at.quantity_nanos // 2),), halt_epoch=seen
    )
    effects = desk.take(short)
    assert [e.reason for e in effects if isinstance(e, fx.LatchHalt)] == [Reason.POSITION_MISMATCH]
    timed = structs.replace(COMPARE, timed=True)
    assert effects.count(timed) == 1, "the new halt asks again, by the broker's clock"
    assert "was halted after you looked" in refusal(desk, structs.replace(reset(), seen_epoch=seen))
    assert refusal(desk).startswith(NOT_COMPARED)
    desk.take(structs.replace(short, halt_epoch=desk.kernel.halt_epoch()))
    assert refusal(desk) == ""


def test_a_kill_starts_no_recovery_on_older_books_and_a_strategys_halt_asks_for_a_reading() -> None:
    desk = halted(policy_of(scheduled=False))
    desk.take(asked(HaltLevel.KILL))
    assert COMPARE not in desk.take(asked(HaltLevel.HALT, "strategy:alpha"))
    assert desk.kernel._state.compare_asked, "with the next reading"
    assert refusal(desk).startswith(NOT_COMPARED)
    assert refusal(desk, reset("strategy:alpha")) == "", "the account trades on the same books"
    told(desk, desk.kernel.halt_epoch())
    assert refusal(desk) == ""


def test_what_was_halted_before_a_start_waits_for_the_comparison_of_the_start() -> None:
    desk = halted()
    desk.kernel = Kernel.restored(desk.kernel.snapshot())
    desk.take(facts.NodeStarted(instance="deskdesk", account="A1", release="0"))
    desk.take(facts.BrokerStreamChanged(connected=True))
    assert "has not finished comparing its books" in refusal(desk)
    desk.account()
    told(desk, 0)  # since this start nothing was halted: the outlet knows of no halt
    assert refusal(desk) == ""


def test_halts_of_one_step_ask_for_one_comparison() -> None:
    desk = halted()
    desk.take(facts.NodeFaulted(detail="x"))
    both = desk.take(asked(HaltLevel.FLATTEN))
    assert both.count(COMPARE) == 1
