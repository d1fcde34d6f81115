"""The action `reduce_only`: a latch that lets exits pass, and nothing that raises exposure."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from fuseboard.core import halting, reset_counts, resets
from fuseboard.core.fuses import machine
from fuseboard.core.fuses.machine import FuseEvent, FuseState
from fuseboard.core.kernel import Kernel
from fuseboard.policy.limits import Limits
from fuseboard.policy.policy import Policy, canonical_text, digest_of
from fuseboard.policy.rules import BreakerRule, LossRule, StrategyRule
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.actions import Action, Reference, ResetRule
from fuseboard.vocabulary.evidence_effects import RecordTransition
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import OrderType, Severity, Side, TimeInForce
from fuseboard.vocabulary.postures import HaltLevel, Posture
from fuseboard.vocabulary.reasons import Reason
from tests.core.test_broker_latches import closed
from tests.core.test_known_failures import SECOND, Desk, accept, denied, submitted
from tests.core.test_limits import asked
from tests.core.test_operators import answered, reset
from tests.core.test_operators import asked as halt_asked
from tests.core.test_sessions import SessionDesk
from tests.deletion import assert_pinned

LOSS = LossRule(
    name="daily_loss",
    reference=Reference.SESSION_OPEN,
    limit_nanos=NANOS * 3 // 100,
    action=Action.REDUCE_ONLY,
    cooldown_ns=0,
)
PAGE = Severity.PAGE
LIMITS = Limits(order_value_nanos_max=NANOS**2, price_collar_nanos=NANOS)


def desk_of(*losses: LossRule, breakers: tuple[BreakerRule, ...] = ()) -> SessionDesk:
    """1,000 AAPL at 250 of alpha's, and 750,000 in cash, in the first session."""
    strategies = (StrategyRule(name="alpha", capital_nanos=NANOS**2),)
    rules = Policy(
        limits=LIMITS,
        losses=losses or (replace(LOSS, limit_nanos=NANOS // 2),),
        breakers=breakers,
        strategies=strategies,
    )
    desk = SessionDesk(rules)
    desk.rolls(0)
    desk.quote("AAPL", 250)
    return desk


def fear(scope: str = "account") -> BreakerRule:
    """A breaker that trips at once when told to."""
    return BreakerRule(
        name="fear", condition="vix > 30", action=Action.REDUCE_ONLY, scope=scope, cooldown_ns=0
    )


def told_to_trip(desk: Desk, vix: int = 40) -> tuple[fx.Effect, ...]:
    value = vix * NANOS
    return desk.take(
        facts.MeasureReported(request=1, name="vix", value=value, event_ns=desk.now_ns)
    )


def buys(desk: Desk, price: int = 250, **changed: Any) -> tuple[fx.Effect, ...]:
    return asked(desk, price=price * NANOS, time_in_force=TimeInForce.GTC, **changed)


def sells(desk: Desk, quantity: int) -> tuple[fx.Effect, ...]:
    return asked(desk, side=Side.SELL, quantity=quantity * NANOS, price=200 * NANOS)


def stop_loss(desk: Desk, quantity: int) -> tuple[fx.Effect, ...]:
    return asked(
        desk,
        side=Side.SELL,
        quantity=quantity * NANOS,
        price=None,
        order_type=OrderType.STOP,
        time_in_force=TimeInForce.GTC,
        stop_price_nanos=190 * NANOS,
    )


def cancelled(effects: tuple[fx.Effect, ...]) -> list[str]:
    return [effect.order_id for effect in effects if isinstance(effect, fx.CancelOrder)]


def state_of(desk: Desk, name: str) -> FuseState:
    (fuse,) = [at for at in desk.kernel._state.tripping() if at.name == name]
    return fuse.state


def test_after_the_loss_an_exit_and_a_stop_pass_and_nothing_that_opens() -> None:
    desk = desk_of(LOSS)
    effects = desk.at(215)
    assert state_of(desk, "daily_loss:account") is FuseState.REDUCE_ONLY
    moved = [it for it in effects if isinstance(it, RecordTransition) and it.after != "MONITORING"]
    assert [(it.event, it.after) for it in moved] == [
        ("BREACHED", "TRIGGERED"),
        ("REDUCE_ONLY_ASKED", "REDUCE_ONLY"),
    ]
    (latched,) = [effect for effect in effects if isinstance(effect, fx.LatchHalt)]
    assert latched.level is HaltLevel.HALT
    (page,) = [it for it in effects if isinstance(it, fx.RaiseAlert) and it.severity is PAGE]
    assert page.text.endswith("; only reductions and stops pass until it is lifted")
    assert denied(buys(desk, 215)) == [Reason.POSTURE_REDUCE_ONLY]
    (exit_,) = submitted(sells(desk, 400))
    assert not exit_.raises_exposure
    assert submitted(stop_loss(desk, 600))
    assert denied(sells(desk, 1)) == [Reason.POSTURE_REDUCE_ONLY]  # all of it is on its way out


def test_what_raises_exposure_is_cancelled_and_stops_and_exits_go_on() -> None:
    desk = desk_of(breakers=(fear(),))
    told_to_trip(desk, 10)
    ids = []
    for number, effects in enumerate(
        (
            buys(desk, 240, quantity=10 * NANOS),
            sells(desk, 700),
            stop_loss(desk, 300),
        )
    ):
        (order,) = submitted(effects)
        accept(desk, order, f"b{number}")
        ids.append(order.order_id)
    assert cancelled(told_to_trip(desk)) == ids[:1]


def test_exits_that_leave_no_room_for_the_stop_are_cancelled_before_it() -> None:
    """A stop that came when the exit fitted beside it protects what is left."""
    desk = desk_of(breakers=(fear(),))
    told_to_trip(desk, 10)
    (leaves,) = submitted(sells(desk, 700))
    accept(desk, leaves, "b1")
    (stop,) = submitted(stop_loss(desk, 600))  # beyond what is held beside the exit: it opens
    accept(desk, stop, "b2")
    assert cancelled(told_to_trip(desk)) == [leaves.order_id]


@pytest.mark.parametrize("scope", ["account", "strategy:alpha", "symbol:AAPL"])
def test_a_breaker_of_any_scope_lets_exits_of_its_scope_pass(scope: str) -> None:
    desk = desk_of(breakers=(fear(scope),))
    told_to_trip(desk, 10)
    told_to_trip(desk)
    assert desk.kernel._state.postures[scope] is Posture.REDUCE_ONLY
    assert denied(buys(desk)) == [Reason.POSTURE_REDUCE_ONLY]
    assert submitted(sells(desk, 1_000))
    desk.quote("MSFT", 250)
    elsewhere = buys(desk, symbol="MSFT")
    assert bool(submitted(elsewhere)) == (scope == "symbol:AAPL")


def test_no_number_lifts_it_and_a_named_person_does_and_the_next_arming_trips_anew() -> None:
    desk = desk_of(LOSS)
    desk.agrees = True
    desk.at(215)
    desk.at(260)
    assert state_of(desk, "daily_loss:account") is FuseState.REDUCE_ONLY
    nameless = replace(reset(), operator=" ")
    (refused,) = [it for it in desk.take(nameless) if isinstance(it, fx.AnswerOperator)]
    assert not refused.accepted
    assert answered(desk.take(reset())) == "account: reset by ann"
    assert state_of(desk, "daily_loss:account") is FuseState.MONITORING
    (again,) = [effect for effect in desk.at(215) if isinstance(effect, fx.LatchHalt)]
    assert again.trip == "daily_loss:account#2"


def test_a_restart_comes_back_reduce_only_from_the_journal_and_from_the_snapshot() -> None:
    desk = desk_of(LOSS)
    desk.at(215)
    snapshot = desk.kernel.snapshot()
    desk.kernel = Kernel.restored(snapshot)
    assert desk.kernel.snapshot() == snapshot
    latched = facts.LatchedScope(
        scope="account",
        level=HaltLevel.HALT,
        reason=Reason.DRAWDOWN,
        trip="daily_loss:account#1",
        halt_epoch=desk.kernel.halt_epoch(),
    )
    desk.start((latched,))
    desk.at(215)
    assert desk.kernel._state.postures["account"] is Posture.REDUCE_ONLY
    assert submitted(sells(desk, 400))
    assert denied(buys(desk, 215)) == [Reason.POSTURE_REDUCE_ONLY]


def test_a_trip_that_only_the_register_knows_is_the_same_trip_again() -> None:
    before = desk_of(LOSS)
    snapshot = before.kernel.snapshot()
    before.at(215)
    epoch = before.kernel.halt_epoch()
    desk = desk_of(LOSS)
    desk.kernel = Kernel.restored(snapshot)
    latched = facts.LatchedScope(
        scope="account",
        level=HaltLevel.HALT,
        reason=Reason.DRAWDOWN,
        trip="daily_loss:account#1",
        halt_epoch=epoch,
    )
    desk.start((latched,))
    assert state_of(desk, "daily_loss:account") is FuseState.REDUCE_ONLY
    assert desk.kernel._state.postures["account"] is Posture.REDUCE_ONLY
    assert "account" not in desk.kernel._state.latches


@pytest.mark.parametrize("losses", [(), (replace(LOSS, name="another"),)])
def test_a_policy_without_its_fuse_leaves_it_reduce_only_under_its_old_name(
    losses: tuple[LossRule, ...],
) -> None:
    desk = desk_of(LOSS)
    desk.at(215)
    strategies = (StrategyRule(name="alpha", capital_nanos=NANOS**2),)
    text = canonical_text(Policy(limits=LIMITS, losses=losses, strategies=strategies))
    desk.take(
        facts.PolicyAdopted(text=text, digest=digest_of(text), operator="ann", reason="renamed")
    )
    desk.at(260)
    assert desk.kernel._state.policy_text == text
    assert state_of(desk, "daily_loss:account") is FuseState.REDUCE_ONLY
    assert desk.kernel._state.postures["account"] is Posture.REDUCE_ONLY


def test_a_harder_policy_does_not_loosen_it_and_a_milder_one_lifts_nothing() -> None:
    desk = desk_of(LOSS)
    desk.at(215)
    for action in (Action.HALT, Action.FLATTEN, Action.KILL, Action.REDUCE_ONLY):
        text = canonical_text(Policy(limits=LIMITS, losses=(replace(LOSS, action=action),)))
        desk.take(
            facts.PolicyAdopted(text=text, digest=digest_of(text), operator="ann", reason="why")
        )
        assert desk.kernel._state.policy_text == text
        assert state_of(desk, "daily_loss:account") is FuseState.REDUCE_ONLY


def test_the_calendar_resets_it_where_the_policy_says_so_and_only_there() -> None:
    for rule, expected in (
        (ResetRule.NEXT_TRADING_DAY, FuseState.MONITORING),
        (ResetRule.MANUAL, FuseState.REDUCE_ONLY),
    ):
        desk = desk_of(replace(LOSS, reset=rule))
        desk.at(215)
        desk.rolls(1)
        desk.opens()
        assert state_of(desk, "daily_loss:account") is expected


def test_a_reset_too_many_is_refused_and_exits_go_on_passing() -> None:
    desk = desk_of(replace(LOSS, resets_a_day_max=0))
    desk.at(215)
    (refused,) = [it for it in desk.take(reset()) if isinstance(it, fx.AnswerOperator)]
    assert not refused.accepted
    assert state_of(desk, "daily_loss:account") is FuseState.REDUCE_ONLY
    assert submitted(sells(desk, 400))
    desk.rolls(1)
    desk.opens()
    assert state_of(desk, "daily_loss:account") is FuseState.REDUCE_ONLY


def test_too_many_trips_in_a_day_kill_it_as_any_other() -> None:
    desk = desk_of(replace(LOSS, trips_a_day_max=1))
    (stop,) = submitted(stop_loss(desk, 600))
    accept(desk, stop, "b1")
    (leaves,) = submitted(sells(desk, 400))
    accept(desk, leaves, "b2")
    effects = desk.at(215)
    assert state_of(desk, "daily_loss:account") is FuseState.KILLED
    assert leaves.order_id in cancelled(effects)
    (page,) = [it for it in effects if isinstance(it, fx.RaiseAlert) and it.severity is PAGE]
    assert "only reductions" not in page.text


COOLS = replace(LOSS, cooldown_ns=4 * 3_600 * SECOND, cooldown_always=True)
EXHAUSTED = replace(LOSS, resets_a_day_max=0)


def halted_on_top(loss: LossRule, level: HaltLevel = HaltLevel.HALT) -> SessionDesk:
    """A loss let exits pass, and a person halts the account on top of it."""
    desk = desk_of(loss)
    desk.agrees = True
    desk.opens()
    desk.at(215)
    effects = desk.take(halt_asked(level))
    if level is HaltLevel.FLATTEN:
        closed(desk, effects)
        desk.held = 0
    desk.at(215)
    return desk


def refused(effects: tuple[fx.Effect, ...]) -> str:
    (answer,) = [it for it in effects if isinstance(it, fx.AnswerOperator)]
    assert not answer.accepted, answer
    return answer.message


@pytest.mark.parametrize(("loss", "hours"), [(COOLS, 4), (EXHAUSTED, 24)])
def test_a_halt_on_top_is_lifted_alone_and_exits_pass_again(loss: LossRule, hours: int) -> None:
    desk = halted_on_top(loss)
    assert denied(sells(desk, 1)) == [Reason.POSTURE_HALTED]
    effects = desk.take(reset())
    said = answered(effects)
    begins = "account: reset by ann; daily_loss:account stays, only reductions and stops pass"
    assert said.startswith(f"{begins}: reset again from "), said
    assert not any(isinstance(it, fx.ClearHalt) for it in effects), "one is latched still"
    held = facts.LatchedScope(
        scope="account",
        level=HaltLevel.HALT,
        reason=Reason.OPERATOR,
        trip="latch:account#1",
        halt_epoch=desk.kernel.halt_epoch(),
    )
    desk.kernel = Kernel.restored(desk.kernel.snapshot())
    desk.start((held,))
    desk.at(215)
    assert state_of(desk, "daily_loss:account") is FuseState.REDUCE_ONLY
    assert desk.kernel._state.postures["account"] is Posture.REDUCE_ONLY
    assert denied(buys(desk, 215)) == [Reason.POSTURE_REDUCE_ONLY]
    refused(desk.take(reset()))  # which could lift nothing
    desk.now_ns += hours * 3_600 * SECOND
    desk.at(215)
    if loss is COOLS:
        effects = desk.take(reset(rebase=True))
        assert answered(effects).startswith("account: reset and rebased by ann")
        assert any(isinstance(it, fx.ClearHalt) for it in effects)
    else:
        refused(desk.take(reset()))
    assert submitted(sells(desk, 100))


@pytest.mark.parametrize("level", [HaltLevel.FREEZE, HaltLevel.FLATTEN, HaltLevel.KILL])
def test_what_is_more_than_a_halt_waits_for_the_fuse_below(level: HaltLevel) -> None:
    desk = halted_on_top(COOLS, level)
    refused(desk.take(reset()))
    assert desk.kernel._state.latches["account"].latched()


def test_a_rebase_and_a_halt_that_cannot_be_lifted_are_refused_whole() -> None:
    desk = halted_on_top(COOLS)
    assert "its cooldown has 4h 0m left" in refused(desk.take(reset(rebase=True)))
    assert desk.kernel._state.latches["account"].state is FuseState.HALTED
    for _ in range(3):
        answered(desk.take(reset()))
        desk.take(halt_asked(HaltLevel.HALT))
        desk.at(215)
    assert "latch:account was reset 3 times" in refused(desk.take(reset()))
    assert desk.kernel._state.postures["account"] is Posture.HALTED


@pytest.mark.parametrize(
    ("function", "text", "instead", "level"),
    [
        (resets._reset_refusal, "fuse.name in staying", "False", None),
        (resets.operator_reset_requested, "if fuse.name not in staying", "", None),
        (reset_counts.kept, "or scope in state.frozen", "", HaltLevel.FREEZE),
        (reset_counts.kept, "and fuse.trip() not in state.plans", "", HaltLevel.FLATTEN),
    ],
)
def test_without_what_lifts_a_halt_alone_it_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
    function: Callable[..., object],
    text: str,
    instead: str,
    level: HaltLevel | None,
) -> None:
    def test() -> None:
        if level is None:
            test_a_halt_on_top_is_lifted_alone_and_exits_pass_again(COOLS, 4)
        else:
            test_what_is_more_than_a_halt_waits_for_the_fuse_below(level)

    assert_pinned(monkeypatch, function, text, instead, test)


def test_without_its_own_event_the_same_loss_would_trap_the_exit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(
        machine.TABLE, (FuseState.TRIGGERED, FuseEvent.REDUCE_ONLY_ASKED), FuseState.HALTED
    )
    desk = desk_of(LOSS)
    desk.at(215)
    assert denied(sells(desk, 400)) == [Reason.POSTURE_HALTED]


def test_without_the_order_of_the_two_an_exit_would_take_the_stop_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(halting, "stops_first", list)
    with pytest.raises(AssertionError):
        test_exits_that_leave_no_room_for_the_stop_are_cancelled_before_it()
