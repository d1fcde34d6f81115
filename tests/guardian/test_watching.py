"""What the watcher makes of beats: each kind of silence by its name, and never its own silence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuseboard.guardian.watching import (
    CALL_NS_MAX,
    FAULT_NS_MAX,
    JOURNAL_NS_MAX,
    LOOK_NS_MAX,
    START_NS_MAX,
    Finding,
    Kind,
    Watch,
    What,
)
from fuseboard.halts.heartbeats import Beat, Phase, ProcessSeen
from fuseboard.rescue.journal import Line, done_runs

TIMEOUT_NS = 2_000_000_000
LOOK_NS = 100_000_000
ALIVE = ProcessSeen("S", 77)


def beat(
    iteration: int,
    *,
    run: int = 1,
    phase: Phase = Phase.RUNNING,
    call_age_ns: int = 0,
    written: tuple[int, int] = (0, 0),
) -> Beat:
    beat_ns, (sequence, durable) = iteration * 1_000, written
    return Beat(phase, 10, 77, run, beat_ns, iteration, sequence, durable, call_age_ns)


class Looking:
    """A watch with a clock that is moved by each look."""

    def __init__(self, done: int = 0) -> None:
        self.watch = Watch(done=frozenset([done]))
        self.now_ns = 0

    def look(
        self, seen: Beat | None, process: ProcessSeen | None = ALIVE, passed_ns: int = LOOK_NS
    ) -> Finding:
        self.now_ns += passed_ns
        return self.watch.look(seen, process, self.now_ns, TIMEOUT_NS)

    def until_missed(self, seen: Beat | None, process: ProcessSeen | None) -> list[Finding]:
        found = [self.look(seen, process)]
        while found[-1].what is not What.MISSED:
            assert len(found) < 1_000
            found.append(self.look(seen, process))
        return found


@pytest.mark.parametrize(
    ("seen", "process", "kind"),
    [
        (beat(2), None, Kind.GONE),
        (beat(2), ProcessSeen("S", 78), Kind.GONE),  # somebody else has its number by now
        (beat(2), ProcessSeen("Z", 77), Kind.GONE),
        (beat(2), ProcessSeen("T", 77), Kind.STOPPED),
        (beat(2), ProcessSeen("t", 77), Kind.STOPPED),
        (beat(2), ProcessSeen("R", 77), Kind.HUNG),
        (beat(2), ProcessSeen("D", 77), Kind.HUNG),
        (None, ALIVE, Kind.UNREADABLE),
    ],
)
def test_each_kind_of_silence_has_its_name_and_is_said_before_it_is_acted_on(
    seen: Beat | None, process: ProcessSeen | None, kind: Kind
) -> None:
    it = Looking()
    it.look(beat(1))
    assert it.look(beat(2)).what is What.FINE
    found = it.until_missed(seen, process)
    assert found[-1].kind is kind
    assert found[-1].silent_ns >= TIMEOUT_NS
    assert found[-1].silent_ns < TIMEOUT_NS + LOOK_NS
    late = [each for each in found if each.what is What.LATE]
    assert [each.kind for each in late] == [kind]
    assert late[0].silent_ns >= TIMEOUT_NS // 2


@given(st.lists(st.integers(0, 20), min_size=1, max_size=200))
def test_a_gateway_that_moves_in_time_is_never_missed(pauses: list[int]) -> None:
    it = Looking()
    for number, looks in enumerate(pauses):
        assert it.look(beat(number + 1)).what in {What.FINE, What.BACK}
        for _ in range(min(looks, TIMEOUT_NS // LOOK_NS - 1)):
            assert it.look(beat(number + 1)).what is not What.MISSED


@given(st.integers(1, 10**15))
def test_the_watchers_own_sleep_does_not_count_against_the_gateway(asleep_ns: int) -> None:
    it = Looking()
    it.look(beat(1))
    it.look(beat(2))
    finding = it.look(beat(2), passed_ns=asleep_ns)
    assert finding.what is not What.MISSED
    assert finding.silent_ns <= LOOK_NS_MAX


def test_a_gateway_that_comes_back_was_a_false_alarm_said_once() -> None:
    it = Looking()
    it.look(beat(1))
    it.look(beat(2))
    whats = [it.look(beat(2), ProcessSeen("R", 77)).what for _ in range(15)]
    assert whats.count(What.LATE) == 1
    back = it.look(beat(3))
    assert (back.what, back.kind) == (What.BACK, Kind.SLOW)
    assert it.look(beat(4)).what is What.FINE


def test_a_call_that_does_not_come_back_is_a_miss_although_the_loop_turns() -> None:
    it = Looking()
    it.look(beat(1))
    assert it.look(beat(2, call_age_ns=TIMEOUT_NS + CALL_NS_MAX)).what is What.FINE
    finding = it.look(beat(3, call_age_ns=TIMEOUT_NS + CALL_NS_MAX + 1))
    assert (finding.what, finding.kind) == (What.MISSED, Kind.STUCK_CALL)


def test_a_journal_that_takes_nothing_is_a_miss_although_the_loop_turns() -> None:
    it = Looking()
    allowed_ns = TIMEOUT_NS + JOURNAL_NS_MAX
    for number in range(1, 200):  # it lags and goes on: fine
        assert it.look(beat(number, written=(number + 50, number))).what is What.FINE
    found = [
        it.look(beat(200 + number, written=(300 + number, 200)))
        for number in range(allowed_ns // LOOK_NS + 1)
    ]
    assert (found[-1].what, found[-1].kind) == (What.MISSED, Kind.JOURNAL)
    assert [each.kind for each in found if each.what is What.LATE] == [Kind.JOURNAL]
    assert all(each.what in {What.FINE, What.LATE} for each in found[:-1])
    assert "its disk hangs" in found[-1].says()


def test_a_journal_that_hung_for_a_while_or_has_nothing_to_write_is_no_miss() -> None:
    it = Looking()
    allowed = (TIMEOUT_NS + JOURNAL_NS_MAX) // LOOK_NS
    it.look(beat(1, written=(5, 5)))
    for number in range(2, 3 * allowed):
        assert it.look(beat(number, written=(5, 5))).what is What.FINE
    for number in range(3 * allowed, 4 * allowed - 1):
        assert it.look(beat(number, written=(9, 5))).what is not What.MISSED
    assert it.look(beat(4 * allowed, written=(9, 7))).what is What.BACK
    assert it.look(beat(4 * allowed + 1, written=(9, 9))).what is What.FINE


@given(st.lists(st.tuples(st.integers(1, 10), st.booleans()), min_size=1, max_size=40))
def test_a_gateway_that_only_ever_starts_is_missed_as_one_that_is_gone(
    starts: list[tuple[int, bool]],
) -> None:
    it = Looking()
    it.look(beat(1))
    it.look(beat(2))
    silent, missed = 0, False
    for number, (looks, faults) in enumerate(starts):
        for look in range(looks):
            phase = Phase.FAULTED if faults and look else Phase.STARTING
            finding = it.look(beat(look + 1, run=number + 2, phase=phase))
            missed = missed or finding.what is What.MISSED
            silent += 1
        finding = it.look(beat(looks, run=number + 2, phase=Phase.STARTING), None)
        silent += 1
        missed = missed or finding.what is What.MISSED
        assert missed is (silent * LOOK_NS >= TIMEOUT_NS), "not put off by any start"
        if missed:
            return


@pytest.mark.parametrize("looks", [1, 5, 15])
def test_a_gateway_that_is_started_again_in_time_is_no_false_alarm_and_is_said_once(
    looks: int,
) -> None:
    """After the third it was late already; a start takes the others past half of the time."""
    it = Looking()
    it.look(beat(1))
    it.look(beat(2))
    for _ in range(looks):
        assert it.look(beat(2), None).what is not What.MISSED
    for _ in range(8):
        assert it.look(beat(1, run=2, phase=Phase.STARTING)).what is not What.MISSED
    again = it.look(beat(2, run=2))
    assert (again.what, again.kind) == (What.BACK, Kind.AGAIN)
    assert again.says().startswith("the gateway was started again after an end that it did not")
    assert again.silent_ns >= looks * LOOK_NS
    assert it.look(beat(3, run=2)).what is What.FINE


def test_a_gateway_that_starts_again_in_time_is_not_missed() -> None:
    it = Looking()
    it.look(beat(1))
    it.look(beat(2))
    for _ in range(15):
        assert it.look(beat(2), None).what is not What.MISSED
    for _ in range(START_NS_MAX // LOOK_NS):  # reading what it finds takes long
        assert it.look(beat(1, run=2, phase=Phase.STARTING)).what is not What.MISSED
    assert it.look(beat(2, run=2)).what is What.BACK
    whats = {it.look(beat(2, run=2), ProcessSeen("R", 77)).what for _ in range(15)}
    assert What.MISSED not in whats, "its silence begins anew"


def test_an_end_in_order_dismisses_and_an_old_one_is_nobody() -> None:
    it = Looking()
    assert it.look(beat(9, phase=Phase.STOPPED)).what is What.NOBODY
    it.look(beat(1, run=2))
    it.look(beat(2, run=2))
    assert it.look(beat(3, run=2, phase=Phase.STOPPED)).what is What.STOOD_DOWN
    assert it.look(beat(3, run=2, phase=Phase.STOPPED)).what is What.NOBODY


def test_a_run_that_was_dealt_with_is_left_alone_and_the_next_one_is_watched() -> None:
    it = Looking(done=1)
    for _ in range(50):
        assert it.look(beat(1), None).what is What.NOBODY
    it.look(beat(1, run=2))
    it.look(beat(2, run=2))
    assert it.until_missed(beat(2, run=2), None)[-1].kind is Kind.GONE
    assert it.watch.run_ns == 2
    it.watch.dealt_with()
    assert it.look(beat(2, run=2), None).what is What.NOBODY


def test_a_dead_gateway_found_by_a_guardian_that_starts_is_acted_on() -> None:
    it = Looking()
    found = it.until_missed(beat(5), None)
    assert found[-1].kind is Kind.GONE


@pytest.mark.parametrize(
    ("phase", "more_ns"), [(Phase.FAULTED, FAULT_NS_MAX), (Phase.STARTING, START_NS_MAX)]
)
def test_a_gateway_that_cancels_after_a_fault_or_begins_has_the_time_it_is_given(
    phase: Phase, more_ns: int
) -> None:
    it = Looking()
    it.look(beat(1))
    it.look(beat(2, phase=phase))
    found = it.until_missed(beat(2, phase=phase), ProcessSeen("R", 77))
    assert found[-1].silent_ns >= TIMEOUT_NS + more_ns
    it = Looking()
    it.look(beat(1))
    it.look(beat(2, phase=phase))
    found = it.until_missed(beat(2, phase=phase), None)
    assert found[-1].silent_ns < TIMEOUT_NS + LOOK_NS


def test_a_guardian_that_comes_up_after_the_end_of_its_run_goes_too() -> None:
    it = Looking()
    it.watch = Watch(since=5)
    assert it.look(beat(3, run=4, phase=Phase.STOPPED)).what is What.NOBODY
    assert it.look(beat(3, run=5, phase=Phase.STOPPED)).what is What.STOOD_DOWN
    it.watch = Watch(since=5)
    assert it.look(beat(3, run=6, phase=Phase.STOPPED)).what is What.STOOD_DOWN


def test_a_run_that_was_dealt_with_is_left_alone_though_a_later_one_has_an_earlier_name() -> None:
    lines = [Line(act="done", run_ns=run, wall_ns=run) for run in (2_000, 1_000)]
    it = Looking()
    it.watch = Watch(done=done_runs(lines))  # the clock was ahead, and was set back
    for run in (1_000, 2_000):
        found = {it.look(beat(1, run=run), None).what for _ in range(100)}
        assert found == {What.NOBODY}
    assert it.until_missed(beat(1, run=1_500), None)[-1].what is What.MISSED
