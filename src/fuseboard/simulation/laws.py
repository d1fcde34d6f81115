"""The laws, judged from outside: from the broker's ledger, the journal's file, and what was told.

Nothing here asks the kernel, the loop or the outlet. `Observer` watches the exchange while a seed
runs (law 6); `judge` reads ledger and journals when it has ended. The register's part of laws 5
and 7 is asked where it happens, in `machine`.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Struct

from fuseboard.core.kernel import Kernel
from fuseboard.core.stops import STOP_TYPES
from fuseboard.exchange import ledger
from fuseboard.exchange.orders import OrderEvent
from fuseboard.journal.reader import lines
from fuseboard.journal.recovery import recover
from fuseboard.policy.policy import Policy
from fuseboard.runtime.replay import replay_lines
from fuseboard.simulation.machine import JOURNAL, Machine
from fuseboard.simulation.stranger import Stranger
from fuseboard.simulation.world import World
from fuseboard.vocabulary.disconnect_facts import PublishLost
from fuseboard.vocabulary.effects import (
    ClearHalt,
    LatchHalt,
    PublishOrder,
    PublishPosition,
    PublishPosture,
    SubmitOrder,
)
from fuseboard.vocabulary.evidence_effects import RecordPlan, RecordTransition
from fuseboard.vocabulary.guardian_inputs import GuardianClose
from fuseboard.vocabulary.identifiers import (
    is_foreign_order_id,
    is_fuseboard_wire_id,
    order_id_of_wire_id,
)
from fuseboard.vocabulary.inputs import NodeStarted, OrderNotSent, PositionsSeen
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.operator_inputs import OperatorResetRequested
from fuseboard.vocabulary.orders import TERMINAL_STATUSES, Intent, Side
from fuseboard.vocabulary.postures import Posture
from fuseboard.vocabulary.reasons import Reason
from fuseboard.vocabulary.records import Record, decoded_record

LATCHED: Final = ("TRIGGERED", "COOLING_DOWN", "REDUCE_ONLY", "HALTED", "KILLED", "RECOVERY")
TWIN_REASONS: Final = (Reason.FOREIGN_ORDER, Reason.POSITION_MISMATCH)
PRICE_SLACK_NANOS: Final = NANOS * 6 // 100
"""How far prices and equity may have moved between an order's decision and its arrival."""
_encoder = msgspec.json.Encoder()


class Observer:
    """Watches every order that reaches the book."""

    def __init__(
        self,
        world: World,
        machines: Sequence[Machine],
        policy: Policy,
        stranger: Stranger | None = None,
    ) -> None:
        self.accepted = 0
        self._stranger = stranger
        self._world = world
        self._memory = machines[0].memory
        self._alone = len(machines) == 1
        self._gross_nanos_max = policy.limits.gross_exposure_nanos_max
        world.listeners.append(self._hear)

    def _hear(self, event: OrderEvent) -> None:
        if event.event != "new":
            return
        self.accepted += 1
        wire_id = event.order.ticket.client_order_id
        if event.order.opens and self._alone and is_fuseboard_wire_id(wire_id):
            self._judge_exposure(wire_id)

    def _judge_exposure(self, wire_id: str) -> None:
        """Law 6: positions and all working orders, each side on its own, within the limit."""
        exchange = self._world.exchange
        held = {at.symbol: at.quantity_nanos for at in exchange.positions()}
        gross_attos = 0
        for symbol, price_nanos in self._world.prices.items():
            working = [order for order in exchange.open_orders() if order.ticket.symbol == symbol]
            up = sum(o.remaining_nanos for o in working if o.ticket.side is Side.BUY)
            down = sum(o.remaining_nanos for o in working if o.ticket.side is Side.SELL)
            at = held.get(symbol, 0)
            gross_attos += max(abs(at + up), abs(at - down)) * price_nanos
        equity_nanos = exchange.account().equity_nanos
        limit_nanos = equity_nanos * (self._gross_nanos_max + PRICE_SLACK_NANOS) // NANOS
        if self._stranger is not None:  # what nobody can have heard of yet is less than all of it
            limit_nanos += self._stranger.turnover_attos // NANOS
        self._memory.holds(
            "6",
            gross_attos <= limit_nanos * NANOS,
            f"{wire_id}: gross {gross_attos // NANOS**2} at equity {equity_nanos // NANOS}",
        )


class Close(Struct):
    """What the ledger says of one protective order."""

    accepted_at: int = 0
    ended_at: int = 0


