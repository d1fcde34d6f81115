"""Failures seen in today's trading systems (each named after what must not happen), on this kernel.

The stories are goldens in `tests/goldens`; these tests say the one thing that matters in each.
"""

from collections.abc import Iterable

import msgspec

from fuseboard.core.kernel import Kernel
from fuseboard.policy.limits import Limits
from fuseboard.policy.policy import Policy, canonical_text, digest_of
from fuseboard.policy.rules import LossRule
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.actions import Action
from fuseboard.vocabulary.copy_inputs import ExecutionsSeen
from fuseboard.vocabulary.market_inputs import QuoteSeen
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.operator_inputs import (
    CashMoved,
    OperatorHaltRequested,
    OperatorResetRequested,
)
from fuseboard.vocabulary.orders import Intent, OrderStatus, OrderType, Side, TimeInForce
from fuseboard.vocabulary.postures import HaltLevel
from fuseboard.vocabulary.reasons import Reason

SECOND = NANOS


class Desk:
    """A kernel that is compared and quoted at 249.99 / 250.01, and a clock."""

    has_feed = False
    answers = True
    """Whether the broker has answered, before a person resets, what was asked since the halt."""
    agrees = False
    """Whether the broker's positions, when they are read, are those of our book."""

    def __init__(
        self,
        policy: Policy | None = None,
        *,
        cash: int = 1_000_000,
        held: int = 0,
        multiplier: int = 1,
    ) -> None:
        self.kernel = Kernel()
        self.now_ns = SECOND
        self.requests = 0
        self.multiplier = multiplier
        self.cash, self.held = cash, held
        self.text = canonical_text(policy or Policy(limits=Limits(order_value_nanos_max=NANOS**2)))
        self.start()
        self.quote("AAPL", 250)

    def take(self, fact: facts.Input) -> tuple[fx.Effect, ...]:
        self.now_ns += SECOND // 1000
        return self.step(facts.Moment(self.now_ns, self.now_ns), fact)

    def step(self, moment: facts.Moment, fact: facts.Input) -> tuple[fx.Effect, ...]:
        """The effects of a fact; a broker without an activity feed says so at once."""
        if isinstance(fact, OperatorResetRequested) and self.answers:
            self.kernel.step(moment, self.as_last_read())
        effects = self.kernel.step(moment, fact)
        for asked in effects:
            if isinstance(asked, fx.ReadExecutions) and not self.has_feed:
                absent = ExecutionsSeen(after=asked.after, newest="", problem="absent")
                self.kernel.step(moment, absent)
            if self.agrees and isinstance(asked, fx.ReadAccount) and asked.positions:
                self.kernel.step(moment, self.own_positions())
        return effects

    def own_positions(self) -> facts.PositionsSeen:
        """What our book holds, as the broker would tell it."""
        account = self.kernel._state.book.account
        return facts.PositionsSeen(
            positions=tuple(
                facts.BrokerPosition(
                    symbol=symbol,
                    quantity_nanos=account.positions[symbol].quantity_nanos,
                    average_price_nanos=account.positions[symbol].average_price_nanos,
                    price_nanos=250 * NANOS,
                )
                for symbol in self.kernel._state.book.held()
            )
        )

    def as_last_read(self) -> facts.PositionsSeen:
        """Our book's positions, but for those that the broker has otherwise."""
        told = {at.symbol: at for at in self.own_positions().positions}
        told |= self.kernel._state.positions_apart
        return facts.PositionsSeen(positions=tuple(at for at in told.values() if at.quantity_nanos))

    def start(self, latched: tuple[facts.LatchedScope, ...] = ()) -> None:
        text = self.text
        self.take(facts.PolicyAdopted(text=text, digest=digest_of(text), operator="start"))
        self.take(
            facts.NodeStarted(instance="deskdesk", account="A1", release="0", latched=latched)
        )
        self.take(facts.BrokerStreamChanged(connected=True))
        self.account()
        held: tuple[facts.BrokerPosition, ...] = ()
        if self.held:
            held = (
                facts.BrokerPosition(
                    symbol="AAPL",
                    quantity_nanos=self.held * NANOS,
                    average_price_nanos=250 * NANOS,
                    price_nanos=250 * NANOS,
                ),
            )
        self.take(facts.PositionsSeen(positions=held))

    def account(self, equity: int | None = None) -> tuple[fx.Effect, ...]:
        worth = self.cash + self.held * 250 if equity is None else equity
        return self.take(
            facts.AccountSeen(
                cash_nanos=self.cash * NANOS,
                equity_nanos=worth * NANOS,
                last_equity_nanos=worth * NANOS,
                multiplier=self.multiplier,
                shorting_enabled=True,
            )
        )

    def quote(self, symbol: str, middle: int) -> tuple[fx.Effect, ...]:
        cent = NANOS // 100
        return self.quote_nanos(symbol, middle * NANOS - cent, middle * NANOS + cent)

    def quote_nanos(
        self, symbol: str, bid_nanos: int, ask_nanos: int, size_nanos: int = NANOS
    ) -> tuple[fx.Effect, ...]:
        return self.take(
            QuoteSeen(
                symbol=symbol,
                bid_nanos=bid_nanos,
                ask_nanos=ask_nanos,
                bid_size_nanos=size_nanos,
                ask_size_nanos=size_nanos,
                event_ns=0,
                bid_low_nanos=bid_nanos,
                ask_high_nanos=ask_nanos,
            )
        )

    def order(
        self,
        side: Side,
        quantity_nanos: int,
        price: int | None = 250,
        name: str = "",
        strategy: str = "alpha",
        symbol: str = "AAPL",
    ) -> tuple[fx.Effect, ...]:
        self.requests += 1
        return self.take(
            facts.OrderRequested(
                request=self.requests,
                strategy=strategy,
                client_order_id=name or f"c{self.requests}",
                symbol=symbol,
                side=side,
                order_type=OrderType.MARKET if price is None else OrderType.LIMIT,
                time_in_force=TimeInForce.DAY,
                quantity_nanos=quantity_nanos,
                limit_price_nanos=None if price is None else price * NANOS,
            )
        )


