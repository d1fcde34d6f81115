"""The table of checks: which check applies to which intent, in the order they run.

One data structure, printed into the docs. A new check is one file and one row here. The first
denial stops; every check that ran is reported. Plans and cancels are not listed: no check may
hold them back (law 13), the outlet's epoch and the plan's own clamp are what bounds them.
"""

from collections.abc import Callable
from typing import Final

from msgspec import Struct

from fuseboard.core.checks.buying_power import buying_power
from fuseboard.core.checks.gross_exposure import gross_exposure
from fuseboard.core.checks.max_position import max_position
from fuseboard.core.checks.opposite_strategy import opposite_strategy
from fuseboard.core.checks.order_quantity import order_quantity
from fuseboard.core.checks.order_rate import order_rate
from fuseboard.core.checks.order_value import order_value
from fuseboard.core.checks.posture import posture
from fuseboard.core.checks.price_collar import price_collar
from fuseboard.core.checks.proposal import ALLOWED, Finding, Proposal
from fuseboard.core.checks.quote import quote
from fuseboard.core.checks.reconciled import reconciled
from fuseboard.core.checks.working_orders import working_orders
from fuseboard.vocabulary.orders import Intent


class Row(Struct, frozen=True):
    """One check: its name, its function, and the intents it applies to."""

    name: str
    check: Callable[[Proposal], Finding]
    intents: tuple[Intent, ...]


_ANY = (Intent.OPEN, Intent.REDUCE)
_NEW_RISK = (Intent.OPEN,)
TABLE: Final = (
    Row("reconciled", reconciled, _ANY),
    Row("posture", posture, _ANY),
    Row("order_rate", order_rate, _NEW_RISK),
    Row("working_orders", working_orders, _ANY),
    Row("quote", quote, _NEW_RISK),
    Row("price_collar", price_collar, _NEW_RISK),
    Row("order_quantity", order_quantity, _NEW_RISK),
    Row("order_value", order_value, _NEW_RISK),
    Row("opposite_strategy", opposite_strategy, _NEW_RISK),
    Row("max_position", max_position, _NEW_RISK),
    Row("gross_exposure", gross_exposure, _NEW_RISK),
    Row("buying_power", buying_power, _NEW_RISK),
)
_OPENING: Final = tuple(row.check for row in TABLE if Intent.OPEN in row.intents)
_REDUCING: Final = tuple(row.check for row in TABLE if Intent.REDUCE in row.intents)
_OPEN: Final = Intent.OPEN
NAMES: Final = {
    intent: tuple(row.name for row in TABLE if intent in row.intents) for intent in Intent
}


def judge(proposal: Proposal) -> tuple[Finding, tuple[str, ...]]:
    """Run the checks of the order's intent; the finding, and on a denial the names that ran."""
    intent = proposal.order.intent
    checks = _OPENING if intent is _OPEN else _REDUCING
    for check in checks:
        finding = check(proposal)
        if finding is not ALLOWED:
            return finding, NAMES[intent][: checks.index(check) + 1]
    return ALLOWED, ()


def judge_but(proposal: Proposal, skips: tuple[str, ...]) -> tuple[Finding, tuple[str, ...]]:
    """Run the checks of the order's intent but the named ones; the finding, and which ran."""
    ran: list[str] = []
    for row in TABLE:
        if proposal.order.intent not in row.intents or row.name in skips:
            continue
        ran.append(row.name)
        finding = row.check(proposal)
        if finding is not ALLOWED:
            return finding, tuple(ran)
    return ALLOWED, tuple(ran)
