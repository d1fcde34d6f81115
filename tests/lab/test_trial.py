"""Trials: the same each time, money conserved, and the gate the only difference."""

import os
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from fuseboard.core.kernel import Kernel
from fuseboard.lab.protected import play_protected
from fuseboard.lab.result import Mark, TrialResult
from fuseboard.lab.signals import StrategyFailed
from fuseboard.lab.stage import Stage, TrialImpossible
from fuseboard.lab.strategies.by_name import NAMES
from fuseboard.lab.strategy import Cancel, End, Fill, Intent, Place, Quote, Trade
from fuseboard.lab.trial import _play_unprotected, policy_for, run_trial
from fuseboard.policy.data_rules import ExecutionRules
from fuseboard.policy.policy import Policy
from fuseboard.policy.rules import StrategyRule
from fuseboard.runtime.replay import replay
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import OrderType, Side
from fuseboard.vocabulary.records import Record
from tests.lab.markets import (
    LOOSE,
    OPENS_NS,
    STRICT,
    Scripted,
    chosen_of,
    crash,
    options,
    quote,
    tape_of,
)

MILLI_NS = NANOS // 1_000


def trades(result: TrialResult) -> list[Mark]:
    return [mark for mark in result.marks if mark.kind == "fill"]


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=3)
@given(seed=st.integers(0, 10**6))
def test_under_a_policy_that_stops_nothing_the_gate_changes_no_trade(name: str, seed: int) -> None:
    tape = crash(seed, seconds=30)
    gated = run_trial(tape, options(name))
    bare = run_trial(tape, options(name, protected=False))
    assert gated.figures.orders.denied == 0, gated.figures.orders.denials
    assert trades(gated) == trades(bare)
    assert len(trades(bare)) >= 2
    assert gated.series[0] == bare.series[0], "equity"
    assert gated.figures.equity_last_nanos == bare.figures.equity_last_nanos


