"""All that the kernel knows, as one tree: what a snapshot holds and what a digest is taken of."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from msgspec import Struct, field

from fuseboard.core.apart import DropCopy
from fuseboard.core.book import Book, Ledger, Order
from fuseboard.core.checks.active import Active, Dynamic, Gate
from fuseboard.core.dividend import Dividends
from fuseboard.core.foreign_state import ForeignOrders
from fuseboard.core.fuses.drawdown import DrawdownFuse
from fuseboard.core.fuses.latch import Latch
from fuseboard.core.fuses.rule import RuleFuse
from fuseboard.core.halted import LastHalt, OpenEnd
from fuseboard.core.legs import Plan
from fuseboard.core.liquidity.monitor import Liquidity
from fuseboard.core.liquidity.tiers import Compiled
from fuseboard.core.market import DataDoubt, FeedTimes, Instrument, TradingHalt, halts_of
from fuseboard.core.measures.courses import Course, Symbols
from fuseboard.core.measures.scores import Score, Trade
from fuseboard.core.periods import Period
from fuseboard.core.throttles import OrderNear, Throttles
from fuseboard.core.watchlist import NOTHING, Watchlist
from fuseboard.policy.policy import Policy
from fuseboard.vocabulary.effects import AnswerOperator, Effect, RaiseAlert, WakeAt
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE, OrderIds
from fuseboard.vocabulary.inputs import BrokerPosition
from fuseboard.vocabulary.orders import Severity, Side
from fuseboard.vocabulary.postures import Posture
from fuseboard.vocabulary.reasons import Reason

FOREIGN_ORDERS_MAX: Final = 1_000
INSTRUMENTS_MAX: Final = 10_000
_UNTIGHTENED: Final = (Posture.OPEN, Reason.ALLOWED)


class Reported(Struct, frozen=True):
    """A measure that somebody outside reported."""

    value: int
    event_ns: int
    boot_ns: int
    """When it reached us."""
    prior: int | None = None
    """The value dated before it; None when there is none or it was too old by then."""


class CashAdopted(Struct, frozen=True):
    """A difference of cash that was taken for a fee."""

    attos: int
    boot_ns: int


class CashApart(Struct, kw_only=True):
    """A difference of the broker's cash from ours that each reading since has shown."""

    attos: int
    since_boot_ns: int
    compared: bool = False
    """Whether the books were compared for it."""


class CashClaim(Struct, kw_only=True):
    """What a person said about cash, until the broker's cash shows it."""

    request: int
    amount_nanos: int
    why: str
    began_boot_ns: int
    ask_boot_ns: int
    """When the broker is asked again."""
    seen_attos: int | None = None
    """Our cash when a reading last agreed; None: the last one did not."""


class Tightened(Struct, kw_only=True):
    """A dynamic limit that holds; it lets go when its condition has been false for long enough."""

    unknown: bool = False
    false_since_boot_ns: int | None = None


class Override(Struct, kw_only=True):
    """One order of one strategy that two people let pass one check."""

    override: str
    strategy: str
    symbol: str
    side: Side
    quantity_nanos_max: int
    check: str
    expires_boot_ns: int
    asked_by: str
    reason: str
    verified_by: str = ""
    worst_price_nanos: int | None = None
    """The most a buy may pay, the least a sell may get; None: any price that the rest allows."""
    asked_via: str = ""


class ResetWanted(Struct, kw_only=True):
    """A reset that one person asked for and another one has to confirm."""

    scope: str
    operator: str
    via: str
    reason: str
    rebase: bool
    halt_epoch: int
    """What was halted when it was asked for: a later halt makes it void."""
    asked_wall_ns: int
    lapses_boot_ns: int
    lapses_wall_ns: int


class Recovery(Struct, kw_only=True):
    """A recovery after a kill, under way: who started it, and why."""

    scope: str
    operator: str
    reason: str


