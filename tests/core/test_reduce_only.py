"""Never through zero (law 4): how large a close may be, and which order is a proven reduction.

Several strategies share one symbol here: that is where a size taken from one book only goes wrong.
"""

import pytest

from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.evidence_effects import RecordPlan
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.operator_inputs import OperatorHaltRequested
from fuseboard.vocabulary.orders import Intent, OrderStatus, OrderType, Side, TimeInForce
from fuseboard.vocabulary.postures import HaltLevel
from fuseboard.vocabulary.reasons import Reason
from tests.core.test_holders import start
from tests.core.test_known_failures import SECOND, Desk, accept, denied, reduce_only, submitted


def traded(desk: Desk, strategy: str, side: Side, shares: int) -> None:
    """A strategy's order goes out, is taken and filled at once."""
    (order,) = submitted(desk.order(side, shares * NANOS, strategy=strategy))
    fill(desk, order, shares)


def fill(desk: Desk, order: fx.SubmitOrder, shares: int) -> None:
    desk.take(
        facts.FillReported(
            order_id=order.order_id,
            broker_order_id=f"b-{order.order_id[:8]}",
            quantity_nanos=shares * NANOS,
            price_nanos=250 * NANOS,
            filled_quantity_nanos=shares * NANOS,
            filled_price_nanos=250 * NANOS,
            final=shares * NANOS == order.quantity_nanos,
        )
    )


def asked(desk: Desk, scope: str) -> fx.ReadLeg:
    """Flatten a scope and let the wait for its cancels pass; what the plan asks the broker."""
    effects = desk.take(
        OperatorHaltRequested(
            request=90, operator="ann", reason="drill", scope=scope, level=HaltLevel.FLATTEN
        )
    )
    desk.now_ns += 3 * SECOND
    effects += desk.take(facts.TimeAdvanced())
    (read,) = [effect for effect in effects if isinstance(effect, fx.ReadLeg)]
    return read


def close_of(desk: Desk, scope: str, position: int, against: int = 0) -> int:
    """The shares of the close (bought: positive) when the broker tells this; 0 for no close."""
    read = asked(desk, scope)
    effects = desk.take(
        facts.LegRead(
            trip=read.trip,
            symbol=read.symbol,
            attempt=read.attempt,
            position_nanos=position * NANOS,
            against_nanos=against * NANOS,
        )
    )
    signed = [
        close.quantity_nanos if close.side is Side.BUY else -close.quantity_nanos
        for close in submitted(effects)
    ]
    return sum(signed) // NANOS


def two_holders() -> Desk:
    """Alpha holds 100, beta 50, the account 150."""
    desk = Desk()
    traded(desk, "alpha", Side.BUY, 100)
    traded(desk, "beta", Side.BUY, 50)
    return desk


# --- the size of a close ---


@pytest.mark.parametrize(("held", "side"), [(1_000, Side.SELL), (-1_000, Side.BUY)])
def test_an_order_that_the_broker_may_not_show_yet_counts_against_the_close(
    held: int, side: Side
) -> None:
    desk = Desk(held=held)
    desk.order(side, 300 * NANOS)
    closed = close_of(desk, "account", position=held)
    assert closed == (-700 if held > 0 else 700), "the 300 on their way may still fill"


def test_an_order_that_the_broker_shows_counts_once_and_one_on_the_other_side_not_at_all() -> None:
    desk = Desk(held=1_000)
    (shown,) = submitted(desk.order(Side.SELL, 300 * NANOS))
    accept(desk, shown, "b1")
    desk.order(Side.BUY, 50 * NANOS, 249)
    assert close_of(desk, "account", position=1_000, against=300) == -700


@pytest.mark.parametrize("against", [1_000, 1_400])
def test_nothing_is_closed_while_all_of_it_works_already(against: int) -> None:
    desk = Desk(held=1_000)
    assert close_of(desk, "account", position=1_000, against=against) == 0


def test_what_is_on_its_way_and_what_the_broker_shows_both_count() -> None:
    desk = Desk(held=1_000)
    desk.order(Side.SELL, 300 * NANOS)
    assert close_of(desk, "account", position=1_000, against=600) == -100
    assert close_of(two_holders(), "account", position=150, against=50) == -100


def test_a_strategys_plan_closes_its_own_share_and_no_more() -> None:
    assert close_of(two_holders(), "strategy:alpha", position=150) == -100
    assert close_of(two_holders(), "strategy:beta", position=150) == -50
    assert close_of(two_holders(), "account", position=150) == -150


