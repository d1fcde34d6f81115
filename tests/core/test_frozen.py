"""What a person froze stays open in a stop that flattens, until it is asked to be closed anew."""

from collections.abc import Callable

import pytest

from fuseboard.core import draining, freezing, halting, rearming
from fuseboard.core.kernel import Kernel
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.actions import DrainRule
from fuseboard.vocabulary.evidence_effects import RecordDrain, RecordPlan
from fuseboard.vocabulary.orders import Severity
from fuseboard.vocabulary.postures import HaltLevel
from fuseboard.vocabulary.reasons import Reason
from tests.core.test_known_failures import Desk
from tests.core.test_operators import CALM, asked, reset
from tests.deletion import assert_pinned

BY_ANN = "frozen by ann: left open"


def frozen(scope: str, *, flattened: bool = True) -> Desk:
    """A desk that holds 100 AAPL and was told to flatten, and to freeze that."""
    desk = Desk(CALM, held=100)
    if flattened:
        desk.take(asked(HaltLevel.FLATTEN, scope))
    desk.take(asked(HaltLevel.FREEZE, scope))
    return desk


def drained(desk: Desk, rule: DrainRule = DrainRule.FLATTEN) -> tuple[RecordDrain, list[str]]:
    """The record of a stop, and the symbols that it asks the broker about to close them."""
    effects = desk.take(facts.DrainRequested(rule=rule))
    (record,) = [effect for effect in effects if isinstance(effect, RecordDrain)]
    return record, [effect.symbol for effect in effects if isinstance(effect, fx.ReadLeg)]


@pytest.mark.parametrize("flattened", [True, False])
def test_a_stop_that_flattens_leaves_a_frozen_account_open_and_says_so(flattened: bool) -> None:
    record, closes = drained(frozen("account", flattened=flattened))
    assert closes == []
    assert record.trip == ""
    assert record.frozen == (f"account {BY_ANN}",)


def a_frozen_symbol_is_left_open() -> None:
    desk = frozen("symbol:AAPL")
    effects = desk.take(facts.DrainRequested(rule=DrainRule.FLATTEN))
    assert not any(isinstance(effect, fx.ReadLeg) for effect in effects)
    (*_, plan) = [effect for effect in effects if isinstance(effect, RecordPlan)]
    assert (plan.trip, plan.stage) == ("drain:account#1", "ended")
    assert plan.left == (f"AAPL 100 {BY_ANN}",)
    alerts = [effect for effect in effects if isinstance(effect, fx.RaiseAlert)]
    assert any(BY_ANN in at.text and at.severity is Severity.PAGE for at in alerts)


def test_a_stop_that_flattens_leaves_a_frozen_symbol_open_and_pages_it() -> None:
    a_frozen_symbol_is_left_open()


def test_another_symbols_freeze_keeps_nothing_open() -> None:
    record, closes = drained(frozen("symbol:MSFT", flattened=False))
    assert closes == ["AAPL"]
    assert record.frozen == (f"symbol:MSFT {BY_ANN}",)


def what_a_frozen_strategy_holds_is_left_open() -> None:
    desk = Desk(CALM, held=100)
    book = desk.kernel._state.book
    book.strategy("alpha").adopt("AAPL", 40 * 10**9, 250 * 10**9, 250 * 10**9)
    desk.take(asked(HaltLevel.FREEZE, "strategy:alpha"))
    assert drained(desk)[1] == []


def test_what_a_frozen_strategy_holds_is_left_open() -> None:
    what_a_frozen_strategy_holds_is_left_open()


def a_freeze_survives_a_restart() -> None:
    desk = frozen("account")
    desk.kernel = Kernel.restored(desk.kernel.snapshot())
    desk.start()
    assert drained(desk)[1] == []


def test_a_freeze_survives_a_restart() -> None:
    a_freeze_survives_a_restart()


def test_a_freeze_that_only_the_register_holds_is_one() -> None:
    desk = Desk(CALM, held=100)
    latched = facts.LatchedScope(
        scope="account", level=HaltLevel.FREEZE, reason=Reason.OPERATOR, trip="", halt_epoch=9
    )
    desk.start((latched,))
    record, closes = drained(desk)
    assert closes == []
    assert record.frozen == ("account frozen by a person: left open",)


@pytest.mark.parametrize("rule", [DrainRule.CANCEL, DrainRule.LEAVE])
def test_a_stop_that_closes_nothing_speaks_of_no_freeze(rule: DrainRule) -> None:
    assert drained(frozen("account"), rule)[0].frozen == ()


def a_flattening_asked_for_anew_is_one() -> None:
    desk = frozen("symbol:AAPL")
    desk.take(asked(HaltLevel.FLATTEN, "account"))
    assert drained(desk)[0].frozen == ()


def test_a_flattening_that_is_asked_for_anew_ends_the_freeze() -> None:
    a_flattening_asked_for_anew_is_one()


def a_reset_ends_the_freeze() -> None:
    desk = frozen("account")
    desk.take(reset("account"))
    record, closes = drained(desk)
    assert closes == ["AAPL"]
    assert record.frozen == ()


def test_a_reset_ends_the_freeze() -> None:
    a_reset_ends_the_freeze()


def a_frozen_account_is_left_open() -> None:
    assert drained(frozen("account"))[1] == []


@pytest.mark.parametrize(
    ("function", "text", "instead", "test"),
    [
        (
            draining.drain_requested,
            " and not freezing.is_account(state)",
            "",
            a_frozen_account_is_left_open,
        ),
        (
            draining.drain_requested,
            "kept=freezing.kept(state)",
            "kept={}",
            a_frozen_symbol_is_left_open,
        ),
        (
            freezing.kept,
            "            symbols = state.book.held(strategy=name)\n",
            "            pass\n",
            what_a_frozen_strategy_holds_is_left_open,
        ),
        (
            rearming.clear,
            "    turn.state.frozen.pop(scope, None)\n",
            "",
            a_reset_ends_the_freeze,
        ),
        (
            halting.latch_scope,
            "        freezing.thaw(state, scope)\n",
            "",
            a_flattening_asked_for_anew_is_one,
        ),
    ],
)
def test_without_a_guard_a_test_fails(
    function: Callable[..., object],
    text: str,
    instead: str,
    test: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert_pinned(monkeypatch, function, text, instead, test)
