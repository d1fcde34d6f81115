"""Books of several levels: orders walk them; nobody gets more or better than is displayed."""

from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuseboard.exchange.config import config_for
from fuseboard.exchange.exchange import Exchange
from fuseboard.exchange.ledger import OrderFilled, entries_of
from fuseboard.exchange.orders import Against, Order, Ticket
from fuseboard.feeds.tapes.by_name import tape_by_name
from fuseboard.feeds.tapes.tape import TapeLevels, TapeQuote
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import OrderType, Side, TimeInForce
from tests.exchange.worlds import MILLISECOND_NS, Step, World, play, scripts

CENT = NANOS // 100


def levels(*pairs: tuple[int, int]) -> TapeLevels:
    """Levels in cents and whole shares."""
    return tuple((cents * CENT, shares * NANOS) for cents, shares in pairs)


class DeepWorld(World):
    """A world whose every quote has levels; how many, how far and how large follows from it."""

    deep = True

    def quote(
        self, bid: int, ask: int, bid_size: int = 100, ask_size: int = 100, symbol: str = "AAPL"
    ) -> None:
        step = 1 + (bid_size + ask_size) % 2
        bids = [(bid - n * step, bid_size + n) for n in range(1 + ask_size % 4)]
        asks = [(ask + n * step, ask_size + 2 * n) for n in range(1 + bid_size % 4)]
        if not self.deep:
            bids, asks = bids[:1], asks[:1]
        self.show(levels(*bids), levels(*asks), symbol)

    def show(self, bids: TapeLevels, asks: TapeLevels, symbol: str = "AAPL") -> None:
        self.now_ns += MILLISECOND_NS
        bid, ask = bids[0] if bids else (0, 0), asks[0] if asks else (0, 0)
        self.shown(
            TapeQuote(
                symbol=symbol,
                at_ns=self.now_ns,
                bid_nanos=bid[0],
                ask_nanos=ask[0],
                bid_size_nanos=bid[1],
                ask_size_nanos=ask[1],
                bids=bids,
                asks=asks,
            )
        )

    def shown(self, quote: TapeQuote) -> None:
        self.exchange.on_quote(quote)


class OneLevelWorld(DeepWorld):
    deep = False


