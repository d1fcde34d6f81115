"""The kernel: one deterministic fold, `step(moment, fact) -> effects`.

It owns the state of one account and changes it only inside `step`. It has no clock, no files, no
sockets, no randomness and no floats; time is the moment on each input, and "wake me then" is an
effect. The same inputs give the same effects and the same digest in any process.
"""

import hashlib
from collections.abc import Callable
from typing import Any, Final

import msgspec

from fuseboard.core import (
    adoption,
    announced,
    breakers,
    cash,
    comparing,
    compiling,
    consent,
    data_health,
    disconnects,
    dividends,
    draining,
    drop_copy,
    dynamic,
    foreign,
    gate,
    halting,
    hygiene,
    judging,
    nearness,
    notes,
    orders,
    overrides,
    plan,
    quotes,
    rates,
    replacing,
    reporting,
    resets,
    restoring,
    sessions,
    startup,
    taking_away,
    taking_in,
    trading_halts,
    valuation,
)
from fuseboard.core.checks.proposal import Proposal
from fuseboard.core.explaining import Explained, explain, explain_proposal
from fuseboard.core.fuses.confirmation import BOOKS_SOURCE
from fuseboard.core.liquidity import telling
from fuseboard.core.outgoing import cancel_again
from fuseboard.core.state import State, Turn
from fuseboard.core.waking import rests_until, wake_for_what_is_next
from fuseboard.core.watchlist import ORDER
from fuseboard.vocabulary.copy_inputs import ExecutionsSeen, WorkingSeen
from fuseboard.vocabulary.disconnect_facts import StrategyLost, StrategySeen
from fuseboard.vocabulary.dividend_facts import DividendsSeen
from fuseboard.vocabulary.effects import Effect
from fuseboard.vocabulary.identifiers import OrderIds
from fuseboard.vocabulary.inputs import (
    AccountSeen,
    BrokerClockSeen,
    BrokerStreamChanged,
    CancelRefused,
    CancelRequested,
    DrainRequested,
    FillReported,
    ForeignOrderSeen,
    Input,
    LegRead,
    LegReadFailed,
    MeasureReported,
    Moment,
    NodeFaulted,
    NodeStarted,
    OrderEnded,
    OrderNotSent,
    OrderRequested,
    OrderSent,
    OrderUnknown,
    OrderWorking,
    PolicyAdopted,
    PositionsSeen,
    ReplaceRequested,
    RequestsDenied,
    RequestsThrottled,
    SessionRolled,
    TimeAdvanced,
    TimeOfDayReached,
)
from fuseboard.vocabulary.liquidity import Tier
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
from fuseboard.vocabulary.orders import Intent
from fuseboard.vocabulary.restored_inputs import OrdersSinceSeen

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(State)


