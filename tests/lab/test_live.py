"""A strategy as a client: against a broker and a feed at the doors, the market made by hand."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence

import pytest

from fuseboard.cli import main
from fuseboard.exchange.config import ExchangeConfig
from fuseboard.exchange.direct import DirectBroker, DirectFeed
from fuseboard.exchange.exchange import Exchange
from fuseboard.exchange.orders import Ticket
from fuseboard.feeds.tapes.tape import TapeKind
from fuseboard.lab.live import AlreadyHeld, LivePlay
from fuseboard.lab.signals import Signals, StrategyFailed
from fuseboard.lab.strategy import Cancel, End, Fill, Intent, Place
from fuseboard.runtime.lockstep import LockstepEventLoop, run_lockstep
from fuseboard.vocabulary.doors import BrokerFact
from fuseboard.vocabulary.effects import SubmitOrder
from fuseboard.vocabulary.inputs import Moment, SubmitOutcome
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import OrderType, Side, TimeInForce
from tests.lab.markets import OPENS_NS, Scripted, quote

INSTANCE = "lablive0"


class World:
    """An exchange, its doors, and what was said."""

    def __init__(self, clock: LockstepEventLoop, broker: type[DirectBroker] = DirectBroker) -> None:
        self.clock = clock
        self.exchange = Exchange(
            ExchangeConfig(kind=TapeKind.US_EQUITY, symbols=("AAA",)),
            start_ns=OPENS_NS,
            record=lambda _line: None,
        )
        self.broker = broker(self.exchange, INSTANCE, lambda: clock.now().wall_ns)
        self.feed = DirectFeed()
        self.said: list[str] = []

    def show(self, bid: int, ask: int) -> None:
        shown = quote(self.clock.now().wall_ns - OPENS_NS, bid, ask)
        self.exchange.on_quote(shown)
        self.feed.show_quote(shown)
        self.broker.pump()

    def play(self, *, shadow: bool = False) -> LivePlay:
        return LivePlay(
            name="scripted",
            symbols=("AAA",),
            instance=INSTANCE,
            broker=self.broker,
            feed=self.feed,
            say=self.said.append,
            shadow=shadow,
            compare_every_s=1.0,
        )

    def trade_by_hand(self, side: Side, quantity: int) -> None:
        now_ns = self.clock.now().wall_ns
        self.exchange.submit(
            now_ns,
            Ticket(
                client_order_id=f"hand-{now_ns}",
                symbol="AAA",
                side=side,
                order_type=OrderType.MARKET,
                time_in_force=TimeInForce.DAY,
                quantity_nanos=quantity * NANOS,
            ),
        )


def played(
    strategy: Scripted,
    script: Callable[[World], Sequence[tuple[float, Callable[[], None]]]],
    *,
    shadow: bool = False,
    broker: type[DirectBroker] = DirectBroker,
) -> World:
    """Play the strategy while the script's steps happen, each so many seconds after the last."""

    async def run(clock: LockstepEventLoop) -> World:
        world = World(clock, broker)
        task = asyncio.ensure_future(world.play(shadow=shadow).run(Signals(strategy, lambda: 0)))
        for wait_s, step in script(world):
            await asyncio.sleep(wait_s)
            step()
        await asyncio.sleep(3)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        return world

    return run_lockstep(Moment(NANOS, OPENS_NS), run)


def buy(own_id: str, quantity: int, limit: int | None = None) -> Place:
    return Place(
        own_id=own_id,
        symbol="AAA",
        side=Side.BUY,
        quantity_nanos=quantity * NANOS,
        order_type=OrderType.MARKET if limit is None else OrderType.LIMIT,
        limit_price_nanos=None if limit is None else limit * NANOS,
    )


def outcomes(strategy: Scripted) -> list[Fill | End]:
    return [told for told in strategy.told if isinstance(told, Fill | End)]


def quotes(world: World, count: int) -> list[tuple[float, Callable[[], None]]]:
    return [(0.1, lambda: world.show(100, 101))] * count


