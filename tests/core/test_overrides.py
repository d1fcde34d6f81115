"""Overrides: one order, one check, two different people, once, and not for long."""

from typing import Any

import msgspec
import pytest

from fuseboard.core.checks.table import TABLE
from fuseboard.core.explaining import Explained
from fuseboard.core.kernel import Kernel
from fuseboard.core.overrides import OVERRIDES_MAX, PRICED
from fuseboard.policy.limits import Limits
from fuseboard.policy.loader import read_policy
from fuseboard.policy.policy import Policy
from fuseboard.policy.rules import CheckRule, ResetRules
from fuseboard.policy.yaml_text import PolicyRefused
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.evidence_effects import RecordOverride
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.operator_inputs import (
    OperatorHaltRequested,
    OverrideRequested,
    OverrideVerified,
)
from fuseboard.vocabulary.orders import OrderType, Side, TimeInForce
from fuseboard.vocabulary.postures import HaltLevel
from fuseboard.vocabulary.reasons import Reason
from tests.core.test_known_failures import SECOND, Desk, denied, submitted
from tests.core.test_limits import asked, desk

ASKED = OverrideRequested(
    request=90,
    operator="ann",
    reason="the desk hedges a client's block",
    strategy="alpha",
    symbol="AAPL",
    side=Side.BUY,
    quantity_nanos_max=10 * NANOS,
    check="order_value",
    expires_ns=60 * SECOND,
    worst_price_nanos=300 * NANOS,
)
LARGE = 10 * NANOS


def small() -> Desk:
    return desk(order_value_nanos_max=1_000 * NANOS)


def answer(effects: tuple[fx.Effect, ...]) -> fx.AnswerOperator:
    (found,) = [effect for effect in effects if isinstance(effect, fx.AnswerOperator)]
    return found


def stages(effects: tuple[fx.Effect, ...]) -> list[str]:
    return [effect.stage for effect in effects if isinstance(effect, RecordOverride)]


def verified(at: Desk, **changed: Any) -> None:
    assert answer(at.take(msgspec.structs.replace(ASKED, **changed))).accepted
    name = list(at.kernel._state.overrides)[-1]
    fact = OverrideVerified(request=91, operator="bob", override=name)
    assert answer(at.take(fact)).accepted


def test_an_override_lets_one_order_pass_and_no_second_one() -> None:
    at = small()
    assert denied(asked(at, quantity=LARGE)) == [Reason.ORDER_VALUE]
    verified(at)
    at.kernel = Kernel.restored(at.kernel.snapshot())
    effects = asked(at, quantity=LARGE)
    assert submitted(effects)
    (record,) = [effect for effect in effects if isinstance(effect, RecordOverride)]
    assert (record.stage, record.asked_by, record.verified_by) == ("used", "ann", "bob")
    assert record.order_id == submitted(effects)[0].order_id
    assert denied(asked(at, quantity=LARGE, price=249 * NANOS)) == [Reason.ORDER_VALUE]


def lines_of(at: Desk, price: int = 250) -> tuple[Explained, ...]:
    fact = facts.OrderRequested(
        request=1,
        strategy="alpha",
        client_order_id="why",
        symbol="AAPL",
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.DAY,
        quantity_nanos=LARGE,
        limit_price_nanos=price * NANOS,
    )
    return at.kernel.explained(facts.Moment(at.now_ns, at.now_ns), fact)


def explained(at: Desk, price: int = 250) -> dict[str, tuple[str, str]]:
    return {line.check: (line.verdict, line.why) for line in lines_of(at, price)}


def test_explaining_names_the_override_and_goes_on_behind_it() -> None:
    at = small()
    assert explained(at)["order_value"][0] == "denied"
    at.take(ASKED)
    assert explained(at)["order_value"][0] == "denied"
    at.take(OverrideVerified(request=91, operator="bob", override="o1"))
    lines = explained(at)
    verdict, why = lines.pop("order_value")
    assert verdict == "overridden"
    assert why.endswith("; o1: ann asked, bob verified: the desk hedges a client's block")
    assert {verdict for verdict, _ in lines.values()} == {"passed", "skipped"}
    assert not any("not reached" in why for _, why in lines.values())
    dear = explained(at, price=290)
    assert (dear["price_collar"][0], dear["order_value"][0]) == ("denied", "denied")
    at.now_ns += 61 * SECOND
    assert explained(at)["order_value"][0] == "denied"
    assert at.kernel._state.overrides, "explaining has used it up"