class Kernel:
    """One account's state and the fold over it."""

    def __init__(self, state: State | None = None) -> None:
        self._state = State() if state is None else state
        known = self._state
        policy, moment = compiling.compiled_in(known), compiling.in_force(known)
        self._turn = Turn(
            state=known,
            policy=policy.policy,
            active=moment.active,
            reduced_active=moment.reduced_active,
            gate=gate.with_former_tags(policy.gate, known),
            dynamics=policy.gate.dynamics,
            ids=OrderIds(instance=known.instance, account=known.account),
            watchlist=policy.watchlist,
            looks_for_oddities=policy.looks_for_oddities,
            watched=moment.watched,
            liquidity=policy.liquidity,
        )

    def step(self, moment: Moment, fact: Input) -> tuple[Effect, ...]:
        """Fold one input into the state; the effects, in the order they are meant to leave."""
        turn = self._turn
        turn.boot_ns, turn.wall_ns = moment.boot_ns, moment.wall_ns
        turn.out = []
        turn.equity_source = ""
        kind = type(fact)
        _STEPS[kind](turn, fact)
        topics = turn.watchlist.topics
        if topics and (kind is not OrderRequested or topics & ORDER or turn.equity_source):
            breakers.judge_after(turn, fact)
        if turn.dynamics and kind is not OrderRequested:
            dynamic.judge(turn, by_order=False)
        if turn.state.plans:  # one of them may have ended
            halting.settle(turn)
        return tuple(turn.out)

    def explained(self, moment: Moment, fact: OrderRequested) -> tuple[Explained, ...]:
        """What each check finds of an order in this state, which stays as it is."""
        turn = Kernel.restored(self.snapshot())._turn
        turn.boot_ns, turn.wall_ns = moment.boot_ns, moment.wall_ns
        return explain(turn, fact)

    def overheard(
        self, moment: Moment, fact: Input
    ) -> tuple[tuple[str, tuple[Explained, ...]], ...]:
        """The replacements that this fact has judged: each order's id, and what each check finds.

        The state stays as it is.
        """
        copy, found = Kernel.restored(self.snapshot()), []
        turn = copy._turn

        def overhear(proposal: Proposal, skips: tuple[str, ...]) -> None:
            checks = explain_proposal(turn, proposal, skips)
            found.append((proposal.order.order_id, checks))

        turn.overhears = overhear
        copy.step(moment, fact)
        return tuple(found)

    def adoption_refusal(self, fact: PolicyAdopted) -> str:
        """Why this policy would be refused now; empty when it would come into force."""
        return adoption.judged(self._turn, fact).refusal

    def policy_again(self) -> PolicyAdopted | None:
        """The fact that would adopt what is in force already; None before the first policy."""
        known = self._state
        if not known.policy_text:
            return None
        text, digest = known.policy_text, known.policy_digest
        return PolicyAdopted(text=text, digest=digest, operator="")

    def policy_digest(self) -> str:
        """The digest of the policy in force; empty before the first."""
        return self._state.policy_digest

    def liquidity_seen(self, symbol: str) -> tuple[int, int, Tier] | None:
        """A symbol's plain and calibrated score as last judged, and its tier; None: unmeasured."""
        at = self._state.liquidity.get(symbol)
        return None if at is None else (at.plain, at.calibrated, at.gauge.tier)

    def compared_wall_ns(self) -> int:
        """When the books were last compared with the broker's to the end; 0 when never."""
        return self._state.compared_wall_ns

    def rests_until_boot_ns(self) -> int:
        """Until when further readings of the broker that say what the last ones said change
        nothing, if nothing else happens; not after the last step while something is under way.
        """
        return rests_until(self._turn)

    def held(self) -> list[str]:
        """The symbols with a position of the account."""
        return self._state.book.held()

    def strategies_at_work(self) -> list[str]:
        """The strategies with orders of their own that are not final."""
        own = (at for at in self._state.book.working_orders() if at.intent is not Intent.PLAN)
        return list(dict.fromkeys(at.strategy for at in own if at.strategy))

    def halt_epoch(self) -> int:
        """The number of the newest halt, of whatever scope; 0 before the first."""
        return self._state.halt_epoch

    def restored_wall_ns(self) -> int:
        """When the newest restore happened that this kernel was told of; 0 when none."""
        return self._state.restored_wall_ns

    def trips_planned(self) -> tuple[str, ...]:
        """The trips whose liquidations began, ended ones too, as far as they are remembered."""
        return tuple(self._state.plans)

    def snapshot(self) -> bytes:
        """The whole state, canonical: equal states give equal bytes."""
        return _encoder.encode(self._state)

    def digest(self) -> str:
        """Hex SHA-256 of the snapshot."""
        return hashlib.sha256(self.snapshot()).hexdigest()

    @classmethod
    def restored(cls, snapshot: bytes) -> "Kernel":
        """The kernel of a snapshot; raises `msgspec.DecodeError` when it is not one."""
        return cls(_decoder.decode(snapshot))


