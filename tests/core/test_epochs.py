"""Each halt raises the halt epoch, and what may raise exposure carries the epoch of its decision.

That is what the outlet compares at the socket (law 5).
"""

from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.operator_inputs import OperatorHaltRequested
from fuseboard.vocabulary.orders import Side
from fuseboard.vocabulary.postures import HaltLevel
from tests.core.test_known_failures import Desk, submitted


def halted(desk: Desk, scope: str) -> list[int]:
    effects = desk.take(
        OperatorHaltRequested(
            request=90, operator="ann", reason="drill", scope=scope, level=HaltLevel.HALT
        )
    )
    return [effect.halt_epoch for effect in effects if isinstance(effect, fx.LatchHalt)]


def stamped(desk: Desk, side: Side) -> tuple[int, bool]:
    (order,) = submitted(desk.order(side, NANOS))
    return order.halt_epoch, order.raises_exposure


def test_an_order_carries_the_epoch_of_its_decision_and_each_halt_makes_the_next() -> None:
    desk = Desk()
    assert stamped(desk, Side.BUY) == (0, True)
    assert halted(desk, "symbol:TSLA") == [1]
    assert stamped(desk, Side.BUY) == (1, True)
    assert halted(desk, "symbol:TSLA") == [2], "also a halt of what is halted already"
    assert stamped(desk, Side.BUY) == (2, True)


def test_a_reduction_is_not_stopped_by_an_epoch() -> None:
    desk = Desk(held=100)
    assert stamped(desk, Side.SELL) == (0, False)