def judge(world: World, machines: Sequence[Machine], *, by_hand: bool = False) -> list[str]:
    """Every law that does not hold, in words; `by_hand`: a stranger traded, and was adopted."""
    broken: list[str] = []
    entries = ledger.entries_of(world.ledger)
    for machine in machines:
        path = machine.path(JOURNAL)
        raw = list(lines(path, connect=machine.disk.connect))
        records = [decoded_record(line) for line in raw]
        machine.records = len(records)
        assert recover(path, connect=machine.disk.connect).last_sequence == len(records)
        verdict = replay_lines(raw, Kernel())
        if not verdict.ok:
            broken.append(f"law 9: it does not replay: {verdict.difference}")
        broken += _what_was_told_is_durable(machine, records)
        alone = len(machines) == 1
        broken += broken_at_rest(machine.instance, records, entries, alone=alone, by_hand=by_hand)
        if by_hand:
            broken += _foreign_orders_are_in_the_book(records, entries)
    return broken


def broken_at_rest(
    instance: str,
    records: list[Record],
    entries: list[ledger.LedgerEntry],
    *,
    alone: bool = True,
    by_hand: bool = False,
) -> list[str]:
    """What a whole journal and a whole ledger, compared while nothing moves, say was broken.

    `alone`: no second gateway traded on the account; `by_hand`: a stranger did.
    """
    held = {at.symbol: at.position_nanos for at in entries if isinstance(at, ledger.OrderFilled)}
    broken = _only_a_person_loosens(records)
    broken += _once(records, alone=alone, held=any(held.values()))
    broken += _restarts_are_no_looser(records)
    broken += _ledger_and_journal_agree(instance, records, entries)
    broken += _the_lost_leave_nothing(instance, records, entries)
    if alone:  # a second one moves positions between a reading and its close
        broken += _knows_its_own(records)
    if alone and not by_hand:
        broken += _protective_orders_only_reduce(records, entries)
    broken += _positions_agree(instance, records, held, alone=alone)
    return broken


def _what_was_told_is_durable(machine: Machine, records: list[Record]) -> list[str]:
    """Law 7 and section 1: nothing left that a crash could take back."""
    written = Counter(_encoder.encode(effect) for at in records for effect in at.effects)
    told = Counter(_encoder.encode(effect) for effect in machine.memory.told)
    return [
        f"law 7: told, and not in the journal: {text.decode()}"
        for text, times in told.items()
        if written[text] < times
    ]


def _only_a_person_loosens(records: list[Record]) -> list[str]:
    """Law 2: a latched fuse leaves its latch by a named person's reset, or a recovery after one."""
    broken: list[str] = []
    for record in records:
        fact = record.input
        named = isinstance(fact, OperatorResetRequested) and fact.operator and fact.reason
        for effect in record.effects:
            if isinstance(effect, RecordTransition):
                loosens = effect.before in LATCHED and effect.after not in LATCHED
                recovered = effect.before == "RECOVERY" and isinstance(fact, PositionsSeen)
                if loosens and not named and not recovered:
                    broken.append(f"law 2: {record.sequence}: {fact} loosens {effect.fuse}")
            elif isinstance(effect, ClearHalt):
                # A start repeats a durable reset; a comparison ends a recovery a person began.
                lifts = named or isinstance(fact, NodeStarted | PositionsSeen)
                if not lifts:
                    broken.append(f"law 2: {record.sequence}: {fact} clears {effect.scope}")
    return broken


def _knows_its_own(records: list[Record]) -> list[str]:
    """Law 3: nobody else trades, so no order at the broker is a twin's or of a newer state."""
    return [
        f"law 3: {record.sequence}: nobody else trades, and yet: {effect.detail}"
        for record in records
        for effect in record.effects
        if isinstance(effect, LatchHalt) and effect.reason is Reason.FOREIGN_ORDER
    ]


def _once(records: list[Record], *, alone: bool, held: bool) -> list[str]:
    """Law 3: a trip, its plan, each submit, once; without a twin no plan just leaves off."""
    trips: Counter[tuple[str, int]] = Counter()
    plans: Counter[str] = Counter()
    stages: dict[str, str] = {}
    submits: Counter[str] = Counter()
    for record in records:
        for effect in record.effects:
            if isinstance(effect, RecordTransition) and effect.event == "breached":
                trips[effect.fuse, effect.generation] += 1
            elif isinstance(effect, RecordPlan):
                plans[effect.trip] += effect.stage == "cancelling"
                stages[effect.trip] = effect.stage
            elif isinstance(effect, SubmitOrder):
                submits[effect.order_id] += 1
    broken = [f"law 3: {trip} trips {n} times" for trip, n in trips.items() if n > 1]
    broken += [f"law 3: {trip} has {n} plans" for trip, n in plans.items() if n > 1]
    broken += [f"law 3: {order_id} submitted {n} times" for order_id, n in submits.items() if n > 1]
    if alone:
        broken += [
            f"law 3: the plan of {trip} never ends: {stage}"
            for trip, stage in stages.items()
            if stage == "cancelling" or (stage == "closing" and held)
        ]
    return broken


