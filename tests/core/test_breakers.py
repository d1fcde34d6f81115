"""Breakers over measures: once an arming, exact at the bound, unknown only tightens."""

from collections.abc import Sequence
from contextlib import suppress
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuseboard.core.fuses.machine import FuseState
from fuseboard.core.fuses.rule import RuleFuse
from fuseboard.core.kernel import Kernel
from fuseboard.core.measures.values import value_of
from fuseboard.policy.data_rules import ExecutionRules
from fuseboard.policy.limits import Limits
from fuseboard.policy.liquidity_rules import LiquidityRules
from fuseboard.policy.loader import policy_from_yaml
from fuseboard.policy.policy import Policy, canonical_text, digest_of
from fuseboard.policy.rules import BreakerRule, LossRule, StrategyRule
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.actions import Action
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.operator_inputs import OperatorResetRequested
from fuseboard.vocabulary.orders import OrderStatus, OrderType, Side, TimeInForce
from fuseboard.vocabulary.postures import Posture
from fuseboard.vocabulary.reasons import Reason
from tests.core.test_known_failures import Desk, filled_whole, submitted
from tests.policy.conditions.exact import fraction_of

SECOND = NANOS
ACCOUNT, ALPHA, AAPL = "account", "strategy:alpha", "symbol:AAPL"


def breaker(condition: str, action: Action = Action.HALT, scope: str = ACCOUNT) -> BreakerRule:
    return BreakerRule(
        name="b", condition=condition, action=action, scope=scope, cooldown_ns=10 * SECOND
    )


class DeniedHere(Exception):
    """The order was denied."""


class BreakerDesk(Desk):
    """A desk whose only fuse is one breaker; strategy alpha trades AAPL."""

    def __init__(
        self,
        *rules: BreakerRule,
        held: int = 0,
        measures_liquidity: bool = False,
        execution: ExecutionRules = ExecutionRules(),  # noqa: B008 - frozen
    ) -> None:
        policy = Policy(
            limits=Limits(
                order_value_nanos_max=NANOS**2, price_collar_nanos=NANOS, order_rate_max=5_000
            ),
            losses=(LossRule(name="loose", limit_nanos=NANOS),),
            strategies=(StrategyRule(name="alpha", capital_nanos=500_000 * NANOS),),
            breakers=rules,
            liquidity=LiquidityRules(enabled=measures_liquidity),
            execution=execution,
        )
        self.number = 0
        super().__init__(policy, cash=750_000, held=held)

    def fuse(self, scope: str = ACCOUNT) -> RuleFuse:
        return self.kernel._state.breakers[f"b:{scope}"]

    def posture(self, scope: str = ACCOUNT) -> Posture:
        return self.kernel._state.postures.get(scope, Posture.OPEN)

    def value(self, name: str, scope: str = ACCOUNT) -> Fraction | None:
        """In whole units, exact."""
        value = value_of(self.kernel._turn, name, scope)
        return None if value is None else fraction_of(name, value)

    def sends(self, side: Side, price: int = 250, quantity: int = 10) -> fx.SubmitOrder:
        self.number += 1
        effects = self.take(
            facts.OrderRequested(
                request=self.number,
                strategy="alpha",
                client_order_id=f"c{self.number}",
                symbol="AAPL",
                side=side,
                order_type=OrderType.LIMIT,
                time_in_force=TimeInForce.DAY,
                quantity_nanos=quantity * NANOS,
                limit_price_nanos=price * NANOS,
            )
        )
        orders = [effect for effect in effects if isinstance(effect, fx.SubmitOrder)]
        if not orders:
            raise DeniedHere
        return orders[0]

    def fills(
        self, side: Side, price: int, quantity: int = 10, price_nanos: int = 0
    ) -> tuple[fx.Effect, ...]:
        """An order at 250 that fills whole at `price`, or at `price_nanos`."""
        price_nanos = price_nanos or price * NANOS
        order = self.sends(side, price=251 if side is Side.BUY else 249, quantity=quantity)
        return self.take(filled_whole(order, f"b{self.number}", price_nanos))

    def trades(self, result: int) -> tuple[fx.Effect, ...]:
        """A round trip in AAPL that earns (or, negative, loses) so much a share."""
        return (*self.fills(Side.BUY, 250), *self.fills(Side.SELL, 250 + result))

    def rejects(self) -> tuple[fx.Effect, ...]:
        order = self.sends(Side.BUY)
        reason = Reason.BROKER_REJECTED
        return self.take(facts.OrderNotSent(order_id=order.order_id, reason=reason))

    def reports(self, vix: int, *, age_ns: int = 0) -> tuple[fx.Effect, ...]:
        return self.take(
            facts.MeasureReported(
                request=1, name="vix", value=vix * NANOS, event_ns=self.now_ns - age_ns
            )
        )

    def later(self, seconds: int) -> tuple[fx.Effect, ...]:
        self.now_ns += seconds * SECOND
        return self.take(facts.TimeAdvanced())


