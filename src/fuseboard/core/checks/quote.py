"""A quote to judge by: no valid, fresh quote, no new risk (law 1)."""

from fuseboard.core.checks.proposal import ALLOWED, Finding, Proposal
from fuseboard.vocabulary.reasons import Reason


def quote(proposal: Proposal) -> Finding:
    """Deny when the symbol has no good quote, or the last good one is too old."""
    instrument, rules = proposal.instrument, proposal.policy.data
    if instrument.priced(rules, proposal.boot_ns):
        return ALLOWED
    if instrument.bid_nanos == 0:
        return Finding(Reason.QUOTE_MISSING, observed="none", limit="one good quote")
    age_ms = (proposal.boot_ns - instrument.quoted_boot_ns) // 1_000_000
    limit_ms = rules.quote_age_ns_max // 1_000_000
    return Finding(Reason.QUOTE_MISSING, observed=f"{age_ms} ms old", limit=f"{limit_ms} ms")
