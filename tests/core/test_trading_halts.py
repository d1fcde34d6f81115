"""An exchange's halt denies new risk, waits with closes, and ends by the exchange's word alone."""

from collections.abc import Callable
from random import Random

import msgspec
import pytest

from fuseboard.core import trading_halts
from fuseboard.core.kernel import Kernel
from fuseboard.core.state import State
from fuseboard.policy.rules import MarketBreakers
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.market_effects import RecordTradingHalt
from fuseboard.vocabulary.market_inputs import FeedHeard, TradingHalted, TradingResumed
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import OrderStatus, Side
from fuseboard.vocabulary.postures import HaltLevel, Posture
from fuseboard.vocabulary.reasons import Reason
from tests.core.test_known_failures import SECOND, Desk, accept, denied, submitted
from tests.core.test_operators import CALM, asked, reset
from tests.core.world import SYMBOLS, World, begun, random_step
from tests.deletion import assert_pinned, fails

DELAY_NS = MarketBreakers().resume_delay_ns
DAY_NS = 24 * 3600 * NANOS


def halted(symbol: str = "AAPL", level: int = 0, event_ns: int = 100) -> TradingHalted:
    return TradingHalted(symbol=symbol, code="P LUDP", event_ns=event_ns, level=level)


def resumed(symbol: str = "AAPL", event_ns: int = 200) -> TradingResumed:
    return TradingResumed(symbol=symbol, code="T LUDP", event_ns=event_ns)


def resting_in_a_halt() -> tuple[Desk, fx.SubmitOrder]:
    """A close that worked when its symbol was halted."""
    desk = Desk(CALM, held=100)
    (question,) = [e for e in desk.take(asked(HaltLevel.FLATTEN)) if isinstance(e, fx.ReadLeg)]
    leg = facts.LegRead(
        trip=question.trip, symbol="AAPL", attempt=1, position_nanos=100 * NANOS, against_nanos=0
    )
    (close,) = submitted(desk.take(leg))
    accept(desk, close, "b1")
    desk.take(halted())
    return desk, close


def buys(desk: Desk) -> list[Reason]:
    """Why a buy is denied; empty when it passes."""
    return denied(desk.order(Side.BUY, NANOS))


def wait(desk: Desk, ns: int) -> tuple[fx.Effect, ...]:
    desk.now_ns += ns
    desk.take(FeedHeard(feed="stocks"))
    effects = desk.take(facts.TimeAdvanced())
    desk.quote("AAPL", 250)
    return effects


def stages(effects: tuple[fx.Effect, ...]) -> list[tuple[str, str, str]]:
    return [
        (effect.symbol, effect.stage, effect.operator)
        for effect in effects
        if isinstance(effect, RecordTradingHalt)
    ]


def test_a_halted_symbol_admits_reductions_and_cancels_and_no_new_risk() -> None:
    desk = Desk(CALM, held=100)
    (working,) = submitted(desk.order(Side.BUY, NANOS))
    (exit_order,) = submitted(desk.order(Side.SELL, NANOS, 260))
    accept(desk, working, "b1")
    accept(desk, exit_order, "b2")
    effects = desk.take(halted())
    cancelled = [effect.order_id for effect in effects if isinstance(effect, fx.CancelOrder)]
    assert cancelled == [working.order_id], "what would raise exposure goes, the exit stays"
    assert (
        fx.PublishPosture(
            scope="symbol:AAPL", posture=Posture.REDUCE_ONLY, reason=Reason.TRADING_HALTED
        )
        in effects
    )
    assert stages(effects) == [("AAPL", "halted", "")]
    assert buys(desk) == [Reason.TRADING_HALTED]
    assert submitted(desk.order(Side.SELL, NANOS))
    taken = desk.take(
        facts.CancelRequested(request=77, strategy="alpha", order_id=exit_order.order_id)
    )
    assert fx.CancelOrder(order_id=exit_order.order_id, broker_order_id="b2") in taken


def resumption_needs_its_word_and_the_delay() -> None:
    desk = Desk(CALM)
    desk.agrees = True
    desk.take(halted())
    wait(desk, DAY_NS)
    desk.quote("AAPL", 251)
    assert buys(desk) == [Reason.TRADING_HALTED], "neither time nor a quote resumes"
    desk.take(resumed(event_ns=99))
    assert buys(desk) == [Reason.TRADING_HALTED], "that was said before the halt"
    assert stages(desk.take(resumed())) == [("AAPL", "resumed", "")]
    wait(desk, DELAY_NS - SECOND)
    assert buys(desk) == [Reason.TRADING_HALTED], "the delay is not over"
    assert stages(wait(desk, SECOND)) == [("AAPL", "let_on", "exchange")]
    assert buys(desk) == []


