"""The doors: Protocols of everything that stands outside the loop.

Live, paper, replay and simulation differ only in what stands at these doors.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec import Struct

from fuseboard.vocabulary.broker_latch_effects import LatchBroker
from fuseboard.vocabulary.copy_inputs import ExecutionsSeen
from fuseboard.vocabulary.dividend_facts import DividendsSeen
from fuseboard.vocabulary.effects import (
    CancelOrder,
    FindOrder,
    LatchHalt,
    ReadLeg,
    SubmitOrder,
)
from fuseboard.vocabulary.inputs import (
    AccountSeen,
    BrokerClockSeen,
    BrokerStreamChanged,
    CancelRefused,
    FillReported,
    ForeignOrderSeen,
    LegRead,
    LegReadFailed,
    Moment,
    OrderEnded,
    OrderWorking,
    PositionsSeen,
    SubmitOutcome,
)
from fuseboard.vocabulary.market_inputs import MarketFact
from fuseboard.vocabulary.records import Record
from fuseboard.vocabulary.restored_inputs import OrdersSinceSeen

BrokerFact = OrderWorking | FillReported | OrderEnded | ForeignOrderSeen | BrokerStreamChanged


class Throttled(Exception):
    """The broker answered that the request limit is reached; nothing was done.

    `retry_after_ns` is what it asked us to wait, None when it did not say.
    """

    def __init__(self, retry_after_ns: int | None) -> None:
        super().__init__("the broker's request limit is reached")
        self.retry_after_ns = retry_after_ns


class BrokerUnavailable(Exception):
    """A read failed: no connection, no answer in time, or an answer that makes no sense."""


class KeyRefused(BrokerUnavailable):
    """The broker refuses our key. For a moment that happens to good ones, too."""


class CalendarUnavailable(Exception):
    """Nobody can say when sessions begin; the message says why."""


class RegisterBusy(Exception):
    """Another writer is at work on the halts register and did not finish; nothing was cleared."""


class Broker(Protocol):
    """One account at one broker. An adapter translates; it decides nothing about risk.

    Each call makes exactly one request (reads may make several), bounded in time. `Throttled` is
    raised only when the broker certainly did nothing.
    """

    async def start(self, deliver: Callable[[BrokerFact], None]) -> None:
        """Connect, and deliver the order stream's facts until `stop`, reconnecting for ever."""

    async def stop(self) -> None:
        """Close every connection."""

    async def submit(self, order: SubmitOrder, still_allowed: Callable[[], bool]) -> SubmitOutcome:
        """Send one order. `still_allowed` is asked at the socket, right before the bytes are
        written; when it says no, nothing is written and the outcome is
        `OrderNotSent(HALT_EPOCH)`.
        """

    async def cancel(self, order: CancelOrder) -> CancelRefused | None:
        """Ask to cancel by broker order id. None: taken; the stream will say when it is final."""

    async def cancel_all(self) -> Sequence[str]:
        """Ask to cancel every order of the account that works, whoever placed it. The broker's ids
        of those whose cancel it took. Raises `BrokerUnavailable`: any of them may be cancelled.
        """

    async def find(self, order: FindOrder) -> SubmitOutcome:
        """One look for an order by wire id: `OrderSent`, `OrderNotSent(NEVER_ARRIVED)` when the
        broker says there is none, `OrderUnknown` when it could not be asked.
        """

    async def read_leg(self, leg: ReadLeg) -> LegRead | LegReadFailed:
        """Position, opposing working quantity and the close itself, for one protective close."""

    async def account(self) -> AccountSeen:
        """The account. Raises `BrokerUnavailable`."""

    async def positions(self, *, timed: bool = False) -> PositionsSeen:
        """All positions; when `timed`, with its clock as it was before them, where it tells one.
        Raises `BrokerUnavailable`.
        """

    async def executions(self, after: str | None) -> ExecutionsSeen:
        """What the broker's activity feed says was executed after the execution with this id, from
        the first one when it is empty; its newest page when None. Raises `BrokerUnavailable`.
        """

    async def foreign_orders(self, known: Callable[[str], bool]) -> Sequence[ForeignOrderSeen]:
        """Working orders whose wire id `known` does not know. Raises `BrokerUnavailable`."""

    async def orders_since(self, wall_ns: int) -> OrdersSinceSeen:
        """Every order with a Fuseboard's prefix since a time, working or final, newest first."""

    async def foreign_since(self, wall_ns: int) -> Sequence[ForeignOrderSeen]:
        """Foreign orders that ended since a time, after a part was filled, newest first; others may
        be among them. Raises `BrokerUnavailable`.
        """


