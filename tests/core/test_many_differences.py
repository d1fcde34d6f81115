"""Many differences at once: one halt and one page for all of them, and every one is told."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from fuseboard.core import discrepancies
from fuseboard.core.comparing import MORE_ORDERS
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.copy_inputs import WorkingOrder, WorkingSeen
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.operator_inputs import OperatorResetRequested
from fuseboard.vocabulary.orders import Severity, Side
from fuseboard.vocabulary.postures import Posture
from fuseboard.vocabulary.reasons import Reason
from tests.core.compared import PRICE, Compared, policy_of, stages

if TYPE_CHECKING:
    from _collections_abc import dict_values


def held(*shares: int) -> facts.PositionsSeen:
    """The broker holds so many of each of S0, S1, ..."""
    return facts.PositionsSeen(
        positions=tuple(
            facts.BrokerPosition(
                symbol=f"S{number}",
                quantity_nanos=size * NANOS,
                average_price_nanos=PRICE,
                price_nanos=PRICE,
            )
            for number, size in enumerate(shares)
        )
    )


def halts(effects: Iterable[fx.Effect]) -> list[str]:
    """What each latch says."""
    return [effect.detail for effect in effects if isinstance(effect, fx.LatchHalt)]


def pages(effects: Iterable[fx.Effect]) -> int:
    return sum(isinstance(e, fx.RaiseAlert) and e.severity is Severity.PAGE for e in effects)


def warnings(effects: Iterable[fx.Effect]) -> list[str]:
    alerts = [effect for effect in effects if isinstance(effect, fx.RaiseAlert)]
    return [alert.text for alert in alerts if alert.severity is Severity.WARNING]


def test_fifty_fills_by_hand_halt_and_page_once_and_each_of_them_is_told() -> None:
    desk = Compared(policy_of("halt"))
    desk.agrees = True
    for number in range(50):
        desk.tells(f"hand{number}", 7)
    for _ in range(2):
        desk.reading()
        desk.passes(1)
    assert len(desk.standing()) == 50
    assert len(warnings(desk.said)) == 50
    assert not halts(desk.said)
    desk.reading()
    desk.reading()
    (said,) = halts(desk.said)
    assert said.startswith("50 differences: AAPL: the activity feed tells a fill of an order that")
    assert [f"hand{number} " in said.replace(":", " ") for number in range(4)] == [True] * 3 + [
        False
    ]
    assert said.endswith("; and 47 more")
    assert pages(desk.said) == 1
    assert desk.posture() is Posture.HALTED


def test_positions_that_differ_at_once_halt_once_and_another_one_later_halts_anew() -> None:
    desk = Compared(policy_of("halt"))
    effects = desk.take(held(1, 2, 3))
    named = [f"S{at}: the broker holds {at + 1}, our book 0" for at in range(3)]
    assert halts(effects) == [f"3 differences: {'; '.join(named)}"]
    assert pages(effects) == 1
    assert len(stages(effects)) == len(warnings(effects)) == 3
    assert not halts(desk.take(held(1, 2, 3)))
    assert halts(desk.take(held(1, 2, 3, 4))) == ["S3: the broker holds 4, our book 0"]


def test_working_orders_that_differ_halt_once() -> None:
    desk = Compared(policy_of("halt"))
    names = [desk.working(f"b{number}", shares=1).order_id for number in range(5)]
    seen = WorkingSeen(
        differing=tuple(
            WorkingOrder(order_id=name, side=Side.BUY, quantity_nanos=2 * NANOS) for name in names
        )
    )
    assert [len(halts(desk.take(seen))) for _ in range(4)] == [0, 0, 1, 0]


def test_an_order_that_a_comparison_had_no_room_to_name_does_not_agree() -> None:
    desk = Compared()
    names = [desk.working(f"b{number}", shares=1).order_id for number in range(2)]
    first, second = (
        WorkingOrder(order_id=name, side=Side.BUY, quantity_nanos=2 * NANOS) for name in names
    )
    desk.take(WorkingSeen(differing=(second,)))
    effects = desk.take(WorkingSeen(differing=(first,), more=1))
    assert stages(effects) == [("found", f"order {names[0]}"), ("found", MORE_ORDERS)]
    assert (
        warnings(effects)[1] == "working orders that differ from what was sent, beyond the named: 1"
    )
    assert stages(desk.take(WorkingSeen(differing=(first,), more=1))) == []
    assert desk.standing() == [f"order {names[1]}", f"order {names[0]}", MORE_ORDERS]
    desk.take(WorkingSeen(differing=(first,)))
    assert desk.standing() == [f"order {names[0]}"]
    desk.take(WorkingSeen())
    assert desk.standing() == []


@pytest.mark.parametrize(("action", "halted"), [("halt", 1), ("reduce_only", 1), ("notify", 0)])
def test_differences_beyond_what_is_kept_are_one_that_is_said_once_and_ends_by_a_person(
    monkeypatch: pytest.MonkeyPatch, action: str, halted: int
) -> None:
    monkeypatch.setattr(discrepancies, "DISCREPANCIES_MAX", 3)
    desk = Compared(policy_of(action))
    first = desk.take(held(1, 1, 1, 1, 1))
    assert warnings(first)[3:] == [
        "more than 3 discrepancies; the next: S3: the broker holds 1, our book 0"
    ]
    assert desk.standing()[3:] == [discrepancies.TOO_MANY]
    assert len(halts(first)) == pages(first) == halted
    for _ in range(3):
        again = desk.take(held(1, 1, 1, 1, 1))
        assert stages(again) == []
        assert warnings(again) == []
        assert halts(again) == []
        assert pages(again) == 0
    desk.take(held())
    assert desk.standing() == [discrepancies.TOO_MANY], "nobody compared what had no place"
    reset = OperatorResetRequested(request=9, operator="ann", reason="seen", scope="account")
    assert ("accepted", discrepancies.TOO_MANY) in stages(desk.take(reset))
    assert desk.standing() == []
    assert desk.posture() is Posture.OPEN


def test_differences_beyond_what_is_kept_halt_at_once_whatever_found_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(discrepancies, "DISCREPANCIES_MAX", 3)
    desk = Compared(policy_of("halt"))
    for number in range(5):
        desk.tells(f"hand{number}", 7)
    desk.reading()
    assert len(halts(desk.passes(1))) == 1, "what has no place cannot be counted"


class Looked(dict[str, Any]):
    """A table that knows how often it was looked through."""

    times = 0

    def __iter__(self) -> Iterator[str]:
        self.times += 1
        return super().__iter__()

    def values(self) -> "dict_values[str, Any]":
        self.times += 1
        return super().values()


def test_twenty_fills_by_hand_cost_no_more_looks_through_our_orders_than_one() -> None:
    def looks(fills: int) -> tuple[int, int]:
        desk = Compared()
        desk.working("b1")
        for number in range(fills):
            desk.tells(f"hand{number}", 7)
        desk.reading()
        book = desk.kernel._state.book
        book.orders, book.working = orders, working = Looked(book.orders), Looked(book.working)
        desk.passes(1)
        assert len(desk.standing()) == fills
        return orders.times, working.times

    assert looks(20) == looks(1)
    assert min(looks(1)) > 0, "it is these tables that are looked through"


def test_what_latches_names_the_reason_of_what_differs() -> None:
    desk = Compared(policy_of("halt"))
    (latch,) = [e for e in desk.take(held(1, 1)) if isinstance(e, fx.LatchHalt)]
    assert latch.reason is Reason.POSITION_MISMATCH
