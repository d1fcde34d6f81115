"""Inputs: past-tense facts, the only way anything reaches the kernel. Frozen, small, exact.

Read this file first. Each class is one fact; `Input` is the closed union of them. Money, prices
and quantities are nano-units (`money.NANOS`), times are nanoseconds. A `Moment` is stamped on each
input at the intake; nothing else tells the kernel the time.

`request` numbers a caller who waits for an answer (an HTTP request, an operator); it is unique
within one run of the node.
"""

from typing import Final, TypeAlias

from msgspec import Struct

from fuseboard.vocabulary.actions import DrainRule
from fuseboard.vocabulary.copy_inputs import ExecutionsSeen, WorkingSeen
from fuseboard.vocabulary.disconnect_facts import StrategyLost, StrategySeen
from fuseboard.vocabulary.dividend_facts import DividendsSeen
from fuseboard.vocabulary.fact import Fact
from fuseboard.vocabulary.foreign_inputs import ForeignTerms
from fuseboard.vocabulary.guardian_inputs import GuardianClose
from fuseboard.vocabulary.market_inputs import (
    BookSeen,
    FeedHeard,
    QuoteSeen,
    TradeSeen,
    TradeWithdrawn,
    TradingHalted,
    TradingResumed,
)
from fuseboard.vocabulary.operator_inputs import (
    CashMoved,
    ControlUsed,
    DividendSaid,
    OperatorHaltRequested,
    OperatorResetRequested,
    OverrideRequested,
    OverrideVerified,
)
from fuseboard.vocabulary.orders import OrderStatus, OrderType, Side, TimeInForce
from fuseboard.vocabulary.postures import HaltLevel
from fuseboard.vocabulary.reasons import Reason
from fuseboard.vocabulary.restored_inputs import OrdersSinceSeen, Restored


class Moment(Struct, frozen=True, gc=False):
    """When the intake took an input: boot time for durations, wall time for calendars, in ns."""

    boot_ns: int
    wall_ns: int


class LatchedScope(Struct, frozen=True, gc=False, kw_only=True):
    """One latch as the halts register holds it; `trip` is empty when no fuse tripped."""

    scope: str
    level: HaltLevel
    reason: Reason
    trip: str
    halt_epoch: int


class RegisterEpochs(Struct, frozen=True, gc=False, kw_only=True):
    """The halt epochs that a register knows: the highest of the gateway's slot, and of all."""

    gateway: int
    highest: int


class NodeStarted(Fact, frozen=True, tag=True):
    """The node came up. `latched` lists what the halts register holds, over all writers."""

    instance: str
    account: str
    release: str
    strategies: tuple[str, ...] = ()
    """The strategies that have keys; a single one takes over what the account already holds."""
    latched: tuple[LatchedScope, ...] = ()
    register_unreadable: bool = False
    register_epochs: RegisterEpochs | None = None
    """None where nobody told, or nothing could be read."""
    register_doubt: str = ""
    """Why the register is older than its history knows it; then `latched` has its latches too."""
    history_doubt: str = ""
    """What is wrong with the register's history."""
    restored: Restored | None = None
    guardian_closes: tuple[GuardianClose, ...] = ()
    """The newest closes that the guardian wrote down, oldest first; a start takes each once."""
    guardian_sent: tuple[str, ...] = ()
    """The order ids of all that the guardian sent since the last record, what took nothing too."""
    last_wall_ns: int = 0
    """Of the journal's last record, as this machine's clock said; 0: there is none."""


class PolicyAdopted(Fact, frozen=True, tag=True):
    """A policy is to come into force: its canonical text and its digest (hex SHA-256 of the text).

    The kernel refuses one that is looser than the policy in force without an operator's name and a
    reason. `request` is 0 at a start.
    """

    text: str
    digest: str
    operator: str
    reason: str = ""
    request: int = 0
    via: str = ""
    """As in `operator_inputs`."""


class TimeAdvanced(Fact, frozen=True, tag=True):
    """A wake-up that the kernel asked for is due."""


class SessionRolled(Fact, frozen=True, tag=True):
    """A trading session begins, by the account's calendar: the one before it has closed.

    Told when it happens, and at each start for the present session; a date that is not later than
    the last one's rolls nothing.
    """

    calendar: str
    session: str
    """`YYYY-MM-DD`, as the calendar names the session that begins."""
    week_began: str
    """The date of the first session of its week, and of its month."""
    month_began: str
    open_ns: int
    """Wall times of its regular open and close, and since when it is this session (0: not told)."""
    close_ns: int
    began_ns: int = 0


