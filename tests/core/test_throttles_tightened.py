"""A dynamic limit that comes and goes makes no throttle forget what it has counted."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuseboard.core.kernel import Kernel
from fuseboard.core.throttles import Ring, RingLengths, Throttles
from fuseboard.policy.limits import DynamicLimit, Limits, Tightening
from fuseboard.policy.policy import Policy
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.reasons import Reason
from tests.core.test_known_failures import SECOND, Desk, denied, submitted
from tests.core.test_limits import asked, desk
from tests.core.test_throttles import fill, latched

LONG = 600 * SECOND


def stormy(field: str, value: int, **limits: Any) -> Desk:
    """A desk of which one limit is tighter while the VIX is above 30; it is at 20."""
    storm = DynamicLimit(
        name="storm",
        condition="vix > 30",
        tighten=(Tightening(field=field, value=value),),
        clear_after_ns=1,
    )
    at = desk(Policy(dynamic_limits=(storm,)), order_rate_kills=False, **limits)
    calm(at)
    return at


def vix(at: Desk, points: int) -> None:
    at.take(facts.MeasureReported(request=0, name="vix", value=points * NANOS, event_ns=at.now_ns))


def calm(at: Desk) -> None:
    for _ in range(3):
        at.now_ns += 2 * SECOND
        vix(at, 20)
        at.take(facts.TimeAdvanced())
    at.quote("AAPL", 250)
    assert not at.kernel._state.dynamic


def storm(at: Desk) -> None:
    vix(at, 31)
    assert list(at.kernel._state.dynamic) == ["storm"]


def some(at: Desk, count: int) -> list[fx.SubmitOrder]:
    return [order for _ in range(count) for order in submitted(asked(at))]


@pytest.mark.parametrize(
    ("field", "limits", "reason"),
    [
        ("order_rate_max", {"order_rate_max": 8, "order_rate_window_ns": LONG}, Reason.ORDER_RATE),
        ("messages_max", {"messages_max": 8, "messages_window_ns": LONG}, Reason.MESSAGE_RATE),
    ],
)
def test_a_passing_storm_is_judged_by_the_newest_and_forgets_nothing(
    field: str, limits: dict[str, int], reason: Reason
) -> None:
    at = stormy(field, 3, **limits)
    assert len(some(at, 6)) == 6
    storm(at)
    assert denied(asked(at)) == [reason], "the newest three lie within the window"
    at.kernel = Kernel.restored(at.kernel.snapshot())
    calm(at)
    assert len(some(at, 20)) <= 2, "at most eight in the window, the storm's denial counted or not"


def test_without_a_limit_of_its_own_messages_are_counted_for_the_storm_to_come() -> None:
    at = stormy("messages_max", 3, messages_window_ns=LONG)
    assert len(some(at, 6)) == 6
    storm(at)
    assert denied(asked(at)) == [Reason.MESSAGE_RATE]


@pytest.mark.parametrize("most", [4, None])
def test_executions_are_counted_through_a_storm_and_for_the_one_to_come(most: int | None) -> None:
    at = stormy(
        "repeated_executions_max",
        3,
        repeated_executions_max=most,
        repeated_executions_window_ns=LONG,
    )
    for _ in range(2):
        for order in some(at, 1):
            assert latched(fill(at, order)) == []
    storm(at)
    calm(at)
    storm(at)
    [order] = some(at, 1)
    assert [reason for _, _, reason in latched(fill(at, order))] == [Reason.REPEATED_EXECUTIONS]


def test_a_limit_of_zero_orders_lets_none_pass_however_old_the_last_one_is() -> None:
    at = stormy("order_rate_max", 0, order_rate_max=8)
    assert len(some(at, 2)) == 2
    at.now_ns += LONG
    at.quote("AAPL", 250)
    storm(at)
    assert denied(asked(at)) == [Reason.ORDER_RATE]


@given(
    st.lists(st.tuples(st.integers(1, 6), st.integers(0, 9)), min_size=1, max_size=9),
    st.integers(0, 6),
)
def test_every_ring_keeps_its_newest_times_when_a_policy_asks_for_another_length(
    turns: list[tuple[int, int]], most: int
) -> None:
    account, rate, execution = Ring(), Ring(), Ring()
    throttles = Throttles(rates={"alpha": rate}, account=account, executions={"a": execution})
    now_ns, counted = 0, list[int]()
    for length, events in turns:
        throttles.follow(Limits(), RingLengths(length, length, length))
        counted = counted[-length:]
        for ring in (rate, account, throttles.messages, execution):
            times = ring.times_boot_ns
            assert times[ring.at :] + times[: ring.at] == counted, "only the newest, in order"
        for _ in range(events):
            now_ns += 1
            counted = [*counted, now_ns][-length:]
            for ring in (rate, account, throttles.messages, execution):
                ring.count(length, now_ns)
                full = len(counted) >= most and (most == 0 or now_ns + 3 - counted[-most] < 5)
                assert most > length or ring.full(most, 5, now_ns + 3) is full
