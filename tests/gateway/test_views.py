from fuseboard.gateway.order_list import OrderFilter
from fuseboard.gateway.views import Views
from fuseboard.vocabulary.effects import (
    PublishEquity,
    PublishPosition,
    PublishPosture,
    SubmitOrder,
)
from fuseboard.vocabulary.market_inputs import QuoteSeen, TradeSeen
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import OrderStatus, Side
from fuseboard.vocabulary.postures import Posture
from fuseboard.vocabulary.reasons import Reason
from tests.gateway.facts import shown_order

ALL = OrderFilter(status="all", limit=500)


def _views(closed_orders_max: int = 100, symbols_max: int = 100) -> Views:
    return Views(closed_orders_max=closed_orders_max, symbols_max=symbols_max)


def test_an_order_is_found_by_its_id_and_by_its_owners_id_and_by_nobody_elses() -> None:
    views = _views()
    order = shown_order()
    views.apply(order)
    assert views.order("one", order.order_id) is order
    assert views.order_by_client_id("one", "mine-1") is order
    assert views.order("two", order.order_id) is None
    assert views.order_by_client_id("two", "mine-1") is None
    assert views.orders("two", ALL) == []


def test_the_orders_of_a_plan_belong_to_no_strategy() -> None:
    views = _views()
    views.apply(shown_order(strategy=""))
    assert views.orders("", ALL) == []
    assert views.open_orders("") == []


def test_each_strategy_keeps_its_own_last_closed_orders_and_all_open_ones() -> None:
    views = _views(closed_orders_max=3)
    views.apply(shown_order(order_id="quiet", strategy="two", status=OrderStatus.FILLED))
    for number in range(10):
        status = OrderStatus.CANCELED if number % 2 else OrderStatus.WORKING
        views.apply(shown_order(order_id=f"o{number}", status=status, created_ns=number))
    listed = [order.order_id for order in views.orders("one", ALL)]
    assert listed == ["o9", "o8", "o7", "o6", "o5", "o4", "o2", "o0"]
    assert views.order_by_client_id("one", "client-of-o1") is None
    assert views.order("two", "quiet") is not None


def test_what_was_published_last_is_shown_even_after_a_final_status() -> None:
    views = _views()
    views.apply(shown_order(status=OrderStatus.REJECTED))
    views.apply(shown_order(status=OrderStatus.WORKING))
    assert [order.status for order in views.open_orders("one")] == [OrderStatus.WORKING]
    assert views.orders("one", OrderFilter(status="closed")) == []


def test_a_promise_never_hides_what_the_kernel_published() -> None:
    views = _views()
    views.apply(shown_order(status=OrderStatus.FILLED))
    views.promise(shown_order(status=OrderStatus.SUBMITTING))
    assert views.order("one", shown_order().order_id) == shown_order(status=OrderStatus.FILLED)


def test_positions_are_each_strategys_own_and_a_flat_one_is_gone() -> None:
    views = _views()

    def hold(strategy: str, quantity: int) -> None:
        views.apply(
            PublishPosition(
                strategy=strategy,
                symbol="BTC/USD",
                quantity_nanos=quantity,
                average_price_nanos=5 * NANOS,
            )
        )

    hold("one", 3 * NANOS)
    hold("", 3 * NANOS)
    found = views.position("one", "BTCUSD")
    assert found is not None
    assert found is views.position("one", "BTC/USD")
    assert views.position("two", "BTC/USD") is None
    hold("one", 0)
    assert views.positions("one") == []
    assert len(views.positions("")) == 1


def test_held_counts_what_open_orders_of_one_side_may_still_trade() -> None:
    views = _views()
    views.apply(
        shown_order(order_id="a", side=Side.SELL, filled_quantity_nanos=4 * NANOS),
    )
    views.apply(shown_order(order_id="b", side=Side.BUY))
    views.apply(shown_order(order_id="c", side=Side.SELL, symbol="MSFT"))
    views.apply(shown_order(order_id="d", side=Side.SELL, status=OrderStatus.CANCELED))
    views.apply(shown_order(order_id="e", side=Side.SELL, strategy="two"))
    assert views.held_nanos("one", "AAPL", Side.SELL) == 6 * NANOS


def test_the_posture_shown_is_the_tightest_of_account_and_strategy() -> None:
    views = _views()
    assert views.posture("one") == (Posture.OPEN, Reason.ALLOWED)
    views.apply(
        PublishPosture(scope="strategy:one", posture=Posture.HALTED, reason=Reason.DRAWDOWN)
    )
    views.apply(
        PublishPosture(scope="account", posture=Posture.REDUCE_ONLY, reason=Reason.EQUITY_JUMP)
    )
    assert views.posture("one") == (Posture.HALTED, Reason.DRAWDOWN)
    assert views.posture("two") == (Posture.REDUCE_ONLY, Reason.EQUITY_JUMP)


def test_a_trade_prices_a_symbol_before_a_quote_and_a_quote_before_nothing() -> None:
    views = _views(symbols_max=2)
    assert views.price_nanos("AAPL") is None
    views.apply(
        QuoteSeen(
            symbol="AAPL",
            bid_nanos=100,
            ask_nanos=102,
            bid_size_nanos=1,
            ask_size_nanos=1,
            event_ns=1,
            bid_low_nanos=100,
            ask_high_nanos=102,
        )
    )
    assert views.price_nanos("AAPL") == 101
    for symbol in ("AAPL", "MSFT", "XOM"):
        views.apply(
            TradeSeen(
                symbol=symbol,
                price_nanos=99,
                size_nanos=1,
                event_ns=2,
                low_nanos=99,
                high_nanos=99,
            )
        )
    assert views.price_nanos("XOM") == 99
    # The bound pushed the oldest trade out; the quote is still known.
    assert views.price_nanos("AAPL") == 101


def test_a_submit_is_the_first_view_of_an_order_and_never_a_later_one() -> None:
    views = _views()
    order = shown_order(filled_quantity_nanos=NANOS)
    submit = SubmitOrder(
        order_id=order.order_id,
        wire_id=order.wire_id,
        symbol=order.symbol,
        side=order.side,
        order_type=order.order_type,
        time_in_force=order.time_in_force,
        quantity_nanos=order.quantity_nanos,
        intent=order.intent,
        raises_exposure=True,
        halt_epoch=0,
        strategy=order.strategy,
        client_order_id=order.client_order_id,
        created_ns=order.created_ns,
    )
    views.promise(shown_order(status=OrderStatus.SUBMITTING, wire_id=""))
    views.apply(submit)
    first = views.order("one", order.order_id)
    assert first is not None
    assert (first.status, first.wire_id) == (OrderStatus.SUBMITTING, order.wire_id)
    views.apply(order)
    views.apply(submit)
    assert views.order("one", order.order_id) is order


def test_the_accounts_equity_is_that_of_its_own_fuse_once_it_has_a_mark() -> None:
    views = _views()

    def publish(scope: str, mark_nanos: int) -> PublishEquity:
        shown = PublishEquity(
            fuse=f"drawdown:{scope}",
            scope=scope,
            state="monitoring",
            generation=1,
            equity_nanos=5,
            mark_nanos=mark_nanos,
            drawdown_nanos=0,
            cash_nanos=5,
        )
        views.apply(shown)
        return shown

    publish("account", 0)
    publish("strategy:one", 9)
    assert views.equity is None
    assert publish("account", 9) is views.equity
