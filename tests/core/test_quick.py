"""The quick pass says yes only where the table does, and wherever it should; limits are met."""

import os
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from fuseboard.core import judging
from fuseboard.core.book import Ledger, Order
from fuseboard.core.checks.active import ALLOWED
from fuseboard.core.checks.bounds import UNBOUNDED, bounds_of
from fuseboard.core.checks.custom import custom_row
from fuseboard.core.checks.quick import worst_if_passed
from fuseboard.core.checks.table import TABLE, judge
from fuseboard.core.gate import active_of
from fuseboard.core.position import NOTHING_ASKED_NANOS, Position
from fuseboard.core.state import Reported, Turn
from fuseboard.core.throttles import Ring, likeness
from fuseboard.policy.limits import Limits
from fuseboard.policy.policy import Policy
from fuseboard.policy.rules import CheckRule, StrategyRule
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Intent, OrderType, Side, TimeInForce
from fuseboard.vocabulary.postures import Posture
from tests.core.test_known_failures import Desk

SEEDS = int(os.environ.get("FUSEBOARD_SEEDS", "0"))
"""`make soak` sets it."""
CENT = NANOS // 100
ODDITIES = (
    *(("price", "stop", "buying", "selling") * 3),
    "sector",
    *(
        "reconciled",
        "postures",
        "hours",
        "broker",
        "bid",
        "age",
        "cash",
        "other",
        "ring",
        "recent",
        "volume",
        "restricted",
        "permitted",
        "floor",
        "least",
        "margin",
    ),
    *("order_quantity_nanos_max", "order_value_nanos_max", "order_volume_share_nanos_max"),
    *("order_rate_max", "messages_max", "daily_orders_max", "working_orders_max"),
    *("position_value_nanos_max", "position_fraction_nanos_max", "sector_fraction_nanos_max"),
    *("positions_max", "gross_exposure_nanos_max", "net_exposure_nanos_max", "leverage_nanos_max"),
)
ROOM = st.sampled_from((0, 0, 1, 10**9))
"""How far above what is measured a limit is."""
WIDE = Limits(
    order_quantity_nanos_max=10**30, order_value_nanos_max=10**30, price_collar_nanos=NANOS
)


