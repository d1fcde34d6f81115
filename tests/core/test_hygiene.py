"""Orders that work for too long, and orders of which nobody knows: cancelled, asked for, once."""

from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import OrderStatus, Side
from fuseboard.vocabulary.reasons import Reason
from tests.core.compared import Compared, finds, policy_of
from tests.core.test_known_failures import SECOND, stop_to_sell, submitted

TIMEOUT = policy_of(timeout_ns=30 * SECOND)


def cancels(effects: list[fx.Effect]) -> list[str]:
    return [effect.order_id for effect in effects if isinstance(effect, fx.CancelOrder)]


def test_an_order_beyond_its_time_is_cancelled_and_asked_to_go_until_the_broker_confirms() -> None:
    desk = Compared(TIMEOUT)
    order = desk.working("b1")
    desk.passes(10)
    later = desk.working("b2")
    assert cancels(desk.passes(19)) == []
    assert cancels(desk.passes(1)) == [order.order_id]
    assert cancels(desk.passes(2)) == [order.order_id] * 2, "again each second until it is final"
    ended = facts.OrderEnded(
        order_id=order.order_id,
        broker_order_id="b1",
        status=OrderStatus.CANCELED,
        filled_quantity_nanos=0,
        filled_price_nanos=0,
    )
    desk.take(ended)
    assert cancels(desk.passes(7)) == []
    assert cancels(desk.passes(1)) == [later.order_id]
    assert order.order_id not in desk.kernel._state.order_deadlines


def test_a_cancel_that_came_too_late_asks_for_the_order_and_sends_nothing_again() -> None:
    desk = Compared(TIMEOUT)
    order = desk.working("b1")
    desk.passes(30)
    effects = desk.take(
        facts.CancelRefused(order_id=order.order_id, reason=Reason.ORDER_NOT_CANCELABLE)
    )
    assert finds(effects) == [order.order_id]
    desk.found(order, "b1", 10)
    assert desk.held_nanos() == 10 * NANOS
    assert len(submitted(desk.said)) == 1


def test_without_a_timeout_nothing_is_counted_and_nothing_is_cancelled() -> None:
    desk = Compared()
    desk.working("b1")
    assert cancels(desk.passes(600)) == []
    assert desk.kernel._state.order_deadlines == {}


def test_a_stop_waits_for_its_price_and_is_never_overdue() -> None:
    desk = Compared(TIMEOUT, held=100)
    (stop,) = submitted(desk.take(stop_to_sell(10, 240)))
    desk.take(facts.OrderWorking(order_id=stop.order_id, broker_order_id="b1"))
    assert cancels(desk.passes(60)) == []


def test_time_while_the_node_was_down_counts_by_boot_time_and_it_is_cancelled_after_the_start() -> (
    None
):
    desk = Compared(TIMEOUT)
    order = desk.working("b1")
    desk.now_ns += 40 * SECOND
    desk.restarted()
    desk.found(order, "b1", 0)
    assert cancels(desk.passes(1))[:1] == [order.order_id]


def test_an_unknown_outcome_is_asked_for_and_the_order_is_never_sent_again() -> None:
    desk = Compared(TIMEOUT)
    (order,) = submitted(desk.order(Side.BUY, 10 * NANOS))
    effects = desk.take(facts.OrderUnknown(order_id=order.order_id, detail="timed out"))
    assert finds(effects) == [order.order_id]
    desk.passes(60)
    assert len(submitted(desk.said)) == 1
    assert desk.kernel._state.order_deadlines == {}, "its time begins when the broker has it"
    desk.found(order, "b1", 0)
    assert cancels(desk.passes(30))[-1:] == [order.order_id]
    assert len(submitted(desk.said)) == 1
