"""Orders of which people were told while nobody knew their end: how they end is said, once."""

import pytest

from fuseboard.core.kernel import Kernel
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import OrderStatus, Severity, Side
from fuseboard.vocabulary.postures import HaltLevel
from fuseboard.vocabulary.reasons import Reason
from tests.core.test_known_failures import SECOND, Desk, submitted
from tests.core.test_operators import CALM, asked


def begun(desk: Desk, shares: int = 7) -> fx.SubmitOrder:
    (order,) = submitted(desk.order(Side.BUY, shares * NANOS))
    return order


def said(effects: tuple[fx.Effect, ...]) -> list[tuple[Severity, str]]:
    """What is said of ends, without whose order it is."""
    alerts = [each for each in effects if isinstance(each, fx.RaiseAlert)]
    return [
        (each.severity, each.text.split(": ", 1)[1].split(", ", 1)[1])
        for each in alerts
        if each.code is Reason.OUTCOME_LATE
    ]


def ended(order: fx.SubmitOrder, status: OrderStatus, filled: int = 0) -> facts.OrderEnded:
    return facts.OrderEnded(
        order_id=order.order_id, broker_order_id="b1", status=status,
        filled_quantity_nanos=filled * NANOS, filled_price_nanos=250 * NANOS if filled else 0,
    )  # fmt: skip


def in_doubt(desk: Desk) -> fx.SubmitOrder:
    """An order that a halt finds without an answer, and that comes into doubt after it."""
    order = begun(desk)
    desk.take(asked(HaltLevel.HALT))
    assert said(desk.take(facts.OrderUnknown(order_id=order.order_id, detail="no answer"))) == []
    desk.kernel = Kernel.restored(desk.kernel.snapshot())
    return order


@pytest.mark.parametrize(
    ("status", "filled", "severity", "words"),
    [
        (OrderStatus.FILLED, 7, Severity.PAGE, "buy 7 of 7 filled"),
        (OrderStatus.CANCELED, 3, Severity.PAGE, "is cancelled after buy 3 of 7 filled"),
        (OrderStatus.CANCELED, 0, Severity.INFO, "is cancelled"),
        (OrderStatus.REJECTED, 0, Severity.INFO, "was refused by the broker"),
        (OrderStatus.EXPIRED, 0, Severity.INFO, "is expired"),
    ],
)
def test_what_a_halt_listed_in_doubt_gets_a_word_when_the_broker_has_said_how_it_ended(
    status: OrderStatus, filled: int, severity: Severity, words: str
) -> None:
    desk = Desk(CALM)
    order = in_doubt(desk)
    end = ended(order, status, filled)
    assert said(desk.take(end)) == [(severity, f"in doubt at halt 1: {words}")]
    assert said(desk.take(end)) == [], "once"
    assert desk.kernel._state.open_ends == {}


def test_one_that_never_arrived_is_said_too() -> None:
    desk = Desk(CALM)
    order = in_doubt(desk)
    absent = facts.OrderNotSent(order_id=order.order_id, reason=Reason.NEVER_ARRIVED)
    never = "in doubt at halt 1: never arrived at the broker"
    assert said(desk.take(absent)) == [(Severity.INFO, never)]


def test_what_was_answered_before_the_halt_settled_was_listed_nowhere_and_what_was_not_is() -> None:
    for late_ns, times in ((SECOND, 0), (2 * SECOND, 1)):
        desk = Desk(CALM)
        order = begun(desk)
        desk.take(asked(HaltLevel.HALT))
        desk.now_ns += late_ns
        assert len(said(desk.take(ended(order, OrderStatus.CANCELED)))) == times


def test_an_order_that_worked_before_the_halt_and_a_restart_s_are_told_apart() -> None:
    desk = Desk(CALM)
    order = begun(desk)
    desk.take(
        facts.OrderSent(order_id=order.order_id, broker_order_id="b1", status=OrderStatus.WORKING)
    )
    desk.take(asked(HaltLevel.HALT))
    desk.now_ns += 9 * SECOND
    assert said(desk.take(ended(order, OrderStatus.FILLED, 7))) == [], "its fills are its own story"


def test_of_one_that_works_after_it_was_given_up_two_pages_say_what_is_asked_and_what_became() -> (
    None
):
    desk = Desk(CALM)
    order = begun(desk)
    desk.take(facts.OrderUnknown(order_id=order.order_id, detail="no answer"))
    desk.take(facts.OrderNotSent(order_id=order.order_id, reason=Reason.NEVER_ARRIVED))
    effects = desk.take(facts.OrderWorking(order_id=order.order_id, broker_order_id="b1"))
    (page,) = [each for each in effects if isinstance(each, fx.RaiseAlert)]
    assert page.text.endswith("works after it had been given up: its cancel is asked for")
    became = "which worked after it had been given up: is cancelled after buy 2 of 7 filled"
    late = desk.take(ended(order, OrderStatus.CANCELED, 2))
    assert said(late) == [(Severity.PAGE, became)]
    assert said(desk.take(ended(order, OrderStatus.CANCELED, 2))) == []
