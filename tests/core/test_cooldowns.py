"""A fuse that tripped is not reset before its cooldown has run out, whatever its action."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from fuseboard.core import cooldowns, waking
from fuseboard.core.fuses.machine import FuseState
from fuseboard.core.kernel import Kernel
from fuseboard.policy.limits import Limits
from fuseboard.policy.loader import policy_from_yaml
from fuseboard.policy.policy import Policy, canonical_text, digest_of
from fuseboard.policy.rules import LossRule, reset_waits_ns
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.actions import Action, Reference, ResetRule
from fuseboard.vocabulary.evidence_effects import RecordTransition
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.postures import HaltLevel
from fuseboard.vocabulary.wall_time import shown_utc
from tests.core.test_broker_latches import closed
from tests.core.test_known_failures import SECOND, Desk
from tests.core.test_operators import answered, asked, reset, shown
from tests.core.test_sessions import HOUR, SessionDesk

MINUTE = 60 * SECOND
FUSE = "daily_loss:account"
LATCHING = [Action.REDUCE_ONLY, Action.HALT, Action.FLATTEN, Action.KILL]


def rule(action: Action, **changed: object) -> LossRule:
    """A loss of 3 % in the session, with half an hour that its policy writes."""
    settings = LossRule(
        name="daily_loss",
        reference=Reference.SESSION_OPEN,
        limit_nanos=NANOS * 3 // 100,
        action=action,
        cooldown_ns=30 * MINUTE,
        cooldown_always=True,
    )
    return replace(settings, **changed)


def tripped(loss: LossRule, *, by_seconds: int = 0) -> SessionDesk:
    """A desk whose fuse tripped so long ago; what a flatten closes is closed."""
    limits = Limits(order_value_nanos_max=NANOS**2)
    desk = SessionDesk(Policy(limits=limits, losses=(loss,)))
    desk.agrees = True
    desk.rolls(0)
    desk.now_ns += 16 * HOUR
    desk.take(facts.BrokerClockSeen(wall_ns=desk.now_ns + SECOND // 1000, is_open=True))
    effects = desk.at(215)
    if loss.action is Action.FLATTEN:
        closed(desk, effects)
        desk.held = 0
    passes(desk, by_seconds)
    return desk


def passes(desk: Desk, seconds: int) -> list[fx.Effect]:
    desk.now_ns += seconds * SECOND
    return [*desk.take(facts.TimeAdvanced())]


def state_of(desk: Desk) -> FuseState:
    return desk.kernel._state.drawdowns[FUSE].state


def whole(time_ns: int) -> int:
    """In whole seconds, not before it."""
    return -(-time_ns // SECOND) * SECOND


def refused(effects: tuple[fx.Effect, ...]) -> str:
    (answer,) = [effect for effect in effects if isinstance(effect, fx.AnswerOperator)]
    assert not answer.accepted, answer
    return answer.message


@pytest.mark.parametrize("action", LATCHING)
def test_no_reset_is_taken_before_the_cooldown_has_run_out_whatever_the_action(
    action: Action,
) -> None:
    desk = tripped(rule(action), by_seconds=1_000)
    before = state_of(desk)
    left_ns = desk.kernel._state.drawdowns[FUSE].tripped_boot_ns + 30 * MINUTE - desk.now_ns
    said = refused(desk.take(reset(rebase=True)))
    assert state_of(desk) is before
    assert "cooldown has 13m 20s left" in said
    if action is not Action.FLATTEN:  # that one is TRIGGERED: it settles by itself
        assert f"reset again from {shown_utc(whole(desk.now_ns + left_ns))}" in said
    desk.now_ns += left_ns - 3 * SECOND // 1000  # the broker's answer and the reset come after it
    assert "cooldown has 1s left" in refused(desk.take(reset(rebase=True)))
    passes(desk, 1)
    said = answered(desk.take(reset(rebase=True)))
    recovers = action is Action.KILL
    assert said.startswith("account: recovery started" if recovers else "account: reset and")


@pytest.mark.parametrize("action", [Action.REDUCE_ONLY, Action.HALT, Action.KILL])
def test_an_action_whose_policy_writes_no_cooldown_has_none(action: Action) -> None:
    text = f"safety: {{loss_limits: {{daily: {{hard: 3%, action: {action.value}}}}}}}"
    (loss,) = [at for at in policy_from_yaml(text, "p.yaml").losses if at.name == "daily_loss"]
    assert reset_waits_ns(loss) == 0
    answered(tripped(loss).take(reset(rebase=True)))


def test_a_flatten_has_five_minutes_whether_its_policy_writes_them_or_not() -> None:
    plain = policy_from_yaml("safety: {loss_limits: {drawdown: {hard: 3%}}}", "p.yaml")
    written = policy_from_yaml(
        "safety: {loss_limits: {drawdown: {hard: 3%, cooldown: 5m}}}", "p.yaml"
    )
    assert reset_waits_ns(plain.losses[0]) == 5 * MINUTE
    assert canonical_text(plain) == canonical_text(written)


@pytest.mark.parametrize("action", ["close_only", "halt", "kill"])
def test_what_a_policy_writes_binds_losses_and_breakers(action: str) -> None:
    policy = policy_from_yaml(
        f"safety: {{loss_limits: {{daily: {{hard: 3%, action: {action}, cooldown: 30m}}}},"
        f" circuit_breakers: [{{name: a, condition: vix > 30, action: {action}, cooldown: 1h}}]}}",
        "p.yaml",
    )
    (loss,) = [at for at in policy.losses if at.name == "daily_loss"]
    assert [reset_waits_ns(loss), reset_waits_ns(policy.breakers[0])] == [30 * MINUTE, 60 * MINUTE]


def test_a_latch_of_a_person_has_no_cooldown_and_beside_a_fuse_of_its_scope_waits_for_it() -> None:
    desk = tripped(rule(Action.HALT), by_seconds=60)
    desk.take(asked(HaltLevel.HALT))
    assert "its cooldown has 29m 0s left" in refused(desk.take(reset(rebase=True)))
    desk.take(asked(HaltLevel.HALT, "symbol:AAPL"))
    assert answered(desk.take(reset("symbol:AAPL"))) == "symbol:AAPL: reset by ann"


@pytest.mark.parametrize("again", [Kernel.restored, None])
def test_a_restart_keeps_the_time_that_has_run(again: Callable[[bytes], Kernel] | None) -> None:
    desk = tripped(rule(Action.HALT), by_seconds=600)
    if again is not None:
        desk.kernel = again(desk.kernel.snapshot())
    desk.start()
    assert "its cooldown has 20m 0s left" in refused(desk.take(reset(rebase=True)))
    passes(desk, 1_200)
    answered(desk.take(reset(rebase=True)))


def test_a_policy_with_a_shorter_one_that_a_person_adopts_ends_it() -> None:
    desk = tripped(rule(Action.HALT), by_seconds=60)
    text = canonical_text(Policy(losses=(rule(Action.HALT, cooldown_ns=MINUTE),)))
    nobody = facts.PolicyAdopted(text=text, digest=digest_of(text), operator="start")
    desk.take(nobody)
    refused(desk.take(reset(rebase=True)))
    desk.take(replace(nobody, operator="ann", reason="looked at it"))
    answered(desk.take(reset(rebase=True)))


def test_from_when_it_may_be_reset_is_shown_until_then() -> None:
    desk = tripped(rule(Action.HALT))
    due_ns = desk.kernel._state.drawdowns[FUSE].tripped_boot_ns + 30 * MINUTE
    assert desk.kernel._state.next_resets == {"account": whole(due_ns)}
    assert shown(tuple(passes(desk, 1_700))) == []
    desk.now_ns = due_ns
    assert shown(desk.take(facts.TimeAdvanced())) == [0]
    assert desk.kernel._state.next_resets == {}


# --- the calendar's reset ------------------------------------------------------------------------

BY_CALENDAR = {"reset": ResetRule.NEXT_TRADING_DAY, "resets_a_day_max": 9}


def opened(action: Action, cooldown_ns: int = 40 * HOUR) -> SessionDesk:
    """The next session's open, 39 hours after the trip."""
    desk = tripped(rule(action, **BY_CALENDAR, cooldown_ns=cooldown_ns))
    desk.rolls(1)
    desk.opens()
    return desk


