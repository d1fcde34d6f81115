"""Laws of the exchange, read from its ledger, over random tapes and requests."""

from collections import defaultdict
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuseboard.exchange.ledger import (
    AccountOpened,
    CashChanged,
    OrderAccepted,
    OrderArrived,
    OrderEnded,
    OrderFilled,
    StopTriggered,
)
from fuseboard.exchange.orders import Against, Status
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Side, TimeInForce
from tests.exchange.worlds import MILLISECOND_NS, Step, World, play, scripts

latencies = st.sampled_from([0, MILLISECOND_NS, 7 * MILLISECOND_NS])


def sign(side: Side) -> int:
    return 1 if side is Side.BUY else -1


def played(script: list[Step], latency_ns: int = 0, **changes: int) -> World:
    world = World(None, latency_ns=latency_ns, **changes)
    for _ in play(world, script):
        pass
    return world


@given(scripts, latencies, st.integers(0, 3), st.integers(0, 9))
def test_cash_and_positions_are_exactly_the_sum_of_the_fills(
    script: list[Step], latency_ns: int, per_share: int, basis_points: int
) -> None:
    world = played(
        script, latency_ns, fee_per_share_nanos=per_share * 10**6, fee_basis_points=basis_points
    )
    cash_attos = 0
    fees_attos = 0
    value_attos = fills = 0
    owed_nanos = Fraction()
    positions: dict[str, int] = defaultdict(int)
    for entry in world.entries():
        if isinstance(entry, AccountOpened):
            cash_attos = entry.cash_nanos * NANOS
        elif isinstance(entry, CashChanged):
            cash_attos += int(entry.amount_attos)
            assert int(entry.cash_attos) == cash_attos
            if entry.why == "fee":
                fees_attos += int(entry.amount_attos)
        elif isinstance(entry, OrderFilled):
            positions[entry.symbol] += sign(entry.side) * entry.quantity_nanos
            value_attos -= sign(entry.side) * entry.quantity_nanos * entry.price_nanos
            assert entry.position_nanos == positions[entry.symbol]
            owed = Fraction(entry.quantity_nanos, NANOS) * (
                per_share * 10**6 + Fraction(entry.price_nanos * basis_points, 10_000)
            )
            owed_nanos += owed
            fills += 1
    view = world.exchange.account()
    assert owed_nanos <= view.fees_nanos <= owed_nanos + 2 * fills
    assert cash_attos == world.config.cash_nanos * NANOS + value_attos + fees_attos
    assert view.cash_nanos == cash_attos // NANOS
    assert view.fees_nanos * NANOS == -fees_attos
    now = {p.symbol: p.quantity_nanos for p in world.exchange.positions()}
    assert now == {symbol: quantity for symbol, quantity in positions.items() if quantity}
    held_attos = sum(p.quantity_nanos * p.mark_nanos for p in world.exchange.positions())
    assert view.equity_nanos == (cash_attos + held_attos) // NANOS


