"""A split of what is held is no loss and no gain: nothing is closed for it, no mark moves.

2 for 1: the price halves, the broker holds twice as much, and its equity is what it was. Our book
learns of the price by quotes and of the quantity by a comparison, in either order.
"""

from typing import Final

import pytest

from fuseboard.core.fuses.machine import FuseState
from fuseboard.policy.data_rules import DataRules
from fuseboard.policy.limits import Limits
from fuseboard.policy.policy import Policy
from fuseboard.policy.rules import BreakerRule, LossRule, StrategyRule
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.actions import Action
from fuseboard.vocabulary.evidence_effects import RecordPlan
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Side
from fuseboard.vocabulary.postures import Posture
from fuseboard.vocabulary.reasons import Reason
from tests.core.test_adoption import _filled as filled
from tests.core.test_known_failures import SECOND, Desk, accept, submitted

HELD: Final = 1_000
DATA: Final = DataRules()
LOSSES = (LossRule(name="day"),)
CUT = BreakerRule(name="cut", condition="drawdown >= 5%", action=Action.FLATTEN)


def desk(*, strategies: bool = False, data: DataRules = DATA) -> Desk:
    """A thousand shares at 250 of strategy alpha; its losses are watched, or the account's."""
    alpha = StrategyRule(name="alpha", capital_nanos=250_000 * NANOS, losses=LOSSES)
    policy = Policy(
        limits=Limits(order_value_nanos_max=NANOS**2),
        losses=() if strategies else LOSSES,
        breakers=() if strategies else (CUT,),
        strategies=(alpha,) if strategies else (),
        data=data,
    )
    at = Desk(policy, cash=250_000)
    (order,) = submitted(at.order(Side.BUY, HELD * NANOS))
    at.held, at.cash = HELD, 0
    filled(at, order, HELD)
    at.quote("AAPL", 250)
    return at


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

    def sent(self) -> list[fx.Effect]:
        return [effect for effect in self.told if isinstance(effect, fx.SubmitOrder | fx.ReadLeg)]


@pytest.mark.parametrize(
    ("held", "price"), [(2_000, 125), (1_500, 167), (10_000, 25), (200, 1_250), (100, 2_500)]
)
@pytest.mark.parametrize("first", ["quotes", "broker", "silent"])
@pytest.mark.parametrize("strategies", [False, True], ids=["account", "strategy"])
def test_a_split_closes_nothing_and_moves_no_mark(
    held: int, price: int, first: str, strategies: bool
) -> None:
    at = desk(strategies=strategies)
    state = at.kernel._state
    marks = {name: fuse.mark_attos for name, fuse in state.drawdowns.items()}
    broker = Broker(at, held, price)
    broker.tells_positions = first != "silent"
    if first == "broker":
        broker.compare()
    broker.quote()
    broker.wait(40)
    broker.quote()
    if first == "silent":
        assert state.book.account.position("AAPL").quantity_nanos == HELD * NANOS
        broker.tells_positions = True
        broker.wait(40)
    broker.quote()
    assert not broker.sent(), "nothing is closed for it"
    assert not [at for at in broker.told if isinstance(at, fx.LatchHalt)]
    assert state.book.account.position("AAPL").quantity_nanos == held * NANOS
    assert state.book.strategies["alpha"].position("AAPL").quantity_nanos == held * NANOS
    assert not state.discrepancies
    (said,) = [
        at for at in broker.told if isinstance(at, fx.RaiseAlert) and at.code is Reason.SPLIT
    ]
    assert "nothing is lost by it" in said.text
    for name, fuse in state.drawdowns.items():
        assert abs(fuse.mark_attos - marks[name]) * 400 <= marks[name], "a price is in dollars"
        assert fuse.state is FuseState.MONITORING
    assert all(fuse.watching() for fuse in state.tripping())
    assert state.postures.get("account", Posture.OPEN) is Posture.OPEN


