"""The guard: the gateway's kernel inside one's own program, without journal, broker or network.

It is told what the program knows (account, positions, quotes, what became of its orders) and asked
before each order. The rules, their order and their numbers are the gateway's own: the same policy
file, the same fold. What it is not told it does not assume: without an account, a position report
or a fresh quote it denies.

It sends nothing and stores nothing. A policy's `flatten` is a halt here, because nobody would carry
out the plan; `cancels_wanted` says which orders a halt wants gone. A new guard knows no halt: what
must survive the process belongs behind the gateway.
"""

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from msgspec import Struct

from fuseboard.core.book import CLOSED_ORDERS_MAX
from fuseboard.core.drop_copy import NO_FEED
from fuseboard.core.kernel import Kernel
from fuseboard.library.breaker import ResetRefused
from fuseboard.library.orders import (
    Amount,
    Decision,
    OrderRequest,
    fact_of,
    nanos_of,
    positive_nanos_of,
)
from fuseboard.library.policies import halting, policy_at
from fuseboard.policy.policy import Policy, canonical_text, digest_of
from fuseboard.vocabulary import effects as acts
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.copy_inputs import ExecutionsSeen
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE
from fuseboard.vocabulary.market_inputs import QuoteSeen
from fuseboard.vocabulary.operator_inputs import OperatorHaltRequested, OperatorResetRequested
from fuseboard.vocabulary.orders import OrderStatus, Severity
from fuseboard.vocabulary.postures import HaltLevel
from fuseboard.vocabulary.reasons import SENTENCES, Reason

INSTANCE: Final = "library0"
_WAKES_MAX: Final = 100
"""How many due wake-ups one call follows; more can only mean that one asks for itself."""
_log = logging.getLogger("fuseboard.library")


class _Filled(Struct):
    """What the program has reported of one allowed order."""

    quantity_nanos: int
    filled_nanos: int = 0


