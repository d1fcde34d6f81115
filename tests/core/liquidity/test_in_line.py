"""Which legs stand in a symbol's line before another, and what is not left for having waited."""

import pytest

from fuseboard.core import leaving, trying
from fuseboard.core.legs import Leg, Plan
from fuseboard.core.state import Turn
from fuseboard.core.stops import STOPS
from fuseboard.policy.policy import Policy
from tests.core.liquidity.market import LIMITS, WIDE, LiquidDesk
from tests.core.test_known_failures import Desk


def plan_of(turn: Turn, name: str, leg: Leg) -> Plan:
    """A plan that closes this leg, among the state's; the later, the younger."""
    plan = Plan(
        trip=name,
        scope="account",
        stage="closing",
        began_boot_ns=turn.boot_ns,
        deadline_boot_ns=0,
        orders={},
        legs={leg.symbol: leg},
    )
    turn.state.plans[name] = plan
    return plan


def has_to_wait(turn: Turn, other: Leg) -> bool:
    """Whether the younger of two plans has to wait for the older one's leg."""
    turn.state.plans.clear()
    plan_of(turn, "older", other)
    leg = Leg(symbol="AAPL", stage="waiting")
    return leaving.waits(turn, plan_of(turn, "younger", leg), leg)


@pytest.mark.parametrize(
    ("stage", "waits_for", "before"),
    [
        ("reading", "", True),
        ("waiting", leaving.TURN, True),
        ("waiting", STOPS, True),
        ("waiting", leaving.MARKET, False),
        ("waiting", "", False),
        ("left", "", False),
    ],
)
def test_who_reads_or_waits_for_its_turn_or_its_stops_is_in_the_line(
    stage: str, waits_for: str, before: bool
) -> None:
    turn = Desk().kernel._turn
    assert has_to_wait(turn, Leg(symbol="AAPL", stage=stage, waits_for=waits_for)) is before


def test_who_waits_for_a_new_book_is_in_the_line_once_it_is_there() -> None:
    turn = LiquidDesk(Policy(limits=LIMITS, losses=(), data=WIDE)).calm().kernel._turn
    book, now_ns = turn.state.liquidity["AAPL"], turn.boot_ns
    waiting = Leg(symbol="AAPL", stage="waiting", waits_for=leaving.BOOK)
    assert has_to_wait(turn, waiting), "nobody took anything: there is no other book to wait for"
    assert turn.state.plans["younger"].legs["AAPL"].waits_for == leaving.TURN
    book.seen_boot_ns = book.quote_boot_ns = now_ns
    waiting.taken_boot_ns = now_ns
    turn.state.plans.clear()
    plan_of(turn, "older", waiting)
    leg = Leg(symbol="AAPL", stage="waiting")
    assert not leaving._waits_for_turn(turn, plan_of(turn, "younger", leg), leg), "both wait for it"


def test_a_leg_that_was_never_given_a_turn_is_not_left_when_the_time_is_over() -> None:
    turn = Desk().kernel._turn
    leg = Leg(symbol="AAPL", stage="waiting")
    plan = plan_of(turn, "only", leg)
    turn.boot_ns += turn.policy.execution.close_within_ns
    assert trying.why_over(turn, plan, leg) == ""
    leg.turns = 1
    assert "the market did not take it" in trying.why_over(turn, plan, leg)
    leg.chunk = True
    assert trying.why_over(turn, plan, leg) == "", "a part is never the last close"
