"""An orderly stop: no new risk, what works is cancelled, and where the policy says so closed.

An adopted foreign order works on, unless everything is closed: it needs no gateway, and the next
start finds it again. What a person froze stays open, whatever the policy says of a stop. It is no
halt: nothing is latched, and the next start trades again once its books are compared.
"""

from typing import Final

from fuseboard.core import disconnects, freezing, plan
from fuseboard.core.closes import ongoing
from fuseboard.core.halting import cancel_scope, publish_postures
from fuseboard.core.holdings import take_over
from fuseboard.core.outgoing import cancel
from fuseboard.core.state import Turn
from fuseboard.vocabulary.actions import DrainRule
from fuseboard.vocabulary.evidence_effects import RecordDrain
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE, trip_id
from fuseboard.vocabulary.inputs import DrainRequested
from fuseboard.vocabulary.orders import Severity
from fuseboard.vocabulary.postures import HaltLevel
from fuseboard.vocabulary.reasons import Reason

DRAIN: Final = "drain:account"


def drain_requested(turn: Turn, fact: DrainRequested) -> None:
    """Deny new risk, cancel, and begin the plan of a stop that flattens. Once per run."""
    state = turn.state
    if state.draining:
        return
    state.draining = True
    publish_postures(turn)
    if fact.rule is DrainRule.LEAVE:
        cancelled = disconnects.process_ended(turn, fact.ended)
        turn.out.append(RecordDrain(rule=fact.rule, cancelled=cancelled))
        return
    closes = fact.rule is DrainRule.FLATTEN and not freezing.is_account(state)
    flattens = closes and not _account_is_closed_already(turn)
    level = HaltLevel.FLATTEN if closes else HaltLevel.HALT
    orders = cancel_scope(turn, ACCOUNT_SCOPE, level, spares_foreign=not closes)
    trip = ""
    if flattens:
        state.drains += 1
        trip = trip_id(fuse=DRAIN, generation=state.drains)
    cancelled = tuple(order.order_id for order in orders)
    frozen = freezing.said(state) if fact.rule is DrainRule.FLATTEN else ()
    turn.out.append(RecordDrain(rule=fact.rule, cancelled=cancelled, trip=trip, frozen=frozen))
    if flattens:
        take_over(turn)
        plan.begin(
            turn,
            trip=trip,
            scope=ACCOUNT_SCOPE,
            reason=Reason.DRAINING,
            orders=orders,
            kept=freezing.kept(state),
        )


def _account_is_closed_already(turn: Turn) -> bool:
    """Whether another trip's plan is closing the whole account: one is enough."""
    plans = turn.state.plans.values()
    return any(at.scope == ACCOUNT_SCOPE and ongoing(turn.state, at.trip) for at in plans)


def node_started(turn: Turn) -> None:
    """A stop ends with the next start. A plan that it did not finish is given up, and said."""
    state = turn.state
    state.draining = False
    for trip in [trip for trip in state.plans if trip.startswith(DRAIN)]:
        if ongoing(state, trip):
            for order in state.book.working_orders():
                if order.trip == trip:
                    cancel(turn, order)
            text = f"{trip} was not finished when the node stopped: nothing more is closed by it"
            turn.alert(Severity.PAGE, Reason.DRAINING, text)
        del state.plans[trip]
