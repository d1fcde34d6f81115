"""A quote to judge by: no valid, fresh quote, no new risk (law 1)."""

from fuseboard.core.checks.proposal import Finding, Proposal
from fuseboard.vocabulary.reasons import Reason


def passes(proposal: Proposal) -> bool:
    """Whether the symbol has a good quote that is not too old."""
    turn = proposal.turn
    return proposal.instrument.priced(turn.policy.data, turn.boot_ns)


def found(proposal: Proposal) -> Finding:
    """How old the last good quote is, and how old it may be."""
    instrument, turn = proposal.instrument, proposal.turn
    if instrument.bid_nanos == 0:
        return Finding(Reason.QUOTE_MISSING, observed="none", limit="one good quote")
    age_ms = (turn.boot_ns - instrument.quoted_boot_ns) // 1_000_000
    limit_ms = turn.policy.data.quote_age_ns_max // 1_000_000
    return Finding(Reason.QUOTE_MISSING, observed=f"{age_ms} ms old", limit=f"{limit_ms} ms")
