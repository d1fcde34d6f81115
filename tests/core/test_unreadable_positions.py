"""A position that the broker holds and nobody can read is never taken for flat."""

from collections.abc import Iterable

import pytest

from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.broker_latch_effects import LatchBroker
from fuseboard.vocabulary.evidence_effects import RecordPlan
from fuseboard.vocabulary.inputs import UNNAMED
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.operator_inputs import OperatorHaltRequested, OperatorResetRequested
from fuseboard.vocabulary.orders import Intent, Severity, Side
from fuseboard.vocabulary.postures import HaltLevel, Posture
from fuseboard.vocabulary.reasons import Reason
from fuseboard.vocabulary.reset_effects import RecordRecovery
from tests.core.compared import Compared, policy_of, stages
from tests.core.test_known_failures import denied, submitted


def unread(desk: Compared, *symbols: str, held: int = 0) -> tuple[fx.Effect, ...]:
    at = facts.BrokerPosition(
        symbol="AAPL", quantity_nanos=held * NANOS, average_price_nanos=NANOS, price_nanos=NANOS
    )
    return desk.take(facts.PositionsSeen(positions=(at,) if held else (), unread=symbols))


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


@pytest.mark.parametrize("symbol", ["AAPL", UNNAMED])
def test_a_difference_that_was_known_stands_while_the_position_cannot_be_read(symbol: str) -> None:
    desk = Compared(held=100)
    desk.positions(-40)
    apart = desk.kernel._state.divergence
    for _ in range(2):
        assert ("resolved", "position AAPL") not in stages(unread(desk, symbol))
        why = denied(desk.order(Side.SELL, 100 * NANOS))
        assert why == [Reason.POSTURE_REDUCE_ONLY], "the broker's short would grow"
        assert desk.kernel._state.divergence == apart == (140 * NANOS, 100 * NANOS)
    assert ("resolved", "position AAPL") in stages(desk.positions(100))
    assert desk.kernel._state.divergence[0] == 0
    assert submitted(desk.order(Side.SELL, 100 * NANOS))


def test_a_difference_ends_where_its_symbol_is_read_though_another_cannot_be() -> None:
    desk = Compared(held=100)
    desk.positions(60)
    effects = unread(desk, "TSLA", UNNAMED, held=100)
    assert ("resolved", "position AAPL") in stages(effects)
    assert desk.kernel._state.divergence[0] > 0, "what cannot be read is not said to agree"


def flattened(desk: Compared, scope: str = "account") -> tuple[fx.Effect, ...]:
    return desk.take(
        OperatorHaltRequested(
            request=1, operator="ann", reason="out", scope=scope, level=HaltLevel.FLATTEN
        )
    )


def plans(effects: Iterable[fx.Effect]) -> list[str]:
    return [each.stage for each in effects if isinstance(each, RecordPlan)]


def answered(leg: fx.ReadLeg, shares: int) -> facts.LegRead:
    """The broker holds so many shares, and nothing works against them."""
    return facts.LegRead(
        trip=leg.trip,
        symbol=leg.symbol,
        attempt=leg.attempt,
        position_nanos=shares * NANOS,
        against_nanos=0,
    )


def legs(effects: Iterable[fx.Effect]) -> list[fx.ReadLeg]:
    return [each for each in effects if isinstance(each, fx.ReadLeg)]


@pytest.mark.parametrize("symbol", ["AAPL", UNNAMED])
def test_a_liquidation_closes_what_differed_before_it_could_not_be_read(symbol: str) -> None:
    desk = Compared()
    desk.positions(40)
    unread(desk, symbol)
    assert [leg.symbol for leg in legs(flattened(desk))] == ["AAPL"]


@pytest.mark.parametrize("scope", ["account", "symbol:TSLA"])
def test_a_liquidation_asks_for_what_cannot_be_read_and_closes_what_is_answered(scope: str) -> None:
    desk = Compared(policy_of("reduce_only"))
    unread(desk, "TSLA")
    effects = flattened(desk, scope)
    (leg,) = legs(effects)
    assert leg.symbol == "TSLA"
    assert "ended" not in plans(effects)
    failed = facts.LegReadFailed(trip=leg.trip, symbol="TSLA", attempt=1, detail="no clear side")
    assert not plans(desk.take(failed)), "who cannot be read is not flat"
    (leg,) = legs(desk.passes(1))
    (close,) = submitted(desk.take(answered(leg, -40)))
    assert (close.side, close.quantity_nanos, close.intent) == (Side.BUY, 40 * NANOS, Intent.PLAN)
    effects = desk.filled(close, "b1", 40)
    (leg,) = legs(effects)
    effects = desk.take(answered(leg, 0))
    for _ in range(20):
        effects = tuple(desk.passes(1))
        if fx.ReadAccount(positions=True) in effects:
            desk.account()
            desk.positions(0)
        for leg in legs(effects):
            effects = desk.take(answered(leg, 0))
        if "ended" in plans(effects):
            break
    (ended,) = [e for e in effects if isinstance(e, RecordPlan) and e.stage == "ended"]
    assert ended.left == (), "its close is not taken for a position of ours"


def test_a_liquidation_asks_for_all_of_its_symbols_at_once() -> None:
    desk = Compared(held=10)
    unread(desk, "TSLA", held=10)
    assert [leg.symbol for leg in legs(flattened(desk))] == ["AAPL", "TSLA"]


def test_what_cannot_be_read_while_a_liquidation_closes_is_asked_for_before_its_end() -> None:
    desk = Compared(held=10)
    (leg,) = legs(flattened(desk))
    unread(desk, "TSLA", held=10)
    (close,) = submitted(desk.take(answered(leg, 10)))
    (leg,) = legs(desk.filled(close, "b1", 10))
    effects = desk.take(answered(leg, 0))
    assert [each.symbol for each in legs(effects)] == ["TSLA"]
    (leg,) = legs(effects)
    effects = desk.take(answered(leg, 0))
    assert plans(effects) == ["ended"]


@pytest.mark.parametrize(
    ("scope", "symbol", "is_left"),
    [
        ("account", UNNAMED, True),
        ("symbol:TSLA", UNNAMED, True),
        ("symbol:AAPL", "TSLA", False),
    ],
)
def test_a_liquidation_says_what_it_could_not_read_and_is_not_flat(
    scope: str, symbol: str, is_left: bool
) -> None:
    desk = Compared(policy_of("notify"))
    unread(desk, symbol)
    effects = flattened(desk, scope)
    (ended,) = [e for e in effects if isinstance(e, RecordPlan) and e.stage == "ended"]
    assert ended.left == ((f"{symbol} cannot be read at the broker",) if is_left else ())
    said = [e.text for e in effects if isinstance(e, fx.RaiseAlert) and "liquidation of" in e.text]
    assert ["flat" in text for text in said] == [not is_left]
    assert not any(isinstance(each, LatchBroker) and each.suspend_trade for each in effects)
