"""A halt of a scope that nothing bears is latched all the same, and said to be unknown."""

import pytest

from fuseboard.core import scopes
from fuseboard.policy.limits import Limits
from fuseboard.policy.policy import Policy
from fuseboard.policy.rules import StrategyRule
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.market_inputs import TradingHalted
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.operator_inputs import OperatorHaltRequested
from fuseboard.vocabulary.orders import OrderType, Side, TimeInForce
from fuseboard.vocabulary.postures import HaltLevel
from tests.core.test_known_failures import Desk, denied, submitted

TWO = Policy(
    limits=Limits(order_value_nanos_max=NANOS**2),
    sectors={"MSFT": "tech"},
    restricted=("GME",),
    strategies=(
        StrategyRule(name="alpha", capital_nanos=100_000 * NANOS, symbols=("AAPL", "SPY")),
        StrategyRule(name="beta", capital_nanos=100_000 * NANOS),
    ),
)


def halted(desk: Desk, scope: str, level: HaltLevel = HaltLevel.HALT) -> tuple[str, list[str]]:
    """The note of the answer, and the scopes that were latched."""
    fact = OperatorHaltRequested(
        request=9, operator="ann", reason="drill", scope=scope, level=level
    )
    effects = desk.take(fact)
    (answer,) = [effect for effect in effects if isinstance(effect, fx.AnswerOperator)]
    assert answer.accepted
    return answer.note, [effect.scope for effect in effects if isinstance(effect, fx.LatchHalt)]


@pytest.mark.parametrize("level", list(HaltLevel))
def test_a_mistyped_strategy_is_latched_and_said_to_be_unknown_each_time(level: HaltLevel) -> None:
    desk = Desk(TWO)
    for _ in range(2):
        note, latched = halted(desk, "strategy:alpa", level)
        assert note == 'no strategy "alpa" is known; known: alpha, beta'
        assert latched == ["strategy:alpa"]
    assert submitted(desk.order(Side.BUY, NANOS, 240, strategy="alpha"))


def test_a_mistyped_symbol_is_said_to_be_unknown_also_when_a_strategy_mistyped_it() -> None:
    desk = Desk(TWO)
    mistyped = facts.OrderRequested(
        request=1,
        strategy="beta",
        client_order_id="c1",
        symbol="APPL",
        side=Side.BUY,
        order_type=OrderType.MARKET,
        time_in_force=TimeInForce.DAY,
        quantity_nanos=NANOS,
    )
    assert denied(desk.take(mistyped))
    note, latched = halted(desk, "symbol:APPL")
    listed = "with one: AAPL, GME, MSFT, SPY"
    assert note == f'symbol "APPL" has no price, order or position yet; {listed}'
    assert latched == ["symbol:APPL"]


@pytest.mark.parametrize(
    "scope",
    ["account", "strategy:alpha", "strategy:beta", "symbol:AAPL", "symbol:GME", "symbol:MSFT"],
)
def test_nothing_is_noted_of_what_is_known(scope: str) -> None:
    assert halted(Desk(TWO), scope)[0] == ""


def test_a_strategy_that_only_has_an_order_and_a_symbol_that_is_only_halted_are_known() -> None:
    desk = Desk()
    assert submitted(desk.order(Side.BUY, NANOS, 240, strategy="solo"))
    assert halted(desk, "strategy:solo")[0] == ""
    assert halted(desk, "symbol:ZZZ")[0]
    desk.take(TradingHalted(symbol="ZZZ", code="T1", event_ns=100))
    assert halted(desk, "symbol:ZZZ")[0] == ""


def test_of_many_names_a_few_are_listed() -> None:
    rules = tuple(
        StrategyRule(name=f"s{at:02}", capital_nanos=NANOS)
        for at in range(scopes.KNOWN_SHOWN_MAX + 3)
    )
    note, _ = halted(Desk(Policy(strategies=rules)), "strategy:s")
    assert note.endswith("s08, s09 and 3 more")
