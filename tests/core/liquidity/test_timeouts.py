"""How long an order that opens may work, by its symbol's tier."""

from typing import Any

import pytest
from msgspec.structs import replace

from fuseboard.policy.data_rules import ExecutionRules
from fuseboard.policy.policy import Policy
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.liquidity import Tier
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import OrderStatus, OrderType, Side
from tests.core.liquidity.market import CENT, LIMITS, SECOND, WIDE, LiquidDesk, of
from tests.core.liquidity.test_shaping import RULES, ask, sent

TIMEOUTS_S = {Tier.NORMAL: 30, Tier.CAUTIOUS: 60, Tier.DEFENSIVE: 120}
BASE = Policy(limits=LIMITS, losses=(), data=WIDE)


def working(desk: LiquidDesk) -> fx.SubmitOrder:
    """An order far from the market, which the broker holds."""
    order = sent(ask(desk, Side.BUY, 1, 24_900))
    desk.take(facts.OrderWorking(order_id=order.order_id, broker_order_id="b"))
    return order


def cancelled_after(desk: LiquidDesk, seconds_max: int) -> int | None:
    """After how many whole seconds the first cancel goes."""
    for second in range(1, seconds_max + 1):
        desk.now_ns += SECOND
        if of(desk.take(facts.TimeAdvanced()), fx.CancelOrder):
            return second
    return None


@pytest.mark.parametrize("tier", TIMEOUTS_S)
def test_an_order_that_opens_works_as_long_as_its_tier_lets_it(tier: Tier) -> None:
    desk = LiquidDesk().at(tier)
    working(desk)
    assert cancelled_after(desk, 200) == TIMEOUTS_S[tier]


@pytest.mark.parametrize(("seconds", "expected"), [(45, 45), (90, 60)])
def test_the_tighter_of_the_tiers_and_the_policys_time_counts(seconds: int, expected: int) -> None:
    rules = ExecutionRules(order_timeout_ns=seconds * SECOND)
    desk = LiquidDesk(replace(BASE, execution=rules)).at(Tier.CAUTIOUS)
    working(desk)
    assert cancelled_after(desk, 200) == expected


def test_the_time_is_the_policys() -> None:
    desk = LiquidDesk(cautious=replace(RULES.cautious, timeout_ns=7 * SECOND)).at(Tier.CAUTIOUS)
    working(desk)
    assert cancelled_after(desk, 60) == 7


def test_what_reduces_and_what_waits_for_its_price_has_no_time_by_tier() -> None:
    desk = LiquidDesk(held=100).at(Tier.NORMAL)
    exit_order = sent(ask(desk, Side.SELL, 10, 25_500))
    stop = OrderType.STOP
    waits = sent(ask(desk, Side.BUY, 1, order_type=stop, stop_price_nanos=25_100 * CENT))
    for order in (exit_order, waits):
        desk.take(facts.OrderWorking(order_id=order.order_id, broker_order_id=order.order_id))
    assert cancelled_after(desk, 121) is None


def test_a_fall_into_emergency_cancels_what_works_to_open_and_nothing_else() -> None:
    desk = LiquidDesk(held=100).at(Tier.CAUTIOUS)
    opening = working(desk)
    exit_order = sent(ask(desk, Side.SELL, 10, 25_500))
    effects = desk.quoted(24_999, 24_990)
    assert desk.tier() is Tier.EMERGENCY
    assert [cancel.order_id for cancel in of(effects, fx.CancelOrder)] == [opening.order_id]
    assert exit_order.order_id in desk.kernel._state.book.working
    assert not of(desk.quoted(24_999, 24_990), fx.CancelOrder), "it is asked to go once"


@pytest.mark.parametrize("reported", ["as an execution", "as a state"])
def test_a_stop_that_was_filled_in_part_has_triggered_and_works_as_long_as_its_tier_lets_it(
    reported: str,
) -> None:
    """It waits for its price no more: our limit beyond the stop is what rests."""
    desk = LiquidDesk().at(Tier.NORMAL)
    stop: dict[str, Any] = {"order_type": OrderType.STOP, "stop_price_nanos": 25_100 * CENT}
    order = sent(ask(desk, Side.BUY, 10, **stop))
    assert order.order_type is OrderType.STOP_LIMIT
    desk.take(facts.OrderWorking(order_id=order.order_id, broker_order_id="b"))
    assert cancelled_after(desk, 31) is None

    def fills(shares: int) -> None:
        price = 25_110 * CENT
        if reported == "as a state":
            desk.take(
                facts.OrderSent(
                    order_id=order.order_id,
                    broker_order_id="b",
                    status=OrderStatus.PARTIALLY_FILLED,
                    filled_quantity_nanos=shares * NANOS,
                    filled_price_nanos=price,
                )
            )
            return
        desk.take(
            facts.FillReported(
                order_id=order.order_id,
                broker_order_id="b",
                quantity_nanos=NANOS,
                price_nanos=price,
                filled_quantity_nanos=shares * NANOS,
                filled_price_nanos=price,
                final=False,
            )
        )

    fills(1)
    assert cancelled_after(desk, 20) is None
    fills(2)
    assert cancelled_after(desk, 30) == 10, "it counts from the first"
