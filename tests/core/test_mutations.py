"""Take one safeguard out of the kernel, and see that a law's checker notices."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from fuseboard.core import exposure, halting, judging, kernel, orders, plan, resets, startup
from fuseboard.core.book import Ledger, Order
from fuseboard.core.fuses.drawdown import DrawdownFuse
from fuseboard.core.fuses.latch import Latch
from fuseboard.core.fuses.machine import FuseEvent
from fuseboard.core.legs import Leg, Plan
from fuseboard.core.state import Turn
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.identifiers import close_client_order_id
from fuseboard.vocabulary.orders import Intent, OrderStatus
from fuseboard.vocabulary.postures import HaltLevel
from fuseboard.vocabulary.reasons import Reason
from tests.core import world
from tests.core.test_laws import totals_are_exact
from tests.deletion import without

pytestmark = pytest.mark.no_cover  # what only a broken kernel runs is not covered

SEEDS_MAX = 600
STEPS = 300


def _steps(patch: pytest.MonkeyPatch, kind: type[Any], step: Callable[[Turn, Any], None]) -> None:
    steps: dict[type[Any], Callable[[Turn, Any], None]] = kernel._STEPS
    patch.setitem(steps, kind, step)


def _sizes_the_whole_position(patch: pytest.MonkeyPatch) -> None:
    sized = plan._size_and_send

    def whole(turn: Turn, its_plan: Plan, leg: Leg, fact: facts.LegRead) -> None:
        sized(turn, its_plan, leg, msgspec.structs.replace(fact, against_nanos=0))

    patch.setattr(plan, "_size_and_send", whole)
    patch.setattr(plan, "unseen_nanos", lambda *_: 0)


def _forgets_what_is_on_its_way(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(plan, "unseen_nanos", lambda *_: 0)


def _believes_stale_reads(patch: pytest.MonkeyPatch) -> None:
    def believed(turn: Turn, fact: facts.LegRead) -> None:
        its_plan = turn.state.plans.get(fact.trip)
        if its_plan is not None and fact.symbol in its_plan.legs:
            position = turn.state.book.account.position(fact.symbol)
            its_plan.legs[fact.symbol].moves = position.moves
        plan.leg_read(turn, fact)

    _steps(patch, facts.LegRead, believed)


def _makes_a_new_id_each_time(patch: pytest.MonkeyPatch) -> None:
    def ids(turn: Turn, its_plan: Plan, leg: Leg) -> tuple[str, str]:
        client = close_client_order_id(trip=its_plan.trip, symbol=leg.symbol, attempt=leg.attempt)
        client += f"@{turn.boot_ns}"
        return client, turn.ids.order_id("", client)

    patch.setattr(plan, "_ids", ids)


def _keeps_the_halt_epoch(patch: pytest.MonkeyPatch) -> None:
    def latched(
        turn: Turn, scope: str, level: HaltLevel, reason: Reason, trip_name: str, detail: str
    ) -> None:
        epoch = turn.state.halt_epoch
        turn.out.append(
            fx.LatchHalt(
                scope=scope,
                level=level,
                reason=reason,
                trip=trip_name,
                halt_epoch=epoch,
                detail=detail,
            )
        )

    patch.setattr(halting, "_latch_register", latched)


def _drops_orders_in_doubt(patch: pytest.MonkeyPatch) -> None:
    def unknown(turn: Turn, fact: facts.OrderUnknown) -> None:
        orders.order_unknown(turn, fact)
        order = turn.state.book.orders.get(fact.order_id)
        if order is not None and not order.closed():
            turn.state.book.close(order, OrderStatus.NOT_SENT)

    _steps(patch, facts.OrderUnknown, unknown)


def _counts_nothing_in_flight(patch: pytest.MonkeyPatch) -> None:
    counted = Ledger.work

    def work(self: Ledger, order: Order, quantity_nanos: int) -> None:
        worst = self.worst_attos
        counted(self, order, quantity_nanos)
        position = self.position(order.symbol)
        position.buying_attos = position.selling_attos = position.worst_attos = 0
        position.buying_price_nanos_max = position.selling_price_nanos_max = 0
        self.worst_attos = min(worst, 0)

    patch.setattr(Ledger, "work", work)


def _ignores_the_register(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(startup, "_agree_with_register", lambda *_: None)


def _resets_for_anybody(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(resets, "_reset_refusal", lambda *_: "")


def _loosens_by_itself(patch: pytest.MonkeyPatch) -> None:
    settled = halting.settle

    def settle(turn: Turn) -> None:
        settled(turn)
        for fuse in turn.state.drawdowns.values():
            if fuse.state.value == "COOLING_DOWN":
                halting.apply(turn, fuse, FuseEvent.RESET)

    patch.setattr(halting, "settle", settle)


def _keeps_the_generation(patch: pytest.MonkeyPatch) -> None:
    def arm(_state: object, _fuse: DrawdownFuse | Latch) -> None:
        return

    patch.setattr(resets, "arm_again", arm)


def _never_answers_the_sent(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(orders, "_answered", lambda *_: None)


def _traps_exits(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(judging, "intent_of", lambda *_: Intent.OPEN)


def _does_not_resume(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(plan, "resume", lambda *_: None)


def _takes_closes_back_on_a_halt(patch: pytest.MonkeyPatch) -> None:
    text = "order.intent is Intent.PLAN or "
    without(patch, halting.cancel_scope, text, "")


def _closes_a_neighbours_share(patch: pytest.MonkeyPatch) -> None:
    text = "open_nanos = min(open_nanos, own.reducible_nanos(side))"
    without(patch, plan._size_and_send, text, "pass")


def _reduces_past_the_account(patch: pytest.MonkeyPatch) -> None:
    text = "order.quantity_nanos > position.reducible_nanos(order.side)"
    without(patch, exposure.intent_of, text, "False")


def _resets_on_older_books(patch: pytest.MonkeyPatch) -> None:
    text = "is_older and"
    without(patch, resets._reset_refusal, text, "False and")


def _forgets_what_is_held(patch: pytest.MonkeyPatch) -> None:
    without(patch, Ledger._recount, "self.held_attos += held_attos - position.held_attos", "pass")


def _arms_again_at_each_start(patch: pytest.MonkeyPatch) -> None:
    def started(turn: Turn, fact: facts.NodeStarted) -> None:
        for fuse in turn.state.fuses():
            fuse.generation += 1
        startup.node_started(turn, fact)

    _steps(patch, facts.NodeStarted, started)


Mutation = Callable[[pytest.MonkeyPatch], None]
MUTATIONS: tuple[tuple[Mutation, tuple[str, ...], int], ...] = (
    (_sizes_the_whole_position, ("law 4",), 72),
    (_forgets_what_is_on_its_way, ("law 4",), 2452),
    (_believes_stale_reads, ("law 4",), 398),
    (_makes_a_new_id_each_time, ("law 3",), 0),
    (_keeps_the_halt_epoch, ("law 5",), 0),
    (_drops_orders_in_doubt, ("law 6",), 5),
    (_counts_nothing_in_flight, ("law 6",), 1),
    (_ignores_the_register, ("law 7",), 39),
    (_resets_for_anybody, ("law 2",), 0),
    (_loosens_by_itself, ("law 2",), 0),
    (_resets_on_older_books, ("law 2",), 0),
    (_keeps_the_generation, ("law 3", "already has a plan"), 0),
    (_never_answers_the_sent, ("law answers",), 2),
    (_traps_exits, ("law 13",), 2),
    (_does_not_resume, ("law 14",), 1),
    (_takes_closes_back_on_a_halt, ("law 14",), 9),
    (_closes_a_neighbours_share, ("law 4",), 1),
    (_reduces_past_the_account, ("law 4",), 18),
    (_forgets_what_is_held, ("law 8",), 1),
    (_arms_again_at_each_start, ("law 3",), 0),
)


def first_broken(laws: tuple[str, ...], pinned: int) -> str:
    """The first message that names one of the laws; empty when none does.

    The pinned seed comes first: it is where a search found it. Should the kernel have changed so
    that this run goes another way, the same search finds another one: then pin that.
    """
    for seed in (pinned, *range(SEEDS_MAX)):
        try:
            totals_are_exact(world.run(seed, STEPS))
        except AssertionError as broken:
            if any(law in str(broken) for law in laws):
                return str(broken)
    return ""


@pytest.mark.parametrize(
    ("mutation", "laws", "pinned"), MUTATIONS, ids=[row[0].__name__.strip("_") for row in MUTATIONS]
)
def test_a_kernel_without_this_safeguard_breaks_its_law(
    monkeypatch: pytest.MonkeyPatch, mutation: Mutation, laws: tuple[str, ...], pinned: int
) -> None:
    world.run(pinned, STEPS)  # breaks no law as it is
    mutation(monkeypatch)
    assert first_broken(laws, pinned), f"nothing noticed within {SEEDS_MAX} runs"


def test_the_kernel_as_it_is_breaks_no_law_on_the_same_seeds() -> None:
    for seed in range(40):
        world.run(seed, STEPS)