@pytest.mark.no_cover
@given(scripts, latencies)
def test_no_more_is_filled_than_was_displayed_or_printed(
    script: list[Step], latency_ns: int
) -> None:
    world = World(latency_ns=latency_ns)
    shown: dict[tuple[str, Side], int] = {}
    seen = len(world.entries())
    for step in play(world, script):
        printed = step.size * NANOS if step.what == "trade" else 0
        new = [e for e in world.entries()[seen:] if isinstance(e, OrderFilled)]
        seen = len(world.lines)
        # What was due before this step's own quote was filled from the quote before it.
        for fill in new:
            if fill.against is Against.TRADE:
                printed -= fill.quantity_nanos
                assert printed >= 0
            elif not (step.what == "quote" and fill.at_ns == world.now_ns):
                shown[fill.symbol, fill.side] -= fill.quantity_nanos
                assert shown[fill.symbol, fill.side] >= 0
        if step.what == "quote":
            shown[step.symbol, Side.SELL] = step.size * NANOS
            shown[step.symbol, Side.BUY] = (step.nth // 2 + 1) * NANOS
            for fill in new:
                if fill.at_ns == world.now_ns:
                    assert fill.symbol == step.symbol
                    shown[fill.symbol, fill.side] -= fill.quantity_nanos
                    assert shown[fill.symbol, fill.side] >= 0


@pytest.mark.no_cover
@given(scripts, latencies)
def test_orders_fill_at_most_their_quantity_and_never_beyond_their_limit(
    script: list[Step], latency_ns: int
) -> None:
    world = played(script, latency_ns)
    accepted: dict[str, OrderAccepted] = {}
    filled: dict[str, int] = defaultdict(int)
    ended: set[str] = set()
    for entry in world.entries():
        if isinstance(entry, OrderAccepted):
            accepted[entry.order_id] = entry
        elif isinstance(entry, OrderFilled):
            order = accepted[entry.order_id]
            filled[entry.order_id] += entry.quantity_nanos
            assert entry.order_id not in ended
            assert entry.quantity_nanos > 0
            assert entry.filled_quantity_nanos == filled[entry.order_id] <= order.quantity_nanos
            if order.limit_price_nanos is not None:
                assert sign(order.side) * (order.limit_price_nanos - entry.price_nanos) >= 0
        elif isinstance(entry, OrderEnded):
            assert entry.order_id not in ended
            ended.add(entry.order_id)
            assert entry.filled_quantity_nanos == filled[entry.order_id]
            whole = entry.filled_quantity_nanos == accepted[entry.order_id].quantity_nanos
            assert whole is (entry.status is Status.FILLED)
    working = {order.order_id for order in world.exchange.open_orders()}
    assert working == set(accepted) - ended


@pytest.mark.no_cover
@given(scripts, latencies)
def test_at_once_orders_never_rest_and_all_or_nothing_is_so(
    script: list[Step], latency_ns: int
) -> None:
    world = played(script, latency_ns)
    accepted: dict[str, OrderAccepted] = {}
    arrived_ns: dict[str, int] = {}
    for entry in world.entries():
        if isinstance(entry, OrderAccepted):
            accepted[entry.order_id] = entry
        elif isinstance(entry, OrderArrived):
            arrived_ns[entry.order_id] = entry.at_ns
            assert entry.at_ns == accepted[entry.order_id].at_ns + latency_ns
        elif isinstance(entry, OrderFilled):
            order = accepted[entry.order_id]
            assert entry.at_ns >= arrived_ns[entry.order_id]
            if order.time_in_force in (TimeInForce.IOC, TimeInForce.FOK):
                assert entry.at_ns == arrived_ns[entry.order_id]
            if order.time_in_force is TimeInForce.FOK:
                assert entry.quantity_nanos == order.quantity_nanos
        elif isinstance(entry, OrderEnded):
            order = accepted[entry.order_id]
            if order.time_in_force in (TimeInForce.IOC, TimeInForce.FOK):
                assert entry.at_ns <= accepted[entry.order_id].at_ns + latency_ns
    for working in world.exchange.open_orders():
        if working.arrived_ns is not None:
            assert working.ticket.time_in_force in (TimeInForce.DAY, TimeInForce.GTC)


@pytest.mark.no_cover
@given(scripts, latencies, st.booleans())
def test_working_orders_never_hold_more_than_the_position_and_none_flips_it(
    script: list[Step], latency_ns: int, shorting: bool
) -> None:
    world = World(latency_ns=latency_ns, shorting_enabled=shorting)
    before: dict[str, int] = {}
    for _ in play(world, script):
        positions = {p.symbol: p for p in world.exchange.positions()}
        held: dict[str, int] = defaultdict(int)
        for order in world.exchange.open_orders():
            if not order.opens:
                held[order.ticket.symbol] += order.remaining_nanos
                position = positions[order.ticket.symbol].quantity_nanos
                assert position * sign(order.ticket.side) < 0
        for symbol, quantity in held.items():
            assert quantity <= abs(positions[symbol].quantity_nanos)
            assert positions[symbol].available_nanos == (
                abs(positions[symbol].quantity_nanos) - quantity
            )
        if not shorting:
            assert all(p.quantity_nanos > 0 for p in positions.values())
        before = {symbol: p.quantity_nanos for symbol, p in positions.items()}
    assert all(before.values())


@pytest.mark.no_cover
@given(scripts, latencies)
def test_a_better_or_earlier_order_of_ours_is_never_passed_over(
    script: list[Step], latency_ns: int
) -> None:
    world = World(latency_ns=latency_ns)
    seen = len(world.entries())
    for step in play(world, script):
        if step.what not in ("quote", "trade"):
            seen = len(world.lines)
            continue
        happened = world.entries()[seen:]
        seen = len(world.lines)
        # Stops that one print triggers arrive one after the other, by time, whatever their price.
        arriving = {e.order_id for e in happened if isinstance(e, StopTriggered)}
        orders = world.exchange.orders_by_id
        for fill in happened:
            if not isinstance(fill, OrderFilled) or fill.order_id in arriving:
                continue
            if fill.at_ns != world.now_ns or fill.against is not Against.QUOTE:
                continue
            mine = orders[fill.order_id]
            for other in world.exchange.open_orders():
                same = (
                    other.ticket.symbol == fill.symbol
                    and other.ticket.side is fill.side
                    and not other.waits_for_stop
                    and other.arrived_ns is not None
                    and other.arrived_ns < world.now_ns
                )
                if not same or mine.ticket.limit_price_nanos is None:
                    continue
                limit = other.ticket.limit_price_nanos
                assert limit is not None, "an order at any price comes first"
                gap = sign(fill.side) * (limit - mine.ticket.limit_price_nanos)
                assert gap < 0 or (gap == 0 and other.number >= mine.number)


@given(scripts, latencies, st.integers(0, 5))
def test_the_same_seed_and_requests_give_the_same_bytes(
    script: list[Step], latency_ns: int, seed: int
) -> None:
    first = played(script, latency_ns, seed=seed)
    assert first.lines == played(script, latency_ns, seed=seed).lines
    other = played(script, latency_ns, seed=seed + 1)
    assert first.lines[0] != other.lines[0]


@pytest.mark.no_cover
@given(scripts, latencies, st.integers(10**11, 10**13))
def test_an_opening_order_is_only_taken_when_buying_power_covers_all_working_ones(
    script: list[Step], latency_ns: int, cash_nanos: int
) -> None:
    world = World(latency_ns=latency_ns, cash_nanos=cash_nanos)
    taken = 0
    for step in play(world, script):
        reserved = sum(
            order.reserve_price_nanos * order.remaining_nanos
            for order in world.exchange.open_orders()
            if order.opens
        )
        view = world.exchange.account()
        gross = view.long_value_nanos - view.short_value_nanos
        room = 2 * view.equity_nanos - gross - reserved // NANOS
        assert abs(view.buying_power_nanos - max(room, 0)) <= 4
        if step.what == "order" and len(world.exchange.orders_by_id) > taken:
            taken = len(world.exchange.orders_by_id)
            newest = list(world.exchange.orders_by_id.values())[-1]
            if newest.opens and newest.arrived_ns is None:
                assert room >= -4