def test_without_a_second_different_person_nothing_passes() -> None:
    at = small()
    at.take(ASKED)
    assert denied(asked(at, quantity=LARGE)) == [Reason.ORDER_VALUE]
    for operator in ("ann", " Ann ", "a N n", ""):
        fact = OverrideVerified(request=91, operator=operator, override="o1")
        assert not answer(at.take(fact)).accepted
    assert denied(asked(at, quantity=LARGE)) == [Reason.ORDER_VALUE]


@pytest.mark.parametrize(
    ("two_persons", "asked_via", "operator", "via", "passes"),
    [
        (False, "user:1000", "bob", "user:1000", True),
        (False, "key:OP1", "bob", "key:OP1", False),
        (False, "key:OP1", "bob", "key:OP2", True),
        (False, "key:OP1", "ANN", "key:OP2", False),
        (True, "user:1000", "bob", "user:1000", False),
        (True, "user:1000", "bob", "key:OP2", True),
        (True, "user:1000", "bob", "", False),
    ],
)
def test_who_verifies_is_somebody_else_by_key_and_where_two_are_asked_for_by_user_too(
    *, two_persons: bool, asked_via: str, operator: str, via: str, passes: bool
) -> None:
    limits = Limits(order_value_nanos_max=1_000 * NANOS)
    at = Desk(Policy(limits=limits, resets=ResetRules(two_persons=two_persons)))
    at.take(msgspec.structs.replace(ASKED, via=asked_via))
    fact = OverrideVerified(request=91, operator=operator, override="o1", via=via)
    assert answer(at.take(fact)).accepted is passes


@pytest.mark.parametrize(
    "changed",
    [
        {"quantity_nanos_max": 10 * NANOS - 1},
        {"symbol": "TSLA"},
        {"side": Side.SELL},
        {"strategy": "beta"},
        {"check": "max_position"},
    ],
)
def test_an_override_is_for_what_it_names(changed: dict[str, Any]) -> None:
    at = desk(order_value_nanos_max=1_000 * NANOS, position_value_nanos_max=NANOS**2)
    verified(at, **changed)
    assert denied(asked(at, quantity=LARGE)) == [Reason.ORDER_VALUE]


def test_an_override_expires_and_does_not_outlive_a_restart() -> None:
    at = small()
    verified(at)
    at.now_ns += 60 * SECOND
    at.quote("AAPL", 250)
    effects = asked(at, quantity=LARGE)
    assert denied(effects) == [Reason.ORDER_VALUE]
    assert stages(effects) == ["expired"]
    verified(at)
    at.start()
    at.quote("AAPL", 250)
    assert denied(asked(at, quantity=LARGE)) == [Reason.ORDER_VALUE]


def test_two_overrides_let_an_order_pass_two_checks_and_a_third_check_keeps_both() -> None:
    at = desk(order_value_nanos_max=1_000 * NANOS, position_value_nanos_max=1_000 * NANOS)
    verified(at)
    effects = asked(at, quantity=LARGE)
    assert denied(effects) == [Reason.MAX_POSITION]
    assert stages(effects) == [], "nothing is used by an order that is denied"
    verified(at, check="max_position")
    effects = asked(at, quantity=LARGE)
    assert submitted(effects)
    assert stages(effects) == ["used", "used"]


@pytest.mark.parametrize("check", [row.name for row in TABLE if not row.overridable] + ["nothing"])
def test_what_protects_from_ourselves_is_never_overridden(check: str) -> None:
    found = answer(small().take(msgspec.structs.replace(ASKED, check=check)))
    assert not found.accepted
    assert "cannot be overridden" in found.message


def test_posture_reconciliation_and_rates_are_not_overridable() -> None:
    never = {"posture", "reconciled", "order_rate", "messages", "quote", "tick", "buying_power"}
    assert never <= {row.name for row in TABLE if not row.overridable}


def named_like(check: str, *, cash: int = 1_000_000, **limits: Any) -> Desk:
    """A policy as an older release took it: a check of its own bears the name of a built-in one."""
    own = CheckRule(name=check, condition="order_size < 5")
    return Desk(Policy(checks=(own,), limits=Limits(**limits)), cash=cash)


def test_an_own_check_with_the_name_of_posture_lets_no_order_pass_a_halt() -> None:
    at = named_like("posture")
    verified(at, check="posture")
    halt = OperatorHaltRequested(
        request=5, operator="eve", reason="stop", scope="account", level=HaltLevel.HALT
    )
    at.take(halt)
    for quantity in (NANOS, LARGE):
        effects = asked(at, quantity=quantity)
        assert denied(effects) == [Reason.POSTURE_HALTED]
        assert stages(effects) == []
    rows = [line.verdict for line in lines_of(at) if line.check == "posture"]
    assert rows == ["denied", "denied"], "the table's and the policy's own: neither is overridden"


