import itertools

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from fuseboard.gateway.repeats import Attempt, Repeats, RequestMark

WINDOW_NS = 10
REPEATS_MAX = 3
MARKS = [("key", "POST", "/v2/orders", body) for body in (b"a", b"b", b"c", b"d")] + [
    ("other", "POST", "/v2/orders", b"a")
]


class Line:
    """A connection as the gateway sees it."""

    def __init__(self) -> None:
        self.is_open = True

    def drain(self) -> None:
        self.is_open = False


def _repeats(clock: list[int]) -> Repeats:
    numbers = itertools.count()
    return Repeats(
        repeats_max=REPEATS_MAX,
        window_ns=WINDOW_NS,
        mint=lambda: f"id-{next(numbers)}",
        clock_ns=lambda: clock[0],
    )


def _begun(repeats: Repeats, mark: RequestMark, line: Line | None = None) -> Attempt:
    attempt = repeats.begin(mark, line or Line())
    assert attempt is not None
    return attempt


def test_a_request_whose_answer_was_lost_gets_the_same_id_again() -> None:
    repeats = _repeats([0])
    first = _begun(repeats, MARKS[0])
    repeats.end(first, delivered=False)
    assert _begun(repeats, MARKS[0]).client_order_id == first.client_order_id


def test_identical_requests_under_way_at_once_are_as_many_requests() -> None:
    repeats = _repeats([0])
    ids = {_begun(repeats, MARKS[0]).client_order_id for _ in range(REPEATS_MAX)}
    assert len(ids) == REPEATS_MAX


@pytest.mark.parametrize("late_ns", [0, 100 * WINDOW_NS])
def test_a_request_whose_connection_closed_before_its_answer_is_repeated_once(late_ns: int) -> None:
    clock, line = [0], Line()
    repeats = _repeats(clock)
    first = _begun(repeats, MARKS[0], line)
    line.is_open = False
    clock[0] = late_ns
    second, third = _begun(repeats, MARKS[0]), _begun(repeats, MARKS[0])
    assert second.client_order_id == first.client_order_id
    assert third.client_order_id != first.client_order_id
    repeats.end(first, delivered=False)
    assert _begun(repeats, MARKS[0]).client_order_id != first.client_order_id, "taken over"


def test_the_end_of_an_attempt_that_was_taken_over_changes_nothing() -> None:
    repeats, line = _repeats([0]), Line()
    first = _begun(repeats, MARKS[0], line)
    line.is_open = False
    second = _begun(repeats, MARKS[0])
    repeats.end(first, delivered=True)
    repeats.end(second, delivered=False)
    assert _begun(repeats, MARKS[0]).client_order_id == first.client_order_id


def test_two_lost_requests_and_two_repeats_are_two_requests() -> None:
    repeats = _repeats([0])
    lost = [_begun(repeats, MARKS[0]) for _ in range(2)]
    for each in lost:
        repeats.end(each, delivered=False)
    again = [_begun(repeats, MARKS[0]).client_order_id for _ in range(2)]
    assert again == [each.client_order_id for each in lost]


def test_a_lost_repeat_is_repeated_in_its_turn() -> None:
    repeats = _repeats([0])
    ids = []
    for _ in range(4):
        attempt = _begun(repeats, MARKS[0])
        ids.append(attempt.client_order_id)
        repeats.end(attempt, delivered=False)
    assert len(set(ids)) == 1


def test_a_request_whose_answer_was_delivered_is_a_new_one_when_it_comes_again() -> None:
    repeats = _repeats([0])
    first = _begun(repeats, MARKS[0])
    repeats.end(first, delivered=True)
    assert _begun(repeats, MARKS[0]).client_order_id != first.client_order_id


def test_after_the_window_a_request_is_a_new_one() -> None:
    clock = [0]
    repeats = _repeats(clock)
    first = _begun(repeats, MARKS[0])
    repeats.end(first, delivered=False)
    clock[0] = WINDOW_NS
    second = _begun(repeats, MARKS[0])
    assert second.client_order_id == first.client_order_id
    repeats.end(second, delivered=False)
    clock[0] += WINDOW_NS + 1
    assert _begun(repeats, MARKS[0]).client_order_id != first.client_order_id


