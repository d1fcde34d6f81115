"""A flatten keeps the stops that protect a position until the very close that replaces them."""

from collections.abc import Callable
from random import Random

import msgspec
import pytest

from fuseboard.core import halting, plan, stops
from fuseboard.core.kernel import Kernel
from fuseboard.core.state import State
from fuseboard.policy.data_rules import ExecutionRules
from fuseboard.policy.liquidity_rules import EmergencyRules
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.actions import DrainRule
from fuseboard.vocabulary.evidence_effects import RecordPlan
from fuseboard.vocabulary.liquidity import Tier
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Intent, OrderStatus, OrderType, Side, TimeInForce
from fuseboard.vocabulary.postures import HaltLevel
from tests.core.liquidity.market import LiquidDesk, of
from tests.core.test_known_failures import SECOND, Desk, accept, submitted
from tests.core.test_operators import CALM, asked
from tests.core.test_trading_halts import halted, resumed, wait
from tests.core.world import SYMBOLS, World, begun, random_step
from tests.deletion import assert_pinned

Effects = tuple[fx.Effect, ...]
CANCEL_WAIT_NS = ExecutionRules().cancel_wait_ns


def stop(desk: Desk, shares: int = 100, strategy: str = "alpha") -> fx.SubmitOrder:
    """A stop of so many shares that works, far from the price."""
    desk.requests += 1
    effects = desk.take(
        facts.OrderRequested(
            request=desk.requests,
            strategy=strategy,
            client_order_id=f"stop{desk.requests}",
            symbol="AAPL",
            side=Side.SELL,
            order_type=OrderType.STOP,
            time_in_force=TimeInForce.GTC,
            quantity_nanos=shares * NANOS,
            stop_price_nanos=200 * NANOS,
        )
    )
    (order,) = submitted(effects)
    accept(desk, order, f"b{desk.requests}")
    return order


def cancels(effects: Effects) -> list[str]:
    return [effect.order_id for effect in effects if isinstance(effect, fx.CancelOrder)]


def ended(desk: Desk, order: fx.SubmitOrder) -> Effects:
    canceled = OrderStatus.CANCELED
    fact = facts.OrderEnded(
        order_id=order.order_id,
        broker_order_id="b",
        status=canceled,
        filled_quantity_nanos=0,
        filled_price_nanos=0,
    )
    return desk.take(fact)


def filled(desk: Desk, order: fx.SubmitOrder, shares: int) -> Effects:
    """The order's first execution, of so many shares."""
    fact = facts.FillReported(
        order_id=order.order_id,
        broker_order_id="b",
        quantity_nanos=shares * NANOS,
        price_nanos=250 * NANOS,
        filled_quantity_nanos=shares * NANOS,
        filled_price_nanos=250 * NANOS,
        final=False,
    )
    return desk.take(fact)


def answer(desk: Desk, effects: Effects, held: int = 100, against: int = 0) -> Effects:
    """The broker's answer to the one question in these effects."""
    (question,) = of(effects, fx.ReadLeg)
    fact = facts.LegRead(
        trip=question.trip,
        symbol="AAPL",
        attempt=question.attempt,
        position_nanos=held * NANOS,
        against_nanos=against * NANOS,
    )
    return desk.take(fact)


def a_halted_symbol_keeps_its_stop() -> None:
    desk = Desk(CALM, held=100)
    order = stop(desk)
    desk.take(halted())
    effects = desk.take(asked(HaltLevel.FLATTEN))
    for _ in range(100):
        effects += wait(desk, SECOND)
    assert cancels(effects) == []
    effects = answer(desk, desk.take(resumed()), against=100)
    assert (cancels(effects), submitted(effects)) == ([order.order_id], [])
    effects = ended(desk, order)
    (close,) = submitted(answer(desk, effects))
    assert close.quantity_nanos == 100 * NANOS, "at once, and for everything"


def test_a_symbol_that_its_exchange_has_halted_keeps_its_stop_until_it_may_be_closed() -> None:
    a_halted_symbol_keeps_its_stop()


def test_a_leg_that_waits_for_liquidity_keeps_its_stop() -> None:
    desk = LiquidDesk(held=100, emergency=EmergencyRules(exit_wait_ns=30 * SECOND))
    order = stop(desk)
    desk.at(Tier.EMERGENCY)
    effects = answer(desk, desk.take(asked(HaltLevel.FLATTEN)), against=100)
    for _ in range(50):
        desk.now_ns += SECOND
        desk.quoted(24_999, 24_990)
        effects = desk.take(facts.TimeAdvanced())
        if of(effects, fx.ReadLeg):
            effects = answer(desk, effects, against=100)
        assert not submitted(effects)
        if cancels(effects):
            break
    assert cancels(effects) == [order.order_id]
    (began,) = [at.began_boot_ns for at in state(desk).plans.values()]
    assert 30 * SECOND <= desk.now_ns - began <= 33 * SECOND