def by_calendar(effects: list[fx.Effect]) -> list[str]:
    return [
        effect.operator
        for effect in effects
        if isinstance(effect, RecordTransition) and effect.event == "RESET"
    ]


def passes_told(desk: SessionDesk, seconds: int, *, is_open: bool = True) -> list[fx.Effect]:
    """Time passes, and the broker's clock is read."""
    effects = passes(desk, seconds)
    return [*effects, *desk.clock(is_open=is_open)]


@pytest.mark.parametrize("action", [Action.REDUCE_ONLY, Action.HALT, Action.FLATTEN])
def test_the_calendars_reset_waits_for_the_cooldown_and_then_comes(action: Action) -> None:
    desk = opened(action)
    assert state_of(desk) is not FuseState.MONITORING
    assert by_calendar(passes_told(desk, 3_500)) == []
    assert by_calendar(passes(desk, 100)) == ["calendar:XNYS"]
    assert state_of(desk) is FuseState.MONITORING
    assert desk.kernel._state.period.cooling == []
    assert by_calendar(passes_told(desk, 3_600)) == []


def test_the_node_asks_to_be_woken_when_it_has_run_out() -> None:
    desk = opened(Action.HALT)
    due_ns = desk.kernel._state.drawdowns[FUSE].tripped_boot_ns + 40 * HOUR
    assert cooldowns.next_deadline(desk.kernel._turn) == due_ns
    assert due_ns in waking._deadlines_but_reading(desk.kernel._turn)
    desk.now_ns = due_ns
    desk.take(facts.TimeAdvanced())
    assert cooldowns.next_deadline(desk.kernel._turn) == 0


