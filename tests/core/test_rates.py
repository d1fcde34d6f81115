"""A rate is said once when it comes to 80 % of its limit, and again only after it was quiet."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuseboard.core import judging, rates
from fuseboard.core.kernel import Kernel
from fuseboard.policy.limits import MINUTE_NS
from fuseboard.policy.policy import Policy
from fuseboard.policy.rules import CheckRule
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import OrderStatus, Side
from fuseboard.vocabulary.postures import HaltLevel
from fuseboard.vocabulary.reasons import Reason
from tests.core.test_known_failures import SECOND, Desk, submitted
from tests.core.test_limits import asked, desk
from tests.core.test_nearness_rows import texts
from tests.core.test_throttles import fill, latched, restarted
from tests.deletion import fails, without


def burst(at: Desk, orders: int, **changed: Any) -> list[str]:
    """So many accepted orders, a millisecond apart; what people were told."""
    told = []
    for _ in range(orders):
        effects = asked(at, **changed)
        assert submitted(effects)
        told += texts(effects)
    return told


def let_pass(at: Desk, time_ns: int) -> tuple[fx.Effect, ...]:
    """Time passes and the kernel is woken when it asks to be; what it does then."""
    effects: list[fx.Effect] = []
    until_ns = at.now_ns + time_ns
    while 0 < (due_ns := at.kernel._state.next_wake_boot_ns) <= until_ns:
        at.now_ns = max(at.now_ns, due_ns)
        effects += at.take(facts.TimeAdvanced())
    at.now_ns = max(at.now_ns, until_ns)
    return tuple(effects)


def test_a_strategy_is_said_to_be_near_its_order_rate_with_the_order_that_reaches_80_percent() -> (
    None
):
    at = desk(order_rate_max=10)
    assert burst(at, 7) == []
    effects = asked(at)
    assert texts(effects) == [
        (
            "alpha: 8 orders within 1s, 80.00% of the limit 10 (order_rate): near;"
            " above it the strategy is killed"
        )
    ]
    (alert,) = [effect for effect in effects if isinstance(effect, fx.RaiseAlert)]
    assert (alert.code, alert.scope) == (Reason.LIMIT_NEAR, "strategy:alpha")
    assert burst(at, 2) == [], "once"
    killed = asked(at)
    assert latched(killed) == [("strategy:alpha", HaltLevel.KILL, Reason.ORDER_RATE)]
    assert texts([*killed, *asked(at), *let_pass(at, 2 * MINUTE_NS)]) == [], "the trip said it"


def test_orders_that_are_denied_bring_a_rate_near_too() -> None:
    at = desk(order_rate_max=10)
    told = [texts(asked(at, price=300 * NANOS)) for _ in range(10)]
    assert [len(each) for each in told] == [0] * 7 + [1, 0, 0]


def test_a_rate_is_said_again_only_after_it_was_quiet_and_a_minute_passed() -> None:
    at = desk(order_rate_max=10, order_rate_kills=False)
    at.agrees = True
    assert len(burst(at, 8)) == 1
    let_pass(at, SECOND)
    assert burst(at, 8) == [], "quiet, but within the minute"
    let_pass(at, MINUTE_NS - 2 * SECOND)
    at.quote("AAPL", 250)
    assert burst(at, 7) == []
    let_pass(at, SECOND)
    assert len(burst(at, 8)) == 1, "a minute after it was said"
    let_pass(at, 2 * MINUTE_NS)
    told: list[str] = []
    for _ in range(10 * 70):
        told += texts(let_pass(at, SECOND // 10))
        at.quote("AAPL", 250)
        told += texts(asked(at))
    assert len(told) == 1, "never quiet: not again after a minute"
    let_pass(at, 3 * MINUTE_NS)
    assert at.kernel._state.throttles.near == {}, "nothing is kept of what is over"


def test_a_policy_that_only_denies_says_so_and_the_account_has_its_rate_too() -> None:
    at = desk(order_rate_max=10, order_rate_kills=False)
    assert burst(at, 4) == burst(at, 3, strategy="beta") == []
    assert burst(at, 1, strategy="beta") == [
        (
            "all strategies: 8 orders within 1s, the last by beta, 80.00% of the limit 10"
            " (order_rate): near; above it orders are denied"
        )
    ]


def test_cancels_and_orders_bring_the_rate_of_messages_near() -> None:
    at = desk(messages_max=10)
    (order,) = submitted(asked(at))
    cancel = facts.CancelRequested(request=99, strategy="alpha", order_id=order.order_id)
    for _ in range(6):
        assert texts(at.take(cancel)) == []
    assert texts(at.take(cancel)) == [
        (
            "all strategies: 8 messages within 1s, the last by alpha, 80.00% of the limit 10"
            " (message_rate): near; above it orders are denied"
        )
    ]
    assert texts(asked(at)) == []


def test_messages_that_only_a_condition_counts_have_no_limit_to_be_near() -> None:
    at = desk(Policy(checks=(CheckRule(name="calm", condition="messages <= 30"),)))
    assert burst(at, 30) == []


def test_executions_are_near_before_they_disable_their_strategy_one_alert_a_minute() -> None:
    at = desk(repeated_executions_max=5, repeated_executions_window_ns=10 * MINUTE_NS)
    for symbol, price in (("AAPL", 250), ("TSLA", 100)):
        for number in range(1, 5):
            (order,) = submitted(asked(at, symbol, price=price * NANOS))
            told = texts(fill(at, order, parts=2))
            if number == 4 and symbol == "AAPL":
                assert told == [
                    (
                        "alpha: 4 executions of AAPL buy within 10m, 80.00% of the limit 5"
                        " (repeated_executions): near; at it the strategy is halted"
                    )
                ]
            else:
                assert told == []
    at.now_ns += MINUTE_NS
    at.quote("AAPL", 250)
    (order,) = submitted(asked(at))
    effects = fill(at, order)
    assert latched(effects) == [("strategy:alpha", HaltLevel.HALT, Reason.REPEATED_EXECUTIONS)]
    assert texts([*effects, *let_pass(at, 30 * MINUTE_NS)]) == []


def test_a_limit_so_small_that_four_fifths_are_all_of_it_trips_without_a_soft_alert() -> None:
    at = desk(repeated_executions_max=2)
    for _ in range(2):
        (order,) = submitted(asked(at))
        effects = fill(at, order)
        assert texts(effects) == []
    assert latched(effects)


def test_reductions_are_in_no_rate_and_bring_none_near() -> None:
    at = desk(order_rate_max=2, held=100)
    for _ in range(20):
        assert texts(asked(at, side=Side.SELL, quantity=NANOS, price=251 * NANOS)) == []


def test_what_was_said_of_a_rate_survives_a_restart() -> None:
    at = desk(order_rate_max=10)
    assert len(burst(at, 8)) == 1
    restarted(at)
    assert burst(at, 1) == []
    at.start()
    for order in at.kernel._state.book.working_orders():  # nothing new leaves before that
        at.take(
            facts.OrderSent(
                order_id=order.order_id, broker_order_id="b", status=OrderStatus.WORKING
            )
        )
    at.take(facts.PositionsSeen(positions=()))
    at.quote("AAPL", 250)
    assert burst(at, 1) == []


def test_rates_of_more_strategies_than_are_kept_are_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rates, "NEAR_MAX", 3)
    at = desk(order_rate_max=1)
    for number in range(6):
        burst(at, 1, strategy=f"s{number}")
        at.now_ns += SECOND
    assert len(at.kernel._state.throttles.near) == 3


# --- against an independent model ---

GAPS = st.lists(
    st.sampled_from((1, 30, 90, 110, 140, 400, 5_000, 61_000)), min_size=20, max_size=60
)


@given(GAPS, st.integers(1, 9))
def test_each_count_that_reaches_80_percent_of_a_quiet_rate_is_said(
    gaps_ms: list[int], most: int
) -> None:
    """Not quiet for a quarter of a second is not quiet: the kernel does not look more often."""
    at = desk(order_rate_max=most, order_rate_kills=False)
    times, said_ns, quiet = [0] * most, -MINUTE_NS, True
    clear = -(-3 * most // 4)
    for gap_ms in gaps_ms:
        let_pass(at, gap_ms * SECOND // 1000)
        at.quote("AAPL", 250)
        effects = asked(at)
        quiet_ns = at.now_ns - times[-clear] - SECOND
        quiet = quiet or quiet_ns > SECOND * 3 // 10
        times += [at.now_ns] * len(submitted(effects))
        near = sum(at.now_ns - time_ns < SECOND for time_ns in times) * 5 >= 4 * most
        rested = at.now_ns - said_ns >= MINUTE_NS
        if texts(effects):
            assert near
            assert rested
            assert quiet or quiet_ns >= 0
            said_ns, quiet = at.now_ns, False
        else:
            assert not (near and rested and quiet)


@given(GAPS)
def test_the_quick_pass_looks_at_exactly_what_the_table_would(gaps_ms: list[int]) -> None:
    quick, slow = desk(order_rate_max=8), desk(order_rate_max=8)
    for gap_ms in gaps_ms:
        for at in (quick, slow):
            at.now_ns += gap_ms * SECOND // 1000
            at.quote("AAPL", 250)
        with pytest.MonkeyPatch.context() as patch:
            told = texts(asked(quick))
            patch.setattr(judging, "worst_if_passed", lambda *_: None)
            assert told == texts(asked(slow))
    assert quick.kernel.digest() == slow.kernel.digest()


@pytest.mark.parametrize(
    ("part", "text", "instead"),
    [
        (rates._look, "known is not None and not known.quiet", "False"),
        (rates._look, "boot_ns - at.said_boot_ns < SAID_EVERY_NS", "False"),
        (rates._look, "not ring.full(near_from(most), window_ns, boot_ns)", "False"),
        (rates.judge_when_due, "not _busy(turn, key)", "True"),
        (rates.judge_when_due, "not _busy(turn, key)", "False"),
    ],
)
def test_without_a_part_of_the_hysteresis_a_test_fails(
    monkeypatch: pytest.MonkeyPatch, part: Callable[..., object], text: str, instead: str
) -> None:
    without(monkeypatch, part, text, instead)
    assert fails(test_a_rate_is_said_again_only_after_it_was_quiet_and_a_minute_passed) or fails(
        test_orders_that_are_denied_bring_a_rate_near_too
    )


def test_a_kernel_without_anything_near_is_not_woken_for_it() -> None:
    at = desk(order_rate_max=10)
    burst(at, 7)
    assert rates.next_deadline(at.kernel._turn) == 0
    burst(at, 1)
    due_ns = rates.next_deadline(at.kernel._turn)
    assert due_ns > at.now_ns
    assert 0 < Kernel.restored(at.kernel.snapshot())._state.next_wake_boot_ns <= due_ns
