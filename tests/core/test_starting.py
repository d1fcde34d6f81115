"""A start finds what an earlier run had in flight before anything new may leave."""

from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import OrderStatus, Side
from fuseboard.vocabulary.reasons import Reason
from tests.core.test_known_failures import Desk, denied, submitted


def test_nothing_new_leaves_before_an_order_that_a_dead_gateway_may_have_sent_is_found() -> None:
    desk = Desk()
    (lost,) = submitted(desk.order(Side.BUY, NANOS))
    desk.start()  # the stream connects and positions are read while the order may be on its way
    desk.quote("AAPL", 250)
    assert denied(desk.order(Side.BUY, NANOS)) == [Reason.NOT_RECONCILED]
    never = facts.OrderNotSent(order_id=lost.order_id, reason=Reason.NEVER_ARRIVED)
    assert fx.ReadAccount(positions=True) in desk.take(never)
    desk.account()
    desk.take(facts.PositionsSeen(positions=()))
    assert submitted(desk.order(Side.BUY, NANOS))


def test_an_order_that_a_dead_gateway_may_have_sent_is_shown_as_in_doubt() -> None:
    desk = Desk()
    submitted(desk.order(Side.BUY, NANOS))
    node = facts.NodeStarted(instance="deskdesk", account="A1", release="0")
    shown = [each for each in desk.take(node) if isinstance(each, fx.PublishOrder)]
    assert [each.status for each in shown] == [OrderStatus.IN_DOUBT]