def _time_advanced(turn: Turn, fact: TimeAdvanced) -> None:
    """Do what is due, then ask to be woken for what is next."""
    state = turn.state
    if turn.boot_ns < state.next_wake_boot_ns:
        return  # an older wish came true; nothing is due before the earliest one
    state.next_wake_boot_ns = 0
    valuation.check_confirmations(turn)
    sessions.judge_clocks(turn)
    sessions.roll_when_agreed(turn)
    if state.cancel_again_boot_ns and turn.boot_ns >= state.cancel_again_boot_ns:
        cancel_again(turn)
    dynamic.judge_when_due(turn)
    trading_halts.let_on_when_due(turn)
    data_health.judge(turn)
    quotes.ask_when_in_doubt(turn)
    plan.advance(turn)
    halting.settle(turn)
    sessions.reset_when_open(turn)
    resets.show_when_cooled(turn)
    comparing.compare_when_due(turn)
    comparing.judge_lateness(turn)
    drop_copy.judge_when_due(turn)
    hygiene.cancel_overdue(turn)
    telling.look_for_silence(turn)
    cash.advance(turn)
    if dividends.advance(turn):
        valuation.evaluate(turn, BOOKS_SOURCE)
    taking_in.price_when_due(turn)
    taking_away.tell_when_due(turn)
    nearness.judge_when_due(turn)
    rates.judge_when_due(turn)
    valuation.read_when_due(turn)
    consent.lapse(turn)
    wake_for_what_is_next(turn)


def _reset_requested(turn: Turn, fact: OperatorResetRequested) -> None:
    resets.operator_reset_requested(turn, fact)
    valuation.evaluate(turn, BOOKS_SOURCE)


def _dividend_said(turn: Turn, fact: DividendSaid) -> None:
    dividends.dividend_said(turn, fact)
    valuation.evaluate(turn, BOOKS_SOURCE)


def _dividends_seen(turn: Turn, fact: DividendsSeen) -> None:
    announced.dividends_seen(turn, fact)
    if turn.state.dividends.owed:
        valuation.evaluate(turn, BOOKS_SOURCE)


_STEPS: Final[dict[type[Any], Callable[[Turn, Any], None]]] = {
    NodeStarted: startup.node_started,
    PolicyAdopted: adoption.policy_adopted,
    TimeAdvanced: _time_advanced,
    SessionRolled: sessions.session_rolled,
    TimeOfDayReached: comparing.time_of_day_reached,
    DrainRequested: draining.drain_requested,
    NodeFaulted: startup.node_faulted,
    OrderRequested: judging.order_requested,
    CancelRequested: replacing.cancel_requested,
    ReplaceRequested: replacing.replace_requested,
    OrderSent: replacing.order_sent,
    OrderNotSent: replacing.order_not_sent,
    OrderUnknown: orders.order_unknown,
    OrderWorking: foreign.order_working,
    FillReported: foreign.fill_reported,
    OrderEnded: replacing.order_ended,
    CancelRefused: orders.cancel_refused,
    ForeignOrderSeen: foreign.foreign_order_seen,
    OrdersSinceSeen: restoring.orders_since_seen,
    AccountSeen: valuation.account_seen,
    BrokerClockSeen: sessions.broker_clock_seen,
    PositionsSeen: comparing.positions_seen,
    ExecutionsSeen: drop_copy.executions_seen,
    WorkingSeen: comparing.working_seen,
    LegRead: plan.leg_read,
    LegReadFailed: plan.leg_read_failed,
    BrokerStreamChanged: startup.broker_stream_changed,
    QuoteSeen: quotes.quote_seen,
    BookSeen: quotes.book_seen,
    TradeSeen: quotes.trade_seen,
    TradeWithdrawn: quotes.trade_withdrawn,
    FeedHeard: data_health.feed_heard,
    TradingHalted: trading_halts.trading_halted,
    TradingResumed: trading_halts.trading_resumed,
    OperatorHaltRequested: resets.operator_halt_requested,
    OperatorResetRequested: _reset_requested,
    ControlUsed: notes.control_used,
    RequestsThrottled: notes.requests_throttled,
    RequestsDenied: notes.requests_denied,
    StrategyLost: disconnects.strategy_lost,
    StrategySeen: disconnects.strategy_seen,
    CashMoved: cash.cash_moved,
    DividendSaid: _dividend_said,
    DividendsSeen: _dividends_seen,
    MeasureReported: reporting.measure_reported,
    OverrideRequested: overrides.override_requested,
    OverrideVerified: overrides.override_verified,
}
