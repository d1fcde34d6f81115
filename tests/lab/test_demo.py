"""The scripted demos: the lines of the brief in order, exact where exact is promised, evidence."""

import re
from functools import partial
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuseboard.core.kernel import Kernel
from fuseboard.lab.demo import LIMIT_NANOS, SCENES, TICKS, DemoOptions, DemoResult, losses, run_demo
from fuseboard.runtime.replay import replay
from fuseboard.vocabulary.effects import SubmitOrder
from fuseboard.vocabulary.evidence_effects import RecordPlan, RecordTransition
from fuseboard.vocabulary.inputs import FillReported, NodeStarted
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Intent
from fuseboard.vocabulary.records import encoded_record

MEASURED = re.compile(r"[0-9.]+(?= ?(µs|ms))")


def played(scene: str, **more: int) -> tuple[DemoResult, list[str]]:
    lines: list[str] = []
    options = DemoOptions(scene=scene, ticks=more.pop("ticks", TICKS[scene]), **more)
    return run_demo(options, lines.append), lines


def without_ticks(lines: list[str]) -> list[str]:
    return [MEASURED.sub("#", line) for line in lines if not line.startswith("tick")]


def test_a_crash_says_these_lines_in_this_order() -> None:
    result, lines = played("crash")
    assert without_ticks(lines) == [
        "[BREAKER] State: ARMED → MONITORING",
        "[BREAKER] State: MONITORING → TRIGGERED",
        "[BREAKER] HWM: $100,000.00 | Current: $94,900.00 | Drawdown: 5.10%",
        "[LIQUIDATION] Cancelling 3 open orders...",
        "[LIQUIDATION] Closing 2 positions: AAPL, TSLA",
        "[BREAKER] State: TRIGGERED → COOLING_DOWN (cooldown: 2s)",
        "[METRICS] Trigger latency: #µs | Cancel latency: #ms",
        "Liquidation: cancelled=3 closed=2 duration=#ms errors=0",
        "trigger_count=1",
        "P99 eval latency: # µs",
    ]
    ticks = [line for line in lines if line.startswith("tick")]
    assert len(ticks) == 120
    assert ticks[0].startswith("tick    1 state=ARMED ")
    assert ticks[1].startswith("tick    2 state=MONITORING ")
    assert (result.trips, result.state) == (1, "COOLING_DOWN")


def test_what_a_demo_measures_is_measured() -> None:
    """On a clock that goes one further at each look, and on one seven times as fast."""
    options = DemoOptions(scene="crash", ticks=TICKS["crash"])
    slow, fast = (
        run_demo(options, lambda _: None, partial(next, count(1_000, step))).measured
        for step in (1, 7)
    )
    assert slow.trigger_ns == slow.evaluation_p50_ns == slow.evaluation_p99_ns == 1
    assert 1 < slow.cancel_ns < slow.liquidation_ns
    assert slow.cancel_ns % 2 == slow.liquidation_ns % 2 == 1, "from a step's begin to one's end"
    for name in ("trigger", "cancel", "liquidation", "evaluation_p50", "evaluation_p99"):
        assert getattr(fast, f"{name}_ns") == 7 * getattr(slow, f"{name}_ns"), name
    assert fast.evaluations == slow.evaluations > 200
    assert slow.unconfirmed == 0


@pytest.mark.parametrize("scene", SCENES)
def test_a_demo_is_the_same_each_time_but_for_the_measured_times(scene: str) -> None:
    (one, first), (two, second) = played(scene), played(scene)
    assert [MEASURED.sub("#", line) for line in first] == [
        MEASURED.sub("#", line) for line in second
    ]
    assert [encoded_record(at) for at in one.records] == [encoded_record(at) for at in two.records]


@pytest.mark.parametrize("scene", SCENES)
def test_every_record_of_a_demo_is_derived_again(scene: str) -> None:
    records = played(scene)[0].records
    verdict = replay(records, Kernel())
    assert verdict.ok, verdict.difference
    assert verdict.records == len(records) > TICKS[scene]
    assert any(isinstance(at.input, NodeStarted) for at in records)


