"""Effects: imperatives, the only way anything leaves the kernel. Frozen, small, exact.

Three kinds may overtake the disk because they only protect: `CancelOrder`, `LatchHalt` and
`RaiseAlert` (`OVERTAKING`). Everything else leaves at the durable watermark, in sequence.
"""

from typing import TypeAlias

from fuseboard.vocabulary.act import Act
from fuseboard.vocabulary.broker_latch_effects import LatchBroker
from fuseboard.vocabulary.denial_effects import RecordDenials
from fuseboard.vocabulary.disconnect_facts import PublishLost
from fuseboard.vocabulary.dividend_facts import PublishDividends
from fuseboard.vocabulary.evidence_effects import (
    PublishPlan,
    RecordCash,
    RecordDrain,
    RecordOverride,
    RecordPlan,
    RecordPolicy,
    RecordReplacement,
    RecordTransition,
)
from fuseboard.vocabulary.liquidity_effects import (
    RecordExit,
    RecordLiquidity,
    RecordShaping,
    RecordTier,
)
from fuseboard.vocabulary.market_effects import RecordTradingHalt, WatchSymbol
from fuseboard.vocabulary.orders import (
    Intent,
    OrderStatus,
    OrderType,
    Severity,
    Side,
    TimeInForce,
)
from fuseboard.vocabulary.postures import HaltLevel, Posture
from fuseboard.vocabulary.reasons import Reason
from fuseboard.vocabulary.reset_effects import RecordRecovery, RecordReset

# --- to the broker -----------------------------------------------------------------------------


class SubmitOrder(Act, frozen=True, tag=True, kw_only=False):
    """Send an order to the broker under `wire_id`. Its one outcome comes back as an input.

    It is also the first view of the order: `PublishOrder` follows only when something changes.

    `raises_exposure` and `halt_epoch` let the outlet drop it at the socket when a halt came after
    the decision. A protective order (a plan's close) never raises exposure and has the reserve of
    the request budget.
    """

    order_id: str
    wire_id: str
    symbol: str
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    quantity_nanos: int
    intent: Intent
    raises_exposure: bool
    halt_epoch: int
    strategy: str = ""
    client_order_id: str = ""
    created_ns: int = 0
    limit_price_nanos: int | None = None
    stop_price_nanos: int | None = None
    extended_hours: bool = False


class CancelOrder(Act, frozen=True, tag=True):
    """Cancel an order. Without a broker order id only a submit that is still held is annihilated;
    the cancel follows when the id is known.
    """

    order_id: str
    broker_order_id: str | None


class FindOrder(Act, frozen=True, tag=True):
    """Ask the broker for an order of ours by its wire id: it was in doubt, or we were away.

    `absent_after_ns`: "not found" counts as still on its way until this long after the question.
    `broker_order_id`: of a foreign order, which is asked for by this instead.
    """

    order_id: str
    wire_id: str
    absent_after_ns: int
    broker_order_id: str = ""


class ReadLeg(Act, frozen=True, tag=True):
    """Ask the broker for the position, the working orders and the close's own wire id."""

    trip: str
    symbol: str
    attempt: int
    order_id: str
    wire_id: str


class ReadAccount(Act, frozen=True, tag=True):
    """Read account and, when `positions`, all positions and working orders from the broker; when
    `timed`, its clock before them.
    """

    positions: bool
    timed: bool = False


class ReadOrdersSince(Act, frozen=True, tag=True):
    """Ask which orders with a Fuseboard's prefix the broker has had since a wall time.

    `foreign`: what foreign orders filled and ended as since then is told, too.
    """

    wall_ns: int
    foreign: bool = False


class ReadExecutions(Act, frozen=True, tag=True):
    """Read the broker's activity feed from this execution on, from its first one when empty; its
    newest page when None.
    """

    after: str | None


# --- protection that overtakes the disk ----------------------------------------------------------


class LatchHalt(Act, frozen=True, tag=True):
    """Write the halts register and raise the halt epoch: no exposure-raising send starts after."""

    scope: str
    level: HaltLevel
    reason: Reason
    trip: str
    halt_epoch: int
    detail: str


class RaiseAlert(Act, frozen=True, tag=True):
    """Tell people. `code` is stable, `text` is for reading."""

    severity: Severity
    code: Reason
    scope: str
    text: str


class ClearHalt(Act, frozen=True, tag=True):
    """A durable reset: the register's latch for the scope is lifted. Never overtakes."""

    scope: str
    halt_epoch: int
    operator: str
    reason: str


# --- answers -----------------------------------------------------------------------------------


class AnswerOrder(Act, frozen=True, tag=True):
    """Answer an order request with the order as last published. `repeated`: same id, same order."""

    request: int
    order_id: str
    repeated: bool = False


