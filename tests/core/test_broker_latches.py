"""The broker's own latches around a plan of the whole account, and never in the way of a close."""

import pytest
from msgspec import structs

from fuseboard.core import holdings
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.actions import DrainRule
from fuseboard.vocabulary.broker_latch_effects import LatchBroker
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.operator_inputs import OperatorHaltRequested
from fuseboard.vocabulary.orders import OrderStatus, Side
from fuseboard.vocabulary.postures import HaltLevel
from fuseboard.vocabulary.reasons import Reason
from tests.core.test_known_failures import Desk, accept, submitted
from tests.core.test_operators import reset

NO_SHORTING = LatchBroker(no_shorting=True)
SUSPENDED = LatchBroker(suspend_trade=True)
TAKEN_BACK = LatchBroker(suspend_trade=False)


def latches(effects: tuple[fx.Effect, ...]) -> list[LatchBroker]:
    return [effect for effect in effects if isinstance(effect, LatchBroker)]


def flatten(desk: Desk, scope: str = ACCOUNT_SCOPE) -> tuple[fx.Effect, ...]:
    return desk.take(
        OperatorHaltRequested(
            request=1, operator="ann", reason="", scope=scope, level=HaltLevel.FLATTEN
        )
    )


def read(desk: Desk, effects: tuple[fx.Effect, ...], held: int) -> tuple[fx.Effect, ...]:
    """The broker answers the leg's question."""
    (asked,) = [effect for effect in effects if isinstance(effect, fx.ReadLeg)]
    return desk.take(
        facts.LegRead(
            trip=asked.trip,
            symbol=asked.symbol,
            attempt=asked.attempt,
            position_nanos=held * NANOS,
            against_nanos=0,
        )
    )


def fill(desk: Desk, order: fx.SubmitOrder, broker_order_id: str) -> tuple[fx.Effect, ...]:
    """All of an order is executed."""
    return desk.take(
        facts.FillReported(
            order_id=order.order_id,
            broker_order_id=broker_order_id,
            quantity_nanos=order.quantity_nanos,
            price_nanos=250 * NANOS,
            filled_quantity_nanos=order.quantity_nanos,
            filled_price_nanos=250 * NANOS,
            final=True,
        )
    )


def closed(desk: Desk, effects: tuple[fx.Effect, ...]) -> tuple[fx.Effect, ...]:
    """What was to be closed is; the effects of the read that found it flat."""
    (close,) = submitted(read(desk, effects, desk.held))
    accept(desk, close, "b9")
    return read(desk, fill(desk, close, "b9"), 0)


def test_a_plan_of_the_account_forbids_shorts_and_suspends_trading_once_flat() -> None:
    desk = Desk(held=100)
    began = flatten(desk)
    assert latches(began) == [NO_SHORTING]
    kinds = [type(effect) for effect in began]
    assert kinds.index(fx.ReadLeg) < kinds.index(LatchBroker), "the close goes first"
    assert latches(closed(desk, began)) == [SUSPENDED]


def test_where_nothing_is_held_long_shorts_are_not_forbidden() -> None:
    assert latches(flatten(Desk())) == [SUSPENDED]
    short = Desk(held=-100)
    began = flatten(short)
    assert latches(began) == []
    assert latches(closed(short, began)) == [SUSPENDED]


@pytest.mark.parametrize("scope", ["strategy:alpha", "symbol:AAPL"])
def test_a_plan_of_less_than_the_account_binds_nobody_else(scope: str) -> None:
    desk = Desk(held=100)
    (bought,) = submitted(desk.order(Side.BUY, 10 * NANOS))
    accept(desk, bought, "b1")
    fill(desk, bought, "b1")
    desk.held = 110 if scope.startswith("symbol") else 10
    began = flatten(desk, scope)
    assert latches(began) == []
    assert latches(closed(desk, began)) == []


def answered(desk: Desk, asked: fx.ReadLeg, held: int, against: int = 0) -> tuple[fx.Effect, ...]:
    return desk.take(
        facts.LegRead(
            trip=asked.trip,
            symbol=asked.symbol,
            attempt=asked.attempt,
            position_nanos=held * NANOS,
            against_nanos=against * NANOS,
        )
    )


def asked_in(effects: tuple[fx.Effect, ...]) -> fx.ReadLeg:
    (asked,) = [effect for effect in effects if isinstance(effect, fx.ReadLeg)]
    return asked


@pytest.mark.parametrize("account_is_last", [False, True])
def test_of_plans_that_trip_together_the_last_to_end_suspends_trading(
    account_is_last: bool,
) -> None:
    desk = Desk(held=100)
    of_symbol = asked_in(flatten(desk, "symbol:AAPL"))
    of_account = asked_in(flatten(desk))
    (close,) = submitted(answered(desk, of_symbol, 100))
    accept(desk, close, "b9")
    stale = answered(desk, of_account, 100, 100)  # an order moved since it was asked
    answered(desk, asked_in(stale), 100, 100)
    of_symbol = asked_in(fill(desk, close, "b9"))
    desk.held = 0
    desk.now_ns += 2 * NANOS
    of_account = asked_in(desk.take(facts.TimeAdvanced()))
    first, last = (of_symbol, of_account) if account_is_last else (of_account, of_symbol)
    assert latches(answered(desk, first, 0)) == [], "the other one may still close something"
    assert latches(answered(desk, last, 0)) == [SUSPENDED]