def state(desk: Desk) -> State:
    return msgspec.json.decode(desk.kernel.snapshot(), type=State)


def a_stop_that_is_not_gone_counts() -> None:
    desk = Desk(CALM, held=100)
    order = stop(desk, 40)
    effects = answer(desk, desk.take(asked(HaltLevel.FLATTEN)), against=40)
    assert (cancels(effects), submitted(effects)) == ([order.order_id], [])
    assert not of(wait(desk, CANCEL_WAIT_NS - SECOND), fx.ReadLeg)
    late = wait(desk, SECOND)
    (close,) = submitted(answer(desk, late, against=40))
    assert close.quantity_nanos == 60 * NANOS


def test_a_stop_whose_cancel_nobody_confirms_counts_and_holds_nothing_up() -> None:
    a_stop_that_is_not_gone_counts()


def test_a_stop_that_fills_before_its_close_is_a_fill_like_any_other() -> None:
    desk = Desk(CALM, held=100)
    order = stop(desk)
    asking = desk.take(asked(HaltLevel.FLATTEN))
    effects = answer(desk, asking, against=100)
    assert cancels(effects) == [order.order_id]
    effects = answer(desk, filled(desk, order, 100), held=0)
    assert submitted(effects) == []
    (record,) = of(effects, RecordPlan)
    assert (record.stage, record.closed, record.left, record.cancelled) == ("ended", 1, (), 0)


def the_report_counts_it() -> None:
    desk = Desk(CALM, held=100)
    order = stop(desk)
    answer(desk, desk.take(asked(HaltLevel.FLATTEN)), against=100)
    (close,) = submitted(answer(desk, ended(desk, order)))
    accept(desk, close, "b9")
    effects = answer(desk, filled(desk, close, 100), held=0)
    (record,) = of(effects, RecordPlan)
    assert (record.stage, record.cancelled) == ("ended", 1)


def test_the_plans_report_counts_the_stops_that_it_cancelled() -> None:
    the_report_counts_it()


def a_stop_without_its_position_goes() -> None:
    desk = Desk(CALM, held=100)
    order = stop(desk)
    (resting,) = submitted(desk.order(Side.SELL, 100 * NANOS, 260))
    accept(desk, resting, "b60")
    desk.take(halted())
    effects = desk.take(asked(HaltLevel.FLATTEN))
    assert cancels(effects) == [resting.order_id]
    assert cancels(filled(desk, resting, 1)) == [order.order_id], "99 are held, it would sell 100"


def test_a_stop_that_a_fill_leaves_larger_than_its_position_goes_at_once() -> None:
    a_stop_without_its_position_goes()


def a_strategy_flattens_its_own() -> None:
    desk = Desk(CALM)
    orders = {}
    for strategy in ("alpha", "beta"):
        (buy,) = submitted(desk.order(Side.BUY, 100 * NANOS, 250, strategy=strategy))
        accept(desk, buy, f"buy-{strategy}")
        filled(desk, buy, 100)
        orders[strategy] = stop(desk, 100, strategy)
    effects = desk.take(asked(HaltLevel.FLATTEN, "strategy:alpha"))
    effects = answer(desk, effects, held=200, against=200)
    assert cancels(effects) == [orders["alpha"].order_id]
    (close,) = submitted(answer(desk, ended(desk, orders["alpha"]), held=200, against=100))
    assert close.quantity_nanos == 100 * NANOS


def test_a_strategys_plan_leaves_its_neighbours_stops() -> None:
    a_strategy_flattens_its_own()


@pytest.mark.parametrize("level", [HaltLevel.HALT, HaltLevel.FREEZE])
def test_a_frozen_plan_leaves_the_stop_with_the_position(level: HaltLevel) -> None:
    desk = Desk(CALM, held=100)
    stop(desk)
    desk.take(halted())
    desk.take(asked(HaltLevel.FLATTEN))
    effects = desk.take(asked(level))
    assert cancels(effects) == []
    assert [at.stage for at in of(effects, RecordPlan)] == ["frozen"] * (level is HaltLevel.FREEZE)


def test_a_kill_and_a_fault_of_ours_keep_nothing() -> None:
    for fact in (asked(HaltLevel.KILL), facts.NodeFaulted(detail="a fault")):
        desk = Desk(CALM, held=100)
        order = stop(desk)
        assert order.order_id in cancels(desk.take(fact))


def test_a_drain_that_flattens_keeps_them_as_long_as_a_flatten_does() -> None:
    desk = Desk(CALM, held=100)
    order = stop(desk)
    desk.take(halted())
    effects = desk.take(facts.DrainRequested(rule=DrainRule.FLATTEN))
    assert cancels(effects) == []
    effects = answer(desk, desk.take(resumed()), against=100)
    assert cancels(effects) == [order.order_id]


