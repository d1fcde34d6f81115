"""A halted symbol trades nothing: orders rest, cancels take effect, and the resumption matches."""

from pathlib import Path

from hypothesis import given, settings
from msgspec import structs

from fuseboard.exchange.clock import TapeClock
from fuseboard.exchange.config import config_for
from fuseboard.exchange.halts import StatusTold
from fuseboard.exchange.ledger import OrderFilled, TradingStatus
from fuseboard.exchange.orders import Order, Ticket
from fuseboard.exchange.running import MarketEvent, RunningExchange
from fuseboard.feeds.tapes.by_name import tape_by_name
from fuseboard.feeds.tapes.tape import TapeHalt, TapeQuote
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import OrderType, Side, TimeInForce
from tests.exchange.serving import served
from tests.exchange.worlds import OPEN_NS, Step, World, play, scripts


def test_in_a_halt_orders_rest_and_trade_when_it_is_over() -> None:
    world = World()
    world.quote(9_999, 10_001)
    world.exchange.halts.halt(world.now_ns, "AAPL")
    market, limit = world.order("buy", 5), world.order("buy", 5, 10_001)
    at_once, other = world.order("buy", 5, tif="ioc"), world.order("buy", 5, 9_000)
    world.quote(9_998, 10_000)
    world.trade(9_990)
    assert [world.filled(each) for each in (market, limit)] == [0, 0]
    assert world.status(at_once) == "canceled"
    world.cancel(other)
    assert world.status(other) == "canceled"
    world.exchange.halts.resume(world.now_ns, "AAPL")
    world.exchange.match_again("AAPL")
    assert [world.filled(each) for each in (market, limit)] == [5, 5]


def test_a_halt_of_one_symbol_is_not_anothers() -> None:
    world = World()
    world.quote(9_999, 10_001, symbol="MSFT")
    world.exchange.halts.halt(world.now_ns, "AAPL")
    assert world.filled(world.order("buy", 5, symbol="MSFT")) == 5


def test_a_tape_halts_and_resumes_by_itself_and_tells_it() -> None:
    quote = TapeQuote(
        symbol="AAPL",
        at_ns=OPEN_NS,
        bid_nanos=NANOS,
        ask_nanos=2 * NANOS,
        bid_size_nanos=NANOS,
        ask_size_nanos=5 * NANOS,
    )
    halted = TapeHalt(symbol="AAPL", at_ns=OPEN_NS + 1)
    resumed = TapeHalt(symbol="AAPL", at_ns=OPEN_NS + 9, resumes=True)
    tape = structs.replace(tape_by_name("normal"), read=lambda: iter((quote, halted, resumed)))
    wall = [0]
    clock = TapeClock(start_ns=OPEN_NS, speed_nanos=NANOS, monotonic_ns=lambda: wall[0])
    running = RunningExchange(tape, config_for(tape), clock)
    told: list[MarketEvent] = []
    running.on_market = told.extend
    clock.start()
    wall[0] = 1
    ticket = Ticket(
        client_order_id="c",
        symbol="AAPL",
        side=Side.BUY,
        order_type=OrderType.MARKET,
        time_in_force=TimeInForce.DAY,
        quantity_nanos=5 * NANOS,
    )
    order = running.exchange.submit(running.catch_up(), ticket)
    assert isinstance(order, Order)
    wall[0] = 8
    running.catch_up()
    assert running.exchange.orders_by_id[order.order_id].filled_nanos == 0
    wall[0] = 9
    running.catch_up()
    assert running.exchange.orders_by_id[order.order_id].filled_nanos == 5 * NANOS
    statuses = [(each.status, each.at_ns) for each in told if isinstance(each, StatusTold)]
    assert statuses == [("P", OPEN_NS + 1), ("T", OPEN_NS + 9)]


@given(script=scripts)
@settings(max_examples=40, deadline=None)
def test_nothing_trades_between_a_halt_and_its_resumption(script: list[Step]) -> None:
    world = World()
    for number, _ in enumerate(play(world, script)):
        if number % 9 == 3:
            world.exchange.halts.halt(world.now_ns, "AAPL")
        if number % 9 == 7:
            world.exchange.halts.resume(world.now_ns, "AAPL")
            world.exchange.match_again("AAPL")
    halted = False
    for entry in world.entries():
        if isinstance(entry, TradingStatus):
            halted = entry.status != "T"
        assert not (halted and isinstance(entry, OrderFilled) and entry.symbol == "AAPL")


def test_the_face_halts_and_resumes_and_says_what_is_wrong(tmp_path: Path) -> None:
    with served(tmp_path) as exchange:
        paused = exchange.call("POST", "/sim/halt", json={"symbol": "AAPL"}).json()["told"]
        assert [(told["symbol"], told["status"]) for told in paused] == [("AAPL", "P")]
        order = exchange.order(qty="1").json()
        assert exchange.get(f"/v2/orders/{order['id']}")["status"] == "new"
        market = exchange.call("POST", "/sim/halt", json={"level": 2}).json()["told"]
        assert {told["reason"] for told in market} == {"MWC2"}
        assert len(market) > 3
        resumed = exchange.call("POST", "/sim/resume", json={}).json()["told"]
        assert {(told["status"], told["reason"]) for told in resumed} == {("T", "MWCQ")}
        assert exchange.get(f"/v2/orders/{order['id']}")["status"] == "filled"
        for wrong in ({"symbol": "NOPE"}, {"level": 4}, {"symbol": "AAPL", "level": 1}, {}):
            assert exchange.call("POST", "/sim/halt", json=wrong).status_code == 422
        assert exchange.call("POST", "/sim/resume", json={"symbols": []}).status_code == 422