def test_a_strategys_plan_leaves_room_for_its_own_orders_on_their_way() -> None:
    desk = two_holders()
    (shown,) = submitted(desk.order(Side.SELL, 30 * NANOS))
    accept(desk, shown, "b1")
    assert close_of(desk, "strategy:alpha", position=150, against=30) == -70
    desk = two_holders()
    desk.order(Side.SELL, 30 * NANOS)
    assert close_of(desk, "strategy:alpha", position=150) == -70


def test_a_strategys_plan_closes_no_more_than_the_broker_holds() -> None:
    assert close_of(two_holders(), "strategy:alpha", position=60) == -60
    assert close_of(two_holders(), "strategy:alpha", position=150, against=90) == -60


def test_a_final_close_that_another_sent_under_our_id_is_stepped_over() -> None:
    desk = Desk(held=100)
    read = asked(desk, "account")
    found = facts.OrderSent(
        order_id=read.order_id,
        broker_order_id="guardians",
        status=OrderStatus.FILLED,
        filled_quantity_nanos=40 * NANOS,
        filled_price_nanos=NANOS,
    )
    answer = facts.LegRead(
        trip=read.trip,
        symbol="AAPL",
        attempt=1,
        position_nanos=60 * NANOS,
        against_nanos=0,
        found=found,
    )
    effects = desk.take(answer)
    assert submitted(effects) == [], "what was read before it is stale"
    (again,) = [effect for effect in effects if isinstance(effect, fx.ReadLeg)]
    assert (again.trip, again.attempt) == (read.trip, 2)
    assert again.wire_id != read.wire_id


def test_an_answer_from_before_an_order_moved_sizes_nothing() -> None:
    desk = Desk(held=1_000)
    (shown,) = submitted(desk.order(Side.SELL, 300 * NANOS))
    accept(desk, shown, "b1")
    read = asked(desk, "account")
    fill(desk, shown, 200)
    effects = desk.take(
        facts.LegRead(
            trip=read.trip,
            symbol="AAPL",
            attempt=1,
            position_nanos=1_000 * NANOS,
            against_nanos=0,
        )
    )
    assert submitted(effects) == []
    assert [effect for effect in effects if isinstance(effect, fx.ReadLeg)] == [read]


# --- what a proven reduction is ---


def with_a_past(shares: int) -> Desk:
    """The account holds these shares, which belong to neither of its two strategies."""
    desk = Desk(held=shares)
    start(desk, "alpha", "beta")
    desk.quote("AAPL", 250)
    return desk


def overlaid(past: int, bought: int) -> Desk:
    """The account held `past` before; alpha, one of two strategies, bought on top of it."""
    desk = with_a_past(past)
    traded(desk, "alpha", Side.BUY, bought)
    return desk


def test_a_sale_that_shrinks_the_strategys_but_grows_the_accounts_position_is_no_reduction() -> (
    None
):
    desk = overlaid(past=-100, bought=60)  # the account is short 40
    (order,) = submitted(desk.order(Side.SELL, 60 * NANOS))
    assert (order.intent, order.raises_exposure) == (Intent.OPEN, True)
    desk = overlaid(past=-100, bought=60)
    reduce_only(desk)
    assert denied(desk.order(Side.SELL, NANOS)) == [Reason.POSTURE_REDUCE_ONLY]


def test_a_sale_that_takes_the_account_through_zero_is_no_reduction() -> None:
    desk = overlaid(past=-60, bought=100)  # the account is long 40
    reduce_only(desk)
    assert denied(desk.order(Side.SELL, 41 * NANOS)) == [Reason.POSTURE_REDUCE_ONLY]
    (order,) = submitted(desk.order(Side.SELL, 40 * NANOS))
    assert (order.intent, order.raises_exposure) == (Intent.REDUCE, False)


def test_what_already_works_against_the_account_is_not_reduced_twice() -> None:
    desk = overlaid(past=-60, bought=100)
    reduce_only(desk)
    assert submitted(desk.order(Side.SELL, 25 * NANOS))
    assert denied(desk.order(Side.SELL, 16 * NANOS)) == [Reason.POSTURE_REDUCE_ONLY]
    assert submitted(desk.order(Side.SELL, 15 * NANOS))


