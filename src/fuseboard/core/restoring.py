"""A state that is older than what the broker knows: restored from a backup, or an older copy.

What was decided since is lost here, not at the broker. Three things keep what the lost records did
from being done again under the same ids (law 3). The broker is asked at each start which orders of
ours it has had since our last record; until it has answered the books are not compared, and nobody
resets (that it did not give its list to the end is in the halt's reason, for a person to judge).
One that our book does not know halts. Its id is spent: a request that leads to it is denied. Each
arming that begins from then on is numbered above all that the lost records can have counted to;
after a restore, which is known to have lost some, from the start on.

What the guardian sent while no gateway ran is not lost: it wrote each down. A copy without a trade
of ours since cannot be told from the newest state by anything that the broker knows.
"""

from typing import Final

from fuseboard.core.closes import ongoing
from fuseboard.core.halting import latch_scope
from fuseboard.core.outgoing import read_account
from fuseboard.core.state import State, Turn
from fuseboard.vocabulary.effects import ReadOrdersSince
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE
from fuseboard.vocabulary.inputs import NodeStarted
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.postures import HaltLevel
from fuseboard.vocabulary.reasons import Reason
from fuseboard.vocabulary.restored_inputs import OrdersSinceSeen

SPENT_MAX: Final = 20_000
"""Ids of lost orders that are kept; the broker's list is read no further."""
NAMED_MAX: Final = 3
OLDER: Final = "the state is older than what the broker knows"


def node_started(turn: Turn, fact: NodeStarted) -> None:
    """Ask the broker until it has answered; halt once for a restore, and number anew."""
    state = turn.state
    restored = fact.restored
    if restored is not None and restored.at_wall_ns > state.restored_wall_ns:
        state.restored_wall_ns = restored.at_wall_ns
        state.lost_since_wall_ns = restored.last_wall_ns
        _number_anew(turn, restored.at_wall_ns // NANOS)
        detail = f"restored from {restored.backup} by {restored.operator}: {restored.reason}"
        latch_scope(turn, ACCOUNT_SCOPE, HaltLevel.HALT, Reason.RESTORED, detail=detail)
    for order_id in fact.guardian_sent:
        if order_id not in state.book.orders:
            _spend(state, order_id)
    state.lost_since_wall_ns = state.lost_since_wall_ns or fact.last_wall_ns
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
    """The broker's answer: orders of ours that our book does not know were sent by what was lost.

    The list may begin before the time that was asked for.
    """
    state = turn.state
    if not state.lost_since_wall_ns:
        return
    state.lost_since_wall_ns = 0
    prefix = turn.ids.wire_prefix
    ours = [order for order in fact.orders if order.wire_id.startswith(prefix)]
    lost = [order for order in ours if not _is_known(state, order.wire_id.removeprefix(prefix))]
    for order in lost[:SPENT_MAX]:
        _spend(state, order.wire_id.removeprefix(prefix))
    if lost:
        _number_anew(turn, turn.wall_ns // NANOS)
        named = ", ".join(f"{order.symbol} {order.wire_id}" for order in lost[:NAMED_MAX])
        more = "" if len(lost) <= NAMED_MAX else f" and {len(lost) - NAMED_MAX} more"
        _halt(turn, f"{OLDER}: {len(lost)} of our orders there are not in our book: {named}{more}")
    if not fact.complete:
        _halt(turn, "the broker's list of orders since our last record was not read to its end")
    if state.compare_asked:  # what came before this answer was not compared
        read_account(turn, positions=True)


def _is_known(state: State, order_id: str) -> bool:
    book = state.book
    return order_id in book.orders or order_id in book.forgotten or order_id in state.spent_ids


def _spend(state: State, order_id: str) -> None:
    state.spent_ids[order_id] = None
    if len(state.spent_ids) > SPENT_MAX:
        del state.spent_ids[next(iter(state.spent_ids))]


def _halt(turn: Turn, detail: str) -> None:
    latch_scope(turn, ACCOUNT_SCOPE, HaltLevel.HALT, Reason.FOREIGN_ORDER, detail=detail)
