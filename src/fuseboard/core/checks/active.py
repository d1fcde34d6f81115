"""The checks that a policy asks for, chosen when limits change: an order runs no others."""

from collections.abc import Callable
from typing import Any, Final

from msgspec import Struct

from fuseboard.core.checks.bounds import Bounds, bounds_of
from fuseboard.core.throttles import RingLengths
from fuseboard.policy.conditions import Condition
from fuseboard.policy.limits import DynamicLimit, Limits
from fuseboard.policy.policy import Policy
from fuseboard.vocabulary.orders import Intent
from fuseboard.vocabulary.reasons import Reason


class Finding(Struct, frozen=True, gc=False):
    """What a check finds: a reason with the number it saw and the limit, as text."""

    reason: Reason
    observed: str = ""
    limit: str = ""
    message: str = ""
    """What people are told instead of the reason's sentence."""


ALLOWED: Final = Finding(Reason.ALLOWED)


class Row(Struct, frozen=True, kw_only=True):
    """One check of the table.

    `passes(proposal)` compares and nothing else; anything but True denies. `found(proposal)` says
    the numbers of that comparison, for a denial and for an explanation, and is never asked
    otherwise.
    """

    name: str
    passes: Callable[[Any], bool]
    found: Callable[[Any], Finding]
    intents: tuple[Intent, ...]
    needs: tuple[str, ...] = ()
    """Limits by which it judges; it runs when one of them is set. Empty: see `wanted`."""
    wanted: Callable[[Policy], bool] | None = None
    """Whether the policy asks for it; None: always."""
    fields: tuple[str, ...] = ()
    """The lines of the policy by which it judges, beside `needs`."""
    of_posture: bool = False
    """Whether it can deny only in a scope that is tighter than OPEN."""
    of_session: bool = False
    """Whether there is nothing to judge by before a session, or the broker's clock, is known."""
    may_be_off: bool = False
    """Whether `checks_off` may name it."""
    overridable: bool = False
    """Whether two people may let one order pass it."""
    own: bool = False
    """Whether it is the policy's own and not of the table, whatever its name."""
    quick: bool = False
    """Whether the quick pass makes this comparison in its own way; if not, it asks `passes`."""


class Active(Struct, frozen=True, gc=False):
    """The checks that run under a policy and its limits of the moment."""

    limits: Limits
    opening: tuple[Callable[[Any], bool], ...]
    reducing: tuple[Callable[[Any], bool], ...]
    opening_rows: tuple[Row, ...]
    reducing_rows: tuple[Row, ...]
    bounds: Bounds
    """The limits in money, for the quick pass."""
    others: tuple[Callable[[Any], bool], ...]
    """What the quick pass has to ask of an order that opens: the policy's own checks, as one."""

    def rows_up_to(self, intent: Intent, check: Callable[[Any], bool]) -> tuple[Row, ...]:
        """The rows that an order has been through when this check denies it."""
        rows = self.rows(intent)
        at = [row.passes for row in rows].index(check)
        return rows[: at + 1]

    def rows(self, intent: Intent) -> tuple[Row, ...]:
        """The rows that run for an intent, in order."""
        return self.opening_rows if intent is Intent.OPEN else self.reducing_rows


class Dynamic(Struct, frozen=True, gc=False):
    """A dynamic limit of the policy with its condition, compiled once."""

    rule: DynamicLimit
    condition: Condition
    by_orders: bool
    """Whether orders alone may change what it says."""


class Gate(Struct, frozen=True, gc=False):
    """A policy compiled for judging, when it is adopted."""

    customs: tuple[Row, ...]
    customs_as_one: tuple[Callable[[Any], bool], ...]
    """One function that passes what all of them pass; empty without any."""
    dynamics: tuple[Dynamic, ...]
    restricted: dict[str, None]
    permitted: dict[str, dict[str, None]]
    """The symbols of the strategies that may not trade everything."""
    counts_messages: bool
    lengths: RingLengths
    moved_by_orders: bool
    """Whether orders alone may change what a dynamic limit says."""
    strategies: dict[str, None]
    """The strategies that the policy names; empty: any may trade."""
    tags: dict[str, tuple[str, ...]]
    """The scopes of the tagged strategies' tags."""


def asks_for(row: Row, policy: Policy, limits: Limits) -> bool:
    """Whether a policy with these limits runs a check."""
    if row.may_be_off and row.name in policy.checks_off:
        return False
    if row.needs:
        return any(getattr(limits, name) is not None for name in row.needs)
    return row.wanted is None or row.wanted(policy)


def active_checks(
    asked: tuple[Row, ...],
    limits: Limits,
    own: tuple[Callable[[Any], bool], ...],
    *,
    untightened: bool,
) -> Active:
    """What runs of the rows that are asked for.

    `untightened` is for orders that no posture tightens, and only these; `own` are the policy's own
    checks for the quick pass.
    """
    opening = tuple(row for row in asked if Intent.OPEN in row.intents)
    reducing = tuple(row for row in asked if Intent.REDUCE in row.intents)
    return Active(
        limits,
        tuple(row.passes for row in opening if not (untightened and row.of_posture)),
        tuple(row.passes for row in reducing if not (untightened and row.of_posture)),
        opening,
        reducing,
        bounds_of(limits, listed=any(row.wanted is not None for row in opening)),
        (*(row.passes for row in opening if not row.quick), *own),
    )
