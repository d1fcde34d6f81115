"""The laws of the kernel, held by Hypothesis over any sequence of what may happen.

After each input the world replays it from a snapshot and compares effects and state (law 9); the
broker's own ledger judges laws 3 and 4, the outlet law 5, the shadow laws 2, 6 and 13, each
restart law 7, and the rest at the end law 14 and that every request was answered once.
"""

import os

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from fuseboard.core.kernel import Kernel
from fuseboard.vocabulary.records import decoded_record, encoded_record
from tests.core.shadow import holds
from tests.core.world import begun, run

CHOICES = st.integers(0, 95)
FATES = ("taken", "taken", "refused", "silent", "late", "lost", "unreachable")
SEEDS = int(os.environ.get("FUSEBOARD_SEEDS", "0"))


class Laws(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.world = begun()

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

    @rule(choice=CHOICES, rebase=st.booleans(), named=st.booleans())
    def reset(self, choice: int, rebase: bool, named: bool) -> None:
        self.world.reset(choice, rebase=rebase, named=named)

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

    def teardown(self) -> None:
        self.world.quiesce()
        fresh = Kernel()
        for record in self.world.log:
            read = decoded_record(encoded_record(record))
            effects = fresh.step(read.moment, read.input)
            holds("9", effects == record.effects, f"record {record.sequence} does not replay")
        holds("9", fresh.digest() == self.world.kernel.digest(), "replay leads elsewhere")


Laws.TestCase.settings = settings(max_examples=40, stateful_step_count=40)
if SEEDS:
    Laws.TestCase.settings = settings(max_examples=SEEDS, stateful_step_count=80)


class TestLaws(Laws.TestCase):  # type: ignore[misc,valid-type]
    pass


@pytest.mark.parametrize("block", range(4))
def test_seeded_runs_keep_every_law(block: int) -> None:
    for seed in range(50 * block + 1_000, 50 * block + 1_050):
        run(seed, 300)


@pytest.mark.soak
def test_many_seeded_runs_keep_every_law() -> None:
    for seed in range(10_000, 10_000 + max(SEEDS, 2_000)):
        run(seed, 600)