class Drawn:
    """Draws usual values, but unusual ones for the one thing of an example that is odd."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.odd = draw(st.sampled_from(ODDITIES))

    def rarely(self, name: str, usual: Any, *unusual: Any) -> Any:
        return self.draw(st.sampled_from(unusual)) if name == self.odd else usual


PRICES = (
    None,
    None,
    None,
    None,
    105 * NANOS,
    95 * NANOS,
    100 * NANOS + 1,
    106 * NANOS,
    99 * NANOS,
    101 * NANOS,
)
SIZES = st.sampled_from((NANOS, 3 * NANOS, 7 * NANOS + 1))
ATTOS = st.sampled_from((0, 300 * NANOS**2, 301 * NANOS**2 + 7))


def position_of(drawn: Drawn) -> Position:
    """A position whose numbers need not fit together: both ways of judging read the same."""
    draw = drawn.draw
    buying = drawn.rarely("buying", 0, 3 * NANOS)
    selling = drawn.rarely("selling", 0, 3 * NANOS)
    return Position(
        quantity_nanos=draw(st.sampled_from((0, 2 * NANOS, -2 * NANOS))),
        mark_nanos=100 * NANOS,
        buying_nanos=buying,
        selling_nanos=selling,
        buying_attos=buying * 99 * NANOS,
        selling_attos=selling * 101 * NANOS,
        buying_price_nanos_max=99 * NANOS if buying else 0,
        selling_price_nanos_max=101 * NANOS if selling else 0,
        selling_price_nanos_min=101 * NANOS if selling else NOTHING_ASKED_NANOS,
        worst_attos=draw(ATTOS),
        sector=drawn.rarely("sector", "tech", ""),
        occupied=draw(st.booleans()),
    )


def order_of(drawn: Drawn) -> Order:
    draw = drawn.draw
    side = draw(st.sampled_from(Side))
    crosses = drawn.odd in ("price", "buying", "selling")
    price = draw(st.sampled_from(PRICES)) if crosses else 100 * NANOS
    stop = drawn.rarely("stop", None, 100 * NANOS, 100 * NANOS + 1)
    kinds = {
        (True, True): OrderType.MARKET,
        (True, False): OrderType.STOP,
        (False, True): OrderType.LIMIT,
        (False, False): OrderType.STOP_LIMIT,
    }
    return Order(
        "id", "wire", "c1", "alpha", "AAPL", side, kinds[price is None, stop is None],
        draw(st.sampled_from(TimeInForce)), draw(SIZES), price, stop, draw(st.booleans()),
        Intent.OPEN, price or 105 * NANOS, 0, 0,
    )  # fmt: skip


def measured(turn: Turn, order: Order) -> dict[str, int]:
    """What each limit would have to be at least for this order to pass it."""
    state = turn.state
    account, at = state.book.account, judging.proposed(turn, order, state.instruments["AAPL"])
    equity = max(1, at.equity_attos)
    sector = account.sectors.get("tech", 0) - at.position.worst_attos + at.symbol_worst_attos
    highest = account.value_attos + account.buying_attos
    highest += at.value_attos if order.side is Side.BUY else 0

    def share(attos: int) -> int:
        return -(-attos * NANOS // equity)

    return {
        "order_quantity_nanos_max": order.quantity_nanos,
        "order_value_nanos_max": -(-at.value_attos // NANOS),
        "order_volume_share_nanos_max": order.quantity_nanos * NANOS // (1000 * NANOS),
        "order_rate_max": len(at.rate.times_boot_ns) + 1,
        "messages_max": len(state.throttles.messages.times_boot_ns),
        "daily_orders_max": state.throttles.daily_orders + 1,
        "working_orders_max": len(state.book.working) + 1,
        "position_value_nanos_max": -(-at.symbol_worst_attos // NANOS),
        "position_fraction_nanos_max": share(at.symbol_worst_attos),
        "sector_fraction_nanos_max": share(sector),
        "positions_max": account.occupied + (not at.position.occupied),
        "gross_exposure_nanos_max": share(at.gross_worst_attos),
        "net_exposure_nanos_max": share(highest),
        "leverage_nanos_max": share(at.gross_worst_attos),
    }


def happen(drawn: Drawn, turn: Turn, order: Order) -> None:
    """Set what the checks read, in numbers that need not fit together."""
    draw, state, book = drawn.draw, turn.state, turn.state.book
    turn.wall_ns, state.judges_sessions = 50, True
    state.reconciled, state.multiplier = (
        drawn.rarely("reconciled", True, False),
        draw(st.sampled_from((1, 2))),
    )
    state.postures = drawn.rarely(
        "postures", {}, {"symbol:AAPL": Posture.REDUCE_ONLY}, {"symbol:B": Posture.HALTED}
    )
    state.period.session = draw(st.sampled_from(("", "2026-01-05")))
    state.period.open_ns, state.period.close_ns = drawn.rarely(
        "hours", (50, 51), (51, 60), (40, 50)
    )
    state.period.broker_read_boot_ns = turn.boot_ns
    state.period.broker_is_open = drawn.rarely("broker", None, True, False)
    instrument = state.instruments["AAPL"]
    instrument.bid_nanos = drawn.rarely("bid", 100 * NANOS, 0)
    instrument.ask_nanos = 100 * NANOS
    age_ns = turn.policy.data.quote_age_ns_max + drawn.rarely("age", 0, 1)
    instrument.quoted_boot_ns = turn.boot_ns - age_ns
    account = book.account
    account.positions["AAPL"] = position_of(drawn)
    account.cash_attos, account.value_attos = (
        drawn.rarely("cash", 2000 * NANOS**2, 0, -5),
        draw(ATTOS),
    )
    account.worst_attos, account.occupied = draw(ATTOS), draw(st.integers(0, 3))
    account.buying_attos, account.selling_attos = draw(ATTOS), draw(ATTOS)
    account.sectors = {"tech": draw(ATTOS)}
    other = Position(quantity_nanos=drawn.rarely("other", 0, NANOS, -NANOS))
    book.strategies = {"alpha": Ledger(), "beta": Ledger(positions={"AAPL": other})}
    resting = [("b", Side.BUY, 99), ("s", Side.SELL, 101), ("c", Side.BUY, 98)]
    for name, side, price in resting[: draw(st.integers(2, 3))]:
        book.orders[name] = Order(
            name, "wire", name, "alpha", "AAPL", side, OrderType.LIMIT, TimeInForce.DAY,
            NANOS, price * NANOS, None, False, Intent.OPEN, price * NANOS, 0, 0,
        )  # fmt: skip
        book.working[name] = None
    throttles = state.throttles
    throttles.rates = {"alpha": Ring([turn.boot_ns - 5] * draw(st.integers(0, 2)))}
    throttles.account = drawn.rarely("ring", None, Ring([turn.boot_ns - 5] * 3))
    throttles.messages = Ring([turn.boot_ns - 5] * draw(st.integers(0, 2)))
    throttles.daily_orders = draw(st.integers(0, 2))
    before_ns = draw(st.sampled_from((4, 5, 6)))
    throttles.recent = drawn.rarely("recent", {}, {likeness(order): turn.boot_ns - before_ns})
    state.reported = drawn.rarely(
        "volume", {"avg_daily_volume AAPL": Reported(1000 * NANOS, 50, turn.boot_ns)}, {}
    )
    turn.gate = replace(
        turn.gate,
        restricted=drawn.rarely("restricted", {}, {"AAPL": None}),
        permitted=drawn.rarely("permitted", {}, {"alpha": {"B": None}}, {"alpha": {"AAPL": None}}),
    )


class At(NamedTuple):
    """A moment, and the order that is judged in it."""

    turn: Turn
    order: Order

    def __repr__(self) -> str:
        return f"At({self.order!r})"  # all of a turn is more than Hypothesis may print


@st.composite
def moments(draw: st.DrawFn) -> At:
    """A moment in which an order is judged, with each limit at what is measured or above.

    One of them may be just too low.
    """
    drawn = Drawn(draw)
    turn, order = Desk().kernel._turn, order_of(drawn)
    happen(drawn, turn, order)
    limits = {
        "price_collar_nanos": draw(st.sampled_from((NANOS // 20, NANOS // 20 - 1))),
        "price_floor_nanos": drawn.rarely("floor", None, 100 * NANOS, 100 * NANOS + 1),
        "duplicate_window_ns": draw(st.sampled_from((None, 5))),
        "order_rate_window_ns": draw(st.sampled_from((5, 6))),
        "messages_window_ns": draw(st.sampled_from((5, 6))),
        "net_exposure_nanos_min": drawn.rarely("least", None, 0, -NANOS // 10),
        "maintenance_margin_nanos_min": drawn.rarely("margin", None, NANOS // 2, 2 * NANOS, 0),
    }
    for name, needed in measured(turn, order).items():
        limit = max(0, needed - 1) if name == drawn.odd else needed + draw(ROOM)
        optional = getattr(Limits(), name) is None and name != drawn.odd
        limits[name] = draw(st.sampled_from((None, limit))) if optional else limit
    policy = Policy(
        limits=Limits(**limits),
        restricted=tuple(turn.gate.restricted),
        strategies=(StrategyRule(name="alpha", capital_nanos=NANOS, symbols=("B",)),)
        if turn.gate.permitted
        else (),
    )
    turn.active, turn.reduced_active = active_of(
        policy, turn.gate, policy.limits, judges_sessions=turn.state.judges_sessions
    )
    return At(turn, order)


def both(turn: Turn, order: Order) -> tuple[int | None, int | None]:
    """The symbol's worst case by the quick pass, and by the table; None where it is not passed."""
    instrument = turn.state.instruments["AAPL"]
    like = likeness(order) if turn.active.limits.duplicate_window_ns is not None else ""
    at = turn.state.liquidity.get(order.symbol)
    quick = worst_if_passed(turn, order, instrument, at, like)
    proposal = judging.proposed(turn, order, instrument)
    finding, _ = judge(proposal)
    return quick, proposal.symbol_worst_attos if finding is ALLOWED else None