def test_another_seed_is_another_market() -> None:
    assert played("normal", seed=1)[1] != played("normal", seed=2)[1]


def test_normal_trips_nothing_and_recovery_raises_the_mark_after_a_fall() -> None:
    for scene in ("normal", "recovery"):
        result, lines = played(scene)
        assert (result.trips, result.state) == (0, "MONITORING")
        assert lines[-2] == "trigger_count=0"
        assert not any("LIQUIDATION" in line or "METRICS" in line for line in lines)
    ticks = [line for line in played("recovery")[1] if line.startswith("tick")][1:]
    marks = [int(re.sub(r"\D", "", line.split("mark=")[1])) for line in ticks]
    equities = [int(re.sub(r"\D", "", line.split()[3])) for line in ticks]
    assert marks == sorted(marks)
    assert marks[-1] > marks[0]
    assert min(equities) <= 97_100_00, "it fell by about three percent on the way"


@settings(max_examples=25)
@given(
    depth=st.integers(1_000_000, 900_000_000),
    ticks=st.integers(10, 60),
    cooldown_ns=st.integers(NANOS // 1_000, 20 * NANOS),
    seed=st.integers(-5, 10**6),
)
def test_a_crash_trips_once_exactly_when_it_falls_to_the_limit(
    depth: int, ticks: int, cooldown_ns: int, seed: int
) -> None:
    result, lines = played(
        "crash", ticks=ticks, drawdown_nanos=depth, cooldown_ns=cooldown_ns, seed=seed
    )
    trips = int(depth >= LIMIT_NANOS)
    assert (result.trips, lines[-2]) == (trips, f"trigger_count={trips}")
    assert result.state == ("COOLING_DOWN" if trips else "MONITORING")
    assert sum(line.startswith("tick") for line in lines) == ticks
    ended = [
        effect
        for record in result.records
        for effect in record.effects
        if isinstance(effect, RecordPlan) and effect.stage == "ended"
    ]
    assert [(plan.cancelled, plan.closed, plan.left) for plan in ended] == [(3, 2, ())] * trips


@pytest.mark.parametrize(("depth", "trips"), [(49_999_999, 0), (50_000_000, 1)])
def test_the_limit_is_exact_to_the_billionth(depth: int, trips: int) -> None:
    result, lines = played("crash", drawdown_nanos=depth)
    assert result.trips == trips
    assert any("Drawdown: 5.00%" in line for line in lines) == bool(trips)


def test_the_cooldown_is_waited_for_by_the_demos_own_clock() -> None:
    for cooldown_ns, said in ((NANOS // 2, "0.5s"), (60 * NANOS, "60s")):
        result, lines = played("crash", cooldown_ns=cooldown_ns)
        assert f"[BREAKER] State: TRIGGERED → COOLING_DOWN (cooldown: {said})" in lines
        at = {
            effect.after: record.moment.boot_ns
            for record in result.records
            for effect in record.effects
            if isinstance(effect, RecordTransition)
        }
        assert at["COOLING_DOWN"] - at["TRIGGERED"] >= cooldown_ns


def test_what_was_held_is_sold_once_and_nothing_is_bought_after_the_trip() -> None:
    records = played("crash")[0].records
    closes = [
        effect
        for record in records
        for effect in record.effects
        if isinstance(effect, SubmitOrder) and effect.intent is Intent.PLAN
    ]
    sold = {close.symbol: close.quantity_nanos // NANOS for close in closes}
    assert sold == {"AAPL": 200, "TSLA": 160}
    assert len(closes) == 2
    ids = {close.order_id for close in closes}
    filled = sum(
        record.input.quantity_nanos
        for record in records
        if isinstance(record.input, FillReported) and record.input.order_id in ids
    )
    assert filled == 360 * NANOS


@pytest.mark.parametrize("scene", SCENES)
def test_the_script_starts_at_no_loss_and_has_one_step_a_tick(scene: str) -> None:
    for ticks in (10, 11, 50):
        script = list(losses(DemoOptions(scene=scene, ticks=ticks)))
        assert script[0] == 0
        assert len(script) == ticks