class TimeOfDayReached(Fact, frozen=True, tag=True):
    """A time of day came at which the policy wants the books compared."""

    due_ns: int
    """Which one: its wall time. One that was slept through is told late; of several, the last."""


class DrainRequested(Fact, frozen=True, tag=True):
    """The node is to stop in order: no new risk until the next start, which forgets it."""

    rule: DrainRule
    ended: str = ""
    """The strategy whose supervised command ended, where that is why."""


class NodeFaulted(Fact, frozen=True, tag=True):
    """The node found a fault in itself (failed commit or assertion): the last input it takes."""

    detail: str


# --- strategies --------------------------------------------------------------------------------


class OrderRequested(Fact, frozen=True, tag=True):
    """A strategy asks for an order. Authenticated, parsed and attributed by the gateway."""

    request: int
    strategy: str
    client_order_id: str
    symbol: str
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    quantity_nanos: int
    limit_price_nanos: int | None = None
    stop_price_nanos: int | None = None
    extended_hours: bool = False
    closes_only: bool = False
    """The strategy says that it closes: it is denied unless it is a proven reduction."""


class CancelRequested(Fact, frozen=True, tag=True):
    """A strategy asks to cancel one of its orders. `order_id` is ours."""

    request: int
    strategy: str
    order_id: str


class ReplaceRequested(Fact, frozen=True, tag=True):
    """A strategy asks to replace one of its orders. `order_id` is ours; None keeps what it has.

    `quantity_nanos` is the whole size: what the old order has filled is part of it, as in FIX's
    OrderQty. The new order's id is derived from `client_order_id` like any other's.
    """

    request: int
    strategy: str
    order_id: str
    client_order_id: str
    quantity_nanos: int | None = None
    limit_price_nanos: int | None = None
    stop_price_nanos: int | None = None
    time_in_force: TimeInForce | None = None


# --- the broker --------------------------------------------------------------------------------


class OrderSent(Fact, frozen=True, tag=True):
    """The broker holds the order: the answer to a submit, or found there later by its wire id."""

    order_id: str
    broker_order_id: str
    status: OrderStatus
    filled_quantity_nanos: int = 0
    filled_price_nanos: int = 0
    """Average price of what is filled so far; 0 when nothing is."""


class OrderNotSent(Fact, frozen=True, tag=True):
    """The order is not at the broker and will not be: never sent, rejected, or never arrived."""

    order_id: str
    reason: Reason
    http_status: int = 0
    broker_code: int = 0
    message: str = ""


class OrderUnknown(Fact, frozen=True, tag=True):
    """The bytes left and no answer came; the order may be at the broker."""

    order_id: str
    detail: str


class OrderWorking(Fact, frozen=True, tag=True):
    """The broker's stream says the order works."""

    order_id: str
    broker_order_id: str


class FillReported(Fact, frozen=True, tag=True):
    """The broker's stream reports one execution of an order of ours, or of a foreign one.

    `filled_quantity_nanos` is cumulative, so a repeated or reordered report adds nothing twice.
    """

    order_id: str
    broker_order_id: str
    quantity_nanos: int
    price_nanos: int
    filled_quantity_nanos: int
    filled_price_nanos: int
    final: bool


class OrderEnded(Fact, frozen=True, tag=True):
    """The broker says the order is final without being filled: canceled, expired or rejected."""

    order_id: str
    broker_order_id: str
    status: OrderStatus
    filled_quantity_nanos: int
    filled_price_nanos: int
    message: str = ""


class CancelRefused(Fact, frozen=True, tag=True):
    """The broker did not take a cancel: the order is final there, or the request failed."""

    order_id: str
    reason: Reason
    message: str = ""


class ForeignOrderSeen(Fact, frozen=True, tag=True):
    """The broker holds an order that our book does not know, as its list or its stream says it."""

    wire_id: str
    broker_order_id: str
    symbol: str
    ours_by_prefix: bool
    side: Side | None = None
    quantity_nanos: int | None = None
    """Of the whole order; None when the broker does not say, as for one by value."""
    terms: ForeignTerms | None = None
    """None: the broker does not say all of it clearly, or it is of a kind that is not modelled."""


