"""Effects that are evidence of what the kernel itself did: trips, plans, stops, policies."""

from fuseboard.vocabulary.act import Act
from fuseboard.vocabulary.actions import DrainRule
from fuseboard.vocabulary.orders import Side
from fuseboard.vocabulary.reasons import Reason


class RecordTransition(Act, frozen=True, tag=True):
    """Evidence of one transition of a fuse: who or what, with which numbers, at this moment."""

    fuse: str
    scope: str
    before: str
    event: str
    after: str
    generation: int
    operator: str = ""
    reason: str = ""
    equity_nanos: int = 0
    mark_nanos: int = 0
    drawdown_nanos: int = 0
    limit_nanos: int = 0
    policy: str = ""


class RecordPlan(Act, frozen=True, tag=True):
    """Evidence of a liquidation plan's stage: `cancelling`, `closing`, `ended`, `frozen`.

    `orders` counts what is cancelled, and with `closing` those whose cancel was not confirmed in
    time. `left` lists what is still open as `SYMBOL QUANTITY why`, empty when flat.
    """

    trip: str
    stage: str
    orders: int = 0
    symbols: tuple[str, ...] = ()
    cancelled: int = 0
    closed: int = 0
    errors: int = 0
    duration_ns: int = 0
    left: tuple[str, ...] = ()


class PublishPlan(Act, frozen=True, tag=True):
    """A plan as it stands when a gateway starts, for views that start empty: no stage begins."""

    plan: RecordPlan


class RecordDrain(Act, frozen=True, tag=True):
    """Evidence of an orderly stop's beginning: the orders that it cancels, and its plan's trip.

    `trip` is empty where the stop closes nothing; `frozen` says what it would close and a person
    froze.
    """

    rule: DrainRule
    cancelled: tuple[str, ...]
    trip: str = ""
    frozen: tuple[str, ...] = ()


class RecordReplacement(Act, frozen=True, tag=True):
    """Evidence that an accepted replacement is not sent: why, and what its checks found then."""

    order_id: str
    strategy: str
    replaces: str
    reason: Reason
    checks: tuple[str, ...] = ()
    observed: str = ""
    limit: str = ""


class RecordCash(Act, frozen=True, tag=True):
    """Evidence that a difference of cash was taken for a fee, and how much within 24 hours."""

    difference_nanos: int
    day_nanos: int
    day_nanos_max: int


class RecordOverride(Act, frozen=True, tag=True):
    """Evidence of an override's stage: `requested`, `verified`, `used` or `expired`."""

    override: str
    stage: str
    strategy: str
    symbol: str
    side: Side
    quantity_nanos_max: int
    check: str
    asked_by: str
    verified_by: str
    reason: str
    expires_boot_ns: int
    order_id: str = ""
    policy: str = ""
    worst_price_nanos: int | None = None


class RecordPolicy(Act, frozen=True, tag=True):
    """Evidence that a policy came into force or was refused: what it changes, who, and why.

    `digest` is its own, `before` that of the policy in force until then, empty for the first.
    """

    name: str
    digest: str
    before: str
    accepted: bool
    operator: str
    reason: str
    since_wall_ns: int
    """Since when the policy that is now in force is; at a start it may be long."""
    looser: tuple[str, ...] = ()
    """Each change in words, `path: old -> new`: what is not provably tighter is looser."""
    tighter: tuple[str, ...] = ()
    neutral: tuple[str, ...] = ()
