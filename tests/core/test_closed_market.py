"""A liquidation while the market is closed: nothing is sent, nothing is lost, and it goes on."""

import pytest

from fuseboard.core.leaving import LOOK_EVERY_NS, waits_for_market
from fuseboard.core.legs import Leg
from fuseboard.core.periods import BROKER_CLOCK_AGE_NS_MAX
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.evidence_effects import RecordPlan
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Severity
from tests.core.liquidity.market import SECOND, LiquidDesk, of
from tests.core.liquidity.test_leaving import POLICY, Floor

MEASURED_OR_NOT = pytest.mark.parametrize("measured", [True, False])


def floor(held: int, *, measured: bool = False) -> Floor:
    return Floor(LiquidDesk(POLICY, held=held, enabled=measured).calm(), held)


def clock(market: Floor, *, is_open: bool) -> tuple[fx.Effect, ...]:
    desk = market.desk
    effects = desk.take(facts.BrokerClockSeen(wall_ns=desk.now_ns, is_open=is_open))
    market.hear(effects)
    return effects


def closed(market: Floor, minutes: int) -> None:
    """So long the broker's clock, read every five minutes, says that the market is closed."""
    for minute in range(minutes):
        if minute % 5 == 0:
            clock(market, is_open=False)
        market.wait(60, silent=True)


def session(market: Floor, *, opens_in_s: int, closes_in_s: int) -> None:
    desk = market.desk
    market.hear(
        desk.take(
            facts.SessionRolled(
                calendar="XNYS",
                session="2026-11-23",
                week_began="2026-11-23",
                month_began="2026-11-02",
                open_ns=desk.now_ns + opens_in_s * SECOND,
                close_ns=desk.now_ns + closes_in_s * SECOND,
            )
        )
    )


def last_plan(market: Floor) -> RecordPlan:
    (plan,) = market.plans.values()
    return plan


def pages(effects: tuple[fx.Effect, ...]) -> list[str]:
    return [each.text for each in of(effects, fx.RaiseAlert) if each.severity is Severity.PAGE]


@MEASURED_OR_NOT
def test_nothing_is_sent_while_the_market_is_closed_and_all_is_closed_once_it_opens(
    measured: bool,
) -> None:
    market = floor(200, measured=measured)
    clock(market, is_open=False)
    market.flatten()
    closed(market, 90)
    assert not market.closes
    assert not market.ended()
    assert market.reads == 1
    clock(market, is_open=True)
    market.wait(150 if measured else 15)
    assert (market.held, market.ended()) == (0, True)
    assert (market.sizes()[0] < 200) == measured, "in parts, as if it began when it opened"
    assert [plan.left for plan in market.plans.values()] == [()]


def test_people_are_paged_once_and_told_what_stays_open() -> None:
    market = floor(200)
    clock(market, is_open=False)
    heard: list[str] = []
    hear = market.hear

    def listen(effects: tuple[fx.Effect, ...]) -> None:
        heard.extend(pages(effects))
        hear(effects)

    market.hear = listen  # type: ignore[method-assign]
    market.flatten()
    closed(market, 20)
    (page,) = [text for text in heard if "closed" in text]
    assert "AAPL stays open; it goes on when the market opens" in page
    clock(market, is_open=True)
    market.left, market.shown = 0, lambda _second: 0
    market.wait(31 * 60)
    assert market.ended()
    assert not any("the market is closed" in left for left in last_plan(market).left)


def test_the_calendars_open_ends_the_wait_though_the_brokers_clock_was_read_before() -> None:
    market = floor(50)
    clock(market, is_open=False)
    session(market, opens_in_s=100, closes_in_s=10_000)
    market.flatten()
    market.wait(99)
    assert not market.closes
    market.wait(2 + LOOK_EVERY_NS // SECOND)
    assert market.held == 0


def test_a_broker_whose_clock_is_behind_ours_holds_nothing_back_after_its_own_open() -> None:
    market = floor(50)
    session(market, opens_in_s=-1, closes_in_s=10_000)
    desk = market.desk
    desk.take(facts.BrokerClockSeen(wall_ns=desk.now_ns - 5 * SECOND, is_open=False))
    market.flatten().wait(3)
    assert not market.closes, "four seconds before the open by its own clock"
    market.wait(2 + LOOK_EVERY_NS // SECOND)
    assert market.held == 0


def test_a_word_of_the_brokers_that_is_old_holds_nothing_back() -> None:
    market = floor(50)
    clock(market, is_open=False)
    market.flatten()
    market.wait(BROKER_CLOCK_AGE_NS_MAX // SECOND - 1)
    assert not market.closes
    market.wait(2 + LOOK_EVERY_NS // SECOND)
    assert market.held == 0


def test_our_own_clock_and_calendar_alone_hold_no_close_back() -> None:
    market = floor(50)
    clock(market, is_open=True)
    session(market, opens_in_s=-1_000, closes_in_s=10)
    market.wait(20).flatten().wait(2)
    assert market.held == 0


def test_the_time_that_a_liquidation_has_begins_when_the_market_opens() -> None:
    market = floor(50)
    clock(market, is_open=False)
    market.flatten()
    closed(market, 120)
    clock(market, is_open=True)
    market.left, market.shown = 0, lambda _second: 0
    market.wait(25 * 60)
    assert not market.ended(), "close_within is 30 minutes of an open market"
    market.wait(6 * 60)
    assert market.ended()


def test_a_pair_has_no_hours() -> None:
    market = floor(50)
    clock(market, is_open=False)
    plan = market.plan_by_hand()
    turn = market.desk.kernel._turn
    assert waits_for_market(turn, plan, Leg(symbol="AAPL", left_nanos=NANOS))
    assert not waits_for_market(turn, plan, Leg(symbol="BTC/USD", left_nanos=NANOS))
