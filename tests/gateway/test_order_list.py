from hypothesis import given
from hypothesis import strategies as st

from fuseboard.gateway.order_list import OrderFilter, plain_symbol, selected
from fuseboard.gateway.views import Views
from fuseboard.vocabulary.effects import PublishOrder
from fuseboard.vocabulary.orders import TERMINAL_STATUSES, OrderStatus, Side
from tests.gateway.facts import shown_order

SYMBOLS = ("AAPL", "BTC/USD", "MSFT")

orders = st.builds(
    shown_order,
    order_id=st.integers(0, 30).map(lambda n: f"o{n}"),
    strategy=st.sampled_from(["one", "two", ""]),
    symbol=st.sampled_from(SYMBOLS),
    side=st.sampled_from(Side),
    status=st.sampled_from(OrderStatus),
    created_ns=st.integers(0, 12),
)
filters = st.builds(
    OrderFilter,
    status=st.sampled_from(["open", "closed", "all"]),
    limit=st.integers(1, 8),
    after_ns=st.none() | st.integers(0, 12),
    until_ns=st.none() | st.integers(0, 12),
    ascending=st.booleans(),
    symbols=st.none() | st.frozensets(st.sampled_from([plain_symbol(s) for s in SYMBOLS])),
    side=st.none() | st.sampled_from(Side),
)


@given(st.lists(orders, max_size=25), filters)
def test_a_list_holds_exactly_what_the_filter_says_of_this_strategy(
    published: list[PublishOrder], wanted: OrderFilter
) -> None:
    views = Views(closed_orders_max=100, symbols_max=10)
    last = {}
    for order in published:
        # An id belongs to one strategy for ever: it is derived from it.
        mine = shown_order(like=order, order_id=f"{order.strategy}/{order.order_id}")
        views.apply(mine)
        last[mine.order_id] = mine
    listed = views.orders("one", wanted)
    expected = {
        order.order_id
        for order in last.values()
        if order.strategy == "one"
        and (
            wanted.status == "all"
            or (order.status in TERMINAL_STATUSES) == (wanted.status == "closed")
        )
        and (wanted.after_ns is None or order.created_ns > wanted.after_ns)
        and (wanted.until_ns is None or order.created_ns < wanted.until_ns)
        and (wanted.side is None or order.side is wanted.side)
        and (wanted.symbols is None or plain_symbol(order.symbol) in wanted.symbols)
    }
    assert len(listed) == min(wanted.limit, len(expected))
    assert {order.order_id for order in listed} <= expected
    times = [order.created_ns for order in listed]
    assert times == sorted(times, reverse=not wanted.ascending)
    left_out = [last[each].created_ns for each in expected - {o.order_id for o in listed}]
    if times and left_out:
        if wanted.ascending:
            assert min(left_out) >= times[-1]
        else:
            assert max(left_out) <= times[-1]
    for order in listed:
        assert order is last[order.order_id]


@given(st.lists(st.integers(0, 6), max_size=12), st.integers(1, 5), st.booleans())
def test_paging_by_id_shows_every_order_once(times: list[int], limit: int, ascending: bool) -> None:
    all_orders = [shown_order(order_id=f"o{n}", created_ns=t) for n, t in enumerate(times)]
    seen: list[str] = []
    last: str | None = None
    while True:
        page = selected(
            all_orders,
            OrderFilter(
                status="all",
                limit=limit,
                ascending=ascending,
                after_id=last if ascending else None,
                before_id=None if ascending else last,
            ),
        )
        if not page:
            break
        seen += [order.order_id for order in page]
        last = page[-1].order_id
    assert sorted(seen) == sorted(order.order_id for order in all_orders)
    assert len(seen) == len(set(seen))


def test_paging_from_an_order_that_is_not_listed_shows_nothing() -> None:
    listed = [shown_order(order_id="a"), shown_order(order_id="b")]
    assert selected(listed, OrderFilter(after_id="gone")) == []
    assert selected(listed, OrderFilter(before_id="gone")) == []
