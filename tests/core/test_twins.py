"""Two gateways on one account: an order of ours that we never sent halts, by stream and by list."""

import pytest

from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.postures import Posture
from fuseboard.vocabulary.reasons import Reason
from tests.core.test_known_failures import Desk

WORKING = facts.OrderWorking(order_id="0" * 36, broker_order_id="b9")
FILLED = facts.FillReported(
    order_id="0" * 36,
    broker_order_id="b9",
    quantity_nanos=NANOS,
    price_nanos=NANOS,
    filled_quantity_nanos=NANOS,
    filled_price_nanos=NANOS,
    final=True,
)


@pytest.mark.parametrize("fact", [WORKING, FILLED])
def test_an_order_with_our_own_instance_that_is_not_in_the_book_halts_once(
    fact: facts.OrderWorking | facts.FillReported,
) -> None:
    desk = Desk()
    desk.take(fact)
    assert desk.kernel._state.postures["account"] is Posture.HALTED
    assert desk.kernel._state.latches["account"].reason is Reason.FOREIGN_ORDER
    epoch = desk.kernel._state.halt_epoch
    desk.take(fact)
    assert desk.kernel._state.halt_epoch == epoch, "one order is told once"


def test_an_order_that_was_lost_with_a_restore_is_known() -> None:
    desk = Desk()
    desk.kernel._state.spent_ids["0" * 36] = None
    desk.take(WORKING)
    assert "account" not in desk.kernel._state.postures
