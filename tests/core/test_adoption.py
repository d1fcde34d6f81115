"""A policy comes into force or is refused: who may loosen, what stays, and what is recorded."""

import json
from collections.abc import Iterable

import pytest
from msgspec.structs import replace

from fuseboard.core import roster
from fuseboard.core.fuses.drawdown import DrawdownFuse
from fuseboard.core.fuses.machine import FuseState
from fuseboard.core.kernel import Kernel
from fuseboard.policy.limits import Limits
from fuseboard.policy.policy import Policy, canonical_text, digest_of
from fuseboard.policy.rules import BreakerRule, LossRule, SessionRule, StrategyRule
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.actions import Action, Reference, ResetRule
from fuseboard.vocabulary.evidence_effects import RecordPlan, RecordPolicy
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.operator_inputs import CashMoved
from fuseboard.vocabulary.orders import OrderStatus, Severity, Side
from fuseboard.vocabulary.postures import HaltLevel, Posture
from fuseboard.vocabulary.reasons import Reason
from tests.core.test_known_failures import SECOND, Desk, accept, denied, submitted
from tests.core.test_operators import asked, closing, reset
from tests.core.test_sessions import SessionDesk, loss

VALUE_MAX = 1_000_000 * NANOS
BASE = Policy(name="base", limits=Limits(order_value_nanos_max=VALUE_MAX), losses=(loss("day"),))
TIGHT = replace(BASE, limits=Limits(order_value_nanos_max=50_000 * NANOS))
LOOSE = replace(BASE, limits=Limits(order_value_nanos_max=2 * VALUE_MAX))


def adopted(
    policy: Policy, operator: str = "start", reason: str = "", request: int = 7
) -> facts.PolicyAdopted:
    text = canonical_text(policy)
    return facts.PolicyAdopted(
        text=text, digest=digest_of(text), operator=operator, reason=reason, request=request
    )


def by_ann(policy: Policy) -> facts.PolicyAdopted:
    return adopted(policy, "ann", "reviewed")


def recorded(effects: Iterable[fx.Effect]) -> RecordPolicy:
    (record,) = [effect for effect in effects if isinstance(effect, RecordPolicy)]
    return record


def answer(effects: Iterable[fx.Effect]) -> fx.AnswerOperator:
    (given,) = [effect for effect in effects if isinstance(effect, fx.AnswerOperator)]
    return given


def in_force(desk: Desk) -> str:
    return desk.kernel.policy_digest()


def posture(desk: Desk, scope: str = "account") -> Posture:
    return desk.kernel._state.postures.get(scope, Posture.OPEN)


def same_again(desk: Desk) -> None:
    """The snapshot is the whole state."""
    assert Kernel.restored(desk.kernel.snapshot()).digest() == desk.kernel.digest()


# --- who may ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operator", "reason"), [("start", ""), ("", ""), ("ann", " "), ("  ", "reviewed")]
)
def test_a_looser_policy_without_a_name_and_a_reason_changes_nothing(
    operator: str, reason: str
) -> None:
    desk = Desk(BASE, cash=100_000)
    before = desk.kernel.digest()
    effects = desk.take(adopted(LOOSE, operator, reason))
    assert desk.kernel.digest() == before
    given = answer(effects)
    assert not given.accepted
    assert "a limit loosens" in given.message
    assert "risk.limits.max_order_value: 1000000 USD -> 2000000 USD" in given.message
    assert "--operator NAME --reason TEXT" in given.message
    record = recorded(effects)
    assert (record.accepted, record.before) == (False, digest_of(canonical_text(BASE)))
    alerts = [effect for effect in effects if isinstance(effect, fx.RaiseAlert)]
    assert [(alert.code, alert.severity) for alert in alerts] == [(Reason.POLICY, Severity.WARNING)]
    assert denied(desk.order(Side.BUY, 5_000 * NANOS)) == [Reason.ORDER_VALUE]


def test_a_named_person_with_a_reason_loosens_and_the_evidence_says_who_what_and_why() -> None:
    desk = Desk(BASE, cash=100_000)
    effects = desk.take(by_ann(LOOSE))
    assert answer(effects).accepted
    record = recorded(effects)
    assert (record.operator, record.reason, record.accepted) == ("ann", "reviewed", True)
    assert record.digest == in_force(desk) == digest_of(canonical_text(LOOSE))
    assert record.before == digest_of(canonical_text(BASE))
    assert record.looser == ("risk.limits.max_order_value: 1000000 USD -> 2000000 USD",)
    assert record.tighter == ()
    assert record.since_wall_ns == desk.now_ns
    assert denied(desk.order(Side.BUY, 5_000 * NANOS)) != [Reason.ORDER_VALUE]


