"""The stopwatch around the kernel, on a clock that the test holds."""

from msgspec import Struct

from fuseboard.core.kernel import Kernel
from fuseboard.runtime.intake import WAITED_NS, Intake
from fuseboard.runtime.meter import MeteredKernel
from fuseboard.vocabulary.effects import Effect
from fuseboard.vocabulary.evidence_effects import RecordPlan, RecordTransition
from fuseboard.vocabulary.inputs import Input, Moment, TimeAdvanced
from fuseboard.vocabulary.market_inputs import BookSeen
from tests.runtime.worlds import quote, trade

MOMENT = Moment(boot_ns=1, wall_ns=1)
TRIP = "drawdown:account/1"


class Scripted(Kernel):
    """Gives the effects it was told, and takes as long as it was told."""

    def __init__(self) -> None:
        super().__init__()
        self.now_ns = 1_000
        self.takes_ns = 0
        self.effects: tuple[Effect, ...] = ()

    def step(self, moment: Moment, fact: Input) -> tuple[Effect, ...]:
        del moment, fact
        self.now_ns += self.takes_ns
        return self.effects


class Times(Struct, frozen=True):
    trigger_ns: int
    cancel_ns: int
    liquidation_ns: int
    unconfirmed: int = 0


class Bench:
    def __init__(self) -> None:
        self._kernel = Scripted()
        self._meter = MeteredKernel(self._kernel, lambda: self._kernel.now_ns)

    def after(self, waited_ns: int, *effects: Effect, takes_ns: int = 0) -> Times:
        kernel = self._kernel
        kernel.now_ns += waited_ns
        kernel.takes_ns, kernel.effects = takes_ns, effects
        assert self._meter.step(MOMENT, TimeAdvanced()) == effects
        at = self._meter.measured()
        return Times(at.trigger_ns, at.cancel_ns, at.liquidation_ns, at.unconfirmed)


def tripped() -> RecordTransition:
    return RecordTransition(
        fuse="drawdown:account",
        scope="account",
        before="MONITORING",
        after="TRIGGERED",
        event="breached",
        generation=1,
    )


def plan(stage: str, orders: int = 0) -> RecordPlan:
    return RecordPlan(trip=TRIP, stage=stage, orders=orders)


def test_each_latency_runs_from_the_trip_to_its_own_end() -> None:
    bench = Bench()
    assert bench.after(5, tripped(), plan("cancelling", 3), takes_ns=40) == Times(40, 0, 0)
    assert bench.after(300, plan("closing"), takes_ns=7) == Times(40, 347, 0)
    assert bench.after(1_000, plan("ended"), takes_ns=2) == Times(40, 347, 1_349)


def test_cancels_that_were_not_confirmed_are_counted_and_a_second_closing_changes_nothing() -> None:
    bench = Bench()
    bench.after(0, tripped(), plan("cancelling", 3), takes_ns=10)
    assert bench.after(2_000, plan("closing", 2)) == Times(10, 2_010, 0, 2)
    bench.after(100, plan("ended"))
    assert bench.after(500, plan("closing")) == Times(10, 2_010, 2_110, 2)
    assert bench.after(0, plan("ended")) == Times(10, 2_010, 2_610, 2)


def test_the_next_trip_is_measured_anew() -> None:
    bench = Bench()
    bench.after(0, tripped(), takes_ns=10)
    bench.after(50, plan("closing", 1))
    bench.after(50, plan("frozen"))
    assert bench.after(10, tripped(), takes_ns=4) == Times(4, 0, 0)


def test_every_kind_of_fact_that_can_wait_in_the_intake_is_an_evaluation() -> None:
    now_ns = 0
    intake = Intake(stopwatch_ns=lambda: now_ns)
    facts = (quote("A", 1, 2), trade("A", 1), BookSeen(symbol="A", bids=(), asks=(), event_ns=0))
    for fact in facts:
        assert intake.offer(fact)
    now_ns = WAITED_NS + 1
    meter = MeteredKernel(Scripted(), lambda: 0)
    for taken in intake.take(10):
        meter.step(MOMENT, taken)
    meter.step(MOMENT, TimeAdvanced())
    seen = meter.measured(waited=intake.waited)
    assert seen.waited == seen.evaluations == len(facts)