UNNAMED: Final = "?"
"""Stands for the symbol of an order or position where the broker names none that can be read."""


class BrokerPosition(Struct, frozen=True, gc=False, kw_only=True):
    """One position as the broker reports it; negative when short."""

    symbol: str
    quantity_nanos: int
    average_price_nanos: int
    price_nanos: int


class AccountSeen(Fact, frozen=True, tag=True):
    """The broker's account as read: its own figures, a second source for equity."""

    cash_nanos: int
    equity_nanos: int
    last_equity_nanos: int
    multiplier: int
    shorting_enabled: bool
    maintenance_margin_nanos: int | None = None
    """What the broker requires for the positions that are held; None when it does not say."""
    buying_power_nanos: int | None = None


class BrokerClockSeen(Fact, frozen=True, tag=True):
    """The broker's clock as read: the second opinion on the time of day."""

    wall_ns: int
    is_open: bool


class PositionsSeen(Fact, frozen=True, tag=True):
    """All positions as the broker reports them, read when no order of ours was in flight.

    `missing`: ids of orders that work as far as we know, and not by the broker's list of them.
    `unread`: symbols whose positions cannot be read, `UNNAMED` where not even that is clear.
    `halt_epoch`: of the newest halt since the start when the reading began; None: read just now.
    `after_broker_ns`: the broker's clock before they were read; 0: not asked, or not told.
    """

    positions: tuple[BrokerPosition, ...]
    missing: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    halt_epoch: int | None = None
    after_broker_ns: int = 0


class LegRead(Fact, frozen=True, tag=True):
    """The broker's answer to `ReadLeg`: what a protective close needs to know before it is sent.

    `against_nanos` is the quantity of all working orders that already reduce the position.
    `found` is the order with the asked wire id, None when the broker has none.
    """

    trip: str
    symbol: str
    attempt: int
    position_nanos: int
    against_nanos: int
    found: OrderSent | None = None


class LegReadFailed(Fact, frozen=True, tag=True):
    """The broker could not be read for a protective close; it will be asked again."""

    trip: str
    symbol: str
    attempt: int
    detail: str


class BrokerStreamChanged(Fact, frozen=True, tag=True):
    """The broker's order stream connected or was lost."""

    connected: bool


class RequestsThrottled(Fact, frozen=True, tag=True):
    """The gateway denies a strategy's orders itself: the kernel denied too many a second.

    `count`: how many it has denied so since the last such note; they are not journaled one by one.
    """

    strategy: str
    count: int
    a_second_max: int


class RequestsDenied(Fact, frozen=True, tag=True):
    """The gateway denied a strategy's requests itself: how many since the last note of the reason.

    What they asked for could not be read, is not supported, or is unknown to the broker.
    """

    strategy: str
    reason: Reason
    count: int


class MeasureReported(Fact, frozen=True, tag=True):
    """Somebody outside reports a measure that we do not compute, such as `vix`."""

    request: int
    name: str
    value: int
    """In the catalogue's scale."""
    event_ns: int
    """Wall time of the value itself."""
    symbol: str = ""


Input: TypeAlias = (
    NodeStarted
    | PolicyAdopted
    | TimeAdvanced
    | SessionRolled
    | TimeOfDayReached
    | DrainRequested
    | NodeFaulted
    | OrderRequested
    | CancelRequested
    | ReplaceRequested
    | OrderSent
    | OrderNotSent
    | OrderUnknown
    | OrderWorking
    | FillReported
    | OrderEnded
    | CancelRefused
    | ForeignOrderSeen
    | OrdersSinceSeen
    | AccountSeen
    | BrokerClockSeen
    | PositionsSeen
    | ExecutionsSeen
    | WorkingSeen
    | LegRead
    | LegReadFailed
    | BrokerStreamChanged
    | QuoteSeen
    | BookSeen
    | TradeSeen
    | TradeWithdrawn
    | FeedHeard
    | TradingHalted
    | TradingResumed
    | OperatorHaltRequested
    | OperatorResetRequested
    | ControlUsed
    | RequestsThrottled
    | RequestsDenied
    | StrategyLost
    | StrategySeen
    | CashMoved
    | DividendSaid
    | DividendsSeen
    | MeasureReported
    | OverrideRequested
    | OverrideVerified
)
SubmitOutcome: TypeAlias = OrderSent | OrderNotSent | OrderUnknown
