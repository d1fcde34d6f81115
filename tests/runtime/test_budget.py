import asyncio
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuseboard.runtime.budget import (
    MINUTE_NS,
    PAUSE_NS_MAX,
    PROBE_NS_MAX,
    Budget,
    Ticket,
    jittered_ns,
)
from fuseboard.runtime.gate import Gate
from fuseboard.runtime.lockstep import LockstepEventLoop, run_lockstep
from tests.runtime.worlds import START

SECOND_NS = 1_000_000_000
asks = st.lists(
    st.tuples(
        st.integers(0, 20 * SECOND_NS),  # time before it
        st.booleans(),
        st.integers(1, 3),
        st.integers(1, 12),  # how many at once
        st.sampled_from([None, None, None, 0, SECOND_NS, 400 * SECOND_NS]),
    ),
    max_size=60,
)


def new_budget(requests_a_minute: int = 40, reserved: int = 10, burst: int = 30) -> Budget:
    return Budget(
        requests_a_minute=requests_a_minute,
        reserved=reserved,
        burst_max=burst,
        randbelow=random.Random(1).randrange,
    )


@given(asks)
def test_the_broker_and_the_reserve_are_respected_in_any_minute(
    steps: list[tuple[int, bool, int, int, int | None]],
) -> None:
    budget = new_budget()
    now_ns = 5
    started: list[tuple[int, bool, int]] = []
    waiting_protective: list[Ticket] = []
    paused_until_ns = 0
    probes_ns: list[int] = []
    for passed_ns, protective, requests, copies, retry_after_ns in steps:
        now_ns += passed_ns
        for _ in range(copies):
            # A protective call may be so large that ordinary ones would fit before it.
            ticket = Ticket(protective=protective, requests=requests * (9 if protective else 1))
            budget.ask(ticket)
            if protective:
                waiting_protective.append(ticket)
        if retry_after_ns == 0:
            budget.throttled(now_ns, None)
        elif retry_after_ns is not None:
            budget.throttled(now_ns, retry_after_ns)
            paused_until_ns = max(paused_until_ns, now_ns + min(retry_after_ns, PAUSE_NS_MAX))
        for ticket in budget.granted(now_ns):
            if now_ns < paused_until_ns:
                assert ticket.protective
                assert all(now_ns - at >= PROBE_NS_MAX // 2 for at in probes_ns)
                probes_ns.append(now_ns)
            started.append((now_ns, ticket.protective, ticket.requests))
            if ticket.protective:
                assert ticket is waiting_protective.pop(0)
            else:
                assert not waiting_protective
                in_minute = sum(n for at, _p, n in started if at > now_ns - MINUTE_NS)
                assert in_minute <= 40 - 10
    for at, _protective, _requests in started:
        in_minute = sum(n for other, _p, n in started if at <= other < at + MINUTE_NS)
        assert in_minute <= 40 + 30


@given(asks)
def test_whoever_waits_as_long_as_told_gets_a_turn_and_not_earlier(
    steps: list[tuple[int, bool, int, int, int | None]],
) -> None:
    budget = new_budget()
    now_ns = 5
    for passed_ns, protective, requests, copies, retry_after_ns in steps:
        now_ns += passed_ns
        for _ in range(copies):
            budget.ask(Ticket(protective=protective, requests=requests))
        if retry_after_ns is not None:
            budget.throttled(now_ns, retry_after_ns)
        budget.granted(now_ns)
        wait_ns = budget.wait_ns(now_ns)
        if wait_ns is not None:
            assert wait_ns > 0
            assert budget.granted(now_ns + wait_ns - 1) == []
            assert budget.granted(now_ns + wait_ns)
            now_ns += wait_ns


def test_ordinary_requests_leave_the_reserve_and_protection_has_it_at_once() -> None:
    budget = new_budget(requests_a_minute=40, reserved=10, burst=40)
    for _ in range(50):
        budget.ask(Ticket(protective=False))
    assert len(budget.granted(0)) == 30
    for _ in range(12):
        budget.ask(Ticket(protective=True))
    granted = budget.granted(0)
    assert [ticket.protective for ticket in granted] == [True] * 10


def test_the_bucket_refills_smoothly_for_protection() -> None:
    budget = new_budget(requests_a_minute=60, reserved=10, burst=20)
    for _ in range(25):
        budget.ask(Ticket(protective=True))
    assert len(budget.granted(0)) == 20
    assert budget.wait_ns(0) == SECOND_NS
    assert len(budget.granted(SECOND_NS - 1)) == 0
    assert len(budget.granted(SECOND_NS)) == 1
    assert len(budget.granted(3 * SECOND_NS)) == 2


def test_a_withdrawn_ticket_is_not_granted_and_frees_the_line() -> None:
    budget = new_budget()
    given_up, stays = Ticket(protective=False), Ticket(protective=False)
    budget.ask(given_up)
    budget.ask(stays)
    budget.withdraw(given_up)
    assert budget.granted(0) == [stays]
    budget.withdraw(stays)


def test_refusals_back_off_exponentially_within_bounds_and_an_answer_resets_them() -> None:
    ceilings: list[int] = []

    def highest(below: int) -> int:
        ceilings.append(below - 1)
        return below - 1

    budget = Budget(requests_a_minute=40, reserved=10, randbelow=highest)
    for _ in range(12):
        budget.throttled(0, None)
    assert ceilings[0] == 200_000_000
    assert ceilings[1] == PROBE_NS_MAX // 2, "the jitter of the pause's probes"
    assert ceilings[2] == 400_000_000
    assert max(ceilings) <= PAUSE_NS_MAX
    budget.accepted()
    budget.throttled(0, None)
    assert ceilings[-1] == 200_000_000


def paused(chance: random.Random) -> tuple[Budget, Ticket]:
    """A budget that the broker told to wait for a minute at time 0; an ordinary call waits."""
    budget = Budget(requests_a_minute=200, reserved=50, randbelow=chance.randrange)
    ordinary = Ticket(protective=False)
    budget.ask(ordinary)
    budget.throttled(0, 60 * SECOND_NS)
    return budget, ordinary


def test_during_a_pause_protection_tries_once_an_interval_and_nobody_else() -> None:
    budget, ordinary = paused(random.Random(3))
    for _ in range(200):
        budget.ask(Ticket(protective=True))
    probes: list[int] = []
    for now_ns in range(0, 60 * SECOND_NS, SECOND_NS // 100):
        granted = budget.granted(now_ns)
        probes += [now_ns for _ in granted]
        if granted:
            budget.throttled(now_ns, 60 * SECOND_NS - now_ns)
    waits = [after - before for before, after in zip([0, *probes], probes, strict=False)]
    assert len(set(waits)) > 10, "jitter"
    assert min(waits) >= PROBE_NS_MAX // 2
    assert max(waits) <= PROBE_NS_MAX + SECOND_NS // 100
    assert ordinary not in budget.granted(60 * SECOND_NS - 1)


def test_a_probe_that_the_broker_takes_frees_protection_and_not_ordinary_requests() -> None:
    budget, ordinary = paused(random.Random(4))
    for _ in range(20):
        budget.ask(Ticket(protective=True))
    assert not budget.accepted(), "the answer to a request from before the pause"
    assert budget.granted(0) == []
    wait_ns = budget.wait_ns(0)
    assert wait_ns is not None
    assert len(budget.granted(wait_ns)) == 1
    assert budget.accepted()
    assert len(budget.granted(wait_ns)) == 19
    assert budget.granted(60 * SECOND_NS - 1) == []
    assert budget.granted(60 * SECOND_NS) == [ordinary]


def test_a_probe_that_is_refused_frees_nobody() -> None:
    budget, _ = paused(random.Random(5))
    for _ in range(3):
        budget.ask(Ticket(protective=True))
    assert len(budget.granted(PROBE_NS_MAX)) == 1
    budget.throttled(PROBE_NS_MAX + 1, 59 * SECOND_NS)
    assert not budget.accepted()
    assert budget.granted(PROBE_NS_MAX + 1) == []


def test_jitter_spans_everything_up_to_the_ceiling() -> None:
    chance = random.Random(7)
    drawn = [
        jittered_ns(3, first_ns=SECOND_NS, longest_ns=60 * SECOND_NS, randbelow=chance.randrange)
        for _ in range(2_000)
    ]
    assert min(drawn) < SECOND_NS
    assert max(drawn) > 7 * SECOND_NS
    assert max(drawn) <= 8 * SECOND_NS


def test_a_call_that_could_never_start_is_refused_at_once() -> None:
    budget = new_budget()
    with pytest.raises(ValueError, match="the most is 30"):
        budget.ask(Ticket(protective=True, requests=31))
    with pytest.raises(ValueError, match="the most is 20"):
        budget.ask(Ticket(protective=False, requests=21))
    with pytest.raises(ValueError, match="leaves nothing"):
        Budget(requests_a_minute=10, reserved=10, randbelow=lambda below: below - 1)


def test_under_steady_demand_no_minute_holds_more_ordinary_requests_than_are_theirs() -> None:
    budget = new_budget(requests_a_minute=40, reserved=10, burst=40)
    for _ in range(300):
        budget.ask(Ticket(protective=False))
    started: list[int] = []
    for second in range(300):
        started += [second] * len(budget.granted(second * SECOND_NS))
        assert sum(at > second - 60 for at in started) <= 30
    assert len(started) == 5 * 30


def test_a_small_bucket_keeps_its_reserve_too() -> None:
    budget = new_budget(requests_a_minute=40, reserved=10, burst=15)
    for _ in range(20):
        budget.ask(Ticket(protective=False))
    assert len(budget.granted(0)) == 5
    for _ in range(11):
        budget.ask(Ticket(protective=True))
    assert [ticket.protective for ticket in budget.granted(0)] == [True] * 10


def test_who_gives_up_waiting_at_the_gate_costs_nothing() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        gate = Gate(new_budget(requests_a_minute=8, reserved=2, burst=8), clock)
        for _ in range(6):
            assert await gate.turn(protective=False, wait_ns_max=0)
        assert not await gate.turn(protective=False, wait_ns_max=SECOND_NS)
        assert clock.now().boot_ns - START.boot_ns == SECOND_NS
        await asyncio.sleep(70)
        for _ in range(6):
            assert await gate.turn(protective=False, wait_ns_max=0)
        assert not await gate.turn(protective=False, wait_ns_max=0)
        assert await gate.turn(protective=True, wait_ns_max=0)
        gate.close()

    run_lockstep(START, main)