def test_only_the_resumption_and_the_delay_after_it_let_new_risk_on() -> None:
    resumption_needs_its_word_and_the_delay()


def test_a_halt_of_one_symbol_is_not_anothers() -> None:
    desk = Desk(CALM)
    desk.take(halted("MSFT"))
    assert buys(desk) == []


def survives_a_restart() -> None:
    desk = Desk(CALM)
    desk.take(halted())
    desk.kernel = Kernel.restored(desk.kernel.snapshot())
    desk.start()
    desk.quote("AAPL", 250)
    assert buys(desk) == [Reason.TRADING_HALTED]
    desk.take(resumed())
    wait(desk, DELAY_NS)
    assert buys(desk) == []


def test_a_halt_survives_a_restart() -> None:
    survives_a_restart()


def test_a_halt_again_during_the_delay_holds() -> None:
    desk = Desk(CALM)
    desk.agrees = True
    desk.take(halted())
    desk.take(resumed())
    desk.take(halted(event_ns=300))
    wait(desk, 2 * DELAY_NS)
    assert buys(desk) == [Reason.TRADING_HALTED]
    desk.take(resumed(event_ns=400))
    wait(desk, DELAY_NS)
    assert buys(desk) == []


def test_a_named_person_lets_on_what_the_exchanges_word_was_missed_of() -> None:
    desk = Desk(CALM)
    desk.take(halted())
    nobody = msgspec.structs.replace(reset("symbol:AAPL"), operator=" ")
    desk.take(nobody)
    desk.take(reset("symbol:MSFT"))
    desk.take(reset("account"))
    assert buys(desk) == [Reason.TRADING_HALTED]
    assert stages(desk.take(reset("symbol:AAPL"))) == [("AAPL", "let_on", "ann")]
    assert buys(desk) == []


def test_a_latch_of_the_symbol_outlives_the_exchanges_halt() -> None:
    desk = Desk(CALM)
    desk.take(halted())
    desk.take(asked(HaltLevel.HALT, "symbol:AAPL"))
    desk.take(resumed())
    wait(desk, DELAY_NS)
    assert buys(desk) == [Reason.POSTURE_HALTED], "a gauge never lifts a latch"


def test_a_policy_may_leave_halts_to_the_exchange() -> None:
    for market in (MarketBreakers(enabled=False), MarketBreakers(symbol_halts=False)):
        desk = Desk(msgspec.structs.replace(CALM, market=market))
        desk.take(halted())
        assert buys(desk) == []
    desk.take(halted("MSFT", level=1))
    assert buys(desk) == [Reason.TRADING_HALTED], "a market-wide halt is no symbol's"


# --- the whole market ---


@pytest.mark.parametrize("level", [1, 2])
def test_a_market_wide_level_pauses_the_account_until_the_exchange_resumes(level: int) -> None:
    desk = Desk(CALM)
    effects = desk.take(halted("MSFT", level))
    assert (
        fx.PublishPosture(
            scope="account", posture=Posture.REDUCE_ONLY, reason=Reason.TRADING_HALTED
        )
        in effects
    )
    assert buys(desk) == [Reason.TRADING_HALTED]
    desk.take(resumed("MSFT"))
    assert buys(desk) == [Reason.TRADING_HALTED]
    wait(desk, DELAY_NS)
    assert buys(desk) == []


def level_3_lasts_until_a_later_session() -> None:
    desk = Desk(CALM)
    desk.agrees = True
    desk.take(halted("MSFT", 3, event_ns=desk.now_ns))
    desk.take(resumed("MSFT", event_ns=desk.now_ns + 1))
    wait(desk, 2 * DELAY_NS)
    assert buys(desk) == [Reason.TRADING_HALTED], "no resumption on the same day"
    open_ns = desk.now_ns + 17 * 3600 * NANOS
    desk.take(facts.BrokerClockSeen(wall_ns=desk.now_ns, is_open=False))
    desk.take(
        facts.SessionRolled(
            calendar="XNYS",
            session="1970-01-02",
            week_began="1970-01-01",
            month_began="1970-01-01",
            open_ns=open_ns,
            close_ns=open_ns + DAY_NS // 4,
        )
    )
    wait(desk, 16 * 3600 * NANOS)
    wait(desk, DELAY_NS)
    assert buys(desk) == [Reason.TRADING_HALTED], "that session is not open yet"
    wait(desk, 3600 * NANOS)
    effects = wait(desk, DELAY_NS)
    assert ("", "let_on", "calendar:XNYS") in stages(effects)
    assert buys(desk) == []


def test_a_market_wide_level_3_lasts_until_a_later_session_is_open() -> None:
    level_3_lasts_until_a_later_session()


