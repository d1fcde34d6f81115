"""A position that the broker holds and nobody can read is never taken for flat."""

import pytest

from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.broker_latch_effects import LatchBroker
from fuseboard.vocabulary.evidence_effects import RecordPlan
from fuseboard.vocabulary.inputs import UNNAMED
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.operator_inputs import OperatorHaltRequested, OperatorResetRequested
from fuseboard.vocabulary.orders import Severity
from fuseboard.vocabulary.postures import HaltLevel, Posture
from fuseboard.vocabulary.reasons import Reason
from fuseboard.vocabulary.reset_effects import RecordRecovery
from tests.core.compared import Compared, policy_of, stages


def unread(desk: Compared, *symbols: str) -> tuple[fx.Effect, ...]:
    return desk.take(facts.PositionsSeen(positions=(), unread=symbols))


def test_what_cannot_be_read_is_paged_once_and_corrects_nothing() -> None:
    desk = Compared(policy_of("reduce_only", auto_correct=True), held=100)
    effects = unread(desk, "AAPL")
    assert stages(effects) == [("found", "unreadable position AAPL")]
    (page,) = [each for each in effects if isinstance(each, fx.RaiseAlert)]
    assert (page.severity, page.code) == (Severity.PAGE, Reason.POSITION_MISMATCH)
    assert page.text == "AAPL: the broker's position cannot be read; our book holds 100"
    assert desk.posture() is Posture.REDUCE_ONLY
    assert desk.held_nanos() == 100 * NANOS, "not the nothing that was read"
    assert stages(unread(desk, "AAPL")) == []
    assert stages(desk.positions(100)) == [("resolved", "unreadable position AAPL")]
    assert desk.posture() is Posture.OPEN
    unread(desk, UNNAMED)
    assert desk.held_nanos() == 100 * NANOS, "it may be any of ours"


def test_the_policy_that_halts_halts_and_a_reset_stays_killed_while_it_cannot_be_read() -> None:
    desk = Compared(policy_of("halt"), held=100)
    assert any(isinstance(each, fx.LatchHalt) for each in unread(desk, "TSLA"))
    kill = HaltLevel.KILL
    desk.take(
        OperatorHaltRequested(request=1, operator="ann", reason="x", scope="account", level=kill)
    )
    desk.take(OperatorResetRequested(request=2, operator="ann", reason="x", scope="account"))
    desk.account()
    effects = unread(desk, "TSLA")
    (ended,) = [each for each in effects if isinstance(each, RecordRecovery)]
    (positions,) = [each for each in ended.checks if each.name == "positions"]
    assert (ended.stage, positions.passed) == ("failed", False)
    assert "TSLA: the broker's position cannot be read" in positions.said


@pytest.mark.parametrize(
    ("scope", "symbol", "is_left"),
    [
        ("account", "TSLA", True),
        ("symbol:TSLA", "TSLA", True),
        ("symbol:TSLA", UNNAMED, True),
        ("symbol:AAPL", "TSLA", False),
    ],
)
def test_a_liquidation_says_what_it_could_not_read_and_is_not_flat(
    scope: str, symbol: str, is_left: bool
) -> None:
    desk = Compared(policy_of("notify"))
    unread(desk, symbol)
    effects = desk.take(
        OperatorHaltRequested(
            request=1, operator="ann", reason="out", scope=scope, level=HaltLevel.FLATTEN
        )
    )
    (ended,) = [e for e in effects if isinstance(e, RecordPlan) and e.stage == "ended"]
    assert ended.left == ((f"{symbol} cannot be read at the broker",) if is_left else ())
    said = [e.text for e in effects if isinstance(e, fx.RaiseAlert) and "liquidation of" in e.text]
    assert ["flat" in text for text in said] == [not is_left]
    assert not any(isinstance(each, LatchBroker) and each.suspend_trade for each in effects)
