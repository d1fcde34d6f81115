"""The posture of the scope: reduce-only admits proven reductions, a halt admits nothing."""

from typing import Final

from fuseboard.core.checks.proposal import Finding, Proposal
from fuseboard.vocabulary.orders import Intent
from fuseboard.vocabulary.postures import Posture
from fuseboard.vocabulary.reasons import Reason

_OPEN: Final = Posture.OPEN
_REDUCED: Final = Posture.REDUCED
_TRADING_HALTED: Final = Reason.TRADING_HALTED
_ALL: Final = (Intent.OPEN, Intent.REDUCE, Intent.PLAN, Intent.CANCEL)
ADMITTED: Final[dict[Posture, tuple[Intent, ...]]] = {
    Posture.OPEN: _ALL,
    Posture.REDUCED: _ALL,
    Posture.REDUCE_ONLY: (Intent.REDUCE, Intent.PLAN, Intent.CANCEL),
    Posture.HALTED: (Intent.PLAN, Intent.CANCEL),
    Posture.KILLED: (Intent.PLAN, Intent.CANCEL),
}
"""What each posture admits. In REDUCED the limits are the policy's reduced ones."""
_DENIALS: Final = {
    Posture.REDUCE_ONLY: Reason.POSTURE_REDUCE_ONLY,
    Posture.HALTED: Reason.POSTURE_HALTED,
    Posture.KILLED: Reason.POSTURE_KILLED,
}


def passes(proposal: Proposal) -> bool:
    """Whether the tightest posture over the order's scopes admits it."""
    asked = proposal.posture
    if asked is _OPEN or asked is _REDUCED:
        return True
    return proposal.order.intent in ADMITTED[asked]


def found(proposal: Proposal) -> Finding:
    """The posture, and what asks for it."""
    asked = proposal.posture
    why = proposal.halting_reason
    limit = "none" if why is Reason.ALLOWED else why.value
    if why is _TRADING_HALTED:
        return Finding(why, asked.name, limit)
    return Finding(_DENIALS.get(asked, Reason.ALLOWED), asked.name, limit)
