"""What the gateway did by itself and the journal has to know: one note, one alert, no state."""

from fuseboard.core.state import Turn
from fuseboard.vocabulary.denial_effects import RecordDenials
from fuseboard.vocabulary.identifiers import strategy_scope
from fuseboard.vocabulary.inputs import RequestsDenied, RequestsThrottled
from fuseboard.vocabulary.operator_inputs import ControlUsed
from fuseboard.vocabulary.orders import Severity
from fuseboard.vocabulary.reasons import Reason


def requests_throttled(turn: Turn, fact: RequestsThrottled) -> None:
    """Tell people that a strategy floods, and how many denials the journal does not hold."""
    text = (
        f"{fact.strategy} is denied more than {fact.a_second_max} times a second:"
        f" the gateway denies the rest itself, {fact.count} since the last note"
    )
    scope = strategy_scope(fact.strategy)
    turn.alert(Severity.WARNING, Reason.THROTTLED, text, scope)


def requests_denied(turn: Turn, fact: RequestsDenied) -> None:
    """Keep as evidence what the gateway denied before the kernel saw it; nothing is decided."""
    turn.out.append(RecordDenials(strategy=fact.strategy, reason=fact.reason, count=fact.count))


def control_used(_turn: Turn, _fact: ControlUsed) -> None:
    """The record itself is the evidence: a use of the control API decides nothing."""
