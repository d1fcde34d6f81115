"""Comparisons that are asked for and never done: a page and reductions only, until one is done."""

from fuseboard.core.comparing import LATE_AFTER, LATE_NS_MIN
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Severity, Side
from fuseboard.vocabulary.postures import Posture
from fuseboard.vocabulary.reasons import Reason
from tests.core.compared import Compared, policy_of
from tests.core.test_known_failures import SECOND, denied, submitted

LATE_S = (LATE_NS_MIN * 2) // SECOND
"""With the usual `every` of half a minute."""


def told(effects: list[fx.Effect] | tuple[fx.Effect, ...]) -> list[Severity]:
    return [
        e.severity
        for e in effects
        if isinstance(e, fx.RaiseAlert) and e.code is Reason.COMPARISON_LATE
    ]


def unanswered(desk: Compared) -> list[fx.Effect]:
    """Time passes until a comparison is asked for; then its bound, but for a moment."""
    while not desk.kernel._state.uncompared_boot_ns:
        desk.passes(1)
    return desk.passes(LATE_S - 1)


def test_a_comparison_that_is_never_done_pages_once_and_lets_only_reductions_pass() -> None:
    desk = Compared(held=100)
    assert told(unanswered(desk)) == []
    assert desk.posture() is Posture.OPEN
    effects = desk.passes(6)
    assert told(effects) == [Severity.PAGE]
    assert desk.posture() is Posture.REDUCE_ONLY
    assert denied(desk.order(Side.BUY, NANOS)) == [Reason.POSTURE_REDUCE_ONLY]
    assert submitted(desk.order(Side.SELL, NANOS)), "exits are not trapped"
    assert told(desk.passes(300)) == [], "said once"


def test_the_first_comparison_that_is_done_lets_on_and_says_so() -> None:
    desk = Compared(held=100)
    unanswered(desk)
    desk.passes(6)
    assert told(desk.positions(100)) == [Severity.INFO]
    assert desk.posture() is Posture.OPEN
    assert told(unanswered(desk)) == [], "counted anew"
    assert told(desk.passes(6)) == [Severity.PAGE]


def test_a_comparison_that_finds_a_difference_is_done_all_the_same() -> None:
    desk = Compared(policy_of("halt"), held=100)
    unanswered(desk)
    desk.passes(6)
    assert told(desk.positions(40)) == [Severity.INFO]
    assert desk.posture() is Posture.HALTED


def test_an_answer_that_is_to_be_looked_at_again_is_no_comparison() -> None:
    desk = Compared(held=100)
    desk.working("b1")
    unanswered(desk)
    desk.positions(40)
    assert desk.kernel._state.compare_again_boot_ns, "an order works: it may be a fill on its way"
    assert told(desk.passes(6)) == [Severity.PAGE]


def test_without_a_schedule_what_is_asked_for_is_waited_for_just_the_same() -> None:
    desk = Compared(policy_of(scheduled=False))
    assert told(desk.passes(200)) == [], "nothing was asked for"
    desk.quote("AAPL", 250)
    desk.working("b1")
    desk.take(facts.BrokerStreamChanged(connected=False))
    desk.take(facts.BrokerStreamChanged(connected=True))
    assert told(desk.passes(LATE_S - 1)) == []
    assert told(desk.passes(6)) == [Severity.PAGE], "the order that is looked for is never found"


def test_a_short_schedule_is_given_half_a_minute_and_a_long_one_two_rounds() -> None:
    short, long = (Compared(policy_of(every_ns=every * SECOND)) for every in (7, 600))
    for desk, bound_ns in ((short, LATE_NS_MIN), (long, LATE_AFTER * 600 * SECOND)):
        while not desk.kernel._state.uncompared_boot_ns:
            desk.passes(1)
        assert told(desk.passes(bound_ns // SECOND - 1)) == []
        assert told(desk.passes(6)) == [Severity.PAGE]


def test_a_start_that_is_not_compared_yet_is_halted_and_pages_nobody() -> None:
    desk = Compared(held=100)
    desk.take(facts.NodeStarted(instance="deskdesk", account="A1", release="0"))
    assert told(desk.passes(3 * LATE_S)) == []
    assert desk.posture() is Posture.HALTED


def test_a_restart_waits_anew_and_the_last_comparison_is_known() -> None:
    desk = Compared(held=100)
    before_ns = desk.kernel.compared_wall_ns()
    assert before_ns
    unanswered(desk)
    desk.passes(6)
    assert desk.kernel.compared_wall_ns() == before_ns, "nothing was compared since"
    said = len(desk.said)
    desk.restarted()
    assert told(desk.said[said:]) == [Severity.INFO]
    assert desk.posture() is Posture.OPEN, "each start compares first"
    assert desk.kernel.compared_wall_ns() > before_ns
