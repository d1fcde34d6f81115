"""Whose turn it is in front of a door: in order, beside what hangs, one try kept for the new."""

from hypothesis import given
from hypothesis import strategies as st

from fuseboard.alerts.line import ALERTS_MAX, HANGS_S, Alert, Line


def alert(rank: int = 0) -> Alert:
    return Alert({"text": "told"}, rank=rank, event_ns=0)


def filled(line: Line, ranks: list[int]) -> list[Alert]:
    made = [alert(rank) for rank in ranks]
    for each in made:
        assert line.add(each)
    return made


def test_while_a_try_is_young_nobody_else_begins_and_from_then_on_one_does() -> None:
    line = Line(tries_at_once_max=3)
    first, second = filled(line, [0, 0])
    assert line.begin(10.0) is first
    assert line.begin(10.5) is None
    assert line.rests_s(10.5) == HANGS_S - 0.5
    assert line.begin(10.0 + HANGS_S) is second
    assert (len(line), set(line.untaken())) == (0, {first, second})


def test_when_a_try_is_over_the_next_one_begins_at_once() -> None:
    line = Line(tries_at_once_max=3)
    first, second = filled(line, [0, 0])
    assert line.begin(10.0) is first
    line.end(first)
    assert line.begin(10.0) is second


def test_the_last_try_is_kept_for_what_was_not_tried_yet() -> None:
    line = Line(tries_at_once_max=2)
    hangs, again = filled(line, [0, 0])
    assert line.begin(0.0) is hangs
    again.tries = 1
    assert line.begin(HANGS_S) is None
    assert line.rests_s(HANGS_S) is None, "no time alone brings it its turn"
    new = alert()
    assert line.add(new)
    assert line.begin(HANGS_S) is new
    line.end(new)
    line.end(hangs)
    assert line.begin(HANGS_S) is again, "nothing else is tried"


def test_no_more_tries_than_the_most_are_under_way_however_many_hang() -> None:
    line = Line(tries_at_once_max=2)
    filled(line, [0, 0, 0])
    assert [line.begin(at * HANGS_S) is not None for at in range(4)] == [True, True, False, False]


def test_where_a_line_has_one_try_at_once_what_failed_has_it_too() -> None:
    line = Line(tries_at_once_max=1)
    (again,) = filled(line, [0])
    again.tries = 1
    assert line.begin(0.0) is again


def test_the_most_severe_the_least_tried_and_the_oldest_go_first() -> None:
    line = Line(tries_at_once_max=1)
    info, late, tried, warning = filled(line, [2, 1, 1, 1])
    tried.tries, late.due_s = 1, 5.0
    order = []
    for now_s in (0.0, 0.0, 0.0, 4.0, 5.0):
        turn = line.begin(now_s)
        order.append(turn)
        if turn is not None:
            line.end(turn)
    assert order == [warning, tried, info, None, late]


def test_the_newest_of_the_least_severe_finds_no_room() -> None:
    line = Line(tries_at_once_max=1)
    filled(line, [2, 1, *[2] * (ALERTS_MAX - 2)])
    newest = max(line.untaken(), key=lambda each: each.number)
    assert not line.add(alert(rank=1))
    assert newest not in line.untaken()
    assert not line.add(alert(rank=2)), "itself"
    assert sorted(each.rank for each in line.untaken()) == [1, 1, *[2] * (ALERTS_MAX - 2)]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(0, 2)),
        st.tuples(st.just("begin"), st.integers(0, 30)),
        st.tuples(st.just("end"), st.integers(0, 9)),
    ),
    max_size=60,
)


@given(st.integers(1, 4), STEPS)
def test_no_turn_is_lost_and_no_two_tries_begin_together(
    at_once: int, steps: list[tuple[str, int]]
) -> None:
    line, now_s = Line(tries_at_once_max=at_once), 0.0
    under_way: list[tuple[Alert, float]] = []
    for what, number in steps:
        if what == "add":
            assert line.add(alert(rank=number))
        elif what == "end" and under_way:
            done, _ = under_way.pop(number % len(under_way))
            line.end(done)
            if number % 3:
                done.tries += 1
                done.due_s = now_s + number
                assert line.add(done)
        elif what == "begin":
            now_s += number / 10
            turn = line.begin(now_s)
            if turn is not None:
                assert all(began_s + HANGS_S <= now_s for _, began_s in under_way)
                under_way.append((turn, now_s))
                assert len(under_way) <= at_once
                continue
            rest_s = line.rests_s(now_s)
            if rest_s is None:
                assert line.begin(now_s + 1_000) is None, "then only an end brings a turn"
            else:
                assert rest_s > 0
                assert line.begin(now_s + rest_s / 2) is None, "nobody is late"
