"""What is shown once can be taken once: orders that open count together against one book."""

import pytest

from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.liquidity import Tier
from fuseboard.vocabulary.market_inputs import BookSeen
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import OrderStatus, Side
from fuseboard.vocabulary.reasons import Reason
from tests.core.liquidity.market import CENT, SECOND, LiquidDesk, of
from tests.core.liquidity.test_shaping import ask, denial, sent

N, D = Tier.NORMAL, Tier.DEFENSIVE
BUY, SELL = Side.BUY, Side.SELL


def test_many_orders_take_no_more_of_one_book_than_one_may() -> None:
    levels = tuple((n * CENT, 20 * NANOS) for n in range(10))
    bids = tuple((24_999 * CENT - at, size) for at, size in levels)
    asks = tuple((25_001 * CENT + at, size) for at, size in levels)
    seen = BookSeen(symbol="AAPL", bids=bids, asks=asks, event_ns=0)
    for side, calm in ((BUY, 24_000), (SELL, 26_000)):
        desk = LiquidDesk().at(N)
        desk.take(seen)
        assert sent(ask(desk, side, 3, calm)).quantity_nanos == 3 * NANOS, "it takes nothing"
        assert [sent(ask(desk, side, n)).quantity_nanos for n in (15, 15)] == [
            15 * NANOS,
            10 * NANOS,
        ]
        assert denial(ask(desk, side, 1)).observed.endswith(
            "25 sent to take already: 1 -> 0, market -> limit "
            + ("250.26" if side is BUY else "249.75")
        )
        assert sent(ask(desk, side, 3, calm)).quantity_nanos == 3 * NANOS
        desk.now_ns += SECOND
        desk.take(seen)
        assert sent(ask(desk, side, 1)).quantity_nanos == NANOS


@pytest.mark.parametrize(("tier", "shares"), [(N, 25), (D, 7)])
def test_a_quote_or_a_book_that_may_not_know_of_an_order_forgets_nothing_that_it_takes(
    tier: Tier, shares: int
) -> None:
    asks = tuple(((25_001 + n) * CENT, 20 * NANOS) for n in range(5))
    seen = BookSeen(symbol="AAPL", bids=((24_999 * CENT, NANOS),), asks=asks, event_ns=0)
    desk = LiquidDesk().at(tier)

    def told() -> None:
        desk.take(seen) if tier is N else desk.quoted(24_999, 25_480, 1)

    told()
    orders = of(ask(desk, shares=300), fx.SubmitOrder)
    for _ in range(40):
        desk.now_ns += NANOS // 100
        told()
        orders += of(ask(desk, shares=300), fx.SubmitOrder)
    assert sum(order.quantity_nanos for order in orders) == shares * NANOS
    desk.now_ns += SECOND
    assert not of(ask(desk, shares=300), fx.SubmitOrder), "no book has come since"
    told()
    assert sent(ask(desk, shares=300)).quantity_nanos == shares * NANOS


def test_a_replacement_that_takes_counts_against_the_book_too() -> None:
    asks = tuple(((25_001 + n) * CENT, 20 * NANOS) for n in range(5))
    desk = LiquidDesk().at(N)
    desk.take(BookSeen(symbol="AAPL", bids=((24_999 * CENT, NANOS),), asks=asks, event_ns=0))
    order = sent(ask(desk, BUY, 20, 24_900))
    working = OrderStatus.WORKING
    desk.take(facts.OrderSent(order_id=order.order_id, broker_order_id="b", status=working))
    desk.requests += 1
    desk.take(
        facts.ReplaceRequested(
            request=desk.requests,
            strategy="alpha",
            order_id=order.order_id,
            client_order_id="r",
            quantity_nanos=20 * NANOS,
            limit_price_nanos=25_005 * CENT,
        )
    )
    sent(
        desk.take(
            facts.OrderEnded(
                order_id=order.order_id,
                broker_order_id="b",
                status=OrderStatus.CANCELED,
                filled_quantity_nanos=0,
                filled_price_nanos=0,
            )
        )
    )
    assert sent(ask(desk, BUY, 9)).quantity_nanos == 5 * NANOS


def test_in_defensive_the_value_binds_all_that_is_sent_against_one_quote() -> None:
    for side, price in ((BUY, None), (SELL, None), (BUY, 25_480), (SELL, 24_999)):
        desk = LiquidDesk().at(D)
        asked = [ask(desk, side, 2, price) for _ in range(50)]
        orders = [order for effects in asked for order in of(effects, fx.SubmitOrder)]
        assert sum(order.quantity_nanos for order in orders) == 7 * NANOS
        assert denial(ask(desk, side, 2)).reason is Reason.LIQUIDITY_TIER
