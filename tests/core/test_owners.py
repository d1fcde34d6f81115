"""A strategy cancels and replaces its own orders: nobody else's, and no close of a plan."""

import pytest

from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Side
from fuseboard.vocabulary.reasons import Reason
from tests.core.test_ids import closed, flatten, read_in
from tests.core.test_known_failures import Desk, accept, submitted
from tests.core.test_reduce_only import traded


def cancelled(desk: Desk, order_id: str, strategy: str) -> tuple[Reason, bool]:
    """What the asker is told, and whether a cancel goes to the broker."""
    effects = desk.take(facts.CancelRequested(request=7, strategy=strategy, order_id=order_id))
    (answer,) = [effect for effect in effects if isinstance(effect, fx.AnswerCancel)]
    return answer.reason, any(isinstance(effect, fx.CancelOrder) for effect in effects)


def replaced(desk: Desk, order_id: str, strategy: str) -> Reason:
    """Why a replacement is denied."""
    effects = desk.take(
        facts.ReplaceRequested(
            request=8,
            strategy=strategy,
            order_id=order_id,
            client_order_id=f"instead-{strategy}",
            quantity_nanos=2 * NANOS,
        )
    )
    (answer,) = [effect for effect in effects if isinstance(effect, fx.AnswerDenied)]
    return answer.reason


def working(desk: Desk) -> fx.SubmitOrder:
    (order,) = submitted(desk.order(Side.BUY, NANOS, 249))
    accept(desk, order, "b1")
    return order


def test_a_strategy_cannot_cancel_anothers_order() -> None:
    desk = Desk()
    order = working(desk)
    assert cancelled(desk, order.order_id, "beta") == (Reason.ORDER_UNKNOWN, False)
    assert cancelled(desk, order.order_id, "alpha") == (Reason.ALLOWED, True)


def test_a_strategy_cannot_replace_anothers_order() -> None:
    desk = Desk()
    order = working(desk)
    assert replaced(desk, order.order_id, "beta") is Reason.ORDER_UNKNOWN


def closing(scope: str) -> tuple[Desk, fx.SubmitOrder]:
    """A strategy holds all that the account does, and a plan closes it."""
    desk = Desk()
    traded(desk, "alpha", Side.BUY, 100)
    desk.held = 100
    close = closed(desk, read_in(flatten(desk, scope)))
    accept(desk, close, "b2")
    return desk, close


@pytest.mark.parametrize(("scope", "owner"), [("account", ""), ("strategy:alpha", "alpha")])
def test_nobody_cancels_or_replaces_a_close_of_a_plan(scope: str, owner: str) -> None:
    desk, close = closing(scope)
    assert close.strategy == "", "to clients it is nobody's, whichever ledger it moves"
    assert cancelled(desk, close.order_id, owner) == (Reason.ORDER_UNKNOWN, False)
    assert replaced(desk, close.order_id, owner) is Reason.ORDER_UNKNOWN


def cancel_by_owner_of_a_plan() -> None:
    test_nobody_cancels_or_replaces_a_close_of_a_plan("strategy:alpha", "alpha")