class Discrepancy(Struct, kw_only=True):
    """Something in which our record and the broker's differ: what, by whom, since when."""

    subject: str
    """What it is about, such as `position AAPL`; one discrepancy at a time."""
    source: str
    """Which comparison found it."""
    code: Reason
    what: str
    ours: str
    theirs: str
    since_wall_ns: int
    comparisons: int = 1
    """In how many comparisons it stood."""
    latched: bool = False
    healed: bool = False
    until_reset: bool = False
    """Whether a liquidation took the broker's word: books that agree again do not end it."""


class State(Struct, kw_only=True):
    """The whole state of one account's kernel."""

    policy_text: str = ""
    policy_digest: str = ""
    policy_since_wall_ns: int = 0
    """When this policy came into force."""
    instance: str = ""
    account: str = ""
    book: Book = field(default_factory=lambda: Book(account=Ledger(counts_worst=True)))
    instruments: dict[str, Instrument] = {}
    frozen: dict[str, str] = {}
    """Scopes that a person froze, and who; see `core.freezing`."""
    trading_halts: dict[str, TradingHalt] = {}
    """Exchanges' halts by symbol, `""` for the whole market, until they are let on again."""
    feeds: dict[str, int] = {}
    """When each feed that tells its heartbeat was last heard, boot time."""
    feed_times: dict[str, FeedTimes] = {}
    """Of the feeds whose times are the present."""
    feed_lacks: dict[str, tuple[str, ...]] = {}
    """What each feed says that it does not give, where it lacks anything."""
    liquidity: dict[str, Liquidity] = {}
    """By symbol, under a policy that measures it."""
    silence_due_boot_ns: int = 0
    """When a symbol may have been silent for too long; 0: none is watched for it."""
    data_doubts: dict[str, DataDoubt] = {}
    """What is wrong with market data as a whole, by its reason's code."""
    data_awaited: dict[str, None] = {}
    """The doubts that were never found to be over since the start: data has yet to come."""
    drawdowns: dict[str, DrawdownFuse] = {}
    breakers: dict[str, RuleFuse] = {}
    retired_drawdowns: dict[str, DrawdownFuse] = {}
    retired_breakers: dict[str, RuleFuse] = {}
    """Fuses that no policy asks for now, oldest first, in case they come back: see `roster`."""
    generation_min: int = 1
    """What a new fuse begins with: above each fuse that was forgotten."""
    former_capitals: dict[str, int] = {}
    """In nano-units, of strategies that are no longer named and whose fuses are kept."""
    former_tags: dict[str, tuple[str, ...]] = {}
    """Of strategies that are no longer named among others that are: a desk's halt holds them."""
    latches: dict[str, Latch] = {}
    plans: dict[str, Plan] = {}
    trade_suspended: bool = False
    """Whether trading may be suspended at the broker by us: a close takes that back first."""
    lost: dict[str, int] = {}
    """By strategy that is lost, since when (wall time)."""
    draining: bool = False
    """Whether the node stops in order: HALTED without a latch, until the next start."""
    drains: int = 0
    """Numbers the plans of orderly stops; never used twice."""
    near: dict[str, bool] = {}
    """The limits whose soft limit was reached, each with its scope; True: the limit was passed."""
    near_due_boot_ns: int = 0
    """From when on what moves is judged for nearness at once."""
    near_waits: bool = False
    """Whether something moved before that, and is judged then."""
    near_orders: dict[str, dict[str, OrderNear]] = {}
    """By strategy and field of `Limits`, the limits of one order that were said to be near."""
    period: Period = field(default_factory=Period)
    courses: dict[str, Course] = {}
    """By scope, as the scores and, by symbol, its trades. Those of symbols are kept apart."""
    symbols: Symbols = field(default_factory=Symbols)
    scores: dict[str, Score] = {}
    trades: dict[str, dict[str, Trade]] = {}
    closed_last: tuple[str, ...] = ()
    """The scopes whose trades closed since the broker's cash last agreed."""
    reported: dict[str, Reported] = {}
    divergence: tuple[int, int] = (0, 1)
    """The largest difference of a position, and the larger side that it is a part of."""
    divergence_boot_ns: int | None = None
    maintenance_nanos: int | None = None
    buying_power_nanos: int | None = None
    prior_maintenance_nanos: int | None = None
    prior_buying_power_nanos: int | None = None
    """The reading before the last; None when there is none or it was too old by then."""
    figures_boot_ns: int | None = None
    """When the broker's own figures were last read."""
    doubtful_boot_ns: int = 0
    """When something held that is blind was last told a price that values nothing."""
    judges_sessions: bool = False
    """Whether a session, or the broker's clock, has been known; then orders are judged by them."""
    throttles: Throttles = field(default_factory=Throttles)
    dynamic: dict[str, Tightened] = {}
    """By name, the dynamic limits of the policy that hold, or did a moment ago."""
    dynamic_boot_ns: int = 0
    """When dynamic limits are to be judged again though nothing happened."""
    overrides: dict[str, Override] = {}
    """Overrides that were asked for and are neither used nor expired, oldest first."""
    overrides_asked: int = 0
    resets_wanted: dict[str, ResetWanted] = {}
    """By scope, the resets that wait for a second person."""
    recoveries: dict[str, Recovery] = {}
    """By scope, the recoveries that wait for the broker's answers."""
    halt_epoch: int = 0
    cleared_epochs: dict[str, int] = {}
    """For each scope, the halt epoch at which a person last cleared it."""
    open_ends: dict[str, OpenEnd] = {}
    """By order; whoever heard of it is told how it ends."""
    last_halts: dict[str, LastHalt] = {}
    """By scope that is latched."""
    postures: dict[str, Posture] = {}
    """The scopes that are tighter than OPEN."""
    halting_reasons: dict[str, Reason] = {}
    next_resets: dict[str, int] = {}
    """By scope, from when it may be reset again, wall time; only where it was too often."""
    multiplier: int = 1
    prior_close_attos: int = 0
    broker_cash_attos: int = 0
    """As last read."""
    reconciled: bool = False
    ever_reconciled: bool = False
    stream_connected: bool = False
    account_known: bool = False
    strategies: tuple[str, ...] = ()
    """The strategies that had keys at the last start."""
    foreign_alert_boot_ns: int | None = None
    unresolved: dict[str, None] = {}
    """Orders that must be found at the broker before the books can be compared."""
    comparisons: int = 0
    """How often the books differed in a row while orders were working."""
    compare_again_boot_ns: int = 0
    cancel_again_boot_ns: int = 0
    foreign_orders: dict[str, None] = {}
    foreign: ForeignOrders = field(default_factory=ForeignOrders)
    restored_wall_ns: int = 0
    """When the state was last restored from a backup; 0: never."""
    lost_since_wall_ns: int = 0
    """From when on the broker's orders are asked for: our last record; 0: nothing is asked."""
    spent_ids: dict[str, None] = {}
    """Order ids that the broker has had and our book, which lost records, does not know."""
    guardian_closes_wall_ns: int = 0
    """When the newest of the guardian's closes that a start took in was sent."""
    discrepancies: dict[str, Discrepancy] = {}
    """By subject, oldest first."""
    jumped: dict[str, tuple[int, int]] = {}
    """Held, and its price jumped since positions were read: when (boot time), the mark before."""
    positions_apart: dict[str, BrokerPosition] = {}
    """The broker's positions that differ from ours and were not taken over."""
    copy: DropCopy = field(default_factory=DropCopy)
    compare_asked: bool = False
    """Whether the books are to be compared with the next reading: something tripped or ended."""
    order_deadlines: dict[str, int] = {}
    """Boot time at which a working order is cancelled, oldest first; empty without a time-out."""
    cash_apart: Discrepancy | None = None
    """How the broker's cash differs from ours without an explanation."""
    equity_disagreements: int = 0
    apart: CashApart | None = None
    adopted: list[CashAdopted] = []
    """Within 24 hours, oldest first."""
    claim: CashClaim | None = None
    dividends: Dividends = field(default_factory=Dividends)
    quiet_since_read: bool = False
    read_boot_ns: int = 0
    compared_boot_ns: int = 0
    """When all positions were last asked for."""
    compared_epoch: int = 0
    """The newest halt before which the last comparison of the books did not begin."""
    compared_wall_ns: int = 0
    """When a comparison of the books last came to its end; 0: none ever did."""
    uncompared_boot_ns: int = 0
    """Since when a comparison is asked for and none has come to its end; 0: none is awaited."""
    comparison_late: bool = False
    """Whether that is too long ago."""
    next_wake_boot_ns: int = 0
    published_boot_ns: int = 0

    def stands_still(self, symbol: str) -> bool:
        """Whether the exchange has halted trading in this symbol and it does not trade again.

        Market-wide halts are those of US stock exchanges: crypto pairs trade on.
        """
        halts = self.trading_halts
        return bool(halts) and any(at.stops_exits() for at in halts_of(halts, symbol).values())

    def fuses(self) -> list[DrawdownFuse | RuleFuse | Latch]:
        """Every fuse on every scope."""
        return [*self.drawdowns.values(), *self.breakers.values(), *self.latches.values()]

    def marked(self) -> list[DrawdownFuse]:
        """Every fuse that keeps a mark, the retired among them."""
        return [*self.drawdowns.values(), *self.retired_drawdowns.values()]

    def tripping(self) -> list[DrawdownFuse | RuleFuse]:
        """Every fuse that numbers trip."""
        return [*self.drawdowns.values(), *self.breakers.values()]