def fills(world: World, order_id: str) -> list[tuple[int, int]]:
    """Price in cents and shares of each fill."""
    return [
        (e.price_nanos // CENT, e.quantity_nanos // NANOS)
        for e in world.entries()
        if isinstance(e, OrderFilled) and e.order_id == order_id
    ]


@pytest.fixture
def world() -> DeepWorld:
    world = DeepWorld()
    world.show(
        levels((9_999, 10), (9_998, 20), (9_990, 30)),
        levels((10_001, 10), (10_002, 20), (10_010, 30)),
    )
    return world


def test_a_market_order_walks_the_levels_each_at_its_price_and_its_rest_waits(
    world: DeepWorld,
) -> None:
    buy = world.order("buy", 65)
    assert fills(world, buy) == [(10_001, 10), (10_002, 20), (10_010, 30)]
    world.show(levels((9_999, 10)), levels((10_005, 3), (10_006, 9)))
    assert fills(world, buy)[3:] == [(10_005, 3), (10_006, 2)]
    assert world.status(buy) == "filled"


def test_what_was_taken_is_gone_until_the_next_quote(world: DeepWorld) -> None:
    first, second = world.order("buy", 25), world.order("buy", 10, 10_010)
    assert fills(world, first) == [(10_001, 10), (10_002, 15)]
    assert fills(world, second) == [(10_002, 5), (10_010, 5)]


def test_a_limit_order_walks_no_further_than_its_limit_and_rests(world: DeepWorld) -> None:
    buy = world.order("buy", 50, 10_005)
    assert fills(world, buy) == [(10_001, 10), (10_002, 20)]
    assert world.status(buy) == "partially_filled"
    sell = world.order("sell", 15, 9_998)
    assert fills(world, sell) == [(9_999, 10), (9_998, 5)]


def test_all_or_nothing_counts_every_level_that_it_reaches(world: DeepWorld) -> None:
    assert fills(world, world.order("buy", 31, 10_005, tif="fok")) == []
    assert fills(world, world.order("buy", 30, 10_005, tif="fok")) == [(10_001, 10), (10_002, 20)]
    assert fills(world, world.order("buy", 31, tif="fok")) == []
    assert fills(world, world.order("buy", 30, tif="ioc")) == [(10_010, 30)]


def test_a_resting_order_trades_at_its_own_price_with_every_level_that_comes_to_it(
    world: DeepWorld,
) -> None:
    high, low = world.order("buy", 25, 9_999), world.order("buy", 25, 9_998)
    world.show(levels((9_000, 1)), levels((9_990, 10), (9_998, 20), (9_999, 4), (10_000, 50)))
    assert fills(world, high) == [(9_999, 10), (9_999, 15)]
    assert fills(world, low) == [(9_998, 5)]


@pytest.mark.parametrize(("left_takes", "price"), [(False, 9_000), (True, 9_950)])
def test_the_rest_of_an_order_that_arrived_at_the_far_side_rests_or_goes_on_taking(
    left_takes: bool, price: int
) -> None:
    world = DeepWorld(left_takes=left_takes)
    world.show(levels((9_999, 10)), levels((10_001, 10)))
    swept, late = world.order("sell", 20, 9_000), world.order("sell", 5, 9_000)
    rested = world.order("sell", 5, 9_960)
    world.show(levels((9_950, 12)), levels((10_001, 10)))
    assert fills(world, swept) == [(9_999, 10), (price, 10)]
    assert fills(world, late) == [(price, 2)], "it reached the far side, where nothing was left"
    world.trade(9_980, 100, Side.BUY)
    assert world.filled(late) == (2 if left_takes else 5), "a print fills what makes a price"
    world.show(levels((9_970, 50)), levels((10_001, 10)))
    assert world.filled(late) == 5
    assert world.status(rested) == "filled"


def test_what_never_reached_the_far_side_trades_at_its_own_price_however_the_rest_is_taken() -> (
    None
):
    world = DeepWorld(left_takes=True)
    world.show(levels((9_999, 10)), levels((10_001, 10)))
    sell = world.order("sell", 5, 10_000)
    world.show(levels((10_005, 12)), levels((10_010, 10)))
    assert fills(world, sell) == [(10_000, 5)]


def test_the_place_in_the_queue_is_known_at_every_displayed_level(world: DeepWorld) -> None:
    at_level, between = world.order("buy", 5, 9_990), world.order("buy", 5, 9_995)
    behind = world.order("buy", 5, 9_980)
    world.trade(9_995, 5, Side.SELL)
    assert world.filled(between) == 5
    world.trade(9_990, 32, Side.SELL)
    assert world.filled(at_level) == 2
    world.trade(9_980, 1_000, Side.SELL)
    assert (world.filled(at_level), world.filled(behind)) == (5, 0)


def test_a_side_that_is_gone_takes_nothing(world: DeepWorld) -> None:
    world.order("buy", 10)
    world.show((), levels((10_001, 10), (10_002, 20)))
    sell = world.order("sell", 10)
    assert fills(world, sell) == []
    world.show(levels((1, 100)), levels((10_001, 10)))
    assert fills(world, sell) == [(1, 10)]


def test_levels_that_are_not_of_the_quote_are_a_fault() -> None:
    world = DeepWorld()
    with pytest.raises(AssertionError, match="first level is the quote"):
        world.exchange.on_quote(
            TapeQuote(
                symbol="AAPL",
                at_ns=world.now_ns,
                bid_nanos=5,
                ask_nanos=7,
                bid_size_nanos=1,
                ask_size_nanos=1,
                asks=((8, 1),),
            )
        )


def test_who_sells_at_any_price_while_the_bids_are_gone_is_filled_at_a_cent() -> None:
    tape = tape_by_name("depth-collapse-2010@14:47:20-14:47:45")
    lines: list[bytes] = []
    exchange = Exchange(config_for(tape), start_ns=tape.session.open_ns, record=lines.append)

    def market(side: Side) -> None:
        ticket = Ticket(
            client_order_id=side.value,
            symbol="ACN",
            side=side,
            order_type=OrderType.MARKET,
            time_in_force=TimeInForce.GTC,
            quantity_nanos=100 * NANOS,
        )
        assert isinstance(exchange.submit(exchange.now_ns, ticket), Order)

    sold = False
    for event in tape.read():
        if not isinstance(event, TapeQuote):
            continue
        exchange.on_quote(event)
        if not exchange.orders_by_id and event.symbol == "ACN":
            market(Side.BUY)
        if exchange.positions() and not event.bids and not sold:
            market(Side.SELL)
            sold = True
    bought, *_ = made = [e for e in entries_of(lines) if isinstance(e, OrderFilled)]
    assert bought.price_nanos > 25 * NANOS
    assert made[-1].side is Side.SELL
    assert (made[-1].price_nanos, made[-1].quantity_nanos) == (CENT, 100 * NANOS)


@pytest.mark.no_cover  # the tests beside it run the same lines
@given(scripts)
def test_one_level_is_the_quote_itself(script: list[Step]) -> None:
    plain, leveled = World(), OneLevelWorld()
    for world in (plain, leveled):
        for _ in play(world, script):
            pass
    assert plain.lines == leveled.lines


class Displayed:
    """What the present quotes display and what was filled from them, beside the exchange's book."""

    def __init__(self) -> None:
        self.levels: dict[tuple[str, Side], TapeLevels] = {}
        self.taken: dict[tuple[str, Side], list[tuple[int, int]]] = defaultdict(list)

    def show(self, quote: TapeQuote) -> None:
        for side, shown in ((Side.BUY, quote.asks), (Side.SELL, quote.bids)):
            self.levels[quote.symbol, side] = shown
            self.taken[quote.symbol, side] = []

    def take(self, fill: OrderFilled) -> None:
        """Fails when more was filled at a price, or at better ones, than is displayed there."""
        where = fill.symbol, fill.side
        taken = self.taken[where]
        taken.append((fill.price_nanos, fill.quantity_nanos))
        sign = 1 if fill.side is Side.BUY else -1
        for edge, _ in taken:
            displayed = sum(s for price, s in self.levels[where] if sign * (edge - price) >= 0)
            assert sum(s for price, s in taken if sign * (edge - price) >= 0) <= displayed


class WatchedWorld(DeepWorld):
    def __init__(self, *, left_takes: bool = False) -> None:
        super().__init__(left_takes=left_takes)
        self.displayed = Displayed()

    def shown(self, quote: TapeQuote) -> None:
        self.displayed.show(quote)
        super().shown(quote)


@pytest.mark.no_cover  # the tests beside it run the same lines
@given(scripts, st.booleans())
def test_nobody_gets_more_or_better_than_is_displayed_and_best_levels_go_first(
    script: list[Step], left_takes: bool
) -> None:
    world = WatchedWorld(left_takes=left_takes)
    seen = 0
    for _ in play(world, script):
        happened, seen = world.entries()[seen:], len(world.lines)
        for entry in happened:
            if isinstance(entry, OrderFilled) and entry.against is Against.QUOTE:
                world.displayed.take(entry)
        _no_order_waits_before_what_it_reaches(world)
    _money_and_shares_are_the_sum_of_the_fills(world)


def _money_and_shares_are_the_sum_of_the_fills(world: WatchedWorld) -> None:
    """However many levels an order walked: the account moved by its fills and nothing else."""
    filled, cash_attos = defaultdict[str, int](int), world.config.cash_nanos * NANOS
    held = defaultdict[str, int](int)
    for entry in world.entries():
        if isinstance(entry, OrderFilled):
            sign = 1 if entry.side is Side.BUY else -1
            filled[entry.order_id] += entry.quantity_nanos
            held[entry.symbol] += sign * entry.quantity_nanos
            cash_attos -= sign * entry.quantity_nanos * entry.price_nanos
    assert world.exchange.account().cash_nanos == cash_attos // NANOS
    positions = {each.symbol: each.quantity_nanos for each in world.exchange.positions()}
    assert positions == {symbol: quantity for symbol, quantity in held.items() if quantity}
    for order in world.exchange.orders_by_id.values():
        assert order.filled_nanos == filled[order.order_id] <= order.ticket.quantity_nanos


def _no_order_waits_before_what_it_reaches(world: WatchedWorld) -> None:
    """As much as an order that works could reach is taken."""
    for order in world.exchange.open_orders():
        where = order.ticket.symbol, order.ticket.side
        if order.waits_for_stop or where not in world.displayed.levels:
            continue
        limit, sign = order.priced_at_nanos, 1 if order.ticket.side is Side.BUY else -1
        reached = sum(
            size
            for price, size in world.displayed.levels[where]
            if limit is None or sign * (limit - price) >= 0
        )
        # What rested traded at its own price, so that the price of a fill does not tell its level.
        taken = sum(size for _, size in world.displayed.taken[where])
        assert taken >= reached


@given(scripts)
def test_among_resting_orders_the_better_then_the_earlier_goes_first(script: list[Step]) -> None:
    world = DeepWorld()
    seen = 0
    for step in play(world, script):
        happened, seen = world.entries()[seen:], len(world.lines)
        if step.what != "quote":
            continue
        orders = world.exchange.orders_by_id
        for fill in happened:
            if not isinstance(fill, OrderFilled) or fill.at_ns != world.now_ns:
                continue
            mine = orders[fill.order_id]
            for other in world.exchange.open_orders():
                same = other.ticket.symbol == fill.symbol and other.ticket.side is fill.side
                if not same or other.waits_for_stop or mine.priced_at_nanos is None:
                    continue
                assert other.priced_at_nanos is not None, "an order at any price comes first"
                gap = other.priced_at_nanos - mine.priced_at_nanos
                gap = gap if fill.side is Side.BUY else -gap
                assert gap < 0 or (gap == 0 and other.number >= mine.number)
