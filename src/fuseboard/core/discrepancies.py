"""What does not agree between our record and the broker's: found, told, kept, and how it ends.

While one stands the account is REDUCE_ONLY, or latched HALTED where the policy says `halt`; with
`notify` people are told and nothing tightens. It ends when the comparison that found it agrees
again, or when a person's reset of the account takes the broker's word. One that agrees because a
liquidation took that word ends by the reset alone.
"""

from typing import Final

from msgspec import Struct

from fuseboard.core.halting import latch_scope, publish_postures
from fuseboard.core.state import Discrepancy, Turn
from fuseboard.vocabulary.effects import PublishDiscrepancy
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE
from fuseboard.vocabulary.orders import Severity
from fuseboard.vocabulary.postures import HaltLevel
from fuseboard.vocabulary.reasons import Reason

DISCREPANCIES_MAX: Final = 1_000
TOO_MANY: Final = "too many discrepancies"
"""The one that stands for all that have no place of their own, until a person ends it."""
STANDS_MAX: Final = 3
"""In how many comparisons one may stand before `halt` latches, where it does not at once."""
NAMED_MAX: Final = 3
"""How many a latch names; of the others it says how many they are."""


class Difference(Struct, frozen=True, kw_only=True):
    """What one comparison found to differ: ours and theirs, in words.

    `at_once`: it cannot be a matter of time, so that `halt` latches without another comparison.
    `counts`: a comparison says so, and not a deadline between two.
    `until_reset`: only a person ends it, though the books agree from now on.
    `pages`: a person has to look, whatever the policy does.
    """

    subject: str
    source: str
    what: str
    ours: str
    theirs: str
    code: Reason = Reason.DISCREPANCY
    at_once: bool = False
    counts: bool = True
    until_reset: bool = False
    pages: bool = False


def found(turn: Turn, differences: list[Difference]) -> None:
    """All that one comparison found: each told when it is news, latched once as the policy says."""
    if not differences:
        return
    action = turn.policy.reconciliation.mismatch_action
    latching: list[Discrepancy] = []
    for difference in differences:
        known = _noted(turn, difference)
        latches = action == "halt" or (action != "notify" and known.subject == TOO_MANY)
        stands = difference.at_once or known.subject == TOO_MANY or known.comparisons >= STANDS_MAX
        if latches and stands and not known.latched:
            known.latched = True
            latching.append(known)
    publish_postures(turn)
    if latching:
        _latch(turn, latching)


def _noted(turn: Turn, difference: Difference) -> Discrepancy:
    """Keep it, and tell what is news. All that find no place are one, which is told once."""
    standing = turn.state.discrepancies
    known = standing.get(difference.subject)
    if known is None and len(standing) >= DISCREPANCIES_MAX:
        known = standing.get(TOO_MANY)
        if known is not None:
            return known
        difference = Difference(
            subject=TOO_MANY,
            source="all comparisons",
            what=f"more than {DISCREPANCIES_MAX} discrepancies; the next: {difference.what}",
            ours=str(DISCREPANCIES_MAX),
            theirs="more",
            code=difference.code,
        )
    what, ours, theirs = difference.what, difference.ours, difference.theirs
    if known is None:
        known = standing[difference.subject] = Discrepancy(
            subject=difference.subject,
            source=difference.source,
            code=difference.code,
            what=what,
            ours=ours,
            theirs=theirs,
            since_wall_ns=turn.wall_ns,
            until_reset=difference.until_reset,
        )
        _told(turn, known, Severity.PAGE if difference.pages else Severity.WARNING)
        return known
    known.comparisons += difference.counts
    known.healed = False
    if (known.what, known.ours, known.theirs) != (what, ours, theirs):
        known.what, known.ours, known.theirs = what, ours, theirs
        _told(turn, known)
    return known


def _latch(turn: Turn, latching: list[Discrepancy]) -> None:
    """Halt the account, once for all of them."""
    detail = "; ".join(at.what for at in latching[:NAMED_MAX])
    if len(latching) > 1:
        detail = f"{len(latching)} differences: {detail}"
    if len(latching) > NAMED_MAX:
        detail = f"{detail}; and {len(latching) - NAMED_MAX} more"
    latch_scope(turn, ACCOUNT_SCOPE, HaltLevel.HALT, latching[0].code, detail=detail)


def healed(turn: Turn, subject: str) -> None:
    """Our record took what was proven; the next comparison has to agree before this ends."""
    known = turn.state.discrepancies.get(subject)
    if known is not None and not known.healed:
        known.healed = True
        show(turn, known, "adopted")
        turn.alert(Severity.INFO, known.code, f"adopted: {known.what}")


def agreed(turn: Turn, source: str, *, but: dict[str, None]) -> None:
    """A comparison is over: what it had found and does not find any more ends.

    Not what agrees only because a liquidation took the broker's word: that waits for a person.
    """
    state = turn.state
    ended = [
        at
        for at in state.discrepancies.values()
        if at.source == source and at.subject not in but and not at.until_reset
    ]
    for at in ended:
        del state.discrepancies[at.subject]
        show(turn, at, "resolved")
        turn.alert(Severity.INFO, at.code, f"agrees again: {at.what}")
    if ended:
        publish_postures(turn)


def accept(turn: Turn, *, operator: str, reason: str) -> None:
    """A person resets the account, and so takes the broker's word for all that differs."""
    known = list(turn.state.discrepancies.values())
    turn.state.discrepancies.clear()
    for at in known:
        show(turn, at, "accepted", operator=operator, reason=reason)


def end_cash(turn: Turn, stage: str, *, operator: str = "", reason: str = "") -> None:
    """The difference of cash, which `cash` judges, is over: `resolved`, or `accepted`."""
    apart, turn.state.cash_apart = turn.state.cash_apart, None
    if apart is not None:
        show(turn, apart, stage, operator=operator, reason=reason)


def show(
    turn: Turn, at: Discrepancy, stage: str = "found", *, operator: str = "", reason: str = ""
) -> None:
    """Leave the evidence of a stage; it is the view, too."""
    turn.out.append(
        PublishDiscrepancy(
            subject=at.subject,
            stage=stage,
            source=at.source,
            what=at.what,
            ours=at.ours,
            theirs=at.theirs,
            since_wall_ns=at.since_wall_ns,
            operator=operator,
            reason=reason,
        )
    )


def _told(turn: Turn, at: Discrepancy, severity: Severity = Severity.WARNING) -> None:
    show(turn, at)
    turn.alert(severity, at.code, at.what)
