"""A tag halts each of its strategies as one, now and those that get it later."""

from fuseboard.policy.limits import Limits
from fuseboard.policy.policy import Policy, canonical_text, digest_of
from fuseboard.policy.rules import StrategyRule
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.evidence_effects import RecordPlan
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.operator_inputs import OperatorHaltRequested, OperatorResetRequested
from fuseboard.vocabulary.orders import Side
from fuseboard.vocabulary.postures import HaltLevel
from fuseboard.vocabulary.reasons import Reason
from tests.core.test_known_failures import Desk, accept, denied, submitted


def tagged(**desks: str) -> Policy:
    return Policy(
        limits=Limits(order_value_nanos_max=NANOS**2),
        strategies=tuple(
            StrategyRule(name=name, capital_nanos=100_000 * NANOS, desk=desk, trader="ann")
            for name, desk in desks.items()
        ),
    )


def halt(desk: Desk, scope: str, level: HaltLevel = HaltLevel.HALT) -> tuple[fx.Effect, ...]:
    fact = OperatorHaltRequested(
        request=9, operator="ann", reason="drill", scope=scope, level=level
    )
    return desk.take(fact)


def buys(desk: Desk, strategy: str) -> list[Reason]:
    return denied(desk.order(Side.BUY, NANOS, 240, strategy=strategy))


def test_a_halted_desk_denies_and_cancels_its_strategies_and_no_others() -> None:
    desk = Desk(tagged(alpha="equities", beta="equities", gamma="rates"))
    orders = {}
    for name in ("alpha", "beta", "gamma"):
        (orders[name],) = submitted(desk.order(Side.BUY, NANOS, 240, strategy=name))
        accept(desk, orders[name], f"b-{name}")
    effects = halt(desk, "desk:equities")
    cancelled = [e.order_id for e in effects if isinstance(e, fx.CancelOrder)]
    assert cancelled == [orders["alpha"].order_id, orders["beta"].order_id]
    (answer,) = [e for e in effects if isinstance(e, fx.AnswerOperator)]
    assert answer.message == "desk:equities: HALT accepted for alpha, beta"
    assert [e.scope for e in effects if isinstance(e, fx.LatchHalt)] == ["desk:equities"]
    assert buys(desk, "alpha") == buys(desk, "beta") == [Reason.POSTURE_HALTED]
    assert not buys(desk, "gamma")


def test_a_strategy_that_gets_the_tag_later_is_halted_too_and_a_reset_lifts_it() -> None:
    desk = Desk(tagged(alpha="equities", gamma="rates"))
    halt(desk, "desk:equities")
    text = canonical_text(tagged(alpha="equities", gamma="equities"))
    desk.take(
        facts.PolicyAdopted(text=text, digest=digest_of(text), operator="ann", reason="moved")
    )
    assert buys(desk, "gamma") == [Reason.POSTURE_HALTED]
    lifted = OperatorResetRequested(request=1, operator="ann", reason="done", scope="desk:equities")
    cleared = [e.scope for e in desk.take(lifted) if isinstance(e, fx.ClearHalt)]
    assert cleared == ["desk:equities"]
    assert not buys(desk, "gamma")


def test_a_tag_that_nobody_has_cancels_nothing_and_says_so() -> None:
    desk = Desk(tagged(alpha="", beta=""))
    (order,) = submitted(desk.order(Side.BUY, NANOS, 240, strategy="alpha"))
    accept(desk, order, "b1")
    effects = halt(desk, "client:house")
    assert not [e for e in effects if isinstance(e, fx.CancelOrder)]
    (answer,) = [e for e in effects if isinstance(e, fx.AnswerOperator)]
    assert "no strategy of the present policy" in answer.message
    bare = Desk()
    (order,) = submitted(bare.order(Side.BUY, NANOS, 240))
    accept(bare, order, "b1")
    assert not [e for e in halt(bare, "desk:x") if isinstance(e, fx.CancelOrder)]


def test_killing_a_trader_kills_each_strategy_by_a_latch_of_its_own() -> None:
    desk = Desk(tagged(alpha="equities", gamma="rates"))
    effects = halt(desk, "trader:ann", HaltLevel.KILL)
    latched = {e.scope: e.level for e in effects if isinstance(e, fx.LatchHalt)}
    assert latched == dict.fromkeys(
        ("strategy:alpha", "strategy:gamma", "trader:ann"), HaltLevel.KILL
    )
    assert buys(desk, "alpha") == [Reason.POSTURE_KILLED]


def test_flattening_a_desk_begins_a_plan_for_each_of_its_strategies() -> None:
    desk = Desk(tagged(alpha="equities", beta="equities", gamma="rates"))
    effects = halt(desk, "desk:equities", HaltLevel.FLATTEN)
    plans = [e.trip for e in effects if isinstance(e, RecordPlan) and e.stage == "cancelling"]
    assert plans == ["latch:strategy:alpha#1", "latch:strategy:beta#1"]
