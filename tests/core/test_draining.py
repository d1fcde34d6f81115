"""An orderly stop denies new risk without a latch, cancels, and closes where it is told to."""

import pytest

from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.actions import DrainRule
from fuseboard.vocabulary.evidence_effects import RecordDrain, RecordPlan, RecordTransition
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.operator_inputs import OperatorHaltRequested
from fuseboard.vocabulary.orders import OrderType, Side, TimeInForce
from fuseboard.vocabulary.postures import HaltLevel
from fuseboard.vocabulary.reasons import Reason
from tests.core.test_known_failures import Desk, accept, denied, submitted


def drain(desk: Desk, rule: DrainRule) -> tuple[fx.Effect, ...]:
    return desk.take(facts.DrainRequested(rule=rule))


def recorded(effects: tuple[fx.Effect, ...]) -> RecordDrain:
    (record,) = [effect for effect in effects if isinstance(effect, RecordDrain)]
    return record


def resting(desk: Desk) -> fx.SubmitOrder:
    (order,) = submitted(desk.order(Side.BUY, NANOS, 240))
    accept(desk, order, "b1")
    return order


def with_a_stop(desk: Desk) -> fx.SubmitOrder:
    """A stop that reduces what is held."""
    effects = desk.take(
        facts.OrderRequested(
            request=70,
            strategy="alpha",
            client_order_id="stop",
            symbol="AAPL",
            side=Side.SELL,
            order_type=OrderType.STOP,
            time_in_force=TimeInForce.DAY,
            quantity_nanos=desk.held * NANOS,
            stop_price_nanos=200 * NANOS,
        )
    )
    (order,) = submitted(effects)
    accept(desk, order, "b2")
    return order


@pytest.mark.parametrize("rule", DrainRule)
def test_a_drain_denies_new_risk_and_latches_nothing(rule: DrainRule) -> None:
    desk = Desk()
    effects = drain(desk, rule)
    assert not any(isinstance(effect, fx.LatchHalt | RecordTransition) for effect in effects)
    assert [e.posture.name for e in effects if isinstance(e, fx.PublishPosture)] == ["HALTED"]
    assert denied(desk.order(Side.BUY, NANOS)) == [Reason.POSTURE_HALTED]
    assert not drain(desk, rule), "a second one begins nothing"


def test_a_drain_cancels_what_works_and_keeps_stops_that_reduce() -> None:
    desk = Desk(held=100)
    order, stop = resting(desk), with_a_stop(desk)
    effects = drain(desk, DrainRule.CANCEL)
    assert [e.order_id for e in effects if isinstance(e, fx.CancelOrder)] == [order.order_id]
    assert recorded(effects).cancelled == (order.order_id,)
    assert stop.order_id not in recorded(effects).cancelled
    assert not recorded(effects).trip


def test_a_drain_that_leaves_cancels_nothing() -> None:
    desk = Desk(held=100)
    resting(desk)
    effects = drain(desk, DrainRule.LEAVE)
    assert not any(isinstance(effect, fx.CancelOrder) for effect in effects)


def test_a_drain_that_flattens_keeps_stops_first_and_closes_under_an_id_of_its_own() -> None:
    desk = Desk(held=100)
    order, stop = resting(desk), with_a_stop(desk)
    record = recorded(drain(desk, DrainRule.FLATTEN))
    assert record.cancelled == (order.order_id,), f"{stop.order_id} goes just before the close"
    assert record.trip == "drain:account#1"
    assert desk.kernel.digest()


def test_a_drain_while_the_account_is_being_closed_begins_no_second_plan() -> None:
    desk = Desk(held=100)
    desk.take(
        OperatorHaltRequested(
            request=1, operator="ann", reason="", scope="account", level=HaltLevel.FLATTEN
        )
    )
    effects = drain(desk, DrainRule.FLATTEN)
    assert not recorded(effects).trip
    assert not any(isinstance(effect, RecordPlan) for effect in effects)


def test_the_next_start_forgets_the_drain_and_gives_up_its_unfinished_plan() -> None:
    desk = Desk(held=100)
    (read,) = [e for e in drain(desk, DrainRule.FLATTEN) if isinstance(e, fx.ReadLeg)]
    leg = facts.LegRead(
        trip=read.trip,
        symbol="AAPL",
        attempt=read.attempt,
        position_nanos=100 * NANOS,
        against_nanos=0,
    )
    (close,) = submitted(desk.take(leg))
    accept(desk, close, "b1")
    desk.take(facts.PolicyAdopted(text=desk.text, digest="d" * 64, operator="start"))
    started = desk.take(facts.NodeStarted(instance="deskdesk", account="A1", release="0"))
    assert close.order_id in [e.order_id for e in started if isinstance(e, fx.CancelOrder)]
    assert any("was not finished" in e.text for e in started if isinstance(e, fx.RaiseAlert))
    assert not any(isinstance(effect, fx.LatchHalt) for effect in started)

    calm = Desk()
    drain(calm, DrainRule.FLATTEN)
    calm.start()
    calm.quote("AAPL", 250)
    assert submitted(calm.order(Side.BUY, NANOS)), "it trades again"
    assert recorded(drain(calm, DrainRule.FLATTEN)).trip == "drain:account#2", "no id twice"
