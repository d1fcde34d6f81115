"""Nothing trades before our books were compared with the broker's."""

from fuseboard.core.checks.proposal import Finding, Proposal
from fuseboard.vocabulary.reasons import Reason


def passes(proposal: Proposal) -> bool:
    """Whether the start-up comparison with the broker is done."""
    return proposal.turn.state.reconciled


def found(proposal: Proposal) -> Finding:
    """That they have to be compared; there is no number to it."""
    del proposal
    return Finding(Reason.NOT_RECONCILED)
