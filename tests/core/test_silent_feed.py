"""An activity feed that does not answer: no second source, whether it was ever read or not."""

import pytest

from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary.orders import Severity
from fuseboard.vocabulary.postures import Posture
from tests.core.compared import Compared, latched, policy_of, stages

FOUND, RESOLVED = [("found", "activity feed")], [("resolved", "activity feed")]
ABSENT = {"newest": "", "problem": "absent"}


@pytest.mark.parametrize("answer", [{}, ABSENT])
def test_a_first_question_that_is_not_answered_tightens_until_it_is(answer: dict[str, str]) -> None:
    desk = Compared(feed=False)
    desk.agrees = True
    assert stages(desk.passes(299)) == []
    effects = desk.passes(6)
    assert stages(effects) == FOUND
    (alert,) = [e for e in effects if isinstance(e, fx.RaiseAlert)]
    assert (alert.severity, alert.text) == (
        Severity.WARNING,
        "the activity feed has not answered for 300 s",
    )
    assert desk.posture() is Posture.REDUCE_ONLY
    assert stages(desk.feed(**answer)) == RESOLVED, "a broker without a feed has answered, too"
    assert desk.posture() is Posture.OPEN


def test_a_first_question_that_stays_unanswered_halts_where_the_policy_says_so() -> None:
    desk = Compared(policy_of("halt"), feed=False)
    desk.passes(310)
    assert not latched(desk.said)
    desk.passes(90)
    assert latched(desk.said)


def test_a_feed_that_had_ceased_has_still_ceased_when_a_restart_asks_again() -> None:
    desk = Compared()
    desk.passes(30)
    assert stages(desk.feed(**ABSENT)) == FOUND
    desk.restarted()
    silent = desk.passes(345)
    assert stages(silent) == []
    assert stages(desk.feed(**ABSENT)) == [], "it was read once: nobody said that it agrees"
    assert desk.standing() == ["activity feed"]
    assert desk.posture() is Posture.REDUCE_ONLY


def test_a_broker_that_said_it_has_no_feed_is_not_waited_for() -> None:
    desk = Compared(feed=False)
    desk.agrees = True
    desk.feed(**ABSENT)
    assert stages(desk.passes(400)) == []
    assert desk.kernel._state.copy.asking
    assert desk.posture() is Posture.OPEN
