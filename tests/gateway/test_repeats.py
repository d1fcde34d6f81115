import itertools

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from fuseboard.gateway.repeats import Repeats

WINDOW_NS = 10
REPEATS_MAX = 3
MARKS = [("key", "POST", "/v2/orders", body) for body in (b"a", b"b", b"c", b"d")] + [
    ("other", "POST", "/v2/orders", b"a")
]


def _repeats(clock: list[int]) -> Repeats:
    numbers = itertools.count()
    return Repeats(
        repeats_max=REPEATS_MAX,
        window_ns=WINDOW_NS,
        mint=lambda: f"id-{next(numbers)}",
        clock_ns=lambda: clock[0],
    )


def test_a_request_whose_answer_was_lost_gets_the_same_id_again() -> None:
    repeats = _repeats([0])
    first = repeats.begin(MARKS[0])
    assert first is not None
    repeats.end(MARKS[0], first, delivered=False)
    assert repeats.begin(MARKS[0]) == first


def test_a_request_still_being_answered_gets_the_same_id_however_long_it_takes() -> None:
    clock = [0]
    repeats = _repeats(clock)
    first = repeats.begin(MARKS[0])
    clock[0] = 100 * WINDOW_NS
    assert repeats.begin(MARKS[0]) == first


def test_a_request_whose_answer_was_delivered_is_a_new_one_when_it_comes_again() -> None:
    repeats = _repeats([0])
    first = repeats.begin(MARKS[0])
    assert first is not None
    repeats.end(MARKS[0], first, delivered=True)
    assert repeats.begin(MARKS[0]) not in {first, None}


def test_after_the_window_a_request_is_a_new_one() -> None:
    clock = [0]
    repeats = _repeats(clock)
    first = repeats.begin(MARKS[0])
    assert first is not None
    repeats.end(MARKS[0], first, delivered=False)
    clock[0] = WINDOW_NS
    second = repeats.begin(MARKS[0])
    assert second == first
    repeats.end(MARKS[0], first, delivered=False)
    clock[0] += WINDOW_NS + 1
    assert repeats.begin(MARKS[0]) != first


def test_the_same_body_by_another_key_is_another_request() -> None:
    repeats = _repeats([0])
    assert repeats.begin(MARKS[0]) != repeats.begin(MARKS[4])


def test_a_full_table_refuses_and_forgets_nothing_that_could_be_repeated() -> None:
    clock = [0]
    repeats = _repeats(clock)
    ids = [repeats.begin(mark) for mark in MARKS[:REPEATS_MAX]]
    assert repeats.begin(MARKS[3]) is None
    assert [repeats.begin(mark) for mark in MARKS[:REPEATS_MAX]] == ids


class RepeatsAgainstAModel(RuleBasedStateMachine):
    """The model keeps, for each mark, every request that began and how it ended."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = [0]
        self.repeats = _repeats(self.clock)
        self.open: list[tuple[int, str]] = []
        self.current: dict[int, str] = {}
        self.seen: dict[int, int] = {}
        self.delivered: set[str] = set()
        self.given: set[str] = set()

    @rule(which=st.integers(0, len(MARKS) - 1))
    def a_request_begins(self, which: int) -> None:
        given = self.repeats.begin(MARKS[which])
        current = self.current.get(which)
        is_open = any(mark == which and name == current for mark, name in self.open)
        fresh = which in self.seen and self.clock[0] - self.seen[which] <= WINDOW_NS
        if current is not None and current not in self.delivered and (is_open or fresh):
            assert given == current
        elif given is None:
            return
        else:
            assert given not in self.given
        assert given is not None
        self.given.add(given)
        self.current[which] = given
        self.seen[which] = self.clock[0]
        self.open.append((which, given))

    @rule(data=st.data(), delivered=st.booleans())
    def a_request_ends(self, data: st.DataObject, delivered: bool) -> None:
        if not self.open:
            return
        at = data.draw(st.integers(0, len(self.open) - 1))
        which, name = self.open.pop(at)
        self.repeats.end(MARKS[which], name, delivered=delivered)
        if delivered:
            self.delivered.add(name)
        if self.current.get(which) == name:
            self.seen[which] = self.clock[0]

    @rule(step=st.integers(1, WINDOW_NS + 2))
    def time_passes(self, step: int) -> None:
        self.clock[0] += step

    @invariant()
    def the_table_is_bounded(self) -> None:
        assert len(self.repeats) <= REPEATS_MAX


TestRepeatsAgainstAModel = RepeatsAgainstAModel.TestCase
TestRepeatsAgainstAModel.settings = settings(max_examples=150, deadline=None)
