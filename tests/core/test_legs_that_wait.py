"""What a leg waits for, and how long: late cancels, others' orders, the other side."""

from collections.abc import Callable
from functools import partial

import pytest
from msgspec import structs

from fuseboard.core import leaving, plan, stops
from fuseboard.core.closes import UNCONFIRMED_NS_MAX
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary.evidence_effects import RecordPlan
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Severity, Side
from fuseboard.vocabulary.postures import HaltLevel
from tests.core.liquidity.market import of
from tests.core.test_known_failures import SECOND, Desk, accept, submitted
from tests.core.test_operators import CALM, asked
from tests.core.test_stops import answer, ended, filled, stop
from tests.core.test_trading_halts import halted, resumed, wait
from tests.deletion import assert_pinned


def a_stop_that_goes_late_has_its_own_time() -> None:
    """The exchange's halt outlasts the wait of the plan's first cancels; then its stop goes."""
    desk = Desk(CALM, held=100)
    order = stop(desk)
    desk.take(halted())
    desk.take(asked(HaltLevel.FLATTEN))
    wait(desk, 2 * UNCONFIRMED_NS_MAX)
    answer(desk, desk.take(resumed()), against=100)
    reading = wait(desk, CALM.execution.cancel_wait_ns)  # nobody confirms the stop's cancel
    (close,) = submitted(answer(desk, reading))
    accept(desk, close, "b9")
    flat = answer(desk, filled(desk, close, 100), held=0)
    assert of(flat, RecordPlan) == [], "the stop may still fill"
    (record,) = of(ended(desk, order), RecordPlan)
    assert (record.stage, record.left) == ("ended", ())


def test_a_plan_does_not_end_before_a_stop_that_it_took_late_is_final() -> None:
    a_stop_that_goes_late_has_its_own_time()


def a_position_that_others_work_against_is_left() -> None:
    desk = Desk(CALM, held=100)
    effects = desk.take(asked(HaltLevel.FLATTEN))
    for _ in range(plan.READS_MAX):
        effects = answer(desk, effects, against=100)
        assert of(effects, RecordPlan) == []
        effects = wait(desk, SECOND)
    last = answer(desk, effects, against=100)
    (record,) = of(last, RecordPlan)
    assert record.left == ("AAPL 100 other orders keep working against it",)
    assert [at.severity for at in of(last, fx.RaiseAlert)] == [Severity.PAGE]


def test_what_orders_of_nobody_we_know_work_against_is_left_in_the_end_and_paged() -> None:
    a_position_that_others_work_against_is_left()


def traded(desk: Desk, side: Side, shares: int, strategy: str) -> None:
    (order,) = submitted(desk.order(side, shares * NANOS, 250, strategy=strategy))
    accept(desk, order, f"b{desk.requests}")
    filled(desk, order, shares)


def on_the_other_side(own: Side) -> Desk:
    """Alpha holds 10 on its own side and beta 20 on the other: so does the account, 10."""
    checks_off = ("opposite_strategy", "self_match")
    desk = Desk(structs.replace(CALM, checks_off=checks_off), multiplier=4)
    traded(desk, own, 10, "alpha")
    traded(desk, Side.SELL if own is Side.BUY else Side.BUY, 20, "beta")
    return desk


def a_neighbours_order_may_bring_the_position_back(own: Side) -> None:
    desk = on_the_other_side(own)
    other, sign = (Side.SELL, 1) if own is Side.BUY else (Side.BUY, -1)
    price = 249 if own is Side.BUY else 251
    (order,) = submitted(desk.order(own, 30 * NANOS, price, strategy="beta"))
    accept(desk, order, "b30")
    effects = desk.take(asked(HaltLevel.FLATTEN, "strategy:alpha"))
    effects = answer(desk, effects, held=-10 * sign, against=30)
    assert (of(effects, RecordPlan), submitted(effects)) == ([], []), "it waits"
    filled(desk, order, 30)
    (close,) = submitted(answer(desk, wait(desk, SECOND), held=20 * sign))
    assert (close.side, close.quantity_nanos) == (other, 10 * NANOS)


@pytest.mark.parametrize("own", list(Side))
def test_a_strategy_whose_neighbour_s_order_may_bring_its_position_back_is_not_left(
    own: Side,
) -> None:
    a_neighbours_order_may_bring_the_position_back(own)


def the_other_side_leaves_it(own: Side) -> None:
    desk = on_the_other_side(own)
    effects = desk.take(asked(HaltLevel.FLATTEN, "strategy:alpha"))
    sign = 1 if own is Side.BUY else -1
    (record,) = of(answer(desk, effects, held=-10 * sign), RecordPlan)
    (left,) = record.left
    assert "other strategies hold the other side" in left


@pytest.mark.parametrize("own", list(Side))
def test_a_strategy_whose_neighbours_hold_the_other_side_is_left_at_once(own: Side) -> None:
    the_other_side_leaves_it(own)


def a_broker_that_says_otherwise_is_asked_again(own: Side) -> None:
    desk = on_the_other_side(own)
    effects = desk.take(asked(HaltLevel.FLATTEN, "strategy:alpha"))
    sign = 1 if own is Side.BUY else -1
    effects = answer(desk, effects, held=-5 * sign)  # a report is on its way
    assert (of(effects, RecordPlan), submitted(effects)) == ([], [])


@pytest.mark.parametrize("own", list(Side))
def test_while_broker_and_book_disagree_nobody_is_left_for_the_other_side(own: Side) -> None:
    a_broker_that_says_otherwise_is_asked_again(own)


@pytest.mark.parametrize(
    "row",
    [
        (
            stops._cancel,
            "plan.deadline_boot_ns = turn.boot_ns + UNCONFIRMED_NS_MAX",
            "pass",
            a_stop_that_goes_late_has_its_own_time,
        ),
        (
            plan.leg_read,
            "leg.reads > READS_MAX",
            "False",
            a_position_that_others_work_against_is_left,
        ),
        (
            leaving.out_of_reach,
            " or account.buying_nanos",
            "",
            partial(a_neighbours_order_may_bring_the_position_back, Side.BUY),
        ),
        (
            leaving.out_of_reach,
            " or account.selling_nanos",
            "",
            partial(a_neighbours_order_may_bring_the_position_back, Side.SELL),
        ),
        (
            leaving.out_of_reach,
            "not agreed or ",
            "",
            partial(a_broker_that_says_otherwise_is_asked_again, Side.BUY),
        ),
        (
            leaving.out_of_reach,
            "if not agreed or",
            "if True or",
            partial(the_other_side_leaves_it, Side.BUY),
        ),
    ],
)
def test_without_a_guard_a_test_fails(
    row: tuple[Callable[..., object], str, str, Callable[[], None]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert_pinned(monkeypatch, *row)
