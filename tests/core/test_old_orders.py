"""A stranger's order explains a difference only where it ended after the books last agreed."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from fuseboard.core import comparing, outgoing, taking_in
from fuseboard.core.foreign_state import LAG_NS, ForeignOrders
from fuseboard.core.kernel import Kernel
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.orders import OrderStatus
from fuseboard.vocabulary.postures import Posture
from fuseboard.vocabulary.restored_inputs import OrdersSinceSeen
from tests.core.by_hand import READS, ByHand, by_hand, halted
from tests.core.test_known_failures import SECOND
from tests.deletion import assert_pinned


def agreed(*, clock: bool = True) -> ByHand:
    """A desk with 10 shares whose books agreed a minute ago, and now; no `clock`: undated."""
    desk = ByHand(held=10)
    desk.passes(60)
    desk.compares(10)
    if not clock:
        held = desk.kernel._state.book.account.position("AAPL").quantity_nanos
        at = facts.BrokerPosition(
            symbol="AAPL", quantity_nanos=held, average_price_nanos=1, price_nanos=1
        )
        desk.take(facts.PositionsSeen(positions=(at,)))
    return desk


def differs(desk: ByHand, ended_ns: int) -> None:
    """The broker holds 20, and lists an order of 10 that ended then whenever it is asked."""
    seen = len(desk.said)
    for _ in range(8):
        desk.compares(20)
        desk.passes(7)
        asked = [e for e in desk.said[seen:] if isinstance(e, fx.ReadOrdersSince)]
        seen = len(desk.said)
        for _each in asked:
            desk.take(by_hand(filled=10, ended=OrderStatus.FILLED, ended_ns=ended_ns))
            desk.take(OrdersSinceSeen(orders=()))


@pytest.mark.parametrize("ago_ns", [LAG_NS + SECOND, 59 * SECOND])
def test_an_order_that_ended_before_the_books_agreed_explains_nothing(ago_ns: int) -> None:
    desk = agreed()
    differs(desk, desk.now_ns - ago_ns)
    assert desk.position() == 10
    assert halted(desk)
    assert desk.posture() is Posture.HALTED


def test_one_that_nobody_dates_explains_nothing() -> None:
    desk = ByHand(held=10)
    differs(desk, 0)
    assert halted(desk)


def test_one_that_ended_since_is_booked() -> None:
    for ago_ns in (-SECOND, LAG_NS - SECOND):
        desk = agreed()
        differs(desk, desk.now_ns - ago_ns)
        assert desk.position() == 20
        assert not halted(desk)


def test_where_the_broker_tells_no_clock_none_explains() -> None:
    desk = agreed(clock=False)
    differs(desk, desk.now_ns + SECOND)
    assert halted(desk)


def test_a_comparison_that_differs_is_no_agreement() -> None:
    desk = agreed()
    agreed_ns = desk.now_ns
    for _ in range(8):
        desk.compares(20)
        desk.passes(7)
        desk.take(OrdersSinceSeen(orders=()))
    assert halted(desk)
    differs(desk, agreed_ns + SECOND)
    assert desk.position() == 20, "told late, it is booked all the same"


def test_before_the_first_comparison_nothing_waits() -> None:
    desk = ByHand()
    desk.kernel._state.foreign.agreed_ns = 0
    desk.take(by_hand(filled=10, ended=OrderStatus.FILLED))
    assert not desk.kernel._state.foreign.unplaced


def test_the_brokers_clock_is_asked_for_with_positions() -> None:
    desk = agreed()
    desk.passes(60)
    assert READS in desk.said


def test_a_restart_keeps_when_they_agreed() -> None:
    desk = agreed()
    before_ns = desk.now_ns - 10 * SECOND
    desk.kernel = Kernel.restored(desk.kernel.snapshot())
    differs(desk, before_ns)
    assert halted(desk)


old = partial(test_an_order_that_ended_before_the_books_agreed_explains_nothing, 59 * SECOND)
CUTS: tuple[tuple[Callable[..., Any], str, str, Callable[[], object]], ...] = (
    (taking_in.note_ended, "not turn.state.foreign.may_be_missing(terms.ended_wall_ns)", "False",
     old),
    (ForeignOrders.may_be_missing, "max(0, self.agreed_ns - LAG_NS)", "self.agreed_ns - LAG_NS",
     test_one_that_nobody_dates_explains_nothing),
    (ForeignOrders.may_be_missing, " - LAG_NS", "", test_one_that_ended_since_is_booked),
    (ForeignOrders.may_be_missing, "self.agreed_ns > 0 and ", "",
     test_where_the_broker_tells_no_clock_none_explains),
    (comparing.positions_seen, "if not differences:", "if True:",
     test_a_comparison_that_differs_is_no_agreement),
    (comparing.positions_seen, "state.foreign.agreed_ns = fact.after_broker_ns", "pass",
     test_one_that_ended_since_is_booked),
    (outgoing.read_account, " or adopts", "", test_the_brokers_clock_is_asked_for_with_positions),
)  # fmt: skip


@pytest.mark.parametrize(("function", "text", "instead", "test"), CUTS)
def test_a_safeguard_that_is_taken_out_is_noticed(
    function: Callable[..., Any],
    text: str,
    instead: str,
    test: Callable[[], object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert_pinned(monkeypatch, function, text, instead, test)
