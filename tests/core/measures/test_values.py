"""What the measures say, against plain arithmetic on what the desk did."""

import pytest

from fuseboard.core.measures.values import VALUES, value_of
from fuseboard.policy.limits import Limits
from fuseboard.policy.policy import Policy
from fuseboard.policy.rules import StrategyRule
from fuseboard.vocabulary.catalogue import CATALOGUE, Place
from fuseboard.vocabulary.money import NANOS
from tests.core.test_known_failures import Desk

POLICY = Policy(
    limits=Limits(order_value_nanos_max=NANOS**2),
    strategies=(StrategyRule(name="alpha", capital_nanos=50_000 * NANOS),),
)


def test_every_state_measure_of_the_catalogue_is_read_and_no_other() -> None:
    wanted = [measure.name for measure in CATALOGUE if measure.place is Place.STATE]
    assert sorted(VALUES) == sorted(wanted)


def test_equity_and_exposures_are_those_of_the_books() -> None:
    desk = Desk(POLICY, held=300)
    turn = desk.kernel._turn
    account = turn.state.book.account
    held_attos = sum(at.quantity_nanos * at.mark_nanos for at in account.positions.values())
    equity_attos = account.cash_attos + held_attos
    assert value_of(turn, "equity", "account") == equity_attos
    assert value_of(turn, "gross_exposure", "account") == (held_attos, equity_attos)
    assert value_of(turn, "net_exposure", "account") == (held_attos, equity_attos)
    assert value_of(turn, "positions", "account") == 1
    assert value_of(turn, "positions", "symbol:NONE") == 0
    assert value_of(turn, "working_orders", "account") == 0


def test_what_nobody_knows_is_none_and_not_zero() -> None:
    turn = Desk(POLICY, held=0).kernel._turn
    assert value_of(turn, "vix", "account") is None
    assert value_of(turn, "equity", "symbol:AAPL") is None
    assert value_of(turn, "equity", "strategy:stranger") is None
    with pytest.raises(KeyError):
        value_of(turn, "order_price", "account")