@dataclass(slots=True)
class Turn:
    """One step in progress: the state, the policy, the moment, and the effects so far.

    No struct: each step sets its moment, which takes a struct four times as long.
    """

    state: State
    policy: Policy
    active: Active
    """The checks and the limits of the moment."""
    reduced_active: Active
    """The same in posture REDUCED."""
    gate: Gate
    """The policy, compiled for judging."""
    dynamics: tuple[Dynamic, ...]
    """As in the gate: asked after each step."""
    ids: OrderIds
    watched: tuple[int, ...] = ()
    """Rows of `nearness.ROWS` that the policy limits."""
    boot_ns: int = 0
    wall_ns: int = 0
    out: list[Effect] = dataclasses.field(default_factory=list)
    watchlist: Watchlist = NOTHING
    looks_for_oddities: bool = False
    """Whether the policy looks for anomalies of market data."""
    liquidity: Compiled | None = None
    """Where the policy measures liquidity: its rules."""
    equity_source: str = ""
    """What moved equity in this step, when anything did."""
    near_order: Order | None = None
    """The last order that the quick pass found near limits of one order alone, and near which."""
    near_fields: list[str] = dataclasses.field(default_factory=list)
    overhears: Callable[[Any, tuple[str, ...]], None] | None = None
    """Told of each judgement of a replacement, with what it skips; only where one is explained."""

    def alert(
        self, severity: Severity, code: Reason, text: str, scope: str = ACCOUNT_SCOPE
    ) -> None:
        """Tell people what happened; a page wakes somebody."""
        self.out.append(RaiseAlert(severity=severity, code=code, scope=scope, text=text))

    def answer(self, request: int, *, accepted: bool, message: str, note: str = "") -> None:
        """Tell who asked; nobody does where the request is 0."""
        if request:
            self.out.append(
                AnswerOperator(request=request, accepted=accepted, message=message, note=note)
            )

    def wake(self, boot_ns: int) -> None:
        """Ask for a `TimeAdvanced` at this time unless an earlier one is already wanted."""
        wanted_ns = self.state.next_wake_boot_ns
        if wanted_ns == 0 or boot_ns < wanted_ns:
            self.state.next_wake_boot_ns = boot_ns
            self.out.append(WakeAt(boot_ns=boot_ns))

    def posture(self, strategy: str, symbol: str) -> tuple[Posture, Reason]:
        """The tightest posture over the scopes of an order, and what asks for it."""
        postures = self.state.postures
        if not postures:
            return _UNTIGHTENED
        tightest, scope = Posture.OPEN, ""
        tags = self.gate.tags.get(strategy, ())
        for candidate in (ACCOUNT_SCOPE, f"strategy:{strategy}", f"symbol:{symbol}", *tags):
            asked = postures.get(candidate, Posture.OPEN)
            if asked > tightest:
                tightest, scope = asked, candidate
        return tightest, self.state.halting_reasons.get(scope, Reason.ALLOWED)
