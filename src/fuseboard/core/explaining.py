"""Explaining: what each check of the table found of one order, in the state before it was judged.

The same functions judge and explain, so the numbers are those of the decision. Checks behind the
one that denied did not run then; they are shown as they would have found it.
"""

from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from fuseboard.core import judging, overrides
from fuseboard.core.checks.active import Row, asks_for
from fuseboard.core.checks.proposal import Proposal
from fuseboard.core.checks.table import TABLE
from fuseboard.core.liquidity.watching import judge_now
from fuseboard.core.market import Instrument
from fuseboard.core.outgoing import admit
from fuseboard.core.state import Override, Turn
from fuseboard.vocabulary.inputs import OrderRequested
from fuseboard.vocabulary.orders import Intent
from fuseboard.vocabulary.reasons import SENTENCES, Reason

PASSED: Final = "passed"
DENIED: Final = "denied"
SKIPPED: Final = "skipped"
OVERRIDDEN: Final = "overridden"


class Explained(Struct, frozen=True, kw_only=True):
    """One check: what it found, by which fields of the policy, or why it was not asked."""

    check: str
    verdict: str
    """`passed`, `denied`, `skipped`, or `overridden`: denied, and let pass by an override."""
    observed: str = ""
    limit: str = ""
    why: str = ""
    fields: tuple[str, ...] = ()


def explain(turn: Turn, fact: OrderRequested) -> tuple[Explained, ...]:
    """What each check finds of a request. The turn is used up: give it a copy of the state."""
    if turn.gate.counts_messages:
        judging.message_counted(turn, fact.strategy)
    refused = judging.refusal(turn, fact)
    if refused is not Reason.ALLOWED:
        return (Explained(check="parse", verdict=DENIED, why=SENTENCES[refused]),)
    if fact.strategy not in turn.state.book.strategies:
        admit(turn, fact.strategy)
    instrument = turn.state.instruments.get(fact.symbol, Instrument())
    order_id = turn.ids.order_id(fact.strategy, fact.client_order_id)
    order = judging.order_of(turn, fact, order_id, instrument)
    if turn.liquidity is not None:
        judge_now(turn, turn.liquidity, fact.symbol)
    overrides.expire(turn)
    return explain_proposal(turn, judging.proposed(turn, order, instrument), overrides_hold=True)


def explain_proposal(
    turn: Turn, proposal: Proposal, skips: tuple[str, ...] = (), *, overrides_hold: bool = False
) -> tuple[Explained, ...]:
    """What each check finds of an order as it is about to be judged; `skips` are not asked.

    A replacement is let pass by no override: they are for an order as it is asked for.
    """
    denied = False
    found: list[Explained] = []
    used: list[Override] = []
    for row in (*TABLE, *turn.gate.customs):
        at = _explained(turn, row, proposal, skips, reached=not denied)
        if overrides_hold and not denied and at.verdict == DENIED:
            at = _overridden(turn, proposal, row, at, used)
        denied = denied or at.verdict == DENIED
        found.append(at)
    return tuple(found)


def _overridden(
    turn: Turn, proposal: Proposal, row: Row, at: Explained, used: list[Override]
) -> Explained:
    """The same denial as an override lets it pass, with who asked and who verified, if one does;
    that one is then `used`.
    """
    override = overrides.fitting(turn, proposal, row, used)
    if override is None:
        return at
    used.append(override)
    who = f"{override.override}: {override.asked_by} asked, {override.verified_by} verified"
    return replace(at, verdict=OVERRIDDEN, why=f"{at.why}; {who}: {override.reason}")


def _explained(
    turn: Turn, row: Row, proposal: Proposal, skips: tuple[str, ...], *, reached: bool
) -> Explained:
    limits = (f"limits.{name}" for name in row.needs)
    fields = (*limits, *row.fields)
    skipped = _skipped(turn, row, proposal)
    if not skipped and row.name in skips and not row.own:
        skipped = "counted, or cannot be worse than the order that it replaces"
    if skipped:
        return Explained(check=row.name, verdict=SKIPPED, why=skipped, fields=fields)
    passes = row.passes(proposal)
    finding = row.found(proposal)
    why = "" if reached else "not reached: an earlier check denied"
    if not passes:
        said = finding.message or SENTENCES[finding.reason]
        why = f"{said}; {why}" if why else said
    return Explained(
        check=row.name,
        verdict=PASSED if passes else DENIED,
        observed=finding.observed,
        limit=finding.limit,
        why=why,
        fields=fields,
    )


def _skipped(turn: Turn, row: Row, proposal: Proposal) -> str:
    """Why a check is not asked; empty when it is."""
    if proposal.order.intent is Intent.REDUCE and Intent.REDUCE not in row.intents:
        return "a proven reduction is not asked"
    if row.may_be_off and row.name in turn.policy.checks_off:
        return "the policy switches it off"
    if row.of_session and not turn.state.judges_sessions:
        return "no session is known yet"
    if not asks_for(row, turn.policy, proposal.limits):
        return "the policy does not set it"
    return ""
