"""The laws of the kernel, held by Hypothesis over any sequence of what may happen.

After each input the world replays it from a snapshot and compares effects and state (law 9); the
broker's own ledger judges laws 3 and 4, the outlet law 5, the shadow laws 2, 3, 4, 6, 13 and 14,
each restart law 7, an invariant law 8, and the rest at the end law 14 and that every request was
answered once. `reached` says which states a run saw: the last test holds that none is missing.
"""

import json
import os
from collections import Counter
from random import Random

import pytest
from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from fuseboard.core.kernel import Kernel
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.evidence_effects import RecordPlan, RecordTransition
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Intent
from fuseboard.vocabulary.records import Record, decoded_record, encoded_record
from tests.core.adopting import adopt, adopting_run
from tests.core.shadow import holds
from tests.core.world import World, begun, random_step, run

CHOICES = st.integers(0, 95)
FATES = ("taken", "taken", "refused", "silent", "late", "lost", "unreachable")
SEEDS = int(os.environ.get("FUSEBOARD_SEEDS", "0"))


class Laws(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.world = begun()

    @initialize(
        past=st.sampled_from((0, 150, -150)),
        before=st.sampled_from((0, 100, 250)),
        seed=st.integers(0, 1_000),
    )
    def what_was_before(self, past: int, before: int, seed: int) -> None:
        """Begin in the middle of things: positions, plans and latches of a seeded run."""
        self.world = begun(past=past * NANOS)
        random = Random(seed)
        for _ in range(before):
            random_step(self.world, random)

    @rule(choice=CHOICES, quantity=st.sampled_from((1, 50, 200, 450)), limited=st.booleans())
    def order(self, choice: int, quantity: int, limited: bool) -> None:
        self.world.order(choice, quantity=quantity, limited=limited)

    @rule(choice=CHOICES, quantity=st.sampled_from((50, 200)))
    def stop_order(self, choice: int, quantity: int) -> None:
        self.world.order(choice, quantity=quantity, limited=False, stop=True)

    @rule()
    def repeat(self) -> None:
        self.world.repeat()

    @rule(choice=CHOICES)
    def cancel(self, choice: int) -> None:
        self.world.cancel(choice)

    @rule(
        choice=CHOICES,
        quantity=st.sampled_from((None, 25, 100, 300)),
        change=st.sampled_from((-1, 0, 1)),
    )
    def replace(self, choice: int, quantity: int | None, change: int) -> None:
        self.world.replace(choice, quantity=quantity, change=change)

    @rule(
        choice=CHOICES,
        fate=st.sampled_from(
            ("taken", "taken", "refused", "silent", "late", "lost", "unreachable")
        ),
    )
    def send(self, choice: int, fate: str) -> None:
        self.world.send(choice, fate)

    @rule(choice=CHOICES, fails=st.booleans())
    def answer(self, choice: int, fails: bool) -> None:
        self.world.answer(choice, fails=fails)

    @rule(choice=CHOICES, twice=st.booleans())
    def deliver(self, choice: int, twice: bool) -> None:
        self.world.deliver(choice, twice=twice)

    @rule(choice=CHOICES, parts=st.sampled_from((1, 2, 3)))
    def fill(self, choice: int, parts: int) -> None:
        self.world.broker.fill(choice, parts=parts)

    @rule(choice=CHOICES)
    def cancel_at_the_broker(self, choice: int) -> None:
        self.world.cancel_next(choice)

    @rule(choice=CHOICES, change=st.sampled_from((-4, -2, -1, 0, 1, 3)))
    def quote(self, choice: int, change: int) -> None:
        self.world.quote(choice, change_percent=change)

    @rule(milliseconds=st.sampled_from((1, 200, 1000, 2500, 7000, 61_000)))
    def wait(self, milliseconds: int) -> None:
        self.world.wait(milliseconds)

    @rule(choice=CHOICES)
    def halt(self, choice: int) -> None:
        self.world.halt(choice)

    @rule(choice=CHOICES)
    def freeze(self, choice: int) -> None:
        self.world.freeze(choice)

    @rule(choice=CHOICES, rebase=st.booleans(), named=st.booleans())
    def reset(self, choice: int, rebase: bool, named: bool) -> None:
        self.world.reset(choice, rebase=rebase, named=named)

    @rule(choice=CHOICES, named=st.booleans())
    def adopt(self, choice: int, named: bool) -> None:
        adopt(self.world, choice, named=named)

    @rule(lost=st.integers(0, 5))
    def crash(self, lost: int) -> None:
        self.world.crash(lost)

    @rule(connected=st.booleans())
    def stream(self, connected: bool) -> None:
        self.world.connect(connected=connected)

    @rule(lags=st.booleans())
    def disk(self, lags: bool) -> None:
        self.world.disk_lags = lags
        if not lags:
            self.world.commit()

    @invariant()
    def law_9_snapshot_and_tail_lead_to_the_same_state(self) -> None:
        again = Kernel.restored(self.world.snapshot)
        holds("9", again.digest() == self.world.kernel.digest(), "the digests differ")

    @invariant()
    def law_8_totals_are_the_exact_sums_of_their_parts(self) -> None:
        totals_are_exact(self.world)

    def teardown(self) -> None:
        self.world.quiesce()
        for what in reached(self.world.log):
            event(what)
        fresh = Kernel()
        for record in self.world.log:
            read = decoded_record(encoded_record(record))
            effects = fresh.step(read.moment, read.input)
            holds("9", effects == record.effects, f"record {record.sequence} does not replay")
        holds("9", fresh.digest() == self.world.kernel.digest(), "replay leads elsewhere")


def _no_float(number: str) -> float:
    raise AssertionError(f"law 8: {number} in the state is no integer")


def totals_are_exact(world: World) -> None:
    """No number of the state is a float, and what a ledger keeps as it goes is what it sums to."""
    book = json.loads(world.snapshot, parse_float=_no_float)["book"]
    for ledger in (book["account"], *book["strategies"].values()):
        held = ledger["positions"].values()
        values = [at["quantity_nanos"] * at["mark_nanos"] for at in held]
        holds("8", ledger["value_attos"] == sum(values), "the value is not the sum")
        if ledger["counts_worst"]:
            gross = sum(abs(value) for value in values)
            holds("8", ledger["held_attos"] == gross, "what is held is not the sum")
            worst = sum(at["worst_attos"] for at in held)
            holds("8", ledger["worst_attos"] == worst, "the worst case is not the sum")
    orders = [book["orders"][order_id] for order_id in book["working"]]
    for symbol, at in book["account"]["positions"].items():
        for side in ("buy", "sell"):
            working = sum(
                max(order["quantity_nanos"], (order["succession"] or {}).get("reserved_nanos", 0))
                - order["filled_quantity_nanos"]
                for order in orders
                if order["symbol"] == symbol and order["side"] == side
            )
            holds("8", at[f"{side}ing_nanos"] == working, f"{symbol} {side}: orders are lost")


def reached(log: list[Record]) -> list[str]:
    """The states of interest that a run saw, each once."""
    seen: dict[str, None] = {}
    holders: dict[str, dict[str, int]] = {}
    for record in log:
        fact = record.input
        if isinstance(fact, facts.OrderUnknown):
            seen["an unknown outcome"] = None
        elif isinstance(fact, facts.FillReported) and not fact.final:
            seen["a partial fill"] = None
        elif isinstance(fact, facts.NodeStarted) and record.sequence > 2:
            seen["a restart"] = None
            if fact.latched:
                seen["a restart with a latched register"] = None
        for effect in record.effects:
            _reached_by(effect, seen)
            if isinstance(effect, fx.PublishPosition) and effect.strategy:
                shares = holders.setdefault(effect.symbol, {})
                shares[effect.strategy] = effect.quantity_nanos
                if sum(held != 0 for held in shares.values()) > 1:
                    seen["two strategies in one symbol"] = None
    return list(seen)


def _reached_by(effect: fx.Effect, seen: dict[str, None]) -> None:
    if isinstance(effect, RecordTransition):
        kind = effect.scope.partition(":")[0]
        if effect.event == "BREACHED":
            seen[f"a trip of a {kind}"] = None
        elif effect.event in {"RESET", "REBASED", "RECOVERY_PASSED", "WARNED"}:
            seen[f"{effect.event} of {effect.fuse.partition(':')[0]}"] = None
    elif isinstance(effect, RecordPlan):
        seen[f"a plan {effect.stage}{' with leftovers' if effect.left else ''}"] = None
    elif isinstance(effect, fx.SubmitOrder):
        whose = " of a strategy" if "strategy:" in effect.client_order_id else ""
        seen[f"a submit to {effect.intent.value}{whose}"] = None
        attempt = effect.client_order_id.rpartition("/")[2]
        if effect.intent is Intent.PLAN and int(attempt) > 1:
            seen["a second attempt"] = None
    elif isinstance(effect, fx.AnswerDenied):
        seen[f"denied: {effect.reason.value}"] = None


Laws.TestCase.settings = settings(max_examples=80, stateful_step_count=40)
if SEEDS:
    Laws.TestCase.settings = settings(max_examples=SEEDS, stateful_step_count=80)


@pytest.mark.no_cover
class TestLaws(Laws.TestCase):  # type: ignore[misc,valid-type]
    pass


@pytest.mark.no_cover
@pytest.mark.parametrize("block", range(4))
def test_seeded_runs_keep_every_law(block: int) -> None:
    for seed in range(50 * block + 1_000, 50 * block + 1_050):
        totals_are_exact(run(seed, 300))


@pytest.mark.no_cover
@pytest.mark.parametrize("block", range(2))
def test_seeded_runs_keep_every_law_while_policies_come_and_go(block: int) -> None:
    for seed in range(50 * block + 5_000, 50 * block + 5_050):
        totals_are_exact(adopting_run(seed, 200))


@pytest.mark.no_cover
def test_a_suspension_that_a_newer_halt_keeps_refuses_only_what_the_socket_stops() -> None:
    world, random = begun(past=0), Random(451)
    for _ in range(250):
        random_step(world, random)


OFTEN = (
    "a trip of a account",
    "a trip of a strategy",
    "a plan ended",
    "a second attempt",
    "a partial fill",
    "an unknown outcome",
    "a restart with a latched register",
    "two strategies in one symbol",
    "REBASED of drawdown",
    "RESET of latch",
    "WARNED of drawdown",
    "a submit to open",
    "a submit to reduce",
    "a submit to plan",
    "a submit to plan of a strategy",
    "denied: max_position",
    "denied: gross_exposure",
    "denied: halt_epoch",
    "denied: annihilated",
)
SELDOM = (
    "RESET of drawdown",
    "RECOVERY_PASSED of latch",
    "a plan frozen with leftovers",
    "a plan ended with leftovers",
)


@pytest.mark.no_cover
def test_the_seeded_runs_reach_what_the_laws_are_about() -> None:
    runs = Counter(
        what for seed in (*range(2_000, 2_119), 2_350) for what in reached(run(seed, 300).log)
    )
    missing = [what for what in OFTEN if runs[what] < 5] + [w for w in SELDOM if not runs[w]]
    assert not missing, f"{missing}: {sorted(runs.items())}"


@pytest.mark.parametrize("seed", [13, 51, 104])
def test_a_plan_past_its_deadline_with_a_leg_that_reads_does_not_spin(seed: int) -> None:
    world = begun()
    random = Random(seed)
    for _ in range(100):
        random_step(world, random)
    for milliseconds in (1_000, 61_000, 7_000, 61_000):
        world.wait(milliseconds)


@pytest.mark.soak
def test_many_seeded_runs_keep_every_law() -> None:
    for seed in range(10_000, 10_000 + max(SEEDS, 2_000)):
        run(seed, 600)
