from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from fuseboard.runtime.intake import LANE_OF, WAITED_NS, Intake, IntakeLimits
from fuseboard.vocabulary.inputs import (
    CancelRequested,
    Input,
    NodeFaulted,
    OrderRequested,
    OrderUnknown,
    ReplaceRequested,
    RequestsThrottled,
    TimeAdvanced,
)
from fuseboard.vocabulary.market_inputs import (
    QuoteSeen,
    TradeSeen,
    TradeWithdrawn,
    TradingHalted,
    TradingResumed,
)
from tests.runtime.worlds import halt_requested, order_requested, quote, trade

SYMBOLS = ("A", "B", "C")
prices = st.integers(1, 1_000)
moves = st.one_of(
    st.tuples(st.just("quote"), st.sampled_from(SYMBOLS), prices, prices),
    st.tuples(st.just("trade"), st.sampled_from(SYMBOLS), prices, prices),
    st.tuples(st.just("order"), st.sampled_from(SYMBOLS), prices, prices),
    st.tuples(st.just("take"), st.just(""), st.integers(1, 5), prices),
)


def test_every_input_has_a_lane() -> None:
    assert set(LANE_OF) == set(get_args(Input))


def _split_by_orders(facts: list[Input]) -> list[list[QuoteSeen | TradeSeen]]:
    seals: list[list[QuoteSeen | TradeSeen]] = [[]]
    for fact in facts:
        if isinstance(fact, OrderRequested):
            seals.append([])
        else:
            assert isinstance(fact, QuoteSeen | TradeSeen)
            seals[-1].append(fact)
    return seals


@given(st.lists(moves, max_size=80))
def test_conflation_never_crosses_an_order_and_keeps_last_low_high_and_count(
    steps: list[tuple[str, str, int, int]],
) -> None:
    intake = Intake()
    offered: list[Input] = []
    taken: list[Input] = []
    for number, (kind, symbol, one, two) in enumerate(steps):
        if kind == "take":
            taken += intake.take(one)
            continue
        fact: Input = order_requested(number, symbol)
        if kind == "quote":
            fact = quote(symbol, one, two, number)
        elif kind == "trade":
            fact = trade(symbol, one, number)
        offered.append(fact)
        assert intake.offer(fact)
    taken += intake.take(1_000)
    assert len(intake) == 0

    orders = [fact for fact in offered if isinstance(fact, OrderRequested)]
    assert [fact for fact in taken if isinstance(fact, OrderRequested)] == orders
    for before, after in zip(_split_by_orders(offered), _split_by_orders(taken), strict=True):
        for symbol in SYMBOLS:
            quotes = [f for f in before if isinstance(f, QuoteSeen) and f.symbol == symbol]
            merged = [f for f in after if isinstance(f, QuoteSeen) and f.symbol == symbol]
            assert sum(f.count for f in merged) == len(quotes)
            position = 0
            for each in merged:
                parts = quotes[position : position + each.count]
                position += each.count
                last = parts[-1]
                assert (each.bid_nanos, each.ask_nanos) == (last.bid_nanos, last.ask_nanos)
                assert each.event_ns == last.event_ns
                assert each.bid_low_nanos == min(f.bid_nanos for f in parts)
                assert each.ask_high_nanos == max(f.ask_nanos for f in parts)
            trades = [f for f in before if isinstance(f, TradeSeen) and f.symbol == symbol]
            sold = [f for f in after if isinstance(f, TradeSeen) and f.symbol == symbol]
            assert sum(f.count for f in sold) == len(trades)
            position = 0
            for done in sold:
                pieces = trades[position : position + done.count]
                position += done.count
                assert (done.price_nanos, done.event_ns) == (
                    pieces[-1].price_nanos,
                    pieces[-1].event_ns,
                )
                assert done.low_nanos == min(f.price_nanos for f in pieces)
                assert done.high_nanos == max(f.price_nanos for f in pieces)


def test_without_a_take_between_a_symbol_waits_once_per_seal() -> None:
    intake = Intake()
    for number in range(100):
        intake.offer(quote("A", 10 + number, 20))
    intake.offer(order_requested(1))
    for number in range(100):
        intake.offer(quote("A", 10 + number, 20))
    first, order, second = intake.take(10)
    assert isinstance(first, QuoteSeen)
    assert isinstance(second, QuoteSeen)
    assert (first.count, second.count) == (100, 100)
    assert isinstance(order, OrderRequested)


def test_lanes_are_taken_operator_broker_cancel_time_then_the_market() -> None:
    intake = Intake()
    offered: list[Input] = [
        order_requested(1),
        quote("A", 1, 2),
        TimeAdvanced(),
        CancelRequested(request=2, strategy="dip", order_id="x"),
        OrderUnknown(order_id="x", detail=""),
        halt_requested(),
    ]
    for fact in offered:
        assert intake.offer(fact)
    assert intake.take(2) == [offered[5], offered[4]]
    assert intake.take(10) == [offered[3], offered[2], offered[0], offered[1]]
    assert intake.take(10) == []


def test_what_stood_longer_than_a_millisecond_is_counted_as_having_waited() -> None:
    now_ns = 10**9
    intake = Intake(stopwatch_ns=lambda: now_ns)
    intake.offer(quote("A", 1, 2))
    now_ns += WAITED_NS
    intake.offer(quote("A", 2, 3))  # carried by the one that came first
    intake.offer(quote("B", 1, 2))
    assert len(intake.take(10)) == 2
    assert intake.waited == 0, "exactly a millisecond"
    intake.offer(quote("A", 3, 4))
    now_ns += 1
    intake.offer(quote("B", 2, 3))
    now_ns += WAITED_NS
    assert len(intake.take(10)) == 2
    assert intake.waited == 1