class AnswerDenied(Act, frozen=True, tag=True):
    """Deny a request. `checks` names every check that ran, the last one denied.

    `observed` and `limit` are the numbers of the denying check, in its own unit, as plain text.
    """

    request: int
    strategy: str
    reason: Reason
    checks: tuple[str, ...] = ()
    observed: str = ""
    limit: str = ""
    message: str = ""
    http_status: int = 0
    broker_code: int = 0
    symbol: str = ""
    """Whose statistics it counts in; only where the policy measures liquidity."""


class AnswerCancel(Act, frozen=True, tag=True):
    """Answer a cancel request: taken (`ALLOWED`) or why not."""

    request: int
    order_id: str
    reason: Reason


class AnswerOperator(Act, frozen=True, tag=True):
    """Answer an operator."""

    request: int
    accepted: bool
    message: str
    note: str = ""
    """What is odd about what was accepted, such as a scope that nothing bears."""


# --- views and evidence --------------------------------------------------------------------------


class PublishOrder(Act, frozen=True, tag=True):
    """An order as it now is: the view that clients read, and one event of `trade_updates`.

    `event` is Alpaca's word (`new`, `fill`, `partial_fill`, `canceled`, ...), empty when nothing is
    to be streamed. `fill_*` describe the execution of this event. `strategy` is empty for a plan.
    """

    order_id: str
    wire_id: str
    broker_order_id: str | None
    client_order_id: str
    strategy: str
    symbol: str
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    quantity_nanos: int
    filled_quantity_nanos: int
    filled_price_nanos: int
    status: OrderStatus
    intent: Intent
    created_ns: int
    updated_ns: int
    limit_price_nanos: int | None = None
    stop_price_nanos: int | None = None
    extended_hours: bool = False
    event: str = ""
    fill_quantity_nanos: int = 0
    fill_price_nanos: int = 0
    position_nanos: int = 0
    replaces: str = ""
    replaced_by: str = ""


class PublishPosition(Act, frozen=True, tag=True):
    """A position as it now is; `strategy` is empty for the account's own."""

    strategy: str
    symbol: str
    quantity_nanos: int
    average_price_nanos: int


class PublishEquity(Act, frozen=True, tag=True):
    """A fuse's state at a start; a drawdown's, with its numbers, at most ten times a second."""

    fuse: str
    scope: str
    state: str
    generation: int
    equity_nanos: int
    mark_nanos: int
    drawdown_nanos: int
    """Fraction lost from the mark, 1 = 10^9, rounded half up: for showing."""
    cash_nanos: int


class PublishPosture(Act, frozen=True, tag=True):
    """The posture of a scope changed, and why."""

    scope: str
    posture: Posture
    reason: Reason
    next_reset_wall_ns: int = 0
    """From when what is latched may be reset again; 0 unless it was reset too often in a day."""


class PublishDiscrepancy(Act, frozen=True, tag=True):
    """Evidence of, and the view of, something in which our record and the broker's differ.

    `stage` is `found`, `adopted` (our record took what was proven), `resolved` (both agree again)
    or `accepted` (`operator` took the broker's word by a reset, or the policy did).
    """

    subject: str
    stage: str
    source: str
    what: str
    ours: str
    theirs: str
    since_wall_ns: int
    operator: str = ""
    reason: str = ""


class PublishDynamicLimits(Act, frozen=True, tag=True):
    """The dynamic limits that hold now, by name."""

    names: tuple[str, ...]


class WakeAt(Act, frozen=True, tag=True):
    """Give a `TimeAdvanced` at this boot time."""

    boot_ns: int


class StopNode(Act, frozen=True, tag=True):
    """Stop the node: a fault of ours. What protects has been emitted before this."""

    detail: str


Effect: TypeAlias = (
    SubmitOrder
    | CancelOrder
    | FindOrder
    | ReadLeg
    | ReadAccount
    | ReadOrdersSince
    | ReadExecutions
    | WatchSymbol
    | LatchHalt
    | LatchBroker
    | RaiseAlert
    | ClearHalt
    | AnswerOrder
    | AnswerDenied
    | AnswerCancel
    | AnswerOperator
    | PublishOrder
    | PublishPosition
    | PublishEquity
    | PublishPosture
    | RecordTransition
    | RecordPlan
    | PublishPlan
    | RecordDrain
    | RecordCash
    | RecordReplacement
    | PublishDiscrepancy
    | PublishDynamicLimits
    | PublishDividends
    | PublishLost
    | RecordOverride
    | RecordPolicy
    | RecordReset
    | RecordDenials
    | RecordRecovery
    | RecordTradingHalt
    | RecordTier
    | RecordExit
    | RecordLiquidity
    | RecordShaping
    | WakeAt
    | StopNode
)
OVERTAKING = (CancelOrder, LatchHalt, RaiseAlert)