def test_orders_fills_cancels_and_refusals_come_back_as_in_a_trial() -> None:
    answers: list[list[Intent]] = [
        [buy("one", 10)],
        [buy("rests", 5, limit=90)],
        [Cancel(own_id="rests"), Cancel(own_id="one")],
        [buy("dear", 10**6, limit=100)],
    ]
    strategy = Scripted(answers)
    world = played(strategy, lambda world: quotes(world, 6))
    fill, *ends = outcomes(strategy)
    assert isinstance(fill, Fill)
    assert (fill.own_id, fill.price_nanos, fill.position_nanos) == ("one", 101 * NANOS, 10 * NANOS)
    assert [(end.own_id, end.how) for end in ends if isinstance(end, End)] == [
        ("rests", "canceled"),
        ("dear", "denied"),
    ]
    assert "insufficient buying power" in world.said[-1]
    assert world.exchange.positions()[0].quantity_nanos == 10 * NANOS


class Stutters(DirectBroker):
    """Says everything twice, and takes a while to answer a submit."""

    async def start(self, deliver: Callable[[BrokerFact], None]) -> None:
        def twice(fact: BrokerFact) -> None:
            deliver(fact)
            deliver(fact)

        await super().start(twice)

    async def submit(self, order: SubmitOrder, still_allowed: Callable[[], bool]) -> SubmitOutcome:
        outcome = await super().submit(order, still_allowed)
        await asyncio.sleep(0.15)
        return outcome


def test_a_fill_that_is_told_twice_counts_once_and_a_cancel_waits_for_the_brokers_id() -> None:
    strategy = Scripted(
        [[buy("large", 1_500), buy("rests", 5, limit=90)], [Cancel(own_id="rests")]]
    )
    world = played(strategy, lambda world: quotes(world, 4), broker=Stutters)
    fills = [told for told in outcomes(strategy) if isinstance(told, Fill)]
    assert [(fill.quantity_nanos // NANOS, fill.whole) for fill in fills] == [
        (1_000, False),
        (500, True),
    ]
    assert fills[-1].position_nanos == 1_500 * NANOS
    ends = [told for told in outcomes(strategy) if isinstance(told, End)]
    assert [(end.own_id, end.how) for end in ends] == [("rests", "canceled")]
    assert world.exchange.open_orders() == []


def test_in_shadow_nothing_is_sent_and_every_decision_is_said() -> None:
    strategy = Scripted([[buy("one", 10)], [buy("two", 20)]])
    world = played(strategy, lambda world: quotes(world, 4), shadow=True)
    assert world.exchange.orders() == []
    assert [(told.own_id, told.code) for told in outcomes(strategy) if isinstance(told, End)] == [
        ("one", "shadow"),
        ("two", "shadow"),
    ]
    assert world.said[0] == "buy 10 AAA at market: one"


def test_what_the_gate_closes_is_told_as_no_order_of_its_own() -> None:
    strategy = Scripted([[buy("one", 10)]])

    def script(world: World) -> list[tuple[float, Callable[[], None]]]:
        sells = (0.1, lambda: world.trade_by_hand(Side.SELL, 10))
        return [*quotes(world, 3), sells, *quotes(world, 2)]

    world = played(strategy, script)
    own, closed = outcomes(strategy)
    assert isinstance(own, Fill)
    assert isinstance(closed, Fill)
    assert (closed.own_id, closed.side, closed.position_nanos) == ("", Side.SELL, 0)
    assert "not by us: sell 10 AAA" in world.said


def test_a_strategy_begins_flat() -> None:
    async def run(clock: LockstepEventLoop) -> None:
        world = World(clock)
        world.show(100, 101)
        world.trade_by_hand(Side.BUY, 5)
        await world.play().run(Signals(Scripted([]), lambda: 0))

    with pytest.raises(AlreadyHeld, match="holds AAA already"):
        run_lockstep(Moment(NANOS, OPENS_NS), run)


def test_a_strategy_that_raises_ends_the_play() -> None:
    strategy = Scripted([["nonsense"]])  # type: ignore[list-item]

    async def run(clock: LockstepEventLoop) -> None:
        world = World(clock)
        task = asyncio.ensure_future(world.play().run(Signals(strategy, lambda: 0)))
        await asyncio.sleep(0.1)
        world.show(100, 101)
        await task

    with pytest.raises(StrategyFailed, match="answered with str"):
        run_lockstep(Moment(NANOS, OPENS_NS), run)


def test_without_a_gateway_in_the_environment_nothing_starts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("FUSEBOARD_URL", "FUSEBOARD_KEY_ID", "FUSEBOARD_SECRET"):
        monkeypatch.delenv(name, raising=False)
    assert main(["lab", "live", "--strategy", "hold", "--symbols", "AAPL"]) == 1
    complaint = capsys.readouterr().err
    assert "trades through a gateway only" in complaint
    assert "fuseboard run -- fuseboard lab live" in complaint
