"""A state that was restored from a backup: what was decided since is lost here, not at the broker.

Three things keep what the lost records did from being done again under the same ids (law 3). Each
arming that begins from now on is numbered above all that the lost records can have counted to. The
broker is asked which orders with our prefix it has had since; until it has answered, nobody resets
(that it did not give its list to the end is in the halt's reason, for a person to judge).
Ids of orders that our book does not know are spent: a request that leads to one is denied.
"""

from typing import Final

from fuseboard.core.closes import ongoing
from fuseboard.core.halting import latch_scope
from fuseboard.core.state import Turn
from fuseboard.vocabulary.effects import ReadOrdersSince
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.postures import HaltLevel
from fuseboard.vocabulary.reasons import Reason
from fuseboard.vocabulary.restored_inputs import OrdersSinceSeen, Restored

SPENT_MAX: Final = 20_000
"""Ids of lost orders that are kept; the broker's list is read no further."""
NAMED_MAX: Final = 3


def node_started(turn: Turn, restored: Restored | None) -> None:
    """Halt once for a restore, number anew, and ask the broker until it has answered."""
    state = turn.state
    if restored is not None and restored.at_wall_ns > state.restored_wall_ns:
        state.restored_wall_ns = restored.at_wall_ns
        state.lost_since_wall_ns = restored.last_wall_ns
        _number_anew(turn, restored.at_wall_ns // NANOS)
        detail = f"restored from {restored.backup} by {restored.operator}: {restored.reason}"
        latch_scope(turn, ACCOUNT_SCOPE, HaltLevel.HALT, Reason.RESTORED, detail=detail)
    if state.lost_since_wall_ns:
        turn.out.append(ReadOrdersSince(wall_ns=state.lost_since_wall_ns))


def _number_anew(turn: Turn, generation: int) -> None:
    """Number armings from the second of the restore on: no count of resets reaches it.

    What is tripped, or has a plan that goes on, keeps its trip and its ids: its plan asks for them.
    """
    state = turn.state
    state.generation_min = max(state.generation_min, generation)
    state.drains = max(state.drains, generation)
    for fuse in (
        *state.fuses(),
        *state.retired_drawdowns.values(),
        *state.retired_breakers.values(),
    ):
        if not fuse.latched() and not ongoing(state, fuse.trip()):
            fuse.generation = max(fuse.generation, generation)


def orders_since_seen(turn: Turn, fact: OrdersSinceSeen) -> None:
    """The broker's answer: orders that our book does not know were sent by what was lost."""
    state = turn.state
    if not state.lost_since_wall_ns:
        return
    state.lost_since_wall_ns = 0
    lost = [order for order in fact.orders if order.wire_id[-36:] not in state.book.orders]
    prefix = turn.ids.wire_prefix
    for order in lost[:SPENT_MAX]:
        if order.wire_id.startswith(prefix):
            state.spent_ids[order.wire_id.removeprefix(prefix)] = None
    while len(state.spent_ids) > SPENT_MAX:
        del state.spent_ids[next(iter(state.spent_ids))]
    if lost or not fact.complete:
        named = ", ".join(f"{order.symbol} {order.wire_id}" for order in lost[:NAMED_MAX])
        more = "" if len(lost) <= NAMED_MAX else f" and {len(lost) - NAMED_MAX} more"
        end = "" if fact.complete else "; the broker's list was not read to its end"
        detail = f"{len(lost)} orders since the backup are not in our book: {named}{more}{end}"
        latch_scope(turn, ACCOUNT_SCOPE, HaltLevel.HALT, Reason.FOREIGN_ORDER, detail=detail)