def test_two_waiting_wake_ups_are_one() -> None:
    intake = Intake()
    assert intake.offer(TimeAdvanced())
    assert intake.offer(TimeAdvanced())
    assert intake.take(10) == [TimeAdvanced()]


def test_orders_beyond_the_bound_are_refused_and_counted_and_room_comes_back() -> None:
    intake = Intake(IntakeLimits(orders_max=2))
    assert intake.offer(order_requested(1))
    assert intake.offer(order_requested(2))
    assert not intake.offer(order_requested(3))
    assert intake.refused == 1
    assert intake.fault is None
    intake.take(1)
    assert intake.offer(order_requested(4))


def test_too_many_sealed_quotes_refuse_orders_but_quotes_are_still_conflated() -> None:
    limits = IntakeLimits(market_facts_max=6, symbols_max=3)
    intake = Intake(limits)
    number = 0
    while True:
        for symbol in SYMBOLS:
            assert intake.offer(quote(symbol, 10, 20))
            assert intake.offer(quote(symbol, 11, 21))
        number += 1
        if not intake.offer(order_requested(number)):
            break
    facts = intake.take(1_000)
    market = [fact for fact in facts if isinstance(fact, QuoteSeen)]
    assert len(market) <= limits.market_facts_max + 2 * limits.symbols_max
    assert sum(fact.count for fact in market) == 6 * number
    assert number == 2


def test_a_symbol_beyond_the_bound_of_one_seal_is_refused_and_known_ones_still_conflate() -> None:
    intake = Intake(IntakeLimits(symbols_max=1))
    assert intake.offer(quote("A", 1, 2))
    assert not intake.offer(quote("B", 1, 2))
    assert intake.offer(trade("B", 1))
    assert intake.offer(quote("A", 1, 2))
    assert intake.refused == 1


def test_a_full_broker_or_operator_lane_is_a_fault_and_never_silent() -> None:
    intake = Intake(IntakeLimits(broker_facts_max=1, operator_facts_max=1))
    assert intake.offer(OrderUnknown(order_id="x", detail=""))
    assert not intake.offer(OrderUnknown(order_id="y", detail=""))
    assert "broker lane" in str(intake.fault)
    other = Intake(IntakeLimits(operator_facts_max=1))
    other.offer(halt_requested(1))
    assert not other.offer(halt_requested(2))
    assert "operator lane" in str(other.fault)


def test_cancels_beyond_the_bound_are_refused_without_a_fault() -> None:
    intake = Intake(IntakeLimits(cancels_max=1))
    assert intake.offer(CancelRequested(request=1, strategy="dip", order_id="x"))
    assert not intake.offer(CancelRequested(request=2, strategy="dip", order_id="y"))
    assert intake.fault is None


def test_a_reported_fault_is_not_queued_and_the_first_one_counts() -> None:
    intake = Intake()
    intake.offer(NodeFaulted(detail="first"))
    intake.fail("second")
    assert intake.fault == "first"
    assert intake.take(10) == []


def test_taking_a_sealed_quote_leaves_the_open_seal_as_it_is() -> None:
    intake = Intake()
    for fact in (quote("A", 1, 2), order_requested(1), quote("A", 3, 4)):
        intake.offer(fact)
    assert intake.take(1) == [quote("A", 1, 2)]
    intake.offer(quote("A", 5, 6))
    assert len(intake) == 2


def test_what_a_strategy_asks_for_keeps_its_place_among_the_quotes() -> None:
    replaced = ReplaceRequested(request=1, strategy="s", order_id="o", client_order_id="c")
    throttled = RequestsThrottled(strategy="s", count=1, a_second_max=1)
    for asked in (replaced, throttled, order_requested(1)):
        intake = Intake()
        first, second = quote("AAPL", 1, 2), quote("AAPL", 2, 3)
        assert all(intake.offer(fact) for fact in (first, asked, second))
        assert intake.take(10) == [first, asked, second]


def test_no_trade_moves_before_one_that_is_taken_back() -> None:
    intake = Intake()
    first, second, third = (trade("AAPL", price) for price in (10, 11, 12))
    back = TradeWithdrawn(symbol="AAPL", price_nanos=11, event_ns=1)
    for fact in (first, second, back, third):
        assert intake.offer(fact)
    taken = intake.take(10)
    assert [type(fact) for fact in taken] == [TradeSeen, TradeWithdrawn, TradeSeen]
    prices = [fact.price_nanos for fact in taken if isinstance(fact, TradeSeen)]
    assert prices == [second.price_nanos, third.price_nanos]
    assert len(intake) == 0


def test_an_exchanges_halts_are_taken_before_orders_and_quotes_that_wait() -> None:
    intake = Intake()
    halt = TradingHalted(symbol="AAPL", code="P LUDP", event_ns=1)
    resumption = TradingResumed(symbol="AAPL", code="T LUDP", event_ns=2)
    for fact in (trade("AAPL", 10), halt, resumption):
        assert intake.offer(fact)
    assert intake.take(10)[:2] == [halt, resumption]


def test_withdrawals_are_bounded_as_quotes_are() -> None:
    intake = Intake(IntakeLimits(market_facts_max=2))
    back = TradeWithdrawn(symbol="AAPL", price_nanos=11, event_ns=1)
    assert [intake.offer(back) for _ in range(3)] == [True, True, False]
    assert intake.refused == 1
