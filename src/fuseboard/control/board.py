"""The board: what operators read, fed only by effects that are durable.

It is bounded: working orders by the policy, closed ones, plans, alerts and equities by the limits
named here, the rest by what the policy and the vocabulary name.
"""

from collections import deque
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from fuseboard.control.statistics import Counting, counting_from
from fuseboard.vocabulary.denial_effects import RecordDenials
from fuseboard.vocabulary.disconnect_facts import PublishLost
from fuseboard.vocabulary.dividend_facts import PublishDividends
from fuseboard.vocabulary.effects import (
    AnswerDenied,
    Effect,
    PublishDiscrepancy,
    PublishDynamicLimits,
    PublishEquity,
    PublishOrder,
    PublishPosition,
    PublishPosture,
    SubmitOrder,
)
from fuseboard.vocabulary.evidence_effects import (
    PublishPlan,
    RecordDrain,
    RecordOverride,
    RecordPlan,
    RecordPolicy,
    RecordTransition,
)
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE
from fuseboard.vocabulary.liquidity import Tier
from fuseboard.vocabulary.liquidity_effects import RecordLiquidity, RecordShaping, RecordTier
from fuseboard.vocabulary.orders import TERMINAL_STATUSES, Intent, OrderStatus
from fuseboard.vocabulary.postures import Posture
from fuseboard.vocabulary.reasons import Reason
from fuseboard.vocabulary.reset_effects import RecordRecovery, RecordReset

ALERTS_MAX: Final = 200
EQUITIES_MAX: Final = 600
CLOSED_ORDERS_MAX: Final = 1_000
PLANS_MAX: Final = 100
RECOVERIES_MAX: Final = 20
RESETS_MAX: Final = 20
_WATCHING: Final = ("ARMED", "MONITORING", "WARNING")
"""States of fuses that stop nothing."""
_LET_GO: Final = ("RESET", "REBASED")
"""Events of fuses that loosen at once; recoveries have lines of their own."""
_UNSPOKEN: Final = PublishPosture(
    scope=ACCOUNT_SCOPE, posture=Posture.HALTED, reason=Reason.NOT_RECONCILED
)
"""What holds until the kernel has said how the account stands."""
_FINAL: Final = frozenset(status.value for status in TERMINAL_STATUSES)


class FuseLine(Struct, kw_only=True):
    """One fuse as it stands. Money in nano-units, the drawdown as a fraction (1 = 10^9)."""

    fuse: str
    scope: str = ACCOUNT_SCOPE
    state: str = "ARMED"
    generation: int = 1
    equity_nanos: int = 0
    mark_nanos: int = 0
    drawdown_nanos: int = 0
    worst_drawdown_nanos: int = 0
    trips: int = 0


class PolicyLine(Struct, frozen=True, kw_only=True):
    """The policy in force and since when; the digest is empty before the first."""

    name: str = ""
    digest: str = ""
    since_wall_ns: int = 0


class AlertLine(Struct, frozen=True, kw_only=True):
    """One alert."""

    severity: str
    code: str
    scope: str
    text: str
    wall_ns: int = 0
    """When it was told; 0: not known."""


class ResetLine(Struct, frozen=True, kw_only=True):
    """The last reset of a scope: by whom, when and why."""

    scope: str
    operator: str
    reason: str
    rebased: bool
    wall_ns: int


class OrderLine(Struct, kw_only=True):
    """One order as it stands."""

    order_id: str
    strategy: str
    client_order_id: str
    symbol: str
    side: str
    order_type: str
    quantity_nanos: int
    filled_quantity_nanos: int
    limit_price_nanos: int | None
    status: str
    intent: str


