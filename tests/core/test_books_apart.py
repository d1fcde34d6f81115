"""A report that never comes, on a stream that stands: cash tells of a fill, the list of an end."""

from fuseboard.core.kernel import Kernel
from fuseboard.core.outgoing import ACCOUNT_READ_EVERY_NS
from fuseboard.policy.data_rules import ReconciliationRules
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import OrderStatus, Side
from fuseboard.vocabulary.reasons import Reason
from tests.core.test_known_failures import SECOND, Desk, accept, submitted

COMPARES = fx.ReadAccount(positions=True)


def bought(desk: Desk, shares: int) -> fx.SubmitOrder:
    """An order works, fills at the broker, and its report is lost."""
    (order,) = submitted(desk.order(Side.BUY, shares * NANOS))
    accept(desk, order, "b1")
    desk.cash -= shares * 250
    return order


def read(desk: Desk) -> list[fx.Effect]:
    """The account is read on its schedule."""
    desk.now_ns += ACCOUNT_READ_EVERY_NS
    return [*desk.take(facts.TimeAdvanced()), *desk.account()]


def found(order: fx.SubmitOrder, shares: int) -> facts.OrderSent:
    return facts.OrderSent(
        order_id=order.order_id,
        broker_order_id="b1",
        status=OrderStatus.FILLED,
        filled_quantity_nanos=shares * NANOS,
        filled_price_nanos=250 * NANOS,
    )


def seen(shares: int) -> facts.PositionsSeen:
    at = facts.BrokerPosition(
        symbol="AAPL",
        quantity_nanos=shares * NANOS,
        average_price_nanos=250 * NANOS,
        price_nanos=250 * NANOS,
    )
    return facts.PositionsSeen(positions=(at,))


def test_a_fill_whose_report_is_lost_is_found_by_the_cash_that_two_readings_miss() -> None:
    desk = Desk()
    order = bought(desk, 40)
    began_ns = desk.now_ns
    assert COMPARES not in read(desk), "its report may be on its way"
    assert COMPARES in read(desk)
    assert desk.now_ns - began_ns < ReconciliationRules().every_ns // 2
    desk.account()
    desk.take(seen(40))
    desk.now_ns += 2 * SECOND
    asked = desk.take(facts.TimeAdvanced())
    assert any(isinstance(e, fx.FindOrder) and e.order_id == order.order_id for e in asked)
    effects = desk.take(found(order, 40))
    (shown,) = [e for e in effects if isinstance(e, fx.PublishPosition) and not e.strategy]
    assert shown.quantity_nanos == 40 * NANOS
    assert COMPARES in effects
    desk.account()
    agreed = desk.take(seen(40))
    assert not any(isinstance(effect, fx.LatchHalt) for effect in agreed)


def test_what_no_order_of_ours_explains_halts_within_seconds() -> None:
    desk = Desk()
    desk.cash -= 20_000  # somebody else trades this account
    assert COMPARES not in read(desk)
    assert COMPARES in read(desk)
    desk.account()
    (halt,) = [e for e in desk.take(seen(80)) if isinstance(e, fx.LatchHalt)]
    assert halt.reason is Reason.POSITION_MISMATCH


def test_a_difference_that_a_comparison_did_not_explain_is_compared_once() -> None:
    desk = Desk()
    bought(desk, 40)
    every = [effect for _ in range(5) for effect in read(desk)]
    assert every.count(COMPARES) == 1
    desk.cash -= 250  # another one: it has its own comparison
    every = [effect for _ in range(3) for effect in read(desk)]
    assert every.count(COMPARES) == 1


def test_readings_that_follow_at_once_do_not_make_a_report_late() -> None:
    desk = Desk()
    bought(desk, 40)
    assert all(COMPARES not in desk.account() for _ in range(10))


def test_books_that_agree_again_forget_the_difference() -> None:
    desk = Desk()
    order = bought(desk, 40)
    read(desk)
    desk.take(found(order, 40))
    assert COMPARES not in read(desk)
    again = bought(desk, 40)
    assert COMPARES not in read(desk), "the same sum, and another order's"
    assert COMPARES in read(desk)
    desk.take(found(again, 40))


def test_a_restart_keeps_what_was_noticed_and_a_start_of_the_node_forgets_it() -> None:
    desk = Desk()
    bought(desk, 40)
    read(desk)
    desk.kernel = Kernel.restored(desk.kernel.snapshot())
    assert COMPARES in read(desk)
    desk = Desk()
    order = bought(desk, 40)
    read(desk)
    desk.start()
    accept(desk, order, "b1")
    assert desk.take(seen(0)), "compared"
    assert COMPARES not in read(desk)
    assert COMPARES in read(desk)


def test_an_order_that_the_brokers_list_misses_is_asked_for_and_ends() -> None:
    desk = Desk()
    (order,) = submitted(desk.order(Side.BUY, 40 * NANOS))
    accept(desk, order, "b1")
    seen = facts.PositionsSeen(positions=(), missing=(order.order_id, "never heard of"))
    (asked,) = [e for e in desk.take(seen) if isinstance(e, fx.FindOrder)]
    assert asked.wire_id == order.wire_id
    expired = facts.OrderSent(
        order_id=order.order_id, broker_order_id="b1", status=OrderStatus.EXPIRED
    )
    (shown,) = [e for e in desk.take(expired) if isinstance(e, fx.PublishOrder)]
    assert shown.status is OrderStatus.EXPIRED
    assert not [e for e in desk.take(seen) if isinstance(e, fx.FindOrder)], "it has ended"