@pytest.mark.parametrize("protected", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_money_is_conserved_at_every_slice(name: str, protected: bool) -> None:
    """Equity is cash and positions at the tape's marks, and those are the exchange's own."""
    looked = 0

    def look(_at_ns: int) -> None:
        nonlocal looked
        valuing, account = stage.chronicle.valuing, stage.exchange.account()
        assert valuing.cash_attos // NANOS == account.cash_nanos
        held = {at.symbol: at.quantity_nanos for at in stage.exchange.positions()}
        assert valuing.positions == held
        looked += bool(held)

    asked = options(name, STRICT, protected=protected)
    tape = crash(seconds=40)
    stage = Stage(tape, asked, lambda: 0, look)
    if protected:
        play_protected(stage, policy_for(tape, STRICT), name, None)
    else:
        _play_unprotected(stage, policy_for(tape, STRICT))
    assert looked > 20


def test_a_trial_is_the_same_each_time_but_for_the_times_it_measures() -> None:
    tape = crash()
    one, two = (run_trial(tape, options("dip-buyer", STRICT)) for _ in range(2))
    assert one.digest == two.digest
    other = run_trial(crash(2), options("dip-buyer", STRICT))
    assert other.digest != one.digest
    assert one.took != two.took


def test_a_trial_is_the_same_whatever_python_hashes_by() -> None:
    program = (
        "from tests.lab.markets import *; from fuseboard.lab.trial import run_trial\n"
        "print(run_trial(crash(), options('market-maker', STRICT)).digest)"
    )
    running = [
        subprocess.Popen(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed in ("1", "2")
    ]
    one, two = (each.communicate()[0] for each in running)
    assert one == two
    assert len(one.strip()) == 64


def test_what_the_gate_decided_is_derived_again_from_its_journal() -> None:
    records: list[Record] = []
    result = run_trial(crash(), options("hold", STRICT), keep=records.append)
    verdict = replay(records, Kernel())
    assert verdict.ok, verdict.difference
    assert verdict.records == result.figures.inputs > 300


def test_a_loss_trips_and_what_its_plan_cost_is_measured() -> None:
    bare = run_trial(crash(), options("hold", STRICT, protected=False))
    result = run_trial(crash(), options("hold", STRICT))
    figures = result.figures
    assert figures.trips == 1
    (plan,) = figures.liquidations
    assert plan.began_ns == figures.first_trip_ns
    assert plan.ended_ns > plan.began_ns
    assert [at.symbol for at in plan.symbols] == ["AAA", "BBB"] or len(plan.symbols) == 2
    for leg in plan.symbols:
        assert leg.closed_nanos == leg.quantity_nanos == leg.at_once_filled_nanos > 0
        lost = (leg.arrival_nanos - leg.average_nanos) / leg.arrival_nanos
        assert leg.slippage_nanos / NANOS == pytest.approx(lost, abs=1e-6)
    assert plan.slippage_nanos > 0
    assert figures.worst_drawdown_nanos < bare.figures.worst_drawdown_nanos
    counted = dict.fromkeys(("fill", "plan_fill"), 0)
    for mark in result.marks:
        if mark.kind in counted:
            counted[mark.kind] += mark.count
    assert figures.orders.fills == counted["fill"] > 0
    assert counted["plan_fill"] >= 2, "a plan's fills are not the strategy's"
    assert [mark.code for mark in result.marks if mark.kind == "plan"] == [
        "cancelling",
        "closing",
        "ended",
    ]
    postures = [(band.subject, band.value) for band in result.postures]
    assert ("account", "REDUCE_ONLY") in postures
    assert sum(figures.posture_ns.values()) == pytest.approx(60 * NANOS, rel=0.01)


# --- what a strategy is told ---------------------------------------------------------------------


def place(own_id: str, quantity: int = 10, **more: object) -> Place:
    fields: dict[str, object] = {
        "own_id": own_id,
        "symbol": "AAA",
        "side": Side.BUY,
        "quantity_nanos": quantity * NANOS,
    }
    return Place(**{**fields, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize("protected", [True, False])
def test_a_slice_is_told_as_one_quote_and_answers_come_a_slice_later(protected: bool) -> None:
    events = [
        quote(0, 1_000, 1_002),
        quote(1 * MILLI_NS, 997, 999),
        quote(2 * MILLI_NS, 1_001, 1_004),
        quote(NANOS, 1_000, 1_001),
        quote(2 * NANOS, 1_000, 1_001),
    ]
    strategy = Scripted([[place("one")]])
    run_trial(tape_of(events), options(chosen_of(strategy), protected=protected))
    first, fill, *_ = strategy.told
    assert isinstance(first, Quote)
    assert (first.bid_nanos, first.ask_nanos, first.count) == (1_001 * NANOS, 1_004 * NANOS, 3)
    assert (first.bid_low_nanos, first.ask_high_nanos) == (997 * NANOS, 1_004 * NANOS)
    assert first.at_ns == OPENS_NS + 10 * MILLI_NS, "at the slice's end: nothing comes early"
    assert isinstance(fill, Fill)
    assert (fill.own_id, fill.price_nanos, fill.whole) == ("one", 1_004 * NANOS, True)
    assert fill.position_nanos == 10 * NANOS
    times = [told.at_ns for told in strategy.told if isinstance(told, Quote | Trade)]
    assert times == sorted(times)


def test_a_denied_order_reaches_the_strategy_with_its_reason() -> None:
    strategy = Scripted([[place("large", 10_000)], [place("small", 1)]])
    events = [quote(at * NANOS, 100, 101, size=50) for at in range(5)]
    result = run_trial(tape_of(events), options(chosen_of(strategy), Policy()))
    ends = [told for told in strategy.told if isinstance(told, End)]
    assert [(end.own_id, end.how, end.code) for end in ends] == [("large", "denied", "order_value")]
    assert "100000" in ends[0].message
    orders = result.figures.orders
    assert (orders.submitted, orders.allowed, orders.denied) == (2, 1, 1)
    assert orders.denials == {"order_value": 1}
    (mark,) = (mark for mark in result.marks if mark.kind == "denied")
    assert (mark.symbol, mark.side, mark.code) == ("AAA", Side.BUY, "order_value")


@pytest.mark.parametrize("protected", [True, False])
def test_cancels_and_rejections_reach_the_strategy(protected: bool) -> None:
    rests = place("rests", order_type=OrderType.LIMIT, limit_price_nanos=90 * NANOS)
    dear = place("dear", 10**6, order_type=OrderType.LIMIT, limit_price_nanos=100 * NANOS)
    strategy = Scripted([[rests], [Cancel(own_id="rests")], [dear]])
    events = [quote(at * NANOS, 100, 101) for at in range(6)]
    run_trial(tape_of(events), options(chosen_of(strategy), protected=protected))
    ends = {told.own_id: told.how for told in strategy.told if isinstance(told, End)}
    assert ends == {"rests": "canceled", "dear": "denied" if protected else "rejected"}


def test_an_order_that_is_cancelled_before_it_leaves_ends_once_as_annihilated() -> None:
    """The broker lets a few requests a minute through: what waits for its turn never leaves."""
    few = structs.replace(LOOSE, execution=ExecutionRules(requests_a_minute=8))
    rests = [
        place(f"r{at}", order_type=OrderType.LIMIT, limit_price_nanos=90 * NANOS) for at in range(9)
    ]
    cancels = [Cancel(own_id=each.own_id) for each in rests]
    strategy = Scripted([rests, cancels])
    events = [quote(at * NANOS // 2, 100, 101) for at in range(9)]
    result = run_trial(tape_of(events), options(chosen_of(strategy), few))
    ends = [told for told in strategy.told if isinstance(told, End)]
    assert sorted(end.own_id for end in ends) == [each.own_id for each in rests], "each once"
    annihilated = [end for end in ends if end.code == "annihilated"]
    assert annihilated
    assert {end.how for end in annihilated} == {"denied"}
    assert {end.how for end in ends if end not in annihilated} == {"canceled"}
    assert result.figures.orders.denials == {"annihilated": len(annihilated)}


def test_the_brokers_limit_of_requests_binds_with_the_gate_and_without() -> None:
    """So that what the limit costs is not taken for what the gate costs; the gate's own questions
    to the broker are the difference.
    """
    tight = structs.replace(LOOSE, execution=ExecutionRules(requests_a_minute=30))
    tape = crash(seconds=30)
    free = run_trial(tape, options("market-maker", protected=False)).figures.orders
    gated, bare = (
        run_trial(tape, options("market-maker", tight, protected=way)).figures.orders
        for way in (True, False)
    )
    assert 2 * bare.allowed < free.allowed
    assert 0 <= bare.allowed - gated.allowed <= 3
    assert list(bare.denials) == list(gated.denials) == ["annihilated"]


def test_without_the_gate_what_the_broker_does_not_take_in_time_or_is_cancelled_is_not_sent() -> (
    None
):
    """Twelve a minute, three of them for cancels: nine orders leave, the others wait 4 s."""
    few = structs.replace(
        LOOSE,
        execution=ExecutionRules(requests_a_minute=12, protected_share_nanos=NANOS // 4),
    )
    rests = [
        place(f"r{at}", order_type=OrderType.LIMIT, limit_price_nanos=90 * NANOS)
        for at in range(12)
    ]
    cancels = [Cancel(own_id="r10"), Cancel(own_id="r0"), Cancel(own_id="r0")]
    strategy = Scripted([rests, cancels])
    events = [quote(at * NANOS, 100, 101) for at in range(9)]
    result = run_trial(tape_of(events), options(chosen_of(strategy), few, protected=False))
    ends = {told.own_id: (told.how, told.code) for told in strategy.told if isinstance(told, End)}
    assert ends == {
        "r0": ("canceled", ""),
        "r10": ("denied", "annihilated"),
        "r9": ("denied", "rate_limited"),
        "r11": ("denied", "rate_limited"),
    }
    late = next(told for told in strategy.told if isinstance(told, End) and told.own_id == "r11")
    assert late.at_ns == OPENS_NS + 4 * NANOS + 10 * MILLI_NS
    assert result.figures.orders.allowed == 9


@pytest.mark.parametrize("protected", [True, False])
def test_a_dip_that_is_over_at_the_end_is_in_the_drawdown_and_in_the_series(
    protected: bool,
) -> None:
    prices = (1_000, 1_000, 1_000, 980, 990, 1_000, 1_000)
    events = [quote(at * NANOS, price - 1, price + 1) for at, price in enumerate(prices)]
    strategy = Scripted([[place("one", 10)]])
    result = run_trial(tape_of(events), options(chosen_of(strategy), protected=protected))
    first_nanos = 100_000 * NANOS
    paid = 10 * 1_001
    lowest_nanos = first_nanos - paid * NANOS + 10 * 980 * NANOS
    equity = result.series[0]
    assert min(equity.low) == lowest_nanos
    assert result.figures.equity_last_nanos == first_nanos - paid * NANOS + 10_000 * NANOS
    fallen = -(-(first_nanos - lowest_nanos) * NANOS // first_nanos)
    assert result.figures.worst_drawdown_nanos == fallen
    assert result.figures.worst_drawdown_ns == OPENS_NS + 3 * NANOS + 10 * MILLI_NS


class Broken(Scripted):
    def on_quote(self, quote: Quote) -> list[Intent]:
        self.told.append(quote)
        if len(self.told) == 3:
            raise ZeroDivisionError("by nothing")
        return []


@pytest.mark.parametrize("protected", [True, False])
def test_a_strategy_that_raises_ends_the_trial_and_it_is_said_when(protected: bool) -> None:
    events = [quote(at * NANOS, 100, 101) for at in range(6)]
    broken = Broken([])
    with pytest.raises(StrategyFailed, match=r"ZeroDivisionError: by nothing.*a quote of AAA at"):
        run_trial(tape_of(events), options(chosen_of(broken), protected=protected))
    assert len(broken.told) == 3, "it is not called again"


@pytest.mark.parametrize("protected", [True, False])
@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ([[place("one")], [place("one")]], "used the id 'one' twice"),
        ([[Cancel(own_id="none")]], "cancels 'none', which it never placed"),
        ([["buy"]], "answered with str"),
        ([[Cancel(own_id="none")] * 1_001], "1001 things at once"),
    ],
)
def test_what_makes_no_sense_ends_the_trial(
    answers: list[list[Intent]], says: str, protected: bool
) -> None:
    events = [quote(at * NANOS, 100, 101) for at in range(6)]
    strategy = Scripted(answers)
    with pytest.raises(StrategyFailed, match=says):
        run_trial(tape_of(events), options(chosen_of(strategy), protected=protected))


def test_calls_over_a_millisecond_are_counted_by_the_stopwatch() -> None:
    ticks = iter(range(10**6))
    events = [quote(at * NANOS, 100, 101) for at in range(4)]
    slow = run_trial(
        tape_of(events),
        options(chosen_of(Scripted([])), protected=False),
        stopwatch_ns=lambda: next(ticks) * 1_000_001,
    )
    assert (slow.signals.calls, slow.signals.slow) == (4, 4)
    assert slow.signals.longest_ns == slow.signals.p50_ns == 1_000_001


# --- what cannot be ------------------------------------------------------------------------------


def test_a_policy_that_names_its_strategies_wants_to_know_which_one_it_is() -> None:
    named = Policy(strategies=(StrategyRule(name="alpha", capital_nanos=10**5 * NANOS),))
    with pytest.raises(TrialImpossible, match=r"names the strategies alpha.*--as NAME"):
        run_trial(crash(), options("hold", named))


def test_a_tape_without_events_is_no_trial() -> None:
    tape = structs.replace(crash(), read=lambda: iter(()))
    with pytest.raises(TrialImpossible, match="has no events: name other hours"):
        run_trial(tape, options("hold"))


def test_only_a_sampled_tape_lets_quotes_be_older_than_the_policy_says() -> None:
    events = [quote(0, 100, 101), quote(NANOS, 100, 101)]
    own = Policy().data.quote_age_ns_max
    assert policy_for(tape_of(events), LOOSE).data.quote_age_ns_max == own
    tight = Policy(data=Policy().data.__class__(quote_age_ns_max=2 * NANOS))
    assert policy_for(tape_of(events, sampled=True), tight).data.quote_age_ns_max == 10 * NANOS
    assert policy_for(tape_of(events), tight).data.quote_age_ns_max == 2 * NANOS


@pytest.mark.parametrize(("known_s", "age_s"), [(0, 2), (1, 10), (3, 30)])
def test_how_old_a_quote_may_be_comes_of_what_was_known_before_the_tape(
    known_s: int, age_s: int
) -> None:
    """Gaps of a minute, which only the whole tape tells, have no part in it."""
    tape = tape_of([quote(0, 100, 101), quote(NANOS, 100, 101)], sampled=True)
    cadence = structs.replace(tape.cadence, typical_gap_ns=60 * NANOS, known_gap_ns=known_s * NANOS)
    tight = Policy(data=Policy().data.__class__(quote_age_ns_max=2 * NANOS))
    found = policy_for(structs.replace(tape, cadence=cadence), tight)
    assert found.data.quote_age_ns_max == age_s * NANOS


def test_a_market_that_is_often_silent_does_not_put_the_brokers_clock_behind() -> None:
    """The clocks are compared every five minutes; a tape of few events is no clock."""
    tape = tape_of([quote(at * 47 * NANOS, 99, 100) for at in range(20)], sampled=True)
    result = run_trial(tape, options("hold", STRICT))
    assert not [mark for mark in result.marks if mark.code == "clocks_disagree"]
    assert result.figures.posture_ns.get("REDUCE_ONLY", 0) == 0
