"""Books against the broker's: when they are compared, and what a difference does by the policy."""

import pytest

from fuseboard.core.kernel import Kernel
from fuseboard.policy.policy import Policy, canonical_text, digest_of
from fuseboard.policy.rules import BreakerRule
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.actions import Action
from fuseboard.vocabulary.copy_inputs import WorkingOrder, WorkingSeen
from fuseboard.vocabulary.evidence_effects import RecordCash, RecordTransition
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.operator_inputs import OperatorHaltRequested, OperatorResetRequested
from fuseboard.vocabulary.orders import Intent, OrderStatus, Side
from fuseboard.vocabulary.postures import HaltLevel, Posture
from fuseboard.vocabulary.reasons import Reason
from tests.core.compared import PRICE, Compared, finds, latched, policy_of, stages
from tests.core.test_known_failures import SECOND, denied, submitted

BOTH = fx.ReadAccount(positions=True)


def reads(effects: list[fx.Effect]) -> int:
    return sum(isinstance(effect, fx.ReadAccount) and effect.positions for effect in effects)


def reset(desk: Compared) -> tuple[fx.Effect, ...]:
    return desk.take(
        OperatorResetRequested(request=9, operator="ann", reason="seen", scope="account")
    )


def differing(desk: Compared, shares: int) -> tuple[fx.Effect, ...]:
    """The broker holds so many, also when it is asked again."""
    for _ in range(9):
        effects = desk.positions(shares)
        if desk.kernel._state.compare_again_boot_ns == 0:
            return effects
        desk.passes(1)
        for order in finds(desk.said):
            at = desk.kernel._state.book.orders[order]
            if at.order_id in desk.kernel._state.unresolved:
                desk.take(
                    facts.OrderSent(
                        order_id=order,
                        broker_order_id=at.broker_order_id or "b1",
                        status=OrderStatus.WORKING,
                    )
                )
    raise AssertionError("it is compared for ever")


@pytest.mark.parametrize(("every", "times"), [(30, 4), (60, 2), (7, 12)])
def test_positions_cash_and_fills_are_compared_as_often_as_the_policy_says(
    every: int, times: int
) -> None:
    desk = Compared(policy_of(every_ns=every * SECOND))
    reads_before, asked_before = reads(desk.said), desk.said.count(fx.ReadExecutions(after=""))
    for _ in range(120):
        desk.passes(1)
        if desk.kernel._state.copy.asking:
            desk.feed()
    assert reads(desk.said) - reads_before == times
    assert desk.said.count(fx.ReadExecutions(after="")) - asked_before == times


def test_a_policy_may_switch_the_schedule_off() -> None:
    desk = Compared(policy_of(scheduled=False), held=100)
    assert reads(desk.passes(100)) == 0


def test_at_a_time_of_day_the_books_are_compared_with_the_next_reading_of_the_account() -> None:
    desk = Compared(policy_of(scheduled=False), held=100)
    assert reads(desk.passes(100)) == 0
    asked = desk.said.count(fx.ReadExecutions(after=""))
    desk.take(facts.TimeOfDayReached(due_ns=desk.now_ns))
    assert reads(desk.passes(5)) == 1
    assert desk.said.count(fx.ReadExecutions(after="")) == asked + 1, "and fills"
    desk.positions(100)
    desk.feed()
    assert reads(desk.passes(100)) == 0, "once"


def test_a_comparison_at_a_time_of_day_that_nobody_can_do_pages_like_any_other() -> None:
    desk = Compared(policy_of(scheduled=False), held=100)
    desk.take(facts.TimeOfDayReached(due_ns=desk.now_ns))
    said = desk.passes(70)
    late = [e for e in said if isinstance(e, fx.RaiseAlert) and e.code is Reason.COMPARISON_LATE]
    assert len(late) == 1
    assert desk.posture() is Posture.REDUCE_ONLY
    desk.positions(100)
    assert desk.posture() is Posture.OPEN


def test_a_time_of_day_before_the_starts_own_comparison_is_done_by_that_one() -> None:
    desk = Compared(policy_of(scheduled=False), held=100)
    desk.kernel = Kernel.restored(desk.kernel.snapshot())
    desk.take(facts.TimeOfDayReached(due_ns=desk.now_ns))
    desk.start()
    assert reads(desk.passes(100)) == 0