class BrokerLatches(Protocol):
    """The broker's own latches of an account; only brokers that have some get this door."""

    async def latch(self, wanted: LatchBroker) -> None:
        """Set or take back what is named; may be repeated. Raises `BrokerUnavailable` and
        `Throttled`.
        """

    def cleared(self) -> None:
        """A reset has reached the register: what was set is to be lifted where it is over."""


class BrokerClock(Protocol):
    """The broker's clock: the second opinion on the time of day."""

    async def clock(self) -> BrokerClockSeen:
        """The clock as it is now. Raises `BrokerUnavailable` and `Throttled`."""


class BrokerDividends(Protocol):
    """What the broker announces of dividends."""

    async def dividends(self, symbols: Sequence[str], wall_ns: int) -> DividendsSeen:
        """Cash dividends of symbols that move cash from this time on, as far as is announced; or
        why the broker does not tell them. Raises `BrokerUnavailable` and `Throttled`.
        """


class SessionDay(Struct, frozen=True, kw_only=True):
    """One session of a calendar; times are UTC ns."""

    session: str
    week_began: str
    month_began: str
    began_ns: int
    """When references roll: the close of the session before."""
    open_ns: int
    close_ns: int


class Calendar(Protocol):
    """When sessions begin."""

    name: str

    async def days(self, now_ns: int) -> Sequence[SessionDay]:
        """The sessions around now, in order. Raises `CalendarUnavailable`."""


class Feed(Protocol):
    """Market data of one party."""

    async def start(self, deliver: Callable[[MarketFact], None]) -> None:
        """Connect and deliver until `stop`, reconnecting for ever."""

    async def stop(self) -> None:
        """Close every connection."""

    async def watch(self, symbol: str) -> None:
        """Subscribe, and deliver the latest quote once if there is one. Idempotent."""


class Journal(Protocol):
    """Appends records in the order given and says how far they are durable."""

    def append(self, records: Sequence[Record]) -> None:
        """Queue records for the next commit; never blocks on the disk."""

    def close(self) -> None:
        """Commit what is queued and stop."""


class Register(Protocol):
    """The halts register as one writer slot sees it."""

    def latch(self, halt: LatchHalt, moment: Moment) -> None:
        """Write a halt into our slot, durably, before returning."""

    def clear(
        self, scope: str, halt_epoch: int, moment: Moment, *, operator: str, reason: str
    ) -> None:
        """Lift a scope's latches up to an epoch, after the reset is durable in the journal.

        Raises `RegisterBusy` when another writer is at work; then nothing was lifted.
        """

    def halts(self, strategy: str, symbol: str) -> bool:
        """Whether any slot halts the account, the strategy or the symbol, or cannot be read.

        Cheap: asked at every send.
        """


class FileCalls(Protocol):
    """Writing in place to an open file, as `os` does it: one write, one wait for the disk."""

    def pwrite(self, descriptor: int, raw: bytes, offset: int, /) -> int:
        """Write at an offset; how many bytes were taken. Raises `OSError`."""

    def fdatasync(self, descriptor: int, /) -> None:
        """Return once what was written is on the disk. Raises `OSError`."""


class Pager(Protocol):
    """Where alerts go."""

    def page(self, severity: str, code: str, scope: str, text: str, *, age_ns: int = 0) -> None:
        """Deliver one alert, whose event is so long ago; must not block."""


class Clock(Protocol):
    """The only clock the loop may read."""

    def now(self) -> Moment:
        """Boot and wall time; boot time never goes back."""
