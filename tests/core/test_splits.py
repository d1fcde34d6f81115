"""A split of what is held is no loss and no gain: nothing is closed for it, no mark moves.

2 for 1: the price halves, the broker holds twice as much, and its equity is what it was. Our book
learns of the price by quotes and of the quantity by a comparison, in either order; a person's reset
takes the quantity over.
"""

from typing import Final

import pytest

from fuseboard.core.fuses.machine import FuseState
from fuseboard.policy.limits import Limits
from fuseboard.policy.policy import Policy
from fuseboard.policy.rules import BreakerRule, LossRule, StrategyRule
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.actions import Action
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.operator_inputs import OperatorResetRequested
from fuseboard.vocabulary.postures import Posture
from tests.core.test_known_failures import SECOND, Desk

HELD: Final = 1_000
LOSSES = (LossRule(name="day"),)
CUT = BreakerRule(name="cut", condition="drawdown >= 5%", action=Action.FLATTEN)


def desk(*, strategies: bool = False) -> Desk:
    alpha = StrategyRule(name="alpha", capital_nanos=250_000 * NANOS, losses=LOSSES)
    policy = Policy(
        limits=Limits(order_value_nanos_max=NANOS**2),
        losses=() if strategies else LOSSES,
        breakers=() if strategies else (CUT,),
        strategies=(alpha,) if strategies else (),
    )
    return Desk(policy, cash=0, held=HELD)


class Broker:
    """It answers what it is asked at once, with what it holds now."""

    def __init__(self, at: Desk, held: int, price: int) -> None:
        self.at, self.held, self.price = at, held, price
        self.equity = held * price
        self.told: list[fx.Effect] = []
        self.tells_positions = True

    def take(self, effects: tuple[fx.Effect, ...]) -> None:
        self.told += effects
        for read in [effect for effect in effects if isinstance(effect, fx.ReadAccount)]:
            self.take(self.at.account(self.equity))
            if read.positions and self.tells_positions:
                self.compare()

    def compare(self) -> None:
        held = facts.BrokerPosition(
            symbol="AAPL",
            quantity_nanos=self.held * NANOS,
            average_price_nanos=self.price * NANOS,
            price_nanos=self.price * NANOS,
        )
        self.take(self.at.take(facts.PositionsSeen(positions=(held,))))

    def quote(self, times: int = 3) -> None:
        for _ in range(times):
            self.at.now_ns += SECOND // 4
            self.take(self.at.quote("AAPL", self.price))

    def wait(self, seconds: int) -> None:
        for _ in range(seconds):
            self.at.now_ns += SECOND
            self.take(self.at.take(facts.TimeAdvanced()))

    def trips(self) -> list[fx.Effect]:
        return [at for at in self.told if isinstance(at, fx.LatchHalt) and "#" in at.detail]

    def sent(self) -> list[fx.Effect]:
        return [effect for effect in self.told if isinstance(effect, fx.SubmitOrder | fx.ReadLeg)]


@pytest.mark.parametrize(("held", "price"), [(2_000, 125), (1_500, 250 * 2 // 3), (100, 2_500)])
@pytest.mark.parametrize("first", ["quotes", "broker", "silent"])
@pytest.mark.parametrize("strategies", [False, True], ids=["account", "strategy"])
def test_a_split_closes_nothing_and_moves_no_mark(
    held: int, price: int, first: str, strategies: bool
) -> None:
    at = desk(strategies=strategies)
    if strategies:
        at.take(facts.TimeAdvanced())
    at.quote("AAPL", 250)
    marks = {name: fuse.mark_attos for name, fuse in at.kernel._state.drawdowns.items()}
    broker = Broker(at, held, price)
    broker.tells_positions = first != "silent"
    if first == "broker":
        broker.compare()
    broker.quote()
    broker.wait(40)
    broker.quote()
    if first == "silent":
        broker.tells_positions = True
        broker.wait(40)
    state = at.kernel._state
    assert not broker.sent(), "nothing is closed for it"
    assert {name: fuse.mark_attos for name, fuse in state.drawdowns.items()} == marks
    assert all(fuse.watching() for fuse in state.tripping())
    assert state.postures["account"] >= Posture.REDUCE_ONLY, "until somebody says what it was"
    at.requests += 1
    reset = OperatorResetRequested(
        request=at.requests, scope="account", operator="ann", reason="a split"
    )
    broker.take(at.take(reset))
    broker.quote()
    broker.wait(10)
    assert state.book.account.position("AAPL").quantity_nanos == held * NANOS
    assert {name: fuse.mark_attos for name, fuse in state.drawdowns.items()} == marks
    assert all(fuse.state is FuseState.MONITORING for fuse in state.drawdowns.values())
    assert not broker.sent()


@pytest.mark.parametrize("tells_positions", [True, False])
def test_a_price_that_halves_while_as_much_is_held_is_a_loss(tells_positions: bool) -> None:
    """By the positions, read after the jump, or by the broker's own equity."""
    at = desk()
    at.quote("AAPL", 250)
    broker = Broker(at, HELD, 125)
    broker.tells_positions = tells_positions
    broker.equity = 125_000 if not tells_positions else 250_000  # its equity may lag
    broker.quote(2 if not tells_positions else 3)
    assert at.kernel._state.drawdowns["day:account"].state is FuseState.TRIGGERED
    assert len([e for e in broker.told if isinstance(e, fx.ReadLeg)]) == 1