def _restarts_are_no_looser(records: list[Record]) -> list[str]:
    """Law 7: after a start every fuse that was latched still is, and its scope is shown so."""
    broken: list[str] = []
    fuses: dict[tuple[str, str], str] = {}
    for record in records:
        fact = record.input
        for effect in record.effects:
            if isinstance(effect, RecordTransition):
                fuses[effect.fuse, effect.scope] = effect.after
        if not isinstance(fact, NodeStarted):
            continue
        shown = {e.scope: e.posture for e in record.effects if isinstance(e, PublishPosture)}
        cleared = {e.scope for e in record.effects if isinstance(e, ClearHalt)}
        latched = {scope for (_, scope), state in fuses.items() if state in LATCHED}
        latched |= {at.scope for at in fact.latched if at.scope not in cleared}
        broken += [
            f"law 7: {record.sequence}: {scope} starts {shown.get(scope)}"
            for scope in sorted(latched)
            if shown.get(scope, Posture.OPEN) < Posture.REDUCE_ONLY
        ]
    return broken


class Decided(Struct):
    """What the journal says of our orders, by wire id."""

    submits: dict[str, SubmitOrder]
    taken_in: dict[str, GuardianClose]
    """Closes of a guardian's that a start was told of."""
    views: dict[str, PublishOrder]
    given_up: dict[str, None]
    """Order ids of which it was said that they never arrived."""

    def closes(self) -> dict[str, str]:
        """The client order ids of protective orders, by wire id, whoever sent them."""
        planned = [it for it in self.submits.values() if it.intent is Intent.PLAN]
        own = {it.wire_id: it.client_order_id for it in planned}
        return own | {it.wire_id: it.client_order_id for it in self.taken_in.values()}


def _decided(records: list[Record]) -> Decided:
    decided = Decided({}, {}, {}, {})
    for record in records:
        fact = record.input
        if isinstance(fact, OrderNotSent) and fact.reason is Reason.NEVER_ARRIVED:
            decided.given_up[fact.order_id] = None
        elif isinstance(fact, NodeStarted):
            decided.taken_in |= {it.wire_id: it for it in fact.guardian_closes}
        for effect in record.effects:
            if isinstance(effect, SubmitOrder):
                decided.submits[effect.wire_id] = effect
            elif isinstance(effect, PublishOrder):
                decided.views[effect.wire_id] = effect
    return decided


def _ledger_and_journal_agree(
    instance: str, records: list[Record], entries: list[ledger.LedgerEntry]
) -> list[str]:
    """Laws 3 and 6: nothing is at the broker that was not written first, and nothing is lost."""
    decided = _decided(records)
    broken: list[str] = []
    wire_ids: dict[str, str] = {}
    filled: dict[str, int] = {}
    ended: dict[str, None] = {}
    for entry in entries:
        if isinstance(entry, ledger.OrderAccepted):
            wire_ids[entry.order_id] = entry.client_order_id
        elif isinstance(entry, ledger.OrderFilled):
            filled[entry.order_id] = entry.filled_quantity_nanos
        elif isinstance(entry, ledger.OrderEnded):
            ended[entry.order_id] = None
    for order_id, wire_id in wire_ids.items():
        ours = order_id_of_wire_id(instance, wire_id)
        if ours is None:
            continue
        if wire_id not in decided.submits and wire_id not in decided.taken_in:
            broken.append(f"law 3: {wire_id} is at the broker and was never decided")
            continue
        if ours in decided.given_up:
            broken.append(f"law 3: {wire_id} is at the broker and was given up as never arrived")
        view = decided.views.get(wire_id)
        quantity = 0 if view is None else view.filled_quantity_nanos
        final = view is not None and view.status in TERMINAL_STATUSES
        if quantity != filled.get(order_id, 0) or final is not (order_id in ended):
            broken.append(
                f"lost: {wire_id}: the broker filled {filled.get(order_id, 0)}"
                f" (ended: {order_id in ended}), the journal says {quantity}"
                f" ({None if view is None else view.status})"
            )
    return broken


