"""Two different people where the policy asks: one asks for a reset, another one confirms it."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuseboard.core.comparing import COMPARISONS_MAX
from fuseboard.core.consent import RESETS_WANTED_MAX
from fuseboard.core.kernel import Kernel
from fuseboard.policy.limits import Limits
from fuseboard.policy.policy import Policy, canonical_text, digest_of
from fuseboard.policy.rules import LossRule, ResetRules
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.evidence_effects import RecordPolicy, RecordTransition
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.operator_inputs import OperatorHaltRequested, OperatorResetRequested
from fuseboard.vocabulary.orders import Side
from fuseboard.vocabulary.people import same_name, same_person
from fuseboard.vocabulary.postures import HaltLevel, Posture
from fuseboard.vocabulary.reset_effects import RecordRecovery, RecordReset
from tests.core.test_known_failures import SECOND, Desk, submitted

KILLS = ResetRules(two_persons=True, resets_a_day_max=20)
ALWAYS = ResetRules(two_persons_always=True, resets_a_day_max=20)
ANN, BOB = ("ann", "key:OP1"), ("bob", "key:OP2")


def desk(rules: ResetRules) -> Desk:
    return Desk(policy_of(rules))


def policy_of(rules: ResetRules) -> Policy:
    return Policy(
        limits=Limits(order_value_nanos_max=NANOS**2),
        losses=(LossRule(limit_nanos=NANOS // 2),),
        resets=rules,
    )


def halt(at: Desk, level: HaltLevel = HaltLevel.KILL, scope: str = "account") -> None:
    at.take(
        OperatorHaltRequested(request=90, operator="eve", reason="drill", scope=scope, level=level)
    )


def reset(at: Desk, who: tuple[str, str], **changed: Any) -> tuple[fx.Effect, ...]:
    fact = OperatorResetRequested(
        request=91, operator=who[0], via=who[1], reason=f"{who[0]} looked", scope="account"
    )
    return at.take(msgspec.structs.replace(fact, **changed))


def answer(effects: tuple[fx.Effect, ...]) -> fx.AnswerOperator:
    (found,) = [effect for effect in effects if isinstance(effect, fx.AnswerOperator)]
    return found


def stages(effects: tuple[fx.Effect, ...]) -> list[str]:
    return [effect.stage for effect in effects if isinstance(effect, RecordReset)]


def moved(effects: tuple[fx.Effect, ...]) -> list[RecordTransition]:
    return [effect for effect in effects if isinstance(effect, RecordTransition)]


def posture(at: Desk) -> Posture:
    return at.kernel._state.postures.get("account", Posture.OPEN)


def compared(at: Desk, shares: int = 0) -> tuple[fx.Effect, ...]:
    held = facts.BrokerPosition(
        symbol="AAPL",
        quantity_nanos=shares * NANOS,
        average_price_nanos=250 * NANOS,
        price_nanos=250 * NANOS,
    )
    effects: list[fx.Effect] = []
    for _ in range(COMPARISONS_MAX + 1):  # books that differ are compared again
        at.now_ns += 2 * SECOND
        effects += at.take(facts.PositionsSeen(positions=(held,) if shares else ()))
    return tuple(effects)


def test_a_kill_is_left_by_two_people_and_both_stand_in_the_evidence() -> None:
    at = desk(KILLS)
    halt(at)
    asked = reset(at, ANN)
    assert answer(asked).accepted
    assert moved(asked) == [], "what one person asks for changes nothing"
    (record,) = [effect for effect in asked if isinstance(effect, RecordReset)]
    assert (record.stage, record.operator, record.via) == ("requested", "ann", "key:OP1")
    assert record.lapses_wall_ns - record.asked_wall_ns == KILLS.second_person_ns_max
    at.kernel = Kernel.restored(at.kernel.snapshot())
    confirmed = reset(at, BOB)
    assert stages(confirmed) == ["confirmed"]
    (started,) = [effect for effect in confirmed if isinstance(effect, RecordRecovery)]
    assert (started.stage, started.operator) == ("started", "ann, bob")
    assert {row.operator for row in moved(confirmed)} == {"ann, bob"}
    assert posture(at) is Posture.HALTED
    passed = compared(at)
    (cleared,) = [effect for effect in passed if isinstance(effect, fx.ClearHalt)]
    assert cleared.operator == "ann, bob"
    assert posture(at) is Posture.OPEN


@pytest.mark.parametrize(
    "second",
    [
        ANN,
        ("bob", "key:OP1"),
        ("Ann", "key:OP2"),
        (" a N n", "key:OP2"),
        ("ánn", "user:1000"),
        ("bob", ""),
        ("!?", "key:OP2"),
    ],
)
def test_the_same_person_under_another_name_or_key_is_refused(second: tuple[str, str]) -> None:
    at = desk(KILLS)
    halt(at)
    reset(at, ANN)
    refused = reset(at, second)
    assert not answer(refused).accepted
    assert moved(refused) == []
    assert posture(at) is Posture.KILLED
    assert stages(reset(at, BOB)) == ["confirmed"], "what was asked for still waits"


def test_one_unix_user_with_two_names_is_one_person_and_a_user_and_a_key_are_two() -> None:
    at = desk(KILLS)
    halt(at)
    reset(at, ("ann", "user:1000"))
    assert not answer(reset(at, ("bob", "user:1000"))).accepted
    assert stages(reset(at, ("bob", "key:OP2"))) == ["confirmed"]


def test_who_is_not_known_by_anything_asks_for_nothing() -> None:
    at = desk(KILLS)
    halt(at)
    refused = reset(at, ("ann", ""))
    assert not answer(refused).accepted
    assert stages(refused) == []


def test_a_halt_takes_one_person_unless_the_policy_says_always() -> None:
    at = desk(KILLS)
    halt(at, HaltLevel.HALT)
    assert moved(reset(at, ANN))
    assert posture(at) is Posture.OPEN
    at = desk(ALWAYS)
    for level in (HaltLevel.HALT, HaltLevel.KILL):
        halt(at, level)
        assert not moved(reset(at, ANN))
        assert moved(reset(at, BOB))
        compared(at)
        assert posture(at) is Posture.OPEN


def test_what_nobody_confirms_in_time_lapses_and_is_said() -> None:
    at = desk(KILLS)
    halt(at)
    asked = reset(at, ANN)
    wakes = [effect.boot_ns for effect in asked if isinstance(effect, fx.WakeAt)]
    lapses_ns = at.kernel._state.resets_wanted["account"].lapses_boot_ns
    assert at.kernel._state.next_wake_boot_ns <= lapses_ns
    assert not wakes or min(wakes) <= lapses_ns
    at.now_ns = lapses_ns
    assert stages(at.take(facts.TimeAdvanced())) == ["lapsed"]
    assert stages(reset(at, BOB)) == ["requested"], "the second one is the first one now"
    at.now_ns += KILLS.second_person_ns_max
    assert stages(reset(at, ANN)) == ["lapsed", "requested"], "no timer is needed for that"
    assert posture(at) is Posture.KILLED


def test_a_later_halt_and_a_restart_make_it_void() -> None:
    at = desk(KILLS)
    halt(at)
    reset(at, ANN)
    halt(at, HaltLevel.HALT, "symbol:AAPL")
    assert stages(reset(at, BOB)) == ["void", "requested"]
    at.start()
    assert at.kernel._state.resets_wanted == {}
    assert stages(reset(at, ANN)) == ["requested"]
    assert posture(at) is Posture.KILLED


def test_the_second_person_confirms_exactly_what_the_first_one_asked_for() -> None:
    at = desk(KILLS)
    halt(at)
    reset(at, ANN)
    refused = reset(at, BOB, rebase=True)
    assert not answer(refused).accepted
    assert "without --rebase" in answer(refused).message
    assert stages(reset(at, BOB)) == ["confirmed"]


def test_resets_that_wait_are_bounded() -> None:
    at = desk(ALWAYS)
    scopes = [f"symbol:S{number}" for number in range(RESETS_WANTED_MAX + 1)]
    for scope in scopes:
        halt(at, HaltLevel.HALT, scope)
    answers = [answer(reset(at, ANN, scope=scope)).accepted for scope in scopes]
    assert answers == [True] * RESETS_WANTED_MAX + [False]


def adopted(at: Desk, rules: ResetRules) -> RecordPolicy:
    text = canonical_text(policy_of(rules))
    fact = facts.PolicyAdopted(text=text, digest=digest_of(text), operator="ann", reason="tired")
    (found,) = [effect for effect in at.take(fact) if isinstance(effect, RecordPolicy)]
    return found


@pytest.mark.parametrize(
    ("rules", "level", "accepted"),
    [
        (KILLS, HaltLevel.KILL, False),
        (KILLS, HaltLevel.HALT, True),
        (ALWAYS, HaltLevel.KILL, False),
        (ALWAYS, HaltLevel.HALT, False),
    ],
)
def test_one_person_cannot_take_the_second_one_out_of_the_policy_while_it_matters(
    rules: ResetRules, level: HaltLevel, accepted: bool
) -> None:
    at = desk(rules)
    halt(at, level)
    assert adopted(at, ResetRules(resets_a_day_max=20)).accepted is accepted
    reset(at, ANN)
    reset(at, BOB)
    compared(at)
    assert adopted(at, ResetRules(resets_a_day_max=20)).accepted


def test_a_recovery_says_what_it_looked_at_and_what_each_check_found() -> None:
    at = desk(ResetRules(resets_a_day_max=20))
    halt(at)
    reset(at, ANN)
    at.answers = False
    again = reset(at, ANN)
    assert not answer(again).accepted, "one recovery at a time"
    effects = compared(at, shares=7)
    (failed,) = [effect for effect in effects if isinstance(effect, RecordRecovery)]
    assert failed.stage == "failed"
    assert [(it.name, it.passed) for it in failed.checks] == [
        ("orders", True),
        ("positions", False),
        ("cash", True),
        ("order stream", True),
        ("plans", True),
        ("halts", False),
    ]
    assert "AAPL: the broker holds 7" in failed.checks[1].said
    (alert,) = [e for e in effects if isinstance(e, fx.RaiseAlert) and e.code.value == "recovery"]
    assert "positions: AAPL" in alert.text
    assert posture(at) is Posture.KILLED
    reset(at, ANN)
    effects = compared(at, shares=7)
    (passed,) = [effect for effect in effects if isinstance(effect, RecordRecovery)]
    assert (passed.stage, passed.operator) == ("passed", "ann")
    assert all(it.passed for it in passed.checks)
    assert passed.checks[-1].said == "nothing was killed since the recovery began"


def test_a_recovery_without_the_order_stream_or_with_an_order_in_doubt_fails() -> None:
    at = desk(ResetRules(resets_a_day_max=20))
    (order,) = submitted(at.order(Side.BUY, NANOS))
    at.take(facts.OrderUnknown(order_id=order.order_id, detail="no answer"))
    halt(at)
    reset(at, ANN)
    at.take(facts.BrokerStreamChanged(connected=False))
    records = [e for e in compared(at) if isinstance(e, RecordRecovery)]
    (failed,) = records
    wrong = [it.name for it in failed.checks if not it.passed]
    assert wrong == ["orders", "order stream"]


NAMES = st.text(max_size=12)


@given(NAMES, NAMES, st.sampled_from(["", "key:1", "key:2", "user:0"]))
def test_who_is_the_same_does_not_depend_on_the_order_and_nobody_is_two(
    one: str, other: str, via: str
) -> None:
    assert same_name(one, other) == same_name(other, one)
    assert same_name(one, one.upper().casefold())
    assert same_person(one, via, other, via), "one proof is one person"
    assert same_person(one, via, one, "key:3")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Ann Smith", "smith, ann", True),
        ("ann.smith", "Ann Smith", True),
        ("Jörg", "jorg", True),
        ("Strasse", "Straße", True),
        ("ａｎｎ", "ann", True),
        ("ann", "anna", False),
        ("ann", "bob", False),
    ],
)
def test_names_are_compared_as_people_write_them(one: str, other: str, same: bool) -> None:
    assert same_name(one, other) is same