def test_tightening_needs_nobody_and_holds_for_the_next_order() -> None:
    desk = Desk(BASE, cash=100_000)
    assert submitted(desk.order(Side.BUY, 300 * NANOS))
    effects = desk.take(adopted(TIGHT))
    assert answer(effects).accepted
    assert recorded(effects).tighter == ("risk.limits.max_order_value: 1000000 USD -> 50000 USD",)
    assert denied(desk.order(Side.BUY, 300 * NANOS)) == [Reason.ORDER_VALUE]
    same_again(desk)


def test_one_looser_limit_among_tighter_ones_refuses_the_whole() -> None:
    desk = Desk(BASE, cash=100_000)
    mixed = replace(TIGHT, restricted=("MSFT",), losses=(loss("day", limit_nanos=NANOS // 10),))
    given = answer(desk.take(adopted(mixed)))
    assert (given.accepted, "safety.loss_limits[day].hard: 5% -> 10%" in given.message) == (
        False,
        True,
    )
    assert submitted(desk.order(Side.BUY, 300 * NANOS)), "the tighter half did not come either"


def test_the_first_policy_is_free_and_the_same_again_is_no_change() -> None:
    desk = Desk(BASE, cash=100_000)
    since_ns = desk.kernel._state.policy_since_wall_ns
    assert since_ns
    record = recorded(desk.take(adopted(BASE)))
    assert (record.accepted, record.before, record.since_wall_ns) == (True, record.digest, since_ns)
    assert record.looser == record.tighter == record.neutral == ()


def test_what_is_no_policy_or_not_the_one_of_its_digest_is_refused() -> None:
    desk = Desk(BASE, cash=100_000)
    before = desk.kernel.digest()
    for bad, why in (
        (replace(by_ann(TIGHT), digest="0" * 64), "digest"),
        (replace(by_ann(TIGHT), text="{", digest=digest_of("{")), "no policy"),
        (replace(by_ann(TIGHT), text='{"x":1}', digest=digest_of('{"x":1}')), "no policy"),
        (
            by_ann(replace(BASE, breakers=(BreakerRule(name="b", condition="vix >"),))),
            "no policy",
        ),
        (by_ann(replace(BASE, losses=(loss("day"), loss("day", limit_nanos=NANOS)))), "same name"),
    ):
        given = answer(desk.take(bad))
        assert (given.accepted, why in given.message) == (False, True), given
    assert desk.kernel.digest() == before


def test_an_older_text_that_lacks_fields_is_compared_as_the_policy_that_it_is() -> None:
    fields = json.loads(canonical_text(BASE))
    del fields["resets"], fields["limits"]["order_rate_kills"], fields["execution"]
    older = json.dumps(fields)
    desk = Desk(BASE, cash=100_000)
    desk.take(replace(by_ann(BASE), text=older, digest=digest_of(older)))
    assert in_force(desk) == digest_of(older)
    record = recorded(desk.take(adopted(BASE)))
    assert record.accepted
    assert record.before == digest_of(older) != record.digest
    assert record.looser == record.tighter == record.neutral == ()


def test_what_only_a_start_reads_is_said_so() -> None:
    desk = Desk(BASE, cash=100_000)
    moved = replace(BASE, session=SessionRule(calendar="24/7"))
    assert "from the next start: session.calendar" in answer(desk.take(by_ann(moved))).message


# --- fuses --------------------------------------------------------------------------------------


def test_a_latched_fuse_outlives_its_rule_until_a_person_resets_it_and_then_it_goes() -> None:
    desk = SessionDesk(BASE)
    desk.at(199)
    assert desk.fuse("day").state is FuseState.HALTED
    desk.take(by_ann(replace(BASE, losses=(loss("night"),))))
    assert desk.fuse("day").state is FuseState.HALTED
    assert posture(desk) is Posture.HALTED
    same_again(desk)
    assert answer(desk.take(reset())).accepted
    assert list(desk.kernel._state.drawdowns) == ["night:account"]
    assert posture(desk) is Posture.OPEN
    same_again(desk)


def test_the_calendar_resets_no_fuse_whose_policy_is_no_longer_in_force() -> None:
    next_day = loss("day", reset=ResetRule.NEXT_TRADING_DAY)
    desk = SessionDesk(replace(BASE, losses=(next_day,)))
    desk.rolls(0)
    desk.at(199)
    desk.now_ns += 2 * SECOND
    desk.take(facts.TimeAdvanced())
    desk.take(by_ann(replace(BASE, losses=(loss("night", limit_nanos=NANOS // 2),))))
    desk.rolls(1)
    desk.opens()
    assert desk.fuse("day").latched()
    assert posture(desk) is Posture.HALTED
    desk.take(by_ann(replace(BASE, losses=(next_day, loss("night")))))
    desk.rolls(2)
    desk.opens()
    assert not desk.fuse("day").latched(), "the policy in force names the reset again"


def test_a_fuse_that_comes_back_has_its_mark_and_repeats_no_trip() -> None:
    desk = SessionDesk(BASE)
    desk.at(260)
    desk.at(199)
    first = desk.fuse("day").trip()
    desk.now_ns += 2 * SECOND
    desk.take(reset(rebase=True))
    desk.at(260)
    desk.now_ns += 6 * SECOND
    desk.take(facts.TimeAdvanced())
    desk.told_positions(260)
    desk.at(260)  # a rise by so much waits until positions were read
    assert (desk.fuse("day").generation, desk.mark("day")) == (2, 1_010_000)
    desk.take(by_ann(replace(BASE, losses=())))
    assert not desk.kernel._state.drawdowns
    desk.at(250)
    desk.take(adopted(BASE))
    assert desk.mark("day") == 1_010_000, "1,000,000 is what a fuse without memory would take"
    desk.at(199)
    assert desk.fuse("day").state is FuseState.HALTED
    assert desk.fuse("day").trip() != first


def test_while_it_is_away_sessions_roll_a_mark_and_money_rebases_it() -> None:
    desk = SessionDesk(replace(BASE, losses=(loss("day"), loss("ever", Reference.PEAK))))
    desk.rolls(0)
    desk.at(260)
    gone = replace(BASE, losses=())
    desk.take(by_ann(gone))
    desk.take(CashMoved(request=0, amount_nanos=1_010_000 * NANOS, why="doubled"))
    desk.cash += 1_010_000
    desk.account(2_020_000)
    desk.at(250)
    desk.rolls(1)
    desk.take(adopted(replace(gone, losses=(loss("day"), loss("ever", Reference.PEAK)))))
    assert desk.mark("ever") == 2_020_000
    assert desk.mark("day") == 2_010_000


def test_of_too_many_retired_fuses_the_oldest_is_forgotten_and_its_trips_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(roster, "RETIRED_MAX", 2)
    desk = SessionDesk(replace(BASE, losses=(loss("a"),)))
    desk.at(199)
    desk.now_ns += 2 * SECOND
    desk.take(reset(rebase=True))
    for name in "bcd":
        desk.take(by_ann(replace(BASE, losses=(loss(name),))))
    assert list(desk.kernel._state.retired_drawdowns) == ["b:account", "c:account"]
    desk.take(by_ann(replace(BASE, losses=(loss("a"),))))
    assert desk.fuse("a").generation == 3, "the forgotten one had reached 2"


def test_a_limit_that_is_tightened_past_the_present_loss_trips_once_it_is_confirmed() -> None:
    desk = SessionDesk(BASE)
    desk.at(260)
    desk.at(250)  # a loss of 0.99 %
    effects = desk.take(adopted(replace(BASE, losses=(loss("day", limit_nanos=NANOS // 200),))))
    assert desk.fuse("day").watching(), "a breach is confirmed before it trips"
    assert any(isinstance(effect, fx.ReadAccount) for effect in effects)
    desk.account(1_000_000)
    assert desk.fuse("day").state is FuseState.HALTED


def test_a_limit_that_would_close_at_once_what_is_held_needs_a_person() -> None:
    """Of the account's and of a strategy's losses; below the present loss nobody is asked."""
    rules = replace(BASE, losses=(loss("day", action=Action.FLATTEN),))
    desk = SessionDesk(rules)
    desk.at(260)
    desk.at(250)  # a loss of 0.99 %
    closer = replace(BASE, losses=(loss("day", action=Action.FLATTEN, limit_nanos=NANOS // 50),))
    assert answer(desk.take(adopted(closer))).accepted, "2 % is not lost yet"
    at_once = replace(BASE, losses=(loss("day", action=Action.FLATTEN, limit_nanos=NANOS // 200),))
    refused = answer(desk.take(adopted(at_once)))
    assert not refused.accepted
    assert "would close what is held now" in refused.message
    assert "day:account: 0.99% is lost" in refused.message
    assert answer(desk.take(by_ann(at_once))).accepted
    desk.account(1_000_000)
    assert desk.fuse("day").latched()


def test_an_adoption_withdraws_no_breach_that_the_broker_reports() -> None:
    desk = SessionDesk(BASE)
    desk.account(940_000)
    desk.now_ns += 2 * SECOND
    desk.take(facts.TimeAdvanced())
    assert posture(desk) is Posture.REDUCE_ONLY
    desk.take(adopted(TIGHT))
    assert posture(desk) is Posture.REDUCE_ONLY


def test_an_adoption_withdraws_no_breach_of_a_breaker() -> None:
    rule = BreakerRule(name="cut", condition="drawdown >= 5%")
    desk = SessionDesk(replace(BASE, losses=(), breakers=(rule,)))
    desk.account(940_000)
    desk.now_ns += 2 * SECOND
    desk.take(facts.TimeAdvanced())
    assert posture(desk) is Posture.REDUCE_ONLY
    desk.take(adopted(replace(TIGHT, losses=(), breakers=(rule,))))
    assert posture(desk) is Posture.REDUCE_ONLY


def test_a_loss_that_takes_a_breakers_name_takes_nothing_else_of_it() -> None:
    rule = BreakerRule(name="vix", condition="vix > 30", action=Action.REDUCE)
    desk = SessionDesk(replace(BASE, breakers=(rule,)))
    desk.take(
        facts.MeasureReported(
            request=1, name="vix", value=40 * NANOS, event_ns=desk.now_ns, symbol=""
        )
    )
    assert posture(desk) is Posture.REDUCED
    desk.take(adopted(replace(BASE, breakers=(rule,), losses=(loss("day"), loss("vix")))))
    assert posture(desk) is Posture.REDUCED
    names = [fuse.name for fuse in desk.kernel._state.fuses()]
    assert names == ["day:account", "vix (loss):account", "vix:account"]
    desk.take(by_ann(replace(BASE, losses=(loss("day"), loss("vix")))))
    desk.start()
    assert list(desk.kernel._state.drawdowns) == ["day:account", "vix (loss):account"]


def test_a_breaker_keeps_its_name_when_the_loss_of_that_name_is_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(roster, "RETIRED_MAX", 0)
    rule = BreakerRule(name="day", condition="vix > 30", action=Action.REDUCE)
    desk = SessionDesk(replace(BASE, breakers=(rule,)))
    desk.take(
        facts.MeasureReported(
            request=1, name="vix", value=40 * NANOS, event_ns=desk.now_ns, symbol=""
        )
    )
    desk.take(by_ann(replace(BASE, losses=(), breakers=(rule,))))
    assert [fuse.state for fuse in desk.kernel._state.breakers.values()] == [FuseState.WARNING]
    desk.text = canonical_text(replace(BASE, losses=(), breakers=(rule,)))
    desk.start()
    assert list(desk.kernel._state.breakers) == ["day (breaker):account"]
    assert posture(desk) is Posture.REDUCED


# --- strategies ---------------------------------------------------------------------------------

ALPHA = StrategyRule(
    name="alpha", capital_nanos=200_000 * NANOS, losses=(loss("own", limit_nanos=NANOS // 10),)
)
BETA = StrategyRule(name="beta", capital_nanos=100_000 * NANOS)
BOTH = replace(BASE, strategies=(ALPHA, BETA))


def own(desk: Desk) -> DrawdownFuse:
    return desk.kernel._state.drawdowns["own:strategy:alpha"]


def bought(desk: Desk, quantity: int = 100, strategy: str = "alpha") -> None:
    (order,) = submitted(desk.order(Side.BUY, quantity * NANOS, strategy=strategy))
    desk.held += quantity
    desk.cash -= quantity * 250
    _filled(desk, order, quantity)


def _filled(desk: Desk, order: fx.SubmitOrder, quantity: int, price: int = 250) -> None:
    accept(desk, order, f"b{order.order_id}")
    desk.take(
        facts.FillReported(
            order_id=order.order_id,
            broker_order_id=f"b{order.order_id}",
            quantity_nanos=quantity * NANOS,
            price_nanos=price * NANOS,
            filled_quantity_nanos=quantity * NANOS,
            filled_price_nanos=price * NANOS,
            final=True,
        )
    )


def test_a_strategy_that_goes_may_only_reduce_and_its_fuse_stays_until_it_is_flat() -> None:
    desk = Desk(BOTH, cash=1_000_000)
    bought(desk)
    desk.quote("AAPL", 250)
    without = replace(BASE, strategies=(BETA,))
    assert answer(desk.take(adopted(without))).accepted
    assert denied(desk.order(Side.BUY, NANOS)) == [Reason.STRATEGY_UNKNOWN]
    assert own(desk).mark_attos == 200_000 * NANOS**2
    for _ in range(3):
        desk.quote("AAPL", 240)  # 1,000 of 200,000: on the capital that it had
    assert own(desk).drawdown_nanos() == NANOS // 200
    same_again(desk)
    desk.kernel = Kernel.restored(desk.kernel.snapshot())
    (close,) = submitted(desk.order(Side.SELL, 100 * NANOS, price=240))
    assert close.intent.value == "reduce"
    assert denied(desk.order(Side.SELL, NANOS, price=240)) == [Reason.STRATEGY_UNKNOWN]
    desk.take(adopted(without))
    assert "own:strategy:alpha" in desk.kernel._state.drawdowns, "its close works"
    _filled(desk, close, 100)
    desk.take(adopted(without))
    assert "own:strategy:alpha" not in desk.kernel._state.drawdowns
    assert denied(desk.order(Side.SELL, NANOS, price=240)) == [Reason.STRATEGY_UNKNOWN]


def test_a_halted_desk_holds_a_strategy_that_the_policy_no_longer_names() -> None:
    desk_of = replace(BOTH, strategies=(replace(ALPHA, desk="d"), BETA))
    desk = Desk(desk_of, cash=1_000_000)
    bought(desk)
    desk.take(asked(HaltLevel.HALT, scope="desk:d"))
    assert denied(desk.order(Side.SELL, NANOS)) == [Reason.POSTURE_HALTED]
    assert answer(desk.take(adopted(replace(BASE, strategies=(BETA,))))).accepted
    assert denied(desk.order(Side.SELL, NANOS)) == [Reason.POSTURE_HALTED]
    desk.kernel = Kernel.restored(desk.kernel.snapshot())
    assert denied(desk.order(Side.SELL, NANOS)) == [Reason.POSTURE_HALTED]
    assert answer(desk.take(reset("desk:d"))).accepted
    assert submitted(desk.order(Side.SELL, NANOS))


def test_the_fuse_of_a_strategy_that_goes_stays_while_it_works_an_order_or_tightens() -> None:
    warned = replace(
        ALPHA, losses=(loss("own", limit_nanos=NANOS // 10, warning_nanos=NANOS // 1_000),)
    )
    without = adopted(replace(BASE, strategies=(BETA,)))
    working = Desk(BOTH, cash=1_000_000)
    (order,) = submitted(working.order(Side.BUY, NANOS))
    working.take(without)
    assert own(working).scope == "strategy:alpha"
    working.take(facts.OrderNotSent(order_id=order.order_id, reason=Reason.NEVER_ARRIVED))
    working.take(without)
    assert "own:strategy:alpha" not in working.kernel._state.drawdowns

    desk = Desk(replace(BOTH, strategies=(warned, BETA)), cash=1_000_000)
    bought(desk)
    for _ in range(3):
        desk.quote("AAPL", 240)
    (close,) = submitted(desk.order(Side.SELL, 100 * NANOS, price=240))
    _filled(desk, close, 100, price=240)
    assert posture(desk, "strategy:alpha") is Posture.REDUCED
    desk.take(without)
    assert own(desk).state is FuseState.WARNING
    assert posture(desk, "strategy:alpha") is Posture.REDUCED


def test_a_strategy_nobody_ever_named_is_unknown_whatever_it_asks() -> None:
    desk = Desk(BOTH, cash=1_000_000)
    assert denied(desk.order(Side.SELL, NANOS, strategy="gamma")) == [Reason.STRATEGY_UNKNOWN]


@pytest.mark.parametrize(("capital", "taken"), [(10_001, True), (10_000, False), (1, False)])
def test_a_capital_that_is_lost_already_would_close_what_is_held_and_needs_a_person(
    capital: int, taken: bool
) -> None:
    """Its drawdown of 5 % is kept by any other capital."""
    closes = loss("own", limit_nanos=NANOS // 2, action=Action.FLATTEN)
    alpha = replace(ALPHA, losses=(closes,))
    desk = Desk(replace(BASE, losses=(), strategies=(alpha, BETA)), cash=1_000_000)
    bought(desk, 1_000)
    for _ in range(3):
        desk.quote("AAPL", 240)
    smaller = replace(alpha, capital_nanos=capital * NANOS)
    other = replace(BASE, losses=(), strategies=(smaller, BETA))
    told = answer(desk.take(adopted(other)))
    assert told.accepted is taken
    if not taken:
        assert (
            f"alpha: it has lost 10,000.00, and its capital would be {capital:,}.00" in told.message
        )
        assert answer(desk.take(by_ann(other))).accepted
    for _ in range(3):
        desk.quote("AAPL", 240)
    assert own(desk).watching() is taken


@pytest.mark.parametrize("capital", [50_000, 100_000, 800_000])
def test_another_capital_moves_the_mark_and_not_the_drawdown(capital: int) -> None:
    desk = Desk(BOTH, cash=1_000_000)
    bought(desk)
    for _ in range(3):
        desk.quote("AAPL", 240)
    before = own(desk).drawdown_nanos()
    other = replace(BOTH, strategies=(replace(ALPHA, capital_nanos=capital * NANOS), BETA))
    assert answer(desk.take(adopted(other))).accepted is (capital < 200_000)
    desk.take(by_ann(other))
    fuse = own(desk)
    desk.quote("AAPL", 240)
    assert (fuse.drawdown_nanos(), fuse.watching()) == (before, True)
    assert fuse.equity_attos == (capital - 1_000) * NANOS**2


# --- what an adoption leaves alone --------------------------------------------------------------


def test_a_plan_that_runs_is_not_disturbed() -> None:
    desk = Desk(BASE, cash=0, held=100)
    close = closing(desk)
    plans = list(desk.kernel._state.plans)
    effects = [*desk.take(adopted(TIGHT)), *desk.take(by_ann(replace(LOOSE, losses=())))]
    left = fx.CancelOrder | fx.SubmitOrder | RecordPlan | fx.LatchHalt | fx.ClearHalt
    assert not any(isinstance(effect, left) for effect in effects)
    assert list(desk.kernel._state.plans) == plans
    assert desk.kernel._state.book.orders[close.order_id].status is OrderStatus.WORKING


def test_a_persons_latch_and_its_epoch_stay_whatever_is_adopted() -> None:
    desk = Desk(BASE, cash=100_000)
    desk.take(asked(HaltLevel.KILL))
    epoch = desk.kernel._state.halt_epoch
    desk.take(by_ann(Policy(losses=())))
    assert posture(desk) is Posture.KILLED
    assert desk.kernel._state.halt_epoch == epoch


def test_reduced_limits_follow_the_policy() -> None:
    rule = LossRule(name="day", limit_nanos=NANOS // 10, warning_nanos=NANOS // 100)
    reducing = replace(BASE, losses=(rule,), limits=Limits(order_value_nanos_max=60_000 * NANOS))
    desk = SessionDesk(reducing)
    desk.at(235)
    assert posture(desk) is Posture.REDUCED
    assert submitted(desk.order(Side.BUY, 100 * NANOS, price=235))  # 23,500 of half of 60,000
    desk.take(adopted(replace(reducing, limits=Limits(order_value_nanos_max=40_000 * NANOS))))
    assert denied(desk.order(Side.BUY, 100 * NANOS, price=235)) == [Reason.ORDER_VALUE]


def test_a_rate_that_tightens_counts_what_was_already_asked() -> None:
    def limited(most: int, window_s: int) -> Policy:
        return replace(
            BASE,
            limits=replace(
                BASE.limits,
                order_rate_max=most,
                order_rate_window_ns=window_s * SECOND,
                order_rate_kills=False,
            ),
        )

    desk = Desk(limited(5, 10), cash=100_000)
    for _ in range(3):
        assert submitted(desk.order(Side.BUY, NANOS))
    assert answer(desk.take(adopted(limited(3, 20)))).accepted
    assert denied(desk.order(Side.BUY, NANOS)) == [Reason.ORDER_RATE]