def test_a_trip_asks_for_a_comparison_at_once() -> None:
    desk = Compared(policy_of(scheduled=False), held=2_000)
    desk.passes(12)
    before = reads(desk.said)
    for _ in range(3):
        desk.quote("AAPL", 200)
        desk.account(equity=1_400_000)
    assert any(isinstance(e, RecordTransition) and e.after == "TRIGGERED" for e in desk.said)
    assert reads(desk.said) == before + 1
    desk.passes(6)
    assert reads(desk.said) == before + 1, "once"


def test_a_difference_halts_by_default_and_the_book_keeps_its_own_until_a_person_says_so() -> None:
    desk = Compared(Policy(limits=policy_of().limits), held=100)
    effects = desk.positions(40)
    (shown,) = [e for e in effects if isinstance(e, fx.PublishDiscrepancy)]
    assert (shown.subject, shown.source, shown.ours, shown.theirs) == (
        "position AAPL",
        "positions",
        "100",
        "40",
    )
    assert shown.since_wall_ns == desk.now_ns
    assert [e.reason for e in effects if isinstance(e, fx.LatchHalt)] == [Reason.POSITION_MISMATCH]
    assert desk.held_nanos() == 100 * NANOS
    assert not latched(desk.positions(40)), "known: neither latched nor told again"
    assert stages(desk.positions(30)) == [("found", "position AAPL")], "other numbers are news"
    assert stages(reset(desk)) == [("accepted", "position AAPL")]
    assert desk.held_nanos() == 30 * NANOS
    assert desk.posture() is Posture.OPEN
    assert stages(desk.positions(30)) == []


def test_where_the_policy_corrects_the_book_takes_the_brokers_numbers_at_once() -> None:
    desk = Compared(policy_of("reduce_only", auto_correct=True), held=100)
    assert stages(desk.positions(40)) == [("found", "position AAPL")]
    assert desk.held_nanos() == 40 * NANOS
    assert desk.posture() is Posture.REDUCE_ONLY
    assert not latched(desk.said)
    assert stages(desk.positions(40)) == [("resolved", "position AAPL")]
    assert desk.posture() is Posture.OPEN


def test_notify_tells_people_and_changes_neither_posture_nor_book() -> None:
    desk = Compared(policy_of("notify"), held=100)
    effects = desk.positions(40)
    assert any(isinstance(effect, fx.RaiseAlert) for effect in effects)
    assert desk.posture() is Posture.OPEN
    assert desk.held_nanos() == 100 * NANOS