def test_a_plan_that_ends_beside_a_position_suspends_nothing() -> None:
    desk = Desk()
    assert latches(flatten(desk)) == [SUSPENDED]
    turn = desk.kernel._turn
    position = facts.BrokerPosition(
        symbol="AAPL",
        quantity_nanos=7 * NANOS,
        average_price_nanos=250 * NANOS,
        price_nanos=250 * NANOS,
    )
    holdings.adopt(turn, position)  # as a person's reset does with what differs
    assert latches(flatten(desk, "symbol:TSLA")) == [], "AAPL is held, and may have to be closed"


def test_what_the_account_s_plan_left_open_is_not_flat_when_another_ends() -> None:
    desk = Desk()
    flatten(desk)
    (plan,) = desk.kernel._state.plans.values()
    plan.orders["o1"] = None  # not known to be cancelled: it may still fill
    assert latches(flatten(desk, "symbol:TSLA")) == []
    plan.orders.clear()
    plan.stage = "frozen"  # by a person
    assert latches(flatten(desk, "symbol:NVDA")) == []
    plan.stage = "ended"
    assert latches(flatten(desk, "symbol:MSFT")) == [SUSPENDED]


def test_a_restart_suspends_again_once_though_several_plans_have_ended() -> None:
    desk = Desk()
    flatten(desk)
    flatten(desk, "symbol:TSLA")
    latched = [
        facts.LatchedScope(
            scope=scope,
            level=HaltLevel.FLATTEN,
            reason=Reason.OPERATOR,
            trip=at.trip(),
            halt_epoch=desk.kernel._state.halt_epoch,
        )
        for scope, at in desk.kernel._state.latches.items()
    ]
    heard: list[LatchBroker] = []
    take = desk.take

    def listening(fact: facts.Input) -> tuple[fx.Effect, ...]:
        effects = take(fact)
        heard.extend(latches(effects))
        return effects

    desk.take = listening  # type: ignore[method-assign]
    desk.start(tuple(latched))
    assert heard == [structs.replace(SUSPENDED, again=True)], "an earlier run asked for it"


def test_an_orderly_stop_latches_nothing_at_the_broker() -> None:
    desk = Desk(held=100)
    drained = desk.take(facts.DrainRequested(rule=DrainRule.FLATTEN))
    assert latches(drained) == []
    assert latches(closed(desk, drained)) == []


def test_what_is_left_open_leaves_trading_open_to_close_it() -> None:
    desk = Desk(held=100)
    began = flatten(desk)
    frozen = desk.take(
        OperatorHaltRequested(
            request=2, operator="ann", reason="", scope=ACCOUNT_SCOPE, level=HaltLevel.FREEZE
        )
    )
    assert latches(began) == [NO_SHORTING]
    assert latches(frozen) == []


def test_a_close_after_all_takes_the_suspension_back_before_it_is_decided() -> None:
    desk = Desk()
    (bought,) = submitted(desk.order(Side.BUY, 10 * NANOS))
    accept(desk, bought, "b1")
    flatten(desk)
    ended = facts.OrderEnded(
        order_id=bought.order_id,
        broker_order_id="b1",
        status=OrderStatus.CANCELED,
        filled_quantity_nanos=0,
        filled_price_nanos=0,
    )
    assert latches(desk.take(ended)) == [SUSPENDED]
    late = fill(desk, bought, "b1")
    assert latches(late) == [TAKEN_BACK]
    desk.held = 10
    assert latches(closed(desk, late)) == [SUSPENDED]


def test_a_position_taken_over_from_the_broker_takes_the_suspension_back() -> None:
    """A strategy may have to reduce it while the account is halted."""
    desk = Desk()
    assert latches(flatten(desk)) == [SUSPENDED]
    turn = desk.kernel._turn
    turn.out = []
    position = facts.BrokerPosition(
        symbol="AAPL",
        quantity_nanos=7 * NANOS,
        average_price_nanos=250 * NANOS,
        price_nanos=250 * NANOS,
    )
    holdings.adopt(turn, position)
    assert latches(tuple(turn.out)) == [TAKEN_BACK]


def test_a_restart_says_again_what_may_not_have_reached_the_broker() -> None:
    desk = Desk(held=100)
    began = flatten(desk)
    heard: list[LatchBroker] = []
    take, latched = (
        desk.take,
        tuple(
            facts.LatchedScope(
                scope=each.scope,
                level=each.level,
                reason=each.reason,
                trip=each.trip,
                halt_epoch=each.halt_epoch,
            )
            for each in began
            if isinstance(each, fx.LatchHalt)
        ),
    )

    def listening(fact: facts.Input) -> tuple[fx.Effect, ...]:
        effects = take(fact)
        heard.extend(latches(effects))
        return effects

    desk.take = listening  # type: ignore[method-assign]
    desk.start(latched)
    assert structs.replace(NO_SHORTING, again=True) in heard, "it was closing"


def test_after_a_reset_a_start_suspends_nothing() -> None:
    desk = Desk(held=0)
    flatten(desk)
    desk.take(reset())
    assert desk.kernel._state.latches[ACCOUNT_SCOPE].reason is Reason.OPERATOR
    heard: list[LatchBroker] = []
    for fact in (
        facts.NodeStarted(instance="deskdesk", account="A1", release="0"),
        facts.BrokerStreamChanged(connected=True),
    ):
        heard += latches(desk.take(fact))
    heard += latches(desk.account())
    heard += latches(desk.take(facts.PositionsSeen(positions=())))
    assert heard == []
