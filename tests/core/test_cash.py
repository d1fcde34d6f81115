"""Cash that no fill explains: what is adopted, what a person says, breaches of doubtful books."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuseboard.core.cash import ADOPTIONS_MAX, CONFIRM_NS_MAX
from fuseboard.core.kernel import Kernel
from fuseboard.policy.limits import Limits
from fuseboard.policy.policy import Policy
from fuseboard.policy.rules import BreakerRule, LossRule, StrategyRule
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.actions import Action
from fuseboard.vocabulary.evidence_effects import RecordCash
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.operator_inputs import CashMoved, OperatorResetRequested
from fuseboard.vocabulary.orders import Side
from fuseboard.vocabulary.postures import Posture
from fuseboard.vocabulary.reasons import Reason
from tests.core.test_clocks import Clocked
from tests.core.test_known_failures import SECOND, Desk, accept, submitted

DAY = 24 * 3600 * SECOND
LOSS = LossRule(limit_nanos=NANOS // 20, cooldown_ns=SECOND)
POLICY = Policy(limits=Limits(order_value_nanos_max=NANOS**2), losses=(LOSS,))


def due(desk: Desk, wait_ns: int = 6 * SECOND) -> list[fx.Effect]:
    """Time passes until the account is read, and the broker's figures come."""
    desk.now_ns += wait_ns
    return [*desk.take(facts.TimeAdvanced()), *desk.account()]


def said(desk: Desk, amount: int) -> list[fx.Effect]:
    moved = CashMoved(request=5, amount_nanos=amount * NANOS, why="ann: transfer")
    return list(desk.take(moved))


def answers(effects: list[fx.Effect]) -> list[bool]:
    return [e.accepted for e in effects if isinstance(e, fx.AnswerOperator)]


def tripped(effects: list[fx.Effect]) -> bool:
    return any(isinstance(effect, fx.LatchHalt) for effect in effects)


def reduce_only(effects: list[fx.Effect]) -> bool:
    asked = [e for e in effects if isinstance(e, fx.PublishPosture)]
    return any(e.posture is Posture.REDUCE_ONLY for e in asked)


def doubted(desk: Desk, apart: int) -> Desk:
    """Books that are known to be wrong: the broker has so much more cash than they say."""
    desk.cash += apart
    assert reduce_only([*due(desk), *due(desk)])
    return desk


# --- what a person says --------------------------------------------------------------------------


def test_a_movement_is_taken_once_the_brokers_cash_shows_it() -> None:
    desk = Desk(POLICY, cash=100_000)
    effects = said(desk, -40_000)
    assert fx.ReadAccount(positions=False) in effects
    assert answers(effects) == []
    desk.cash -= 40_000
    confirmed = list(desk.account())
    assert answers(confirmed) == [True]
    assert not tripped([*confirmed, *due(desk), *due(desk)])


def test_a_movement_that_the_broker_never_shows_is_refused_and_moves_no_mark() -> None:
    desk = Desk(POLICY, held=1_000, cash=0)
    effects = said(desk, -20_000)
    while not answers(effects):
        assert desk.now_ns < 2 * CONFIRM_NS_MAX + 10 * SECOND, "it waits for ever"
        effects = due(desk, SECOND)
    assert answers(effects) == [False]
    desk.quote("AAPL", 237)
    assert tripped(list(desk.quote("AAPL", 237))), "the mark is what it was"


@pytest.mark.parametrize("shown", [-20_000, 20_000, -38_000, -42_000])
def test_a_movement_of_another_amount_confirms_nothing(shown: int) -> None:
    desk = Desk(POLICY, cash=100_000)
    said(desk, -40_000)
    desk.cash += shown
    assert answers(list(desk.account())) == []


def test_while_orders_work_two_readings_must_show_it_without_a_fill_between() -> None:
    desk = Desk(POLICY, cash=100_000)
    (order,) = submitted(desk.order(Side.BUY, 160 * NANOS))
    accept(desk, order, "b1")
    said(desk, -40_000)
    desk.cash -= 40_000  # the order filled there; its report is on its way
    assert answers(list(desk.account())) == []
    desk.take(
        facts.FillReported(
            order_id=order.order_id,
            broker_order_id="b1",
            quantity_nanos=160 * NANOS,
            price_nanos=250 * NANOS,
            filled_quantity_nanos=160 * NANOS,
            filled_price_nanos=250 * NANOS,
            final=True,
        )
    )
    assert answers(list(desk.account())) == []
    (other,) = submitted(desk.order(Side.BUY, NANOS))
    accept(desk, other, "b2")
    desk.cash -= 40_000
    assert answers(list(desk.account())) == []
    assert answers(list(desk.account())) == [True]


def test_a_small_movement_may_be_explained_after_it_was_adopted() -> None:
    desk = Desk(POLICY, cash=100_000)
    desk.cash -= 700
    assert any(isinstance(e, RecordCash) for e in due(desk))
    effects = [*said(desk, -700), *desk.account()]
    assert answers(effects) == [True]
    (desk.kernel,) = [Kernel.restored(desk.kernel.snapshot())]
    desk.cash -= 900
    assert any(isinstance(e, RecordCash) for e in due(desk)), "the day's bound has it back"


def test_a_second_movement_waits_and_one_before_the_books_are_compared_is_refused() -> None:
    desk = Desk(POLICY, cash=100_000)
    said(desk, 5_000)
    assert answers(said(desk, 6_000)) == [False]
    desk.take(facts.NodeStarted(instance="deskdesk", account="A1", release="0"))
    assert answers(said(desk, 5_000)) == [False]