def submitted(effects: Iterable[fx.Effect]) -> list[fx.SubmitOrder]:
    return [effect for effect in effects if isinstance(effect, fx.SubmitOrder)]


def denied(effects: Iterable[fx.Effect]) -> list[Reason]:
    return [effect.reason for effect in effects if isinstance(effect, fx.AnswerDenied)]


def accept(desk: Desk, order: fx.SubmitOrder, broker_id: str) -> None:
    working = OrderStatus.WORKING
    desk.take(facts.OrderSent(order_id=order.order_id, broker_order_id=broker_id, status=working))


def filled_whole(order: fx.SubmitOrder, broker_id: str, price_nanos: int) -> facts.FillReported:
    return facts.FillReported(
        order_id=order.order_id,
        broker_order_id=broker_id,
        quantity_nanos=order.quantity_nanos,
        price_nanos=price_nanos,
        filled_quantity_nanos=order.quantity_nanos,
        filled_price_nanos=price_nanos,
        final=True,
    )


def stop_to_sell(quantity: int, price: int) -> facts.OrderRequested:
    return facts.OrderRequested(
        request=7,
        strategy="alpha",
        client_order_id="stop",
        symbol="AAPL",
        side=Side.SELL,
        order_type=OrderType.STOP,
        time_in_force=TimeInForce.GTC,
        quantity_nanos=quantity * NANOS,
        stop_price_nanos=price * NANOS,
    )


# 749,900 USD at 250 a share.
LARGE = 2_999_600_000_000


def test_a_thousand_unfilled_buys_do_not_all_pass_on_the_same_cash() -> None:
    desk = Desk()
    assert submitted(desk.order(Side.BUY, LARGE))
    for _ in range(999):
        desk.now_ns += SECOND // 100  # slower than the order rate, which would deny them first
        assert denied(desk.order(Side.BUY, LARGE)) == [Reason.GROSS_EXPOSURE]


def test_a_margin_account_still_has_its_maximum_order_value() -> None:
    desk = Desk(Policy(limits=Limits(order_value_nanos_max=1_000 * NANOS)), multiplier=4)
    assert denied(desk.order(Side.BUY, LARGE)) == [Reason.ORDER_VALUE]


def test_a_market_order_does_not_skip_the_value_rules() -> None:
    desk = Desk(Policy(limits=Limits(order_value_nanos_max=27_500 * NANOS)))
    assert denied(desk.order(Side.BUY, 100 * NANOS, None)) == [Reason.ORDER_VALUE]
    assert submitted(desk.order(Side.BUY, 99 * NANOS, None))


def reduce_only(desk: Desk) -> None:
    desk.take(facts.BrokerStreamChanged(connected=False))


def test_reduce_only_does_not_open_from_flat() -> None:
    desk = Desk()
    reduce_only(desk)
    assert denied(desk.order(Side.SELL, NANOS)) == [Reason.POSTURE_REDUCE_ONLY]