def test_a_strategy_reduces_its_own_share_and_not_its_neighbours() -> None:
    desk = two_holders()
    reduce_only(desk)
    assert denied(desk.order(Side.SELL, 51 * NANOS, strategy="beta")) == [
        Reason.POSTURE_REDUCE_ONLY
    ]
    assert submitted(desk.order(Side.SELL, 50 * NANOS, strategy="beta"))
    assert denied(desk.order(Side.SELL, NANOS, strategy="beta")) == [Reason.POSTURE_REDUCE_ONLY]
    assert submitted(desk.order(Side.SELL, 100 * NANOS, strategy="alpha"))


def test_a_short_is_reduced_by_buying_no_more_than_is_short_orders_counted() -> None:
    desk = Desk(held=-100)
    reduce_only(desk)
    assert denied(desk.order(Side.BUY, 101 * NANOS)) == [Reason.POSTURE_REDUCE_ONLY]
    assert submitted(desk.order(Side.BUY, 70 * NANOS))
    assert denied(desk.order(Side.BUY, 31 * NANOS)) == [Reason.POSTURE_REDUCE_ONLY]
    assert submitted(desk.order(Side.BUY, 30 * NANOS))


def test_while_a_plan_closes_a_symbol_nobody_else_reduces_it() -> None:
    desk = with_a_past(100)
    traded(desk, "alpha", Side.BUY, 50)
    traded(desk, "beta", Side.BUY, 50)
    asked(desk, "strategy:beta")
    reduce_only(desk)
    assert denied(desk.order(Side.SELL, NANOS)) == [Reason.POSTURE_REDUCE_ONLY]


def stop(desk: Desk, shares: int, strategy: str = "alpha") -> str:
    """A working sell stop; its order id."""
    desk.requests += 1
    (order,) = submitted(
        desk.take(
            facts.OrderRequested(
                request=desk.requests,
                strategy=strategy,
                client_order_id=f"s{desk.requests}",
                symbol="AAPL",
                side=Side.SELL,
                order_type=OrderType.STOP,
                time_in_force=TimeInForce.GTC,
                quantity_nanos=shares * NANOS,
                stop_price_nanos=240 * NANOS,
            )
        )
    )
    accept(desk, order, f"b-{order.order_id[:8]}")
    return order.order_id


def cancelled_by_a_halt(desk: Desk) -> list[str]:
    effects = desk.take(
        OperatorHaltRequested(
            request=90, operator="ann", reason="drill", scope="account", level=HaltLevel.HALT
        )
    )
    return [effect.order_id for effect in effects if isinstance(effect, fx.CancelOrder)]


def test_stops_that_a_halt_keeps_are_together_no_larger_than_the_strategys_own_share() -> None:
    desk = overlaid(past=50, bought=100)
    kept, also_kept, too_many = stop(desk, 60), stop(desk, 40), stop(desk, 1)
    assert cancelled_by_a_halt(desk) == [too_many]
    assert len({kept, also_kept, too_many}) == 3


def test_stops_that_a_halt_keeps_are_together_no_larger_than_the_accounts_position() -> None:
    desk = overlaid(past=-60, bought=100)  # the account is long 40
    kept, too_large = stop(desk, 40), stop(desk, 41)
    assert cancelled_by_a_halt(desk) == [too_large]
    assert kept != too_large


def test_a_plan_says_how_many_cancels_were_not_confirmed_when_it_begins_to_close() -> None:
    for confirmed in (False, True):
        desk = Desk()
        traded(desk, "alpha", Side.BUY, 100)
        (resting,) = submitted(desk.order(Side.BUY, 10 * NANOS, strategy="alpha"))
        flatten = OperatorHaltRequested(
            request=90, operator="ann", reason="drill", scope="account", level=HaltLevel.FLATTEN
        )
        accept(desk, resting, "b-1")
        effects = desk.take(flatten)
        if confirmed:
            canceled = facts.OrderEnded(
                order_id=resting.order_id,
                broker_order_id="b-1",
                status=OrderStatus.CANCELED,
                filled_quantity_nanos=0,
                filled_price_nanos=0,
            )
            effects += desk.take(canceled)
        else:
            desk.now_ns += 3 * SECOND
            effects += desk.take(facts.TimeAdvanced())
        plans = [effect for effect in effects if isinstance(effect, RecordPlan)]
        assert [(at.stage, at.orders) for at in plans] == [
            ("cancelling", 1),
            ("closing", 0 if confirmed else 1),
        ]
