"""Throttles: rates, messages, daily counts, duplicates, repeated executions; through restarts."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuseboard.core.kernel import Kernel
from fuseboard.core.throttles import Ring
from fuseboard.policy.policy import Policy
from fuseboard.policy.rules import CheckRule
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.operator_inputs import OperatorResetRequested
from fuseboard.vocabulary.orders import OrderType, Side, TimeInForce
from fuseboard.vocabulary.postures import HaltLevel
from fuseboard.vocabulary.reasons import Reason
from tests.core.test_known_failures import SECOND, Desk, denied, submitted
from tests.core.test_limits import asked, desk, only, rolled


def latched(effects: tuple[fx.Effect, ...]) -> list[tuple[str, HaltLevel, Reason]]:
    found = [effect for effect in effects if isinstance(effect, fx.LatchHalt)]
    return [(halt.scope, halt.level, halt.reason) for halt in found]


def restarted(at: Desk) -> None:
    at.kernel = Kernel.restored(at.kernel.snapshot())


@given(st.integers(0, 6), st.lists(st.integers(0, 9), max_size=60))
def test_a_ring_is_full_when_the_last_so_many_lie_within_the_window(
    most: int, steps: list[int]
) -> None:
    ring, now_ns, counted = Ring(), 0, list[int]()
    for step in steps:
        now_ns += step
        full = len(counted) >= most and (most == 0 or now_ns - counted[-most] < 20)
        assert ring.full(most, 20, now_ns) == full
        if not full:
            ring.count(most, now_ns)
            counted.append(now_ns)
        assert len(ring.times_boot_ns) <= most


def test_a_strategy_above_its_rate_is_killed_once_in_the_same_step() -> None:
    at = desk(order_rate_max=5)
    for _ in range(5):
        assert submitted(asked(at))
    effects = asked(at)
    assert denied(effects) == [Reason.ORDER_RATE]
    assert latched(effects) == [("strategy:alpha", HaltLevel.KILL, Reason.ORDER_RATE)]
    cancels = [effect for effect in effects if isinstance(effect, fx.CancelOrder)]
    assert len(cancels) == 5, "what it sent is cancelled"
    for _ in range(50):
        effects = asked(at)
        assert denied(effects) == [Reason.POSTURE_KILLED]
        assert latched(effects) == []


def test_orders_that_are_denied_count_in_the_rate_too() -> None:
    at = desk(order_rate_max=5)
    for _ in range(5):
        assert denied(asked(at, price=300 * NANOS)) == [Reason.PRICE_COLLAR]
    assert latched(asked(at)) == [("strategy:alpha", HaltLevel.KILL, Reason.ORDER_RATE)]


def test_a_policy_may_only_deny_above_the_rate_and_then_the_rate_can_be_kept() -> None:
    at = desk(order_rate_max=5, order_rate_kills=False)
    passed = 0
    for _ in range(1_000):
        at.now_ns += 99 * SECOND // 1_000
        effects = asked(at)
        passed += bool(submitted(effects))
        assert latched(effects) == []
    assert passed == 500, "ten a second are asked for, five pass"


def test_the_account_has_the_rate_as_well_and_only_who_is_above_his_own_is_killed() -> None:
    at = desk(order_rate_max=10)
    for _ in range(4):
        assert submitted(asked(at))
        assert submitted(asked(at, strategy="beta"))
    at.now_ns += SECOND
    for _ in range(5):
        assert submitted(asked(at))
        assert submitted(asked(at, strategy="beta"))
    effects = asked(at, strategy="beta")
    assert denied(effects) == [Reason.ORDER_RATE]
    assert latched(effects) == [], "five of its own, ten of the account"
    killed = [latched(asked(at)) for _ in range(6)]
    assert killed.count([("strategy:alpha", HaltLevel.KILL, Reason.ORDER_RATE)]) == 1
    at.now_ns += SECOND
    assert submitted(asked(at, strategy="beta")), "the others go on"


def test_reductions_are_in_no_rate() -> None:
    at = desk(order_rate_max=1, held=100)
    for _ in range(20):
        assert submitted(asked(at, side=Side.SELL, quantity=NANOS, price=251 * NANOS))


def test_cancels_count_as_messages_and_are_never_held_back() -> None:
    at = desk(messages_max=5)
    (order,) = submitted(asked(at))
    for _ in range(4):
        request = facts.CancelRequested(request=99, strategy="alpha", order_id=order.order_id)
        assert any(isinstance(effect, fx.CancelOrder) for effect in at.take(request))
    denial = only(asked(at))
    assert (denial.reason, denial.observed) == (Reason.MESSAGE_RATE, "6 in 1000 ms")
    for _ in range(20):
        assert any(isinstance(effect, fx.CancelOrder) for effect in at.take(request))
    at.now_ns += SECOND
    assert submitted(asked(at))


def test_messages_are_a_measure_where_a_condition_asks() -> None:
    at = desk(Policy(checks=(CheckRule(name="calm", condition="messages <= 3"),)))
    for _ in range(3):
        assert submitted(asked(at))
    assert denied(asked(at)) == [Reason.CUSTOM_CHECK]


@pytest.mark.parametrize(
    ("condition", "limits", "most"),
    [
        ("order_rate < 50", {"order_rate_max": 10}, 50),
        ("order_rate < 1000", {"order_rate_max": 10}, 100),
        ("messages < 50", {"messages_max": 10}, 49),
    ],
)
def test_a_measure_of_a_second_counts_a_second_where_the_limits_window_is_shorter(
    condition: str, limits: dict[str, int], most: int
) -> None:
    rule = CheckRule(name="calm", condition=condition)
    windows = {name.replace("_max", "_window_ns"): SECOND // 10 for name in limits}
    at = desk(Policy(checks=(rule,)), **limits, **windows)
    passed = 0
    for _ in range(100):
        passed += len(submitted(asked(at, quantity=NANOS // 100)))
        at.now_ns += 9 * SECOND // 1000
        at.quote("AAPL", 250)
    assert passed == most


def test_a_ring_is_no_longer_than_the_limit_where_no_condition_asks() -> None:
    at = desk(order_rate_max=10, order_rate_window_ns=SECOND // 10)
    for _ in range(30):
        asked(at, quantity=NANOS // 100)
        at.now_ns += SECOND // 100
    assert len(at.kernel._state.throttles.rates["alpha"].times_boot_ns) == 10


def test_the_daily_count_survives_a_restart_and_begins_anew_with_the_session() -> None:
    at = desk(daily_orders_max=3, held=100)
    for _ in range(2):
        assert submitted(asked(at, price=249 * NANOS))
    assert submitted(asked(at, side=Side.SELL, quantity=NANOS, price=251 * NANOS))
    restarted(at)
    assert denied(asked(at, price=249 * NANOS)) == [Reason.DAILY_ORDERS]
    assert submitted(asked(at, side=Side.SELL, quantity=NANOS, price=251 * NANOS)), "an exit"
    rolled(at, opens_in=0, closes_in=100)
    assert submitted(asked(at, price=249 * NANOS))


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"quantity": 2 * NANOS},
        {"price": 249 * NANOS},
        {"symbol": "TSLA", "price": 100 * NANOS},
        {"time_in_force": TimeInForce.GTC},
    ],
)
def test_an_order_like_one_of_the_window_is_denied(changed: dict[str, Any]) -> None:
    at = desk(duplicate_window_ns=SECOND)
    assert submitted(asked(at))
    same = not changed or "time_in_force" in changed
    restarted(at)
    assert denied(asked(at, **changed)) == ([Reason.DUPLICATE] if same else [])
    at.now_ns += SECOND
    assert submitted(asked(at, **changed))


def test_a_denied_order_is_no_original_and_two_strategies_may_ask_the_same() -> None:
    at = desk(duplicate_window_ns=SECOND)
    for _ in range(2):
        assert denied(asked(at, price=300 * NANOS)) == [Reason.PRICE_COLLAR]
    assert submitted(asked(at))
    assert submitted(asked(at, strategy="beta"))


def test_a_second_exit_that_would_flip_the_position_is_a_duplicate() -> None:
    at = desk(duplicate_window_ns=SECOND, held=100)
    sell: dict[str, Any] = {"side": Side.SELL, "quantity": 100 * NANOS, "price": 251 * NANOS}
    assert submitted(asked(at, **sell))
    assert denied(asked(at, **sell)) == [Reason.DUPLICATE]


def fill(at: Desk, order: fx.SubmitOrder, parts: int = 1) -> tuple[fx.Effect, ...]:
    effects: tuple[fx.Effect, ...] = ()
    part_nanos = order.quantity_nanos // parts
    for number in range(1, parts + 1):
        report = facts.FillReported(
            order_id=order.order_id,
            broker_order_id=f"b{order.client_order_id}",
            quantity_nanos=part_nanos,
            price_nanos=250 * NANOS,
            filled_quantity_nanos=number * part_nanos,
            filled_price_nanos=250 * NANOS,
            final=number == parts,
        )
        effects += at.take(report)
    return effects


def test_repeated_executions_halt_the_strategy_until_a_person_re_arms_it() -> None:
    at = desk(repeated_executions_max=3)
    for _ in range(2):
        (order,) = submitted(asked(at))
        assert latched(fill(at, order, parts=5)) == [], "the parts of an order are one execution"
    restarted(at)
    (other,) = submitted(asked(at, "TSLA", price=100 * NANOS))
    assert latched(fill(at, other)) == [], "another symbol"
    (order,) = submitted(asked(at))
    effects = fill(at, order)
    assert latched(effects) == [("strategy:alpha", HaltLevel.HALT, Reason.REPEATED_EXECUTIONS)]
    at.now_ns += 600 * SECOND
    at.quote("AAPL", 250)
    assert denied(asked(at)) == [Reason.POSTURE_HALTED], "time alone loosens nothing"
    at.take(
        OperatorResetRequested(request=9, operator="ann", reason="looked", scope="strategy:alpha")
    )
    for _ in range(2):
        (order,) = submitted(asked(at))
        assert latched(fill(at, order)) == [], "what was counted before is forgotten"


def test_executions_that_are_far_apart_do_not_repeat() -> None:
    at = desk(repeated_executions_max=2)
    for _ in range(5):
        (order,) = submitted(asked(at))
        assert latched(fill(at, order)) == []
        at.now_ns += 60 * SECOND
        at.quote("AAPL", 250)


def test_the_kernel_replays_its_throttles() -> None:
    at = desk(order_rate_max=5, messages_max=50, duplicate_window_ns=1, repeated_executions_max=9)
    for number in range(12):
        at.now_ns += SECOND // 7
        for order in submitted(asked(at, price=(250 - number) * NANOS)):
            fill(at, order)
    again = Kernel.restored(at.kernel.snapshot())
    assert again.snapshot() == at.kernel.snapshot()
    request = facts.OrderRequested(
        request=77,
        strategy="alpha",
        client_order_id="again",
        symbol="AAPL",
        side=Side.BUY,
        order_type=OrderType.MARKET,
        time_in_force=TimeInForce.DAY,
        quantity_nanos=NANOS,
    )
    moment = facts.Moment(at.now_ns, at.now_ns)
    assert again.step(moment, request) == at.kernel.step(moment, request)
    assert again.digest() == at.kernel.digest()