def test_in_reduce_only_an_oversize_opposite_order_does_not_flip_the_position() -> None:
    desk = Desk(held=100)
    reduce_only(desk)
    assert denied(desk.order(Side.SELL, 101 * NANOS)) == [Reason.POSTURE_REDUCE_ONLY]
    (order,) = submitted(desk.order(Side.SELL, 100 * NANOS))
    assert order.intent is Intent.REDUCE
    assert denied(desk.order(Side.SELL, NANOS)) == [Reason.POSTURE_REDUCE_ONLY], (
        "it all works already"
    )


def test_a_halt_does_not_leave_orders_working_at_the_venue() -> None:
    desk = Desk()
    (order,) = submitted(desk.order(Side.BUY, NANOS))
    accept(desk, order, "b1")
    effects = desk.take(
        OperatorHaltRequested(
            request=9, operator="ann", reason="drill", scope="account", level=HaltLevel.HALT
        )
    )
    assert fx.CancelOrder(order_id=order.order_id, broker_order_id="b1") in effects


def test_a_restart_does_not_come_back_active() -> None:
    desk = Desk()
    desk.take(
        OperatorHaltRequested(
            request=9, operator="ann", reason="drill", scope="account", level=HaltLevel.HALT
        )
    )
    desk.kernel = Kernel.restored(desk.kernel.snapshot())
    desk.start()  # the register lost it: the journal still knows
    assert denied(desk.order(Side.BUY, NANOS)) == [Reason.POSTURE_HALTED]


def test_the_drawdown_is_judged_on_every_mark_and_not_when_a_trade_exits() -> None:
    desk = Desk(cash=0, held=1_000)
    desk.quote("AAPL", 236)
    effects = desk.quote("AAPL", 236)
    assert any(isinstance(effect, fx.LatchHalt) for effect in effects)


def test_a_withdrawal_does_not_look_like_a_loss() -> None:
    desk = Desk(cash=500_000, held=2_000)
    desk.take(CashMoved(request=0, amount_nanos=-100_000 * NANOS, why="paid out"))
    desk.cash -= 100_000
    desk.account()
    effects = [*desk.quote("AAPL", 250), *desk.quote("AAPL", 250)]
    assert not any(isinstance(effect, fx.LatchHalt) for effect in effects)
    # 5 % of the 900,000 that are left is 45,000: 22.50 a share; one cent less is not enough.
    assert not any(isinstance(e, fx.LatchHalt) for _ in "12" for e in desk.quote("AAPL", 228))
    assert any(isinstance(e, fx.LatchHalt) for _ in "12" for e in desk.quote("AAPL", 227))


def test_a_retry_does_not_become_a_second_order() -> None:
    desk = Desk()
    (order,) = submitted(desk.order(Side.BUY, NANOS, name="mine"))
    again = desk.order(Side.BUY, NANOS, name="mine")
    assert not submitted(again)
    assert [e.order_id for e in again if isinstance(e, fx.AnswerOrder)] == [order.order_id]
    assert denied(desk.order(Side.BUY, 2 * NANOS, name="mine")) == [Reason.CLIENT_ORDER_ID_REUSED]


def test_a_retry_does_not_become_a_second_order_after_a_restart_either() -> None:
    desk = Desk()
    (order,) = submitted(desk.order(Side.BUY, NANOS, name="mine"))
    desk.kernel = Kernel.restored(desk.kernel.snapshot())
    again = desk.order(Side.BUY, NANOS, name="mine")
    assert [e.order_id for e in again if isinstance(e, fx.AnswerOrder)] == [order.order_id]


def test_the_loss_is_not_forgotten_by_a_restart() -> None:
    desk = Desk(cash=0, held=1_000)
    desk.quote("AAPL", 240)  # 4 % lost
    desk.kernel = Kernel.restored(desk.kernel.snapshot())
    desk.start()
    desk.quote("AAPL", 240)
    desk.quote("AAPL", 237)
    assert any(isinstance(effect, fx.LatchHalt) for effect in desk.quote("AAPL", 237))