def trips(effects: Sequence[fx.Effect]) -> list[str]:
    return [effect.trip for effect in effects if isinstance(effect, fx.LatchHalt)]


def alerts(effects: Sequence[fx.Effect]) -> list[Reason]:
    return [effect.code for effect in effects if isinstance(effect, fx.RaiseAlert)]


@pytest.mark.parametrize("scope", [ACCOUNT, ALPHA, AAPL])
def test_eight_losses_in_a_row_trip_and_seven_do_not(scope: str) -> None:
    desk = BreakerDesk(breaker("consecutive_losses >= 8", scope=scope))
    for result in (-1, -1, 1, *[-1] * 7):
        desk.trades(result)
    assert desk.value("consecutive_losses", scope) == 7
    assert desk.fuse(scope).state is FuseState.MONITORING
    desk.trades(-1)
    assert desk.fuse(scope).state is FuseState.HALTED
    assert desk.posture(scope) is Posture.HALTED


@pytest.mark.parametrize("scope", [ACCOUNT, ALPHA, AAPL])
def test_fill_quality_is_exact_at_its_bound(scope: str) -> None:
    desk = BreakerDesk(breaker("fill_quality < 80", scope=scope))
    order_price, quote = 251, 250 * NANOS + NANOS // 100
    adverse = -(-(order_price * NANOS - quote) * 10_000 * NANOS // quote)
    for count in range(1, 40):
        desk.fills(Side.BUY, order_price)
        expected = Fraction(100 * 50 * NANOS - count * adverse, 50 * NANOS)
        assert desk.value("fill_quality", scope) == expected
        assert (desk.fuse(scope).state is FuseState.HALTED) == (expected < 80)
        if expected < 80:
            return
    pytest.fail("it never tripped")


@pytest.mark.parametrize("allowed_bps", [10, 25])
def test_a_fill_beyond_the_slippage_that_the_policy_allows_counts_against_quality(
    allowed_bps: int,
) -> None:
    said = "close_wait: 2s" if allowed_bps == 10 else f"slippage: {{max_bps: {allowed_bps}}}"
    written = policy_from_yaml(f"execution: {{{said}}}\n", "p.yaml")
    desk = BreakerDesk(breaker("fill_quality < 1"), execution=written.execution)
    quote = 250 * NANOS + NANOS // 100
    desk.fills(Side.BUY, 0, price_nanos=quote + quote * allowed_bps // 10_000)
    assert desk.value("fill_quality") == 100
    desk.fills(Side.BUY, 0, price_nanos=quote + quote * allowed_bps // 10_000 + 1_000)
    quality = desk.value("fill_quality") or 0
    assert 0 <= 100 - Fraction(allowed_bps, 50) - quality < Fraction(2_000, NANOS)


def test_a_fill_within_ten_basis_points_or_better_scores_100() -> None:
    desk = BreakerDesk(breaker("fill_quality < 1"))
    desk.fills(Side.BUY, 250)
    desk.fills(Side.SELL, 250)
    desk.fills(Side.SELL, 255)
    assert desk.value("fill_quality") == 100


@pytest.mark.parametrize("scope", [ACCOUNT, ALPHA, AAPL])
def test_the_reject_rate_trips_at_its_bound_and_counts_the_last_hundred(scope: str) -> None:
    desk = BreakerDesk(breaker("reject_rate >= 3%", scope=scope))
    for count in (1, 2):
        desk.rejects()
        assert desk.value("reject_rate", scope) == Fraction(count, 100)
    assert desk.fuse(scope).state is FuseState.MONITORING
    desk.rejects()
    assert desk.fuse(scope).state is FuseState.HALTED


def test_old_rejects_leave_the_window_and_errors_leave_the_hour() -> None:
    desk = BreakerDesk(breaker("reject_rate >= 50% or error_count_1h > 90"))
    desk.rejects()
    desk.rejects()
    assert desk.value("error_count_1h") == 2
    for _ in range(99):
        order = desk.sends(Side.BUY)
        sent = facts.OrderSent(
            order_id=order.order_id, broker_order_id=order.order_id, status=OrderStatus.WORKING
        )
        desk.take(sent)
        desk.take(sent)  # told twice, it was one submit
    assert desk.value("reject_rate") == Fraction(1, 100)
    desk.now_ns += 3_601 * SECOND
    desk.later(0)
    assert desk.value("error_count_1h") == 0


def test_an_equity_condition_waits_for_a_second_mark_and_trips_at_the_bound() -> None:
    for price, holds in ((244, False), (243, True)):
        desk = BreakerDesk(breaker("daily_pnl <= -0.7%"), held=1_000)
        assert trips(desk.quote("AAPL", price)) == []
        tripped = trips(desk.quote("AAPL", price))
        assert tripped == (["b:account#1"] if holds else []), price
        assert trips(desk.quote("AAPL", price)) == []  # once an arming


def test_one_bad_print_is_withdrawn_and_the_broker_confirms() -> None:
    desk = BreakerDesk(breaker("daily_pnl <= -0.7%"), held=1_000)
    desk.quote("AAPL", 243)
    desk.quote("AAPL", 249)
    desk.quote("AAPL", 243)
    assert desk.fuse().state is FuseState.MONITORING
    assert trips(desk.account(993_000)) == ["b:account#1"]


def test_a_breach_that_nobody_confirms_asks_for_reduce_only() -> None:
    desk = BreakerDesk(breaker("daily_pnl <= -0.7%"), held=1_000)
    desk.quote("AAPL", 243)
    desk.later(2)
    assert desk.posture() is Posture.REDUCE_ONLY
    desk.quote("AAPL", 249)
    assert desk.posture() is Posture.OPEN


@pytest.mark.parametrize(
    ("condition", "action"),
    [("vix > 30", Action.HALT), ("vix > 30", Action.FLATTEN), ("vix > 30", Action.KILL)],
)
def test_an_unknown_condition_reduces_only_alerts_once_and_never_latches(
    condition: str, action: Action
) -> None:
    desk = BreakerDesk(breaker(condition, action), held=1_000)
    assert desk.posture() is Posture.REDUCE_ONLY
    assert desk.kernel._state.halting_reasons[ACCOUNT] is Reason.BREAKER_UNKNOWN
    assert Reason.BREAKER_UNKNOWN not in alerts(desk.later(10))
    desk.reports(20)
    assert desk.posture() is Posture.OPEN
    effects = desk.later(4 * 24 * 3600 + 1)  # too old to be anything
    assert alerts(effects) == [Reason.BREAKER_UNKNOWN]
    assert desk.posture() is Posture.REDUCE_ONLY
    assert not desk.fuse().latched()
    first, second = trips(desk.reports(31)), trips((*desk.later(1), *desk.reports(31)))
    assert [*first, *second] == ["b:account#1"]
    assert bool(first) == (action is Action.HALT)  # to close or kill, the next must agree


def test_a_notice_is_given_once_and_again_only_after_its_cooldown() -> None:
    desk = BreakerDesk(breaker("vix > 30", Action.NOTIFY))
    assert desk.posture() is Posture.OPEN  # a notice tightens nothing, unknown or not
    assert alerts(desk.reports(31)) == [Reason.BREAKER]
    assert alerts((*desk.reports(32), *desk.reports(29), *desk.reports(33))) == []
    desk.reports(29)
    desk.later(11)
    assert alerts(desk.reports(31)) == [Reason.BREAKER]
    assert desk.fuse().state is FuseState.MONITORING


def test_a_reducing_breaker_is_a_gauge_that_leaves_after_its_cooldown() -> None:
    desk = BreakerDesk(breaker("vix > 30", Action.REDUCE))
    desk.reports(31)
    assert desk.posture() is Posture.REDUCED
    desk.reports(29)
    desk.later(9)
    assert desk.posture() is Posture.REDUCED
    desk.reports(31)
    desk.reports(29)
    desk.later(9)
    assert desk.posture() is Posture.REDUCED  # it held again in between
    desk.later(2)
    assert desk.posture() is Posture.OPEN


def test_a_breakers_plan_ends_with_the_breakers_own_alert() -> None:
    desk = BreakerDesk(breaker("vix > 30", Action.FLATTEN))
    told = (*desk.reports(31), *desk.reports(32))  # what closes wants two reports
    assert alerts(told) == [Reason.BREAKER, Reason.BREAKER], "it tripped; all is flat"


def test_a_gauge_never_lifts_a_latch() -> None:
    desk = BreakerDesk(breaker("vix > 30"))
    desk.reports(31)
    for vix in (10, 29, 31, 5):
        desk.reports(vix)
        desk.later(1_000)
        assert desk.posture() is Posture.HALTED


def test_a_reset_begins_another_arming_and_rebasing_empties_the_windows() -> None:
    desk = BreakerDesk(breaker("consecutive_losses >= 2"))
    desk.trades(-1)
    desk.trades(-1)
    reset = OperatorResetRequested(
        request=1, operator="ann", reason="looked", scope=ACCOUNT, rebase=False
    )
    desk.take(reset)
    assert desk.fuse().generation == 2
    assert trips(desk.fills(Side.BUY, 250)) == ["b:account#2"]  # it still holds: judged anew
    desk.take(
        OperatorResetRequested(
            request=1, operator="ann", reason="looked", scope=ACCOUNT, rebase=True
        )
    )
    assert desk.value("consecutive_losses") == 0


def test_each_strategy_has_its_own_when_the_scope_says_so() -> None:
    desk = BreakerDesk(breaker("consecutive_losses >= 1", scope="strategy:*"))
    assert list(desk.kernel._state.breakers) == ["b:strategy:alpha"]
    desk.trades(-1)
    assert desk.posture(ALPHA) is Posture.HALTED
    assert desk.posture() is Posture.OPEN


def test_one_that_comes_after_the_start_has_its_own_too() -> None:
    """Where the policy names no strategies, all that ask for orders are watched."""
    streak = breaker("consecutive_losses >= 1", scope="strategy:*")
    desk = Desk(Policy(breakers=(streak,), losses=(LossRule(),)), cash=1_000_000)
    known = list(desk.kernel._state.breakers)
    assert submitted(desk.order(Side.BUY, NANOS, strategy="latecomer"))
    assert list(desk.kernel._state.breakers) == [*known, "b:strategy:latecomer"]
    desk.kernel = Kernel.restored(desk.kernel.snapshot())
    assert list(desk.kernel._state.breakers) == [*known, "b:strategy:latecomer"]


def test_a_broker_whose_equity_breaches_alone_is_not_asked_again_at_once() -> None:
    desk = BreakerDesk(breaker("drawdown >= 5%", Action.FLATTEN))
    asked = 0
    for _ in range(20):
        desk.now_ns += NANOS // 100
        asked += any(isinstance(effect, fx.ReadAccount) for effect in desk.account(700_000))
    assert asked <= 1


def test_a_late_fee_makes_a_loss_of_a_trade_that_just_earned() -> None:
    """It is shared by the trades since the broker's cash last agreed."""
    desk = BreakerDesk(breaker("consecutive_losses >= 2"))
    desk.trades(-1)
    desk.trades(1)
    assert desk.value("consecutive_losses") == 0
    desk.later(6)
    desk.cash = 750_000 - 22
    desk.account(desk.cash)
    assert desk.value("consecutive_losses") == 2
    assert desk.fuse().state is FuseState.HALTED


@pytest.mark.parametrize("gap", [1, 3, 6])
def test_trades_that_only_their_fees_make_losses_count_however_fast_they_are(gap: int) -> None:
    """One trade in so many seconds, four dollars of fees each; cash is read every five seconds."""
    desk = BreakerDesk(breaker("consecutive_losses >= 20"))
    read_ns = desk.now_ns
    for _ in range(8):
        desk.trades(0)
        desk.cash -= 4
        desk.later(gap)
        if desk.now_ns - read_ns >= 5 * SECOND:
            desk.account(desk.cash)
            read_ns = desk.now_ns
    desk.later(6)
    desk.account(desk.cash)
    assert desk.value("consecutive_losses") == 8
    assert desk.value("consecutive_losses", ALPHA) == 8


def test_a_trade_that_goes_through_zero_closes_one_and_opens_the_next() -> None:
    desk = BreakerDesk(breaker("consecutive_losses >= 3"))
    desk.fills(Side.BUY, 250, quantity=10)
    desk.fills(Side.SELL, 249, quantity=10)
    desk.fills(Side.BUY, 250, quantity=10)
    desk.fills(Side.SELL, 249, quantity=4)
    assert desk.value("consecutive_losses") == 1  # not closed yet
    desk.fills(Side.SELL, 249, quantity=6)
    assert desk.value("consecutive_losses") == 2


def test_a_restart_keeps_every_window_and_a_latched_breaker_outlives_its_rule() -> None:
    desk = BreakerDesk(breaker("consecutive_losses >= 3 or fill_quality < 1"))
    desk.trades(-1)
    desk.trades(-1)
    desk.rejects()
    desk.kernel = Kernel.restored(desk.kernel.snapshot())
    desk.cash -= 20
    desk.start()
    assert desk.value("consecutive_losses") == 2
    assert desk.value("reject_rate") == Fraction(1, 100)
    desk.quote("AAPL", 250)
    desk.trades(-1)
    assert desk.fuse().state is FuseState.HALTED
    without = canonical_text(Policy(strategies=desk.kernel._turn.policy.strategies))
    desk.take(
        facts.PolicyAdopted(
            text=without, digest=digest_of(without), operator="ann", reason="agreed"
        )
    )
    assert desk.fuse().state is FuseState.HALTED
    assert desk.posture() is Posture.HALTED


def test_a_breaker_named_like_a_loss_is_another_fuse() -> None:
    rule = BreakerRule(name="loose", condition="vix > 30")
    desk = BreakerDesk(rule)
    assert list(desk.kernel._state.breakers) == ["loose (breaker):account"]


def test_what_is_reported_from_outside_is_checked() -> None:
    desk = BreakerDesk(breaker("vix > 30", Action.NOTIFY))

    def said(name: str, value: int, symbol: str = "", ahead_ns: int = 0) -> str:
        fact = facts.MeasureReported(
            request=1, name=name, value=value, event_ns=desk.now_ns + ahead_ns, symbol=symbol
        )
        (answer,) = [e for e in desk.take(fact) if isinstance(e, fx.AnswerOperator)]
        return answer.message if not answer.accepted else ""

    assert "use one of vix" in said("equity", 5)
    assert "negative" in said("vix", -1)
    assert "future" in said("vix", 1, ahead_ns=60 * SECOND)
    assert "leave the symbol out" in said("vix", 1, symbol="AAPL")
    assert said("vix", 1) == ""
    assert "newer" in said("vix", 2, ahead_ns=-60 * SECOND)
    assert said("avg_daily_volume", 5 * NANOS, symbol="AAPL") == ""


STEPS = st.one_of(
    st.tuples(st.just("trade"), st.integers(-2, 2)),
    st.tuples(st.just("quote"), st.integers(240, 260)),
    st.tuples(st.just("vix"), st.integers(25, 35)),
    st.tuples(st.just("wait"), st.integers(1, 20)),
    st.tuples(st.just("reject"), st.just(0)),
    st.tuples(st.just("account"), st.integers(980_000, 1_010_000)),
)
MIXED = (
    BreakerRule(name="losses", condition="consecutive_losses >= 2", scope="strategy:*"),
    BreakerRule(name="fall", condition="drawdown >= 0.5%", cooldown_ns=SECOND),
    BreakerRule(name="fear", condition="vix > 30", action=Action.REDUCE, cooldown_ns=SECOND),
    BreakerRule(name="said", condition="reject_rate > 1%", action=Action.NOTIFY),
)


@given(steps=st.lists(STEPS, max_size=25))
def test_any_mix_trips_each_arming_once_and_only_tightens(steps: list[tuple[str, int]]) -> None:
    desk = BreakerDesk(*MIXED, held=1_000)
    latched: dict[str, None] = {}
    tripped: list[str] = []
    for kind, number in steps:
        effects: tuple[fx.Effect, ...] = ()
        if kind == "quote":
            effects = desk.quote("AAPL", number)
        elif kind == "vix":
            effects = desk.reports(number)
        elif kind == "wait":
            effects = desk.later(number)
        elif kind == "account":
            effects = desk.account(number)
        else:
            with suppress(DeniedHere):
                effects = desk.trades(number) if kind == "trade" else desk.rejects()
        tripped += trips(effects)
        assert len(tripped) == len(set(tripped))
        for name, fuse in desk.kernel._state.breakers.items():
            assert fuse.latched() or name not in latched, f"{name} loosened by itself"
            if fuse.latched():
                latched[name] = None
        assert Kernel.restored(desk.kernel.snapshot()).digest() == desk.kernel.digest()