def undecided(turn: Turn, order: Order) -> bool:
    """Whether the quick pass may leave to the table what that lets pass."""
    state, price = turn.state, order.limit_price_nanos
    position = state.book.account.positions["AAPL"]
    closed = state.period.broker_is_open is False or state.period.session
    margin = turn.active.limits.maintenance_margin_nanos_min
    crosses = order.order_type in (OrderType.STOP, OrderType.STOP_LIMIT) or price is None
    near = turn.active.bounds.order_times_near
    rings = (state.throttles.rates["alpha"], state.throttles.account)
    return bool(
        any(
            ring and ring.full(near, turn.active.limits.order_rate_window_ns, turn.boot_ns)
            for ring in rings
        )
        or (closed and order.time_in_force is TimeInForce.GTC)
        or margin == 0
        or (crosses and (position.buying_nanos or position.selling_nanos))
        or (price is not None and position.selling_nanos and order.side is Side.BUY)
        or (price is not None and position.buying_nanos and order.side is Side.SELL)
    )


@pytest.mark.no_cover
@settings(max_examples=max(500, SEEDS))
@given(moments())
def test_the_quick_pass_and_the_table_agree(moment: tuple[Turn, Order]) -> None:
    turn, order = moment
    quick, slow = both(turn, order)
    assert quick is None or quick == slow
    if not undecided(turn, order):
        assert quick == slow