def test_a_tripped_limit_that_lets_exits_pass_blocks_no_stop_and_no_exit() -> None:
    rule = LossRule(limit_nanos=NANOS // 20, action=Action.REDUCE_ONLY)
    limits = Limits(order_value_nanos_max=NANOS**2)
    desk = Desk(Policy(limits=limits, losses=(rule,)), cash=0, held=100)
    for _ in range(2):
        desk.quote("AAPL", 230)
    assert denied(desk.order(Side.BUY, NANOS)) == [Reason.POSTURE_REDUCE_ONLY]
    assert submitted(desk.order(Side.SELL, 60 * NANOS))
    stop = stop_to_sell(40, 220)
    assert submitted(desk.take(stop))


def test_a_halt_does_not_take_away_the_stop_that_protects_a_position() -> None:
    desk = Desk(held=100)
    stop = stop_to_sell(100, 240)
    (order,) = submitted(desk.take(stop))
    accept(desk, order, "b1")
    halt = OperatorHaltRequested(
        request=2, operator="ann", reason="drill", scope="account", level=HaltLevel.HALT
    )
    assert not any(isinstance(effect, fx.CancelOrder) for effect in desk.take(halt))
    # It stays only as long as it cannot open: the position it protected is sold elsewhere.
    desk.held = 0
    desk.take(
        facts.FillReported(
            order_id=order.order_id,
            broker_order_id="b1",
            quantity_nanos=40 * NANOS,
            price_nanos=240 * NANOS,
            filled_quantity_nanos=40 * NANOS,
            filled_price_nanos=240 * NANOS,
            final=False,
        )
    )
    assert not any(isinstance(effect, fx.CancelOrder) for effect in desk.take(halt))
    flatten = msgspec.structs.replace(halt, level=HaltLevel.FLATTEN)
    asked = desk.take(flatten)
    assert not any(isinstance(effect, fx.CancelOrder) for effect in asked), "not yet"
    (question,) = [effect for effect in asked if isinstance(effect, fx.ReadLeg)]
    leg = facts.LegRead(
        trip=question.trip,
        symbol="AAPL",
        attempt=1,
        position_nanos=60 * NANOS,
        against_nanos=60 * NANOS,
    )
    assert any(isinstance(effect, fx.CancelOrder) for effect in desk.take(leg))


def test_one_bad_equity_read_does_not_halt() -> None:
    desk = Desk(cash=0, held=1_000)
    effects = [*desk.account(equity=1), *desk.account(), *desk.quote("AAPL", 250)]
    assert not any(isinstance(effect, fx.LatchHalt) for effect in effects)


def test_no_limit_and_no_posture_ever_blocks_a_cancel() -> None:
    desk = Desk(Policy(limits=Limits(order_rate_max=1, working_orders_max=1)))
    (order,) = submitted(desk.order(Side.BUY, NANOS))
    assert denied(desk.order(Side.BUY, NANOS)) == [Reason.ORDER_RATE]
    kill = OperatorHaltRequested(
        request=8, operator="ann", reason="drill", scope="account", level=HaltLevel.KILL
    )
    desk.take(kill)
    for request in range(10, 200):
        effects = desk.take(
            facts.CancelRequested(request=request, strategy="alpha", order_id=order.order_id)
        )
        assert any(isinstance(effect, fx.CancelOrder) for effect in effects)


def test_working_orders_that_open_trap_no_exit() -> None:
    desk = Desk(Policy(limits=Limits(working_orders_max=2)), held=10)
    desk.quote("MSFT", 100)
    for _ in range(2):
        assert submitted(desk.order(Side.BUY, NANOS, 100, symbol="MSFT"))
    assert denied(desk.order(Side.BUY, NANOS, 100, symbol="MSFT")) == [Reason.WORKING_ORDERS_FULL]
    assert submitted(desk.order(Side.SELL, 10 * NANOS)), "law 13: an exit is not counted out"


def test_fills_during_a_disconnect_are_recovered() -> None:
    desk = Desk()
    (order,) = submitted(desk.order(Side.BUY, NANOS))
    accept(desk, order, "b1")
    desk.take(facts.BrokerStreamChanged(connected=False))
    effects = desk.take(facts.BrokerStreamChanged(connected=True))
    assert [e.order_id for e in effects if isinstance(e, fx.FindOrder)] == [order.order_id]
    effects = desk.take(
        facts.OrderSent(
            order_id=order.order_id,
            broker_order_id="b1",
            status=OrderStatus.FILLED,
            filled_quantity_nanos=NANOS,
            filled_price_nanos=250 * NANOS,
        )
    )
    positions = [e for e in effects if isinstance(e, fx.PublishPosition) and not e.strategy]
    assert [(p.symbol, p.quantity_nanos) for p in positions] == [("AAPL", NANOS)]
    assert fx.ReadAccount(positions=True) in effects, "and the books are compared"


def test_a_position_that_differs_at_the_broker_halts_and_is_taken_over() -> None:
    desk = Desk(held=100)
    effects = desk.take(facts.PositionsSeen(positions=()))
    for _ in range(9):  # a report may be on its way: it is asked again before it is believed
        if any(isinstance(effect, fx.LatchHalt) for effect in effects):
            break
        desk.now_ns += SECOND
        desk.take(facts.TimeAdvanced())
        effects = desk.take(facts.PositionsSeen(positions=()))
    assert [e.reason for e in effects if isinstance(e, fx.LatchHalt)] == [Reason.POSITION_MISMATCH]
    assert denied(desk.order(Side.SELL, NANOS)) == [Reason.POSTURE_HALTED]


def test_a_limit_of_nothing_blocks_and_a_smaller_limit_measures_the_newest_orders() -> None:
    desk = Desk(Policy(limits=Limits(order_rate_max=3, order_rate_kills=False)))
    for _ in range(3):
        assert submitted(desk.order(Side.BUY, NANOS))
    text = canonical_text(Policy(limits=Limits(order_rate_max=0, order_rate_kills=False)))
    desk.take(
        facts.PolicyAdopted(text=text, digest=digest_of(text), operator="ann", reason="agreed")
    )
    assert denied(desk.order(Side.BUY, NANOS)) == [Reason.ORDER_RATE]
    desk.now_ns += 10 * SECOND
    assert denied(desk.order(Side.BUY, NANOS)) == [Reason.ORDER_RATE]


def test_a_plans_close_cannot_be_cancelled_by_the_strategy_it_protects() -> None:
    desk = Desk(Policy(losses=(LossRule(limit_nanos=NANOS // 20),)), cash=0, held=1_000)
    desk.order(Side.SELL, NANOS, 251)
    desk.take(
        OperatorHaltRequested(
            request=9, operator="ann", reason="x", scope="strategy:alpha", level=HaltLevel.FLATTEN
        )
    )
    desk.now_ns += 3 * SECOND
    reads = [e for e in desk.take(facts.TimeAdvanced()) if isinstance(e, fx.ReadLeg)]
    leg = facts.LegRead(
        trip=reads[0].trip,
        symbol="AAPL",
        attempt=1,
        position_nanos=1_000 * NANOS,
        against_nanos=0,
    )
    (close,) = submitted(desk.take(leg))
    assert close.quantity_nanos == 999 * NANOS, "what is on its way counts"
    assert close.strategy == "", "it belongs to nobody's key"
    effects = desk.take(
        facts.CancelRequested(request=10, strategy="alpha", order_id=close.order_id)
    )
    assert [e.reason for e in effects if isinstance(e, fx.AnswerCancel)] == [Reason.ORDER_UNKNOWN]


def test_an_order_that_arrives_after_it_was_given_up_counts_again_and_is_cancelled() -> None:
    desk = Desk()
    (order,) = submitted(desk.order(Side.BUY, LARGE))
    desk.take(facts.OrderUnknown(order_id=order.order_id, detail="no answer"))
    desk.take(facts.OrderNotSent(order_id=order.order_id, reason=Reason.NEVER_ARRIVED))
    effects = desk.take(facts.OrderWorking(order_id=order.order_id, broker_order_id="b1"))
    assert fx.CancelOrder(order_id=order.order_id, broker_order_id="b1") in effects
    assert any(isinstance(effect, fx.RaiseAlert) for effect in effects)
    assert denied(desk.order(Side.BUY, LARGE)) == [Reason.GROSS_EXPOSURE]


def test_an_order_filled_beyond_its_size_halts_and_counts_all_of_it() -> None:
    desk = Desk()
    (order,) = submitted(desk.order(Side.BUY, NANOS))
    effects = desk.take(
        facts.FillReported(
            order_id=order.order_id,
            broker_order_id="b1",
            quantity_nanos=3 * NANOS,
            price_nanos=250 * NANOS,
            filled_quantity_nanos=3 * NANOS,
            filled_price_nanos=250 * NANOS,
            final=True,
        )
    )
    assert [e.reason for e in effects if isinstance(e, fx.LatchHalt)] == [Reason.POSITION_MISMATCH]
    positions = [e for e in effects if isinstance(e, fx.PublishPosition) and not e.strategy]
    assert positions[0].quantity_nanos == 3 * NANOS


def test_a_kill_that_outran_the_disk_is_not_weakened_by_a_halt_in_the_journal() -> None:
    desk = Desk()
    desk.take(
        OperatorHaltRequested(
            request=9, operator="ann", reason="drill", scope="account", level=HaltLevel.HALT
        )
    )
    desk.kernel = Kernel.restored(desk.kernel.snapshot())
    kill = facts.LatchedScope(
        scope="account",
        level=HaltLevel.KILL,
        reason=Reason.OPERATOR,
        trip="latch:account#1",
        halt_epoch=2,
    )
    desk.start(latched=(kill,))
    assert denied(desk.order(Side.BUY, NANOS)) == [Reason.POSTURE_KILLED]