# --- plans ---


def reads(effects: tuple[fx.Effect, ...]) -> list[int]:
    return [effect.attempt for effect in effects if isinstance(effect, fx.ReadLeg)]


def legs_wait_for_the_resumption() -> None:
    desk = Desk(CALM, held=100)
    desk.take(halted())
    assert reads(desk.take(asked(HaltLevel.FLATTEN))) == [], "nobody could trade it"
    for _ in range(100):
        assert reads(wait(desk, SECOND)) == []
    assert reads(desk.take(resumed())) == [1], "at once, and no attempt was spent"


def test_the_legs_of_a_plan_wait_for_the_resumption_and_spend_no_attempt() -> None:
    legs_wait_for_the_resumption()


def an_answer_that_comes_in_a_halt_sends_nothing() -> None:
    desk = Desk(CALM, held=100)
    effects = desk.take(asked(HaltLevel.FLATTEN))
    (question,) = [effect for effect in effects if isinstance(effect, fx.ReadLeg)]
    desk.take(halted())
    leg = facts.LegRead(
        trip=question.trip, symbol="AAPL", attempt=1, position_nanos=100 * NANOS, against_nanos=0
    )
    assert submitted(desk.take(leg)) == []
    assert reads(desk.take(resumed())) == [1]
    assert len(submitted(desk.take(leg))) == 1


def test_an_answer_that_comes_in_a_halt_sends_nothing() -> None:
    an_answer_that_comes_in_a_halt_sends_nothing()


def test_a_close_that_works_when_the_halt_comes_rests_and_is_followed_up_after_it() -> None:
    desk, close = resting_in_a_halt()
    for _ in range(10):
        assert not any(isinstance(e, fx.CancelOrder) for e in wait(desk, SECOND))
    desk.take(resumed())
    wait(desk, SECOND)
    effects = wait(desk, 2 * SECOND)
    assert fx.CancelOrder(order_id=close.order_id, broker_order_id="b1") in effects


def test_a_close_that_ends_in_a_halt_is_no_try() -> None:
    desk, close = resting_in_a_halt()
    desk.take(
        facts.OrderEnded(
            order_id=close.order_id,
            broker_order_id="b1",
            status=OrderStatus.CANCELED,
            filled_quantity_nanos=0,
            filled_price_nanos=0,
        )
    )
    assert reads(desk.take(resumed())) == [2]
    (leg_state,) = [
        leg
        for plan in msgspec.json.decode(desk.kernel.snapshot(), type=State).plans.values()
        for leg in plan.legs.values()
    ]
    assert leg_state.tries == 0


# --- seeded runs under the laws, and the guards ---


def seeded(seed: int) -> World:
    """A seeded run of the laws' world in which the exchange halts and resumes symbols."""
    random = Random(seed)
    world = begun(past=(0, 150, -150)[seed % 3] * NANOS)
    for step in range(150):
        random_step(world, random)
        if random.random() < 0.06:
            symbol, level = random.choice((*SYMBOLS, "")), random.choice((0, 0, 1))
            world.take(halted(symbol, level if symbol else 1, event_ns=step))
        if random.random() < 0.08:
            world.take(resumed(random.choice((*SYMBOLS, "")), event_ns=step))
    for symbol in (*SYMBOLS, ""):
        world.take(resumed(symbol, event_ns=1_000))
    world.wait(DELAY_NS // 1_000_000)
    world.quiesce()
    return world


@pytest.mark.parametrize("seed", range(8))
def test_the_laws_hold_while_exchanges_halt_and_resume(seed: int) -> None:
    world = seeded(seed)
    seen = [effect for record in world.log for effect in record.effects]
    assert any(isinstance(effect, RecordTradingHalt) for effect in seen)


@pytest.mark.parametrize(
    ("function", "text", "test"),
    [
        (
            trading_halts.trading_resumed,
            " or fact.event_ns < halt.event_ns",
            resumption_needs_its_word_and_the_delay,
        ),
        (
            trading_halts.let_on_when_due,
            " and turn.boot_ns >= halt.due_boot_ns",
            resumption_needs_its_word_and_the_delay,
        ),
        (
            trading_halts._later_session,
            " <= turn.wall_ns",
            level_3_lasts_until_a_later_session,
        ),
    ],
)
def test_without_a_guard_a_test_fails(
    function: Callable[..., object],
    text: str,
    test: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert_pinned(monkeypatch, function, text, "", test)


@pytest.mark.parametrize(
    "test", [legs_wait_for_the_resumption, an_answer_that_comes_in_a_halt_sends_nothing]
)
def test_without_standing_still_closes_would_be_sent_into_a_halt(
    test: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(State, "stands_still", lambda *_: False)
    assert fails(test)