# --- what nobody says ----------------------------------------------------------------------------


def test_fees_are_adopted_up_to_the_days_bound_and_then_are_a_question() -> None:
    desk = Clocked(POLICY, cash=100_000)
    for day_so_far in (400, 800):
        desk.cash -= 400
        (record,) = [e for e in due(desk) if isinstance(e, RecordCash)]
        assert (record.difference_nanos, record.day_nanos) == (-400 * NANOS, day_so_far * NANOS)
    desk.cash -= 400
    first, second = due(desk), due(desk)
    assert not any(isinstance(e, RecordCash) for e in [*first, *second])
    (page,) = [e for e in second if isinstance(e, fx.RaiseAlert)]
    assert "800" in page.text
    assert reduce_only(second)
    desk.set_by_ns += DAY
    assert not any(isinstance(e, RecordCash) for e in due(desk)), "a clock that is set on has none"
    desk.now_ns += DAY
    assert any(isinstance(e, RecordCash) for e in due(desk)), "the next day has room"


def test_what_comes_and_goes_counts_both_ways() -> None:
    desk = Desk(POLICY, cash=100_000)
    for change in (600, -300):
        desk.cash += change
        due(desk)
    desk.cash += 200
    assert not any(isinstance(e, RecordCash) for e in due(desk))


@given(changes=st.lists(st.integers(-1_200, 1_200), max_size=30))
def test_within_a_day_never_more_is_adopted_than_the_bound(changes: list[int]) -> None:
    desk = Desk(POLICY, cash=100_000)
    adopted = 0
    for change in changes:
        desk.cash += change
        records = [e for e in due(desk) if isinstance(e, RecordCash)]
        adopted += sum(abs(each.difference_nanos) for each in records)
        assert adopted <= 1_020 * NANOS, "1 % of an equity that never exceeds 102,000"


def test_many_small_adoptions_are_kept_in_bounded_room_and_lose_nothing() -> None:
    desk = Desk(POLICY, cash=1_000_000)
    for _ in range(ADOPTIONS_MAX + 20):
        desk.cash -= 1
        due(desk)
    desk.cash -= 1
    (record,) = [e for e in due(desk) if isinstance(e, RecordCash)]
    assert record.day_nanos == (ADOPTIONS_MAX + 21) * NANOS


# --- breaches of books that are known to be wrong ------------------------------------------------


def test_a_breach_of_doubtful_books_does_not_trip_until_the_brokers_equity_breaches_too() -> None:
    desk = doubted(Desk(POLICY, cash=50_000, held=600), 30_000)
    for _ in range(3):
        assert not tripped(list(desk.quote("AAPL", 230))), "12,000 of 200,000 lost, by our books"
    assert not tripped(list(desk.account(218_000))), "the broker says that nothing is lost"
    assert not tripped(list(desk.quote("AAPL", 229)))
    assert tripped(list(desk.account(189_000)))


def test_a_breach_of_books_that_agree_trips_by_itself() -> None:
    desk = Desk(POLICY, cash=50_000, held=600)
    desk.quote("AAPL", 230)
    assert tripped(list(desk.quote("AAPL", 230)))


def test_the_brokers_breach_and_then_ours_trips_on_doubtful_books() -> None:
    desk = doubted(Desk(POLICY, cash=50_000, held=600), 30_000)
    assert not tripped(list(desk.account(189_000)))
    assert tripped(list(desk.quote("AAPL", 230)))


def test_a_strategy_trips_on_doubtful_books_only_with_the_doubt_in_its_favour() -> None:
    strategy = StrategyRule(name="alpha", capital_nanos=200_000 * NANOS, losses=(LOSS,))
    limits = Limits(order_value_nanos_max=NANOS**2)
    desk = Desk(Policy(limits=limits, strategies=(strategy,)), cash=50_000, held=600)
    (order,) = submitted(desk.order(Side.SELL, NANOS))  # it is known now, and owns what is held
    desk.take(facts.OrderNotSent(order_id=order.order_id, reason=Reason.ANNIHILATED))
    doubted(desk, 3_000)
    for _ in range(3):
        assert not tripped(list(desk.quote("AAPL", 230))), "12,000 lost, or perhaps 9,000"
    assert tripped(list(desk.quote("AAPL", 228))), "10,200 at least, of 200,000"


def test_a_breaker_over_equity_does_not_trip_on_doubtful_books_alone() -> None:
    breaker = BreakerRule(name="fall", condition="drawdown > 5%", action=Action.HALT)
    policy = Policy(limits=Limits(order_value_nanos_max=NANOS**2), breakers=(breaker,))
    sound = Desk(policy, cash=50_000, held=600)
    sound.quote("AAPL", 230)
    assert tripped(list(sound.quote("AAPL", 230)))
    desk = doubted(Desk(policy, cash=50_000, held=600), 30_000)
    for _ in range(3):
        assert not tripped(list(desk.quote("AAPL", 230)))
    assert tripped(list(desk.account(180_000)))


def test_a_reset_that_accepts_the_brokers_cash_does_not_trip_by_the_books_before_it() -> None:
    desk = doubted(Desk(POLICY, cash=50_000, held=600), 30_000)
    for _ in range(3):
        desk.quote("AAPL", 230)
    reset = OperatorResetRequested(
        request=9, operator="ann", reason="the broker is right", scope="account"
    )
    effects = list(desk.take(reset))
    assert answers(effects) == [True]
    assert not tripped(effects)
