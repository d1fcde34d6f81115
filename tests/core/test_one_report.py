"""One report never closes or kills: the same fact is not two sources, and the next must agree."""

import pytest

from fuseboard.core import watchlist
from fuseboard.core.fuses.confirmation import BOOKS_SOURCE
from fuseboard.core.fuses.machine import FuseState
from fuseboard.core.measures.values import PRIOR
from fuseboard.policy.policy import Policy
from fuseboard.policy.rules import LossRule
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.actions import Action
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.postures import Posture
from tests.core.test_breakers import SECOND, BreakerDesk, breaker, trips
from tests.core.test_known_failures import Desk

CLOSING = (Action.FLATTEN, Action.KILL)
MARGIN = "maintenance_margin < 1.25"


class ReadDesk(BreakerDesk):
    """A desk whose broker also says what it requires."""

    def read(self, required: int, equity: int = 1_000_000) -> tuple[fx.Effect, ...]:
        self.now_ns += SECOND
        return self.take(
            facts.AccountSeen(
                cash_nanos=self.cash * NANOS,
                equity_nanos=equity * NANOS,
                last_equity_nanos=1_000_000 * NANOS,
                multiplier=4,
                shorting_enabled=True,
                maintenance_margin_nanos=required * NANOS,
                buying_power_nanos=NANOS**2 // (required + 1),
            )
        )

    def vix(self, points: int) -> tuple[fx.Effect, ...]:
        self.now_ns += SECOND
        return self.reports(points)


@pytest.mark.parametrize("action", CLOSING)
@pytest.mark.parametrize("condition", [MARGIN, "buying_power < 1000"])
def test_one_bad_reading_of_the_account_closes_nothing_and_a_second_does(
    condition: str, action: Action
) -> None:
    desk = ReadDesk(breaker(condition, action), held=1_000)
    desk.read(75_000)
    assert trips(desk.read(7_500_000)) == []
    for price in (249, 250, 249):  # marks say nothing about the requirement
        assert trips(desk.quote("AAPL", price)) == []
    desk.later(2)
    assert desk.posture() is Posture.REDUCE_ONLY
    desk.read(75_000)
    assert desk.posture() is Posture.OPEN
    assert desk.fuse().state is FuseState.MONITORING
    assert trips(desk.read(7_500_000)) == []
    assert trips(desk.read(7_400_000)) == ["b:account#1"]


@pytest.mark.parametrize("action", CLOSING)
def test_one_report_from_outside_waits_for_the_next_that_agrees(action: Action) -> None:
    desk = ReadDesk(breaker("vix > 30", action), held=1_000)
    desk.vix(20)
    dated_ns = desk.now_ns
    assert trips(desk.reports(3_000)) == []
    again = desk.reports(3_000, age_ns=desk.now_ns - dated_ns)
    assert trips(again) == []  # told twice, it is one report
    desk.later(2)
    assert desk.posture() is Posture.REDUCE_ONLY
    desk.vix(20)
    assert desk.posture() is Posture.OPEN
    assert trips(desk.vix(31)) == []
    assert trips(desk.vix(32)) == ["b:account#1"]


def test_to_halt_one_report_is_enough() -> None:
    for condition in ("vix > 30", "buying_power < 1 or vix > 30"):
        desk = ReadDesk(breaker(condition), held=1_000)
        desk.read(75_000)
        desk.vix(20)
        assert trips(desk.vix(3_000)) == ["b:account#1"]


def test_a_breach_over_equity_is_not_confirmed_by_the_fact_that_began_it() -> None:
    desk = ReadDesk(breaker(MARGIN), held=1_000)
    desk.read(75_000)
    assert trips(desk.read(7_500_000)) == []
    assert desk.fuse().breach.source == BOOKS_SOURCE
    assert trips(desk.read(7_500_000)) == ["b:account#1"]


def test_a_reading_that_moves_our_own_equity_below_a_floor_is_one_source() -> None:
    rule = LossRule(name="fall", limit_nanos=51 * NANOS // 10_000)
    desk = Desk(Policy(losses=(rule,)), cash=750_000, held=1_000)
    desk.quote("AAPL", 246)
    desk.quote("AAPL", 245)
    fuse = desk.kernel._state.drawdowns["fall:account"]
    equity = desk.kernel._state.book.account
    above = (equity.cash_attos + equity.value_attos - fuse.floor_attos) // NANOS**2
    assert above > 0
    assert fuse.breach.source != BOOKS_SOURCE
    desk.now_ns += 6 * SECOND
    desk.cash -= above + 1
    assert trips(desk.account(993_000)) == []
    assert str(fuse.breach.source) == BOOKS_SOURCE
    assert trips(desk.account(993_000)) == ["fall:account#1"]


def test_a_report_too_old_when_the_next_one_came_agrees_with_nothing() -> None:
    desk = ReadDesk(breaker("vix > 30", Action.FLATTEN), held=1_000)
    desk.vix(31)
    desk.now_ns += (4 * 24 * 3600 + 1) * SECOND
    assert trips(desk.vix(31)) == []
    assert trips(desk.vix(31)) == ["b:account#1"]
    desk = ReadDesk(breaker(MARGIN, Action.FLATTEN), held=1_000)
    desk.read(7_500_000)
    desk.now_ns += 61 * SECOND
    assert trips(desk.read(7_500_000)) == []


def test_a_loss_beside_a_report_is_confirmed_by_marks_alone() -> None:
    desk = ReadDesk(breaker("daily_pnl <= -0.7% or vix > 30", Action.FLATTEN), held=1_000)
    desk.vix(20)
    assert trips(desk.quote("AAPL", 243)) == []
    assert trips(desk.quote("AAPL", 243)) == ["b:account#1"]


def test_the_watchlist_and_the_values_name_the_same_reports() -> None:
    assert set(watchlist.REPORTED) == set(PRIOR)
