"""Liquidations by tier: a plan does not sell into an empty book at once, and always ends."""

import pytest

from fuseboard.policy.liquidity_rules import EmergencyRules
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.liquidity import Tier
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.operator_inputs import OperatorHaltRequested
from fuseboard.vocabulary.orders import Intent, OrderStatus, OrderType, TimeInForce
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
            if order.time_in_force is TimeInForce.IOC:
                self.end(order.order_id)
        for cancel in of(effects, fx.CancelOrder):
            self.end(cancel.order_id)

    def end(self, order_id: str) -> None:
        ended = facts.OrderEnded(
            order_id=order_id,
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
def test_the_first_close_is_collared_by_the_tier_and_what_it_does_not_get_rests_at_the_bid(
    tier: int, collar: int
) -> None:
    (after_ns, order), (rests_ns, rest) = liquidated(Tier(tier), 1).closes
    assert after_ns <= rests_ns < SECOND
    assert (order.time_in_force, rest.time_in_force) == (TimeInForce.IOC, TimeInForce.DAY)
    assert priced(rest) == 24_999 * CENT, "a present to nobody"
    assert order.intent is Intent.PLAN
    assert order.quantity_nanos == SHARES * NANOS
    assert priced(order) == 24_999 * CENT * (100 - collar) // 100 // CENT * CENT


def test_in_an_emergency_it_waits_as_long_as_the_policy_says_and_then_closes() -> None:
    broker = liquidated(Tier.EMERGENCY).wait(59)
    assert not broker.closes
    broker.wait(2)
    (after_ns, order) = broker.closes[0]
    assert 60 * SECOND <= after_ns <= 62 * SECOND
    assert order.quantity_nanos == SHARES * NANOS


def test_its_collar_widens_as_far_as_the_policy_lets_it_and_it_goes_on_there() -> None:
    broker = liquidated(Tier.EMERGENCY, SECOND).wait(30)
    orders = [order for _, order in broker.closes]
    takes = [priced(order) for order in orders[::2]]
    assert takes[:2] == [250 * NANOS * 95 // 100, 250 * NANOS * 90 // 100]
    assert set(takes[1:]) == {takes[1]}
    assert len(takes) >= 9
    assert {priced(order) for order in orders[1::2]} == {250 * NANOS}
    assert len({order.client_order_id for order in orders}) == len(orders)


def test_it_goes_on_as_soon_as_the_tier_is_better() -> None:
    broker = liquidated(Tier.EMERGENCY).wait(5)
    broker.desk.known.gauge.tier = Tier.DEFENSIVE
    broker.wait(2, empty=False)
    after_ns, _ = broker.closes[0]
    assert after_ns < 8 * SECOND


def test_a_market_that_is_silent_is_an_emergency_to_a_close_too() -> None:
    rules = EmergencyRules(exit_wait_ns=10 * SECOND)
    desk = LiquidDesk(held=SHARES, emergency=rules)
    desk.at(Tier.NORMAL).now_ns += 121 * SECOND
    broker = Broker(desk).wait(9, empty=False)
    assert not broker.closes
    after_ns, order = broker.wait(2, empty=False).closes[0]
    assert 10 * SECOND <= after_ns <= 12 * SECOND
    assert priced(order) == 24_999 * CENT * 95 // 100 // CENT * CENT
