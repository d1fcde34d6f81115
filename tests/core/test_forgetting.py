"""An order that was closed long ago is forgotten; its id never is sent a second time (law 3)."""

import msgspec
import pytest

from fuseboard.core import book
from fuseboard.core.kernel import Kernel
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.effects import LatchHalt
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import OrderStatus, Side
from fuseboard.vocabulary.postures import Posture
from fuseboard.vocabulary.reasons import Reason
from tests.core.test_known_failures import Desk, accept, denied, submitted


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk whose book keeps two closed orders, and the ids of three to four more."""
    monkeypatch.setattr(book, "CLOSED_ORDERS_MAX", 2)
    monkeypatch.setattr(book, "FORGOTTEN_MAX", 4)
    monkeypatch.setattr(book, "FORGOTTEN_DROPPED", 2)
    return Desk()


def fill(desk: Desk, name: str) -> None:
    """Buy one share under this id, at once filled."""
    (order,) = submitted(desk.order(Side.BUY, NANOS, name=name))
    desk.take(
        facts.OrderSent(
            order_id=order.order_id,
            broker_order_id=f"b-{name}",
            status=OrderStatus.FILLED,
            filled_quantity_nanos=NANOS,
            filled_price_nanos=250 * NANOS,
        )
    )


def test_an_id_whose_order_has_left_the_book_is_refused_whatever_it_asks_for(desk: Desk) -> None:
    for number in range(3):
        fill(desk, f"o{number}")
    (working,) = submitted(desk.order(Side.BUY, NANOS, name="works"))
    accept(desk, working, "b-works")
    desk.kernel = Kernel.restored(desk.kernel.snapshot())
    kept = desk.order(Side.BUY, NANOS, name="o2")
    assert not submitted(kept)
    assert not denied(kept)
    for quantity_nanos in (NANOS, 2 * NANOS):
        again = desk.order(Side.BUY, quantity_nanos, name="o0")
        assert denied(again) == [Reason.CLIENT_ORDER_ID_REUSED]
        assert not submitted(again)
    replaced = facts.ReplaceRequested(
        request=92,
        strategy="alpha",
        order_id=working.order_id,
        client_order_id="o0",
        quantity_nanos=2 * NANOS,
    )
    assert denied(desk.take(replaced)) == [Reason.CLIENT_ORDER_ID_REUSED]
    assert desk.kernel._state.book.account.position("AAPL").quantity_nanos == 3 * NANOS


def test_the_ids_that_are_kept_are_bounded_and_the_oldest_go_first(desk: Desk) -> None:
    for number in range(12):
        fill(desk, f"o{number}")
        assert len(desk.kernel._state.book.forgotten) <= book.FORGOTTEN_MAX
    for number in (7, 8, 9):
        again = desk.order(Side.BUY, NANOS, name=f"o{number}")
        assert denied(again) == [Reason.CLIENT_ORDER_ID_REUSED]
    assert len(desk.kernel._state.book.forgotten) > book.FORGOTTEN_MAX - book.FORGOTTEN_DROPPED


def test_a_late_fill_of_an_order_that_was_forgotten_halts_and_is_not_called_a_twins(
    desk: Desk,
) -> None:
    for number in range(3):
        fill(desk, f"o{number}")
    (forgotten,) = desk.kernel._state.book.forgotten
    late = facts.FillReported(
        order_id=forgotten,
        broker_order_id="b-o0",
        quantity_nanos=NANOS,
        price_nanos=250 * NANOS,
        filled_quantity_nanos=2 * NANOS,
        filled_price_nanos=250 * NANOS,
        final=True,
    )
    (halt,) = [effect for effect in desk.take(late) if isinstance(effect, LatchHalt)]
    assert halt.detail.endswith("it was closed long ago, and the broker tells of it again")
    assert desk.kernel._state.postures["account"] is Posture.HALTED


def test_an_id_that_the_broker_knows_from_an_older_order_is_refused_and_counts_nothing() -> None:
    desk = Desk()
    (order,) = submitted(desk.order(Side.BUY, NANOS, name="o0"))
    state = desk.kernel._state
    held_nanos = state.book.account.position("AAPL").quantity_nanos
    scores = msgspec.json.encode(state.scores)
    refused = desk.take(
        facts.OrderNotSent(order_id=order.order_id, reason=Reason.CLIENT_ORDER_ID_REUSED)
    )
    assert denied(refused) == [Reason.CLIENT_ORDER_ID_REUSED]
    assert not state.book.working, "nothing stays reserved"
    assert state.book.account.position("AAPL").quantity_nanos == held_nanos
    assert msgspec.json.encode(state.scores) == scores, "no error, and no rejection by the broker"