def a_restart_between_goes_on() -> None:
    desk = Desk(CALM, held=100)
    order = stop(desk)
    answer(desk, desk.take(asked(HaltLevel.FLATTEN)), against=100)
    desk.kernel = Kernel.restored(desk.kernel.snapshot())
    desk.take(facts.NodeStarted(instance="deskdesk", account="A1", release="0"))
    desk.take(facts.BrokerStreamChanged(connected=True))
    canceled = OrderStatus.CANCELED
    desk.take(facts.OrderSent(order_id=order.order_id, broker_order_id="b1", status=canceled))
    desk.account()
    position = facts.BrokerPosition(
        symbol="AAPL",
        quantity_nanos=100 * NANOS,
        average_price_nanos=250 * NANOS,
        price_nanos=250 * NANOS,
    )
    effects = desk.take(facts.PositionsSeen(positions=(position,)))
    (close,) = submitted(answer(desk, effects))
    assert close.quantity_nanos == 100 * NANOS


def test_a_start_between_the_cancel_and_the_close_reads_again_and_closes() -> None:
    a_restart_between_goes_on()


# --- seeded runs ---


def seeded(seed: int) -> None:
    """Positions with stops, an account that is flattened twice, and fills at any moment."""
    random = Random(seed)
    world = begun(past=(100, 0, -100)[seed % 3] * NANOS)
    for symbol in SYMBOLS:
        for choice in range(24):
            if seed % 3 == 1 and choice % 2 == SYMBOLS.index(symbol) and choice < 4:
                world.order(choice, quantity=50, limited=False)
    for _ in range(60):
        if not world._step_to_rest():
            break
        world.broker.fill(0, parts=1)
    for step in range(80):
        if random.random() < 0.2:
            quantity = random.choice((10, 50))
            world.order(random.randrange(1 << 20), quantity=quantity, limited=False, stop=True)
        if random.random() < 0.05:
            world.take(halted(random.choice(SYMBOLS), event_ns=step))
        if random.random() < 0.1:
            world.take(resumed(random.choice(SYMBOLS), event_ns=step))
        if step == 40:
            world.take(asked(HaltLevel.FLATTEN))
        random_step(world, random)
        before_each_close_its_stops_are_asked_to_go(world)
    for symbol in SYMBOLS:
        world.take(resumed(symbol, event_ns=1_000))
    world.take(asked(HaltLevel.FLATTEN))
    world.quiesce()
    assert [world.broker.held(symbol) for symbol in SYMBOLS] == [0, 0]


def before_each_close_its_stops_are_asked_to_go(world: World) -> None:
    """What the last input decided: an account-wide close goes beside no stop that stays."""
    last = world.log[-1]
    for close in submitted(last.effects):
        if close.intent is not Intent.PLAN or "/latch:account" not in close.client_order_id:
            continue
        for order in world.shadow.working():
            if order.symbol == close.symbol and order.intent is not Intent.PLAN:
                kind = world.broker.orders.get(f"fb-testtest-{order.order_id}")
                stays = not order.cancel_wanted
                is_stop = kind is not None and kind.order.order_type is OrderType.STOP
                assert not (is_stop and stays), f"{order.order_id} works beside {close.order_id}"


@pytest.mark.parametrize("seed", [*range(12), 23])
def test_nothing_goes_through_zero_and_all_is_closed_whenever_stops_fill(seed: int) -> None:
    seeded(seed)


# --- the guards ---


@pytest.mark.parametrize(
    "row",
    [
        (
            halting.cancel_scope,
            "keeps = level is not HaltLevel.KILL",
            "keeps = level is HaltLevel.HALT",
            a_halted_symbol_keeps_its_stop,
        ),
        (
            plan._size_and_send,
            "if stops.take(turn, plan, leg.symbol):",
            "if False:",
            a_stop_that_is_not_gone_counts,
        ),
        (
            plan.order_closed,
            "if stops.are_gone(turn, plan, order):",
            "if False:",
            a_halted_symbol_keeps_its_stop,
        ),
        (
            plan.filled,
            "stops.take_outgrown(turn, plan)",
            "pass",
            a_stop_without_its_position_goes,
        ),
        (
            stops._cancel,
            "plan.orders[order.order_id] = None",
            "pass",
            the_report_counts_it,
        ),
        (
            stops.take,
            "book.working_orders(strategy=strategy, symbol=symbol)",
            "book.working_orders(symbol=symbol)",
            a_strategy_flattens_its_own,
        ),
    ],
)
def test_without_a_guard_a_test_fails(
    row: tuple[Callable[..., object], str, str, Callable[[], None]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert_pinned(monkeypatch, *row)