class Guard:
    """Judges orders by a policy. Every method may be called by any thread.

    `boot_ns` and `wall_ns` give nanoseconds: of a clock that never goes back, and since 1970.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        boot_ns: Callable[[], int] = time.monotonic_ns,
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._boot_ns, self._wall_ns = boot_ns, wall_ns
        self._lock = threading.Lock()
        self._kernel = Kernel()
        self._moment = facts.Moment(0, 0)
        self._wake_boot_ns = 0
        self._requests = 0
        self._broken = False
        self._orders: dict[str, _Filled] = {}
        """What was allowed and is not known to be final; the policy bounds how many there are."""
        self._closed: dict[str, _Filled] = {}
        """What is final, the newest: a fill may be told after a cancel."""
        self._cancels: dict[str, None] = {}
        self._held: dict[str, facts.BrokerPosition] = {}
        """The positions as last shown, or as told before the first account."""
        self._told: dict[str, facts.BrokerPosition] = {}
        """Of the positions that were told since, those that the book has not taken over."""
        self._posture = "HALTED"
        self._account_told = False
        self._feed_asked: acts.ReadExecutions | None = None
        text = canonical_text(halting(policy))
        self._step(facts.PolicyAdopted(text=text, digest=digest_of(text), operator="library"))
        self._step(facts.NodeStarted(instance=INSTANCE, account="library", release="library"))
        self._step(facts.BrokerStreamChanged(connected=True))

    @classmethod
    def from_policy(cls, path: str | Path) -> "Guard":
        """A guard by the policy file at `path`.

        Raises `OSError` when it cannot be read, `policy.yaml_text.PolicyRefused` (a
        `ValueError`) with every mistake in it.
        """
        return cls(policy_at(Path(path)))

    # --- asking ------------------------------------------------------------------------------

    def check(self, order: OrderRequest) -> Decision:
        """Judge one order. An allowed one counts as on its way until its outcome is told.

        Never raises for what the order says: an order that cannot be read is denied, and so is what
        is no `OrderRequest`.
        """
        given: object = order
        if not isinstance(given, OrderRequest):
            return _denied(Reason.MALFORMED, f"{type(given).__name__} is no OrderRequest")
        with self._lock:
            if self._broken:
                return _denied(Reason.NODE_FAULT, "the guard failed before and trusts nothing now")
            self._requests += 1
            name = order.client_order_id or f"guard-{self._requests}"
            try:
                fact = fact_of(order, request=self._requests, client_order_id=name)
            except (TypeError, ValueError) as refused:
                return _denied(Reason.MALFORMED, str(refused))
            for effect in self._step(fact):
                if isinstance(effect, acts.SubmitOrder):
                    self._orders[effect.order_id] = _Filled(quantity_nanos=effect.quantity_nanos)
                    return Decision(
                        allowed=True,
                        reason=Reason.ALLOWED.value,
                        message=SENTENCES[Reason.ALLOWED],
                        order_id=effect.order_id,
                    )
                if isinstance(effect, acts.AnswerDenied):
                    return _decision(effect)
        repeated = "this order was allowed before: what is allowed is sent once"
        return _denied(Reason.CLIENT_ORDER_ID_REUSED, repeated)

    @property
    def posture(self) -> str:
        """The account's posture: `OPEN`, `REDUCED`, `REDUCE_ONLY`, `HALTED` or `KILLED`."""
        with self._lock:
            self._wake()
            return "HALTED" if self._broken else self._posture

    @property
    def cancels_wanted(self) -> tuple[str, ...]:
        """Ids of the allowed orders that a halt wants cancelled and that are not final yet."""
        with self._lock:
            self._wake()
            return tuple(self._cancels)

    # --- telling -----------------------------------------------------------------------------

    def account(
        self,
        *,
        equity: Amount,
        cash: Amount,
        equity_at_prior_close: Amount | None = None,
        multiplier: int = 1,
    ) -> None:
        """The broker's own figures, in money; `multiplier` is its margin multiplier.

        Tell the positions first: with the first account the books are open, and what was not told
        until then is not held. Later figures are a second source that confirms or contradicts.
        """
        equity_nanos = nanos_of(equity, what="equity")
        close = equity if equity_at_prior_close is None else equity_at_prior_close
        seen = facts.AccountSeen(
            cash_nanos=nanos_of(cash, what="cash"),
            equity_nanos=equity_nanos,
            last_equity_nanos=nanos_of(close, what="equity_at_prior_close"),
            multiplier=multiplier,
            shorting_enabled=True,
        )
        with self._lock:
            self._tell(seen)
            if not self._account_told:
                self._account_told = True
                self._tell(facts.PositionsSeen(positions=tuple(self._held.values())))

    def position(
        self, symbol: str, quantity: Amount, *, average_price: Amount, price: Amount | None = None
    ) -> None:
        """What the broker holds of a symbol, negative when short, valued at `price`.

        After the first account this is a comparison: a difference from what the fills made of it
        halts, unless orders are still on their way.
        """
        average_nanos = positive_nanos_of(average_price, what="average_price")
        told = facts.BrokerPosition(
            symbol=symbol,
            quantity_nanos=nanos_of(quantity, what="quantity"),
            average_price_nanos=average_nanos,
            price_nanos=average_nanos if price is None else positive_nanos_of(price, what="price"),
        )
        with self._lock:
            if self._account_told:
                self._told[symbol] = told
                self._tell(self._as_told())
            else:
                self._held[symbol] = told

    def quote(self, symbol: str, bid: Amount, ask: Amount) -> None:
        """The market of a symbol. A quote that is crossed, wide or jumps prices nothing."""
        bid_nanos, ask_nanos = nanos_of(bid, what="bid"), nanos_of(ask, what="ask")
        with self._lock:
            self._tell(
                QuoteSeen(
                    symbol=symbol,
                    bid_nanos=bid_nanos,
                    ask_nanos=ask_nanos,
                    bid_size_nanos=0,
                    ask_size_nanos=0,
                    event_ns=self._wall_ns(),
                    bid_low_nanos=bid_nanos,
                    ask_high_nanos=ask_nanos,
                )
            )

    def filled(self, order_id: str, quantity: Amount, price: Amount) -> None:
        """One execution of an allowed order: so much more of it, at this price."""
        quantity_nanos = positive_nanos_of(quantity, what="quantity")
        price_nanos = positive_nanos_of(price, what="price")
        with self._lock:
            known = self._known(order_id)
            known.filled_nanos += quantity_nanos
            final = known.filled_nanos >= known.quantity_nanos
            self._tell(
                facts.FillReported(
                    order_id=order_id,
                    broker_order_id=order_id,
                    quantity_nanos=quantity_nanos,
                    price_nanos=price_nanos,
                    filled_quantity_nanos=known.filled_nanos,
                    filled_price_nanos=price_nanos,
                    final=final,
                )
            )
            if final:
                self._close(order_id)

    def cancelled(self, order_id: str) -> None:
        """An allowed order was cancelled or expired: what is not filled of it will not be."""
        with self._lock:
            known = self._known(order_id)
            self._tell(
                facts.OrderEnded(
                    order_id=order_id,
                    broker_order_id=order_id,
                    status=OrderStatus.CANCELED,
                    filled_quantity_nanos=known.filled_nanos,
                    filled_price_nanos=0,  # every execution was told
                )
            )
            self._close(order_id)

    def rejected(self, order_id: str, message: str = "") -> None:
        """The broker refused an allowed order, or it was never sent."""
        with self._lock:
            self._known(order_id)
            reason = Reason.BROKER_REJECTED
            self._tell(facts.OrderNotSent(order_id=order_id, reason=reason, message=message))
            self._close(order_id)

    # --- people ------------------------------------------------------------------------------

    def halt(self, *, reason: str, operator: str = "", scope: str = ACCOUNT_SCOPE) -> None:
        """Halt a scope: `account`, `strategy:NAME` or `symbol:NAME`; raises `ValueError` else."""
        with self._lock:
            self._requests += 1
            fact = OperatorHaltRequested(
                request=self._requests,
                operator=operator,
                reason=reason,
                scope=scope,
                level=HaltLevel.HALT,
            )
            answer = self._answer(fact)
        if not answer.accepted:
            raise ValueError(answer.message)

    def reset(
        self, *, operator: str, reason: str, scope: str = ACCOUNT_SCOPE, rebase: bool = False
    ) -> None:
        """A named person loosens what is latched on a scope; `rebase` takes a new mark.

        Raises `ResetRefused` with the reason why not.
        """
        with self._lock:
            if self._account_told:  # nobody but the caller can be asked what is held: it stands
                self._tell(self._as_told())
            self._requests += 1
            fact = OperatorResetRequested(
                request=self._requests,
                operator=operator,
                reason=reason,
                scope=scope,
                rebase=rebase,
            )
            answer = self._answer(fact)
        if not answer.accepted:
            raise ResetRefused(answer.message)

    # --- under the lock ----------------------------------------------------------------------

    def _as_told(self) -> facts.PositionsSeen:
        return facts.PositionsSeen(positions=tuple({**self._held, **self._told}.values()))

    def _known(self, order_id: str) -> _Filled:
        known = self._orders.get(order_id) or self._closed.get(order_id)
        if known is None:
            raise KeyError(f"{order_id!r} is no order that this guard allowed")
        return known

    def _close(self, order_id: str) -> None:
        known = self._orders.pop(order_id, None)
        self._cancels.pop(order_id, None)
        if known is not None:
            self._closed[order_id] = known
            if len(self._closed) > CLOSED_ORDERS_MAX:
                del self._closed[next(iter(self._closed))]

    def _answer(self, fact: facts.Input) -> acts.AnswerOperator:
        answers = [it for it in self._tell(fact) if isinstance(it, acts.AnswerOperator)]
        assert len(answers) == 1, "a person is always answered, once"
        return answers[0]

    def _tell(self, fact: facts.Input) -> tuple[acts.Effect, ...]:
        if self._broken:
            raise RuntimeError("the guard failed before: make a new one and find out why")
        return self._step(fact)

    def _step(self, fact: facts.Input) -> tuple[acts.Effect, ...]:
        """Do what has become due, then this; a failure inside leaves a guard that denies all."""
        self._wake()
        return self._fold(fact)

    def _wake(self) -> None:
        known = self._moment
        boot_ns = max(known.boot_ns, self._boot_ns())
        self._moment = facts.Moment(boot_ns, max(known.wall_ns, self._wall_ns()))
        for _ in range(_WAKES_MAX):
            if self._broken or not self._wake_boot_ns or boot_ns < self._wake_boot_ns:
                return
            self._wake_boot_ns = 0
            self._fold(facts.TimeAdvanced())

    def _fold(self, fact: facts.Input) -> tuple[acts.Effect, ...]:
        self._broken = True
        effects = self._kernel.step(self._moment, fact)
        for effect in effects:
            self._note(effect)
        self._broken = False
        feed, self._feed_asked = self._feed_asked, None
        if feed is not None:  # there is none behind a guard: what is known is what it is told
            self._fold(ExecutionsSeen(after=feed.after, newest="", problem="absent"))
        return effects

    def _note(self, effect: acts.Effect) -> None:
        match effect:
            case acts.WakeAt():
                self._wake_boot_ns = effect.boot_ns
            case acts.PublishPosture() if effect.scope == ACCOUNT_SCOPE:
                self._posture = effect.posture.name
            case acts.CancelOrder():
                self._cancels[effect.order_id] = None
            case acts.PublishPosition() if not effect.strategy:
                self._told.pop(effect.symbol, None)
                self._held[effect.symbol] = facts.BrokerPosition(
                    symbol=effect.symbol,
                    quantity_nanos=effect.quantity_nanos,
                    average_price_nanos=effect.average_price_nanos,
                    price_nanos=0,
                )
            case acts.ReadExecutions():
                self._feed_asked = effect
            case acts.RaiseAlert() if effect.text != NO_FEED:
                level = logging.INFO if effect.severity is Severity.INFO else logging.WARNING
                _log.log(level, "%s %s: %s", effect.code.value, effect.scope, effect.text)
            case _:
                pass  # a gateway's outlet or its views would act on it


def _denied(reason: Reason, message: str) -> Decision:
    return Decision(allowed=False, reason=reason.value, message=message)


def _decision(denied: acts.AnswerDenied) -> Decision:
    return Decision(
        allowed=False,
        reason=denied.reason.value,
        message=denied.message,
        checks=denied.checks,
        observed=denied.observed,
        limit=denied.limit,
    )