@pytest.mark.parametrize(
    ("held", "price", "cash"),
    [
        pytest.param(2_000, 250, 0, id="somebody was given as many more"),
        pytest.param(2_000, 250, -250_000, id="somebody bought them"),
        pytest.param(2_001, 125, 0, id="one share more"),
        pytest.param(800, 250, 0, id="a fifth was taken away"),
        pytest.param(1_250, 230, 0, id="the price fell a little besides"),
        pytest.param(50, 2_500, 125_000, id="a half was sold"),
        pytest.param(-1_000, 250, 500_000, id="the other side"),
    ],
)
def test_what_is_not_plainly_a_split_stays_a_difference_for_a_person(
    held: int, price: int, cash: int
) -> None:
    at = desk()
    broker = Broker(at, held, price)
    at.cash = cash
    broker.equity = held * price + cash
    broker.take(at.account(broker.equity))
    broker.compare()
    broker.wait(40)
    state = at.kernel._state
    assert state.book.account.position("AAPL").quantity_nanos == HELD * NANOS
    assert state.positions_apart
    assert state.postures["account"] >= Posture.REDUCE_ONLY


@pytest.mark.parametrize(("sold", "price"), [(200, 251), (500, 251), (250, 240)])
def test_a_fill_that_the_positions_know_before_its_report_is_no_split(
    sold: int, price: int
) -> None:
    """The account was read before it, so that no cash has moved yet."""
    at = desk()
    (order,) = submitted(at.order(Side.SELL, sold * NANOS, price=251))
    accept(at, order, f"b{order.order_id}")
    broker = Broker(at, HELD, price)
    broker.quote()
    broker.held -= sold
    broker.wait(31)
    told = [effect for effect in broker.told if isinstance(effect, fx.RaiseAlert)]
    assert not [alert for alert in told if alert.code is Reason.SPLIT]
    fill = facts.FillReported(
        order_id=order.order_id,
        broker_order_id=f"b{order.order_id}",
        quantity_nanos=sold * NANOS,
        price_nanos=251 * NANOS,
        filled_quantity_nanos=sold * NANOS,
        filled_price_nanos=251 * NANOS,
        final=True,
    )
    at.take(fill)
    assert at.kernel._state.book.account.position("AAPL").quantity_nanos == (HELD - sold) * NANOS


def test_a_difference_of_something_else_lets_marks_rise() -> None:
    at = desk()
    stranger = facts.BrokerPosition(
        symbol="ZZZ", quantity_nanos=NANOS, average_price_nanos=NANOS, price_nanos=NANOS
    )
    own = facts.BrokerPosition(
        symbol="AAPL",
        quantity_nanos=HELD * NANOS,
        average_price_nanos=250 * NANOS,
        price_nanos=250 * NANOS,
    )
    for _ in range(10):  # it stays, so that it is no report on its way
        at.take(facts.PositionsSeen(positions=(own, stranger)))
    assert at.kernel._state.positions_apart
    for price in range(251, 281):
        at.now_ns += SECOND
        at.quote("AAPL", price)
    assert at.kernel._state.drawdowns["day:account"].mark_attos == 280_000 * NANOS**2


def test_a_split_is_known_under_a_policy_that_lets_prices_move_as_far() -> None:
    wide = DataRules(jump_nanos_max=NANOS * 6 // 10)
    at = desk(data=wide)
    broker = Broker(at, 2_000, 125)
    broker.quote()
    broker.wait(10)
    assert not broker.sent()
    assert at.kernel._state.book.account.position("AAPL").quantity_nanos == 2_000 * NANOS


@pytest.mark.parametrize("tells_positions", [True, False])
def test_a_price_that_halves_while_as_much_is_held_is_a_loss(tells_positions: bool) -> None:
    """By the positions, read after the jump, though the broker's equity lags; or by that equity."""
    at = desk()
    broker = Broker(at, HELD, 125)
    broker.tells_positions = tells_positions
    broker.equity = 250_000 if tells_positions else 125_000
    broker.quote(3 if tells_positions else 2)
    assert at.kernel._state.drawdowns["day:account"].state is FuseState.TRIGGERED
    assert [at.trip for at in broker.told if isinstance(at, RecordPlan)]
