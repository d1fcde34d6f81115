"""Dynamic limits tighten while a condition holds or is unknown, the tightest wins, none loosens."""

import pytest

from fuseboard.core.kernel import Kernel
from fuseboard.policy.limits import DynamicLimit, Limits, Tightening, tightened
from fuseboard.policy.policy import Policy
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Side
from fuseboard.vocabulary.reasons import Reason
from tests.core.test_known_failures import SECOND, Desk, denied, submitted
from tests.core.test_limits import asked, desk


def rule(name: str, condition: str, **limits: int) -> DynamicLimit:
    by = tuple(Tightening(field=field, value=value) for field, value in limits.items())
    return DynamicLimit(name=name, condition=condition, tighten=by, clear_after_ns=10 * SECOND)


STORM = rule("storm", "vix > 30", order_value_nanos_max=1_000 * NANOS)
PANIC = rule("panic", "vix > 50", order_value_nanos_max=500 * NANOS, positions_max=1)


def vix(at: Desk, points: int) -> tuple[fx.Effect, ...]:
    at.now_ns += 1
    report = facts.MeasureReported(request=0, name="vix", value=points * NANOS, event_ns=at.now_ns)
    return at.take(report)


def said(effects: tuple[fx.Effect, ...]) -> list[str]:
    alerts = [effect for effect in effects if isinstance(effect, fx.RaiseAlert)]
    return [alert.text for alert in alerts if alert.code is Reason.DYNAMIC_LIMIT]


def later(at: Desk, seconds: int) -> tuple[fx.Effect, ...]:
    at.now_ns += seconds * SECOND
    return at.take(facts.TimeAdvanced())


def calm(*rules: DynamicLimit) -> Desk:
    at = desk(Policy(dynamic_limits=rules))
    vix(at, 20)
    later(at, 1)
    later(at, 11)
    at.quote("AAPL", 250)
    return at


def test_an_unknown_condition_tightens_and_is_said_once() -> None:
    at = desk(Policy(dynamic_limits=(STORM,)))
    assert denied(asked(at, quantity=5 * NANOS)) == [Reason.ORDER_VALUE]
    assert said(later(at, 1)) == []
    later(at, 0)
    assert submitted(asked(calm(STORM), quantity=5 * NANOS))


def test_a_condition_that_holds_tightens_at_once_and_lets_go_after_a_while() -> None:
    at = calm(STORM)
    effects = vix(at, 31)
    assert len(said(effects)) == 1
    assert fx.PublishDynamicLimits(names=("storm",)) in effects
    assert said(vix(at, 32)) == []
    assert denied(asked(at, quantity=5 * NANOS)) == [Reason.ORDER_VALUE]
    assert submitted(asked(at, quantity=4 * NANOS))
    vix(at, 30)
    assert denied(asked(at, quantity=5 * NANOS)) == [Reason.ORDER_VALUE], "hysteresis"
    later(at, 9)
    at.kernel = Kernel.restored(at.kernel.snapshot())
    assert denied(asked(at, quantity=5 * NANOS)) == [Reason.ORDER_VALUE], "also after a restart"
    effects = later(at, 1)
    assert fx.PublishDynamicLimits(names=()) in effects
    assert submitted(asked(at, quantity=5 * NANOS))


def test_a_condition_that_holds_again_begins_its_hysteresis_anew() -> None:
    at = calm(STORM)
    for points in (31, 29, 31, 29):
        vix(at, points)
        later(at, 9)
        assert denied(asked(at, quantity=5 * NANOS, price=249 * NANOS)) == [Reason.ORDER_VALUE]


def test_with_several_the_tightest_of_each_limit_wins_and_what_was_not_set_is() -> None:
    at = calm(PANIC, STORM)
    vix(at, 60)
    assert denied(asked(at, quantity=3 * NANOS)) == [Reason.ORDER_VALUE]
    assert submitted(asked(at, quantity=2 * NANOS))
    at.quote("TSLA", 100)
    assert denied(asked(at, "TSLA", price=100 * NANOS)) == [Reason.POSITIONS]


def test_an_exit_is_not_held_back_by_a_dynamic_limit() -> None:
    at = desk(Policy(dynamic_limits=(STORM,)), held=100)
    vix(at, 90)
    assert submitted(asked(at, side=Side.SELL, quantity=100 * NANOS))


@pytest.mark.parametrize(
    ("field", "base", "value", "after"),
    [
        ("order_value_nanos_max", 100, 50, 50),
        ("order_value_nanos_max", 100, 150, 100),
        ("leverage_nanos_max", None, 5, 5),
        ("net_exposure_nanos_min", -100, -50, -50),
        ("net_exposure_nanos_min", -100, -150, -100),
        ("maintenance_margin_nanos_min", None, 5, 5),
        ("price_floor_nanos", 5, 3, 5),
        ("order_rate_window_ns", 5, 3, 5),
    ],
)
def test_a_value_that_would_loosen_changes_nothing(
    field: str, base: int | None, value: int, after: int
) -> None:
    limits = tightened(Limits(**{field: base}), (Tightening(field=field, value=value),))  # type: ignore[arg-type]
    assert getattr(limits, field) == after


def test_a_condition_over_orders_is_judged_with_each_of_them() -> None:
    busy = rule("busy", "working_orders >= 2", order_value_nanos_max=NANOS)
    at = desk(Policy(dynamic_limits=(busy,)))
    assert submitted(asked(at))
    assert submitted(asked(at))
    assert denied(asked(at)) == [Reason.ORDER_VALUE]