def _foreign_orders_are_in_the_book(
    records: list[Record], entries: list[ledger.LedgerEntry]
) -> list[str]:
    """What a stranger's orders fill is booked: it is no difference, and what works is known."""
    broken = [
        f"foreign: {record.sequence}: a stranger's orders are adopted, and yet: {effect.detail}"
        for record in records
        for effect in record.effects
        if isinstance(effect, LatchHalt) and effect.reason is Reason.POSITION_MISMATCH
    ]
    decided = _decided(records)
    working = {
        entry.client_order_id: entry.order_id
        for entry in entries
        if isinstance(entry, ledger.OrderAccepted)
        and not is_fuseboard_wire_id(entry.client_order_id)
    }
    for entry in entries:
        if isinstance(entry, ledger.OrderEnded):
            working = {
                wire: order_id for wire, order_id in working.items() if order_id != entry.order_id
            }
    believed = {
        wire_id
        for wire_id, view in decided.views.items()
        if is_foreign_order_id(view.order_id) and view.status not in TERMINAL_STATUSES
    }
    if believed != set(working):
        broken.append(f"foreign: {sorted(believed)} is believed to work, {sorted(working)} does")
    return broken


def _the_lost_leave_nothing(
    instance: str, records: list[Record], entries: list[ledger.LedgerEntry]
) -> list[str]:
    """What a strategy had decided when it was lost is final in the end, but for its stops and for
    what is closed for it; coming back takes no cancel back, nor does a crash.
    """
    decided: dict[str, SubmitOrder] = {}
    gone: dict[str, None] = {}
    for record in records:
        for effect in record.effects:
            if isinstance(effect, SubmitOrder):
                decided[effect.order_id] = effect
            elif isinstance(effect, PublishLost) and effect.since_wall_ns:
                own = (it for it in decided.values() if it.strategy == effect.strategy)
                gone |= {it.order_id: None for it in own if it.order_type not in STOP_TYPES}
    working: dict[str, str] = {}
    for entry in entries:
        if isinstance(entry, ledger.OrderAccepted):
            working[entry.order_id] = entry.client_order_id
        elif isinstance(entry, ledger.OrderEnded):
            working.pop(entry.order_id, None)
    return [
        f"lost strategy: {wire_id} still works"
        for wire_id in working.values()
        if order_id_of_wire_id(instance, wire_id) in gone
    ]


def _protective_orders_only_reduce(
    records: list[Record], entries: list[ledger.LedgerEntry]
) -> list[str]:
    """Laws 3 and 4 of the closes: never growing or flipping, never two attempts at once."""
    decided = _decided(records)
    closes = decided.closes()
    reductions = {it.wire_id: None for it in decided.submits.values() if it.intent is Intent.REDUCE}
    broken: list[str] = []
    wire_ids: dict[str, str] = {}
    working: dict[str, str] = {}
    for entry in entries:
        if isinstance(entry, ledger.OrderAccepted) and entry.client_order_id in reductions:
            if entry.opens:
                broken.append(f"law 4: the reduction {entry.client_order_id} opens")
        elif isinstance(entry, ledger.OrderAccepted) and entry.client_order_id in closes:
            wire_id = wire_ids[entry.order_id] = entry.client_order_id
            leg = closes[wire_id].rpartition("/")[0]
            if entry.opens:
                broken.append(f"law 4: the close {closes[wire_id]} opens")
            if leg in working.values():
                broken.append(f"law 3: two attempts of {leg} work at once")
            working[entry.order_id] = leg
        elif isinstance(entry, ledger.OrderFilled) and entry.order_id in wire_ids:
            moved = entry.quantity_nanos if entry.side is Side.BUY else -entry.quantity_nanos
            before = entry.position_nanos - moved
            flips = before * entry.position_nanos < 0
            if flips or abs(entry.position_nanos) >= abs(before):
                broken.append(f"law 4: a close moves {before} to {entry.position_nanos}")
        elif isinstance(entry, ledger.OrderEnded):
            working.pop(entry.order_id, None)
        elif _is_too_large(entry, closes):
            broken.append(f"law 4: a close is larger than the position: {entry}")
    return broken


def _positions_agree(
    instance: str, records: list[Record], held: dict[str, int], *, alone: bool
) -> list[str]:
    """At the end what is believed is what the broker holds; with a twin, else it was noticed."""
    believed: dict[str, int] = {}
    noticed = False
    for record in records:
        for effect in record.effects:
            if isinstance(effect, PublishPosition) and not effect.strategy:
                believed[effect.symbol] = effect.quantity_nanos
            elif isinstance(effect, LatchHalt) and effect.reason in TWIN_REASONS:
                noticed = True
    differ = [s for s in held if held[s] != believed.get(s, 0)]
    if not differ or (noticed and not alone):
        return []
    return [f"lost: {instance} believes {believed}, the broker holds {held}"]


def _is_too_large(entry: ledger.LedgerEntry, closes: dict[str, str]) -> bool:
    if not isinstance(entry, ledger.RequestRefused) or entry.subject not in closes:
        return False
    return "insufficient qty" in entry.message