def test_the_same_body_by_another_key_is_another_request() -> None:
    repeats = _repeats([0])
    repeats.end(_begun(repeats, MARKS[0]), delivered=False)
    assert _begun(repeats, MARKS[4]).client_order_id == "id-1"


def test_a_full_table_refuses_and_forgets_nothing_that_could_be_repeated() -> None:
    clock = [0]
    repeats = _repeats(clock)
    lost = [_begun(repeats, mark) for mark in MARKS[:REPEATS_MAX]]
    for each in lost:
        repeats.end(each, delivered=False)
    assert repeats.begin(MARKS[3], Line()) is None
    again = [_begun(repeats, mark) for mark in MARKS[:REPEATS_MAX]]
    assert [a.client_order_id for a in again] == [b.client_order_id for b in lost]


def test_what_has_expired_makes_room() -> None:
    clock = [0]
    repeats = _repeats(clock)
    for mark in MARKS[:REPEATS_MAX]:
        repeats.end(_begun(repeats, mark), delivered=False)
    clock[0] = WINDOW_NS + 1
    assert repeats.begin(MARKS[3], Line()) is not None
    assert len(repeats) == 1


class _Modelled:
    """One attempt of the model: what happened to it, told in full."""

    def __init__(self, which: int, attempt: Attempt, line: Line) -> None:
        self.which = which
        self.attempt = attempt
        self.line = line
        self.running = True
        self.delivered = False
        self.lost_ns: int | None = None
        self.taken_over = False


class RepeatsAgainstAModel(RuleBasedStateMachine):
    """The model keeps every attempt there ever was and judges each new one by that history."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = [0]
        self.repeats = _repeats(self.clock)
        self.history: list[_Modelled] = []

    def _may_be_repeated(self, each: _Modelled) -> bool:
        if each.taken_over or each.delivered:
            return False
        if each.running:
            return not each.line.is_open
        return each.lost_ns is not None and self.clock[0] - each.lost_ns <= WINDOW_NS

    def _is_kept(self, each: _Modelled) -> bool:
        return not each.taken_over and (each.running or self._may_be_repeated(each))

    @rule(which=st.integers(0, len(MARKS) - 1))
    def a_request_begins(self, which: int) -> None:
        lost = [e for e in self.history if e.which == which and self._may_be_repeated(e)]
        is_full = sum(self._is_kept(each) for each in self.history) >= REPEATS_MAX
        line = Line()
        given = self.repeats.begin(MARKS[which], line)
        if given is None:
            assert is_full
            assert not lost
            return
        taken = [e for e in lost if e.attempt.client_order_id == given.client_order_id]
        if lost:
            assert len(taken) == 1
            taken[0].taken_over = True
        else:
            assert not is_full
            assert given.client_order_id not in {e.attempt.client_order_id for e in self.history}
        self.history.append(_Modelled(which, given, line))

    @rule(data=st.data())
    def a_connection_closes(self, data: st.DataObject) -> None:
        standing = [each for each in self.history if each.running and each.line.is_open]
        if standing:
            data.draw(st.sampled_from(standing)).line.is_open = False

    @rule(data=st.data())
    def a_request_ends(self, data: st.DataObject) -> None:
        running = [each for each in self.history if each.running]
        if not running:
            return
        each = data.draw(st.sampled_from(running))
        each.running = False
        each.delivered = each.line.is_open
        if not each.delivered:
            each.lost_ns = self.clock[0]
        self.repeats.end(each.attempt, delivered=each.delivered)

    @rule(step=st.integers(1, WINDOW_NS + 2))
    def time_passes(self, step: int) -> None:
        self.clock[0] += step

    @invariant()
    def the_table_is_bounded(self) -> None:
        assert len(self.repeats) <= REPEATS_MAX

    @invariant()
    def of_each_id_one_attempt_at_most_can_still_be_answered(self) -> None:
        standing = [e.attempt.client_order_id for e in self.history if e.running and e.line.is_open]
        assert len(standing) == len(set(standing))


RepeatsAgainstAModel.TestCase.settings = settings(max_examples=150, deadline=None)


@pytest.mark.no_cover  # the tests above run the same lines
class TestRepeatsAgainstAModel(RepeatsAgainstAModel.TestCase):  # type: ignore[misc,valid-type]
    pass
