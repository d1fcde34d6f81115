"""The guard: the gateway's kernel inside one's own program, without journal, broker or network.

It is told what the program knows (account, positions, quotes, what became of its orders) and asked
before each order. The rules, their order and their numbers are the gateway's own: the same policy
file, the same fold. What it is not told it does not assume: without an account, a position report
or a fresh quote it denies.

It sends nothing and stores nothing. A policy's `flatten` is a halt here, because nobody would carry
out the plan; `cancels_wanted` says which orders a halt wants gone. A new guard knows no halt: what
must survive the process belongs behind the gateway.
"""

from collections.abc import Callable
from pathlib import Path

from fuseboard.library import needs, told
from fuseboard.library.breaker import ResetRefused
from fuseboard.library.guarded import Filled, GuardAlert, Guarded
from fuseboard.library.orders import (
    Amount,
    Decision,
    OrderRequest,
    fact_of,
    nanos_of,
    positive_nanos_of,
)
from fuseboard.library.policies import policy_at
from fuseboard.vocabulary import effects as acts
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE
from fuseboard.vocabulary.operator_inputs import OperatorHaltRequested, OperatorResetRequested
from fuseboard.vocabulary.orders import OrderStatus
from fuseboard.vocabulary.postures import HaltLevel
from fuseboard.vocabulary.reasons import SENTENCES, Reason


class Guard(Guarded):
    """Judges orders by a policy. Every method may be called by any thread.

    `on_alert` is called once for each alert, by the thread whose call caused it, under no lock: it
    may use the guard. What it raises is logged and changes nothing. Alerts are logged as well.
    `boot_ns` and `wall_ns` give nanoseconds: of a clock that never goes back, and since 1970.
    """

    @classmethod
    def from_policy(
        cls, path: str | Path, *, on_alert: Callable[[GuardAlert], None] | None = None
    ) -> "Guard":
        """A guard by the policy file at `path`.

        Raises `OSError` when it cannot be read, `policy.yaml_text.PolicyRefused` (a
        `ValueError`) with every mistake in it.
        """
        return cls(policy_at(Path(path)), on_alert=on_alert)

    # --- asking ------------------------------------------------------------------------------

    def check(self, order: OrderRequest) -> Decision:
        """Judge one order. An allowed one counts as on its way until its outcome is told.

        Never raises for what the order says: an order that cannot be read is denied, and so is what
        is no `OrderRequest`.
        """
        given: object = order
        if not isinstance(given, OrderRequest):
            return _denied(Reason.MALFORMED, f"{type(given).__name__} is no OrderRequest")
        with self._locked():
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
                    self._orders[effect.order_id] = Filled(quantity_nanos=effect.quantity_nanos)
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
        with self._locked():
            self._wake()
            return "HALTED" if self._broken else self._posture

    @property
    def needs(self) -> tuple[str, ...]:
        """What the policy asks for that was never told, or too long ago, each with the call that
        tells it; while something is named here, what rests on it is unknown, and denies.
        """
        with self._locked():
            return needs.missing(self._asked, self._told_boot_ns, self._boot_ns())

    @property
    def cancels_wanted(self) -> tuple[str, ...]:
        """Ids of the allowed orders that a halt wants cancelled and that are not final yet."""
        with self._locked():
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
        maintenance_margin: Amount | None = None,
        buying_power: Amount | None = None,
    ) -> None:
        """The broker's own figures, in money; `multiplier` is its margin multiplier,
        `maintenance_margin` what it wants kept.

        Tell the positions first: with the first account the books are open, and what was not told
        until then is not held. Later figures are a second source that confirms or contradicts.
        """
        seen = told.account_seen(
            equity=equity,
            cash=cash,
            equity_at_prior_close=equity_at_prior_close,
            multiplier=multiplier,
            maintenance_margin=maintenance_margin,
            buying_power=buying_power,
        )
        with self._locked():
            self._tell(seen)
            self._was_told("maintenance_margin", was=maintenance_margin is not None)
            self._was_told("buying_power", was=buying_power is not None)
            if not self._account_told:
                self._account_told = True
                self._tell(facts.PositionsSeen(positions=tuple(self._held.values())))
                self._was_told("max_position_divergence")

    def position(
        self, symbol: str, quantity: Amount, *, average_price: Amount, price: Amount | None = None
    ) -> None:
        """What the broker holds of a symbol, negative when short, valued at `price`.

        After the first account this is a comparison: a difference from what the fills made of it
        halts, unless orders are still on their way.
        """
        average_nanos = positive_nanos_of(average_price, what="average_price")
        position = facts.BrokerPosition(
            symbol=symbol,
            quantity_nanos=nanos_of(quantity, what="quantity"),
            average_price_nanos=average_nanos,
            price_nanos=average_nanos if price is None else positive_nanos_of(price, what="price"),
        )
        with self._locked():
            if self._account_told:
                self._told[symbol] = position
                self._compare()
            else:
                self._held[symbol] = position

    def compared(self) -> None:
        """The broker still holds what was told last, and nothing else: a comparison of all of it.

        Raises `RuntimeError` before the first `account`.
        """
        with self._locked():
            if not self._account_told:
                raise RuntimeError("tell account(...) first: nothing can be compared yet")
            self._compare()

    def quote(
        self,
        symbol: str,
        bid: Amount,
        ask: Amount,
        *,
        bid_size: Amount = 0,
        ask_size: Amount = 0,
    ) -> None:
        """The market of a symbol. A quote that is crossed, wide or jumps prices nothing; sizes are
        in shares or coins, and count where the policy measures liquidity.
        """
        seen = told.quote_seen(
            symbol, bid=bid, ask=ask, bid_size=bid_size, ask_size=ask_size, wall_ns=self._wall_ns()
        )
        with self._locked():
            self._tell(seen)
            self._was_told(needs.SIZES, was=bool(seen.bid_size_nanos and seen.ask_size_nanos))

    def trade(self, symbol: str, price: Amount, size: Amount) -> None:
        """Somebody's trade in the market: the last price, and what liquidity is measured by."""
        seen = told.trade_seen(symbol, price=price, size=size, wall_ns=self._wall_ns())
        with self._locked():
            self._tell(seen)

    def report(self, name: str, value: Amount, *, symbol: str = "") -> None:
        """A measure from outside, in the unit of docs/measures.md: `report("vix", 18)`.

        Raises `ValueError` saying why a value is not taken.
        """
        with self._locked():
            self._requests += 1
            fact = told.measure_reported(
                name, value, symbol=symbol, request=self._requests, wall_ns=self._wall_ns()
            )
            answer = self._answer(fact)
            self._was_told(name, was=answer.accepted)
        if not answer.accepted:
            raise ValueError(answer.message)

    def filled(self, order_id: str, quantity: Amount, price: Amount) -> None:
        """One execution of an allowed order: so much more of it, at this price."""
        quantity_nanos = positive_nanos_of(quantity, what="quantity")
        price_nanos = positive_nanos_of(price, what="price")
        with self._locked():
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
        with self._locked():
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
        with self._locked():
            self._known(order_id)
            reason = Reason.BROKER_REJECTED
            self._tell(facts.OrderNotSent(order_id=order_id, reason=reason, message=message))
            self._close(order_id)

    # --- people ------------------------------------------------------------------------------

    def halt(self, *, reason: str, operator: str = "", scope: str = ACCOUNT_SCOPE) -> None:
        """Halt a scope: `account`, `strategy:NAME` or `symbol:NAME`; raises `ValueError` else."""
        with self._locked():
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
        with self._locked():
            if self._account_told:  # nobody but the caller can be asked what is held: it stands
                self._compare()
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