class Board:
    """Postures, fuses, orders, positions, plans, alerts and counts."""

    def __init__(
        self, wall_ns: Callable[[], int] = lambda: 0, counting: Counting | None = None
    ) -> None:
        """`wall_ns` is the time of day, 0 where it is not known; `counting` what was counted."""
        self._wall_ns = wall_ns
        self.resets: dict[str, ResetLine] = {}
        self.postures: dict[str, PublishPosture] = {ACCOUNT_SCOPE: _UNSPOKEN}
        self.fuses: dict[str, FuseLine] = {}
        self.orders: dict[str, OrderLine] = {}
        self._working: dict[str, None] = {}
        self._closed: deque[str] = deque()
        self.positions: dict[tuple[str, str], PublishPosition] = {}
        self.plans: dict[str, RecordPlan] = {}
        self.alerts: deque[AlertLine] = deque(maxlen=ALERTS_MAX)
        self.equities: deque[int] = deque(maxlen=EQUITIES_MAX)
        self.dynamic_limits: tuple[str, ...] = ()
        self.discrepancies: dict[str, PublishDiscrepancy] = {}
        self.dividends = PublishDividends(owed=())
        self.lost: dict[str, PublishLost] = {}
        self.policy = PolicyLine()
        self.overrides: dict[str, RecordOverride] = {}
        self.resets_wanted: dict[str, RecordReset] = {}
        self.recoveries: dict[str, RecordRecovery] = {}
        self.drain: RecordDrain | None = None
        self.tiers: dict[str, RecordTier] = {}
        """By symbol, where liquidity was last told to be less than NORMAL."""
        self.counting = counting or counting_from(wall_ns())
        self.allowed = 0
        self.shaped = 0
        self.denied: dict[str, int] = {}

    def apply(self, effect: Effect) -> None:
        """Take one effect; those that are not for operators change nothing."""
        match effect:
            case SubmitOrder():
                self._submitted(effect)
            case PublishOrder():
                self.counting.heard(effect.order_id, effect.status)
                filled_nanos = effect.filled_quantity_nanos
                self._show(effect, effect.status, filled_quantity_nanos=filled_nanos)
            case PublishPosition():
                self._position(effect)
            case PublishPosture():
                self.postures[effect.scope] = effect
                if effect.posture is Posture.OPEN:
                    del self.postures[effect.scope]
            case PublishEquity():
                self._equity(effect)
            case RecordTransition():
                self._transition(effect)
            case RecordPlan():
                self._plan(effect)
            case PublishPlan():
                self._plan(effect.plan)
            case RecordDrain():
                self.drain = effect
            case RecordPolicy() if effect.accepted:
                self.policy = PolicyLine(
                    name=effect.name, digest=effect.digest, since_wall_ns=effect.since_wall_ns
                )
            case RecordTier():
                self._tier(effect)
            case RecordShaping():
                self.shaped += 1
            case PublishDynamicLimits():
                self.dynamic_limits = effect.names
            case PublishDividends():
                self.dividends = effect
            case PublishLost():
                self._lost(effect)
            case PublishDiscrepancy():
                self._discrepancy(effect)
            case RecordOverride():
                self.overrides.pop(effect.override, None)
                if effect.stage in ("requested", "verified"):
                    self.overrides[effect.override] = effect
            case RecordReset():
                self.resets_wanted.pop(effect.scope, None)
                if effect.stage == "requested":
                    self.resets_wanted[effect.scope] = effect
            case RecordRecovery():
                self._recovery(effect)
            case RecordLiquidity():
                self.counting.liquidity(effect)
            case AnswerDenied():
                self._denied(effect.reason, effect.symbol, 1)
            case RecordDenials():
                self._denied(effect.reason, "", effect.count)
            case _:
                pass

    def page(self, severity: str, code: str, scope: str, text: str, *, age_ns: int = 0) -> None:
        """Alerts come by the pagers' way, because they may overtake the disk."""
        del age_ns
        if code == Reason.SESSION_ROLLED.value:
            self.counting.session_began(self._wall_ns())
        self.alerts.append(
            AlertLine(severity=severity, code=code, scope=scope, text=text, wall_ns=self._wall_ns())
        )

    def _denied(self, reason: Reason, symbol: str, count: int) -> None:
        self.denied[reason.value] = self.denied.get(reason.value, 0) + count
        if reason is not Reason.BROKER_REJECTED:  # that one was sent
            self.counting.skipped(reason.value, symbol, count)

    def _submitted(self, effect: SubmitOrder) -> None:
        if effect.intent is not Intent.PLAN:
            self.allowed += 1
            self.counting.submitted(effect.order_id, effect.symbol)
        self._show(effect, OrderStatus.SUBMITTING, filled_quantity_nanos=0)

    def _show(
        self,
        order: SubmitOrder | PublishOrder,
        status: OrderStatus,
        *,
        filled_quantity_nanos: int,
    ) -> None:
        line = OrderLine(
            order_id=order.order_id,
            strategy=order.strategy,
            client_order_id=order.client_order_id,
            symbol=order.symbol,
            side=order.side.value,
            order_type=order.order_type.value,
            quantity_nanos=order.quantity_nanos,
            filled_quantity_nanos=filled_quantity_nanos,
            limit_price_nanos=order.limit_price_nanos,
            status=status.value,
            intent=order.intent.value,
        )
        known = self.orders.get(line.order_id)
        self.orders[line.order_id] = line
        if line.status not in _FINAL:
            self._working[line.order_id] = None
            return
        self._working.pop(line.order_id, None)
        if known is None or known.status not in _FINAL:
            self._closed.append(line.order_id)
            while len(self._closed) > CLOSED_ORDERS_MAX:
                oldest = self._closed.popleft()
                if oldest not in self._working:
                    self.orders.pop(oldest, None)

    def _tier(self, effect: RecordTier) -> None:
        self.tiers[effect.symbol] = effect
        if effect.after == Tier.NORMAL.name:
            del self.tiers[effect.symbol]

    def _discrepancy(self, effect: PublishDiscrepancy) -> None:
        self.discrepancies[effect.subject] = effect
        if effect.stage in ("resolved", "accepted"):
            del self.discrepancies[effect.subject]

    def _lost(self, effect: PublishLost) -> None:
        self.lost.pop(effect.strategy, None)
        if effect.since_wall_ns:
            self.lost[effect.strategy] = effect

    def _recovery(self, effect: RecordRecovery) -> None:
        self.recoveries.pop(effect.scope, None)
        self.recoveries[effect.scope] = effect
        if len(self.recoveries) > RECOVERIES_MAX:
            del self.recoveries[next(iter(self.recoveries))]

    def _plan(self, effect: RecordPlan) -> None:
        self.plans[effect.trip] = effect
        if len(self.plans) > PLANS_MAX:
            del self.plans[next(iter(self.plans))]

    def _position(self, effect: PublishPosition) -> None:
        key = (effect.strategy, effect.symbol)
        self.positions[key] = effect
        if effect.quantity_nanos == 0:
            del self.positions[key]

    def _fuse(self, name: str) -> FuseLine:
        return self.fuses.setdefault(name, FuseLine(fuse=name))

    def _equity(self, effect: PublishEquity) -> None:
        line = self._fuse(effect.fuse)
        line.scope, line.state, line.generation = effect.scope, effect.state, effect.generation
        line.equity_nanos, line.mark_nanos = effect.equity_nanos, effect.mark_nanos
        line.drawdown_nanos = effect.drawdown_nanos
        line.worst_drawdown_nanos = max(line.worst_drawdown_nanos, effect.drawdown_nanos)
        if effect.fuse == f"drawdown:{ACCOUNT_SCOPE}":
            self.equities.append(effect.equity_nanos)

    def _transition(self, effect: RecordTransition) -> None:
        line = self._fuse(effect.fuse)
        line.scope, line.state, line.generation = effect.scope, effect.after, effect.generation
        if effect.mark_nanos:
            line.equity_nanos, line.mark_nanos = effect.equity_nanos, effect.mark_nanos
            line.drawdown_nanos = effect.drawdown_nanos
            line.worst_drawdown_nanos = max(line.worst_drawdown_nanos, effect.drawdown_nanos)
        line.trips += effect.after == "TRIGGERED"
        stops = effect.before in _WATCHING and effect.after not in _WATCHING
        if stops and effect.scope == ACCOUNT_SCOPE:
            self.counting.account_latched()
        if effect.event in _LET_GO:
            self._let_go(effect)

    def _let_go(self, effect: RecordTransition) -> None:
        """A scope was reset; the newest is the last, and one with many fuses is one."""
        self.resets.pop(effect.scope, None)
        self.resets[effect.scope] = ResetLine(
            scope=effect.scope,
            operator=effect.operator,
            reason=effect.reason,
            rebased=effect.event == "REBASED",
            wall_ns=self._wall_ns(),
        )
        if len(self.resets) > RESETS_MAX:
            del self.resets[next(iter(self.resets))]

    def is_reconciled(self) -> bool:
        """Whether the books have been compared with the broker's since the last start."""
        shown = self.postures.get(ACCOUNT_SCOPE)
        return shown is None or shown.reason is not Reason.NOT_RECONCILED

    def posture(self, scope: str = ACCOUNT_SCOPE) -> Posture:
        """The posture of a scope as last published."""
        shown = self.postures.get(scope)
        return Posture.OPEN if shown is None else shown.posture

    def is_working(self, order_id: str) -> bool:
        """Whether an order is not final."""
        return order_id in self._working

    def working(self) -> list[OrderLine]:
        """The orders that are not final, the oldest first."""
        return [self.orders[order_id] for order_id in self._working]

    def in_doubt(self, scope: str) -> list[str]:
        """The ids of a scope's orders that may be at the broker: their answer never came."""
        return [
            line.order_id
            for line in self.working()
            if line.status == OrderStatus.IN_DOUBT.value
            and scope in (ACCOUNT_SCOPE, f"strategy:{line.strategy}", f"symbol:{line.symbol}")
        ]

    def working_count(self) -> int:
        """How many orders are not final."""
        return len(self._working)