def test_it_survives_a_restart_while_it_waits() -> None:
    desk = opened(Action.HALT)
    desk.kernel = Kernel.restored(desk.kernel.snapshot())
    desk.start()
    assert by_calendar(passes_told(desk, 3_500)) == []
    assert by_calendar(passes(desk, 100)) == ["calendar:XNYS"]


def test_while_the_brokers_clock_does_not_agree_it_waits_on() -> None:
    desk = opened(Action.HALT)
    passes(desk, 3_500)
    desk.clock(3_600 * SECOND, is_open=True)
    assert by_calendar(passes(desk, 200)) == []
    assert by_calendar([*desk.clock(is_open=True)]) == ["calendar:XNYS"]


def test_one_that_has_not_run_out_at_the_close_waits_for_the_next_open() -> None:
    desk = opened(Action.HALT, cooldown_ns=47 * HOUR)  # an hour after the close
    assert by_calendar(passes_told(desk, 8 * 3_600, is_open=False)) == []
    assert desk.kernel._state.period.cooling == [FUSE]
    desk.now_ns += HOUR
    desk.rolls(2)
    assert desk.kernel._state.period.cooling == []
    assert by_calendar([*desk.opens()]) == ["calendar:XNYS"]


def test_a_policy_that_no_longer_names_the_calendar_ends_the_wait() -> None:
    desk = opened(Action.HALT)
    adopts(desk, rule(Action.HALT, cooldown_ns=MINUTE))
    assert by_calendar(passes_told(desk, 3_600)) == []
    assert desk.kernel._state.period.cooling == []
    assert state_of(desk) is FuseState.HALTED


def test_what_a_person_resets_first_and_trips_again_is_not_reset_by_this_sessions_calendar() -> (
    None
):
    desk = opened(Action.HALT)
    adopts(desk, rule(Action.HALT, **BY_CALENDAR, cooldown_ns=MINUTE))
    answered(desk.take(reset(rebase=True)))
    desk.at(150)
    desk.at(100)
    assert state_of(desk) is FuseState.HALTED
    assert by_calendar(passes_told(desk, 3_600)) == []


def adopts(desk: Desk, loss: LossRule) -> None:
    text = canonical_text(Policy(losses=(loss,)))
    desk.take(
        facts.PolicyAdopted(text=text, digest=digest_of(text), operator="ann", reason="looked")
    )
    assert desk.kernel._state.policy_text == text


# --- without the guards --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("without", "test"),
    [
        (
            "refusal",
            lambda: test_no_reset_is_taken_before_the_cooldown_has_run_out_whatever_the_action(
                Action.KILL
            ),
        ),
        (
            "left_ns",
            lambda: test_the_calendars_reset_waits_for_the_cooldown_and_then_comes(Action.HALT),
        ),
    ],
)
def test_without_the_guard_it_fails(
    monkeypatch: pytest.MonkeyPatch, without: str, test: Callable[[], None]
) -> None:
    nothing: object = "" if without == "refusal" else 0
    monkeypatch.setattr(cooldowns, without, lambda *_: nothing)
    with pytest.raises(AssertionError):
        test()
