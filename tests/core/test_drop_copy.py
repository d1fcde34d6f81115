"""The broker's activity feed against our own record of fills: what each may miss, or say twice."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuseboard.core import drop_copy
from fuseboard.core.kernel import Kernel
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.operator_inputs import OperatorResetRequested
from fuseboard.vocabulary.orders import OrderStatus, Severity, Side
from fuseboard.vocabulary.postures import Posture
from fuseboard.vocabulary.reasons import Reason
from tests.core.compared import PRICE, Compared, finds, latched, policy_of, stages
from tests.core.test_known_failures import SECOND, denied, submitted


def test_the_first_reading_takes_the_place_and_each_later_one_goes_on_from_before_it() -> None:
    desk = Compared(feed=False)
    assert desk.asked() == fx.ReadExecutions(after=None)
    desk.tells("of-the-past", 5)
    desk.feed()
    desk.passes(30)
    assert desk.asked() == fx.ReadExecutions(after="e0000")
    desk.feed()
    desk.tells("b1", 1)
    desk.passes(30)
    assert desk.asked().after == "e0000"
    desk.feed()
    desk.passes(30)
    assert desk.asked().after == "e0000", "one reading back: what is told late is seen"
    assert desk.standing() == ["fill b1"]


def test_a_fill_that_both_tell_leaves_nothing_behind_whoever_is_first() -> None:
    for feed_first in (True, False):
        desk = Compared()
        order = desk.working("b1")
        desk.tells("b1", 10)
        if feed_first:
            desk.reading()
        desk.filled(order, "b1", 10)
        effects = [*desk.passes(1)]
        if not feed_first:
            effects += desk.reading()
        assert desk.kernel._state.copy.apart == {}
        assert stages(effects) == [], "half a second was not over, or nothing ever differed"
        assert desk.posture() is Posture.OPEN


def test_a_fill_that_the_stream_left_out_is_told_proven_and_adopted() -> None:
    desk = Compared()
    order = desk.working("b1")
    desk.tells("b1", 10)
    at_once = desk.reading()
    assert stages(at_once) == [], "the stream may be a moment behind"
    assert finds(at_once) == []
    later = desk.passes(1)
    assert stages(later) == [("found", "fill b1")]
    assert finds(later) == [order.order_id]
    assert desk.posture() is Posture.REDUCE_ONLY
    assert denied(desk.order(Side.BUY, NANOS)) == [Reason.POSTURE_REDUCE_ONLY]
    assert desk.held_nanos() == 0, "the feed alone proves nothing"
    effects = desk.found(order, "b1", 10)
    assert stages(effects) == [("adopted", "fill b1")]
    assert desk.held_nanos() == 10 * NANOS
    assert desk.posture() is Posture.REDUCE_ONLY, "until a reading agrees"
    assert stages(desk.reading()) == [("resolved", "fill b1")]
    assert desk.posture() is Posture.OPEN
    assert submitted(desk.order(Side.BUY, NANOS))


def test_a_part_that_the_stream_left_out_of_several_is_found_by_the_sums() -> None:
    desk = Compared()
    order = desk.working("b1")
    desk.filled(order, "b1", 3)
    desk.tells("b1", 3)
    desk.tells("b1", 4, filled=7)
    desk.reading()
    later = desk.passes(1)
    assert stages(later) == [("found", "fill b1")]
    (shown,) = [e for e in later if isinstance(e, fx.PublishDiscrepancy)]
    assert (shown.ours, shown.theirs) == ("0", "4"), "what is not on both sides"
    desk.found(order, "b1", 7)
    assert desk.held_nanos() == 7 * NANOS


def test_a_fill_of_an_order_that_the_order_itself_does_not_know_is_never_adopted() -> None:
    desk = Compared(policy_of("halt"))
    order = desk.working("b1")
    desk.tells("b1", 10)
    desk.reading()
    desk.passes(1)
    desk.found(order, "b1", 0)
    for _ in range(2):
        assert not latched(desk.said)
        desk.reading()
    assert latched(desk.said), "it stood in three comparisons"
    assert desk.held_nanos() == 0
    assert desk.posture() is Posture.HALTED


def test_a_fill_that_only_we_know_stands_once_the_feed_had_half_a_minute() -> None:
    desk = Compared()
    desk.agrees = True
    order = desk.working("b1")
    desk.passes(29)
    desk.filled(order, "b1", 10)
    desk.passes(1)
    assert stages(desk.feed()) == [], "the feed was asked a second after the fill: it may lag"
    effects = desk.reading()
    assert stages(effects) == [("found", "fill b1")]
    assert desk.posture() is Posture.REDUCE_ONLY
    assert desk.held_nanos() == 10 * NANOS, "what the stream told stays ours"
    desk.tells("b1", 10)
    assert stages(desk.reading()) == [("adopted", "fill b1"), ("resolved", "fill b1")]
    assert desk.posture() is Posture.OPEN


def test_an_execution_that_the_feed_tells_twice_is_no_second_fill() -> None:
    desk = Compared()
    order = desk.working("b1", shares=20)
    desk.filled(order, "b1", 10)
    desk.tells("b1", 10, name="a")
    desk.reading()
    desk.told.append(desk.told[-1])
    assert stages(desk.reading()) == [], "the same id is the same execution"
    desk.told.pop()
    desk.tells("b1", 10, filled=10, name="b")
    desk.reading()
    desk.passes(1)
    desk.found(order, "b1", 10)
    assert desk.standing() == ["fill b1"], "another id is another word, and nothing proves it"
    assert desk.held_nanos() == 10 * NANOS


def test_a_report_that_the_stream_tells_twice_counts_once_on_our_side_too() -> None:
    desk = Compared()
    order = desk.working("b1")
    desk.filled(order, "b1", 10)
    desk.filled(order, "b1", 10)
    desk.tells("b1", 10)
    assert stages(desk.reading()) == []
    assert desk.kernel._state.copy.apart == {}


def test_an_execution_of_nobodys_order_tightens_and_is_not_ours() -> None:
    desk = Compared()
    desk.tells("hand", 7)
    desk.reading()
    desk.passes(1)
    assert desk.standing() == ["fill hand"], "no order of ours waits for its id: it needs no more"
    assert desk.held_nanos() == 0
    assert finds(desk.said) == []


def test_an_order_whose_submit_has_no_answer_may_be_whose_it_is_for_ten_seconds() -> None:
    desk = Compared()
    (order,) = submitted(desk.order(Side.BUY, 10 * NANOS))
    desk.take(facts.OrderUnknown(order_id=order.order_id, detail="no answer"))
    desk.tells("b1", 10)
    desk.reading()
    assert stages(desk.passes(8)) == []
    desk.found(order, "b1", 10)
    assert stages(desk.passes(5)) == []
    assert desk.kernel._state.copy.apart == {}
    (other,) = submitted(desk.order(Side.BUY, 10 * NANOS))
    desk.take(facts.OrderUnknown(order_id=other.order_id, detail="no answer"))
    desk.tells("b2", 10)
    desk.reading()
    assert stages(desk.passes(11)) == [("found", "fill b2")]


def test_as_much_at_another_price_is_a_discrepancy_unless_an_average_was_rounded() -> None:
    desk = Compared()
    order = desk.working("b1")
    desk.filled(order, "b1", 10)
    desk.tells("b1", 10, price_nanos=PRICE + 1)
    assert stages(desk.reading()) == [("found", "fill b1")]
    desk = Compared()
    order = desk.working("b1")
    desk.found(order, "b1", 10)
    desk.tells("b1", 10, price_nanos=PRICE + drop_copy.ROUNDING_NANOS)
    assert stages(desk.reading()) == []
    order = desk.working("b2")
    desk.found(order, "b2", 10)
    desk.tells("b2", 10, price_nanos=PRICE + drop_copy.ROUNDING_NANOS + 1)
    assert stages(desk.reading()) == [("found", "fill b2")]


def test_a_restart_reads_on_from_the_last_known_point_and_takes_what_came_meanwhile() -> None:
    desk = Compared()
    order = desk.working("b1")
    desk.reading()
    place = desk.kernel._state.copy.after
    desk.tells("b1", 10)
    desk.restarted()
    assert desk.asked().after == place
    assert finds(desk.said)[-1] == order.order_id
    desk.found(order, "b1", 10)
    desk.account()
    desk.positions(10)
    desk.feed()
    assert desk.held_nanos() == 10 * NANOS
    assert desk.standing() == []
    assert desk.kernel._state.copy.apart == {}


def test_nothing_is_said_of_the_feed_before_the_books_are_compared_and_then_it_is() -> None:
    desk = Compared()
    desk.tells("hand", 10)
    desk.kernel = Kernel.restored(desk.kernel.snapshot())
    desk.take(facts.NodeStarted(instance="deskdesk", account="A1", release="0"))
    desk.feed()
    assert stages(desk.passes(20)) == []
    desk.account()
    desk.positions(0)
    assert desk.standing() == ["fill hand"]


def test_a_feed_that_has_more_is_read_on_at_once_and_judged_when_it_ends() -> None:
    desk = Compared()
    desk.tells("hand", 1)
    desk.passes(30)
    effects = desk.feed(more=True)
    assert effects == (fx.ReadExecutions(after="e0000"),)
    desk.feed()
    assert stages(desk.passes(1)) == [("found", "fill hand")]


def test_a_broker_without_a_feed_is_said_once_and_tightens_nothing() -> None:
    desk = Compared(feed=False)
    absent = {"newest": "", "problem": "absent"}
    (alert,) = [e for e in desk.feed(**absent) if isinstance(e, fx.RaiseAlert)]
    assert (alert.severity, alert.code) == (Severity.WARNING, Reason.DISCREPANCY)
    desk.passes(30)
    assert desk.feed(**absent) == ()
    order = desk.working("b1")
    desk.filled(order, "b1", 10)
    assert desk.kernel._state.copy.apart == {}, "nothing waits for a second word"
    assert desk.posture() is Posture.OPEN


def test_a_feed_that_ceases_or_falls_silent_tightens_until_it_is_read_again() -> None:
    desk = Compared()
    desk.passes(30)
    assert stages(desk.feed(newest="", problem="absent")) == [("found", "activity feed")]
    assert desk.posture() is Posture.REDUCE_ONLY
    desk.passes(30)
    assert stages(desk.feed()) == [("resolved", "activity feed")]
    assert desk.posture() is Posture.OPEN
    silent = desk.passes(345)
    assert stages(silent)[:1] == [("found", "activity feed")]
    assert desk.posture() is Posture.REDUCE_ONLY
    asked = sum(isinstance(effect, fx.ReadExecutions) for effect in silent)
    assert asked == 1, "one question is under way; it is not asked twice"
    assert stages(desk.feed()) == [("resolved", "activity feed")]


def test_a_feed_is_silent_when_a_question_waits_and_not_when_it_is_seldom_asked() -> None:
    desk = Compared(policy_of(every_ns=600 * SECOND))
    for _ in range(2):
        assert stages(desk.passes(600)) == [], "it was not asked until now"
        assert desk.kernel._state.copy.asking
        assert stages(desk.feed()) == []
    desk.passes(600)
    assert stages(desk.passes(299)) == []
    assert stages(desk.passes(6)) == [("found", "activity feed")], "long before the next reading"
    desk.passes(60)
    assert desk.kernel._state.discrepancies["activity feed"].comparisons == 1


def test_a_place_that_the_broker_forgot_is_said_and_the_next_reading_begins_anew() -> None:
    desk = Compared()
    desk.passes(30)
    effects = desk.feed(newest="", problem="lost")
    assert fx.ReadExecutions(after=None) in effects
    assert any(isinstance(effect, fx.RaiseAlert) for effect in effects)
    desk.tells("of-the-past", 5)
    assert stages(desk.feed()) == []


@pytest.mark.parametrize("problem", ["lost", "absent"])
def test_a_lost_place_in_the_feed_ends_no_discrepancy_that_stands(problem: str) -> None:
    desk = Compared()
    desk.agrees = True
    desk.tells("hand", 7)
    desk.reading()
    desk.passes(1)
    assert desk.standing() == ["fill hand"]
    desk.passes(30)
    desk.feed(newest="", problem=problem)
    if problem == "absent":
        desk.passes(30)
    desk.feed()
    assert desk.standing() == ["fill hand"], "nobody agreed"
    desk.reading()
    assert desk.standing() == ["fill hand"]
    assert desk.posture() is Posture.REDUCE_ONLY
    desk.take(OperatorResetRequested(request=1, operator="ann", reason="mine", scope="account"))
    assert desk.standing() == []
    assert desk.posture() is Posture.OPEN


def test_only_a_reading_of_the_feed_is_a_comparison_and_not_a_deadline_between_two() -> None:
    desk = Compared(policy_of("halt"))
    for readings in range(1, 4):
        desk.tells(f"hand{readings}", 7)
        desk.reading()
        desk.passes(2)
        at = desk.kernel._state.discrepancies["fill hand1"]
        assert at.comparisons == readings
        assert latched(desk.said) == (readings == 3)


def test_fills_from_before_the_place_was_known_are_compared_by_the_orders_own_count() -> None:
    desk = Compared(feed=False)
    order = desk.working("b1", shares=10)
    desk.tells("b1", 4)
    desk.feed()
    assert list(desk.kernel._state.copy.apart) == ["b1"]
    desk.filled(order, "b1", 4)
    assert desk.kernel._state.copy.apart == {}


def test_a_reset_of_the_account_takes_the_brokers_word_and_is_evidence_with_a_name() -> None:
    desk = Compared(policy_of("halt"))
    desk.agrees = True
    desk.tells("hand", 7)
    for _ in range(3):
        desk.reading()
    assert desk.posture() is Posture.HALTED
    effects = desk.take(
        OperatorResetRequested(request=1, operator="ann", reason="traded by hand", scope="account")
    )
    (shown,) = [e for e in effects if isinstance(e, fx.PublishDiscrepancy)]
    assert (shown.stage, shown.operator, shown.reason) == ("accepted", "ann", "traded by hand")
    assert desk.posture() is Posture.OPEN
    assert desk.kernel._state.copy.apart == {}
    assert stages(desk.reading()) == []


def test_with_notify_people_are_told_and_nothing_tightens() -> None:
    desk = Compared(policy_of("notify"))
    desk.agrees = True
    desk.tells("hand", 7)
    desk.reading()
    assert any(isinstance(effect, fx.RaiseAlert) for effect in desk.passes(1))
    for _ in range(5):
        desk.reading()
    assert desk.standing() == ["fill hand"]
    assert desk.posture() is Posture.OPEN
    assert not latched(desk.said)


def test_a_cancelled_order_that_filled_after_all_is_found_by_the_feed() -> None:
    desk = Compared()
    order = desk.working("b1")
    desk.take(
        facts.OrderEnded(
            order_id=order.order_id,
            broker_order_id="b1",
            status=OrderStatus.CANCELED,
            filled_quantity_nanos=0,
            filled_price_nanos=0,
        )
    )
    desk.tells("b1", 10)
    desk.reading()
    assert finds(desk.passes(1)) == [order.order_id]
    desk.found(order, "b1", 10)
    assert desk.held_nanos() == 10 * NANOS


def test_what_waits_for_the_feed_is_bounded_and_a_feed_too_far_behind_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(drop_copy, "APART_MAX", 3)
    desk = Compared()
    for number in range(4):
        order = desk.working(f"b{number}")
        desk.filled(order, f"b{number}", 10)
    assert list(desk.kernel._state.copy.apart) == ["b1", "b2", "b3"]
    assert desk.standing() == ["fills that wait"]
    desk.reading()
    assert "fills that wait" in desk.standing(), "the oldest was never compared"


@given(data=st.data(), shares=st.lists(st.integers(1, 5), min_size=1, max_size=6))
def test_in_whatever_order_and_however_often_both_tell_the_same_nothing_stays_apart(
    data: st.DataObject, shares: list[int]
) -> None:
    desk = Compared()
    order = desk.working("b1", shares=sum(shares))
    stream = [(size, sum(shares[: at + 1])) for at, size in enumerate(shares)]
    steps = data.draw(st.permutations([("stream", at) for at in range(len(shares))]))
    steps += data.draw(st.lists(st.sampled_from(steps), max_size=3))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(steps)), max_size=3)))
    told = 0
    for at, (_, number) in enumerate(steps):
        size, so_far = stream[number]
        desk.filled(order, "b1", size, so_far=so_far)
        for _ in range(cuts.count(at)):
            if told < len(shares):
                desk.tells("b1", shares[told], filled=sum(shares[: told + 1]))
                told += 1
            desk.reading()
    for number in range(told, len(shares)):
        desk.tells("b1", shares[number], filled=sum(shares[: number + 1]))
    desk.reading()
    desk.now_ns += SECOND
    assert desk.kernel._state.copy.apart == {}
    desk.reading()
    assert desk.standing() == []
    assert desk.held_nanos() == sum(shares) * NANOS