def test_an_override_lets_pass_the_own_check_that_bears_a_built_in_name_and_nothing_else() -> None:
    at = named_like("buying_power", cash=2_000, gross_exposure_nanos_max=10 * NANOS)
    verified(at, check="buying_power")
    assert denied(asked(at, quantity=LARGE)) == [Reason.BUYING_POWER]
    effects = asked(at, quantity=7 * NANOS)
    assert submitted(effects)
    assert stages(effects) == ["used"]


@pytest.mark.parametrize("check", [row.name for row in TABLE])
def test_no_policy_file_gives_a_check_of_its_own_the_name_of_a_row_of_the_table(check: str) -> None:
    own = f"{{name: {check}, condition: price > 1}}"
    text = f"safety: {{pre_trade_checks: {{checks: [{own}]}}}}"
    with pytest.raises(PolicyRefused, match="call it something else"):
        read_policy(text, "p.yaml")


def test_two_rows_of_one_name_take_an_override_each() -> None:
    at = named_like("order_value", order_value_nanos_max=1_000 * NANOS)
    verified(at)
    effects = asked(at, quantity=LARGE)
    assert denied(effects) == [Reason.CUSTOM_CHECK]
    assert stages(effects) == []
    verified(at)
    effects = asked(at, quantity=LARGE)
    assert submitted(effects)
    assert stages(effects) == ["used", "used"]


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"operator": " "}, "name"),
        ({"reason": ""}, "reason"),
        ({"quantity_nanos_max": 0}, "quantity"),
        ({"expires_ns": 301 * SECOND}, "lasts at most"),
        ({"expires_ns": 0}, "lasts at most"),
    ],
)
def test_an_override_that_is_not_whole_is_refused(changed: dict[str, Any], word: str) -> None:
    found = answer(small().take(msgspec.structs.replace(ASKED, **changed)))
    assert not found.accepted
    assert word in found.message


def test_open_overrides_are_bounded() -> None:
    at = small()
    for _ in range(OVERRIDES_MAX):
        assert answer(at.take(ASKED)).accepted
    assert not answer(at.take(ASKED)).accepted


def test_a_halt_stands_above_an_override() -> None:
    at = small()
    verified(at)
    at.take(facts.BrokerStreamChanged(connected=False))
    assert denied(asked(at, quantity=LARGE)) == [Reason.POSTURE_REDUCE_ONLY]


@pytest.mark.parametrize("check", PRICED)
@pytest.mark.parametrize(("worst", "word"), [(None, "--worst-price"), (0, "above zero")])
def test_an_override_of_a_price_names_the_worst_price(
    check: str, worst: int | None, word: str
) -> None:
    refused = answer(
        small().take(msgspec.structs.replace(ASKED, check=check, worst_price_nanos=worst))
    )
    assert not refused.accepted
    assert word in refused.message


@pytest.mark.parametrize(
    ("side", "worst", "price", "passes"),
    [
        (Side.BUY, 300, 300, True),
        (Side.BUY, 300, 301, False),
        (Side.BUY, 300, 50_000, False),
        (Side.SELL, 200, 200, True),
        (Side.SELL, 200, 199, False),
    ],
)
def test_an_override_of_the_collar_lets_no_worse_price_pass(
    side: Side, worst: int, price: int, passes: bool
) -> None:
    at = desk()
    verified(at, check="price_collar", side=side, worst_price_nanos=worst * NANOS)
    effects = asked(at, side=side, quantity=LARGE, price=price * NANOS)
    assert denied(effects) == ([] if passes else [Reason.PRICE_COLLAR])
    assert stages(effects) == (["used"] if passes else [])


@pytest.mark.parametrize(
    ("side", "worst_cents", "passes"),
    [
        (Side.BUY, 275_02, True),
        (Side.BUY, 275_01, False),
        (Side.SELL, 224_99, True),
        (Side.SELL, 225_00, False),
    ],
)
def test_a_market_order_passes_when_a_tenth_beyond_the_quote_is_no_worse(
    side: Side, worst_cents: int, passes: bool
) -> None:
    at = small()
    verified(at, side=side, worst_price_nanos=worst_cents * NANOS // 100)
    effects = asked(at, side=side, quantity=LARGE, price=None)
    assert bool(submitted(effects)) is passes
