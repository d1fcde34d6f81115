"""Nothing trades before our books were compared with the broker's."""

from fuseboard.core.checks.proposal import ALLOWED, Finding, Proposal
from fuseboard.vocabulary.reasons import Reason

_NOT_YET = Finding(Reason.NOT_RECONCILED)


def reconciled(proposal: Proposal) -> Finding:
    """Deny until the start-up comparison with the broker is done."""
    return ALLOWED if proposal.reconciled else _NOT_YET