def test_the_tolerance_is_a_share_of_the_larger_side_and_exact() -> None:
    desk = Compared(policy_of(tolerance_nanos=NANOS // 100), held=100)
    assert stages(desk.positions(99)) == []
    assert desk.standing() == []
    assert stages(desk.positions(98)) == [("found", "position AAPL")]
    at = facts.BrokerPosition(
        symbol="AAPL",
        quantity_nanos=99 * NANOS - 1,
        average_price_nanos=PRICE,
        price_nanos=PRICE,
    )
    assert stages(desk.take(facts.PositionsSeen(positions=(at,)))) == [("found", "position AAPL")]


def test_while_books_differ_only_what_reduces_on_both_sides_is_a_reduction() -> None:
    desk = Compared(policy_of("reduce_only"), held=100)
    desk.positions(40)
    assert denied(desk.order(Side.SELL, 60 * NANOS)) == [Reason.POSTURE_REDUCE_ONLY]
    assert submitted(desk.order(Side.SELL, 30 * NANOS))
    assert denied(desk.order(Side.SELL, 20 * NANOS)) == [Reason.POSTURE_REDUCE_ONLY], "30 work"
    assert submitted(desk.order(Side.SELL, 10 * NANOS))


@pytest.mark.parametrize("side", list(Side))
def test_while_books_differ_a_fill_takes_from_what_the_broker_holds_too(side: Side) -> None:
    sign = 1 if side is Side.SELL else -1
    desk = Compared(policy_of("notify", scheduled=False), held=sign * 150)
    desk.positions(sign * 100)
    first = desk.working("b1", shares=60, side=side)
    desk.filled(first, "b1", 60)
    assert desk.kernel._state.compare_asked
    (order,) = submitted(desk.order(side, 40 * NANOS))
    orders = desk.kernel._state.book.orders
    assert orders[order.order_id].intent is Intent.REDUCE, "40 are left on both sides"
    desk.take(
        facts.OrderSent(order_id=order.order_id, broker_order_id="b2", status=OrderStatus.WORKING)
    )
    desk.filled(order, "b2", 40)
    assert desk.held_nanos() == sign * 50 * NANOS
    (flip,) = submitted(desk.order(side, NANOS))
    assert orders[flip.order_id].intent is Intent.OPEN, "the broker holds nothing any more"
    before = reads(desk.said)
    desk.passes(6)
    assert reads(desk.said) == before + 1
    reset(desk)
    assert desk.held_nanos() == 0, "what a person takes over has moved, too"


def test_a_fill_that_the_broker_may_have_counted_already_leaves_no_more_to_reduce() -> None:
    desk = Compared(policy_of("notify", scheduled=False), held=100)
    desk.positions(40)
    desk.filled(desk.working("b1", shares=9), "b1", 9)
    (order,) = submitted(desk.order(Side.SELL, 41 * NANOS))
    assert desk.kernel._state.book.orders[order.order_id].intent is Intent.OPEN


def test_a_fill_on_the_side_to_which_the_broker_already_leans_leaves_its_number() -> None:
    desk = Compared(policy_of("notify", scheduled=False), held=100)
    desk.positions(-40)
    desk.filled(desk.working("b1", shares=9, side=Side.SELL), "b1", 9)
    assert desk.kernel._state.positions_apart["AAPL"].quantity_nanos == -40 * NANOS


def test_a_flatten_takes_the_brokers_numbers_because_it_closes_what_the_broker_holds() -> None:
    desk = Compared(policy_of("notify"), held=100)
    desk.positions(40)
    desk.take(
        OperatorHaltRequested(
            request=1, operator="ann", reason="out", scope="account", level=HaltLevel.FLATTEN
        )
    )
    assert desk.held_nanos() == 40 * NANOS
    desk.positions(25)
    assert desk.held_nanos() == 25 * NANOS, "and while the plan is at work, what is found later too"
    assert desk.standing() == ["position AAPL"]


def flatten(desk: Compared, scope: str) -> tuple[fx.Effect, ...]:
    return desk.take(
        OperatorHaltRequested(
            request=1, operator="ann", reason="out", scope=scope, level=HaltLevel.FLATTEN
        )
    )


@pytest.mark.parametrize("scope", ["symbol:TSLA", "strategy:beta"])
@pytest.mark.parametrize("when", ["before", "after", "ended"])
def test_a_flatten_of_what_does_not_differ_takes_nothing_over(scope: str, when: str) -> None:
    """Not at its begin, not while it is at work, and not once it has ended."""
    desk = Compared(policy_of("reduce_only"), held=100)
    if when == "before":
        desk.positions(40)
    flatten(desk, scope)
    (plan,) = desk.kernel._state.plans.values()
    assert plan.stage == "ended", "nothing is held there"
    if when == "after":
        plan.stage = "closing"
    desk.positions(40)
    assert desk.held_nanos() == 100 * NANOS
    desk.positions(40)
    assert desk.standing() == ["position AAPL"]
    assert desk.posture() is Posture.REDUCE_ONLY


def test_a_fuse_that_flattens_another_symbol_takes_nothing_over() -> None:
    rule = BreakerRule(
        name="rough", condition="vix > 30", action=Action.FLATTEN, scope="symbol:TSLA"
    )
    base = policy_of("reduce_only")
    text = canonical_text(
        Policy(limits=base.limits, reconciliation=base.reconciliation, breakers=(rule,))
    )
    desk = Compared(base, held=100)
    desk.take(
        facts.PolicyAdopted(text=text, digest=digest_of(text), operator="ann", reason="stricter")
    )
    desk.positions(40)
    for vix in (31 * NANOS, 32 * NANOS):  # what closes wants two reports
        desk.take(facts.MeasureReported(request=1, name="vix", value=vix, event_ns=desk.now_ns))
    assert [plan.scope for plan in desk.kernel._state.plans.values()] == ["symbol:TSLA"]
    assert desk.held_nanos() == 100 * NANOS


@pytest.mark.parametrize("scope", ["account", "symbol:AAPL"])
def test_a_plan_that_has_ended_takes_nothing_over(scope: str) -> None:
    desk = Compared(policy_of("reduce_only"))
    flatten(desk, scope)
    desk.positions(40)
    assert desk.held_nanos() == 0


@pytest.mark.parametrize("before", [False, True])
def test_what_a_flatten_took_over_differs_until_a_person_says_so(before: bool) -> None:
    desk = Compared(policy_of("reduce_only"), held=100)
    if before:
        desk.positions(40)
    flatten(desk, "symbol:AAPL")
    desk.positions(40)
    assert desk.held_nanos() == 40 * NANOS
    assert stages(desk.positions(40)) == []
    assert desk.standing() == ["position AAPL"]
    assert desk.posture() is Posture.REDUCE_ONLY
    assert stages(reset(desk)) == [("accepted", "position AAPL")]
    assert desk.posture() is Posture.OPEN


def test_of_two_that_differ_a_flatten_takes_its_own_and_the_money_of_that_alone() -> None:
    desk = Compared(policy_of("reduce_only", scheduled=False), held=100)
    account = desk.kernel._state.book.account
    before_attos = account.equity_attos()
    other = facts.BrokerPosition(
        symbol="TSLA", quantity_nanos=8 * NANOS, average_price_nanos=PRICE, price_nanos=PRICE
    )
    aapl = facts.BrokerPosition(
        symbol="AAPL", quantity_nanos=40 * NANOS, average_price_nanos=PRICE, price_nanos=PRICE
    )
    desk.take(facts.PositionsSeen(positions=(aapl, other)))
    flatten(desk, "symbol:AAPL")
    assert (desk.held_nanos(), account.position("TSLA").quantity_nanos) == (40 * NANOS, 0)
    assert account.equity_attos() == before_attos, "60 shares went for what they are worth"
    assert list(desk.kernel._state.positions_apart) == ["TSLA"]


def test_a_flatten_that_is_asked_again_takes_over_what_its_end_left_alone() -> None:
    desk = Compared(policy_of("reduce_only"))
    flatten(desk, "symbol:AAPL")
    desk.positions(40)
    asked = flatten(desk, "symbol:AAPL")
    assert desk.held_nanos() == 40 * NANOS
    assert [effect.symbol for effect in asked if isinstance(effect, fx.ReadLeg)] == ["AAPL"]


def test_divergence_beyond_the_limit_trips_its_fuse_exactly() -> None:
    def tripped(shares: int) -> bool:
        policy = policy_of("notify")
        rule = BreakerRule(
            name="apart", condition="max_position_divergence > 0.05", action=Action.HALT
        )
        text = canonical_text(
            Policy(limits=policy.limits, reconciliation=policy.reconciliation, breakers=(rule,))
        )
        desk = Compared(policy, held=100)
        desk.take(
            facts.PolicyAdopted(
                text=text, digest=digest_of(text), operator="ann", reason="stricter"
            )
        )
        effects = desk.positions(shares)
        return any(isinstance(e, RecordTransition) and "apart" in e.fuse for e in effects)

    assert not tripped(95)
    assert tripped(94)
    assert tripped(106)


def test_a_kill_is_left_when_a_person_takes_the_brokers_word_and_the_books_agree() -> None:
    desk = Compared(policy_of("halt"), held=100)
    desk.positions(40)
    desk.take(
        OperatorHaltRequested(
            request=1, operator="ann", reason="out", scope="account", level=HaltLevel.KILL
        )
    )
    assert reset(desk)
    desk.account()
    desk.positions(40)
    assert desk.posture() is Posture.OPEN
    assert desk.held_nanos() == 40 * NANOS


def test_discrepancies_outlive_a_restart_and_are_shown_again() -> None:
    desk = Compared(policy_of("reduce_only"), held=100)
    desk.positions(40)
    since = desk.kernel._state.discrepancies["position AAPL"].since_wall_ns
    desk.said.clear()
    desk.cash, desk.held = 1_015_000, 40
    desk.restarted()
    (shown, *_) = [e for e in desk.said if isinstance(e, fx.PublishDiscrepancy)]
    assert (shown.subject, shown.since_wall_ns) == ("position AAPL", since)
    assert desk.posture() is Posture.REDUCE_ONLY


def test_the_cash_tolerance_bounds_what_one_reading_takes_for_a_fee() -> None:
    desk = Compared(policy_of(cash_tolerance_nanos=50 * NANOS))
    desk.cash -= 50
    effects = [*desk.account(), *desk.account()]
    assert any(isinstance(effect, RecordCash) for effect in effects)
    desk.cash -= 51
    desk.account()
    effects = list(desk.account())
    assert not any(isinstance(effect, RecordCash) for effect in effects)
    assert stages(effects) == [("found", "cash")]
    (shown,) = [e for e in effects if isinstance(e, fx.PublishDiscrepancy)]
    assert (shown.ours, shown.theirs) == ("999950", "999899")
    assert desk.posture() is Posture.REDUCE_ONLY
    desk.cash += 51
    assert stages(desk.account()) == [("resolved", "cash")]
    assert desk.posture() is Posture.OPEN


# --- working orders -------------------------------------------------------------------------------


def test_an_order_that_the_broker_does_not_list_is_asked_for_and_ends_as_it_says() -> None:
    desk = Compared()
    order = desk.working("b1")
    effects = desk.take(facts.PositionsSeen(positions=(), missing=(order.order_id, "nobodys")))
    assert finds(effects) == [order.order_id]
    desk.take(
        facts.OrderSent(order_id=order.order_id, broker_order_id="b1", status=OrderStatus.CANCELED)
    )
    assert desk.kernel._state.book.working == {}
    assert finds(desk.take(facts.PositionsSeen(positions=(), missing=(order.order_id,)))) == []


def test_an_order_that_works_there_as_another_than_was_sent_is_a_discrepancy() -> None:
    desk = Compared()
    order = desk.working("b1", shares=10)
    twice = WorkingOrder(order_id=order.order_id, side=Side.BUY, quantity_nanos=20 * NANOS)
    effects = desk.take(WorkingSeen(differing=(twice,)))
    assert stages(effects) == [("found", f"order {order.order_id}")]
    (shown,) = [e for e in effects if isinstance(e, fx.PublishDiscrepancy)]
    assert (shown.ours, shown.theirs) == ("buy 10", "buy 20")
    assert desk.posture() is Posture.REDUCE_ONLY
    assert stages(desk.take(WorkingSeen())) == [("resolved", f"order {order.order_id}")]
    assert desk.posture() is Posture.OPEN


def test_an_order_of_ours_that_cannot_be_read_at_the_broker_is_a_discrepancy() -> None:
    desk = Compared()
    order = desk.working("b1", shares=10)
    more = WorkingOrder(order_id=order.order_id, side=Side.BUY, quantity_nanos=20 * NANOS)
    unread = WorkingOrder(order_id=order.order_id, side=None, quantity_nanos=None)
    desk.take(WorkingSeen(differing=(more,)))
    effects = desk.take(WorkingSeen(differing=(unread,)))
    (shown,) = [e for e in effects if isinstance(e, fx.PublishDiscrepancy)]
    assert (shown.stage, shown.ours, shown.theirs) == ("found", "buy 10", "?")
    assert "as ?, sent buy 10" in shown.what
    assert desk.posture() is Posture.REDUCE_ONLY
    assert stages(desk.take(WorkingSeen())) == [("resolved", f"order {order.order_id}")]


@pytest.mark.parametrize("policy", ["leave", "cancel"])
def test_a_strangers_order_is_left_or_cancelled_as_the_policy_says_and_a_twins_halts(
    policy: str,
) -> None:
    def seen(desk: Compared, *, twin: bool) -> tuple[fx.Effect, ...]:
        wire_id = "fb-other123-x" if twin else "by-hand"
        return desk.take(
            facts.ForeignOrderSeen(
                wire_id=wire_id, broker_order_id="b9", symbol="AAPL", ours_by_prefix=twin
            )
        )

    desk = Compared(policy_of(foreign_orders=policy))
    wanted = [fx.CancelOrder(order_id="by-hand", broker_order_id="b9")] * (policy == "cancel")
    for again in (False, True):
        effects = seen(desk, twin=False)
        assert [e for e in effects if isinstance(e, fx.CancelOrder)] == wanted, "until it is gone"
        assert any(isinstance(e, fx.RaiseAlert) for e in effects) is not again, "said once"
    assert desk.posture() is Posture.OPEN
    effects = seen(Compared(policy_of(foreign_orders=policy)), twin=True)
    assert latched(effects)
    assert not any(isinstance(e, fx.CancelOrder) for e in effects)
