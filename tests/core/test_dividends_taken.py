"""A dividend whose cash comes while the books differ: taking the broker's word counts it once."""

import pytest

from fuseboard.core import dividends
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.operator_inputs import OperatorHaltRequested, OperatorResetRequested
from fuseboard.vocabulary.postures import HaltLevel
from tests.core.test_dividends import EX, HELD, PAYABLE, account, desk, priced, said, until
from tests.core.test_known_failures import Desk

STRANGE = 10
"""Shares of KO at 30 that somebody bought past the gateway."""


def seen(at: Desk) -> None:
    """The broker's positions: ours, and the stranger's shares."""
    ours = facts.BrokerPosition(
        symbol="AAPL",
        quantity_nanos=HELD * NANOS,
        average_price_nanos=250 * NANOS,
        price_nanos=240 * NANOS,
    )
    strange = facts.BrokerPosition(
        symbol="KO",
        quantity_nanos=STRANGE * NANOS,
        average_price_nanos=30 * NANOS,
        price_nanos=30 * NANOS,
    )
    at.take(facts.PositionsSeen(positions=(ours, strange)))


def flatten(at: Desk) -> None:
    at.take(
        OperatorHaltRequested(
            request=3, operator="ann", reason="out", scope="account", level=HaltLevel.FLATTEN
        )
    )


def reset(at: Desk) -> None:
    at.take(OperatorResetRequested(request=4, operator="ann", reason="seen", scope="account"))


def owed_apart(*, paid: int) -> Desk:
    """A dividend of 10 a share is payable, so much of it is in the broker's cash, and KO differs:
    the stranger's shares cost 2 dollars more than their mark.
    """
    at = desk()
    said(at)
    until(at, EX)
    priced(at, 240)
    until(at, PAYABLE)
    seen(at)
    at.cash += paid * HELD - STRANGE * 30 - 2
    account(at, 240)
    assert at.kernel._state.dividends.owed[""] == 10 * HELD * NANOS * NANOS
    return at


def equity(at: Desk) -> int:
    """The account's, in whole dollars, by its books."""
    state = at.kernel._state
    ledger, owed = state.book.account, state.dividends.owed.get("", 0)
    return (ledger.cash_attos + ledger.value_attos + owed) // NANOS**2


@pytest.mark.parametrize("take", [flatten, reset], ids=["a plan", "a reset"])
def test_cash_that_is_taken_with_positions_that_differed_has_the_dividend_once(
    take: object,
) -> None:
    at = owed_apart(paid=10)
    assert callable(take)
    take(at)
    assert not at.kernel._state.dividends.known
    assert equity(at) == 300_000 - 2


@pytest.mark.parametrize("take", [flatten, reset], ids=["a plan", "a reset"])
def test_what_has_not_come_by_then_is_owed_still(take: object) -> None:
    at = owed_apart(paid=0)
    assert callable(take)
    take(at)
    assert at.kernel._state.dividends.owed[""] == 10 * HELD * NANOS * NANOS
    assert equity(at) == 300_000 - 2


def test_a_reset_that_takes_cash_which_nothing_explains_has_the_dividend_once() -> None:
    at = desk()
    said(at)
    until(at, EX)
    priced(at, 240)
    until(at, PAYABLE)
    at.cash += 10 * HELD + 2_000
    for _ in range(4):
        account(at, 240)
    assert at.kernel._state.cash_apart is not None
    reset(at)
    assert not at.kernel._state.dividends.known
    assert equity(at) == 300_000 + 2_000


def test_without_it_a_dividend_counts_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dividends, "taken", lambda *_: None)
    with pytest.raises(AssertionError):
        test_cash_that_is_taken_with_positions_that_differed_has_the_dividend_once(flatten)
    with pytest.raises(AssertionError):
        test_a_reset_that_takes_cash_which_nothing_explains_has_the_dividend_once()