EQUITIES = st.integers(-(10**22), 10**24)
SHARES = st.none() | st.integers(1, 3 * NANOS)


@given(EQUITIES, SHARES, SHARES, st.integers(1, 4), st.integers(-2, 2))
def test_a_bound_is_the_last_value_that_the_products_let_pass(
    equity: int, share: int | None, margin: int | None, multiplier: int, beyond: int
) -> None:
    limits = replace(
        WIDE,
        position_fraction_nanos_max=share,
        leverage_nanos_max=share,
        gross_exposure_nanos_max=share or 10**50,
        maintenance_margin_nanos_min=margin,
        net_exposure_nanos_max=share,
        net_exposure_nanos_min=None if share is None else -share,
    )
    bounds = bounds_of(limits, listed=True)
    bounds.follow(equity, multiplier)
    if share is None:
        assert bounds.symbol_attos_max == bounds.net_attos_max == UNBOUNDED
        assert bounds.net_attos_min == -UNBOUNDED
        return
    for bound in (bounds.symbol_attos_max, bounds.net_attos_max):
        assert ((bound + beyond) * NANOS <= share * equity) is (beyond <= 0)
    lowest = bounds.net_attos_min + beyond
    assert (lowest * NANOS >= -share * equity) is (beyond >= 0)
    gross = bounds.gross_attos_max + beyond
    passes = gross <= equity * multiplier and gross * NANOS <= share * equity
    passes = passes and (margin is None or equity * NANOS >= margin * gross)
    assert passes is (beyond <= 0)


def test_every_row_of_the_table_is_in_the_quick_pass_and_own_conditions_are_asked() -> None:
    assert [row.name for row in TABLE if not row.quick] == []
    assert not Desk().kernel._turn.active.others
    rules = (
        CheckRule(name="dear", condition="order_price > 1"),
        CheckRule(name="small", condition="order_size < 10"),
    )
    desk = Desk(Policy(checks=rules))
    (passes,) = desk.kernel._turn.active.others
    turn = desk.kernel._turn
    for price, shares in ((2, 9), (2, 10), (1, 9)):
        order = Order(
            "id", "wire", "c1", "alpha", "AAPL", Side.BUY, OrderType.LIMIT, TimeInForce.DAY,
            shares * NANOS, price * NANOS, None, False, Intent.OPEN, price * NANOS, 0, 0,
        )  # fmt: skip
        proposal = judging.proposed(turn, order, turn.state.instruments["AAPL"])
        each = [custom_row(rule).passes(proposal) for rule in rules]
        assert passes(proposal) is all(each) is ((price, shares) == (2, 9))
