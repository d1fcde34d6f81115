"""The fuse machine's table: total, and its promises hold over the full product."""

from itertools import product

import pytest

from fuseboard.core.fuses.machine import (
    LATCHED,
    PERSONS_EVENTS,
    POSTURE_OF,
    TABLE,
    FuseEvent,
    FuseState,
    Outcome,
    Transition,
    diagram,
    transition,
)
from fuseboard.vocabulary.postures import Posture

PAIRS = list(product(FuseState, FuseEvent))
S, E = FuseState, FuseEvent


def after(state: FuseState, event: FuseEvent) -> FuseState:
    row = transition(state, event)
    return row.after if isinstance(row, Transition) else state


def test_every_pair_has_exactly_one_row() -> None:
    assert set(TABLE) == set(PAIRS)
    assert set(POSTURE_OF) == set(FuseState)


@pytest.mark.parametrize(("state", "event"), PAIRS)
def test_only_a_persons_event_leaves_a_latch_for_something_looser(
    state: FuseState, event: FuseEvent
) -> None:
    if state in LATCHED and after(state, event) not in LATCHED:
        assert event in PERSONS_EVENTS


@pytest.mark.parametrize(("state", "event"), PAIRS)
def test_numbers_and_time_never_loosen_a_latched_posture(
    state: FuseState, event: FuseEvent
) -> None:
    if state in LATCHED and event not in PERSONS_EVENTS:
        recovery_begins = (state, event) == (S.KILLED, E.RESET)
        assert POSTURE_OF[after(state, event)] >= POSTURE_OF[state] or recovery_begins


@pytest.mark.parametrize(("state", "event"), PAIRS)
def test_a_fuse_trips_only_by_a_breach_while_it_watches(state: FuseState, event: FuseEvent) -> None:
    trips = after(state, event) is S.TRIGGERED and state is not S.TRIGGERED
    assert trips == (event is E.BREACHED and state in {S.MONITORING, S.WARNING})


@pytest.mark.parametrize("state", FuseState)
def test_exits_pass_only_of_what_has_just_tripped(state: FuseState) -> None:
    becomes = after(state, E.REDUCE_ONLY_ASKED)
    assert becomes is (S.REDUCE_ONLY if state is S.TRIGGERED else state)


def test_a_reset_that_is_refused_does_not_trap_exits() -> None:
    assert after(S.REDUCE_ONLY, E.RESETS_EXHAUSTED) is S.REDUCE_ONLY
    assert transition(S.REDUCE_ONLY, E.RESETS_EXHAUSTED) is not Outcome.IGNORED


@pytest.mark.parametrize("state", FuseState)
def test_a_kill_always_ends_in_killed(state: FuseState) -> None:
    assert after(state, E.KILL_ASKED) is S.KILLED


@pytest.mark.parametrize("state", FuseState)
def test_a_halt_always_ends_at_least_halted(state: FuseState) -> None:
    assert POSTURE_OF[after(state, E.HALT_ASKED)] >= Posture.HALTED


def test_a_halt_during_a_recovery_is_not_forgotten_by_the_recovery() -> None:
    assert after(after(S.RECOVERY, E.HALT_ASKED), E.RECOVERY_PASSED) is S.KILLED


@pytest.mark.parametrize("event", [E.RESET, E.REBASED])
def test_a_kill_is_left_only_through_a_recovery_that_passes(event: FuseEvent) -> None:
    assert after(S.KILLED, event) is S.RECOVERY
    ways = {e for e in FuseEvent if after(S.RECOVERY, e) not in LATCHED}
    assert ways == {E.RECOVERY_PASSED}
    assert after(S.RECOVERY, E.RECOVERY_FAILED) is S.KILLED


@pytest.mark.parametrize("event", [E.RESET, E.REBASED])
def test_a_reset_is_refused_while_the_plan_runs_or_a_recovery_compares(event: FuseEvent) -> None:
    assert transition(S.TRIGGERED, event) is Outcome.REFUSED
    assert transition(S.RECOVERY, event) is Outcome.REFUSED


def test_the_states_ask_for_the_postures_that_the_design_names() -> None:
    assert {state.value: posture.name for state, posture in POSTURE_OF.items()} == {
        "ARMED": "OPEN",
        "MONITORING": "OPEN",
        "WARNING": "REDUCED",
        "TRIGGERED": "REDUCE_ONLY",
        "COOLING_DOWN": "HALTED",
        "REDUCE_ONLY": "REDUCE_ONLY",
        "HALTED": "HALTED",
        "KILLED": "KILLED",
        "RECOVERY": "HALTED",
    }


def test_every_state_is_reachable_and_none_is_a_trap() -> None:
    for start in FuseState:
        seen, new = {start}, [start]
        while new:
            state = new.pop()
            for event in FuseEvent:
                found = after(state, event)
                if found not in seen:
                    seen.add(found)
                    new.append(found)
        assert seen == set(FuseState)


def test_the_diagram_shows_every_change_of_state_and_nothing_else() -> None:
    drawn = set()
    for line in diagram().splitlines():
        if "-->" in line and "[*]" not in line:
            arrow, events = line.split(": ", 1)
            before, end = arrow.split("-->")
            drawn |= {(before.strip(), event, end.strip()) for event in events.split(", ")}
    assert drawn == {
        (state.value, event.value, row.value)
        for (state, event), row in TABLE.items()
        if isinstance(row, FuseState) and row is not state
    }
