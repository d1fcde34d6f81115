"""Liquidations by tier: a plan does not sell into an empty book at once, and always ends."""

import pytest

from fuseboard.policy.liquidity_rules import EmergencyRules
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.liquidity import Tier
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.operator_inputs import OperatorHaltRequested
from fuseboard.vocabulary.orders import Intent, OrderStatus, OrderType
from fuseboard.vocabulary.postures import HaltLevel
from tests.core.liquidity.market import CENT, SECOND, LiquidDesk, of

SHARES = 400


class Broker:
    """Answers a plan's questions with what is held; fills nothing until it is told to."""

    def __init__(self, desk: LiquidDesk) -> None:
        self.desk, self.held = desk, SHARES
        self.closes: list[tuple[int, fx.SubmitOrder]] = []
        self.began_ns = desk.now_ns
        self.hear(
            desk.take(
                OperatorHaltRequested(
                    request=1,
                    scope="account",
                    operator="ada",
                    reason="out",
                    level=HaltLevel.FLATTEN,
                )
            )
        )

    def hear(self, effects: tuple[fx.Effect, ...]) -> None:
        for leg in of(effects, fx.ReadLeg):
            read = facts.LegRead(
                trip=leg.trip,
                symbol=leg.symbol,
                attempt=leg.attempt,
                position_nanos=self.held * NANOS,
                against_nanos=0,
            )
            self.hear(self.desk.take(read))
        for order in of(effects, fx.SubmitOrder):
            self.closes.append((self.desk.now_ns - self.began_ns, order))
            sent = facts.OrderSent(
                order_id=order.order_id, broker_order_id="b", status=OrderStatus.WORKING
            )
            self.hear(self.desk.take(sent))
        for cancel in of(effects, fx.CancelOrder):
            ended = facts.OrderEnded(
                order_id=cancel.order_id,
                broker_order_id="b",
                status=OrderStatus.CANCELED,
                filled_quantity_nanos=0,
                filled_price_nanos=0,
            )
            self.hear(self.desk.take(ended))

    def wait(self, seconds: int, *, empty: bool = True) -> "Broker":
        for _ in range(seconds):
            self.desk.now_ns += SECOND
            if empty:
                self.desk.quoted(24_999, 24_990)
            self.hear(self.desk.take(facts.TimeAdvanced()))
        return self


def liquidated(tier: Tier, wait_ns: int = 60 * SECOND) -> Broker:
    rules = EmergencyRules(exit_wait_ns=wait_ns)
    return Broker(LiquidDesk(held=SHARES, emergency=rules, exit_within_ns=1).at(tier))


def priced(order: fx.SubmitOrder) -> int:
    assert order.order_type is OrderType.LIMIT
    assert order.limit_price_nanos is not None
    return order.limit_price_nanos


@pytest.mark.parametrize(("tier", "collar"), [(0, 1), (1, 2), (2, 3)])
def test_the_first_close_is_collared_by_the_tier_and_sent_at_once(tier: int, collar: int) -> None:
    ((after_ns, order),) = liquidated(Tier(tier), 1).closes
    assert after_ns < SECOND
    assert order.intent is Intent.PLAN
    assert order.quantity_nanos == SHARES * NANOS
    assert priced(order) == 24_999 * CENT * (100 - collar) // 100 // CENT * CENT


def test_in_an_emergency_it_waits_as_long_as_the_policy_says_and_then_closes() -> None:
    broker = liquidated(Tier.EMERGENCY).wait(59)
    assert not broker.closes
    broker.wait(2)
    ((after_ns, order),) = broker.closes
    assert 60 * SECOND <= after_ns <= 62 * SECOND
    assert order.quantity_nanos == SHARES * NANOS


def test_its_collar_widens_as_far_as_the_policy_lets_it_and_it_goes_on_there() -> None:
    broker = liquidated(Tier.EMERGENCY, SECOND).wait(30)
    prices = [priced(order) for _, order in broker.closes]
    assert prices == [250 * NANOS * 95 // 100] + [250 * NANOS * 90 // 100] * 11
    assert len({order.client_order_id for _, order in broker.closes}) == len(prices)


def test_it_goes_on_as_soon_as_the_tier_is_better() -> None:
    broker = liquidated(Tier.EMERGENCY).wait(5)
    broker.desk.known.gauge.tier = Tier.DEFENSIVE
    broker.wait(2, empty=False)
    ((after_ns, _),) = broker.closes
    assert after_ns < 8 * SECOND


def test_a_market_that_is_silent_is_an_emergency_to_a_close_too() -> None:
    rules = EmergencyRules(exit_wait_ns=10 * SECOND)
    desk = LiquidDesk(held=SHARES, emergency=rules)
    desk.at(Tier.NORMAL).now_ns += 121 * SECOND
    broker = Broker(desk).wait(9, empty=False)
    assert not broker.closes
    ((after_ns, order),) = broker.wait(2, empty=False).closes
    assert 10 * SECOND <= after_ns <= 12 * SECOND
    assert priced(order) == 24_999 * CENT * 95 // 100 // CENT * CENT
